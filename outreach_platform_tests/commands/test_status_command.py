"""What `outreach status` says of events, enrichment and filings, from what stands on disk alone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from outreach_platform.commands.status_enrichment import enrichment_rows
from outreach_platform.commands.status_events import event_rows
from outreach_platform.commands.status_filings import filing_rows
from outreach_platform.enrichment.funnel import Funnel, FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.events.extract import InvalidEventsError
from outreach_platform.events.run import EventsRun
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.foundation.lake import write_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.event_rows import (
    create_source,
    event,
    event_id,
    insert_events,
    new_run,
    settings_for,
    window,
)
from outreach_platform_tests.support.product import Inside, Product

NOW = datetime.now(UTC)
KEYS = [
    *("export", "status", "last_export", "age", "rows", "users", "quarantined", "window"),
    *("exports", "research", "problems"),
]
DAYS = window(2, NOW)


def status_of(data: Path) -> dict:
    (row,) = event_rows(settings_for(data))
    return row


def export_of(run: EventsRun) -> str:
    run.extract(DAYS)
    return run.export(DAYS).stamp


@pytest.mark.slow
def test_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    row = status_of(data)
    assert list(row) == KEYS
    assert row["status"] == "never run"
    assert (row["exports"], row["problems"]) == (0, [])
    assert {row[key] for key in ("last_export", "age", "rows", "users", "research")} == {None}
    inside = Inside(Product(tmp_path), capsys)
    done = inside("status", "--json")
    assert (done.code, done.err) == (0, "")
    *states, events, companies, people, filings = done.rows
    assert (filings["filings"], filings["status"]) == ("filings", "never run")
    assert [r["state"] for r in states] == ["WV", "PA", "VA", "MD", "OH", "DE"]
    assert events == row
    assert [r["workspace"] for r in (companies, people)] == ["company", "people"]
    shown = inside("status")
    assert "behavioral_events" in shown.out
    assert "never run" in shown.out


@pytest.mark.slow
def test_from_one_export_to_the_next(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_source(neon_url)
    recent = NOW.replace(tzinfo=None)
    insert_events(neon_url, [event(timestamp=recent, userId=event_id(n, "w")) for n in range(6)])
    run = new_run(tmp_path, neon_url, NOW)
    first = export_of(run)
    run.sync()
    row = status_of(tmp_path)
    assert list(row) == KEYS
    assert (row["status"], row["last_export"], row["exports"]) == ("exported", first, 1)
    assert (row["rows"], row["users"], row["quarantined"], row["research"]) == (6, 6, 0, "view")
    assert row["window"] == f"{DAYS.start} to {DAYS.end}"
    assert row["problems"] == ["experimentPhase is null in 100% of the rows"]
    assert row["age"].endswith((" s", " min"))

    run.export(DAYS, user_id=event_id(1, "w"))
    assert status_of(tmp_path) == {**row, "age": status_of(tmp_path)["age"], "exports": 2}, (
        "one user's export is not the last export"
    )

    second = export_of(run)
    behind = status_of(tmp_path)
    assert (behind["status"], behind["last_export"]) == ("exported", second)
    assert f"the research database shows {first}, 0 d old" in behind["problems"][-1]
    assert "`outreach events --sync-duckdb` brings it up to date" in behind["problems"][-1]

    database = settings_for(tmp_path).analytics_path
    database.unlink()
    database.mkdir()
    run.sync()
    unsynced = status_of(tmp_path)
    assert (unsynced["status"], unsynced["research"]) == ("exported", None)
    assert unsynced["problems"][-1].startswith("the research database was not brought up to date: ")

    insert_events(neon_url, [event(timestamp=recent, sessionPerformanceScore=101)])
    with pytest.raises(InvalidEventsError):
        run.extract(DAYS)
    stopped = status_of(tmp_path)
    assert (stopped["status"], stopped["last_export"]) == ("failed", second)
    assert any("session_performance_score_out_of_range 1" in p for p in stopped["problems"])

    run.extract(DAYS, mode="non_strict")
    third = run.export(DAYS).stamp
    mended = status_of(tmp_path)
    assert (mended["status"], mended["last_export"]) == ("exported", third)
    assert "in quarantine and not in the export: 1" in mended["problems"]
    run.folder.export(third).unlink()
    gone = status_of(tmp_path)
    assert gone["exports"] == mended["exports"] - 1
    assert f"raw/behavioral_events_{third}.parquet is gone from disk" in gone["problems"]


FUNNEL = {
    "invalid": 119,
    "pulled": 119,
    "pending": 100,
    "in_progress": 4,
    "complete": 10,
    "failed": 5,
    "pushed": 8,
    "passed": 3,
    "promoted": 85,
    "still_invalid": 5,
    "chronic": 0,
    "waiting": 0,
    "problems": 0,
    "undefined": 0,
}


def kept(data: Path, **counts: int) -> list[dict]:
    """The rows of status after a run that left these counts of companies."""
    company = Funnel(entity="company", **{**FUNNEL, **counts})
    people = Funnel(entity="people", **dict.fromkeys(FUNNEL, 0))
    record = FunnelRecord(run_id="x", at=NOW, source="neon/db", funnels=[company, people])
    write_record(EnrichmentFolder(data).funnel, record)
    return enrichment_rows(settings_for(data))


def test_the_workspace_before_the_first_run(tmp_path: Path) -> None:
    rows = enrichment_rows(settings_for(tmp_path))
    assert [(row["workspace"], row["status"]) for row in rows] == [
        ("company", "never run"),
        ("people", "never run"),
    ]
    assert list(rows[0]) == list(kept(tmp_path)[0]), "the same columns before and after"


def test_the_funnel(tmp_path: Path) -> None:
    company, people = kept(tmp_path)
    shown = (
        *("invalid", "pulled", "pending", "in_progress", "complete", "pushed", "passed"),
        *("promoted", "still_invalid"),
    )
    assert {name: company[name] for name in shown} == {name: FUNNEL[name] for name in shown}
    assert (company["status"], company["problems"]) == ("up to date", [])
    assert company["age"].endswith((" s", " min"))
    assert people["invalid"] == 0


@pytest.mark.parametrize(
    ("counts", "status", "said"),
    [
        ({"waiting": 2}, "waiting", None),
        ({"problems": 3}, "up to date", "3 rows hang, see sync_problem"),
        ({"chronic": 4}, "up to date", "4 records failed three times or more"),
        ({"undefined": 1}, "up to date", "1 rows have a status that nobody defined"),
    ],
)
def test_what_is_open_in_the_workspace(
    tmp_path: Path, counts: dict[str, int], status: str, said: str | None
) -> None:
    company, people = kept(tmp_path, **counts)
    assert company["status"] == status
    assert [problem.partition(" in the")[0] for problem in company["problems"]] == (
        [said] if said else []
    )
    assert (people["status"], people["problems"]) == ("up to date", [])


def test_filings_of_a_new_folder_never_ran(tmp_path: Path) -> None:
    (row,) = filing_rows(load_settings(data_dir=tmp_path))
    assert (row["filings"], row["status"], row["problems"]) == ("filings", "never run", [])


def test_filings_tell_of_what_is_wrong_in_their_database(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path)
    with writer(folder) as connection:
        connection.execute(
            "INSERT INTO filings (accession_number, form_type) "
            "VALUES ('0000320193-24-000123', '10-K')"
        )
    publish(folder)
    (row,) = filing_rows(load_settings(data_dir=tmp_path))
    assert (row["status"], row["total_filings"], row["filings_with_chunks"]) == ("published", 1, 0)
    assert any("pending" in problem for problem in row["problems"])


def test_a_damaged_filings_database_is_told(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path)
    folder.published.parent.mkdir(parents=True)
    folder.published.write_text("no database")
    (row,) = filing_rows(load_settings(data_dir=tmp_path))
    assert row["status"] == "failed"
    assert str(folder.published) in row["problems"][0]
