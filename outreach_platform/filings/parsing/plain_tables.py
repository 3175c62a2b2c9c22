"""Tables that a plain text lays out with spaces alone, without `<TABLE>` around them.

Recognised with care: prose that is taken for a table loses its paragraphs, a table that is taken
for prose keeps all of its words.
"""

import re
from collections.abc import Sequence
from typing import Protocol

# Cells stand apart by two spaces or leader dots.
_PARTED = re.compile(r"(?: {2,}|\.{3,}|(?:\. ){3,})\s*")
# A figure, with sign, unit, range or footnote; or a dash that stands for none.
_CELL = re.compile(
    r"[^A-Za-z]*\d[^A-Za-z]*(?:\([a-z]\))?|[-\u2013\u2014$_ ]+|N/?A|NM|None|Even", re.I
)
_ITEM = re.compile(r"\s*(?:item|part)\s+[\divx]", re.I)
# So many rows of numbers make a table, with at most so many other lines between two of them.
_ROWS = 3
_BETWEEN = 3
# So many lines above may name its columns and first rows.
_HEADS = 8
_LABEL = 45
# So far from the margin nothing but the name of a column stands.
_INDENTED = 20
_FAR = re.compile(r"\S {3,}\S")
# A line of so many words without a gap is prose.
_WORDS = 8


class Row(Protocol):
    """A line of the source with its table, -1 without, and the empty lines before it."""

    text: str
    table: int
    blanks: int


def aligned_tables(rows: Sequence[Row]) -> None:
    """Give the lines of tables without tags a table of their own.

    Args:
        rows: the document's lines; `table` of those found is set, numbered in the order of the
            text after those there were.
    """
    following = max((row.table for row in rows), default=-1) + 1
    for first, last in _blocks(rows):
        for row in rows[first : last + 1]:
            row.table = following
        following += 1
    _in_order(rows)


def _blocks(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """First and last line of each table."""
    found: list[tuple[int, int]] = []
    run: list[int] = []
    for index, row in enumerate(rows):
        barred = row.table >= 0 or _ITEM.match(row.text) is not None or _is_prose(row.text)
        if barred or (run and index - run[-1] > _BETWEEN):
            _close(rows, run, found)
            run = []
        # A row with a single number goes on with a table, but begins none.
        if not barred and _columns(row.text) >= (1 if run else 2):
            run.append(index)
    _close(rows, run, found)
    return found


def _close(rows: Sequence[Row], run: list[int], found: list[tuple[int, int]]) -> None:
    if len(run) < _ROWS:
        return
    found.append((_head(rows, run[0], found[-1][1] + 1 if found else 0), run[-1]))


def _head(rows: Sequence[Row], first: int, lowest: int) -> int:
    """The first of the lines above a table's first numbers that name its columns."""
    highest = at = first
    while at > max(lowest, first - _HEADS) and rows[at].blanks <= 1:
        at -= 1
        if _is_head(rows[at]):
            highest = at
        elif not _is_label(rows[at]):
            break
    return highest


def _is_label(row: Row) -> bool:
    text = row.text.strip()
    return row.table < 0 and len(text) <= _LABEL and not _ITEM.match(text) and text[-1] not in ".;"


def _is_head(row: Row) -> bool:
    """Whether a line names columns: words far apart, or far from the margin."""
    text = row.text.strip()
    apart = _FAR.search(text) is not None or len(row.text) - len(row.text.lstrip()) >= _INDENTED
    return row.table < 0 and apart and not _ITEM.match(text) and not _is_prose(text)


def _is_prose(text: str) -> bool:
    text = text.strip()
    return len(text.split()) >= _WORDS and _PARTED.search(text) is None


def _columns(text: str) -> int:
    """How many cells of figures end a line, not counting its first cell."""
    cells = [cell.strip() for cell in _PARTED.split(text.strip())]
    figures = 0
    for cell in reversed(cells[1:]):
        if cell and not _CELL.fullmatch(cell):
            break
        # A currency sign may stand in a cell of its own.
        figures += any(c.isalnum() or c in "-\u2013\u2014" for c in cell)
    return figures


def _in_order(rows: Sequence[Row]) -> None:
    """Number all tables by their place in the text."""
    numbers: dict[int, int] = {}
    for row in rows:
        if row.table >= 0:
            row.table = numbers.setdefault(row.table, len(numbers))
