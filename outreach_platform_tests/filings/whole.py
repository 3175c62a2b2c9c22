"""A small filings database without a flaw, for tests that plant one."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings import model
from outreach_platform.filings.health import VIEW_SQL
from outreach_platform.filings.model import KINDS, PARSER_VERSION, accession_year
from outreach_platform.filings.schema import COLUMNS, arrow_schema, create_sql

FIRST, SECOND, REFUSED = "0000000001-23-000001", "0000000001-24-000002", "0000000002-24-000003"
CREATED = datetime(2024, 2, 1)
# Characters beyond the first plane, combining ones and clusters: offsets count code points.
TEXT = (
    "Item 1A. Risk Factors\n\nOur “supply” chain 😀 may break, and cafe\u0301s close.\n\n"
    "A family 👨‍👩‍👧 is one sign and five code points.\u00a0\n\n"
)
ITEMS = (("part_i", "item_1"), ("part_i", "item_1a"), ("part_ii", "item_7"))


def whole_database(path: Path, accessions: Sequence[str] = (FIRST, SECOND)) -> Path:
    """Make a database of whole filings, each with three sections, and one refused filing."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS}
    for accession in accessions:
        for table, found in filing_rows(accession).items():
            rows[table] += found
    rows["filings"].append(
        {"accession_number": REFUSED, "form_type": "8-K", "refused": "form 8-K is not extracted"}
    )
    with closing(duckdb.connect(str(path))) as connection:
        for table in COLUMNS:
            connection.execute(create_sql(table))
            insert(connection, table, rows[table])
        connection.execute(VIEW_SQL)
    return path


def insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Insert rows; columns that are missing in them are null."""
    import pyarrow as pa

    schema = arrow_schema(table)
    complete = [{name: row.get(name) for name in schema.names} for row in rows]
    connection.register("rows_to_insert", pa.Table.from_pylist(complete, schema))
    connection.execute(f"INSERT INTO {table} FROM rows_to_insert")
    connection.unregister("rows_to_insert")


def filing_rows(accession: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of a filing by table."""
    sections = [section_row(accession, part, item) for part, item in ITEMS]
    tables = [table_row(accession, n, sections[2]["id"]) for n in range(2)]
    notes = [footnote_row(accession, tables[0]["id"], "(1)", n) for n in range(2)]
    notes.append(footnote_row(accession, sections[1]["id"], "*", 0, on_table=False))
    chunks = [chunk for section in sections for chunk in chunk_rows(section)]
    rows = {
        "filings": [
            {
                "accession_number": accession,
                "cik": accession[:10],
                "form_type": "10-K",
                "filing_date": date(accession_year(accession), 2, 1),
                "filing_year": accession_year(accession),
                "created_at": CREATED,
            }
        ],
        "sections": sections,
        "tables": tables,
        "footnotes": notes,
        "chunks": chunks,
    }
    rows["filing_status"] = [
        {
            "accession_number": accession,
            "kind": kind,
            "status": "done",
            "row_count": len(rows[kind]),
            "parser_version": PARSER_VERSION,
            "updated_at": CREATED,
        }
        for kind in KINDS
    ]
    return rows


def section_row(accession: str, part: str, item: str, text: str | None = None) -> dict[str, Any]:
    """A section; its text names the item, so that no two are equal."""
    text = f"{TEXT}{item} of {accession}.\n" if text is None else text
    return {
        "id": model.section_id(accession, part, item),
        "accession_number": accession,
        "section_type": item,
        "section_title": "Risk Factors",
        "section_number": item.removeprefix("item_").upper(),
        "section_part": part,
        "content_text": text,
        "content_html": f"<p>{text}</p>",
        "character_count": len(text),
        "extraction_confidence": 0.9,
        "extraction_method": "heading_scan",
        "extraction_issues": "[]",
        "content_hash": model.content_hash(text),
        "created_at": CREATED,
    }


def table_row(accession: str, index: int, section: str | None) -> dict[str, Any]:
    """A table of two rows."""
    return {
        "id": model.table_id(accession, index),
        "accession_number": accession,
        "section_id": section,
        "table_type": "financial",
        "table_index": index,
        "table_data": f'[["Revenue", "{index}"], ["Cost", "2"]]',
        "table_markdown": f"| Revenue | {index} |",
        "row_count": 2,
        "column_count": 2,
        "created_at": CREATED,
    }


def footnote_row(
    accession: str, place: str, marker: str, occurrence: int, *, on_table: bool = True
) -> dict[str, Any]:
    """A footnote of a table, or of a section."""
    return {
        "footnote_id": model.footnote_id(accession, place, marker, occurrence),
        "accession_number": accession,
        "table_id": place if on_table else None,
        "section_id": None if on_table else place,
        "marker": marker,
        "footnote_text": f"Note number {occurrence} of {marker}.",
        "footnote_type": "table" if on_table else "section",
        "created_at": CREATED,
    }


def chunk_rows(section: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole section, and its paragraphs as topics, with white space between them left out."""
    text, rows = (
        section["content_text"],
        [chunk_row(section, 1, 0, 0, len(section["content_text"]))],
    )
    start = 0
    for index, piece in enumerate(text.split("\n\n")):
        rows.append(chunk_row(section, 2, index, start, start + len(piece)))
        start += len(piece) + 2
    return rows


def chunk_row(
    section: dict[str, Any], level: int, index: int, start: int, end: int
) -> dict[str, Any]:
    """A chunk of a section."""
    key = [section[name] for name in ("accession_number", "section_part", "section_type")]
    return {
        "chunk_id": model.chunk_id(*key, level, index),
        "accession_number": key[0],
        "section_id": section["id"],
        "parent_chunk_id": None if level == 1 else model.chunk_id(*key, 1, 0),
        "chunk_level": level,
        "chunk_index": index,
        "chunk_text": section["content_text"][start:end],
        "token_count": (end - start) // 4,
        "char_start": start,
        "char_end": end,
        "section_part": key[1],
        "section_type": key[2],
        "created_at": CREATED,
    }
