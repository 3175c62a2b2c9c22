"""What an interrupted run leaves, and what the next run of the state makes of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from outreach_platform.foundation import audit
from outreach_platform.foundation.errors import (
    IntegrityError,
    SourceError,
    StoreError,
    UsageError,
)
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.gates import Override
from outreach_platform.snapshots.layout import TABLES, Outcome
from outreach_platform.snapshots.overrides import add_override
from outreach_platform.snapshots.workbench import workbench_path
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import (
    NOWHERE,
    START,
    audit_rows,
    fill,
    later,
    new_run,
    pull_to_judge,
    statuses,
    whole,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow


@pytest.fixture
def source(neon_url: DatabaseUrl) -> DatabaseUrl:
    """A database whose West Virginia passes every switch."""
    create_masters(neon_url)
    fill(neon_url)
    return neon_url


@pytest.fixture
def stopped_source(neon_url: DatabaseUrl) -> DatabaseUrl:
    """A database whose West Virginia trips K1."""
    create_masters(neon_url)
    fill(neon_url, companies=10, bad=4)
    return neon_url


def files_in(folder: Path) -> set[str]:
    """Names of all files below a folder."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_version_that_was_only_pulled_is_given_up_once(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(source, tmp_path, run_id="dead", at=START)
    version = interrupted.pull().version
    done = whole(new_run(source, tmp_path, run_id="next", at=later(60)))
    assert statuses(source) == [(version, "FAILED"), (done.version, "OK")]
    assert audit_rows(source)[0][2]["run_id"] == "dead"
    outcome = read_record(interrupted.folder.outcome(version), Outcome)
    assert (outcome.status, outcome.run_id) == ("failed", "next")
    assert new_run(source, tmp_path, at=later(120)).recover() == []
    assert len(audit_rows(source)) == 2


def test_an_exported_version_is_finished_before_the_next_pull(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(source, tmp_path, run_id="dead", at=START)
    pulled, _, _ = pull_to_judge(interrupted)
    manifest = interrupted.export(pulled.version)
    done = whole(new_run(source, tmp_path, run_id="next", at=later(60)))
    assert statuses(source) == [(pulled.version, "OK"), (done.version, "OK")]
    assert [d["run_id"] for _, _, d in audit_rows(source)] == ["dead", "next"]
    assert interrupted.folder.published_versions() == [pulled.version, done.version]
    assert done.gates.baseline is not None
    assert done.gates.baseline.version == pulled.version
    assert (manifest.snapshot_id, done.manifest.snapshot_id) == (1, 2)


def test_a_version_that_cannot_be_finished_is_withdrawn_and_audited_once(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(source, tmp_path, run_id="dead", at=START)
    pulled, _, _ = pull_to_judge(interrupted)
    interrupted.export(pulled.version)
    folder = interrupted.folder
    # Replaced, not written into: the export is a hard link to the lake's file.
    damaged = folder.export(pulled.version, "people_good")
    damaged.unlink()
    damaged.write_bytes(b"not what was judged")
    done = whole(new_run(source, tmp_path, run_id="next", at=later(60)))
    assert statuses(source) == [(pulled.version, "FAILED"), (done.version, "OK")]
    assert folder.published_versions() == [done.version]
    assert folder.exported_versions() == [done.version]
    for table in TABLES:
        assert not folder.export(pulled.version, table).exists()
    assert done.gates.baseline is None


def test_exported_files_without_a_manifest_are_removed_whatever_the_outcome(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(source, tmp_path, run_id="dead", at=START)
    pulled, _, _ = pull_to_judge(interrupted)
    interrupted.export(pulled.version)
    folder = interrupted.folder
    # As after a failed version was rebuilt and killed before its manifest, or while withdrawn.
    folder.manifest(pulled.version).unlink()
    outcome = Outcome(
        version=pulled.version, state="WV", status="failed", message="x", at=START, run_id="dead"
    )
    write_record(folder.outcome(pulled.version), outcome)
    new_run(source, tmp_path, run_id="next", at=later(60)).recover()
    for table in TABLES:
        assert not folder.export(pulled.version, table).exists()


def test_files_of_published_versions_and_of_people_stay(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    folder = new_run(source, tmp_path).folder
    mine = folder.export(done.version, "people_good").with_name("my_own.parquet")
    mine.write_bytes(b"mine")
    before = files_in(folder.exports)
    assert new_run(source, tmp_path, run_id="next", at=later(60)).recover() == []
    assert files_in(folder.exports) == before


def test_a_stop_that_was_not_recorded_is_recorded_as_a_stop(
    stopped_source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(stopped_source, tmp_path, run_id="dead", at=START)
    pulled, _, gates = pull_to_judge(interrupted)
    assert not gates.passed
    # As after a kill between the audit row and the outcome, and before the audit row.
    interrupted.folder.outcome(pulled.version).unlink()
    new_run(stopped_source, tmp_path, run_id="next", at=later(60)).recover()
    assert statuses(stopped_source) == [(pulled.version, "K1_TRIGGERED")]
    interrupted.folder.outcome(pulled.version).unlink()
    execute(stopped_source, "TRUNCATE shq.audit_log")
    new_run(stopped_source, tmp_path, run_id="third", at=later(60)).recover()
    assert statuses(stopped_source) == [(pulled.version, "K1_TRIGGERED")]
    assert audit_rows(stopped_source)[0][2]["run_id"] == "dead"
    outcome = read_record(interrupted.folder.outcome(pulled.version), Outcome)
    assert outcome.status == "stopped"


def test_what_killed_writers_left_is_swept(source: DatabaseUrl, tmp_path: Path) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    run = new_run(source, tmp_path, run_id="next", at=later(60))
    folder = run.folder
    left = [
        folder.lake / ".20260101000000.77.partial" / "companies_raw.parquet",
        folder.version(done.version) / "companies_good.new.parquet",
        folder.version(done.version) / ".split.json.77.partial",
        folder.exports / "manifests" / ".20260101000000.json.77.partial",
        tmp_path / "lake" / ".spill" / "WV" / "duckdb-x" / "spilled.tmp",
        tmp_path / "duckdb" / ".outreach_workbench.duckdb.77.partial",
        tmp_path / "duckdb" / ".outreach_workbench.duckdb.77.partial.wal",
        tmp_path / "lake" / ".plain-WV" / "lake" / "outreach" / "WV" / "x.parquet",
    ]
    others = [
        tmp_path / "lake" / "outreach" / "PA" / ".20260101000000.78.partial" / "x.parquet",
        tmp_path / "lake" / ".spill" / "PA" / "duckdb-y" / "spilled.tmp",
        tmp_path / "duckdb" / ".analytics.duckdb.78.partial",
        tmp_path / "lake" / ".plain-PA" / "x.parquet",
    ]
    for path in [*left, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    whole(run)
    assert [path for path in left if path.exists()] == []
    assert [path for path in others if not path.exists()] == []


def test_another_object_in_the_way_costs_that_version_only(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "shared", "svg-enrichment")
    theirs = new_run(source, tmp_path / "theirs", run_id="theirs", at=START, store=store)
    whole(theirs)
    fill(source, companies=2, bad=0)
    ours = new_run(source, tmp_path / "ours", run_id="ours", at=START, store=store)
    pulled, _, _ = pull_to_judge(ours)
    ours.export(pulled.version)
    with pytest.raises(StoreError, match="already holds another object"):
        ours.upload(pulled.version)
    done = whole(new_run(source, tmp_path / "ours", run_id="next", at=later(60), store=store))
    assert ours.folder.published_versions() == [done.version]
    assert ours.folder.exported_versions() == [done.version]
    of_ours = [d for _, _, d in audit_rows(source) if d["run_id"] == "ours"]
    assert [d["kill_switch_status"] for d in of_ours] == ["FAILED"]
    kept = theirs.store.head(theirs.folder.object_key(pulled.version, "companies_good"))
    assert kept is not None
    assert kept.size == theirs.folder.export(pulled.version, "companies_good").stat().st_size


def test_steps_out_of_order_say_what_is_missing(source: DatabaseUrl, tmp_path: Path) -> None:
    run = new_run(source, tmp_path, at=START)
    with pytest.raises(UsageError, match="20260101000000 was never pulled"):
        run.split("20260101000000")
    assert not run.folder.version("20260101000000").exists()
    pulled = run.pull()
    with pytest.raises(UsageError, match="was not split"):
        run.judge(pulled.version)
    run.split(pulled.version)
    assert run.judge(pulled.version).passed
    with pytest.raises(UsageError, match="was not exported"):
        run.upload(pulled.version)
    with pytest.raises(UsageError, match="was not exported"):
        run.record(pulled.version)
    assert run.folder.published_versions() == []


def test_a_folder_without_a_pull_does_not_block_its_second(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    run = new_run(source, tmp_path, at=START)
    run.folder.version(START.strftime("%Y%m%d%H%M%S")).mkdir(parents=True)
    assert run.pull().version == later(1).strftime("%Y%m%d%H%M%S")


def test_spooled_rows_are_written_by_the_next_run(source: DatabaseUrl, tmp_path: Path) -> None:
    away = new_run(NOWHERE, tmp_path, run_id="away", at=START)
    with pytest.raises(SourceError):
        away.pull()
    spool = auditing.spool_folder(tmp_path)
    assert len(list(spool.glob("*.json"))) == 1
    assert "hush-hush-1" not in next(spool.glob("*.json")).read_text()
    whole(new_run(source, tmp_path, run_id="next", at=later(60)))
    assert list(spool.iterdir()) == []
    rows = [d for _, _, d in audit_rows(source)]
    assert [(d["run_id"], d["kill_switch_status"]) for d in rows] == [
        ("away", "FAILED"),
        ("next", "OK"),
    ]


def test_a_failure_is_audited_once_also_while_an_older_version_is_finished(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    interrupted = new_run(source, tmp_path, run_id="dead", at=START)
    pulled, _, _ = pull_to_judge(interrupted)
    interrupted.export(pulled.version)
    unusable = tmp_path / "file"
    unusable.write_text("no folder")
    blocked = new_run(
        source, tmp_path, run_id="next", at=later(60), store=LocalStore(unusable, "svg-enrichment")
    )
    with pytest.raises(StoreError):
        blocked.pull()
    assert [(v, s) for v, s in statuses(source)] == [(None, "FAILED")]
    done = whole(new_run(source, tmp_path, run_id="third", at=later(90)))
    assert statuses(source)[1:] == [(pulled.version, "OK"), (done.version, "OK")]


def test_a_stopped_version_passes_when_it_is_judged_again_under_an_override(
    stopped_source: DatabaseUrl, tmp_path: Path
) -> None:
    run = new_run(stopped_source, tmp_path, run_id="first")
    pulled, _, gates = pull_to_judge(run)
    assert gates.status == "K1_TRIGGERED"
    leave = Override(state="WV", switch="K1", until=pulled.partition, reason="known", by="Kim")
    add_override(stopped_source, leave)
    again = new_run(stopped_source, tmp_path, run_id="second")
    assert again.judge(pulled.version).passed
    again.export(pulled.version)
    again.upload(pulled.version)
    again.record(pulled.version)
    assert not again.folder.outcome(pulled.version).exists()
    assert statuses(stopped_source) == [(pulled.version, "K1_TRIGGERED"), (pulled.version, "OK")]


def test_a_published_version_is_never_withdrawn(source: DatabaseUrl, tmp_path: Path) -> None:
    from outreach_platform.snapshots.publish import withdraw

    run = new_run(source, tmp_path)
    done = whole(run)
    with pytest.raises(IntegrityError, match="is published and stays"):
        withdraw(run.folder, done.version)
    assert run.folder.export(done.version, "people_bad").exists()


def test_a_damaged_spooled_row_is_said_and_stops_nobody(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    spool = auditing.spool_folder(tmp_path)
    spool.mkdir(parents=True)
    (spool / "0.json").write_text("{")
    whole(new_run(source, tmp_path, at=START))
    assert [path.read_text() for path in spool.iterdir()] == ["{"]


def test_states_side_by_side_have_ids_of_their_own_and_write_spooled_rows_once(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    states = ["WV", "OH", "PA"]
    for state in states[1:]:
        fill(source, state=state)
    spool = auditing.spool_folder(tmp_path)
    for number in range(30):
        event = auditing.failed_event(
            new_run(source, tmp_path).folder, None, f"away-{number}", "the database was away"
        )
        audit.spool(event, spool)
    with ThreadPoolExecutor(3) as pool:
        runs = [new_run(source, tmp_path, state, run_id=state, at=START) for state in states]
        done = list(pool.map(whole, runs))
    assert sorted(d.manifest.snapshot_id for d in done) == [1, 2, 3]
    assert list(spool.iterdir()) == []
    rows = [d["run_id"] for _, _, d in audit_rows(source)]
    assert sorted(rows) == sorted([*states, *(f"away-{n}" for n in range(30))])
    with duckdb.connect(str(workbench_path(tmp_path)), read_only=True) as connection:
        found = connection.execute("SELECT state FROM snapshots").fetchall()
    assert {row[0] for row in found} == set(states)
