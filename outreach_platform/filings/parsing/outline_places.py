"""Places where an item begins without a heading of its own: by links and by parts."""

import re
from collections import Counter
from collections.abc import Sequence

from outreach_platform.filings.parsing.headings import Heading, title_text
from outreach_platform.filings.parsing.outline import ENOUGH, Candidate
from outreach_platform.filings.parsing.outline_weigh import Ground, held_slots, row_slots

# Above what an item needs in the form's order and out of it, below a heading that says Item.
_LINKED = 4.2
_PART = 2.5
_REACH = 4
# A part's first item without a heading has this much text at least before the next heading.
_TEXT = 2000


def linked_candidates(ground: Ground, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Places that a row of the contents links to, where no heading of an item stands."""
    held = held_slots(candidates)
    headed = {
        line
        for one in candidates
        if one.score >= ENOUGH
        for line in range(one.heading.first, one.heading.last + 1)
    }
    rows = list(row_slots(ground))
    shared = Counter(ground.contents.targets.get(row.first, -1) for row, _ in rows)
    found: list[Candidate] = []
    for row, slots in rows:
        target = ground.contents.targets.get(row.first, -1)
        region = ground.contents.region(row.first)
        if region is None or region.is_index or held & set(slots):
            continue
        if target < 0 or shared[target] > 1 or ground.contents.holds(target):
            continue
        if not headed & set(range(target - 1, target + _REACH)):
            title = re.sub(r"[\s.]*\d{1,3}$", "", title_text(ground.document, row))
            found.append(_placed(ground, target, slots, title, _LINKED, "anchored"))
    return found


def part_candidates(ground: Ground, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The line of Part I, where Item 1 has no heading and the text begins at once."""
    if 0 in held_slots(candidates):
        return []
    part = next(
        (
            heading
            for heading in ground.headings
            if heading.kind == "part"
            and heading.part == "part_i"
            and not ground.contents.holds(heading.first)
        ),
        None,
    )
    if part is None:
        return []
    behind = [
        one.heading.start
        for one in candidates
        if one.score >= ENOUGH and one.heading.first > part.first
    ]
    if min(behind, default=len(ground.document.text)) - part.end < _TEXT:
        return []
    title = title_text(ground.document, part).strip(" .:\u2014\u2013-")
    return [_placed(ground, part.first, (0,), title, _PART, "part_line")]


def _placed(
    ground: Ground, index: int, slots: tuple[int, ...], title: str, score: float, evidence: str
) -> Candidate:
    line = ground.document.lines[index]
    heading = Heading("item", index, index, line.start, line.end, line.start)
    return Candidate(heading, slots, score, frozenset((evidence, "no_heading")), title, line.end)
