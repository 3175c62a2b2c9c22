"""Printed page numbers as places of the document, by its page breaks, page numbers and links."""

import re
from collections import Counter
from typing import Any

from outreach_platform.filings.parsing.document import Document, Line
from outreach_platform.filings.parsing.items import Item
from outreach_platform.filings.parsing.titles import match

_DASH = r"[-\u2010-\u2015\u2212]"
_PAGE = r"(?:[A-Z]{1,2}-?)?\d{1,3}"
_RANGE = re.compile(
    rf"(?<![\w$(.,/]\b)(?<![\w$/(])({_PAGE})(?:\s*(?:{_DASH}|\bto\b|\bthrough\b)\s*({_PAGE}))?(?![\w%/])"
)
_NUMBERED = re.compile(
    r"^(?:[^\d]{0,60}|.{0,60}\s)(?:page\s+)?[-\u2013]?\s*(\d{1,3})\s*[-\u2013]?$", re.I
)
_FIRST = re.compile(r"^(\d{1,3})\s*(?:[|\u2022]|$|\s+[A-Z])")
_HEADING = 120
_NEAR = 2_000
_LIKE = 0.7
# The printed number of a page is trusted when this share of the numbered pages agree.
_AGREE = 0.5
_LEAST = 3


def ranges_in(answer: str) -> list[tuple[str, str]]:
    """The pages of an answer: `4-6, 7-13, 78` gives `("4", "6"), ("7", "13"), ("78", "78")`."""
    return [(first, last or first) for first, last in _RANGE.findall(answer)]


class PageMap:
    """From a printed page number to the lines of that page.

    Args:
        document: with page breaks.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._pages: dict[int, tuple[int, int]] = {}
        for index, line in enumerate(document.lines):
            first, _ = self._pages.get(line.page, (index, index))
            self._pages[line.page] = (first, index)
        self._anchors = {
            anchor: index for index, line in enumerate(document.lines) for anchor in line.anchors
        }
        # The first page of a number: statements and exhibits behind count anew.
        self._printed: dict[str, int] = {}
        for page, printed in sorted(document.printed_pages.items()):
            self._printed.setdefault(printed.upper(), page)
        self._offset = self._printed_offset()

    def resolve(self, first: str, last: str, item: Item, link: str = "") -> dict[str, Any]:
        """Where printed pages stand.

        Args:
            first: the first page as printed, for example `12` or `F-3`.
            last: the last page.
            item: what is looked for; a heading like its title is preferred.
            link: the anchor that the index links to, if any.

        Returns:
            `start` and `end` in `Document.text`, and the `heading` found there; empty where nothing
            tells.
        """
        at = self._anchors.get(link) if link else None
        begins, ends = self._lines_of(first), self._lines_of(last)
        if begins is None and at is None:
            return {}
        from_line = at if at is not None else begins[0] if begins else 0
        lines = self._document.lines
        to_line = max(from_line, ends[1] if ends else from_line)
        place: dict[str, Any] = {"start": lines[from_line].start, "end": lines[to_line].end}
        if heading := self._heading(from_line, to_line, item):
            place["heading"] = heading
        return place

    def _lines_of(self, printed: str) -> tuple[int, int] | None:
        if (page := self._printed.get(printed.upper())) is not None:
            return self._pages.get(page)
        if self._offset is None or not printed.isdigit():
            return None
        return self._pages.get(int(printed) - self._offset)

    def _printed_offset(self) -> int | None:
        """What to take from a printed number to get the count of page breaks before the page."""
        votes: Counter[int] = Counter(
            int(printed) - page
            for page, printed in self._document.printed_pages.items()
            if printed.isdigit()
        )
        lines = self._document.lines
        for page, (first, last) in self._pages.items():
            for index in {last, last - 1, first}:
                if first <= index <= last and (number := self._number(lines[index])) is not None:
                    votes[number - page] += 1
                    break
        if not votes:
            return None
        offset, count = votes.most_common(1)[0]
        return offset if count >= max(_LEAST, _AGREE * votes.total()) else None

    def _number(self, line: Line) -> int | None:
        text = self._document.line_text(line)
        if len(text) > 90:
            return None
        found = _NUMBERED.match(text) or _FIRST.match(text)
        return int(found[1]) if found else None

    def _heading(self, first: int, last: int, item: Item) -> str | None:
        """The line of a place that is like the item's title, else its first heading."""
        found: str | None = None
        for line in self._document.lines[first : last + 1]:
            head = self._head(line)
            if head is None:
                continue
            if match(head, [item]).likeness >= _LIKE:
                return head
            if found is None and line.start - self._document.lines[first].start < _NEAR:
                found = head
        return found

    def _head(self, line: Line) -> str | None:
        """The opening words of a line that looks like a heading: short, bold or in capitals."""
        text = " ".join(self._document.line_text(line).split())
        head = re.split(r"(?<=[a-zA-Z)])\.\s", text, maxsplit=1)[0]
        letters = [c for c in head if c.isalpha()]
        if len(letters) < 4 or len(head) > _HEADING or re.search(r"\d{4}\W*$", head):
            return None
        return head if line.bold or "".join(letters).isupper() else None
