"""The bookkeeping of a clean-up: which rows go, why, and where they are kept aside.

All steps work on the tables of the connection's current database, inside its transaction, with
temporary tables beside them.
"""

from collections.abc import Sequence

import duckdb

from outreach_platform.foundation.lake import Record

# The order in which tables are cleaned: what children hang on comes first.
CLEANED = ("filings", "filing_status", "sections", "tables", "footnotes", "chunks")
ID = {"sections": "id", "tables": "id", "footnotes": "footnote_id", "chunks": "chunk_id"}
_EXAMPLES = 2000


class Removal(Record):
    """A row that goes.

    Attributes:
        table: it stands in.
        accession_number: of its filing.
        row: its id, else what identifies it.
        reason: why.
        lost: whether its content stands nowhere else in the database.
    """

    table: str
    accession_number: str | None
    row: str
    reason: str
    lost: bool


def begin(connection: duckdb.DuckDBPyConnection, *, aside: bool) -> None:
    """Make the temporary tables.

    Args:
        connection: whose current database is cleaned.
        aside: keep rows whose content stands nowhere else in temporary tables `aside_*`.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone (table_name VARCHAR, place BIGINT, "
        "accession_number VARCHAR, named VARCHAR, reason VARCHAR, lost BOOLEAN)"
    )
    for table in CLEANED:
        connection.execute(f"DROP TABLE IF EXISTS temp.aside_{table}")
        if aside:
            connection.execute(
                f"CREATE TEMP TABLE aside_{table} AS SELECT *, ''::VARCHAR AS reason "
                f"FROM {table} LIMIT 0"
            )


def remove(
    connection: duckdb.DuckDBPyConnection, table: str, places: str, reason: str, *, lost: bool
) -> int:
    """Remove rows and note them.

    Args:
        connection: see the module.
        table: the rows' table.
        places: a query for the row ids, which DuckDB calls `rowid`, in a column `place`.
        reason: why they go.
        lost: whether their content stands nowhere else.

    Returns:
        How many.
    """
    named = ID.get(table, "accession_number")
    connection.execute(
        f"INSERT INTO gone SELECT '{table}', t.rowid, t.accession_number, t.{named}, ?, ? "
        f"FROM {table} t WHERE t.rowid IN (SELECT place FROM ({places}))",
        [reason, lost],
    )
    chosen = f"(SELECT place FROM gone WHERE table_name = '{table}' AND reason = ?)"
    kept = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = ? AND temporary", [f"aside_{table}"]
    ).fetchone()
    if lost and kept:
        connection.execute(
            f"INSERT INTO aside_{table} SELECT *, ? FROM {table} WHERE rowid IN {chosen}",
            [reason, reason],
        )
    return changed(connection, f"DELETE FROM {table} WHERE rowid IN {chosen}", [reason])


def changed(
    connection: duckdb.DuckDBPyConnection, statement: str, values: Sequence[object] = ()
) -> int:
    """Run a statement that changes rows; returns how many."""
    row = connection.execute(statement, list(values)).fetchone()
    return int(row[0]) if row else 0


def removals(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], list[Removal]]:
    """What went: numbers by table and reason, and the rows, lost ones first, at most 2,000."""
    counts = connection.execute(
        "SELECT table_name || ': ' || reason, count(*) FROM gone GROUP BY 1 ORDER BY 1"
    ).fetchall()
    rows = connection.execute(
        "SELECT table_name, accession_number, coalesce(named, ''), reason, lost FROM gone "
        f"ORDER BY lost DESC, list_position({list(CLEANED)!r}, table_name), 2, 3, 4 "
        f"LIMIT {_EXAMPLES}"
    ).fetchall()
    return dict(counts), [
        Removal(table=table, accession_number=accession, row=named, reason=reason, lost=lost)
        for table, accession, named, reason, lost in rows
    ]
