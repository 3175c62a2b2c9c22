"""Numbers as tables print them: what is a value, and which cells are pieces of one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_SIGN = r"[-\u2013\u2014\u2212+~<>\u2248\u2264\u2265]"
_CURRENCY = (
    r"(?:US\$|C\$|A\$|R\$|HK\$|NT\$|S\$|RMB|USD|EUR|CHF|Rs\.?|[$\u20ac\u00a3\u00a5\u20b9\u20a9])"
)
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
# Bracketed figures and letters, stars and daggers; also braces and square brackets of old texts.
MARKER = (
    r"(?:\((?:\d{1,2}|[a-zA-Z]{1,2}|[ivx]{1,4}|[*\u2020\u2021#+]{1,3})\)"
    r"|\[(?:\d{1,2}|[a-z])\]|\{\d{1,2}\}"
    r"|\*{1,5}|\u2020{1,3}|\u2021{1,3}|\u00a7{1,2}|[\u0394\u2b25\u25c6\u2666\u25ca]"
    r"|[\u00b9\u00b2\u00b3\u2070-\u2079]+)"
)
_UNIT = r"(?:%|x|X|\u00a2|bps|bp|pts?|ppts?|pp|basis points|points?)"
_VALUE = re.compile(
    rf"[(\s]*{_SIGN}?\s*{_CURRENCY}?\s*[(\s]*{_SIGN}?\s*{_CURRENCY}?\s*(?:{_DIGITS})"
    rf"\s*(?:{_UNIT})?\s*\)*\s*(?:{_UNIT})?(?:\s*,?\s*{MARKER})*",
)
_DASH = re.compile(
    rf"{_CURRENCY}?\s*\(?(?:[-\u2013\u2014\u2212\u2012\u2015]+|N/?A|N\.A\.|NM|N/M|n\.m\.|nil)\)?"
    rf"\s*%?(?:\s*{MARKER})*",
    re.I,
)
_YEAR = re.compile(rf"(?:19|20)\d\d\s?(?:[AEFP]\b)?(?:\s*,?\s*{MARKER})*")
_BOUND = rf"[$]?(?:{_DIGITS})\s?%?"
_RANGE = re.compile(rf"({_BOUND})\s*(?:-|\u2013|\u2014|to)\s*({_BOUND})(?:\s*{MARKER})*")
_MARKERS = re.compile(rf"{MARKER}(?:[\s,]*{MARKER})*")
_PREFIX = re.compile(rf"(?:{_CURRENCY}?\s*\(?\s*{_SIGN}?|\(\s*{_CURRENCY})", re.I)
_OPENED = re.compile(
    rf"[(\s]*{_SIGN}?\s*{_CURRENCY}?\s*[(\s]*{_SIGN}?\s*(?:\d|\.\d|\u2014|\u2013|-)"
)
_SUFFIX = re.compile(rf"(?:[)%][)%\s]*|\)?\s*{_UNIT})\s*(?:{MARKER})?", re.I)


# Cells are asked over and over what they are, and many are alike.
_REMEMBERED = 8192
_SUPERSCRIPTS = str.maketrans(
    "0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)


@dataclass(slots=True)
class Cell:
    """A cell with something in it.

    Attributes:
        text: as printed, white space made single.
        start: first column of the source; in plain text the place in the line.
        end: behind the last column.
        bold: bold, or a `<th>`.
    """

    text: str
    start: int
    end: int
    bold: bool = False


def superscript(figures: str) -> str:
    """Figures as superscript figures."""
    return figures.translate(_SUPERSCRIPTS)


@lru_cache(_REMEMBERED)
def is_value(text: str) -> bool:
    """Whether a cell holds a number, bare of words; a year is one too."""
    return bool(_VALUE.fullmatch(text))


@lru_cache(_REMEMBERED)
def is_range(text: str) -> bool:
    """Whether a cell holds two numbers, from and to: `22.7% - 22.9%`; years make none."""
    found = _RANGE.fullmatch(text)
    return found is not None and not (is_year(found[1]) and is_year(found[2]))


@lru_cache(_REMEMBERED)
def is_dash(text: str) -> bool:
    """Whether a cell says that there is no number: a dash, `NM`, `N/A`."""
    return bool(_DASH.fullmatch(text))


@lru_cache(_REMEMBERED)
def is_year(text: str) -> bool:
    """Whether a cell holds a calendar year alone, as a column's header does."""
    return bool(_YEAR.fullmatch(text))


def is_markers(text: str) -> bool:
    """Whether a cell holds footnote markers alone."""
    return bool(_MARKERS.fullmatch(text))


def join_pieces(cells: Sequence[Cell], before: int, behind: int) -> list[Cell]:
    """Join `$`, `(`, `)` and `%` with the number that they belong to.

    Args:
        cells: of one row, from left to right; not changed.
        before: so many empty columns may stand between `$` and its number.
        behind: so many between a number and its `)` or `%`.
    """
    joined: list[Cell] = []
    for cell in cells:
        last = joined[-1] if joined else None
        if last is None or not _belongs(last, cell, before, behind):
            joined.append(Cell(cell.text, cell.start, cell.end, cell.bold))
            continue
        last.text += cell.text if cell.text[0] in ")%(.0123456789" else _spaced(last, cell)
        last.end = cell.end
    return joined


def _belongs(last: Cell, cell: Cell, before: int, behind: int) -> bool:
    gap = cell.start - last.end
    if gap <= before and _PREFIX.fullmatch(last.text) and not is_dash(last.text):
        return bool(_OPENED.match(cell.text))
    if gap > behind or len(cell.text) > 16 or not _SUFFIX.fullmatch(cell.text):
        return False
    if cell.text[0] == ")":
        return last.text.count("(") > last.text.count(")")
    return is_value(last.text) or is_dash(last.text) or bool(_OPENED.match(last.text))


def _spaced(last: Cell, cell: Cell) -> str:
    """Words stand apart from a number (`5 bps`), signs do not."""
    apart = cell.text[0].isalpha() and last.text[-1:].isalnum() and len(cell.text) > 1
    return f" {cell.text}" if apart else cell.text
