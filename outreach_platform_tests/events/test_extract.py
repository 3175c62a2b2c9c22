"""Servers that go away and come back, what a run leaves of its failure, and the sibling tables."""

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from outreach_platform.events import experiments, extract
from outreach_platform.events.records import Extraction
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    USER,
    ago,
    create_source,
    day_ago,
    event,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.postgres import execute

DAYS = 8
# Where nothing listens: every connection is refused at once.
NOWHERE = DatabaseUrl.parse("postgresql://reader:hush-hush-1@127.0.0.1:9/none")
END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    create_source(neon_url)
    insert_events(neon_url, [event(timestamp=ago(4, seconds=n)) for n in range(100)])
    return neon_url


@pytest.fixture
def run(url: DatabaseUrl, tmp_path: Path) -> EventsRun:
    return new_run(tmp_path, url)


def ending(monkeypatch: pytest.MonkeyPatch, url: DatabaseUrl, times: int) -> list[int]:
    """End all of the source's connections after its days were counted, that many times."""
    plain, calls = extract.needed_days, []

    def hook(*arguments):
        calls.append(1)
        if len(calls) <= times:
            execute(url, END_ALL)
        return plain(*arguments)

    monkeypatch.setattr(extract, "needed_days", hook)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_connection_that_drops_is_opened_again(run, url, monkeypatch, times) -> None:
    calls = ending(monkeypatch, url, times)
    found = run.extract(window(DAYS))
    assert (found.rows, found.problem) == (100, None)
    assert len(calls) == times + 1


@pytest.mark.slow
def test_a_connection_that_drops_three_times_ends_the_run(run, url, monkeypatch) -> None:
    run.extract(window(DAYS))
    before = run.folder.day(day_ago(4)).read_bytes()
    insert_events(url, [event(timestamp=ago(4))])
    calls = ending(monkeypatch, url, 9)
    with pytest.raises(SourceUnavailableError, match="cannot be reached") as caught:
        run.extract(window(DAYS))
    assert len(calls) == 3
    assert run.folder.day(day_ago(4)).read_bytes() == before
    kept = find_record(run.folder.extraction, Extraction)
    assert kept is not None
    assert (kept.problem, kept.pulled, kept.run_id) == (str(caught.value), {}, "run-1")
    monkeypatch.undo()
    assert run.extract(window(DAYS)).pulled[day_ago(4)] == "changed at the source"


@pytest.mark.slow
def test_a_server_that_is_down_is_given_up_and_noted(tmp_path) -> None:
    run = new_run(tmp_path, NOWHERE)
    with pytest.raises(SourceUnavailableError, match="connection refused") as caught:
        run.extract(window(DAYS), "non_strict")
    assert "hush" not in str(caught.value)
    kept = find_record(run.folder.extraction, Extraction)
    assert kept is not None
    assert (kept.problem, kept.validation) == (str(caught.value), "non_strict")
    assert list(run.folder.lake.glob("date=*")) == []


@pytest.mark.slow
def test_a_run_after_a_failure_clears_the_problem(run, url) -> None:
    execute(url, 'ALTER TABLE "BehavioralEvent" RENAME TO hidden')
    with pytest.raises(SourceError):
        run.extract(window(DAYS))
    failed = find_record(run.folder.extraction, Extraction)
    assert failed is not None
    assert failed.problem is not None
    execute(url, 'ALTER TABLE hidden RENAME TO "BehavioralEvent"')
    run.extract(window(DAYS))
    kept = find_record(run.folder.extraction, Extraction)
    assert kept is not None
    assert (kept.problem, kept.rows) == (None, 100)


def test_a_refusal_is_not_tried_again(run, url, monkeypatch) -> None:
    calls, plain = [], extract.find_table

    def counted(*arguments):
        calls.append(1)
        return plain(*arguments)

    monkeypatch.setattr(extract, "find_table", counted)
    execute(url, 'DROP TABLE "BehavioralEvent"')
    with pytest.raises(SourceError):
        run.extract(window(DAYS))
    assert len(calls) == 1


# --- sibling tables ----------------------------------------------------------------------------

PROTOCOL = f"""INSERT INTO experiment_protocols VALUES
    ('p1', '{USER}', 'Reading', 'ABAB', '2026-01-01', NULL),
    ('p0', 'it''s', 'naïve 李', 'ALTERNATING', '2026-02-01 10:11:12.123', '2026-02-03');
INSERT INTO phase_assignments VALUES
    ('a1', 'p1', 'baseline_1', 'BASELINE', '2026-01-01', '2026-01-08')"""
EMPTY = "has no public.{}: left empty"


def rows_of(run: EventsRun, name: str) -> list[tuple]:
    with duckdb.connect() as engine:
        return engine.execute(experiments.siblings_sql(run.folder, name)).fetchall()


def types_of(run: EventsRun, name: str) -> dict[str, str]:
    with duckdb.connect() as engine:
        sql = experiments.siblings_sql(run.folder, name)
        return {row[0]: row[1] for row in engine.execute(f"DESCRIBE {sql}").fetchall()}


def test_siblings_are_taken_as_they_are(run, url) -> None:
    execute(url, PROTOCOL)
    records = run.siblings()
    assert [(r.name, r.found, r.file.rows, r.notices) for r in records] == [
        ("experiment_protocols", True, 2, []),
        ("phase_assignments", True, 1, []),
    ]
    assert rows_of(run, "experiment_protocols") == [
        ("p0", "it's", "ALTERNATING", "naïve 李", datetime(2026, 2, 1, 10, 11, 12, 123000),
         datetime(2026, 2, 3)),
        ("p1", USER, "ABAB", "Reading", datetime(2026, 1, 1), None),
    ]  # fmt: skip
    for name, columns in experiments.TABLES.items():
        assert types_of(run, name) == dict(columns)
        assert experiments.sibling_record(run.folder, name) in records


def test_missing_siblings_are_empty_and_typed(neon_url, tmp_path) -> None:
    run = new_run(tmp_path, neon_url)
    before = {name: types_of(run, name) for name in experiments.TABLES}
    records = run.siblings()
    assert [(r.found, r.file.rows) for r in records] == [(False, 0), (False, 0)]
    for record in records:
        assert record.notices[0].endswith(EMPTY.format(record.name))
        assert rows_of(run, record.name) == []
        assert types_of(run, record.name) == before[record.name]
    assert before == {name: dict(columns) for name, columns in experiments.TABLES.items()}


@pytest.mark.slow
def test_siblings_that_went_away_are_empty_again(run, url) -> None:
    execute(url, PROTOCOL)
    run.siblings()
    execute(url, "DROP TABLE phase_assignments, experiment_protocols")
    run.siblings()
    assert rows_of(run, "experiment_protocols") == []


@pytest.mark.slow
def test_a_siblings_optional_columns_become_nulls_with_a_notice(run, url) -> None:
    execute(url, PROTOCOL)
    execute(url, 'ALTER TABLE experiment_protocols DROP "endDate", DROP "protocolName"')
    record = run.siblings()[0]
    assert record.notices == [
        "public.experiment_protocols has no protocolName, endDate: filled with nulls"
    ]
    assert [row[3:] for row in rows_of(run, "experiment_protocols")][1] == (
        None, datetime(2026, 1, 1), None,
    )  # fmt: skip


@pytest.mark.parametrize("column", ["userId", "designType"])
def test_a_siblings_needed_column_is_asked_for_by_name(run, url, column) -> None:
    execute(url, f'ALTER TABLE experiment_protocols DROP "{column}"')
    with pytest.raises(SourceError, match=f"experiment_protocols lacks {column}; add it"):
        run.siblings()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("date", datetime(2026, 2, 1)),
        ("timestamptz", datetime(2026, 2, 1, 10, 11, 12, 123000)),
        ("timestamp(6)", datetime(2026, 2, 1, 10, 11, 12, 123000)),
    ],
)
def test_siblings_dates_come_as_naive_utc(run, url, kind, expected) -> None:
    execute(url, PROTOCOL)
    execute(url, f'ALTER TABLE experiment_protocols ALTER "startDate" TYPE {kind}')
    execute(url, f"ALTER DATABASE \"{url.params['dbname']}\" SET timezone = 'Asia/Tokyo'")
    run.siblings()
    assert rows_of(run, "experiment_protocols")[0][4] == expected


def test_a_siblings_dates_that_are_none_are_refused_by_name(run, url) -> None:
    execute(url, PROTOCOL)
    execute(
        url,
        "ALTER TABLE experiment_protocols ALTER \"startDate\" TYPE text USING 'ann@example.org'",
    )
    with pytest.raises(SourceError, match=r"experiment_protocols\.startDate is text") as caught:
        run.siblings()
    assert "example.org" not in str(caught.value)


def test_siblings_are_looked_for_where_the_events_are(run, url) -> None:
    execute(url, PROTOCOL)
    execute(
        url,
        'CREATE SCHEMA app; ALTER TABLE "BehavioralEvent" SET SCHEMA app;'
        "ALTER TABLE experiment_protocols SET SCHEMA app",
    )
    records = run.siblings()
    assert [(r.name, r.found) for r in records] == [
        ("experiment_protocols", True),
        ("phase_assignments", False),
    ]
    assert records[1].notices[0].endswith("has no app.phase_assignments: left empty")


@pytest.mark.slow
def test_siblings_survive_a_connection_that_drops(run, url, monkeypatch) -> None:
    execute(url, PROTOCOL)
    plain, calls = experiments._query, []

    def hook(*arguments):
        query = plain(*arguments)
        calls.append(1)
        if len(calls) == 2:  # both tables were described
            execute(url, END_ALL)
        return query

    monkeypatch.setattr(experiments, "_query", hook)
    assert [record.file.rows for record in run.siblings()] == [2, 1]
    assert len(calls) == 4
