"""The research database: schema `research`, built aside and swapped.

A reader is never blocked and never sees half. Whatever else somebody keeps in the file is carried
over; only the objects of `research_sql.OURS` are replaced.
"""

import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb

from outreach_platform.events import research_sql
from outreach_platform.events.experiments import TABLES, siblings_sql
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import ExportManifest, SyncRecord
from outreach_platform.events.research_file import Present, held
from outreach_platform.events.research_sql import EVENTS, EXPORTS, OURS, SCHEMA
from outreach_platform.foundation.errors import IntegrityError, OutreachError, UsageError
from outreach_platform.foundation.lake import stands, write_record
from outreach_platform.foundation.warehouse import publish_database, quote_identifier, quote_text

Form = Literal["auto", "view", "table"]
_PROBES = 20
_PERCENTILE = 0.95


def sync(
    folder: EventFolder,
    database: Path,
    *,
    form: Form,
    slow_query_ms: float,
    memory_limit: str,
    threads: int,
    run_id: str,
) -> SyncRecord:
    """Let the research database show the newest export; a failure is recorded, not raised.

    Args:
        folder: where exports stand.
        database: the DuckDB file.
        form: `view` on the export, `table` ordered by time with three indexes, or `auto`: a view
            unless the standing queries are slow on it.
        slow_query_ms: p95 in milliseconds from which `auto` makes a table.
        memory_limit: of the building DuckDB, in its notation.
        threads: of the building DuckDB.
        run_id: the run.

    Raises:
        UsageError: there is no export to show.
    """
    export = folder.newest()
    if export is None:
        raise UsageError(
            "there is no export of all users to build the research database from: run "
            "`outreach events` first"
        )
    build = _Build(folder, export, form, slow_query_ms, memory_limit, threads)
    problem = aside = None
    try:
        _check_export(folder, export)
        # Where a link leads is where the file stands; the link itself is not ours to replace.
        with held(database.resolve()) as present:
            aside = present.set_aside
            _publish(database.resolve(), build, present)
    except (OutreachError, duckdb.Error, OSError) as error:
        problem = str(error).strip().splitlines()[0]
    record = SyncRecord(
        stamp=None if problem else export.stamp,
        form=None if problem else build.made,
        database=str(database),
        problem=problem,
        slowest_ms=build.slowest_ms,
        set_aside=str(aside) if aside else None,
        synced_at=datetime.now(UTC),
        run_id=run_id,
    )
    write_record(folder.synced, record)
    return record


def _check_export(folder: EventFolder, export: ExportManifest) -> None:
    if not stands(folder.data_dir, export.file):
        raise IntegrityError(
            f"{folder.export(export.stamp)} is gone or not the file that was written; run "
            "`outreach events` for a new export"
        )


def _publish(database: Path, build: "_Build", present: Present) -> None:
    """Build the new file, and let it take its place unless somebody wrote to the present one."""

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        build(connection)
        present.require_unchanged()

    publish_database(database, fill, start_from=present.start_from)


class _Build:
    """Makes the objects of the schema in a database; tells afterwards which form they took."""

    def __init__(
        self,
        folder: EventFolder,
        export: ExportManifest,
        form: Form,
        slow_query_ms: float,
        memory_limit: str,
        threads: int,
    ) -> None:
        self.made: Literal["view", "table"] = "table" if form == "table" else "view"
        self.slowest_ms: float | None = None
        self._folder = folder
        self._export = export
        self._form = form
        self._slow_query_ms = slow_query_ms
        self._limits = (memory_limit, threads)

    def __call__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Replace what is ours."""
        memory, threads = self._limits
        connection.execute(f"SET memory_limit = {quote_text(memory)}")
        connection.execute(f"SET threads = {threads}")
        # Named as `warehouse.bulk_engine` names its own, which removes those of killed processes.
        spill = self._folder.spill / f"duckdb-{os.getpid()}-research"
        connection.execute(f"SET temp_directory = {quote_text(str(spill))}")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        _drop_ours(connection)
        for name in TABLES:
            connection.execute(
                f"CREATE TABLE {SCHEMA}.{name} AS {siblings_sql(self._folder, name)}"
            )
        path = self._folder.export(self._export.stamp)
        self._events(connection, path)
        if self._form == "auto":
            self._choose(connection, path)
        self._describe(connection, path)

    def _choose(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Make a table where the view is slow."""
        self.slowest_ms = slowest_query_ms(connection, self._slow_query_ms)
        if self.slowest_ms <= self._slow_query_ms:
            return
        self.made = "table"
        for name in ("abab_observations", "its_daily", "behavioral_events"):
            connection.execute(f"DROP VIEW {SCHEMA}.{name}")
        self._events(connection, path)

    def _events(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Make the events in the form chosen so far, and the views on them."""
        if self.made == "table":
            self._table(connection, path)
        else:
            connection.execute(research_sql.events_view(path))
        connection.execute(research_sql.ITS_DAILY)
        connection.execute(research_sql.ABAB_OBSERVATIONS)

    def _table(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        connection.execute(research_sql.events_table(path))
        for statement in research_sql.INDEXES:
            connection.execute(statement)

    def _describe(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        export = self._export
        connection.execute(
            f"CREATE TABLE {EXPORTS} (stamp VARCHAR, path VARCHAR, sha256 VARCHAR, rows BIGINT, "
            "window_start DATE, window_end DATE, validation VARCHAR, rules_version VARCHAR, "
            "source VARCHAR, form VARCHAR, synced_at TIMESTAMP)"
        )
        connection.execute(
            f"INSERT INTO {EXPORTS} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(export.stamp, str(path), export.file.sha256, export.file.rows),
                *(export.window.start, export.window.end, export.validation),
                *(export.rules_version, export.source, self.made),
                datetime.now(UTC).replace(tzinfo=None),
            ],
        )


def _drop_ours(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ? "
        "AND table_catalog = current_database()",
        [SCHEMA],
    ).fetchall()
    for name, kind in sorted(found, key=lambda row: row[1] != "VIEW"):
        if name in OURS:
            what = "VIEW" if kind == "VIEW" else "TABLE"
            connection.execute(f"DROP {what} {SCHEMA}.{quote_identifier(name)}")
    # Frees their blocks for the new ones; otherwise the file is twice as large.
    connection.execute("CHECKPOINT")


def slowest_query_ms(connection: duckdb.DuckDBPyConnection, enough: float) -> float:
    """p95 in milliseconds of the slowest standing query, for the user with the most events.

    Args:
        connection: a research database.
        enough: a query whose first, cold run stays below it is not run again.
    """
    busiest = connection.execute(
        f'SELECT "userId" FROM {EVENTS} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1'
    ).fetchone()
    user = busiest[0] if busiest else ""
    slowest = 0.0
    for query in research_sql.STANDING_QUERIES.values():
        parameters = [user] if "$1" in query else []
        taken = [_milliseconds(connection, query, parameters)]
        if taken[0] > enough:
            taken = [_milliseconds(connection, query, parameters) for _ in range(_PROBES)]
        slowest = max(slowest, sorted(taken)[math.ceil(_PERCENTILE * len(taken)) - 1])
    return slowest


def _milliseconds(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[str]
) -> float:
    started = time.perf_counter()
    connection.execute(query, parameters).fetchall()
    return (time.perf_counter() - started) * 1000
