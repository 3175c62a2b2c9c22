"""Runs of text on their way to lines: a row of a table is one line, unless a cell holds a page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outreach_platform.filings.parsing.html_style import Style

SPACE = re.compile(r"[\s\u00a0\u200b\u200c\u200d\u2060\ufeff\u00ad]+")
_INVISIBLE = re.compile(r"[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
# Filers put a currency sign, a bracket and a per cent sign into cells of their own.
_MONEY = re.compile(r"(?<![^\s(])([$\u20ac\u00a3\u00a5]) (?=[\d(.\u2013\u2014-])")
_OPENED = re.compile(r"\( (?=[$\u20ac\u00a3\u00a5]?[\d.])")
_CLOSED = re.compile(r"(?<=[\d%\u2013\u2014]) (?=\)|%)|(?<=\)) (?=%)")
_SIGNS = re.compile(r"[$\u20ac\u00a3\u00a5()%]")
_RAISED = str.maketrans(
    "0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)
_NUMBERS = re.compile(r"\d{1,2}(?:,\s?\d{1,2})*")
# A cell of more text than this in several blocks is layout: its paragraphs are lines.
_LAYOUT_CELL = 400
_LONE_CELL = 150


@dataclass(slots=True)
class Run:
    """A piece of a text node.

    Attributes:
        text: as in the tree.
        style: how it looks.
        element: whose text or tail it is.
        tail: whether it is the tail.
        offset: of the piece in its text node.
        opener: the outermost element that begins with this run; None where text stands before it
            in the same element.
    """

    text: str
    style: Style
    element: Any
    tail: bool
    offset: int = 0
    opener: Any = None


# Where a block or a cell begins or ends inside a row.
BREAK = Run("\n", Style(), None, tail=False)
CELL = Run("\t", Style(), None, tail=False)


def row_lines(runs: list[Run], *, layout: bool) -> Iterator[tuple[list[Run], bool]]:
    """The lines of a row: one, or one for each paragraph where the table only lays out a page.

    Args:
        runs: of the row, with `BREAK` and `CELL` between.
        layout: it is known already that the row lays out a page.

    Yields:
        The runs of a line, and whether it is a paragraph of a page.
    """
    cells = [_paragraphs(cell) for cell in _split(runs, CELL)]
    cells = [cell for cell in cells if cell]
    if layout or _is_layout(cells):
        for cell in cells:
            for paragraph in cell:
                yield paragraph, True
        return
    spaced = [run for cell in cells for paragraph in cell for run in (*paragraph, BREAK)]
    if spaced:
        yield spaced, False


def _split(runs: list[Run], mark: Run) -> Iterator[list[Run]]:
    part: list[Run] = []
    for run in runs:
        if run is mark:
            yield part
            part = []
        else:
            part.append(run)
    yield part


def _paragraphs(cell: list[Run]) -> list[list[Run]]:
    """The paragraphs with text of a cell."""
    return [part for part in _split(cell, BREAK) if any(run.text.strip() for run in part)]


def _is_layout(cells: list[list[list[Run]]]) -> bool:
    for cell in cells:
        if len(cell) < 2:
            continue
        length = sum(len(run.text) for paragraph in cell for run in paragraph)
        if length > _LAYOUT_CELL or (len(cells) == 1 and (length > _LONE_CELL or _mixed(cell))):
            return True
    return False


def _mixed(cell: list[list[Run]]) -> bool:
    """Whether one paragraph is a heading of the other."""
    return len({all(run.style.bold for run in part if run.text.strip()) for part in cell}) > 1


def text_of(runs: list[Run], *, row: bool) -> str:
    """The text of a line: white space squeezed, signs joined to their numbers, raised numbers kept.

    A raised number becomes superscript digits, so that a footnote's marker does not melt into the
    number before it: `1,234` and `<sup>1</sup>` read `1,234¹`.
    """
    pieces = [_raised(run.text) if run.style.raised else run.text for run in runs]
    text = "".join(pieces)
    if any(run.style.pre for run in runs):
        text = _INVISIBLE.sub("", text).replace("\u00a0", " ").expandtabs(8).rstrip()
        return text if not row else SPACE.sub(" ", text).strip()
    text = SPACE.sub(" ", text).strip()
    if row and _SIGNS.search(text):
        text = _CLOSED.sub("", _OPENED.sub("(", _MONEY.sub(r"\1", text)))
    return text


def _raised(text: str) -> str:
    return text.translate(_RAISED) if _NUMBERS.fullmatch(text.strip()) else text
