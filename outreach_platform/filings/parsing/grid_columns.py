"""Which cells of a table stand in one column.

Sources spread a column over three and more of their own (`$`, number, `)`), differently from row
to row. Cells that overlap are in one column; a cell over several columns makes none.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from outreach_platform.filings.parsing.grid_numbers import Cell, is_dash, is_value

Span = tuple[int, int]
# Patterns of rows that are asked whether two columns may become one.
_PATTERNS = 300


def find_columns(rows: Sequence[Sequence[Cell]]) -> list[Span]:
    """The columns of a table as spans of the source's columns, from left to right.

    Args:
        rows: cells with something in them; pieces of numbers are joined.
    """
    # A cell alone in its row, a centred `ASSETS`, makes no column of its own.
    together = [row for row in rows if len(row) > 1] or rows
    patterns = Counter(tuple((cell.start, cell.end) for cell in row) for row in together)
    usual = [list(pattern) for pattern, _ in patterns.most_common(_PATTERNS)]
    spans = Counter(span for pattern in patterns.elements() for span in pattern)
    columns: list[Span] = []
    for span in sorted(spans, key=lambda one: (one[1] - one[0], -spans[one], one)):
        first, behind = _over(span, columns)
        if first == behind:
            columns.insert(first, span)
        elif behind - first == 1 and not _within(span, columns[first]):
            column = columns[first]
            wider = (min(span[0], column[0]), max(span[1], column[1]))
            if _may_widen(wider, column, usual):
                columns[first] = wider
    return columns


def _may_widen(wider: Span, column: Span, patterns: Sequence[Sequence[Span]]) -> bool:
    """Whether no row would have two cells in a column that had one before."""
    for pattern in patterns:
        inside = [span for span in pattern if _overlap(span, wider)]
        if len(inside) > 1 and len(inside) > sum(1 for span in inside if _overlap(span, column)):
            return False
    return True


def place(row: Sequence[Cell], columns: Sequence[Span]) -> list[str]:
    """The texts of a row by column, empty where there is none.

    Two cells that fall into one column stand there one after the other: nothing is lost.
    """
    texts = [""] * len(columns)
    if len(row) == 1 and not is_value(row[0].text) and _is_between(row[0], columns):
        texts[0] = row[0].text
        return texts
    for cell in row:
        over = covered(cell, columns)
        if len(over) > 1 and (is_value(cell.text) or is_dash(cell.text)):
            over.sort(key=lambda index: -_shared(cell, columns[index]))
        free = next((index for index in over if not texts[index]), over[0])
        texts[free] = f"{texts[free]} {cell.text}" if texts[free] else cell.text
    return texts


def covered(cell: Cell, columns: Sequence[Span]) -> list[int]:
    """The columns that a cell reaches over; the nearest where it is between two."""
    span = (cell.start, cell.end)
    first, behind = _over(span, columns)
    if first < behind:
        return list(range(first, behind))
    beside = [index for index in (first - 1, first) if 0 <= index < len(columns)]
    return [min(beside, key=lambda index: _distance(span, columns[index]))]


def _is_between(cell: Cell, columns: Sequence[Span]) -> bool:
    first, behind = _over((cell.start, cell.end), columns)
    return first == behind


def _over(span: Span, columns: Sequence[Span]) -> tuple[int, int]:
    """Indices of the columns that a span overlaps: the first, and the one behind the last."""
    first = bisect_right(columns, span[0], key=lambda column: column[1])
    return first, max(first, bisect_left(columns, span[1], key=lambda column: column[0]))


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _within(one: Span, other: Span) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]


def _shared(cell: Cell, column: Span) -> int:
    return min(cell.end, column[1]) - max(cell.start, column[0])


def _distance(one: Span, other: Span) -> int:
    return max(other[0] - one[1], one[0] - other[1])
