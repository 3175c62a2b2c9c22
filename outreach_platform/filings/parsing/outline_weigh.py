"""What speaks for and against each candidate heading."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from outreach_platform.filings.parsing.contents import Contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.headings import CONTINUED, Heading, extended, title_text
from outreach_platform.filings.parsing.items import Item
from outreach_platform.filings.parsing.outline import ENOUGH, Candidate
from outreach_platform.filings.parsing.titles import Match, match, share_words

# Logarithms of odds, as far as one can say that of a guess: they add up.
WEIGHTS = {
    "said": 2.0,
    "numbered": 1.2,
    "unnumbered": 0.5,
    "title": 2.5,
    "title_like": 1.5,
    "title_unlike": -1.5,
    "bold": 0.7,
    "italic": 0.3,
    "centred": 0.2,
    "capitals": 0.5,
    "run_in": -0.3,
    "anchored": 2.5,
    "part": 1.0,
    "other_part": -1.5,
    "continued": -2.5,
    "mention": -4.0,
    "inside_paragraph": -3.0,
    "no_text": -0.6,
    "long_title": -0.8,
    "page_number": -2.0,
    "text": 0.4,
    "alone": 0.1,
}
_TITLE, _TITLE_LIKE = 0.8, 0.55
_SENTENCE = re.compile(r"^[\s.,;:)\]\"\u201d\u2019-]*[a-z]|^[\"\u201d\u2019,;]")
_PAGE_BEHIND = re.compile(r"^(?:\s*\([^)]{1,30}\))?[\s.\u2026_-]+\d{1,3}\s*$")
_LONGEST_TITLE = 250
# Characters from a heading to the next that make it more than a row of a list.
_TEXT = 1000
_RUN_IN = 120
# What may stand behind the title in the last of its lines, in characters.
_WRAPPED, _COMPLETE = 60, 4
_LONG_TITLE = 100
_SAYS = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|may|should|can|could|would|does|do|see"
    r"|report on form)\b",
    re.I,
)
_ANCHOR_REACH = 3
# A line that ends so sends its reader to what begins the next.
_RUNS_ON = re.compile(
    r"[a-z)]\s+(?:to|in|see|and|or|of|with|under|the|our|by|at|from|for|on|than|that|per)$"
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all candidates of a filing are weighed on.

    Attributes:
        document: the filing.
        headings: all candidates, in the order of the document.
        contents: the lists of items.
        items: the form's catalogue.
        targets: lines that the contents link to.
    """

    document: Document
    headings: Sequence[Heading]
    contents: Contents
    items: tuple[Item, ...]
    targets: frozenset[int]


def weigh(ground: Ground) -> list[Candidate]:
    """All headings that are outside of the contents as candidates for their items."""
    found: list[Candidate] = []
    part = ""
    for place, heading in enumerate(ground.headings):
        if ground.contents.holds(heading.first):
            continue
        if heading.kind == "part":
            part = heading.part
        if heading.kind != "item":
            continue
        for slots in slots_of(heading, ground.items):
            one = weighed(ground, heading, slots, heading.part or part)
            found.append(_with_text(one, ground, place))
    return found


def _with_text(one: Candidate, ground: Ground, place: int) -> Candidate:
    """The candidate, with what the way to the next heading says: a list has no text between."""
    behind = ground.headings[place + 1 :]
    name = ""
    if behind and one.heading.last + 1 >= behind[0].first and one.title_end >= one.heading.end:
        name = "no_text"
    other = next((each for each in behind if each.numbers != one.heading.numbers), None)
    reach = other.start if other else len(ground.document.text)
    if not name and reach - one.title_end > _TEXT:
        name = "text"
    if not name:
        return one
    return replace(one, evidence=one.evidence | {name}, score=one.score + WEIGHTS[name])


def slots_of(heading: Heading, items: tuple[Item, ...]) -> Iterator[tuple[int, ...]]:
    """Each way to read a heading's numbers as items of the form.

    A 10-Q has an Item 1 in both parts. `Item 1(a)` may be the first part of Item 1; `Item 4A` is no
    item and stays in the text of Item 4.
    """
    if heading.bracketed and len(heading.numbers) == 1:
        whole = (heading.numbers[0][:-1],)
        yield from slots_of(replace(heading, numbers=whole, bracketed=False), items)
    for part in dict.fromkeys(item.section_part for item in items):
        slots: list[int] = []
        for number in heading.numbers:
            behind = slots[-1] if slots else -1
            slots += _slot(number, part if not slots else "", behind, items)
        if heading.ranged and len(slots) == 2:
            slots = list(range(slots[0], slots[1] + 1))
        one_part = len({items[slot].section_part for slot in slots}) == 1
        if (
            slots
            and (len(slots) > 1 or len(heading.numbers) == 1)
            and (one_part or part != "part_i")
        ):
            yield tuple(slots)


def _slot(number: str, part: str, behind: int, items: tuple[Item, ...]) -> list[int]:
    found = [
        slot
        for slot, item in enumerate(items)
        if slot > behind and item.number == number and part in ("", item.section_part)
    ]
    return found[:1]


def weighed(
    ground: Ground, heading: Heading, slots: tuple[int, ...], part: str, kind: str = "said"
) -> Candidate:
    """A heading as the heading of certain items, with all that speaks for and against it.

    Args:
        ground: the filing.
        heading: a candidate.
        slots: of its items in the catalogue.
        part: the part it stands in, by the lines before; empty where they do not tell.
        kind: `said` with the word Item, `numbered` without, `unnumbered` with the title alone.
    """
    items = [ground.items[slot] for slot in slots]
    heading, found = _titled(ground.document, heading, items)
    text = title_text(ground.document, heading)
    rest = text[found.end :]
    evidence = {kind, *_style(ground.document, heading)}
    evidence.update(_fit(found, text, rest, len(slots)))
    if "mention" in evidence and _stands_alone(ground.document, heading, rest):
        evidence = evidence - {"mention"} | {"long_title"}
    if any(
        line in ground.targets for line in range(heading.first - _ANCHOR_REACH, heading.last + 1)
    ):
        evidence.add("anchored")
    if part:
        evidence.add("part" if part == items[0].section_part else "other_part")
    evidence.update(_line_before(ground.document, heading))
    run_in = found.end > 0 and (len(rest) > _RUN_IN or len(text) > _LONGEST_TITLE)
    title = text[: found.end] if run_in else text[:_LONGEST_TITLE]
    return Candidate(
        heading=heading,
        slots=slots,
        score=sum(WEIGHTS[name] for name in evidence),
        evidence=frozenset(evidence),
        title=" ".join(title.split()).strip(" .:\u2014\u2013-"),
        title_end=heading.title_start + found.end if run_in else heading.end,
    )


def _fit(found: Match, text: str, rest: str, items: int) -> Iterator[str]:
    if found.likeness >= _TITLE:
        yield "title"
    elif found.likeness >= _TITLE_LIKE:
        yield "title_like"
    elif text and items == 1:
        yield "title_unlike"
    if CONTINUED.search(text[: found.end + 30]):
        yield "continued"
    elif _SENTENCE.match(rest) and (len(rest) > 20 or found.likeness < _TITLE):
        yield "mention"
    if len(rest) > _RUN_IN:
        yield "run_in"
    if found.end and _PAGE_BEHIND.match(rest):
        yield "page_number"


def _stands_alone(document: Document, heading: Heading, rest: str) -> bool:
    """Whether a title that runs on in small letters is still a line of its own, no sentence."""
    if len(rest) > _LONG_TITLE or rest.rstrip()[-1:] in tuple('.;,:)\u201d"') or _SAYS.search(rest):
        return False
    own = document.lines[heading.last]
    if own.bold or own.centred or heading.last + 1 >= len(document.lines):
        return True
    behind = document.lines[heading.last + 1]
    blank = document.text.count("\n", own.end, behind.start) > 1
    return blank or not document.text[behind.start].islower()


def _titled(document: Document, heading: Heading, items: Sequence[Item]) -> tuple[Heading, Match]:
    """The heading with as many lines as its title has, and how well the title fits."""
    best = heading, match(title_text(document, heading), items)
    longer: Heading | None = heading
    for _ in range(3):
        before = title_text(document, longer)
        longer = extended(document, longer)
        if longer is None:
            break
        text = title_text(document, longer)
        found = match(text, items)
        rest = len(text) - found.end
        better = found.likeness > best[1].likeness + 0.05 and found.likeness >= _TITLE_LIKE
        same = found.likeness >= best[1].likeness >= _TITLE and found.end > len(before)
        # A heading beneath often says the title again.
        same = same and not share_words(before, text[len(before) :])
        if (better and rest < _WRAPPED) or (same and rest < _COMPLETE):
            best = longer, found
    return best


def _style(document: Document, heading: Heading) -> Iterator[str]:
    lines = document.lines[heading.first : heading.last + 1]
    text = document.text[heading.start : heading.end][:_LONGEST_TITLE]
    letters = [letter for letter in text if letter.isalpha()]
    if all(line.bold for line in lines):
        yield "bold"
    if all(line.italic for line in lines):
        yield "italic"
    if all(line.centred for line in lines):
        yield "centred"
    if letters and sum(map(str.isupper, letters)) > 0.7 * len(letters):
        yield "capitals"
    if _is_alone(document, heading):
        yield "alone"


def _is_alone(document: Document, heading: Heading) -> bool:
    """Whether a heading is a paragraph of its own, outside of tables."""
    first, last = document.lines[heading.first], document.lines[heading.last]
    before = document.lines[heading.first - 1].end if heading.first else 0
    more = heading.last + 1 < len(document.lines)
    behind = document.lines[heading.last + 1].start if more else len(document.text)
    text = document.text
    parted = text.count("\n", before, first.start) > 1 and text.count("\n", last.end, behind) > 1
    return first.table < 0 and parted


def _line_before(document: Document, heading: Heading) -> Iterator[str]:
    """What the line before tells: whether the heading's line goes on with its sentence."""
    if heading.first == 0 or document.lines[heading.first].table >= 0:
        return
    before = document.lines[heading.first - 1]
    if document.text.count("\n", before.end, heading.start) > 1:
        return
    text = document.line_text(before).rstrip()
    if _RUNS_ON.search(text):
        yield from ("inside_paragraph", "mention")
    elif len(text) > 40 and (text[-1].islower() or text[-1] in ',(\u201c"'):
        yield "inside_paragraph"


def row_slots(ground: Ground) -> Iterator[tuple[Heading, tuple[int, ...]]]:
    """Rows of the contents with the items that they name; of several readings the likeliest."""
    part = ""
    for row in ground.contents.rows:
        if row.kind == "part":
            part = row.part
        if row.kind != "item":
            continue
        readings = [
            weighed(ground, row, slots, row.part or part) for slots in slots_of(row, ground.items)
        ]
        if readings:
            yield row, max(readings, key=lambda one: one.score).slots


def held_slots(candidates: Sequence[Candidate]) -> set[int]:
    """Slots that some candidate can fill."""
    return {slot for one in candidates if one.score >= ENOUGH for slot in one.slots}
