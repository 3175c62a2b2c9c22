"""The report's figures are those of the records; a damaged record hides no other."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.records import StageRecord
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.foundation.lake import FileRecord, write_record
from outreach_platform.operations.report.figures import gather
from outreach_platform.operations.report.figures_states import state_figures
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.support.report_history import (
    ERRORS,
    START,
    counts,
    override,
    publish_records,
    stop_records,
    verdict,
)
from outreach_platform_tests.support.snapshot_runs import settings_for

NEXT = START + timedelta(days=1)


def write_day(data: Path, day: str, rows: int, failed: int = 0) -> Path:
    """The manifest of a day of events."""
    folder = EventFolder(data)
    file = FileRecord(path="x", rows=rows, size=1, sha256="0")
    record = DayManifest(
        day=day,
        file=file,
        quarantine=file.model_copy(update={"rows": failed}) if failed else None,
        source="embedded",
        table="t",
        source_rows=rows + failed,
        source_changes="0",
        columns="0",
        validation="non_strict",
        rules_version="r1",
        compression="snappy",
        nulls={},
        errors={"timestamp_not_future": failed} if failed else {},
        warnings={},
        pulled_at=START,
        run_id="run-1",
        code_version="0",
    )
    write_record(folder.manifest(day), record, durable=False)
    return folder.manifest(day)


@pytest.mark.parametrize("bad", [5, 6])
def test_a_versions_counts_and_codes_are_those_of_its_manifest(tmp_path: Path, bad: int) -> None:
    version = publish_records(tmp_path, counts(95, bad, 210, 41))
    figures = state_figures(settings_for(tmp_path), "WV")
    (shown,) = figures.versions
    assert (shown.version, shown.status, shown.at) == (version, "published", START)
    assert shown.counts == {
        "companies_good": 95,
        "companies_bad": bad,
        "people_good": 210,
        "people_bad": 41,
    }
    assert shown.errors == ERRORS
    assert shown.bad_share == bad / (95 + bad)
    assert (figures.trips, figures.unreadable) == ([], [])
    assert figures.sample


def test_a_stopped_version_is_told_with_its_switch(tmp_path: Path) -> None:
    publish_records(tmp_path, counts(95, 5))
    stopped = stop_records(tmp_path, counts(70, 30), at=NEXT, share=0.3)
    figures = state_figures(settings_for(tmp_path), "WV")
    assert [v.status for v in figures.versions] == ["published", "stopped"]
    assert len(figures.published) == 1
    assert figures.newest is not None and figures.newest.version == stopped
    assert figures.newest.counts["companies_bad"] == 30
    (trip,) = figures.trips
    assert (trip.switch, trip.measured, trip.limit, trip.overridden) == ("K1", 0.3, 0.15, False)


def test_an_override_is_told_with_its_reason_and_end(tmp_path: Path) -> None:
    given = override("list bought", until=date(2026, 4, 1))
    publish_records(tmp_path, counts(80, 20), verdicts=[verdict(0.2, given)])
    (trip,) = state_figures(settings_for(tmp_path), "WV").trips
    assert (trip.overridden, trip.until, trip.reason) == (True, date(2026, 4, 1), "list bought")


def test_a_version_that_failed_before_it_was_judged_is_told(tmp_path: Path) -> None:
    version = stop_records(tmp_path, counts(1, 1), at=START, share=0.5)
    folder = StateFolder(tmp_path, "WV")
    folder.verdict(version).unlink()
    folder.split_record(version).unlink()
    folder.pull_record(version).write_text("{}", encoding="utf-8")
    text = folder.outcome(version).read_text(encoding="utf-8")
    folder.outcome(version).write_text(text.replace('"stopped"', '"failed"'), encoding="utf-8")
    (shown,) = state_figures(settings_for(tmp_path), "WV").versions
    assert (shown.status, shown.counts, shown.bad_share) == ("failed", {}, None)


def test_a_version_under_way_is_not_shown(tmp_path: Path) -> None:
    version = stop_records(tmp_path, counts(1, 1), at=START, share=0.1)
    folder = StateFolder(tmp_path, "WV")
    folder.outcome(version).unlink()
    text = folder.verdict(version).read_text(encoding="utf-8")
    folder.verdict(version).write_text(
        text.replace('"passed": false', '"passed": true'), encoding="utf-8"
    )
    assert state_figures(settings_for(tmp_path), "WV").versions == []


@pytest.mark.parametrize("content", ["", "{}", '{"version": 3', b"\xff\xfe".decode("latin-1")])
def test_a_damaged_manifest_is_named_and_hides_no_other(tmp_path: Path, content: str) -> None:
    harmed = publish_records(tmp_path, counts(95, 5))
    whole = publish_records(tmp_path, counts(96, 5), at=NEXT, number=2)
    path = StateFolder(tmp_path, "WV").manifest(harmed)
    path.write_text(content, encoding="latin-1")
    figures = state_figures(settings_for(tmp_path), "WV")
    assert [v.version for v in figures.versions] == [whole]
    (sentence,) = figures.unreadable
    assert path.name in sentence


def test_a_damaged_verdict_is_named_and_hides_no_other(tmp_path: Path) -> None:
    harmed = stop_records(tmp_path, counts(70, 30), at=START, share=0.3)
    whole = stop_records(tmp_path, counts(70, 30), at=NEXT, share=0.3)
    StateFolder(tmp_path, "WV").verdict(harmed).write_text("{", encoding="utf-8")
    figures = state_figures(settings_for(tmp_path), "WV")
    assert [trip.version for trip in figures.trips] == [whole]
    assert len(figures.unreadable) == 1


def test_days_of_events_are_counted_as_their_manifests_say(tmp_path: Path) -> None:
    write_day(tmp_path, "2026-03-01", 10)
    write_day(tmp_path, "2026-03-02", 20, failed=3)
    write_day(tmp_path, "unknown", 0, failed=4)
    write_day(tmp_path, "2026-03-03", 1).write_text("{", encoding="utf-8")
    figures = gather(settings_for(tmp_path), START).events
    assert figures.days == {date(2026, 3, 1): (10, 0), date(2026, 3, 2): (20, 3)}
    assert figures.errors == {"timestamp_not_future": 7}
    assert figures.undated == 4
    assert len(figures.unreadable) == 1


def test_promotions_of_a_day_are_added_up_over_its_runs(tmp_path: Path) -> None:
    folder = EnrichmentFolder(tmp_path)
    for run, entity, done in (("a", "company", 3), ("b", "company", 4), ("b", "people", 2)):
        stage = StageRecord(
            run_id=run,
            stage="promote",
            entity=entity,
            at=START,
            counts={"taken": 9, "inserted": 1, "updated": done - 1, "held": 9 - done},
        )
        write_record(folder.stage(run, "promote", entity), stage, durable=False)
    folder.funnel.write_text("[]", encoding="utf-8")
    figures = gather(settings_for(tmp_path), START).enrichment
    assert figures.promoted == {START.date(): {"company": 7, "people": 2}}
    assert figures.funnels == []
    assert len(figures.unreadable) == 1


def test_filings_are_counted_in_the_published_copy(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path)
    assert gather(settings_for(tmp_path), START).filings.at is None
    with writer(folder) as connection:
        connection.execute(
            "INSERT INTO filings (accession_number, cik, form_type, filing_date, filing_year, "
            "download_status, created_at, updated_at) VALUES "
            "('0000320193-24-000123', '0000320193', '10-K', DATE '2024-11-01', 2024, 'completed', "
            "now(), now())"
        )
    publish(folder)
    figures = gather(settings_for(tmp_path), START).filings
    assert figures.counts["total_filings"] == 1
    assert {(c.year, c.filings, c.filled) for c in figures.coverage} == {(2024, 1, 0)}
    folder.published.write_bytes(b"no database")
    figures = gather(settings_for(tmp_path), START).filings
    assert (figures.coverage, len(figures.unreadable)) == ([], 1)


def test_an_empty_folder_has_no_figures_and_no_fault(tmp_path: Path) -> None:
    figures = gather(settings_for(tmp_path / "none"), START)
    assert figures.unreadable == []
    assert all(not state.versions for state in figures.states)
    assert not (tmp_path / "none").exists(), "looking leaves nothing behind"
