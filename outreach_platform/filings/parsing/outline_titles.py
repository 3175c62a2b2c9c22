"""Headings that do not say Item: a title alone, or behind a bare number."""

import re
from collections.abc import Iterator, Sequence

from outreach_platform.filings.parsing.headings import Heading, title_text
from outreach_platform.filings.parsing.items import Item
from outreach_platform.filings.parsing.outline import Candidate
from outreach_platform.filings.parsing.outline_weigh import Ground, held_slots, row_slots, weighed
from outreach_platform.filings.parsing.titles import match, opening, openings

_NUMBERED = re.compile(r"^\(?(\d{1,2})\s?\(?([A-Ca-c])?\)?[.):\s\u2013\u2014-]+(?=[A-Z])")
_LONGEST = 160
# Of a long title not every word has to be the usual one.
_SAME, _SAME_LONG = 0.9, 0.8
_LONG, _CLEAR = 5, 3
_BEHIND = re.compile(r"^\s*(?:\([^()]{1,40}\))?[\s.:*)\]\u2013\u2014-]*$")
_STYLED = frozenset(("bold", "capitals", "centred", "italic"))
# Of a part's items fewer than this share carry the word Item: its headings are titles alone.
_FEW = 0.34


def title_candidates(ground: Ground, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Lines that are the title of an item, in parts that do without the word Item."""
    wanted = _wanted(ground, candidates)
    if not wanted:
        return []
    by_word: dict[str, list[int]] = {}
    for slot in wanted:
        for word in openings(ground.items[slot]):
            by_word.setdefault(word, []).append(slot)
    found: list[Candidate] = []
    part = ""
    parts = {heading.first: heading.part for heading in ground.headings if heading.kind == "part"}
    taken = {line for one in candidates for line in _lines(one.heading)}
    for index, line in enumerate(ground.document.lines):
        part = parts.get(index, part)
        if line.end - line.start > _LONGEST or index in taken or ground.contents.holds(index):
            continue
        if line.link in ground.contents.links:
            continue
        found += _titles_at(ground, index, by_word, part)
    return found


def _lines(heading: Heading) -> range:
    return range(heading.first, heading.last + 1)


def _wanted(ground: Ground, candidates: Sequence[Candidate]) -> list[int]:
    """Slots without a heading that says Item, in parts that do without or listed in contents."""
    held = held_slots(candidates)
    listed = {slot for _, slots in row_slots(ground) for slot in slots}
    parts: dict[str, list[int]] = {}
    for slot, item in enumerate(ground.items):
        parts.setdefault(item.section_part, []).append(slot)
    return [
        slot
        for slots in parts.values()
        for slot in slots
        if slot not in held
        and (slot in listed or len(held & set(slots)) < max(1.0, _FEW * len(slots)))
    ]


def _titles_at(
    ground: Ground, index: int, by_word: dict[str, list[int]], part: str
) -> Iterator[Candidate]:
    line = ground.document.lines[index]
    text = ground.document.line_text(line)
    letter = next((letter for letter in text if letter.isalpha()), "a")
    if not letter.isupper():
        return
    number = _NUMBERED.match(text)
    start = line.start + (number.end() if number else 0)
    heading = Heading("item", index, index, line.start, line.end, start)
    for slot in by_word.get(opening(text[start - line.start :]), ()):
        item = ground.items[slot]
        said = f"{number[1]}{(number[2] or '').upper()}" if number else ""
        if (
            said not in ("", item.number)
            or match(text[start - line.start :], [item]).likeness < 0.5
        ):
            continue
        one = weighed(ground, heading, (slot,), part, "numbered" if number else "unnumbered")
        clear = "alone" in one.evidence and len(one.title.split()) >= _CLEAR
        if _is_title(ground, one, item) and (clear or one.evidence & _STYLED):
            yield one


def _is_title(ground: Ground, one: Candidate, item: Item) -> bool:
    """Whether the line says the title and nothing else."""
    text = title_text(ground.document, one.heading)
    found = match(text, [item])
    least = _SAME_LONG if len(text.split()) >= _LONG else _SAME
    return found.likeness >= least and bool(_BEHIND.match(text[found.end :]))
