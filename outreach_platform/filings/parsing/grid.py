"""A table as headers and rows of texts, whatever its source looked like.

What is kept: every number stands in the body or in a header as often as in the source. A header
over several columns is part of each one's header. Rows of the body that are footnotes stay in it:
they are rows of the source's grid.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from outreach_platform.filings.parsing.document import Document, TableSource
from outreach_platform.filings.parsing.grid_columns import Span, covered, find_columns, place
from outreach_platform.filings.parsing.grid_headers import header_height, is_units, top_rows
from outreach_platform.filings.parsing.grid_html import LOWERED, RAISED, html_rows
from outreach_platform.filings.parsing.grid_numbers import (
    Cell,
    is_dash,
    is_markers,
    is_value,
    join_pieces,
    superscript,
)
from outreach_platform.filings.parsing.grid_text import text_rows

_AFTER_SIGN = re.compile(r"(?<=[$(\u20ac\u00a3\u00a5])\s+(?=[\d.($\u2013\u2014-])")
_BEFORE_SIGN = re.compile(r"(?<=[\d.)\u2013\u2014])\s+(?=[)%])")
_SUPERSCRIPT = re.compile(rf"{RAISED}([^{LOWERED}]*){LOWERED}")
# Columns of the source that may be empty between the pieces of a number.
_GAPS = (2, 1)


@dataclass(slots=True)
class Grid:
    """A table's cells.

    Attributes:
        headers: one text a column, rows of headers joined from the top.
        body: rows below the headers; each has one text a column.
        titles: lines above the columns, from within the table.
        units: such as `(in millions)`; empty without.
        superscripts: figures and letters that the source prints raised, without brackets.
    """

    headers: list[str]
    body: list[list[str]]
    titles: list[str] = field(default_factory=list)
    units: str = ""
    superscripts: frozenset[str] = frozenset()

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.headers)


def read_grid(document: Document, source: TableSource) -> Grid | None:
    """The grid of a table of the document; None where it holds no text.

    Args:
        document: the filing.
        source: one of its tables.
    """
    if source.element is None:
        # The first line counts with its indentation.
        start = document.text.rfind("\n", 0, source.start) + 1
        return grid_of(text_rows(document.text[start : source.end].split("\n")))
    rows = html_rows(source.element)
    superscripts = _name_superscripts(rows)
    grid = grid_of([join_pieces(row, *_GAPS) for row in rows])
    if grid is not None:
        grid.superscripts = superscripts
    return grid


def grid_of(rows: Sequence[Sequence[Cell]]) -> Grid | None:
    """The grid of rows of cells; None where no row has one.

    Args:
        rows: cells that hold text; pieces of numbers are joined.
    """
    filled = [row for row in rows if row]
    if not filled:
        return None
    for row in filled:
        for cell in row:
            cell.text = _tidy(cell.text)
    columns = find_columns(filled)
    titles, units, left = top_rows(filled, columns)
    height = header_height(left, columns)
    headers = _headers(left[:height], columns)
    body = [place(row, columns) for row in left[height:]]
    return _without_empty(Grid(headers, body, titles, units))


def _name_superscripts(rows: Sequence[Sequence[Cell]]) -> frozenset[str]:
    """Write bare superscripts so that they do not melt into what they stand at.

    Figures become superscript figures, `2023¹`, as in the document's text; letters get brackets.
    """
    found: set[str] = set()
    for row in rows:
        for cell in row:
            if RAISED in cell.text:
                for raised in _SUPERSCRIPT.findall(cell.text):
                    found.update(part.strip() for part in raised.split(","))
                cell.text = _SUPERSCRIPT.sub(_told, cell.text).strip()
    return frozenset(found)


def _told(found: re.Match[str]) -> str:
    parts = [part.strip() for part in found[1].split(",")]
    if all(part.isdigit() for part in parts):
        return ",".join(superscript(part) for part in parts)
    return " " + "".join(f"({part})" for part in parts)


def _tidy(text: str) -> str:
    """`$ ( 5 ) %` becomes `$(5)%`."""
    if not (is_value(text) or is_dash(text)):
        return text
    return _BEFORE_SIGN.sub("", _AFTER_SIGN.sub("", text))


def _headers(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> list[str]:
    """The header of each column, from the top; a header over several columns is in each."""
    parts: list[list[str]] = [[] for _ in columns]
    for row in rows:
        for cell in row:
            counted = any(char.isdigit() for char in cell.text)
            if is_units(cell.text) and not counted:
                continue
            for index in covered(cell, columns):
                if counted or not parts[index] or parts[index][-1] != cell.text:
                    parts[index].append(cell.text)
    return [" ".join(part) for part in parts]


def _without_empty(grid: Grid) -> Grid:
    """Join columns of markers, or of a header alone, with a neighbour; drop empty ones."""
    keep = [True] * grid.width
    for index in range(grid.width):
        texts = [row[index] for row in grid.body if row[index]]
        if index and texts and not grid.headers[index] and all(map(is_markers, texts)):
            left = next(at for at in range(index - 1, -1, -1) if keep[at])
            keep[index] = not _moved(grid.body, index, left)
        elif not texts and not grid.headers[index]:
            keep[index] = False
        elif not texts and grid.body:
            keep[index] = not _header_moved(grid, index, keep)
    if all(keep):
        return grid
    grid.headers = [text for text, kept in zip(grid.headers, keep, strict=True) if kept]
    grid.body = [[text for text, kept in zip(row, keep, strict=True) if kept] for row in grid.body]
    return grid


def _moved(body: list[list[str]], index: int, left: int) -> bool:
    """Append a column of markers to the column left of it, unless one would stand alone there."""
    if any(row[index] and not row[left] for row in body):
        return False
    for row in body:
        if row[index]:
            row[left] = f"{row[left]} {row[index]}"
    return True


def _header_moved(grid: Grid, index: int, keep: list[bool]) -> bool:
    """Give a header over an empty column to a neighbour that has none."""
    for other in (index + 1, index - 1):
        if not (0 < other < grid.width and keep[other]) or grid.headers[other]:
            continue
        if any(row[other] for row in grid.body):
            grid.headers[other] = grid.headers[index]
            return True
    return False
