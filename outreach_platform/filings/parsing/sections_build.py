"""Sections from a heading and the end of its text; headings that several items share."""

from typing import Any

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.items import Item
from outreach_platform.filings.parsing.sections_spans import Span

# What a passage under a heading of three items and more may say before it counts as a text.
_POINTER = 1500
_NOTE = 400


def built(document: Document, items: tuple[Item, ...], span: Span) -> list[Section]:
    """The sections of a heading: one, or one for each of the items that share it."""
    candidate = span.candidate
    start, end = candidate.heading.start, span.end
    heading_end = min(candidate.title_end, end)
    named = [items[slot] for slot in candidate.slots]
    issues: list[dict[str, Any]] = [{"code": "out_of_order"}] if span.astray else []
    others = [item.section_type for item in named[1:]]

    def made(item: Item, stop: int, issue: dict[str, Any] | None = None) -> Section:
        return Section(
            section_type=item.section_type,
            section_part=item.section_part,
            title=candidate.title,
            start=start,
            end=stop,
            confidence=_confidence(candidate.evidence, span.astray),
            method="plain_text" if document.source == "text" else "heading_scan",
            issues=tuple([*issues, issue] if issue else issues),
            heading_end=min(heading_end, max(stop, start)),
        )

    if span.inside:
        note = document.text[start:end][:_NOTE]
        return [made(named[0], start, {"code": "inside", "item": span.inside, "note": note})]
    if not others:
        return [made(named[0], end)]
    if len(named) >= 3 and end - heading_end <= _POINTER:
        note = document.text[start:end][:_NOTE]
        return [
            made(
                item,
                start,
                {
                    "code": "combined_heading",
                    "with": [other.section_type for other in named if other is not item],
                    "note": note,
                },
            )
            for item in named
        ]
    first = made(named[0], end, {"code": "combined_heading", "with": others})
    shared = {"code": "combined_with", "item": named[0].section_type}
    return [first, *(made(item, heading_end, shared) for item in named[1:])]


def _confidence(evidence: frozenset[str], astray: bool) -> float:
    value = 0.6
    value += 0.2 if "title" in evidence else 0.08 if "title_like" in evidence else 0.0
    value += 0.1 if evidence & {"bold", "capitals", "centred", "italic"} else 0.0
    value += 0.08 if "anchored" in evidence else 0.0
    value -= 0.15 if astray else 0.0
    value -= 0.1 if "unnumbered" in evidence else 0.0
    value -= 0.3 if evidence & {"mention", "inside_paragraph", "continued"} else 0.0
    return max(0.05, min(0.98, value))
