"""The columns of `filings.duckdb`: one description, from which tables and Parquet types are made.

No foreign keys and no unique indexes are declared: DuckDB refuses to delete and insert a row in one
transaction under them. Integrity is checked instead (`health`).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT, _INT, _REAL, _BOOL = "VARCHAR", "INTEGER", "DOUBLE", "BOOLEAN"
_TIME, _DATE, _JSON = "TIMESTAMP", "DATE", "JSON"

COLUMNS: dict[str, dict[str, str]] = {
    "filings": {
        "accession_number": _TEXT,
        "cik": _TEXT,
        "company_name": _TEXT,
        "ticker": _TEXT,
        "form_type": _TEXT,
        "filing_date": _DATE,
        "period_of_report": _DATE,
        "acceptance_datetime": _TIME,
        "primary_document": _TEXT,
        "edgar_url": _TEXT,
        "local_path": _TEXT,
        "download_status": _TEXT,
        "sections_processed": _BOOL,
        "processing_errors": _JSON,
        "created_at": _TIME,
        "updated_at": _TIME,
        # Ours, behind the agreed ones.
        "filing_year": _INT,
        "content_hash": _TEXT,
        "size": "BIGINT",
        "refused": _TEXT,
        "amends": _TEXT,
        "warnings": _JSON,
    },
    "filing_status": {
        "accession_number": _TEXT,
        "kind": _TEXT,
        "status": _TEXT,
        "row_count": _INT,
        "content_hash": _TEXT,
        "parser_version": _TEXT,
        "error": _TEXT,
        "updated_at": _TIME,
    },
    "sections": {
        "id": _TEXT,
        "accession_number": _TEXT,
        "section_type": _TEXT,
        "section_title": _TEXT,
        "section_number": _TEXT,
        "section_part": _TEXT,
        "content_text": _TEXT,
        "content_html": _TEXT,
        "word_count": _INT,
        "character_count": _INT,
        "paragraph_count": _INT,
        "extraction_confidence": _REAL,
        "extraction_method": _TEXT,
        "contains_tables": _INT,
        "contains_lists": _INT,
        "contains_footnotes": _INT,
        "cross_references": _JSON,
        "heading_hierarchy": _JSON,
        "extraction_issues": _JSON,
        "content_hash": _TEXT,
        "created_at": _TIME,
    },
    "tables": {
        "id": _TEXT,
        "accession_number": _TEXT,
        "section_id": _TEXT,
        "table_name": _TEXT,
        "table_type": _TEXT,
        "table_category": _TEXT,
        "table_index": _INT,
        "table_data": _JSON,
        "headers": _JSON,
        "table_markdown": _TEXT,
        "table_caption": _TEXT,
        "row_count": _INT,
        "column_count": _INT,
        "is_financial_statement": _BOOL,
        "footnote_refs": _JSON,
        "created_at": _TIME,
    },
    "footnotes": {
        "footnote_id": _TEXT,
        "accession_number": _TEXT,
        "section_id": _TEXT,
        "table_id": _TEXT,
        "marker": _TEXT,
        "footnote_text": _TEXT,
        "footnote_type": _TEXT,
        "created_at": _TIME,
    },
    "chunks": {
        "chunk_id": _TEXT,
        "accession_number": _TEXT,
        "section_id": _TEXT,
        "parent_chunk_id": _TEXT,
        "chunk_level": _INT,
        "chunk_index": _INT,
        "chunk_text": _TEXT,
        "token_count": _INT,
        "char_start": _INT,
        "char_end": _INT,
        "heading": _TEXT,
        "section_part": _TEXT,
        "section_type": _TEXT,
        "contains_tables": _BOOL,
        "contains_numbers": _BOOL,
        "created_at": _TIME,
    },
}

# The natural keys, never null and never twice.
KEYS: dict[str, tuple[str, ...]] = {
    "filings": ("accession_number",),
    "filing_status": ("accession_number", "kind"),
    "sections": ("accession_number", "section_part", "section_type"),
    "tables": ("accession_number", "table_index"),
    "footnotes": ("footnote_id",),
    "chunks": (
        *("accession_number", "section_part", "section_type"),
        *("chunk_level", "chunk_index"),
    ),
}
# What else is never null.
REQUIRED: dict[str, tuple[str, ...]] = {
    "filings": ("form_type",),
    "filing_status": ("status",),
    "sections": ("id", "content_text", "content_hash"),
    "tables": ("id", "table_type"),
    "footnotes": ("accession_number", "footnote_text"),
    "chunks": ("chunk_id", "section_id", "chunk_text", "char_start", "char_end"),
}


def create_sql(table: str, name: str | None = None) -> str:
    """The statement that creates a table if it is missing.

    Args:
        table: its name in `COLUMNS`.
        name: another name for it.
    """
    never = {*KEYS[table], *REQUIRED[table]}
    columns = ", ".join(
        f"{column} {kind}{' NOT NULL' if column in never else ''}"
        for column, kind in COLUMNS[table].items()
    )
    return f"CREATE TABLE IF NOT EXISTS {name or table} ({columns})"


def arrow_schema(table: str) -> "pa.Schema":
    """The Arrow types of a table's rows; JSON travels as text."""
    import pyarrow as pa

    types = {
        _TEXT: pa.string(),
        _JSON: pa.string(),
        _INT: pa.int32(),
        "BIGINT": pa.int64(),
        _REAL: pa.float64(),
        _BOOL: pa.bool_(),
        _TIME: pa.timestamp("us"),
        _DATE: pa.date32(),
    }
    return pa.schema([(column, types[kind]) for column, kind in COLUMNS[table].items()])
