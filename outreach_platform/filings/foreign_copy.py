"""Copy a foreign database's tables into ours, column by column, whatever their types.

Nothing is judged here: a value that does not fit its column becomes null, a row stays.
"""

import duckdb

from outreach_platform.filings.foreign_html import FOREIGN, copy_html
from outreach_platform.filings.foreign_values import (
    ACCESSION,
    accession_sql,
    cast_sql,
    form_sql,
    item_sql,
    level_sql,
    part_sql,
)
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.warehouse import quote_identifier

# The predecessor's other names for a column.
_OTHER_NAMES = {
    ("footnotes", "footnote_id"): ("id",),
    ("chunks", "chunk_id"): ("id",),
    ("sections", "id"): ("section_id",),
    ("tables", "id"): ("table_id",),
}
_OWN = {
    "accession_number": accession_sql,
    "section_type": item_sql,
    "section_part": part_sql,
    "chunk_level": level_sql,
    "form_type": form_sql,
    "cik": lambda column: (
        f"lpad(nullif(regexp_replace({column}::VARCHAR, '\\D', '', 'g'), ''), 10, '0')"
    ),
}


def copy_tables(
    connection: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, str]]
) -> dict[str, int]:
    """Fill the current database from the attached `FOREIGN`.

    Args:
        connection: whose current database is empty.
        tables: of the foreign database: types by column by table.

    Returns:
        Rows by table of the source.
    """
    counts = {}
    for table in COLUMNS:
        columns = tables.get(table, {}) if table != "filing_status" else {}
        listed = ", ".join(
            f"{_expression(table, column, kind, columns)} AS {column}"
            for column, kind in COLUMNS[table].items()
        )
        if not columns:
            connection.execute(f"CREATE TABLE {table} AS SELECT {listed} LIMIT 0")
            continue
        source = f"{FOREIGN}.main.{quote_identifier(table)} s"
        connection.execute(f"CREATE TABLE {table} AS SELECT {listed} FROM {source} ORDER BY rowid")
        counts[table] = _count(connection, table)
    _complete(connection)
    if "content_html" in tables.get("sections", {}):
        copy_html(connection)
    return counts


def _expression(table: str, column: str, kind: str, columns: dict[str, str]) -> str:
    name = next((n for n in (column, *_OTHER_NAMES.get((table, column), ())) if n in columns), None)
    if name is None:
        return f"NULL::{kind}"
    source = f"s.{quote_identifier(name)}"
    if (table, column) == ("sections", "content_html"):
        return "NULL::VARCHAR"  # comes afterwards, in pieces
    own = _OWN.get(column)
    return f"({own(source)})::{kind}" if own else cast_sql(source, columns[name], kind)


def _complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill what ours always has and follows from the rest."""
    for statement in (
        f"""UPDATE filings SET filing_year = coalesce(year(filing_date),
            CASE WHEN regexp_matches(accession_number, '{ACCESSION}')
            THEN accession_number[12:13]::INTEGER
                + if(accession_number[12:13]::INTEGER >= 90, 1900, 2000) END)""",
        """UPDATE sections SET content_hash = sha256(content_text),
            section_number = coalesce(section_number, upper(substring(section_type, 6))),
            character_count = length(content_text),
            word_count = coalesce(word_count, len(regexp_extract_all(content_text, '\\S+')))""",
        "UPDATE tables SET table_type = coalesce(table_type, 'other')",
        "UPDATE footnotes SET marker = coalesce(marker, '')",
    ):
        connection.execute(statement)


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return row[0] if row else 0
