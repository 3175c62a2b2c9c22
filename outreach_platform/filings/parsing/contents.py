"""Tables of contents and indexes that refer items to pages: where they are, what they link to."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.document import Document, Line
from outreach_platform.filings.parsing.headings import Heading, title_text

_PAGE_END = re.compile(
    r"(?:[\s.\u2026_*-]|^)(?:[A-Z]{1,3}-)?(?:\d{1,3}|[ivx]{1,5})"
    r"(?:\s*(?:[,;&]|and|to|through|[-\u2013\u2014])\s*(?:[A-Z]{1,3}-)?\d{1,3})*\s*(?:\([a-z\d]\))?[\s*]*$"
)
_PAGE_RANGES = re.compile(
    r"\d{1,3}\s*[-\u2013\u2014,]\s*\d{1,3}[\s,\d\u2013\u2014-]*(?:,?\s*\([a-z]\))?\s*$"
)
_PAGE_WORD = re.compile(
    r"^\W*(?:page|pages?\s*\(s\)|page no\.?|page number|table of contents|index|\d{1,3}|\W*)\W*$",
    re.I,
)
_WORD = re.compile(r"[a-z]{4,}")
_LONGEST_ROW = 400
_WRAPPED_ROW = 120
_LONGEST_LIST = 1500
# A list without pages and links is one whose items come again, this share of them and so many.
_AGAIN, _MANY = 0.7, 4
_LONGEST_GAP = 8000
_MANY_LINKS = 4


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of lines that lists items without their text.

    Attributes:
        first: index of its first line in `Document.lines`.
        last: index of its last line.
        is_index: it refers items to ranges of pages, or stands behind what it lists.
    """

    first: int
    last: int
    is_index: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What the lists of items tell.

    Attributes:
        regions: in the order of the document.
        rows: headings that are rows of a region.
        targets: line index of the place that a row links to, by the row's first line.
        links: names that few lines link to: those of rows, not those back to the contents.
    """

    regions: list[Region]
    rows: list[Heading]
    targets: dict[int, int]
    links: frozenset[str] = frozenset()

    def holds(self, line: int) -> bool:
        """Whether a line is inside a region."""
        return self.region(line) is not None

    def region(self, line: int) -> Region | None:
        """The region that a line is in."""
        for region in self.regions:
            if region.first <= line <= region.last:
                return region
        return None


def find_contents(document: Document, headings: Sequence[Heading]) -> Contents:
    """Find every table of contents and cross-reference index.

    Args:
        document: the filing.
        headings: all candidates, in the order of the document.
    """
    reader = _Rows(document)
    regions: list[Region] = []
    rows: list[Heading] = []
    for run in _runs(reader, headings):
        _trim(reader, run)
        if run and (_lists_items(reader, run) or _come_again(reader, run, headings)):
            regions.append(_region(reader, run))
            rows += run
    targets = {row.first: target for row in rows if (target := reader.target(row)) is not None}
    links = frozenset(line.link for line in document.lines if line.link) - reader.worn
    return Contents(regions, rows, targets, links)


class _Rows:
    """What is known of the lines as rows of a list."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.lines = document.lines
        counts = Counter(line.link for line in self.lines if line.link)
        self.worn = {link for link, count in counts.items() if count > _MANY_LINKS}
        self.anchors: dict[str, int] = {}
        for index, line in enumerate(self.lines):
            for name in line.anchors:
                self.anchors.setdefault(name, index)

    def is_row(self, line: Line) -> bool:
        """Whether a line has the looks of a row: a link of its own, or a page number behind."""
        if line.end - line.start > _LONGEST_ROW:
            return False
        if line.link and line.link not in self.worn:
            return True
        text = self.document.line_text(line)
        return bool(_PAGE_END.search(text) or _PAGE_WORD.match(text))

    def tells_page(self, heading: Heading) -> bool:
        """Whether a heading is a row, or its page number stands in the line behind."""
        if any(self.is_row(line) for line in self.lines[heading.first : heading.last + 1]):
            return True
        behind = self.lines[heading.last + 1 : heading.last + 3]
        return any(
            self.document.line_text(line).strip(" .").isdigit()
            or (
                line.end - line.start < _LONGEST_ROW
                and bool(line.link)
                and line.link not in self.worn
            )
            for line in behind
        )

    def key(self, heading: Heading) -> tuple[object, ...]:
        """What makes two headings of a run the same."""
        title = title_text(self.document, heading).lower() if heading.kind == "item" else ""
        word = _WORD.search(title)
        return heading.kind, heading.part, heading.numbers, word[0] if word else ""

    def target(self, row: Heading) -> int | None:
        """Index of the line that a row links to."""
        for line in self.lines[row.first : row.last + 2]:
            if line.link and line.link not in self.worn and line.link in self.anchors:
                return self.anchors[line.link]
        return None

    def gap_is_rows(self, one: Heading, other: Heading) -> bool:
        """Whether between two headings there is nothing but rows of a list."""
        start = self.lines[one.last].end
        if self.lines[other.first].start - start > _LONGEST_GAP:
            return False
        between = self.lines[one.last + 1 : other.first]
        are_rows = self._rows_of(between)
        total = sum(line.end - line.start for line in between)
        rows = sum(
            line.end - line.start for line, row in zip(between, are_rows, strict=True) if row
        )
        slack = 40 if any(are_rows) or self.tells_page(one) else 0
        listed = total < _LONGEST_LIST and all(map(self._is_listed, between))
        return listed or total - rows <= max(0.3 * total if total > 150 else 0, slack)

    def _is_listed(self, line: Line) -> bool:
        """Whether a line is short and no sentence."""
        ended = self.document.text[line.end - 1] in ".;:"
        return line.end - line.start < _WRAPPED_ROW and not ended

    def _rows_of(self, lines: Sequence[Line]) -> list[bool]:
        """Which lines are rows; a row may run over some lines before its page number comes."""
        found = [self.is_row(line) for line in lines]
        for index in range(len(lines) - 2, -1, -1):
            line = lines[index]
            ended = self.document.text[line.end - 1] in ".;"
            short = line.end - line.start < _WRAPPED_ROW
            if not found[index] and found[index + 1] and short and not ended:
                found[index] = True
        return found


def _trim(reader: _Rows, run: list[Heading]) -> None:
    """Leave the first headings behind a list out of it."""
    paged = any(map(reader.tells_page, run))
    while run and (run[-1].kind == "part" or (paged and not reader.tells_page(run[-1]))):
        run.pop()


def _runs(reader: _Rows, headings: Sequence[Heading]) -> list[list[Heading]]:
    """Headings with nothing but rows between them; a run ends where a heading comes again."""
    runs: list[list[Heading]] = []
    seen: set[tuple[object, ...]] = set()
    for heading in headings:
        key = reader.key(heading)
        if runs and key not in seen and reader.gap_is_rows(runs[-1][-1], heading):
            runs[-1].append(heading)
        else:
            runs.append([heading])
            seen = set()
        seen.add(key)
    return runs


def _lists_items(reader: _Rows, run: Sequence[Heading]) -> bool:
    items = [heading for heading in run if heading.kind == "item"]
    if len({(heading.numbers, heading.part) for heading in items}) < 3:
        return False
    telling = sum(map(reader.tells_page, items))
    return telling >= 3 and telling >= 0.4 * len(items)


def _come_again(reader: _Rows, run: Sequence[Heading], headings: Sequence[Heading]) -> bool:
    """Whether the items of a run stand again behind it, where their text is."""
    named = {reader.key(heading) for heading in run if heading.kind == "item"}
    if len(named) < _MANY:
        return False
    behind = {reader.key(heading) for heading in headings if heading.first > run[-1].last}
    return len(named & behind) >= _AGAIN * len(named)


def _region(reader: _Rows, run: Sequence[Heading]) -> Region:
    first, last = run[0].first, run[-1].last
    while last + 1 < len(reader.lines) and last < run[-1].last + 40:
        line = reader.lines[last + 1]
        if not reader.is_row(line):
            break
        last += 1
    ranges = sum(
        bool(_PAGE_RANGES.search(reader.document.line_text(reader.lines[heading.last])))
        for heading in run
    )
    behind = reader.lines[first].start > 0.5 * len(reader.document.text)
    return Region(first, last, is_index=behind or ranges >= 3)
