"""Places where an item begins without a heading of its own: by links and by parts."""

import re
from collections import Counter
from collections.abc import Sequence

from outreach_platform.filings.parsing.headings import Heading, title_text
from outreach_platform.filings.parsing.outline import ENOUGH, Candidate
from outreach_platform.filings.parsing.outline_weigh import Ground, held_slots, row_slots
from outreach_platform.filings.parsing.titles import STATEMENT_TITLE

# Above what an item needs in the form's order and out of it, below a heading that says Item.
_LINKED = 4.2
_PART = 2.5
_REACH = 4
# A part's first item without a heading has this much text at least before the next heading.
_TEXT = 2000
_LONGEST_TITLE = 120
# A statement has so many digits in so many characters behind its title; a list of pages has fewer.
_STATEMENT, _FIGURES = 800, 60


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


def first_candidates(ground: Ground, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where Item 1 begins without a heading: at the line of Part I, or at the first statement."""
    if 0 in held_slots(candidates):
        return []
    behind = [one.heading.start for one in candidates if one.score >= ENOUGH]
    part = _part_line(ground)
    if part is not None:
        reach = min(
            (start for start in behind if start > part.start), default=len(ground.document.text)
        )
        if reach - part.end >= _TEXT:
            title = title_text(ground.document, part).strip(" .:\u2014\u2013-")
            return [_placed(ground, part.first, (0,), title, _PART, "part_line")]
    place = _first_statement(ground)
    if place is None or not _has_statements_first(ground):
        return []
    start = ground.document.lines[place].start
    if min(behind, default=0) - start < _TEXT:
        return []
    title = ground.document.line_text(ground.document.lines[place])
    return [_placed(ground, place, (0,), title, _PART, "statement")]


def _part_line(ground: Ground) -> Heading | None:
    """The first line of Part I outside of the contents."""
    for heading in ground.headings:
        if heading.kind == "part" and not ground.contents.holds(heading.first):
            return heading if heading.part == "part_i" else None
    return None


def _first_statement(ground: Ground) -> int | None:
    """Index of the first line that heads a financial statement outside of the contents."""
    for index, line in enumerate(ground.document.lines):
        if line.end - line.start > _LONGEST_TITLE or line.link or ground.contents.holds(index):
            continue
        text = ground.document.text
        figures = sum(map(str.isdigit, text[line.end : line.end + _STATEMENT]))
        if figures >= _FIGURES and STATEMENT_TITLE.match(text[line.start : line.end]):
            return index
    return None


def _has_statements_first(ground: Ground) -> bool:
    """Whether Item 1 is the financial statements."""
    return "financial statements" in ground.items[0].wordings


def _placed(
    ground: Ground, index: int, slots: tuple[int, ...], title: str, score: float, evidence: str
) -> Candidate:
    line = ground.document.lines[index]
    heading = Heading("item", index, index, line.start, line.end, line.start)
    return Candidate(heading, slots, score, frozenset((evidence, "no_heading")), title, line.end)
