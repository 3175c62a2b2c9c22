"""Filings made of a few words, rows for them, and extractors that worker processes import.

A filing's bytes are a JSON object that says how its extraction goes: `sections`, `tables`,
`footnotes` and `chunks` a section, or what harm it does to its worker.
"""

import ctypes
import gzip
import hashlib
import json
import os
import signal
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings import staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import (
    KINDS,
    Extract,
    FilingMeta,
    Kind,
    chunk_id,
    content_hash,
    footnote_id,
    section_id,
    table_id,
)
from outreach_platform.filings.plan import PlannedFiling

EXTRACTOR = "outreach_platform_tests.support.filing_rows:extract"
FILED = datetime(2021, 2, 25, 16, 30)
ITEMS = ("1", "1a", "2", "3", "5", "7", "7a", "8", "9a", "10", "11", "12", "13", "14", "15")
FULL = {"sections": 3, "tables": 4, "footnotes": 2, "chunks": 5}


def accession(number: int) -> str:
    return f"0000320193-21-{number:06d}"


def add_filing(folder: FilingFolder, number: int, **behaviour: Any) -> FilingMeta:
    """Write a filing's file; registers nothing."""
    raw = json.dumps(behaviour, sort_keys=True).encode()
    path = folder.raw / f"{accession(number)}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return FilingMeta(
        accession_number=accession(number),
        form_type="10-K",
        cik="0000320193",
        company_name="Example Inc.",
        filing_date=date(2021, 2, 25),
        local_path=path.relative_to(folder.data_dir).as_posix(),
        content_hash=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
    )


def register(connection: duckdb.DuckDBPyConnection, *metas: FilingMeta) -> None:
    """Rows of `filings`, as far as the merge reads them."""
    for meta in metas:
        connection.execute(
            "DELETE FROM filings WHERE accession_number = ?", [meta.accession_number]
        )
        connection.execute(
            "INSERT INTO filings (accession_number, form_type, cik, filing_date, local_path, "
            "content_hash, size, filing_year) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(meta.accession_number, meta.form_type, meta.cik, meta.filing_date),
                *(meta.local_path, meta.content_hash, meta.size, meta.year),
            ],
        )


def rows_of(
    accession_number: str,
    *,
    sections: int = 0,
    tables: int = 0,
    footnotes: int = 0,
    chunks: int = 0,
    text: str = "words",
    long: int = 1,
) -> dict[Kind, list[dict[str, Any]]]:
    """Rows of all kinds.

    Args:
        accession_number: of the filing.
        sections: how many.
        tables: in all, dealt to the sections in turn.
        footnotes: in all, dealt to the tables in turn.
        chunks: in all, dealt to the sections in turn.
        text: what their texts are made of.
        long: how often the text is repeated in a section.
    """
    made = [_section(accession_number, n, f"{text} {n} " * long) for n in range(sections)]
    ids = [row["id"] for row in made]
    turns = [made[n % sections] for n in range(chunks)] if sections else []
    return {
        "sections": made,
        "tables": [_table(accession_number, n, ids, text) for n in range(tables)],
        "footnotes": [_footnote(accession_number, n, tables, ids) for n in range(footnotes)],
        "chunks": [_chunk(accession_number, n // sections, row) for n, row in enumerate(turns)],
    }


def _section(own: str, n: int, text: str) -> dict[str, Any]:
    item, part = f"item_{ITEMS[n]}", "part_i" if n < 4 else "part_ii"
    return {
        "id": section_id(own, part, item),
        "accession_number": own,
        "section_type": item,
        "section_title": f"Title {n}",
        "section_number": ITEMS[n].upper(),
        "section_part": part,
        "content_text": text,
        "content_html": f"<p>{text}</p>",
        "word_count": len(text.split()),
        "character_count": len(text),
        "paragraph_count": 1,
        "extraction_confidence": 0.9,
        "extraction_method": "heading_scan",
        "contains_tables": 0,
        "contains_lists": 0,
        "contains_footnotes": 0,
        "cross_references": "[]",
        "heading_hierarchy": "[]",
        "extraction_issues": "[]",
        "content_hash": content_hash(text),
        "created_at": FILED,
    }


def _table(own: str, n: int, sections: list[str], text: str) -> dict[str, Any]:
    return {
        "id": table_id(own, n),
        "accession_number": own,
        "section_id": sections[n % len(sections)] if sections else None,
        "table_name": f"Table {n}",
        "table_type": "financial",
        "table_category": "balance_sheet" if n % 2 else None,
        "table_index": n,
        "table_data": json.dumps([[text, str(n)]]),
        "headers": "[]",
        "table_markdown": f"| {text} | {n} |",
        "table_caption": None,
        "row_count": 1,
        "column_count": 2,
        "is_financial_statement": True,
        "footnote_refs": "[]",
        "created_at": FILED,
    }


def _footnote(own: str, n: int, tables: int, sections: list[str]) -> dict[str, Any]:
    table = table_id(own, n % tables) if tables else None
    place = table or ""
    return {
        "footnote_id": footnote_id(own, place, f"({n})", 0),
        "accession_number": own,
        "section_id": sections[n % tables % len(sections)] if tables and sections else None,
        "table_id": table,
        "marker": f"({n})",
        "footnote_text": f"Note {n}",
        "footnote_type": "table" if table else "document",
        "created_at": FILED,
    }


def _chunk(own: str, n: int, section: dict[str, Any]) -> dict[str, Any]:
    part, item = section["section_part"], section["section_type"]
    parent = chunk_id(own, part, item, 1, 0)
    text = section["content_text"][:40_000]
    return {
        "chunk_id": chunk_id(own, part, item, 2 if n else 1, n),
        "accession_number": own,
        "section_id": section["id"],
        "parent_chunk_id": parent if n else None,
        "chunk_level": 2 if n else 1,
        "chunk_index": n,
        "chunk_text": text if not n else text[:4000],
        "token_count": len(text) // 4,
        "char_start": 0,
        "char_end": len(text),
        "heading": section["section_title"],
        "section_part": part,
        "section_type": item,
        "contains_tables": False,
        "contains_numbers": True,
        "created_at": FILED,
    }


def stage(
    folder: FilingFolder,
    run_id: str,
    meta: FilingMeta,
    rows: dict[Kind, list[dict[str, Any]]],
) -> None:
    """Stage rows as a worker does."""
    staging.begin(folder, run_id, meta.accession_number)
    report = staging.write_rows(folder, run_id, meta, Extract(meta.accession_number, rows))
    staging.write_report(folder, run_id, report)


def planned(*metas: FilingMeta, kinds: tuple[Kind, ...] = KINDS) -> list[PlannedFiling]:
    return [PlannedFiling(meta, kinds) for meta in metas]


def extract(raw: bytes, meta: FilingMeta) -> Extract:
    """Rows as the filing's bytes say, or the harm they ask for."""
    behaviour = json.loads(raw)
    _harm(behaviour.pop("harm", None), behaviour)
    return Extract(meta.accession_number, rows_of(meta.accession_number, **behaviour))


class UnpicklableError(Exception):
    """An error that cannot be read back in another process."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def _harm(kind: str | None, behaviour: dict[str, Any]) -> None:
    if kind == "segfault":
        ctypes.string_at(0)
    elif kind == "exit":
        os._exit(behaviour["code"])
    elif kind == "system_exit":
        raise SystemExit(0)
    elif kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "killed_once":
        _kill_once(Path(behaviour.pop("mark")))
    elif kind == "hang":
        time.sleep(600)
    elif kind == "hang_in_c":
        # Holds the interpreter's lock, so that no thread of the worker runs either.
        ctypes.PyDLL(None).sleep(600)
    elif kind == "memory":
        held = bytearray(behaviour["bytes"])
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(600)
    elif kind == "error":
        raise ValueError("a secret word of the filing")
    elif kind == "unpicklable":
        raise UnpicklableError("a", "b")
    elif kind == "slow":
        time.sleep(behaviour.pop("seconds"))


def _kill_once(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def extract_packed(raw: bytes, meta: FilingMeta) -> Extract:
    """`extract` of a packed file: the bytes are handed over as they are stored."""
    return extract(gzip.decompress(raw), meta)
