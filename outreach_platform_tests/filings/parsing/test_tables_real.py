"""Tables and footnotes of real filings: statements found, numbers kept, footnotes few and tied."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.footnotes import extract_footnotes
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.tables import TableRows, extract_tables
from outreach_platform_tests.support.real_data import real_data_folder

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

STATEMENTS = {"balance_sheet", "income_statement", "cash_flow"}
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_FIGURES = re.compile(r"[\s\d,]*")
_BLOCKS = {"td", "th", "tr", "div", "p", "br", "li"}
# The predecessor's conservative patterns found 216 a filing, its bare digits 1,800.
_CEILING = 216


def _files(folder: str) -> list[Path]:
    root = real_data_folder()
    files = sorted((root / folder).glob("*.gz")) if root else []
    if not files:
        pytest.skip(f"no {folder} here")
    return files


def _read(file: Path) -> tuple[Document, TableRows, list[dict[str, Any]]]:
    document = read_document(gzip.decompress(file.read_bytes()).decode("utf-8", "replace"))
    tables = extract_tables(document, (), "0000000001-24-000001")
    assert isinstance(tables, TableRows)
    return document, tables, extract_footnotes(document, (), tables, "0000000001-24-000001")


@pytest.fixture(scope="module")
def filings() -> list[tuple[str, Document, TableRows, list[dict[str, Any]]]]:
    return [(file.name, *_read(file)) for file in _files("filings")]


def test_each_filing_has_its_three_statements(filings):
    missing = {
        name: STATEMENTS
        - {row["table_category"] for row in tables if row["is_financial_statement"]}
        for name, _, tables, _ in filings
    }
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}


def test_statements_are_few(filings):
    """Summaries, segments and parts of statements in notes are none."""
    for name, _, tables, _ in filings:
        statements = [row for row in tables if row["is_financial_statement"]]
        assert len(statements) <= 12, name


def test_every_number_of_a_table_is_kept(filings):
    lost, total = 0, 0
    for _, _, tables, _ in filings:
        for row, table in zip(tables, tables.found, strict=True):
            source = Counter(_NUMBER.findall("".join(_visible(table.source.element))))
            texts = [text for cells in json.loads(row["table_data"]) for text in cells]
            body = Counter(_NUMBER.findall(" ".join(texts)))
            headers = Counter(_NUMBER.findall(" ".join(json.loads(row["headers"]))))
            assert not body - source, (row["table_caption"], body - source)
            total += source.total()
            lost += (source - body - headers).total()
    assert total > 50_000
    assert lost == 0


def test_footnotes_are_few_and_their_tables_refer_to_them(filings):
    for name, _, tables, notes in filings:
        assert len(notes) <= _CEILING, name
        assert len({note["footnote_id"] for note in notes}) == len(notes), name
        references = {row["id"]: json.loads(row["footnote_refs"]) for row in tables}
        for note in notes:
            if note["table_id"]:
                assert note["marker"] in references[note["table_id"]]
    assert sum(len(notes) for *_, notes in filings) > 500


def test_contents_and_bullets_of_real_filings_are_no_tables(filings):
    for name, document, tables, _ in filings:
        assert len(tables) < len(document.tables), name
        for row in tables:
            labels = [cells[0] for cells in json.loads(row["table_data"])]
            items = sum(1 for label in labels if re.match(r"item\s+\d+[ab]?\.?$", label, re.I))
            assert items < 4, (name, row["table_caption"])


def test_filings_of_1997_and_2006():
    for file in _files("filings_old"):
        _, tables, notes = _read(file)
        kinds = {row["table_category"] for row in tables if row["is_financial_statement"]}
        assert kinds >= STATEMENTS or len(tables) < 30, file.name
        assert notes
        assert all(note["footnote_text"].strip() for note in notes)


def _visible(element: Any) -> Iterator[str]:
    """The visible text of a table, without nested tables and bare raised figures."""
    style = (element.get("style") or "").replace(" ", "").lower()
    if not isinstance(element.tag, str) or "display:none" in style:
        return
    raised = element.tag == "sup" or "vertical-align:super" in style or ";top:-" in style
    if raised and _FIGURES.fullmatch("".join(element.itertext())):
        return
    if element.text:
        yield element.text
    for child in element:
        block = child.tag in _BLOCKS
        if block:
            yield " "
        if child.tag != "table":
            yield from _visible(child)
        if block or child.tag == "sup":
            yield " "
        if child.tail:
            yield child.tail
