"""Where the text of each chosen heading ends, so that nothing swallows what follows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.contents import Contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.headings import Heading
from outreach_platform.filings.parsing.outline import Candidate, Outline

_SIGNED = re.compile(
    r"pursuant\s+to\s+the\s+requirements?\s+of\s+(?:the\s+)?(?:section|securities)", re.I
)
_NEAR = 1500


@dataclass(frozen=True, slots=True)
class Span:
    """A chosen heading with the end of its text.

    Attributes:
        candidate: the heading.
        end: offset behind its last character.
        astray: it stands out of the form's order.
    """

    candidate: Candidate
    end: int
    astray: bool


def spans_of(
    document: Document, outline: Outline, headings: Sequence[Heading], contents: Contents
) -> list[Span]:
    """The text of each chosen heading, in the order of the document."""
    spans: list[Span] = []
    chosen = outline.chosen
    for index, one in enumerate(chosen):
        behind = chosen[index + 1] if index + 1 < len(chosen) else None
        limit = behind.heading.start if behind else len(document.text)
        cut = _first_cut(document, outline, headings, contents, one, behind, limit)
        end = _trimmed(document.text, one.heading.start, cut)
        spans.append(Span(one, end, one.heading.first in outline.astray))
    return spans


def _first_cut(
    document: Document,
    outline: Outline,
    headings: Sequence[Heading],
    contents: Contents,
    one: Candidate,
    behind: Candidate | None,
    limit: int,
) -> int:
    cuts = [limit]
    part = outline.items[one.slots[-1]].section_part
    next_part = outline.items[behind.slots[0]].section_part if behind else ""
    for heading in headings:
        if not one.heading.end <= heading.start < limit:
            continue
        if contents.holds(heading.first):
            continue
        new_part = heading.kind == "part" and heading.part == next_part != part
        if new_part or (heading.kind == "end" and _signs(document, heading)):
            cuts.append(heading.start)
    for region in contents.regions:
        start = document.lines[region.first].start
        if one.heading.end <= start < limit:
            cuts.append(start)
    return min(cuts)


def _signs(document: Document, heading: Heading) -> bool:
    """Whether a heading opens the signatures."""
    return bool(_SIGNED.search(document.text, heading.start, heading.end + _NEAR))


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end
