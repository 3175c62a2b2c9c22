"""Small filings databases: sections as given, cut and indexed by the product."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings.model import Section, content_hash, section_id
from outreach_platform.filings.parsing.chunks import extract_chunks
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.schema import COLUMNS, create_sql
from outreach_platform.filings.search import build_index


def filing(number: int, **more: Any) -> dict[str, Any]:
    """A row of `filings`."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS["filings"])
    row |= {
        "accession_number": f"{number:010}-24-000001",
        "cik": f"{number:010}",
        "company_name": f"Company {number}",
        "form_type": "10-K",
        "filing_date": date(2024, 2, 1),
        "filing_year": 2024,
        "edgar_url": f"https://www.sec.gov/Archives/edgar/data/{number}/",
    }
    return row | more


def make_database(
    path: Path,
    texts: Mapping[int, Mapping[str, str]],
    filings: Sequence[dict[str, Any]] = (),
    *,
    index: bool = True,
) -> Path:
    """Write a database.

    Args:
        path: the file.
        texts: by filing's number, HTML by section, for example `part_i item_1a`.
        filings: rows of `filings` that differ from `filing(number)`.
        index: whether to build the search index.
    """
    registered = {row["accession_number"]: row for row in map(filing, texts)}
    registered |= {row["accession_number"]: row for row in filings}
    with duckdb.connect(str(path)) as connection:
        for table in COLUMNS:
            connection.execute(create_sql(table))
        for row in registered.values():
            _insert(connection, "filings", row)
        for number, sections in texts.items():
            for key, markup in sections.items():
                _add_section(connection, filing(number)["accession_number"], key, markup)
        if index:
            build_index(connection)
    return path


def _add_section(
    connection: duckdb.DuckDBPyConnection, accession: str, key: str, markup: str
) -> None:
    part, kind = key.split()
    document = read_html(markup)
    section = Section(kind, part, f"Title of {kind}", 0, len(document.text), 1.0, "heading_scan")
    row = dict.fromkeys(COLUMNS["sections"]) | {
        "id": section_id(accession, part, kind),
        "accession_number": accession,
        "section_part": part,
        "section_type": kind,
        "section_title": section.title,
        "content_text": document.text,
        "content_hash": content_hash(document.text),
    }
    _insert(connection, "sections", row)
    for chunk in extract_chunks(document, [section], accession):
        _insert(connection, "chunks", chunk | {"created_at": None})


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
    )
