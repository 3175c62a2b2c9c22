"""Where pages end in a document that does not say so: at rules, or at numbers that count them."""

import re
from collections.abc import Sequence

from outreach_platform.filings.parsing.furniture import Furniture, find_furniture

_BARE = re.compile(r"[-\u2013\u2014\[(<\s]*(?:page\s+)?(\d{1,3})[-\u2013\u2014\])>\s]*", re.I)
# So many numbers in a row count pages, when pages are not shorter than so many lines.
_COUNTED = 5
_SHORTEST = 6
# A first page with a number of its own is one of the first.
_FIRST = 9


def paged_furniture(
    texts: Sequence[str],
    pages: Sequence[int],
    tables: Sequence[int],
    links: Sequence[str] = (),
    sheets: Sequence[int] = (),
) -> tuple[Furniture, Sequence[int]]:
    """The furniture of a document, and the pages of its lines.

    Args:
        texts: the document's lines.
        pages: number of page breaks before each.
        tables: index of each line's table, -1 without.
        links: anchor that each line links to, empty without.
        sheets: number of rules across the page before each.

    Returns:
        The furniture, and `pages`; where the document has no page breaks, the pages that its
        numbers prove.
    """
    if not any(pages):
        for proposed in (sheets, counted_pages(texts, tables)):
            found = find_furniture(texts, proposed, tables, links) if any(proposed) else Furniture()
            if found.printed:
                return found, proposed
    return find_furniture(texts, pages, tables, links), pages


def counted_pages(texts: Sequence[str], tables: Sequence[int]) -> list[int]:
    """The page of each line by lines that hold the next number and nothing else; else all 0."""
    ends: list[int] = []
    last = 0
    for index, text in enumerate(texts):
        if tables[index] >= 0 or not (found := _BARE.fullmatch(text)):
            continue
        number = int(found[1])
        follows = number == last + 1 and index - ends[-1] >= _SHORTEST if ends else number <= _FIRST
        if follows:
            ends.append(index)
            last = number
    if len(ends) < _COUNTED:
        return [0] * len(texts)
    pages: list[int] = []
    for page, (start, end) in enumerate(zip([-1, *ends], [*ends, len(texts) - 1], strict=True)):
        pages += [page] * (end - start)
    return pages
