"""How whole the database is: counts by kind, twins, orphans, failures, chunks that do not cover.

`read_health` counts; `verdicts` and `problems` judge what was counted.
"""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings.database import open_database
from outreach_platform.filings.health_chunks import chunk_flaws
from outreach_platform.filings.health_records import Coverage, Failure, Gap, Health
from outreach_platform.filings.health_sql import (
    COUNTS_SQL,
    COVERAGE_SQL,
    GAPS_SQL,
    IDS,
    ORPHANS,
    UNSTABLE_SQL,
    VIEW_SQL,
    orphans_sql,
    surplus_sql,
)
from outreach_platform.filings.health_verdicts import Verdict, problems, verdicts
from outreach_platform.filings.model import PARSER_VERSION
from outreach_platform.filings.schema import COLUMNS, KEYS
from outreach_platform.foundation.errors import OutreachError

__all__ = ["VIEW_SQL", "Health", "Verdict", "count_health", "problems", "read_health", "verdicts"]

# So many examples are kept of what may go wrong a million times.
EXAMPLES = 20


def read_health(path: Path) -> Health:
    """Count what stands in a database file, without changing it.

    Raises:
        BusyError: another program writes it.
        OutreachError: it is not there, is damaged, or has not the tables of `schema.COLUMNS`.
    """
    if not path.is_file():
        raise OutreachError(
            f"There is no filings database at {path}; register filings with `outreach filings "
            "add`, then run `outreach filings extract`."
        )
    # What does not fit into memory must not go beside the file, whose folder may be read-only.
    with tempfile.TemporaryDirectory(prefix="outreach-health-") as spill:
        config: dict[str, str | int] = {"memory_limit": "1GB", "temp_directory": spill}
        with closing(open_database(path, config, read_only=True)) as connection:
            connection.execute("SET enable_progress_bar = false")
            return count_health(connection, path)


def count_health(connection: duckdb.DuckDBPyConnection, path: Path) -> Health:
    """Count what stands in an open database.

    Args:
        connection: whose current database it is.
        path: its file, for the record.

    Raises:
        OutreachError: it has not the tables of `schema.COLUMNS`.
    """
    require_tables(connection, path)
    most = _most_footnotes(connection)
    uncovered, unresolved = chunk_flaws(connection)
    gaps = [Gap(**row) for row in rows_of(connection, GAPS_SQL)]
    return Health(
        path=str(path),
        **rows_of(connection, COUNTS_SQL)[0],
        db_size=_size(connection),
        coverage=[Coverage(**row) for row in rows_of(connection, COVERAGE_SQL)],
        pending=_by_kind(gaps, "pending"),
        failures=_failures(connection),
        gaps=gaps,
        refused=_refused(connection),
        duplicates_by=_duplicates_by(connection),
        orphans_by=_present({name: _number(connection, orphans_sql(name)) for name in ORPHANS}),
        most_footnotes=most[1],
        most_footnotes_in=most[0],
        uncovered=len({place.model_dump_json(exclude={"reason"}) for place in uncovered}),
        uncovered_examples=uncovered[:EXAMPLES],
        unresolved=len(unresolved),
        unresolved_examples=unresolved[:EXAMPLES],
        unstable_ids=_present(
            {table: _number(connection, sql) for table, sql in UNSTABLE_SQL.items()}
        ),
        stale=_stale(connection),
    )


def require_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a database without our tables and columns.

    Raises:
        OutreachError: names what is missing.
    """
    found = {
        (row["table_name"], row["column_name"])
        for row in rows_of(
            connection,
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = current_schema()",
        )
    }
    missing = [
        f"{table}.{column}"
        for table, columns in COLUMNS.items()
        for column in columns
        if (table, column) not in found
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise OutreachError(
            f"{path} is no database of this filings wing: it lacks {shown}; bring a foreign "
            "database in with `outreach filings dedupe FILE`."
        )


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """A query's rows by column name."""
    done = connection.execute(sql)
    names = [column[0] for column in done.description or []]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _present(numbers: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if number}


def _by_kind(gaps: list[Gap], reason: str) -> dict[str, int]:
    counted: dict[str, int] = {}
    for gap in gaps:
        if gap.reason == reason:
            counted[gap.kind] = counted.get(gap.kind, 0) + 1
    return counted


def _size(connection: duckdb.DuckDBPyConnection) -> int:
    return _number(
        connection,
        "SELECT if(block_size > 0, 12288 + block_size * total_blocks, 0) "
        "FROM pragma_database_size() WHERE database_name = current_database()",
    )


def _failures(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    rows = rows_of(
        connection,
        "SELECT accession_number, kind, coalesce(error, 'no reason was recorded') AS error "
        "FROM filing_status WHERE status = 'failed' ORDER BY ALL",
    )
    return [Failure(**row) for row in rows]


def _refused(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT refused, count(*) FROM filings WHERE refused IS NOT NULL GROUP BY 1 "
        "ORDER BY 2 DESC, 1"
    )
    return dict(rows.fetchall())


def _duplicates_by(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    keys = {f"{table} by {', '.join(key)}": surplus_sql(table, key) for table, key in KEYS.items()}
    for table, column in IDS.items():
        if KEYS[table] != (column,):
            keys[f"{table} by {column}"] = surplus_sql(table, (column,))
    return _present({name: _number(connection, sql) for name, sql in keys.items()})


def _most_footnotes(connection: duckdb.DuckDBPyConnection) -> tuple[str | None, int]:
    row = connection.execute(
        "SELECT accession_number, count(*) AS n FROM footnotes GROUP BY 1 ORDER BY n DESC, 1"
    ).fetchone()
    return (row[0], int(row[1])) if row else (None, 0)


def _stale(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT kind, count(*) FROM filing_status WHERE status IN ('done', 'empty') "
        "AND parser_version IS DISTINCT FROM ? GROUP BY 1 ORDER BY 1",
        [PARSER_VERSION],
    )
    return dict(rows.fetchall())
