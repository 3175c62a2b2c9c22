"""What a page carries besides its text: running heads, page numbers, links back to the contents.

A line goes only where it repeats at the edge of several pages, or counts them. Rows of a table
stay, and so does the first of several equal lines: it may be the heading itself.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

# How many lines from the top and from the bottom of a page may be furniture.
_DEEP = 6
_REPEATED = 3
_LONGEST = 120
# What looks less like a running head must stand on more pages.
_OFTEN = 5
_NUMBER = re.compile(
    r"(?P<head>(?:.*[^\w.,$(/-])?|[-\u2013\u2014\[(<\s]*)"
    r"(?P<number>(?:[a-z]{1,2}-)?\d{1,3}|(?<!\w)[ivxl]{1,6})"
    r"(?P<tail>[-\u2013\u2014\])>\s.|]*)",
    re.I,
)
_OF = re.compile(r"(?P<head>.*?)(?P<number>\d{1,3})(?P<tail>\s+of\s+\d{1,3}\W*)", re.I)
_LEADING = re.compile(
    r"[-\u2013\u2014\[(<\s|]*(?P<number>\d{1,3})(?P<tail>\s*[|\u2022\u00b7].*|\s{2,}\D.*)"
)
_SIGNS = ("$", "#", "\u20ac", "\u00a3")
_BARE = re.compile(r"[-\u2013\u2014\[(<\s|]*(?:page[\s:]*)?[-\u2013\u2014\[(<\s]*", re.I)
# Words whose number is their own.
_OWN_NUMBER = re.compile(
    r"\W*(?:item|part|note|exhibit|schedule|article|section|chapter|appendix|annex|table|year|"
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december))\b",
    re.I,
)
_ITEM = re.compile(r"\W*(?:item|part)s?\s+[\divx]", re.I)
# A page that names so many items is the table of contents.
_CONTENTS = 5
_KEPT = -1
# Notes below a table, signatures, short answers and reports repeat, and are content each time.
_OWN_CONTENT = re.compile(
    r"[*\u2020\u2021\u00a7\u2070-\u2079\u00b9\u00b2\u00b3]|\(\w{1,2}\)|\W*/s/|\W*(?:none|not\s+applicable|"
    r"n/?a|reserved|omitted|report\s+of\s+independent|signatures?|yes|no)\b",
    re.I,
)
_BACK = re.compile(
    r"\W*(?:(?:back|return|go)\s+to\s+)?(?:the\s+)?(?:table\s+of\s+contents?|contents|toc|index|top"
    r"(?:\s+of\s+page)?)\W*",
    re.I,
)
_CONTINUED = re.compile(r"\W*\(?\bcont(?:inued|['\u2019]?d|\.)\W*$", re.I)
_SPACE = re.compile(r"\s+")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}


@dataclass(frozen=True, slots=True)
class Furniture:
    """What was found.

    Attributes:
        lines: indexes of the lines to leave out.
        printed: the page number as printed, by number of page breaks before the page.
    """

    lines: frozenset[int] = frozenset()
    printed: dict[int, str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What a document's notes say of it."""
        count = len(self.lines)
        return [f"left out {count} page numbers and running heads"] if count else []


@dataclass(frozen=True, slots=True)
class _Edge:
    """A line near the top or the bottom of a page.

    Attributes:
        index: of the line.
        page: of the line.
        key: what stays the same from page to page, and where on the page.
        number: the page number in it, None without.
        printed: the same as printed.
        row: whether it is the only row of a table.
    """

    index: int
    page: int
    key: tuple[str, bool]
    number: int | None
    printed: str
    row: bool = False


def find_furniture(
    texts: Sequence[str], pages: Sequence[int], tables: Sequence[int], links: Sequence[str] = ()
) -> Furniture:
    """Which lines are furniture.

    Args:
        texts: the document's lines.
        pages: number of page breaks before each.
        tables: index of each line's table, -1 without.
        links: anchor that each line links to, empty without.

    Returns:
        The lines, and the numbers that the pages bear.
    """
    back = _back_links(texts, links)
    edges = _edges(texts, pages, tables, back)
    counting = _counting(edges)
    heads = _running_heads(texts, edges, counting)
    heads -= _first(texts, pages, heads)
    printed = {edge.page: edge.printed for rows in edges for edge in rows if edge.index in counting}
    return Furniture(frozenset(counting | heads | back), printed)


def _edges(
    texts: Sequence[str], pages: Sequence[int], tables: Sequence[int], back: set[int]
) -> list[list[_Edge]]:
    """For each page its top lines, then its bottom lines, both from the edge inwards."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for index, page in enumerate(pages):
        if index not in back:
            by_page[page].append(index)
    if len(by_page) < _REPEATED:
        return []
    rows: dict[int, int] = defaultdict(int)
    for table in tables:
        rows[table] += 1
    found: list[list[_Edge]] = []
    for page, lines in by_page.items():
        for top, indexes in ((True, lines[:_DEEP]), (False, lines[: -_DEEP - 1 : -1])):
            row: list[_Edge] = []
            for index in indexes:
                alone = tables[index] < 0 or rows[tables[index]] == 1
                if not alone or len(texts[index]) > _LONGEST:
                    break
                edge = _edge(index, page, texts[index], top)
                row.append(replace(edge, row=True) if tables[index] >= 0 else edge)
            found.append(row)
    return found


def _edge(index: int, page: int, text: str, top: bool) -> _Edge:
    found = None
    if not _OWN_NUMBER.match(text):
        found = _OF.fullmatch(text) or _LEADING.fullmatch(text) or _NUMBER.fullmatch(text)
    if found is None or found.groupdict().get("head", "").rstrip()[-1:] in _SIGNS:
        return _Edge(index, page, (_key(text), top), None, "")
    printed = found["number"]
    words = found["tail"] if "head" not in found.groupdict() else found["head"]
    if not printed[-1].isdigit() and not _BARE.fullmatch(words):
        return _Edge(index, page, (_key(text), top), None, "")
    prefix = printed.rpartition("-")[0].casefold()
    key = f"{prefix}#{'' if _BARE.fullmatch(words) else _key(words)}"
    return _Edge(index, page, (key, top), _value(printed.rpartition("-")[2]), printed)


def _value(number: str) -> int:
    if number.isdigit():
        return int(number)
    digits = [_ROMAN[letter] for letter in number.lower()]
    following = [*digits[1:], 0]
    return sum(
        -digit if later > digit else digit for digit, later in zip(digits, following, strict=True)
    )


def _counting(edges: list[list[_Edge]]) -> set[int]:
    """Lines whose numbers go up with the pages, beside one of their neighbours."""
    kinds: dict[tuple[str, bool], list[_Edge]] = defaultdict(list)
    for row in edges:
        for edge in row:
            if edge.number is not None:
                kinds[edge.key].append(edge)
    found: set[int] = set()
    for kind in kinds.values():
        counted: set[int] = set()
        for one, other in pairwise(kind):
            if 0 < (other.number or 0) - (one.number or 0) <= other.page - one.page + 1:
                counted |= {one.index, other.index}
        if len(counted) >= _REPEATED:
            found |= counted
    return found


def _running_heads(texts: Sequence[str], edges: list[list[_Edge]], counting: set[int]) -> set[int]:
    """Lines that stand at the same edge of pages in a row; only furniture lies further out."""
    repeats: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in edges:
        for edge in row:
            repeats[edge.key].append(edge.page)
    longest = {key: _longest_run(sorted(set(pages))) for key, pages in repeats.items()}
    found: set[int] = set()
    for row in edges:
        for edge in row:
            if edge.index in counting:
                continue
            if edge.number is not None or longest[edge.key] < _wanted(texts[edge.index], edge):
                break
            found.add(edge.index)
    return found


def _longest_run(pages: list[int]) -> int:
    """How many of the pages follow one another; left and right pages may differ."""
    longest = run = 1
    for one, other in pairwise(pages):
        run = run + 1 if other - one <= 2 else 1
        longest = max(longest, run)
    return longest


def _wanted(text: str, edge: _Edge) -> float:
    """On how many pages in a row a line must stand to be furniture."""
    if _OWN_CONTENT.match(text):
        return float("inf")
    sure = edge.key[1] and not edge.row and (text.isupper() or _CONTINUED.search(text))
    return _REPEATED if sure or (_ITEM.match(text) and edge.key[1]) else _OFTEN


def _first(texts: Sequence[str], pages: Sequence[int], found: set[int]) -> set[int]:
    """Of the lines found, those that say what no line before them said.

    For the heading of an item or part a line of the contents does not count, only one on the page
    before.
    """
    wanted = {_key(texts[index]) for index in found}
    items = Counter(page for text, page in zip(texts, pages, strict=True) if _ITEM.match(text))
    seen: dict[str, int] = {}
    first: set[int] = set()
    for index, (text, page) in enumerate(zip(texts, pages, strict=True)):
        if len(text) > _LONGEST or (key := _key(text)) not in wanted:
            continue
        before = seen.get(key)
        if before is not None and _ITEM.match(text) and before != _KEPT:
            before = before if before >= page - 1 and items[before] < _CONTENTS else None
        if index in found and before is None:
            first.add(index)
        if before != _KEPT:
            kept = index in first and items[page] < _CONTENTS
            seen[key] = _KEPT if kept else page
    return first


def _back_links(texts: Sequence[str], links: Sequence[str]) -> set[int]:
    """Links back to the contents, wherever they stand on the page."""
    found = {
        index
        for index, link in enumerate(links)
        if link and len(texts[index]) <= _LONGEST and _BACK.fullmatch(texts[index])
    }
    return found if len(found) >= _REPEATED else set()


def _key(text: str) -> str:
    """What stays the same from page to page: without `(continued)`, in one case."""
    return _SPACE.sub(" ", _CONTINUED.sub("", text).casefold()).strip()
