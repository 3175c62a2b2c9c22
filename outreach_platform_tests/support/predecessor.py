"""A database as the predecessor left it: its schema, its documented counts and its faults.

Every section carries the html of the whole body, each table was extracted once a section, 421
sections stand twice, ids are random, and the text of the last paragraphs is in no chunk. All comes
from one seed.
"""

import json
import random
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

FILINGS, SECTIONS, TWINS = 213, 1518, 421
TABLES, FOOTNOTES, CHUNKS = 40_749, 46_014, 27_729
WITH_TABLES, WITH_CHUNKS = 69, 112

_ANNUAL = ("item_1", "item_1a", "item_7", "item_7a", "item_8", "item_9a")
_QUARTER = ("item_1", "item_2", "item_3", "item_4", "item_1", "item_6")
_TITLES = {
    "item_1": "Business",
    "item_1a": "Risk Factors",
    "item_8": "Financial Statements",
    "item_7": "Management's Discussion and Analysis",
    "item_9a": "Controls and Procedures",
    "item_7a": "Quantitative and Qualitative Disclosures About Market Risk",
}
_QUARTER_TITLES = (
    "Financial Statements",
    "Management's Discussion and Analysis",
    "Quantitative and Qualitative Disclosures About Market Risk",
    "Controls and Procedures",
    "Legal Proceedings",
    "Exhibits",
)
_WORDS = (
    *("revenue", "cost", "margin", "supply", "customer", "the", "of", "and", "in", "to", "our"),
    *("company's", "risk", "may", "increase", "decrease", "million", "operations", "market"),
    *("rate", "product", "segment", "year", "ended", "december", "compared", "naïve", "😀"),
)
_BATCH = 20

_SCHEMA = """
    CREATE TABLE filings (accession_number VARCHAR PRIMARY KEY, cik BIGINT, company_name VARCHAR,
        form_type VARCHAR, filing_date VARCHAR, period_of_report DATE, local_path VARCHAR,
        download_status VARCHAR, sections_processed BOOLEAN, processing_errors VARCHAR,
        created_at TIMESTAMP, downloaded_by VARCHAR);
    CREATE TABLE sections (id UUID PRIMARY KEY, accession_number VARCHAR REFERENCES filings,
        section_type VARCHAR, section_title VARCHAR, section_part VARCHAR, content_text VARCHAR,
        content_html VARCHAR, word_count BIGINT, extraction_confidence FLOAT,
        extraction_method VARCHAR, extraction_issues VARCHAR, contains_tables INTEGER,
        created_at TIMESTAMPTZ);
    CREATE INDEX by_filing ON sections (accession_number);
    CREATE TABLE tables (id UUID, accession_number VARCHAR, section_id UUID, table_index INTEGER,
        table_data VARCHAR, headers VARCHAR, row_count INTEGER, is_financial_statement BOOLEAN,
        created_at VARCHAR);
    CREATE TABLE footnotes (footnote_id UUID, accession_number VARCHAR, section_id UUID,
        table_id UUID, marker VARCHAR, footnote_text VARCHAR, created_at BIGINT);
    CREATE TABLE chunks (chunk_id UUID, accession_number VARCHAR, section_id UUID,
        parent_chunk_id UUID, chunk_level INTEGER, chunk_index INTEGER, chunk_text VARCHAR,
        token_count INTEGER, char_start BIGINT, char_end BIGINT, created_at TIMESTAMP);
    CREATE TABLE extraction_runs (run_id INTEGER, note VARCHAR);
"""


@dataclass
class Built:
    """What was put in.

    Attributes:
        rows: by table.
        distinct_tables: tables that are no copies.
        accessions: of all filings, with dashes.
    """

    rows: dict[str, int] = field(default_factory=dict)
    distinct_tables: int = 0
    accessions: list[str] = field(default_factory=list)


@dataclass
class _Plan:
    """How many of each a filing gets: what is left is shared among the filings still to come."""

    tables: int
    footnotes: int
    chunks: int


def build_predecessor(
    path: Path, *, factor: float = 1.0, html: int = 40_000, seed: int = 7
) -> Built:
    """Write the database.

    Args:
        path: the file, which must not exist.
        factor: scales tables, footnotes and chunks; filings and sections are always all there.
        html: characters of a whole body, which every section repeats; 1,500,000 were documented.
        seed: of all that is random.
    """
    rng = random.Random(seed)
    built = Built()
    plan = _Plan(*(round(number * factor) for number in (TABLES, FOOTNOTES, CHUNKS)))
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(_SCHEMA)
        waiting: dict[str, list[dict[str, Any]]] = {}
        for number, rows in enumerate(_filings(rng, plan, html, built)):
            for table, found in rows.items():
                waiting.setdefault(table, []).extend(found)
            if number % _BATCH == _BATCH - 1:
                _insert(connection, waiting, built)
        _insert(connection, waiting, built)
    return built


def _filings(
    rng: random.Random, plan: _Plan, html: int, built: Built
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The rows of one filing after another."""
    twins = set(rng.sample(range(SECTIONS - TWINS), TWINS))
    tabled = set(rng.sample(range(FILINGS), WITH_TABLES))
    chunked = set(rng.sample(range(FILINGS), WITH_CHUNKS))
    left = {"tables": WITH_TABLES, "chunks": WITH_CHUNKS}
    section = 0
    for number in range(FILINGS):
        filing = _filing(number)
        built.accessions.append(
            f"{number + 1:010d}-{filing['created_at'].year % 100:02d}-{number:06d}"
        )
        count = 5 + (number < (SECTIONS - TWINS) - 5 * FILINGS)
        own = [section + n in twins for n in range(count)]
        section += count
        sections = _sections(rng, filing, count, own)
        rows = {"filings": [filing], "sections": sections}
        if number in tabled:
            rows |= _tables(rng, sections, plan, left["tables"], built)
            left["tables"] -= 1
        if number in chunked:
            rows["chunks"] = _chunks(rng, sections, plan, left["chunks"])
            left["chunks"] -= 1
        _give_html(rng, sections, html)
        yield rows


def _filing(number: int) -> dict[str, Any]:
    year = 2015 + number % 10
    accession = f"{number + 1:010d}-{year % 100:02d}-{number:06d}"
    return {
        # A tenth of them came without dashes.
        "accession_number": accession.replace("-", "") if number % 10 == 0 else accession,
        "cik": number + 1,
        "company_name": f"Company {number} Inc.",
        "form_type": "10-Q" if number % 4 == 0 else "10-K",
        "filing_date": date(year, 3, 1 + number % 28).isoformat(),
        "period_of_report": date(year - 1, 12, 31),
        "local_path": f"C:\\data\\filings\\{accession}.html",
        "download_status": "completed",
        "sections_processed": True,
        "created_at": datetime(year, 6, 1),
        "downloaded_by": "script",
    }


def _sections(
    rng: random.Random, filing: dict[str, Any], count: int, twins: list[bool]
) -> list[dict[str, Any]]:
    """The sections of a filing, and the twins of some: equal, worse, or a line of the contents."""
    quarter = filing["form_type"] == "10-Q"
    rows = []
    for n in range(count):
        item = (_QUARTER if quarter else _ANNUAL)[n]
        title = _QUARTER_TITLES[n] if quarter else _TITLES[item]
        heading = f"Item {item.removeprefix('item_').upper()}. {title}"
        text = "\n\n".join([heading, *(_paragraph(rng) for _ in range(6))]) + "\n"
        row = {
            "id": _uuid(rng),
            "accession_number": filing["accession_number"],
            "section_type": item,
            "section_title": title,
            # Half of the filings say no part.
            "section_part": None if filing["cik"] % 4 < 2 else _part(n, quarter=quarter),
            "content_text": text,
            "extraction_confidence": 0.8,
            "extraction_method": "regex",
            "extraction_issues": "[]",
            "created_at": filing["created_at"].replace(tzinfo=UTC),
            "twin": False,
        }
        rows.append(row)
        if twins[n]:
            sort = rng.randrange(3)
            worse = {0: text, 1: text[: len(text) // 2], 2: heading}[sort]
            later = row["created_at"] + timedelta(days=1)
            rows.append(row | {"id": _uuid(rng), "content_text": worse, "created_at": later,
                               "twin": True})  # fmt: skip
    return rows


def _part(place: int, *, quarter: bool) -> str:
    number = (1, 1, 1, 1, 2, 2)[place] if quarter else (1, 1, 2, 2, 2, 2)[place]
    return f"Part {'I' * number}"


def _tables(
    rng: random.Random, sections: list[dict[str, Any]], plan: _Plan, left: int, built: Built
) -> dict[str, list[dict[str, Any]]]:
    """Each table once a section; its rows stand in the text of the section it is from."""
    share, notes_share = plan.tables // left, plan.footnotes // left
    distinct = max(1, -(-share // len(sections)))
    real = [row for row in sections if not row["twin"]]
    data = []
    for n in range(distinct):
        home = real[n * len(real) // distinct]
        cells = [
            [f"{rng.choice(_WORDS)} line {n}", f"{rng.randrange(10**6):,}", f"{rng.random():.3f}"]
            for _ in range(3)
        ]
        lines = "\n".join("\t".join(row) for row in cells) + "\n"
        for row in sections:
            if row["content_text"] == home["content_text"] and row is not home:
                row["content_text"] += lines
        home["content_text"] += lines
        data.append(json.dumps(cells))
    built.distinct_tables += distinct
    tables = [_table(rng, row, n, cells) for row in sections for n, cells in enumerate(data)]
    tables = tables[:share]
    notes = [_note(rng, tables[n % len(tables)], n // len(tables)) for n in range(notes_share)]
    plan.tables -= len(tables)
    plan.footnotes -= len(notes)
    return {"tables": tables, "footnotes": notes}


def _table(rng: random.Random, section: dict[str, Any], index: int, data: str) -> dict[str, Any]:
    return {
        "id": _uuid(rng),
        "accession_number": section["accession_number"],
        "section_id": section["id"],
        "table_index": index,
        "table_data": data,
        "headers": "[]",
        "row_count": 3,
        "is_financial_statement": index % 5 == 0,
        "created_at": section["created_at"].isoformat(),
    }


def _note(rng: random.Random, table: dict[str, Any], turn: int) -> dict[str, Any]:
    return {
        "footnote_id": _uuid(rng),
        "accession_number": table["accession_number"],
        "section_id": table["section_id"],
        "table_id": table["id"],
        "marker": f"({turn + 1})",
        "footnote_text": f"Note {turn + 1} of table {table['table_index']}, in millions.",
        "created_at": 1_700_000_000,
    }


def _chunks(
    rng: random.Random, sections: list[dict[str, Any]], plan: _Plan, left: int
) -> list[dict[str, Any]]:
    """The section cut short, then its first paragraphs over and over at the third level."""
    share = plan.chunks // left
    rows: list[dict[str, Any]] = []
    for number, section in enumerate(sections):
        count = (share - len(rows)) // (len(sections) - number)
        text = section["content_text"]
        top = _chunk(rng, section, None, 1, 0, (0, min(len(text), 2000)))
        if count:
            rows.append(top)
        step = max(1, len(text) * 9 // 10 // max(1, count))
        for n in range(count - 1):
            level = 2 if n % 4 == 0 else 3
            rows.append(_chunk(rng, section, top["chunk_id"], level, n, (n * step, (n + 1) * step)))
    plan.chunks -= len(rows)
    return rows


def _chunk(
    rng: random.Random,
    section: dict[str, Any],
    parent: str | None,
    level: int,
    index: int,
    span: tuple[int, int],
) -> dict[str, Any]:
    text = section["content_text"][span[0] : span[1]]
    return {
        "chunk_id": _uuid(rng),
        "accession_number": section["accession_number"],
        "section_id": section["id"],
        "parent_chunk_id": parent,
        "chunk_level": level,
        "chunk_index": index,
        "chunk_text": text,
        "token_count": len(text) // 4,
        "char_start": span[0],
        "char_end": span[0] + len(text),
        "created_at": section["created_at"].replace(tzinfo=None),
    }


def _give_html(rng: random.Random, sections: list[dict[str, Any]], size: int) -> None:
    body = "".join(f"<p>{row['content_text']}</p>" for row in sections if not row["twin"])
    style = f'<img src="data:{rng.randbytes(max(0, size - len(body)) // 2).hex()}">'
    whole = f"<html><body>{body}{style}</body></html>"
    for row in sections:
        row["content_html"] = whole


def _paragraph(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=60)).capitalize() + "."


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _insert(
    connection: duckdb.DuckDBPyConnection, waiting: dict[str, list[dict[str, Any]]], built: Built
) -> None:
    import pyarrow as pa

    for table in ("filings", "sections", "tables", "footnotes", "chunks"):
        rows = waiting.pop(table, [])
        if not rows:
            continue
        columns = connection.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall()
        names = [column[0] for column in columns]
        complete = [{name: row.get(name) for name in names} for row in rows]
        connection.register("batch", pa.Table.from_pylist(complete))
        connection.execute(f"INSERT INTO {table} BY NAME SELECT {', '.join(names)} FROM batch")
        connection.unregister("batch")
        built.rows[table] = built.rows.get(table, 0) + len(rows)
