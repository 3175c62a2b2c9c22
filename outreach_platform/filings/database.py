"""The writer's database: the private file that runs write, opened by one process at a time."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.schema import COLUMNS, create_sql
from outreach_platform.foundation.errors import BusyError, OutreachError, UsageError
from outreach_platform.foundation.lake import writing
from outreach_platform.foundation.warehouse import (
    publish_database,
    quote_identifier,
    quote_text,
)

_logger = logging.getLogger(__name__)
_OPEN_ELSEWHERE = ("Could not set lock on file", "different configuration", "already")
# Each checkpoint packs the last rows of a table anew: one for every few filings doubles the time of
# a merge.
_CHECKPOINT = "1GB"
# The first format that packs long texts: a fifth of the size. DuckDB from 1.2 on reads it.
STORAGE = "v1.2.0"


@contextmanager
def writer(
    folder: FilingFolder,
    *,
    memory_limit: str = "1GB",
    threads: int = 2,
    begin_empty: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the writer's database with all tables and columns of `schema.COLUMNS`.

    A lost file loses nothing: it begins as a copy of the published database.

    Args:
        folder: the wing's paths; hold its lock.
        memory_limit: DuckDB's notation; what exceeds it goes to the spill folder.
        threads: worker threads; for many small statements one takes half the time of two.
        begin_empty: where the file is missing, whatever the published database holds: for the
            import of the predecessor's, which may stand there.

    Raises:
        BusyError: another program has the file open.
        UsageError: only the predecessor's database is there.
        OutreachError: the file is damaged, is no database or not ours, or the disk refuses.
    """
    path = folder.writer
    with writing(path):
        folder.work.mkdir(parents=True, exist_ok=True)
        folder.spill.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _begin(folder, begin_empty)
    config = {
        "memory_limit": memory_limit,
        "threads": threads,
        "temp_directory": str(folder.spill),
        "wal_autocheckpoint": _CHECKPOINT,
        "storage_compatibility_version": STORAGE,
    }
    with closing(open_database(path, config)) as connection:
        for statement in ("SET TimeZone = 'UTC'", "SET enable_progress_bar = false"):
            connection.execute(statement)
        _make_tables(connection, path)
        yield connection


def open_database(
    path: Path, config: dict[str, str | int] | None = None, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, saying in a sentence what is wrong with it.

    Raises:
        BusyError: another program has it open.
        OutreachError: it is damaged, no database, or of another DuckDB.
    """
    settings = {"autoinstall_known_extensions": False, **(config or {})}
    try:
        return duckdb.connect(str(path), read_only=read_only, config=settings)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
    # The path is somebody's own choice and may hold any word.
    said = reason.replace(str(path), "")
    if any(sign in said for sign in _OPEN_ELSEWHERE):
        raise BusyError(f"{path} is open in another program: close it there and run again")
    if "No space left" in said:
        raise OutreachError(
            f"{path} cannot be written: the disk is full; free some space and run again"
        )
    raise OutreachError(
        f"{path} cannot be opened as a DuckDB database ({reason}): move it away together with "
        f"{path.name}.wal and run again; what the other database of the wing holds is taken over"
    )


def tables_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, dict[str, str]]:
    """Types by column by table of a catalog's main schema."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = 'main' AND NOT internal "
        "AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE database_name = ?)",
        [catalog, catalog],
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def is_predecessors(tables: dict[str, dict[str, str]]) -> bool:
    """Whether tables are those of the predecessor: it had one flag instead of a status by kind."""
    return "filing_status" not in tables and bool({"filings", "sections"} & tables.keys())


def _begin(folder: FilingFolder, empty: bool) -> None:
    """Make the writer's file from the published one, where there is one."""
    log = folder.writer.with_name(f"{folder.writer.name}.wal")
    if log.exists():
        aside = log.with_name(f"{log.name}.lost")
        log.replace(aside)
        _logger.warning("moved %s to %s: its database is gone", log, aside.name)
    if empty or not folder.published.is_file():
        return
    open_database(folder.published, read_only=True).close()  # says what is wrong with it
    publish_database(
        folder.writer,
        lambda connection: _take_over(connection, folder.published),
        storage=STORAGE,
    )
    _logger.warning("%s was missing: began with a copy of %s", folder.writer, folder.published)


def _take_over(connection: duckdb.DuckDBPyConnection, published: Path) -> None:
    connection.execute(f"ATTACH {quote_text(str(published))} AS published (READ_ONLY)")
    standing = tables_of(connection, "published")
    if is_predecessors(standing):
        raise UsageError(
            f"{published} is the predecessor's database: `outreach filings dedupe {published}` "
            "takes it over and cleans it, with --dry-run it shows first what it would do"
        )
    for table, columns in COLUMNS.items():
        connection.execute(create_sql(table))
        common = [quote_identifier(c) for c in columns if c in standing.get(table, {})]
        if common:
            listed = ", ".join(common)
            connection.execute(
                f"INSERT INTO {table} ({listed}) SELECT {listed} FROM published.main.{table}"
            )
    connection.execute("DETACH published")


def _make_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create what is missing; other columns than ours are left alone.

    Raises:
        OutreachError: a table of our name is of another make.
    """
    (catalog,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    standing = tables_of(connection, catalog)
    if is_predecessors(standing):
        raise UsageError(
            f"{path} holds the predecessor's tables: move it out of the folder and run "
            "`outreach filings dedupe` with its new path"
        )
    for table, columns in COLUMNS.items():
        connection.execute(create_sql(table))
        for column, kind in columns.items():
            there = standing.get(table, columns).get(column)
            if there is None:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            elif there != kind:
                raise OutreachError(
                    f"{path} is not the filings wing's: column {table}.{column} is {there} instead "
                    f"of {kind}; move it away and run again"
                )
