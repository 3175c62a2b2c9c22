"""Rows of cells from a table in plain text: cells stand apart by spaces and leader dots."""

import itertools
import re
from collections.abc import Sequence

from outreach_platform.filings.parsing.grid_numbers import (
    Cell,
    is_dash,
    is_value,
    is_year,
    join_pieces,
)

_RULE = re.compile(r"[\s\-=_*.~+|]+")
_PIECE = re.compile(r"[-=_]{2,}")
_LEADER = re.compile(r"(?:\.{2,}|(?:\. ){2,}\.?)")
_SEGMENT = re.compile(r"\S+(?: \S+)*")
_WORD = re.compile(r"\S+")
_SMALL = re.compile(r"[a-z&]")
_SENTENCE = re.compile(r"(?<=[a-z)][.;:])  (?=[A-Z(])")
# Stands for the second space between two sentences.
_JOINT = "\ue002"
_EDGES = 2
# Rows at the top that may be headers, and how far off the middle one may stand.
_HEADERS, _OFF_CENTRE = 6, 5
# Numbers that begin further left may be labels.
_LABELS = 12
# Characters that may stand between the pieces of a number.
_GAPS = (14, 2)
# Right edges of one column lie as close as this: `)` and `%` stand behind the last digit.
_CLOSE = 3
# A line with so many characters before the end of a sentence is prose.
_PROSE = 40


def text_rows(lines: Sequence[str]) -> list[list[Cell]]:
    """The rows of a table, with the place in the line as column.

    Lines of dashes are no rows; they tell how far the header above them reaches. A label that goes
    on in the next line is one label.

    Args:
        lines: of the table, with all of their spaces.
    """
    rows: list[list[Cell]] = []
    for line in lines:
        if _RULE.fullmatch(line):
            if rows:
                _reach(rows[-1], line)
            continue
        rows.append(_cells(line))
    edges = _right_edges(rows)
    whole = [join_pieces(_tails_split(row, edges), *_GAPS) for row in rows]
    _align(whole)
    _spread(whole)
    return _labels_joined(whole)


def _cells(line: str) -> list[Cell]:
    bare = _LEADER.sub(lambda found: " " * len(found[0]), line).replace("|", " ")
    if _SENTENCE.search(bare, _PROSE):
        bare = _SENTENCE.sub(f" {_JOINT}", bare)
    cells: list[Cell] = []
    for found in _SEGMENT.finditer(bare):
        if _RULE.fullmatch(found[0]) and len(found[0]) > 3:
            continue
        words = list(_WORD.finditer(bare, *found.span()))
        if len(words) > 1 and all(is_value(word[0]) for word in words):
            cells += [Cell(word[0], *word.span()) for word in words]
        else:
            cells.append(Cell(found[0].replace(_JOINT, ""), *found.span()))
    return cells


def _reach(row: list[Cell], rule: str) -> None:
    """Widen headers to the piece of rule below them."""
    for found in _PIECE.finditer(rule):
        under = [cell for cell in row if cell.start < found.end() and cell.end > found.start()]
        if len(under) == 1 and not is_value(under[0].text):
            under[0].start = min(under[0].start, found.start())
            under[0].end = max(under[0].end, found.end())


def _right_edges(rows: Sequence[Sequence[Cell]]) -> set[int]:
    """Where columns of numbers end."""
    counts: dict[int, int] = {}
    for row in rows:
        for cell in row:
            if cell.start >= _LABELS and is_value(cell.text):
                counts[cell.end] = counts.get(cell.end, 0) + 1
    return {edge for edge, count in counts.items() if count >= _EDGES}


def _tails_split(row: list[Cell], edges: set[int]) -> list[Cell]:
    """Part a label from the number that follows it after a single space."""
    if not row or row[0].end not in edges or is_value(row[0].text):
        return row
    label, _, tail = row[0].text.rpartition(" ")
    if not label or not is_value(tail):
        return row
    first = row[0]
    return [
        Cell(label, first.start, first.start + len(label)),
        Cell(tail, first.end - len(tail), first.end),
        *row[1:],
    ]


def _labels_joined(rows: list[list[Cell]]) -> list[list[Cell]]:
    joined: list[list[Cell]] = []
    for row in rows:
        last = joined[-1] if joined else None
        if last and row and len(last) == 1 and _goes_on(last[0], row[0]):
            row[0].text = f"{last[0].text} {row[0].text}"
            row[0].start = min(last[0].start, row[0].start)
            joined[-1] = row
        else:
            joined.append(row)
    return joined


def _goes_on(label: Cell, after: Cell) -> bool:
    if label.text[-1:] in ":;" or is_value(label.text) or after.start > label.end:
        return False
    return after.start >= label.start and bool(_SMALL.match(after.text))


def _align(rows: Sequence[Sequence[Cell]]) -> None:
    """Give values whose right edges lie close together one span, as a column has."""
    values = [cell for row in rows for cell in row[1:] if is_value(cell.text) or is_dash(cell.text)]
    groups: list[list[Cell]] = []
    for cell in sorted(values, key=lambda one: one.end):
        if groups and cell.end - groups[-1][0].end <= _CLOSE:
            groups[-1].append(cell)
        else:
            groups.append([cell])
    reach = 0
    for group in groups:
        start = max(min(cell.start for cell in group), reach)
        end = max(cell.end for cell in group)
        for cell in group:
            cell.start, cell.end = min(start, cell.start), end
        reach = end


def _spread(rows: Sequence[Sequence[Cell]]) -> None:
    """Widen headers that stand centred over an equal share of the headers below them.

    Tables without rules tell in no other way that `Three Months Ended` is above two years.
    """
    top = [row for row in rows if row][:_HEADERS]
    for row, below in itertools.pairwise(top):
        upper = [cell for cell in row if cell.start >= _LABELS]
        lower = [cell for cell in below if cell.start >= _LABELS]
        if any(is_value(cell.text) and not is_year(cell.text) for cell in row):
            return
        if not upper or len(lower) <= len(upper) or len(lower) % len(upper):
            continue
        share = len(lower) // len(upper)
        for index, cell in enumerate(upper):
            first, last = lower[index * share], lower[(index + 1) * share - 1]
            if abs(cell.start + cell.end - first.start - last.end) <= 2 * _OFF_CENTRE:
                cell.start = min(cell.start, first.start)
                cell.end = max(cell.end, last.end)
