"""The items of a filing as sections: where each begins and ends, and how sure that is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.contents import find_contents
from outreach_platform.filings.parsing.cross_index import find_index, index_sections
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.gates import SecondOpinion, doubts
from outreach_platform.filings.parsing.headings import find_headings
from outreach_platform.filings.parsing.items import catalogue
from outreach_platform.filings.parsing.outline import ENOUGH, Candidate, choose
from outreach_platform.filings.parsing.outline_places import first_candidates, linked_candidates
from outreach_platform.filings.parsing.outline_titles import title_candidates
from outreach_platform.filings.parsing.outline_weigh import Ground, held_slots, weigh
from outreach_platform.filings.parsing.sections_build import built
from outreach_platform.filings.parsing.sections_second import with_second
from outreach_platform.filings.parsing.sections_spans import spans_of

# What a doubt takes from the confidence of the section it is about.
_COSTS = {"stub": 0.2, "oversize": 0.25, "equal_texts": 0.3, "gap": 0.15}
# Headings in the text are less than one in this many rows of an index that stands for them.
_FEW = 3
# Headings over more than this share of the text are no index.
_SPREAD = 0.3


def find_sections(
    document: Document, form: str, year: int, *, second: SecondOpinion | None = None
) -> list[Section]:
    """All items of a filing, in the order of the form.

    `document.text[section.start : section.end]` is a section's own text, heading included, without
    white space around it. Sections do not overlap, but for a heading that several items share.

    Args:
        document: the filing's main document.
        form: as filed, for example `10-K405/A`.
        year: of filing.
        second: another extractor over the same filing, asked only where the gates doubt.
    """
    headings = find_headings(document)
    contents = find_contents(document, headings)
    items = catalogue(form, year)
    targets = frozenset(contents.targets.values())
    ground = Ground(document, headings, contents, items, targets)
    candidates = weigh(ground)
    if _by_index_alone(document, candidates, form, year):
        return index_sections(document, form, year)
    sections = _scanned(ground, candidates)
    against = doubts(document, sections, form, year)
    if against and second is not None:
        sections = with_second(document, sections, second(), contents, form, year)
        against = doubts(document, sections, form, year)
    return _doubted(sections, against)


def _by_index_alone(
    document: Document, candidates: Sequence[Candidate], form: str, year: int
) -> bool:
    """Whether an index of pages is the only place that names the items."""
    starts = [one.heading.start for one in candidates if one.score >= ENOUGH]
    if starts and max(starts) - min(starts) > _SPREAD * len(document.text):
        return False
    rows, _ = find_index(document, form, year)
    lines = {row.line for row in rows}
    held = held_slots([one for one in candidates if one.heading.first not in lines])
    return len(held) * _FEW < len(rows)


def _scanned(ground: Ground, candidates: list[Candidate]) -> list[Section]:
    """The sections of the best headings there are, in the order of the form.

    Headings that say Item come first, then places that the contents link to and titles alone.
    """
    more = [*candidates, *linked_candidates(ground, candidates)]
    more += title_candidates(ground, more)
    more += first_candidates(ground, more)
    outline = choose(more, ground.items)
    sections = [
        section
        for span in spans_of(ground.document, outline, ground.headings, ground.contents)
        for section in built(ground.document, ground.items, span)
    ]
    order = {item.key: place for place, item in enumerate(ground.items)}
    return sorted(sections, key=lambda one: order[one.section_part, one.section_type])


def _doubted(sections: Sequence[Section], against: Sequence[dict[str, Any]]) -> list[Section]:
    """The sections with the doubts about them, and less confidence where there are any."""
    kept: list[Section] = []
    for section in sections:
        about = [
            {key: value for key, value in doubt.items() if key not in ("part", "item")}
            for doubt in against
            if (doubt.get("part"), doubt.get("item"))
            == (section.section_part, section.section_type)
        ]
        cost = sum(_COSTS.get(doubt["code"], 0.0) for doubt in about)
        kept.append(
            replace(
                section,
                issues=(*section.issues, *about),
                confidence=max(0.05, section.confidence - cost),
            )
            if about
            else section
        )
    return kept
