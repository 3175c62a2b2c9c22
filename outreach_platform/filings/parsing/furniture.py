"""What a page carries besides its text: running heads, page numbers, links back to the contents.

A line goes only where it repeats at the edge of several pages, or counts them. Rows of a table and
the first of several equal item headings stay.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

# How many lines from the top and from the bottom of a page may be furniture.
_DEEP = 3
_REPEATED = 3
_LONGEST = 120
_PAGE_NUMBER = re.compile(
    r"(?:page\s+)?[-\u2013\u2014\[(\s]*((?:[a-z]{1,2}-)?)(\d{1,3}|[ivxl]{1,6})"
    r"[-\u2013\u2014\])\s.]*(?:of\s+\d{1,3})?",
    re.I,
)
_HEADING = re.compile(r"(?:item|part)\s+[\divx]|table\s+of\s+contents|index\b|signatures?\b", re.I)
_DIGITS = re.compile(r"\d+")
_SPACE = re.compile(r"\s+")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}


def find_furniture(
    texts: Sequence[str], pages: Sequence[int], tables: Sequence[int]
) -> frozenset[int]:
    """Which lines are furniture.

    Args:
        texts: the document's lines.
        pages: number of page breaks before each.
        tables: index of each line's table, -1 without.

    Returns:
        Indexes into `texts`.
    """
    edges = _edges(texts, pages, tables)
    numbers = _page_numbers(texts, pages, edges)
    heads = _running_heads(texts, pages, edges, numbers)
    return frozenset(numbers | heads)


def furniture_notes(dropped: int) -> list[str]:
    """What a document's notes say of what was left out."""
    return [f"left out {dropped} page numbers and running heads"] if dropped else []


def _edges(texts: Sequence[str], pages: Sequence[int], tables: Sequence[int]) -> list[list[int]]:
    """For each page its top lines, then its bottom lines from the edge inwards."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for index, page in enumerate(pages):
        by_page[page].append(index)
    if len(by_page) < _REPEATED:
        return []
    rows: dict[int, int] = defaultdict(int)
    for table in tables:
        rows[table] += 1
    found = []
    for lines in by_page.values():
        for edge in (lines[:_DEEP], lines[: -_DEEP - 1 : -1]):
            found.append(
                [
                    index
                    for index in edge
                    if (tables[index] < 0 or rows[tables[index]] == 1)
                    and len(texts[index]) <= _LONGEST
                ]
            )
    return found


def _page_numbers(texts: Sequence[str], pages: Sequence[int], edges: list[list[int]]) -> set[int]:
    """Lines that hold a number and nothing else, and count the pages."""
    counted: dict[tuple[str, bool], list[tuple[int, int, int]]] = defaultdict(list)
    for position, edge in enumerate(edges):
        for index in edge:
            if found := _PAGE_NUMBER.fullmatch(texts[index]):
                style = (found[1].lower(), position % 2 == 0)
                counted[style].append((pages[index], _value(found[2]), index))
    return {index for row in counted.values() if len(row) >= _REPEATED for index in _counting(row)}


def _counting(row: list[tuple[int, int, int]]) -> set[int]:
    """Those of one style that go up with the pages, beside one of their neighbours."""
    found: set[int] = set()
    for (page, value, index), (next_page, next_value, next_index) in pairwise(row):
        if 0 < next_value - value <= next_page - page + 1:
            found |= {index, next_index}
    return found


def _value(number: str) -> int:
    if number.isdigit():
        return int(number)
    digits = [_ROMAN[letter] for letter in number.lower()]
    return sum(
        -digit if any(later > digit for later in digits[at + 1 : at + 2]) else digit
        for at, digit in enumerate(digits)
    )


def _running_heads(
    texts: Sequence[str], pages: Sequence[int], edges: list[list[int]], numbers: set[int]
) -> set[int]:
    """Lines that stand at the same edge of several pages; only furniture lies further out."""
    repeats = _repeats(texts, pages, edges)
    found: set[int] = set()
    for position, edge in enumerate(edges):
        for index in edge:
            key = (_key(texts[index]), position % 2 == 0)
            if index in numbers:
                continue
            if len(repeats[key]) < _REPEATED:
                break
            if not (_HEADING.match(texts[index]) and pages[index] == min(repeats[key])):
                found.add(index)
    return found


def _repeats(
    texts: Sequence[str], pages: Sequence[int], edges: list[list[int]]
) -> dict[tuple[str, bool], set[int]]:
    repeats: dict[tuple[str, bool], set[int]] = defaultdict(set)
    for position, edge in enumerate(edges):
        for index in edge:
            repeats[_key(texts[index]), position % 2 == 0].add(pages[index])
    return repeats


def _key(text: str) -> str:
    """What stays the same from page to page."""
    return _SPACE.sub(" ", _DIGITS.sub("#", text.casefold())).strip()
