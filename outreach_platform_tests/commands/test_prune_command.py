"""`outreach prune` as scripts meet it, and everything that they run after it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.operations.retention.jobs import weekly_prune
from outreach_platform_tests.support.postgres import drop_database, fresh_database
from outreach_platform_tests.support.product import Inside, Product
from outreach_platform_tests.support.published import TwoVersions, publish_twice

DAYS = "[locks]\nwait_seconds = 0\n[retention]\nsnapshot_days = 1\nlake_days = 1\n"
DAYS += "filings_backup_days = 1\nevent_export_days = 1\nrun_days = 365\n"


@pytest.fixture
def two(pg_server: EmbeddedServer, tmp_path: Path) -> Iterator[TwoVersions]:
    url = fresh_database(pg_server, "prune_command")
    yield publish_twice(url, tmp_path / "data")
    drop_database(pg_server, "prune_command")


@pytest.mark.slow
def test_what_is_old_goes_and_every_command_knows(
    two: TwoVersions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product, own = Product(tmp_path), tmp_path / "own.toml"
    outreach = Inside(product, capsys)

    def tree() -> set[str]:
        folders = (two.data_dir / name for name in ("exports", "lake/outreach", "lake/filings"))
        return {str(p) for folder in folders for p in folder.rglob("*") if p.is_file()}

    everything = tree()
    nothing_set = outreach("prune")
    assert (nothing_set.code, nothing_set.out) == (0, "")
    assert "no retention is set" in nothing_set.err
    assert outreach("prune", "--json").rows == []

    own.write_text("[retention]\nlake_days = 0\n")
    refused = outreach("prune", OUTREACH_SETTINGS=str(own))
    assert (refused.code, refused.out) == (2, "")
    assert "retention.lake_days: must be a whole number of days" in refused.err

    own.write_text(DAYS)
    product.environment["OUTREACH_SETTINGS"] = str(own)
    backups = FilingFolder(two.data_dir).backups
    backups.mkdir(parents=True)
    for day in (1, 2):
        (backups / f"filings-2026030{day}T040000.duckdb").write_text("rows")
    everything = tree()
    told = outreach("prune", "--dry-run", "--json")
    assert (told.code, tree()) == (0, everything)
    done = outreach("prune", "--json")
    assert done.code == 0, done.err
    said = [{**row, "status": ""} for row in told.rows]
    assert said == [{**row, "status": ""} for row in done.rows]
    assert [(r["what"], r["subject"], r["removed"]) for r in done.rows] == [
        ("filings backups", "-", 1),
        ("published files", "WV", 1),
        ("raw and split rows", "WV", 1),
        ("runs", "-", 0),
    ]
    assert [row["oldest_kept"] for row in done.rows[1:3]] == [two.new, two.new]
    assert done.rows[2]["bytes_freed"] > 0
    assert len(everything - tree()) == 1 + 4 + 6

    verified = outreach("verify", "--json")
    assert [row["status"] for row in verified.rows] == ["pruned", "intact"]
    assert (verified.code, verified.rows[0]["store"]) == (0, "intact")
    kinds = {row.get("kind") for row in outreach("status", "--json").rows}
    assert not kinds & {"files_differ", "objects_differ", "record_damaged", "run_failed"}

    back = outreach("restore", "--state", "WV", "--version", two.old, "--json")
    assert (back.code, len(back.row["put_back"])) == (0, 4)
    assert outreach("prune", "--json").rows[1]["removed"] == 0
    assert [r["status"] for r in outreach("verify", "--json").rows] == ["intact", "intact"]

    lock = NamedLock(two.folder.lock, "WV")
    lock.acquire("another run", 0)
    busy = outreach("prune", "--json")
    lock.release()
    assert (busy.code, busy.rows[1]["status"]) == (1, "failed")
    assert "nothing removed: WV is busy: another run" in busy.rows[1]["problems"][0]
    assert busy.rows[-1]["what"] == "runs"

    with product.here() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="prune_job"))
    assert [run.is_success for run in runs] == [False, True, True]


@pytest.mark.parametrize("text", ["", "[retention]\nrun_days = 90\n"])
def test_sundays_ask_where_settings_want_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    monkeypatch.setenv("OUTREACH_SETTINGS", str(own))
    sunday = datetime(2026, 3, 8, 5, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=sunday)
        asked = weekly_prune(context)
    if text:
        assert isinstance(asked, dg.RunRequest)
        assert asked.run_key == "2026-03-08"
    else:
        assert isinstance(asked, dg.SkipReason)
    assert (weekly_prune.cron_schedule, weekly_prune.execution_timezone) == ("0 5 * * 0", "UTC")
