"""One filing, from its bytes to all rows: the order of the steps, and the rows of `sections`.

The same bytes and register entry give the same rows, in any process, at any time: nothing here
reads a clock, a database or the network.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

from outreach_platform.filings.model import (
    Extract,
    FilingMeta,
    Section,
    content_hash,
    section_id,
)
from outreach_platform.filings.parsing.chunks import extract_chunks
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.footnotes import extract_footnotes
from outreach_platform.filings.parsing.marks import marks_of
from outreach_platform.filings.parsing.pointers import Exhibits
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.second_opinion import second_opinion
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform.filings.parsing.submission import open_submission
from outreach_platform.filings.parsing.tables import extract_tables

_BULLET = re.compile(
    r"^(?:[•●▪◦■○‣·\u2013\u2014*-]\s|\([a-z0-9]{1,3}\)\s|[a-z0-9]{1,2}[.)]\s)", re.I
)
_PARAGRAPH = re.compile(r"\n\s*\n")
_HIERARCHY = 200


def extract_filing(raw: bytes, meta: FilingMeta) -> Extract:
    """All rows of a filing.

    Args:
        raw: the file as it is stored, packed or not.
        meta: its register entry.

    Returns:
        Rows of all four kinds with the columns of `schema.COLUMNS`.

    Raises:
        UnreadableFilingError: the file is no filing, or none that can be read.
    """
    submission = open_submission(raw, meta.local_path or meta.accession_number)
    document = read_document(submission.main.text)
    second = second_opinion(submission.main.text, meta.form_type)
    sections = find_sections(document, meta.form_type, meta.year, second=second)
    accession = meta.accession_number
    tables = extract_tables(document, sections, accession)
    footnotes = extract_footnotes(document, sections, tables, accession)
    chunks = extract_chunks(document, sections, accession)
    rows = section_rows(document, sections, meta, Exhibits(submission.documents))
    _tell_children(rows, tables, footnotes, chunks)
    extract = Extract(accession, notes=list(document.notes))
    extract.rows = {
        "sections": rows,
        "tables": tables,
        "footnotes": footnotes,
        "chunks": chunks,
    }
    filed = created_at(meta)
    for kind in extract.rows.values():
        for row in kind:
            row["created_at"] = filed
    return extract


def created_at(meta: FilingMeta) -> datetime | None:
    """When the content came to be: the acceptance, else the filing date; never our clock.

    Rows of the same filing are then equal whenever and wherever they are made.
    """
    if meta.acceptance_datetime is not None:
        return meta.acceptance_datetime
    if meta.filing_date is None:
        return None
    return datetime.combine(meta.filing_date, time(), UTC).replace(tzinfo=None)


def section_rows(
    document: Document, sections: Sequence[Section], meta: FilingMeta, exhibits: Exhibits
) -> list[dict[str, Any]]:
    """The rows of `sections`, without what tables, footnotes and chunks tell of them."""
    return [_section_row(document, section, meta, exhibits) for section in sections]


def _section_row(
    document: Document, section: Section, meta: FilingMeta, exhibits: Exhibits
) -> dict[str, Any]:
    text = document.text[section.start : section.end]
    kind, form = section.section_type, meta.form_type
    marks, references = marks_of(text, section.title, kind, form)
    references = exhibits.located(references, kind, form, meta.year)
    return {
        "id": section_id(meta.accession_number, section.section_part, section.section_type),
        "accession_number": meta.accession_number,
        "section_type": section.section_type,
        "section_title": " ".join(section.title.split()) or None,
        "section_number": section.number,
        "section_part": section.section_part,
        "content_text": text,
        "content_html": document.slice_html(section.start, section.end) or None,
        "word_count": len(text.split()),
        "character_count": len(text),
        "paragraph_count": sum(1 for part in _PARAGRAPH.split(text) if part.strip()),
        "extraction_confidence": round(section.confidence, 4),
        "extraction_method": section.method,
        "contains_tables": 0,
        "contains_lists": sum(1 for line in text.splitlines() if _BULLET.match(line)),
        "contains_footnotes": 0,
        "cross_references": _json([*section.cross_references, *references]),
        "heading_hierarchy": None,
        "extraction_issues": _json([*section.issues, *marks]),
        "content_hash": content_hash(text),
    }


def _tell_children(
    sections: list[dict[str, Any]],
    tables: list[dict[str, Any]],
    footnotes: list[dict[str, Any]],
    chunks: list[dict[str, Any]],
) -> None:
    """Count tables and footnotes of each section, and list its sub-headings."""
    tabled = Counter(table["section_id"] for table in tables)
    noted = Counter(note["section_id"] for note in footnotes)
    headings: dict[str, dict[str, None]] = {}
    for chunk in chunks:
        if chunk["chunk_level"] != 1 and chunk["heading"]:
            headings.setdefault(chunk["section_id"], {})[chunk["heading"]] = None
    for row in sections:
        row["contains_tables"] = tabled[row["id"]]
        row["contains_footnotes"] = noted[row["id"]]
        found = list(headings.get(row["id"], {}))[:_HIERARCHY]
        row["heading_hierarchy"] = _json([row["section_title"] or row["section_number"], *found])


def _json(value: list[Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
