"""Rows of cells from an HTML table: spans resolved, hidden text and nested tables left out."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from outreach_platform.filings.parsing.grid_numbers import Cell

# What a browser takes at most (HTML standard, section 4.9.11).
_MOST_COLUMNS = 1000
_MOST_ROWS = 65534
# Stand around a bare superscript until somebody has asked for the markers.
RAISED, LOWERED = "\ue000", "\ue001"
_SPACE = re.compile(r"[\s\u00a0\u2000-\u200d\u2060\ufeff\u00ad]+")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_RAISED = re.compile(
    r"vertical-align\s*:\s*(?:super|text-top)|position\s*:\s*relative;\s*top\s*:\s*-"
)
_BOLD = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)")
_BARE = re.compile(r"\s*(?:\d{1,2}|[a-z])(?:\s*,\s*(?:\d{1,2}|[a-z]))*\s*")
_POWER = re.compile(r"(?:\b(?:ft|m|km|cm|mm|mi|yd|in)|\b10|CO)\s?$", re.I)
_INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "big", "cite", "code", "em", "font", "i", "ins", "kbd"),
        *("s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "nobr", "del"),
    )
)
_SKIPPED = frozenset(("table", "script", "style", "head", "title", "template", "noscript"))
_REMEMBERED = 4096
# Rows at the top whose typeface is looked at.
_STYLED_ROWS = 6


def html_rows(table: Any) -> list[list[Cell]]:
    """The rows of a table, each with its cells that hold text, from left to right.

    A cell that spans rows stands in its first one; a cell that spans columns stands once, with
    `start` and `end`. Nested tables are left out: they are tables of their own.

    Args:
        table: the `<table>` element.
    """
    rows: list[list[Cell]] = []
    held: list[tuple[int, int, int]] = []
    for number, elements in enumerate(_rows(table)):
        held = [span for span in held if span[2] > number]
        row, started = _placed(elements, held, number)
        held += started
        rows.append(row)
    return rows


def _rows(parent: Any) -> Iterator[list[Any]]:
    """The `<td>` and `<th>` of each row; cells outside of a row make one."""
    loose: list[Any] = []
    for child in parent:
        tag = child.tag
        if tag in ("td", "th"):
            loose.append(child)
            continue
        if loose:
            yield loose
            loose = []
        if tag == "tr":
            yield from _row(child)
        elif isinstance(tag, str) and tag not in _SKIPPED and tag != "caption":
            yield from _rows(child)
    if loose:
        yield loose


def _row(parent: Any) -> Iterator[list[Any]]:
    """A row's cells; a row that stands inside another is one of its own."""
    cells: list[Any] = []
    inner: list[list[Any]] = []
    for child in parent:
        tag = child.tag
        if tag in ("td", "th"):
            cells.append(child)
        elif tag == "tr":
            inner += _row(child)
        elif isinstance(tag, str) and tag not in _SKIPPED:
            for number, found in enumerate(_row(child)):
                if number:
                    inner.append(found)
                else:
                    cells += found
    if not _is_hidden(parent):
        yield cells
    yield from inner


def _placed(
    elements: list[Any], held: list[tuple[int, int, int]], number: int
) -> tuple[list[Cell], list[tuple[int, int, int]]]:
    """Cells at their columns, right of what is held by cells of rows above.

    Args:
        elements: of one row.
        held: `(start, end, first row that is free again)` of the rows above.
        number: of the row.
    """
    taken = sorted((start, end) for start, end, _ in held)
    row: list[Cell] = []
    started: list[tuple[int, int, int]] = []
    column = at = 0
    for element in elements:
        while at < len(taken) and taken[at][0] <= column:
            column = max(column, taken[at][1])
            at += 1
        attributes = element.attrib
        width = _span(attributes.get("colspan"), _MOST_COLUMNS) if attributes else 1
        height = _span(attributes.get("rowspan"), _MOST_ROWS) if attributes else 1
        text = cell_text(element)
        if text:
            bold = number < _STYLED_ROWS and _is_bold(element)
            row.append(Cell(text, column, column + width, bold))
        if height > 1:
            started.append((column, column + width, number + height))
        column += width
    return row, started


def _span(value: str | None, most: int) -> int:
    if value is None:
        return 1
    digits = value.strip()
    return min(max(int(digits), 1), most) if digits.isascii() and digits.isdigit() else 1


def cell_text(element: Any) -> str:
    """The visible text of a cell, white space made single.

    A bare superscript, `2023<sup>1</sup>`, stands between `RAISED` and `LOWERED`: glued to the
    number it would make another number.
    """
    if not len(element):
        text = element.text
        return _SPACE.sub(" ", text).strip() if text and not _is_hidden(element) else ""
    parts: list[str] = []
    _gather(element, parts)
    return _SPACE.sub(" ", "".join(parts)).strip()


def _gather(element: Any, parts: list[str]) -> None:
    tag = element.tag
    style = element.get("style")
    hidden, raised = _looks(style) if style else (False, False)
    if hidden:
        return
    if tag == "sup" or (raised and tag != "td"):
        _gather_raised(element, parts)
        return
    if element.text:
        parts.append(element.text)
    for child in element:
        name = child.tag
        if isinstance(name, str) and name not in _SKIPPED:
            block = name not in _INLINE and ":" not in name
            if block:
                parts.append(" ")
            _gather(child, parts)
            if block:
                parts.append(" ")
        elif name == "table":
            parts.append(" ")
        if child.tail:
            parts.append(child.tail)


def _gather_raised(element: Any, parts: list[str]) -> None:
    text = "".join(element.itertext())
    if _BARE.fullmatch(text) and not _POWER.search("".join(parts[-2:])):
        parts.append(f"{RAISED}{text.strip()}{LOWERED}")
    else:
        parts.append(text)


def _is_hidden(element: Any) -> bool:
    style = element.get("style")
    return bool(style) and _looks(style)[0]


@lru_cache(_REMEMBERED)
def _looks(style: str) -> tuple[bool, bool]:
    """Whether a style hides and whether it raises; a filing has few styles and many elements."""
    css = style.lower()
    return bool(_HIDDEN.search(css)), bool(_RAISED.search(css))


def _is_bold(element: Any) -> bool:
    if element.tag == "th":
        return True
    for inner in element.iter():
        if inner.tag in ("b", "strong"):
            return True
        style = inner.get("style")
        if style and _BOLD.search(style.lower()):
            return True
    return False
