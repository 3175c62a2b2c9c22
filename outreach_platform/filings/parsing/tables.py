"""Tables of a filing as rows: each data table once, in the order of the text."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from outreach_platform.filings.model import Section, section_id, table_id
from outreach_platform.filings.parsing.classify import TableKind, classify, settle
from outreach_platform.filings.parsing.document import Document, TableSource
from outreach_platform.filings.parsing.footnotes_rows import row_notes
from outreach_platform.filings.parsing.grid import Grid, read_grid
from outreach_platform.filings.parsing.markdown import table_markdown
from outreach_platform.filings.parsing.tables_caption import (
    Caption,
    caption_above,
    captioned,
    named_by_labels,
)
from outreach_platform.filings.parsing.tables_layout import is_data

_NAMES = {
    "balance_sheet": "Balance sheet",
    "income_statement": "Income statement",
    "cash_flow": "Cash flow statement",
}


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table that holds data.

    Attributes:
        source: its place in the document.
        first: index of its first line in `Document.lines`.
        grid: its cells.
        caption: what stands above it, its own titles included.
        kind: what it is.
        markers: of footnotes that it refers to, in the order of reading.
        notes: marker and text of the footnotes in its own last rows.
    """

    source: TableSource
    first: int
    grid: Grid
    caption: Caption
    kind: TableKind
    markers: tuple[str, ...]
    notes: tuple[tuple[str, str], ...] = ()


class TableRows(list[dict[str, Any]]):
    """Rows of `tables`, with the tables that they were made from beside them.

    `extract_footnotes` needs the places; a plain list of rows makes it look for them again.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], found: Sequence[DataTable]) -> None:
        super().__init__(rows)
        self.found = tuple(found)

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[dict[str, Any]]]]:
        """Travel to another process as a plain list: elements of lxml cannot."""
        return list, (list(self),)


def extract_tables(
    document: Document, sections: Sequence[Section], accession: str
) -> list[dict[str, Any]]:
    """The rows of `tables`, without `created_at`.

    Args:
        document: the filing.
        sections: its sections; a table belongs to the one that holds its start.
        accession: of the filing.
    """
    found = find_tables(document)
    places = SectionPlaces(sections, accession)
    rows = [
        _row(table, index, places.section_at(table.source.start), accession)
        for index, table in enumerate(found)
    ]
    return TableRows(rows, found)


def find_tables(document: Document) -> list[DataTable]:
    """The tables of a document that hold data, in the order of the text."""
    grids = [_grid(document, source) for source in document.tables]
    blocked = [grid is not None for grid in grids]
    starts = [line.start for line in document.lines]
    found: list[DataTable] = []
    for source, grid in zip(document.tables, grids, strict=True):
        if grid is not None:
            first = bisect_left(starts, source.start)
            above = caption_above(document, source, first, blocked)
            found.append(_table(source, first, grid, captioned(grid, above)))
    kinds = settle([table.kind for table in found])
    return [replace(table, kind=kind) for table, kind in zip(found, kinds, strict=True)]


def _table(source: TableSource, first: int, grid: Grid, caption: Caption) -> DataTable:
    kind = classify(grid, caption.text)
    notes = row_notes((*grid.headers, caption.text), grid.body, grid.superscripts)
    return DataTable(source, first, grid, caption, kind, notes.markers, notes.notes)


def _grid(document: Document, source: TableSource) -> Grid | None:
    if source.start >= source.end:
        return None
    grid = read_grid(document, source)
    return grid if grid is not None and is_data(grid, source.start) else None


def _row(table: DataTable, index: int, section: str | None, accession: str) -> dict[str, Any]:
    grid, kind = table.grid, table.kind
    named = _NAMES[kind.category] if kind.category else None
    return {
        "id": table_id(accession, index),
        "accession_number": accession,
        "section_id": section,
        "table_name": table.caption.name or named or named_by_labels(grid) or None,
        "table_type": kind.table_type,
        "table_category": kind.category,
        "table_index": index,
        "table_data": _json(grid.body),
        "headers": _json(grid.headers),
        "table_markdown": table_markdown(grid.headers, grid.body),
        "table_caption": table.caption.text or None,
        "row_count": len(grid.body),
        "column_count": grid.width,
        "is_financial_statement": kind.is_statement,
        "footnote_refs": _json(list(table.markers)),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class SectionPlaces:
    """Which section holds an offset.

    A section without text, and one that shares another's text (`combined_with`), hold nothing.

    Args:
        sections: of a filing.
        accession: of the filing.
    """

    def __init__(self, sections: Sequence[Section], accession: str) -> None:
        self._sections = [
            (one.start, one.end, section_id(accession, one.section_part, one.section_type))
            for one in sections
            if one.start < one.end
            and not any(issue.get("code") == "combined_with" for issue in one.issues)
        ]

    def section_at(self, offset: int) -> str | None:
        """The id of the section that holds an offset; None outside of all."""
        return next((name for start, end, name in self._sections if start <= offset < end), None)
