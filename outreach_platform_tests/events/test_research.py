"""What the research database shows: events as view or table, daily scores, phase observations."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.events.analysis import abab_observations, its_daily
from outreach_platform.events.records import SyncRecord
from outreach_platform.events.research import slowest_query_ms
from outreach_platform.events.research_sql import STANDING_QUERIES
from outreach_platform.events.run import EventsRun
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    USER,
    ago,
    create_source,
    event,
    in_phase,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.postgres import execute

OTHER = "c" + "o" * 24
INDEXES = {
    "behavioral_events_user_time": "userId, timestamp",
    "behavioral_events_type": "eventType",
    "behavioral_events_phase": "experimentPhase",
}
OBJECTS = {
    "behavioral_events": "VIEW",
    "exports": "BASE TABLE",
    "experiment_protocols": "BASE TABLE",
    "phase_assignments": "BASE TABLE",
    "its_daily": "VIEW",
    "abab_observations": "VIEW",
}


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    """An empty source with its siblings."""
    create_source(neon_url)
    return neon_url


def exported(tmp_path: Path, url: DatabaseUrl, rows: list[dict[str, Any]], **options: Any):
    """A run that took and exported the rows."""
    insert_events(url, rows)
    run = new_run(tmp_path, url, **options)
    run.extract(window(14))
    run.siblings()
    run.export(window(14))
    return run


@contextmanager
def opened(run: EventsRun) -> Iterator[duckdb.DuckDBPyConnection]:
    """The research database, read-only as a researcher's shell in another time zone."""
    connection = duckdb.connect(str(run.settings.analytics_path), read_only=True)
    try:
        connection.execute("SET TimeZone = 'America/New_York'")
        yield connection
    finally:
        connection.close()


def objects_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(
        connection.execute(
            "SELECT table_name, table_type FROM information_schema.tables "
            "WHERE table_schema = 'research'"
        ).fetchall()
    )


def indexes_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The columns of each index, without the quotes and brackets around them."""
    found = connection.execute("SELECT index_name, expressions FROM duckdb_indexes()").fetchall()
    return {name: re.sub("[^a-zA-Z, ]", "", columns) for name, columns in found}


def shuffled() -> list[dict[str, Any]]:
    """Events of some days, inserted in no order."""
    return [event(timestamp=ago(n * 7 % 11, minutes=n * 13 % 50)) for n in range(30)]


def assert_events(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    described = connection.execute("DESCRIBE research.behavioral_events").fetchall()
    assert tuple(row[0] for row in described) == NAMES
    assert {row[1] for row in described} == {"VARCHAR", "INTEGER", "TIMESTAMP"}
    found = connection.execute('SELECT id, "timestamp" FROM research.behavioral_events').fetchall()
    assert found == sorted(((r["id"], r["timestamp"]) for r in rows), key=lambda row: row[::-1])


@pytest.mark.slow
def test_a_view_by_default(url: DatabaseUrl, tmp_path: Path) -> None:
    rows = shuffled()
    run = exported(tmp_path, url, rows)
    record = run.sync()
    assert (record.form, record.problem, record.set_aside) == ("view", None, None)
    assert record.slowest_ms is not None
    assert record == read_record(run.folder.synced, SyncRecord)
    assert record.database == str(tmp_path / "duckdb" / "analytics.duckdb")
    with opened(run) as connection:
        assert objects_of(connection) == OBJECTS
        assert indexes_of(connection) == {}
        assert_events(connection, rows)
        data = connection.execute('SELECT "eventData" FROM research.behavioral_events').fetchone()
        assert data is not None
        assert json.loads(data[0])["notes"] == "naïve 李"
        export = run.folder.newest()
        assert export is not None
        described = connection.execute("SELECT * EXCLUDE (synced_at) FROM research.exports")
        assert described.fetchall() == [
            (
                *(export.stamp, str(run.folder.export(export.stamp)), export.file.sha256, 30),
                *(export.window.start, export.window.end, "strict", export.rules_version),
                *("embedded", "view"),
            )
        ]


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["argument", "setting"])
def test_a_table_with_three_indexes(url: DatabaseUrl, tmp_path: Path, asked: str) -> None:
    rows = shuffled()
    run = exported(tmp_path, url, rows, **({"research": "table"} if asked == "setting" else {}))
    record = run.sync("table" if asked == "argument" else None)
    assert (record.form, record.problem, record.slowest_ms) == ("table", None, None)
    with opened(run) as connection:
        assert objects_of(connection) == {**OBJECTS, "behavioral_events": "BASE TABLE"}
        assert indexes_of(connection) == INDEXES
        assert_events(connection, rows)
        assert connection.execute("SELECT form FROM research.exports").fetchall() == [("table",)]
    for path in run.folder.raw.rglob("*.parquet"):
        path.unlink()
    with opened(run) as connection:
        assert_events(connection, rows)


@pytest.mark.slow
def test_auto_makes_a_table_where_the_view_is_slow(url: DatabaseUrl, tmp_path: Path) -> None:
    rows = shuffled()
    run = exported(tmp_path, url, rows, slow_query_ms=1e-6)
    record = run.sync()
    assert (record.form, record.problem) == ("table", None)
    assert record.slowest_ms is not None
    assert record.slowest_ms > 1e-6
    with opened(run) as connection:
        assert objects_of(connection) == {**OBJECTS, "behavioral_events": "BASE TABLE"}
        assert indexes_of(connection) == INDEXES
        assert_events(connection, rows)
        assert connection.execute("SELECT count(*) FROM research.its_daily").fetchone() == (11,)
        assert slowest_query_ms(connection, 1e-6) > 0
    assert run.sync("view").form == "view"
    with opened(run) as connection:
        assert objects_of(connection) == OBJECTS
        assert indexes_of(connection) == {}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["view", "table", "auto"])
def test_no_rows_are_an_empty_typed_table(url: DatabaseUrl, tmp_path: Path, form: Any) -> None:
    run = exported(tmp_path, url, [])
    assert run.sync(form).problem is None
    with opened(run) as connection:
        assert_events(connection, [])
        for query in STANDING_QUERIES.values():
            parameters = [USER] if "$1" in query else []
            assert connection.execute(query, parameters).fetchall() == []


def test_nothing_to_show(url: DatabaseUrl, tmp_path: Path) -> None:
    run = new_run(tmp_path, url)
    with pytest.raises(UsageError, match="no export of all users"):
        run.sync()
    run.extract(window(3))
    run.export(window(3), USER)
    with pytest.raises(UsageError, match="no export of all users"):
        run.sync()
    assert not run.settings.analytics_path.exists()


@pytest.mark.slow
def test_the_newest_export_is_shown(url: DatabaseUrl, tmp_path: Path) -> None:
    run = exported(tmp_path, url, [event()])
    run.sync("table")
    added = [event(timestamp=ago(1)), event(timestamp=ago(2))]
    insert_events(url, added)
    run.extract(window(14))
    stamp = run.export(window(14)).stamp
    record = run.sync("table")
    assert record.stamp == stamp
    with opened(run) as connection:
        shown = connection.execute("SELECT stamp, rows FROM research.exports").fetchall()
        assert shown == [(stamp, 3)]
        count = connection.execute("SELECT count(*) FROM research.behavioral_events").fetchone()
        assert count == (3,)


@pytest.mark.slow
def test_days_of_scores(url: DatabaseUrl, tmp_path: Path) -> None:
    """By UTC day, ended sessions with a score only; both sides of midnight and a leap day's kin."""
    sunday = datetime(2026, 3, 1)
    run = exported(
        tmp_path,
        url,
        [
            event(timestamp=sunday, sessionPerformanceScore=0),
            event(timestamp=sunday + timedelta(hours=23, minutes=59), sessionPerformanceScore=51),
            event(timestamp=sunday - timedelta(milliseconds=1), sessionPerformanceScore=40),
            event(timestamp=sunday, sessionPerformanceScore=None),
            event(timestamp=sunday, sessionPerformanceScore=99, eventType="SESSION_STARTED"),
            event(timestamp=sunday, sessionPerformanceScore=77, userId=OTHER),
            event(timestamp=ago(3), sessionPerformanceScore=None),
        ],
    )
    run.sync()
    with opened(run) as connection:
        described = connection.execute("DESCRIBE research.its_daily").fetchall()
        assert [tuple(row[:2]) for row in described] == [
            ("userId", "VARCHAR"),
            ("day", "DATE"),
            ("mean_score", "DOUBLE"),
            ("day_of_week", "INTEGER"),
            ("mean_hour", "DOUBLE"),
            ("observations", "BIGINT"),
        ]
        found = connection.execute("FROM research.its_daily ORDER BY ALL").fetchall()
        saturday = (sunday - timedelta(days=1)).date()
        assert found == [
            (OTHER, sunday.date(), 77.0, 0, 0.0, 1),
            (USER, saturday, 40.0, 6, 23.0, 1),
            (USER, sunday.date(), 25.5, 0, 11.5, 2),
        ]
        frame = its_daily(connection, USER, start=sunday.date())
        assert frame["mean_score"].tolist() == [25.5]
        assert frame["day"].tolist()[0].date() == sunday.date()
        assert its_daily(connection, USER)["observations"].tolist() == [1, 2]
        assert its_daily(connection, "nobody").empty


def protocol(url: DatabaseUrl, name: str, design: str, start: float, end: float | None) -> None:
    """Add a protocol of `USER` from that many days ago to that many, None for open."""
    until = "NULL" if end is None else f"'{ago(end):%Y-%m-%d %H:%M:%S}'"
    execute(
        url,
        'INSERT INTO public.experiment_protocols (id, "userId", "protocolName", "designType", '
        f"\"startDate\", \"endDate\") VALUES ('{name}', '{USER}', '{name}', '{design}', "
        f"'{ago(start):%Y-%m-%d %H:%M:%S}', {until})",
    )


def observed(run: EventsRun) -> list[tuple]:
    """(protocol, score) of all observations, in order."""
    with opened(run) as connection:
        return connection.execute(
            'SELECT "protocolId", score FROM research.abab_observations ORDER BY ALL'
        ).fetchall()


@pytest.mark.slow
def test_phase_observations_by_protocol(url: DatabaseUrl, tmp_path: Path) -> None:
    protocol(url, "abab", "ABAB", 10, 6)
    protocol(url, "open", "ABAB", 2, None)
    protocol(url, "alternating", "ALTERNATING", 5, 4)
    protocol(url, "overlapping", "ABAB", 8, 7)
    run = exported(
        tmp_path,
        url,
        [
            in_phase("baseline_1", timestamp=ago(10, seconds=1), sessionPerformanceScore=1),
            in_phase("baseline_1", timestamp=ago(10), sessionPerformanceScore=2),
            in_phase("intervention_A_1", timestamp=ago(8), sessionPerformanceScore=3),
            in_phase("baseline_2", timestamp=ago(7), sessionPerformanceScore=4),
            in_phase("baseline_2", timestamp=ago(6), sessionPerformanceScore=5),
            in_phase("intervention_A_2", timestamp=ago(4.5), sessionPerformanceScore=6),
            in_phase("intervention_A_2", timestamp=ago(1), sessionPerformanceScore=7),
            in_phase("baseline_1", timestamp=ago(9), sessionPerformanceScore=8, userId=OTHER),
            in_phase("baseline_1", timestamp=ago(9), sessionPerformanceScore=None),
            event(timestamp=ago(9), sessionPerformanceScore=9),
            in_phase(
                "baseline_1",
                timestamp=ago(9),
                sessionPerformanceScore=10,
                eventType="MISSION_COMPLETED",
            ),
        ],
    )
    run.sync()
    assert observed(run) == [
        ("abab", 2),
        ("abab", 3),
        ("abab", 4),
        ("abab", 10),
        ("open", 7),
        ("overlapping", 3),
        (None, 1),
        (None, 5),
        (None, 8),
    ]
    with opened(run) as connection:
        described = connection.execute("DESCRIBE research.abab_observations").fetchall()
        assert [tuple(row[:2]) for row in described] == [
            ("userId", "VARCHAR"),
            ("protocolId", "VARCHAR"),
            ("timestamp", "TIMESTAMP"),
            ("phase", "VARCHAR"),
            ("score", "INTEGER"),
        ]
        frame = abab_observations(connection, USER, "abab")
        assert frame["score"].tolist() == [2, 10, 3, 4]
        assert frame["timestamp"].tolist()[0].to_pydatetime() == ago(10)
        assert abab_observations(connection, USER)["score"].tolist() == [1, 5]
        assert abab_observations(connection, OTHER)["score"].tolist() == [8]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["never pulled", "no tables", "no rows"])
def test_without_protocols_every_phase_counts(
    url: DatabaseUrl, tmp_path: Path, missing: str
) -> None:
    if missing == "no tables":
        execute(url, "DROP TABLE public.phase_assignments, public.experiment_protocols")
    insert_events(url, [in_phase("baseline_1", sessionPerformanceScore=5), event()])
    run = new_run(tmp_path, url)
    run.extract(window(14))
    if missing != "never pulled":
        run.siblings()
    run.export(window(14))
    assert run.sync().problem is None
    assert observed(run) == [(None, 5)]
    with opened(run) as connection:
        described = connection.execute("DESCRIBE research.experiment_protocols").fetchall()
        assert {row[0]: row[1] for row in described}["startDate"] == "TIMESTAMP"


@pytest.mark.slow
def test_a_folder_of_any_name(url: DatabaseUrl, tmp_path: Path) -> None:
    run = exported(tmp_path / "it's [a] *lock* of 100%", url, shuffled())
    for form in ("view", "table"):
        record = run.sync(form)
        assert record.problem is None
        with opened(run) as connection:
            count = connection.execute("SELECT count(*) FROM research.behavioral_events").fetchone()
            assert count == (30,)
