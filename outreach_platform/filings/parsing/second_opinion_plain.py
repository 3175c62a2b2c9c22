"""The second opinion on plain text: lines that begin with an item's number, the longest text wins.

It knows no contents, running heads, order or parts: a contents' entry loses because little
text follows it, and a mention because its words are no title. The project's own reader errs
elsewhere, so that agreement of both says something.
"""

import re
from dataclasses import dataclass

from outreach_platform.filings.parsing.gates import Proposal
from outreach_platform.filings.parsing.items import Item, catalogue
from outreach_platform.filings.parsing.titles import match

_OPENING = 200
_HEADING = re.compile(
    r"^[ \t]*items?[ \t]*(\d{1,2})[ \t]?\(?([a-c]?)\)?(?:[ \t]*[.:)\u2013\u2014-]|[ \t]|$)(.*)$",
    re.I | re.M,
)
_END = re.compile(r"^[ \t]*signatures?[ \t]*$", re.I | re.M)
_TITLE_LINES = 4
_LIKE = 0.5
_LATEST = 9999


@dataclass(frozen=True, slots=True)
class _Place:
    item: Item
    start: int


def plain_proposals(text: str, form: str) -> list[Proposal]:
    """The sections that the plain method finds, in the form's order.

    Args:
        text: plain text as filed.
        form: as registered.
    """
    places = _places(text, form)
    if not places:
        return []
    ends = [*(place.start for place in places[1:]), _last_end(text, places)]
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for place, end in zip(places, ends, strict=True):
        held = best.get(place.item.key, (0, 0))
        if end - place.start > held[1] - held[0]:
            best[place.item.key] = (place.start, end)
    found: list[Proposal] = []
    for (part, section_type), (start, end) in sorted(best.items(), key=lambda kept: kept[1]):
        said = text[start:end].strip()
        opening = " ".join(said[:_OPENING].split())
        found.append(Proposal(section_type, part, opening, len(said)))
    return found


def _places(text: str, form: str) -> list[_Place]:
    """Lines that name an item and its title."""
    by_number: dict[str, list[Item]] = {}
    for item in (*catalogue(form, _LATEST), *catalogue(form, 0)):
        if item not in (held := by_number.setdefault(item.section_type, [])):
            held.append(item)
    places: list[_Place] = []
    for found in _HEADING.finditer(text):
        of_number = by_number.get(f"item_{found[1].lstrip('0')}{found[2].lower()}", [])
        if of_number and (item := _item(text, found, of_number)):
            places.append(_Place(item, found.start()))
    return places


def _item(text: str, found: re.Match[str], of_number: list[Item]) -> Item | None:
    """The item whose title follows the number, on its line or over the next ones."""
    best, at_best = None, _LIKE
    title = ""
    for line in text[found.start(3) :].split("\n", _TITLE_LINES)[:_TITLE_LINES]:
        if title and not line.strip() and title.strip():
            break
        title = f"{title} {line}"
        for item in of_number:
            if (like := match(title, [item]).likeness) > at_best:
                best, at_best = item, like
    return best


def _last_end(text: str, places: list[_Place]) -> int:
    """Where the last section ends: at the signatures, else with the text."""
    found = _END.search(text, places[-1].start)
    return found.start() if found else len(text)
