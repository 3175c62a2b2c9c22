"""Where the text of each chosen heading ends, so that nothing swallows what follows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from outreach_platform.filings.parsing.contents import Contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.headings import Heading
from outreach_platform.filings.parsing.outline import Candidate, Outline
from outreach_platform.filings.parsing.titles import STATEMENT_TITLE

_SIGNED = re.compile(
    r"pursuant\s+to\s+the\s+requirements?\s+of\s+(?:the\s+)?(?:section|securities)", re.I
)
_DULY = re.compile(
    r"pursuant\s+to\s+the\s+requirements?\s+of\s+(?:section|the\s+securities)[^.]{0,200}?"
    r"(?:15\(d\)[^.]{0,200}?)?duly\s+caused",
    re.I,
)
_EXHIBITS = frozenset(
    (("part_iv", "item_14"), ("part_iv", "item_15"), ("part_iv", "item_16"), ("part_ii", "item_6"))
)
_NEAR = 1500
# A line of the next part further from its first item than this is a running head.
_PART_LEAD = 4000
# Behind the signatures a filing's financial pages are longer than this.
_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Span:
    """A chosen heading with the end of its text.

    Attributes:
        candidate: the heading.
        end: offset behind its last character.
        astray: it stands out of the form's order.
        inside: the item whose text runs on around this one, empty for most.
    """

    candidate: Candidate
    end: int
    astray: bool
    inside: str = ""


@dataclass(frozen=True, slots=True)
class _Page:
    """What the ends of sections are judged on."""

    document: Document
    outline: Outline
    headings: Sequence[Heading]
    contents: Contents

    def key(self, one: Candidate) -> tuple[str, str]:
        return self.outline.items[one.slots[-1]].key


def spans_of(
    document: Document, outline: Outline, headings: Sequence[Heading], contents: Contents
) -> list[Span]:
    """The text of each chosen heading, in the order of the document."""
    page = _Page(document, outline, headings, contents)
    chosen = outline.chosen
    spans: list[Span] = []
    for place, one in enumerate(chosen):
        behind = chosen[place + 1] if place + 1 < len(chosen) else None
        cut = _cut(page, one, behind)
        end = _trimmed(document.text, one.heading.start, cut)
        spans.append(Span(one, end, one.heading.first in outline.astray))
    return _with_appendix(page, spans)


def _cut(page: _Page, one: Candidate, behind: Candidate | None) -> int:
    """Where the first thing that is not the item's begins."""
    document, start = page.document, max(one.heading.end, one.title_end)
    limit = behind.heading.start if behind else len(document.text)
    cuts = [limit]
    for heading in page.headings:
        inside = start <= heading.start < limit and not page.contents.holds(heading.first)
        if inside and _parts(page, heading, one, behind, limit):
            cuts.append(heading.start)
    if own := page.contents.region(one.heading.first):
        cuts.append(document.lines[own.last].end)
    starts = (document.lines[region.first].start for region in page.contents.regions)
    cuts += [first for first in starts if start <= first < limit]
    if behind is None and (signed := _DULY.search(document.text, start)):
        cuts.append(_line_start(document, signed.start()))
    return max(start, min(cuts))


def _parts(
    page: _Page, heading: Heading, one: Candidate, behind: Candidate | None, limit: int
) -> bool:
    """Whether a heading between two items ends the first."""
    if heading.kind == "part":
        now, then = page.key(one)[0], page.key(behind)[0] if behind else ""
        if heading.part == then != now:
            return limit - heading.end < _PART_LEAD
        return behind is not None and not page.document.text[heading.end : limit].strip()
    if heading.kind != "end":
        return False
    if heading.numbers:
        return page.key(one) not in _EXHIBITS and behind is None
    return bool(_SIGNED.search(page.document.text, heading.start, heading.end + _NEAR))


def _with_appendix(page: _Page, spans: list[Span]) -> list[Span]:
    """Exhibits and financial pages behind the signatures go to the item that lists them."""
    if not spans or page.contents.region(spans[-1].candidate.heading.first):
        return spans
    last = spans[-1]
    if page.key(last.candidate) not in _EXHIBITS or last.astray:
        return spans
    end = _appendix_end(page, last.end)
    if end is None:
        return spans
    owner = len(spans) - 1
    if page.key(last.candidate)[1] == "item_16" and owner and _lists_exhibits(page, spans[-2]):
        owner -= 1
        name = page.key(spans[owner].candidate)[1]
        spans[-1] = replace(last, inside=name)
    spans[owner] = replace(spans[owner], end=end)
    return spans


def _lists_exhibits(page: _Page, span: Span) -> bool:
    return page.key(span.candidate) in _EXHIBITS and not span.astray


def _appendix_end(page: _Page, start: int) -> int | None:
    """The end of what stands behind the signatures, where it is more than names."""
    document = page.document
    for heading in page.headings:
        if heading.start >= start and heading.kind == "end" and heading.numbers:
            return len(document.text)
    if len(document.text) - start < _PAGES:
        return None
    titles = {
        document.line_text(line).lower()
        for line in document.lines
        if line.start >= start
        and line.end - line.start < 120
        and STATEMENT_TITLE.match(document.line_text(line))
    }
    return len(document.text) if len(titles) >= 2 else None


def _line_start(document: Document, offset: int) -> int:
    return document.text.rfind("\n", 0, offset) + 1


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end
