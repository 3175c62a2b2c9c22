"""Choose among the candidates the headings that are the items' own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.contents import Contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.headings import (
    CONTINUED,
    Heading,
    extended,
    title_text,
)
from outreach_platform.filings.parsing.items import Item, catalogue
from outreach_platform.filings.parsing.titles import Match, match

# Below this a candidate is taken for a mention.
ENOUGH = 2.0
# Out of the form's order only a heading beyond doubt counts.
ENOUGH_ASTRAY = 4.0
_SENTENCE = re.compile(r"^[\s.,;:)\]\"\u201d\u2019-]*[a-z]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A heading as the heading of certain items.

    Attributes:
        heading: where it stands.
        slots: places of its items in the catalogue, ascending.
        score: what speaks for it; the higher the better.
        evidence: names of what speaks for and against it.
        title: the words of the heading behind the number.
        title_end: offset behind the heading's words.
    """

    heading: Heading
    slots: tuple[int, ...]
    score: float
    evidence: frozenset[str]
    title: str
    title_end: int


@dataclass(frozen=True, slots=True)
class Outline:
    """The chosen headings.

    Attributes:
        items: the form's catalogue, to which the candidates' slots point.
        chosen: in the order of the document.
        astray: those of the chosen that stand out of the form's order.
    """

    items: tuple[Item, ...]
    chosen: list[Candidate]
    astray: frozenset[int]


def choose(candidates: Sequence[Candidate], items: tuple[Item, ...]) -> Outline:
    """The best sequence of candidates.

    The backbone follows the form's order; items it lacks are then looked for elsewhere, because
    some filers put their financial pages first or last.
    """
    ordered = sorted(candidates, key=lambda one: (one.heading.first, one.slots))
    backbone = _backbone([one for one in ordered if one.score >= ENOUGH], items)
    taken = {slot for one in backbone for slot in one.slots}
    lines = {one.heading.first for one in backbone}
    strays: list[Candidate] = []
    for one in sorted(ordered, key=lambda one: -one.score):
        if one.score < ENOUGH_ASTRAY or one.heading.first in lines or taken & set(one.slots):
            continue
        strays.append(one)
        taken |= set(one.slots)
        lines.add(one.heading.first)
    chosen = sorted([*backbone, *strays], key=lambda one: one.heading.first)
    return Outline(items, chosen, frozenset(one.heading.first for one in strays))


def _backbone(candidates: Sequence[Candidate], items: tuple[Item, ...]) -> list[Candidate]:
    """The chain of highest score whose slots ascend."""
    best: list[float] = []
    before: list[int] = []
    for index, one in enumerate(candidates):
        score, previous = 0.0, -1
        for other in range(index):
            behind = candidates[other]
            follows = behind.slots[-1] < one.slots[0]
            if follows and behind.heading.last < one.heading.first and best[other] > score:
                score, previous = best[other], other
        best.append(score + one.score)
        before.append(previous)
    if not best:
        return []
    index = max(range(len(best)), key=best.__getitem__)
    chain: list[Candidate] = []
    while index >= 0:
        chain.append(candidates[index])
        index = before[index]
    return chain[::-1]


def weigh(
    document: Document, headings: Sequence[Heading], contents: Contents, form: str, year: int
) -> list[Candidate]:
    """All headings that are outside of the contents as candidates for their items."""
    items = catalogue(form, year)
    places = {(item.number, item.section_part): slot for slot, item in enumerate(items)}
    targets = set(contents.targets.values())
    found: list[Candidate] = []
    part = ""
    for heading in headings:
        if contents.holds(heading.first):
            continue
        if heading.kind == "part":
            part = heading.part
        if heading.kind != "item":
            continue
        for slots in _slots(heading, places, items):
            found.append(_weighed(document, heading, slots, items, heading.part or part, targets))
    return found


def _slots(
    heading: Heading, places: dict[tuple[str, str], int], items: tuple[Item, ...]
) -> list[tuple[int, ...]]:
    """Each way to read a heading's numbers as items of the form."""
    parts = sorted({item.section_part for item in items})
    if len(heading.numbers) == 1:
        number = heading.numbers[0]
        readings = [number] if any((number, part) in places for part in parts) else [number[:-1]]
        return [
            (places[reading, part],)
            for reading in readings
            for part in parts
            if (reading, part) in places
        ]
    found: list[tuple[int, ...]] = []
    for first in parts:
        start = places.get((heading.numbers[0], first))
        if start is None:
            continue
        slots = [start]
        for number in heading.numbers[1:]:
            behind = [
                slot for (name, _), slot in places.items() if name == number and slot > slots[-1]
            ]
            if behind:
                slots.append(min(behind))
        if heading.ranged and len(slots) == 2:
            slots = list(range(slots[0], slots[1] + 1))
        if len(slots) > 1:
            found.append(tuple(slots))
    return found


def _weighed(
    document: Document,
    heading: Heading,
    slots: tuple[int, ...],
    items: tuple[Item, ...],
    part: str,
    targets: set[int],
) -> Candidate:
    heading, found = _titled(document, heading, [items[slot] for slot in slots])
    text = title_text(document, heading)
    line = document.lines[heading.first]
    evidence: dict[str, float] = {}
    evidence |= _style(document, heading)
    if found.likeness >= 0.8:
        evidence["title"] = 2.5
    elif found.likeness >= 0.55:
        evidence["title_like"] = 1.5
    elif text and len(slots) == 1:
        evidence["title_unlike"] = -1.5
    rest = text[found.end :]
    if CONTINUED.search(text[: found.end + 30]):
        evidence["continued"] = -2.5
    elif _SENTENCE.match(rest) and (len(rest) > 20 or found.likeness < 0.8):
        evidence["mention"] = -4.0
    if len(rest) > 200:
        evidence["run_in"] = -0.3
    near = range(heading.first - 3, heading.last + 1)
    if any(index in targets for index in near):
        evidence["anchored"] = 2.5
    if part:
        same = part == items[slots[0]].section_part
        evidence["part" if same else "other_part"] = 1.0 if same else -1.5
    if _inside_paragraph(document, heading):
        evidence["inside_paragraph"] = -3.0
    score = 2.0 + sum(evidence.values())
    run_in = len(text) > 250 or len(rest) > 120
    end = heading.title_start + found.end if run_in and found.end else heading.end
    title = text[: found.end] if run_in and found.end else text[:250]
    return Candidate(
        heading,
        slots,
        score,
        frozenset(evidence),
        title.strip(" .:\u2014\u2013-"),
        max(end, min(heading.end, line.end) if not run_in else end),
    )


def _titled(document: Document, heading: Heading, items: Sequence[Item]) -> tuple[Heading, Match]:
    """The heading with as many lines as its title has, and how well the title fits."""
    best = heading, match(title_text(document, heading), items)
    longer: Heading | None = heading
    for _ in range(3):
        longer = extended(document, longer) if longer else None
        if longer is None or best[1].likeness >= 0.99:
            break
        found = match(title_text(document, longer), items)
        if found.likeness > best[1].likeness + 0.05 and found.likeness >= 0.5:
            best = longer, found
    return best


def _style(document: Document, heading: Heading) -> dict[str, float]:
    lines = document.lines[heading.first : heading.last + 1]
    text = document.text[heading.start : heading.end][:300]
    letters = [letter for letter in text if letter.isalpha()]
    found: dict[str, float] = {}
    if all(line.bold for line in lines):
        found["bold"] = 0.7
    if all(line.italic for line in lines):
        found["italic"] = 0.3
    if all(line.centred for line in lines):
        found["centred"] = 0.2
    if letters and sum(map(str.isupper, letters)) > 0.7 * len(letters):
        found["capitals"] = 0.5
    return found


def _inside_paragraph(document: Document, heading: Heading) -> bool:
    """Whether the heading's line goes on with a sentence of the line before."""
    if heading.first == 0 or document.lines[heading.first].table >= 0:
        return False
    before = document.lines[heading.first - 1]
    if document.text.count("\n", before.end, heading.start) > 1:
        return False
    text = document.line_text(before).rstrip()
    return len(text) > 40 and text[-1] not in ".:;!?-=_*"
