"""Write the database anew without its dead space, and swap it in.

DuckDB's DELETE does not shrink the file, and VACUUM does not reclaim.
"""

from datetime import datetime
from pathlib import Path

import duckdb

from outreach_platform.filings.database import STORAGE, open_database
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.lake import Record
from outreach_platform.foundation.warehouse import (
    publish_database,
    quote_identifier,
    quote_text,
)

_OLD = "standing"
_MEMORY = "1GB"


class CompactReport(Record):
    """What a compaction did.

    Attributes:
        at: when, UTC.
        before: bytes of the file.
        after: bytes of the file.
        rows: by table; the same before and after.
    """

    at: datetime
    before: int
    after: int
    rows: dict[str, int]


def compact(path: Path, *, now: datetime) -> CompactReport:
    """Copy a database into a new file and rename that over it.

    Killed at any moment, `path` is the old file or the new one, whole.

    Args:
        path: the file; hold the lock that keeps other runs out.
        now: for the report.

    Raises:
        BusyError: another program has it open.
        IntegrityError: the copy does not hold the same rows; the old file stays.
        OutreachError: it is not there or damaged, or the disk is full; the old file stays.
    """
    if not path.is_file():
        raise OutreachError(f"There is no filings database at {path}: nothing to compact.")
    # Says what is wrong with it, and writes what its log holds into it.
    open_database(path).close()
    before = path.stat().st_size
    rows: dict[str, int] = {}
    publish_database(path, lambda connection: rows.update(_copy(connection, path)), storage=STORAGE)
    return CompactReport(at=now, before=before, after=path.stat().st_size, rows=rows)


def _copy(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, int]:
    """Fill the connection's database from `path`; returns rows by table."""
    for statement in (
        f"SET memory_limit = '{_MEMORY}'",
        "SET enable_progress_bar = false",
        f"ATTACH {quote_text(str(path))} AS {_OLD}",
    ):
        connection.execute(statement)
    (new,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    connection.execute(f"COPY FROM DATABASE {_OLD} TO {quote_identifier(new)}")
    rows = _verified(connection, new, path)
    connection.execute(f"DETACH {_OLD}")
    return rows


def _verified(connection: duckdb.DuckDBPyConnection, new: str, path: Path) -> dict[str, int]:
    names = [_tables(connection, catalog) for catalog in (_OLD, new)]
    if names[0] != names[1]:
        raise IntegrityError(f"the copy of {path} lacks tables; the old file stays, run again")
    rows = {}
    for table in names[0]:
        old, copied = (_content(connection, catalog, table) for catalog in (_OLD, new))
        if old != copied:
            raise IntegrityError(
                f"the copy of {path} holds other rows of {table[1]}; the old file stays: check "
                "the disk and run again"
            )
        rows[table[1]] = old[0]
    return rows


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? "
        "AND NOT temporary ORDER BY ALL",
        [catalog],
    ).fetchall()


def _content(
    connection: duckdb.DuckDBPyConnection, catalog: str, table: tuple[str, str]
) -> tuple[int, int, int]:
    """Rows, and two sums of their hashes, which no order of rows changes."""
    name = ".".join(quote_identifier(part) for part in (catalog, *table))
    row = connection.execute(
        "SELECT count(*), coalesce(bit_xor(hash(t)), 0), coalesce(sum(hash(t)::HUGEINT), 0) "
        f"FROM {name} t"
    ).fetchone()
    assert row is not None
    return row
