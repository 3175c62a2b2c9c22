"""Take the cleaned rows of a foreign database into ours: whole filings, in one transaction."""

from datetime import datetime

import duckdb

from outreach_platform.filings.dedupe_rows import remove
from outreach_platform.filings.foreign_values import ACCESSION
from outreach_platform.filings.health_chunks import chunk_flaws
from outreach_platform.filings.model import ACCEPTED_FORMS, KINDS
from outreach_platform.filings.schema import COLUMNS, REQUIRED

# What the imported rows were read by.
IMPORTED = "imported"


def know_ours(connection: duckdb.DuckDBPyConnection, ours: str) -> None:
    """Let foreign rows belong to filings that are registered here alone."""
    named = ", ".join(COLUMNS["filings"])
    connection.execute(
        f"INSERT INTO filings SELECT {named} FROM {ours}.filings o WHERE refused IS NULL "
        "AND accession_number NOT IN (SELECT accession_number FROM filings "
        "WHERE accession_number IS NOT NULL) AND accession_number IN ("
        + " UNION ALL ".join(f"SELECT accession_number FROM {kind}" for kind in KINDS)
        + ")"
    )


def set_aside_unusable(connection: duckdb.DuckDBPyConnection, ours: str) -> None:
    """Remove what no clean-up can place, with the reason."""
    where = {
        ("filings", "its accession number is none"): "accession_number IS NULL OR "
        f"NOT regexp_matches(accession_number, '{ACCESSION}')",
        ("filings", "its form is not known"): "form_type IS NULL",
        ("sections", "its item is not known"): "section_type IS NULL",
        ("sections", "it has no text"): "content_text IS NULL",
        ("footnotes", "it has no text"): "footnote_text IS NULL",
        ("chunks", "it has no text"): "chunk_text IS NULL",
        ("chunks", "its level is not known"): "chunk_level IS NULL",
    }
    for (table, reason), condition in where.items():
        remove(
            connection,
            table,
            f"SELECT rowid AS place FROM {table} WHERE {condition}",
            reason,
            lost=True,
        )
    for table in KINDS:
        remove(
            connection,
            table,
            f"""SELECT t.rowid AS place FROM {table} t JOIN filings f USING (accession_number)
            WHERE f.form_type NOT IN {ACCEPTED_FORMS!r}""",
            "its filing's form is not extracted",
            lost=True,
        )
        remove(
            connection,
            table,
            f"SELECT rowid AS place FROM {table} WHERE accession_number IN (" + " UNION ALL ".join(
                f"SELECT accession_number FROM {ours}.{kind}" for kind in KINDS
            ) + ")",
            "its filing was extracted here",
            lost=False,
        )  # fmt: skip


def infer_forms(connection: duckdb.DuckDBPyConnection) -> int:
    """Say 10-K of a filing without a form that has Item 7 or a later one; returns how many."""
    row = connection.execute(
        """UPDATE filings SET form_type = '10-K' WHERE form_type IS NULL AND accession_number IN (
            SELECT accession_number FROM sections
            WHERE try_cast(regexp_extract(section_type, '\\d+') AS INTEGER) >= 7)"""
    ).fetchone()
    return row[0] if row else 0


def uncovered_filings(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Filings whose chunks do not hold all of their sections' texts."""
    return sorted({place.accession_number for place in chunk_flaws(connection)[0]})


def take_over(
    connection: duckdb.DuckDBPyConnection,
    ours: str,
    *,
    now: datetime,
    uncovered: list[str],
) -> dict[str, int]:
    """Insert the current database's rows into ours, with a status for each kind.

    Args:
        connection: whose current database holds the cleaned rows; `ours` is attached.
        ours: the name of our database.
        now: for rows that are new.
        uncovered: filings whose chunks are to be made anew.

    Returns:
        Rows that were inserted, by table.
    """
    connection.execute("BEGIN TRANSACTION")
    try:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE uncovered AS SELECT unnest(?::VARCHAR[]) AS filing",
            [uncovered],
        )
        counts = {"filings": _insert_filings(connection, ours, now)}
        for kind in KINDS:
            named = ", ".join(COLUMNS[kind])
            counts[kind] = _number(
                connection, f"INSERT INTO {ours}.{kind} ({named}) SELECT {named} FROM {kind}"
            )
            _insert_status(connection, ours, kind, now)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return counts


def _insert_filings(connection: duckdb.DuckDBPyConnection, ours: str, now: datetime) -> int:
    """Register what is not registered; the raw file is not here, and its path is another's."""
    replaced = {
        "local_path": "NULL",
        "download_status": "'pending'",
        "sections_processed": "EXISTS (FROM sections s WHERE s.accession_number = "
        "f.accession_number)",
        "content_hash": "NULL",
        "created_at": "coalesce(created_at, ?)",
        "updated_at": "?",
        "refused": f"CASE WHEN form_type NOT IN {ACCEPTED_FORMS!r} "
        "THEN 'form ' || form_type || ' is not extracted' END",
        "warnings": "CASE WHEN local_path IS NOT NULL THEN "
        "to_json(['the predecessor kept it as ' || local_path]) END",
    }
    columns = COLUMNS["filings"]
    listed = ", ".join(replaced.get(column, column) for column in columns)
    return _number(
        connection,
        f"INSERT INTO {ours}.filings ({', '.join(columns)}) SELECT {listed} FROM filings f "
        f"WHERE accession_number NOT IN (SELECT accession_number FROM {ours}.filings)",
        [now, now],
    )


def _insert_status(
    connection: duckdb.DuckDBPyConnection, ours: str, kind: str, now: datetime
) -> None:
    """Done where rows came; pending where none did, or where chunks leave text out."""
    pending = "coalesce(n.rows, 0) = 0"
    if kind == "chunks":
        pending += " OR f.accession_number IN (FROM uncovered)"
    connection.execute(
        f"""INSERT INTO {ours}.filing_status (accession_number, kind, status, row_count,
            parser_version, error, updated_at)
        SELECT f.accession_number, '{kind}', if({pending}, 'pending', 'done'),
            coalesce(n.rows, 0), '{IMPORTED}', CASE WHEN coalesce(n.rows, 0) = 0
                THEN 'the imported database has none' WHEN {pending}
                THEN 'the imported chunks leave text out' END, ?
        FROM filings f LEFT JOIN (SELECT accession_number, count(*) AS rows FROM {kind} GROUP BY 1)
            n USING (accession_number)
        WHERE f.form_type IN {ACCEPTED_FORMS!r} AND NOT EXISTS (FROM {ours}.filing_status s
            WHERE s.accession_number = f.accession_number AND s.kind = '{kind}')""",
        [now],
    )
    connection.execute(
        f"""UPDATE {ours}.filing_status AS s SET row_count = n.rows, parser_version = '{IMPORTED}',
            content_hash = NULL, error = NULL, updated_at = ?,
            status = if(n.rows > 0 AND NOT ('{kind}' = 'chunks'
                AND s.accession_number IN (FROM uncovered)), 'done', 'pending')
        FROM (SELECT accession_number, count(*) AS rows FROM {kind} GROUP BY 1) n
        WHERE s.kind = '{kind}' AND s.accession_number = n.accession_number""",
        [now],
    )


def missing_values(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows that ours would refuse, by column: there are none after a clean-up."""
    found = {}
    for table in KINDS:
        for column in REQUIRED[table]:
            row = connection.execute(
                f"SELECT count(*) FROM {table} WHERE {column} IS NULL"
            ).fetchone()
            if row and row[0]:
                found[f"{table}.{column}"] = row[0]
    return found


def _number(
    connection: duckdb.DuckDBPyConnection, statement: str, values: list[object] | None = None
) -> int:
    row = connection.execute(statement, values or []).fetchone()
    return row[0] if row else 0
