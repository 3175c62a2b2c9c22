"""Which tables hold data, and which only lay out a page.

Asked in this order. Without text, with one column, or a table of contents: layout. Numbers in two
rows and two columns: data. The cover's boxes and addresses, signatures, bullets and numbered points
(`•` or `(1)` beside prose): layout. Numbers in two rows: data. Numbers in one row: data, unless it
is a page's head or foot. Words alone: data where two rows have two cells, or a header stands over
one.
"""

import itertools
import re
from collections.abc import Sequence

from outreach_platform.filings.parsing.grid import Grid
from outreach_platform.filings.parsing.grid_numbers import (
    is_dash,
    is_markers,
    is_range,
    is_value,
    is_year,
)

_ITEM = re.compile(r"(?:item|part|note)s?\s*[\divx]+[a-c]?\b", re.I)
_PAGE = re.compile(
    r"(?:[A-Z]{1,2}-?)?\d{1,3}(?:\s*[-\u2013,]\s*(?:[A-Z]-?)?\d{1,3})*|n/?a|\*", re.I
)
_PAGE_HEADER = re.compile(r"pages?(?:\s*(?:no|number|reference)s?\.?)?(?:\(s\))?", re.I)
_POINT = re.compile(r"(?:\(?(?:\d{1,2}|[a-z]|[ivx]{1,5})[.)]|\*{1,4}|[\u2020\u2021+#^])", re.I)
_NOTES = re.compile(r"notes?\s*:|footnotes?\b", re.I)
_BOX = re.compile(
    r"[\u2610\u2611\u2612\u25a1\u25a0\u25fb\u2327\u00fe\u00a8\u00fd\u2713\u2714\u00d8]"
    r"|\[\s*[xX]?\s*\]"
)
_COVER = re.compile(
    r"state or other jurisdiction|employer identification|commission file n"
    r"|exact name of registrant"
    r"|address of principal executive|zip code|telephone number, including area|accelerated filer"
    r"|(?:annual|quarterly|transition) report pursuant|pursuant to section 1[23]"
    r"|emerging growth company"
    r"|smaller reporting company",
    re.I,
)
_SIGNED = re.compile(r"/s/|^\s*by\s*:|^\s*(?:name|title|date|dated)\s*:|attorney-in-fact", re.I)
_RUNNING = re.compile(
    r"table of contents|form 10-[kq]|annual report|\binc\b|\bcorp|\bcompany\b", re.I
)
_BRACKETED = re.compile(r"\([A-Za-z][^()]{5,}\)")
_COVER_PART = 12000
_COVER_CELLS = 2


def is_data(grid: Grid, place: int) -> bool:
    """Whether a table holds data.

    Args:
        grid: of the table; not empty.
        place: offset of the table in the document's text: a cover stands at the front.
    """
    cells = [text for row in grid.body for text in row if text]
    if grid.width < 2 or not cells or _is_contents(grid):
        return False
    numbers = [[_is_number(text) for text in row] for row in grid.body]
    rows = sum(any(row) for row in numbers)
    columns = sum(any(column) for column in zip(*numbers, strict=True))
    if rows > 1 and columns > 1:
        return True
    if _is_cover(grid, cells, place) or _is_signed(grid, cells) or _is_list(grid):
        return False
    return rows > 1 or _is_small_data(grid, cells, rows, columns)


def _is_small_data(grid: Grid, cells: Sequence[str], rows: int, columns: int) -> bool:
    """A table with one row of numbers, or with words alone."""
    headed = sum(1 for text in grid.headers if text)
    if rows == 1:
        return not _is_running(grid, cells) and (headed > 0 or columns > 1 or len(cells) > 3)
    full = sum(1 for row in grid.body if sum(1 for text in row if text) > 1)
    return full > 1 or (full == 1 and headed > 1)


def _is_number(text: str) -> bool:
    return is_value(text) or is_range(text) or (is_dash(text) and text[0] in "$-\u2013\u2014")


def _is_contents(grid: Grid) -> bool:
    """Rows that name items or end in a page number that never falls."""
    filled = [[text for text in row if text] for row in grid.body if any(row)]
    rows = [row for row in filled if len(row) > 1]
    if _is_split_contents(filled):
        return True
    if len(rows) < 2:
        return len(rows) == 1 and bool(_ITEM.match(rows[0][0])) and len(rows[0]) < 4
    items = sum(1 for row in rows if _ITEM.match(row[0]) or _ITEM.match(row[1]))
    pages = [row[-1] for row in rows if _PAGE.fullmatch(row[-1])]
    headed = any(_PAGE_HEADER.fullmatch(text) for text in (*grid.headers, *rows[0]))
    if items * 2 > len(rows) and (len(pages) * 2 >= len(rows) or _wordy(rows)):
        return True
    if not headed or len(pages) * 4 < len(rows) * 3:
        return False
    numbers = [int(re.findall(r"\d+", page)[0]) for page in pages if re.search(r"\d", page)]
    return _rises(numbers)


def _is_split_contents(rows: Sequence[Sequence[str]]) -> bool:
    """Items on rows of their own, and no numbers but pages behind titles."""
    items = sum(1 for row in rows if _ITEM.match(row[0]))
    numbered = [row for row in rows if any(map(_is_number, row))]
    pages = sum(1 for row in numbered if len(row) < 4 and _PAGE.fullmatch(row[-1]))
    return items > 2 and len(numbered) > 2 and pages == len(numbered)


def _wordy(rows: Sequence[Sequence[str]]) -> bool:
    return not any(_is_number(text) and not is_year(text) for row in rows for text in row[1:])


def _rises(numbers: Sequence[int]) -> bool:
    falls = sum(1 for one, after in itertools.pairwise(numbers) if after < one)
    return falls * 10 <= len(numbers)


def _is_cover(grid: Grid, cells: Sequence[str], place: int) -> bool:
    """Boxes to tick, and who files: on the cover, or anywhere if nothing else is in it."""
    boxes = sum(1 for text in cells if _BOX.search(text) and len(text) < 40)
    if boxes and not any(_is_number(text) for text in cells):
        return True
    if place > _COVER_PART:
        return False
    told = sum(1 for text in (*grid.headers, *cells) if _COVER.search(text))
    bracketed = sum(1 for text in cells if _BRACKETED.fullmatch(text))
    return told >= 1 or bracketed >= _COVER_CELLS


def _is_signed(grid: Grid, cells: Sequence[str]) -> bool:
    signed = sum(1 for text in cells if _SIGNED.search(text))
    values = sum(1 for row in grid.body if sum(1 for text in row if _is_number(text)) > 1)
    return signed > 0 and values == 0


def _is_list(grid: Grid) -> bool:
    """Each row is a bullet or a numbered point with prose."""
    if any(grid.headers) and not _NOTES.match(grid.headers[0]):
        return False
    points = 0
    for row in grid.body:
        texts = [text for text in row if text]
        if not _is_point(texts):
            return False
        points += len(texts) > 1
    return points > 0


def _is_point(texts: Sequence[str]) -> bool:
    if len(texts) < 2:
        return not texts or not _is_number(texts[0])
    mark = texts[0]
    if _NOTES.match(mark):
        return True
    if not (len(mark) == 1 or _POINT.fullmatch(mark) or is_markers(mark)):
        return False
    rest = texts[1:]
    if len(rest) > 1 and not all(len(t) == 1 or _POINT.fullmatch(t) for t in rest[:-1]):
        return False
    return not _is_number(rest[-1]) and any(char.isalpha() for char in rest[-1])


def _is_running(grid: Grid, cells: Sequence[str]) -> bool:
    """A page's head or foot: a few words and the page number."""
    if len(grid.body) > 1 or len(cells) > 3 or any(grid.headers):
        return False
    number = sum(1 for text in cells if _PAGE.fullmatch(text))
    return number == 1 and (len(cells) == 1 or any(_RUNNING.search(text) for text in cells))
