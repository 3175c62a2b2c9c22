"""What another extractor's sections say of ours: agreement, disagreement, items that we missed."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.contents import Contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.gates import Proposal, doubts
from outreach_platform.filings.parsing.items import Item, catalogue

_AGREED, _DISAGREED = 0.1, -0.2
_ADDED = 0.45
# Words of an opening that must stand in the text in that order.
_WORDS = 10
_FEWEST = 4
# How far from a section's beginning its text may open, in characters.
_NEAR = 400
# Lengths within this factor, or this many characters, are the same.
_FACTOR, _SLACK = 2.0, 1500
_LEAST = 40


def with_second(
    document: Document,
    sections: Sequence[Section],
    proposals: Sequence[Proposal],
    contents: Contents,
    form: str,
    year: int,
) -> list[Section]:
    """Our sections in the light of another extractor's.

    Args:
        document: the filing.
        sections: ours.
        proposals: the other's.
        contents: lists of items, where no section begins.
        form: as filed.
        year: of filing.

    Returns:
        Our sections with their confidence moved and `extractors_disagree` where lengths or places
        differ, and with what only the other found, where it can be placed and makes no doubt worse.
    """
    items = {item.key: item for item in catalogue(form, year)}
    judged = list(sections)
    for proposal in proposals:
        key = _key(proposal, items)
        if key is None:
            continue
        place = next((i for i, one in enumerate(judged) if _same(one, key)), None)
        starts = _places(document, proposal, contents)
        if place is not None:
            judged[place] = _judged(judged[place], proposal, starts)
        elif starts:
            judged = _accepted(document, judged, items[key], starts, form, year)
    return judged


def _key(proposal: Proposal, items: dict[tuple[str, str], Item]) -> tuple[str, str] | None:
    found = [
        key
        for key in items
        if key[1] == proposal.section_type and proposal.section_part in ("", key[0])
    ]
    return found[0] if len(found) == 1 else None


def _same(section: Section, key: tuple[str, str]) -> bool:
    return (section.section_part, section.section_type) == key


def _places(document: Document, proposal: Proposal, contents: Contents) -> list[int]:
    """Offsets of lines where the other's text opens, outside of the contents."""
    words = re.findall(r"\w+", proposal.opening)[:_WORDS]
    if len(words) < _FEWEST:
        return []
    pattern = re.compile(r"\W+".join(map(re.escape, words)), re.I)
    regions = [
        (document.lines[region.first].start, document.lines[region.last].end)
        for region in contents.regions
    ]
    return [
        document.text.rfind("\n", 0, found.start()) + 1
        for found in pattern.finditer(document.text)
        if not any(start <= found.start() < end for start, end in regions)
    ]


def _judged(section: Section, proposal: Proposal, starts: Sequence[int]) -> Section:
    """A section with its confidence after the other's word."""
    ours = section.end - section.start
    near = any(section.start - _NEAR <= start <= section.heading_end + _NEAR for start in starts)
    longer, shorter = max(ours, proposal.length), min(ours, proposal.length)
    alike = longer - shorter <= _SLACK or longer <= _FACTOR * max(shorter, 1)
    if alike and (near or not starts):
        return _moved(section, _AGREED)
    issue: dict[str, Any] = {"code": "extractors_disagree", "length": proposal.length}
    if starts and not near:
        issue["offset"] = starts[0]
    return _moved(section, _DISAGREED, issue)


def _moved(section: Section, by: float, issue: dict[str, Any] | None = None) -> Section:
    issues = (*section.issues, issue) if issue else section.issues
    confidence = max(0.05, min(0.98, section.confidence + by))
    return replace(section, confidence=confidence, issues=issues)


def _accepted(
    document: Document,
    sections: list[Section],
    item: Item,
    starts: Sequence[int],
    form: str,
    year: int,
) -> list[Section]:
    """The sections with a new one at the first place that the gates accept."""
    order = {one.key: place for place, one in enumerate(catalogue(form, year))}
    before = len(doubts(document, sections, form, year))
    for start in starts:
        tried = _inserted(document, sections, item, start, order)
        if tried and len(doubts(document, tried, form, year)) <= before:
            return tried
    return sections


def _inserted(
    document: Document,
    sections: list[Section],
    item: Item,
    start: int,
    order: dict[tuple[str, str], int],
) -> list[Section] | None:
    """The sections with a new one that takes the rest of the one it begins in."""
    place = order[item.key]
    for one in sections:
        slot = order[one.section_part, one.section_type]
        if (slot < place and one.start >= start) or (slot > place and one.start <= start):
            return None
    around = next((one for one in sections if one.start < start < one.end), None)
    behind = [one.start for one in sections if one.start > start]
    end = around.end if around else min(behind, default=len(document.text))
    text = document.text[start:end]
    if len(text.strip()) < _LEAST or (around and around.heading_end > start):
        return None
    made = Section(
        section_type=item.section_type,
        section_part=item.section_part,
        title="",
        start=start,
        end=start + len(text.rstrip()),
        confidence=_ADDED,
        method="edgartools" if document.source == "html" else "plain_text",
        issues=({"code": "second_extractor_only"},),
        heading_end=start,
    )
    kept = [_shortened(document, one, start) if one is around else one for one in sections]
    return sorted([*kept, made], key=lambda one: order[one.section_part, one.section_type])


def _shortened(document: Document, section: Section, end: int) -> Section:
    text = document.text[section.start : end].rstrip()
    return replace(section, end=section.start + len(text))
