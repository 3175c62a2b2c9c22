"""Tables that a plain text lays out with spaces alone, without `<TABLE>` around them.

Recognised with care: prose that is taken for a table loses its paragraphs, a table that is taken
for prose keeps all of its words.
"""

import re
from collections.abc import Sequence
from typing import Protocol

_NUMBER = r"\(?\$?\s?\(?-?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?\)?\s?%?\)?"
# Cells stand apart by two spaces or leader dots.
_PARTED = re.compile(r"(?: {2,}|\.{3,}|(?:\. ){3,})\s*")
_CELL = re.compile(rf"(?:{_NUMBER}|[-\u2013\u2014]+|N/?A|NM|\*)\s*(?:\(\d\))?", re.I)
_ITEM = re.compile(r"\s*(?:item|part)\s+[\divx]", re.I)
# So many rows of numbers make a table, with at most so many other lines between two of them.
_ROWS = 3
_BETWEEN = 3


class Row(Protocol):
    """A line of the source with its table, -1 without."""

    text: str
    table: int


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
    found: list[tuple[int, int]] = []
    run: list[int] = []
    for index, row in enumerate(rows):
        if row.table >= 0 or (run and index - run[-1] > _BETWEEN) or _ITEM.match(row.text):
            _close(run, found)
            run = []
        if row.table < 0 and not _ITEM.match(row.text) and _columns(row.text) >= _wanted(run):
            run.append(index)
    _close(run, found)
    return found


def _wanted(run: list[int]) -> int:
    return 1 if run else 2


def _close(run: list[int], found: list[tuple[int, int]]) -> None:
    if len(run) >= _ROWS:
        found.append((run[0], run[-1]))


def _columns(text: str) -> int:
    """How many cells of numbers a line has behind its first cell."""
    cells = [cell.strip() for cell in _PARTED.split(text.strip())]
    return sum(
        1
        for cell in cells[1:]
        if cell and _CELL.fullmatch(cell) and any(c.isdigit() or c in "-\u2013\u2014" for c in cell)
    )


def _in_order(rows: Sequence[Row]) -> None:
    """Number all tables by their place in the text."""
    numbers: dict[int, int] = {}
    for row in rows:
        if row.table >= 0:
            row.table = numbers.setdefault(row.table, len(numbers))
