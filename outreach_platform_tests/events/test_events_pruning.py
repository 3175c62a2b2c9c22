"""Old exports and error reports go; what is read by name, and what happened, stays."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from outreach_platform.events.export import _remove_unfinished
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.pruning import prune_exports, prune_reports
from outreach_platform.events.records import Extraction, SyncRecord
from outreach_platform.events.verify import verify_exports
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.retention import PruneLine, Remover
from outreach_platform_tests.operations.monitoring.known import (
    NOW,
    export_events,
    note_extraction,
    note_sync,
)

DAYS = 30


def stamp(age: int) -> str:
    return (NOW - timedelta(days=age)).strftime("%Y%m%d_%H%M%S")


@pytest.fixture
def folder(tmp_path: Path) -> EventFolder:
    """The export of now, which `latest` leads to, and those of 20, 40, 60 and 80 days ago."""
    export_events(tmp_path)
    folder = EventFolder(tmp_path)
    newest = folder.newest()
    assert newest is not None
    for age in (20, 40, 60, 80):
        shutil.copy2(folder.export(newest.stamp), folder.export(stamp(age)))
        path = folder.export(stamp(age)).relative_to(tmp_path).as_posix()
        file = newest.file.model_copy(update={"path": path})
        older = newest.model_copy(update={"stamp": stamp(age), "file": file})
        write_record(folder.export_manifest(stamp(age)), older)
    return folder


def prune(folder: EventFolder, *, dry_run: bool = False, days: int = DAYS) -> PruneLine:
    return prune_exports(folder, days, Remover(dry_run=dry_run), run_id="run-prune", now=NOW)


def standing(folder: EventFolder) -> list[str]:
    return [export.stamp for export in folder.exports()]


def test_old_exports_go_and_their_manifests_stay(folder: EventFolder) -> None:
    size = folder.export(stamp(40)).stat().st_size
    told = prune(folder, dry_run=True)
    assert len(standing(folder)) == 5
    assert prune(folder) == told
    assert (told.removed, told.bytes_freed, told.oldest_kept) == (3, 3 * size, stamp(20))
    assert standing(folder) == [stamp(20), stamp(0)]
    checks = {check.version: check for check in verify_exports(folder)}
    assert [checks[stamp(age)].disk for age in (80, 60, 40, 20, 0)] == [
        *(["pruned"] * 3),
        *(["intact"] * 2),
    ]
    assert not any(check.problems for check in checks.values())
    # The next export sweeps manifests whose file never took its place: these are none.
    _remove_unfinished(folder)
    assert folder.export_manifest(stamp(80)).exists()
    assert prune(folder).removed == 0


def test_an_export_that_is_gone_without_a_mark_is_damage_still(folder: EventFolder) -> None:
    folder.export(stamp(80)).unlink()
    prune(folder)
    assert [check.version for check in verify_exports(folder) if check.problems] == [stamp(80)]


def test_what_latest_leads_to_stays_however_old(folder: EventFolder) -> None:
    folder.latest.unlink()
    folder.latest.symlink_to(folder.export(stamp(60)).name)
    assert prune(folder).removed == 2
    assert standing(folder) == [stamp(60), stamp(20), stamp(0)]


def test_the_newest_stays_where_nothing_leads_to_it(folder: EventFolder) -> None:
    folder.latest.unlink()
    assert prune(folder, days=1).removed == 4
    later = prune_exports(
        folder, 1, Remover(dry_run=False), run_id="r", now=NOW + timedelta(days=9)
    )
    assert (later.removed, standing(folder)) == (0, [stamp(0)])


def test_what_the_research_database_reads_stays(folder: EventFolder) -> None:
    note_sync(folder.data_dir, None)
    synced = read_record(folder.synced, SyncRecord).model_copy(update={"stamp": stamp(80)})
    write_record(folder.synced, synced)
    assert prune(folder).removed == 2
    assert stamp(80) in standing(folder)


def test_a_research_database_that_is_behind_keeps_all_of_them(folder: EventFolder) -> None:
    note_sync(folder.data_dir, "somebody holds it open")
    line = prune(folder)
    assert (line.removed, line.problems, len(standing(folder))) == (0, [], 5)
    assert "outreach events --sync-duckdb" in line.notes[0]
    assert prune(folder, days=100).notes == []


def test_a_file_without_a_manifest_may_be_somebodys(folder: EventFolder) -> None:
    folder.export_manifest(stamp(80)).unlink()
    assert prune(folder).removed == 2
    assert folder.export(stamp(80)).exists()


def test_an_export_that_cannot_be_removed_is_told_and_completed_later(folder: EventFolder) -> None:
    path = folder.export(stamp(80))
    aside = path.rename(path.with_name("aside"))
    (path / "inside").mkdir(parents=True)
    line = prune(folder)
    assert (line.removed, line.oldest_kept) == (2, stamp(80))
    assert "cannot be removed" in line.problems[0]
    shutil.rmtree(path)
    aside.rename(path)
    assert prune(folder, days=1000).removed == 1


def test_error_reports_go_but_the_newest_runs(tmp_path: Path) -> None:
    folder = EventFolder(tmp_path)
    folder.quarantine.mkdir()
    reports = [folder.error_report(stamp(age)) for age in (20, 40, 60)]
    foreign = folder.quarantine / "behavioral_events_errors_of_ann.csv"
    for path in (*reports, foreign):
        path.write_text("rows")
    note_extraction(tmp_path, "stopped")
    told = read_record(folder.extraction, Extraction)
    report = reports[1].relative_to(tmp_path).as_posix()
    write_record(folder.extraction, told.model_copy(update={"report": report}))
    line = prune_reports(folder, DAYS, Remover(dry_run=True), now=NOW)
    assert line == prune_reports(folder, DAYS, Remover(dry_run=False), now=NOW)
    assert (line.removed, line.bytes_freed, line.oldest_kept) == (1, 4, stamp(40))
    assert [path.exists() for path in (*reports, foreign)] == [True, True, False, True]
