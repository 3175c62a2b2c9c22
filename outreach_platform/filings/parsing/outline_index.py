"""Filings whose items stand in a cross-reference index alone."""

import re
from collections.abc import Sequence
from dataclasses import replace

from outreach_platform.filings.parsing.headings import title_text
from outreach_platform.filings.parsing.outline import Candidate
from outreach_platform.filings.parsing.outline_weigh import Ground, held_slots, row_slots, weighed

# Headings of items outside of the index that a filing may have and still be one by index alone.
_STRAY = 3
_MOST = 0.5
_PAGES = re.compile(
    r"\s+((?:[A-Z]-)?\d{1,3}(?:[\s,;&\u2013\u2014-]|\d|[A-Z]-|and|\([a-z]\))*|\([a-z]\))$"
)


def index_candidates(ground: Ground, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Rows of the index, where it is the only place that names the items; else nothing."""
    held = held_slots(candidates)
    found: dict[int, Candidate] = {}
    for row, slots in row_slots(ground):
        region = ground.contents.region(row.first)
        if region is None or not region.is_index:
            continue
        part = ground.items[slots[0]].section_part
        one = weighed(ground, row, slots, part)
        title, pages = _parted(title_text(ground.document, row))
        evidence = one.evidence | {"row"}
        found[slots[0]] = replace(one, evidence=evidence, title=title, pages=pages)
    few = len(held) <= min(_STRAY, len(found) // 3)
    return list(found.values()) if few and len(found) >= _MOST * len(ground.items) else []


def _parted(text: str) -> tuple[str, str]:
    """The title of a row and its pages."""
    pages = _PAGES.search(text)
    return (text[: pages.start()].strip(), pages[1].strip()) if pages else (text, "")
