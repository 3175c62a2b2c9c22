"""Choose among the candidates the headings that are the items' own."""

from collections.abc import Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.headings import Heading
from outreach_platform.filings.parsing.items import Item

# Below this a candidate is taken for a mention.
ENOUGH = 2.0
# Where an item is lacking between its neighbours, a heading of its title needs less.
ENOUGH_IN_GAP = 1.0
# Out of the form's order only a heading beyond doubt counts.
ENOUGH_ASTRAY = 4.0


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

    @property
    def reach(self) -> int:
        """The last slot that is behind us: `Items 1 and 2` leaves room for Item 1A."""
        whole = self.slots[-1] - self.slots[0] + 1 == len(self.slots)
        return self.slots[-1] if whole else self.slots[0]


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
    backbone = _once(_backbone([one for one in ordered if one.score >= ENOUGH]))
    taken = {slot for one in backbone for slot in one.slots}
    lines = {one.heading.first for one in backbone}
    strays: list[Candidate] = []
    for one in sorted(ordered, key=lambda one: -one.score):
        if one.score < ENOUGH_ASTRAY or one.heading.first in lines or taken & set(one.slots):
            continue
        strays.append(one)
        taken |= set(one.slots)
        lines.add(one.heading.first)
    astray = frozenset(one.heading.first for one in strays)
    filled = _filled(backbone, [one for one in ordered if not taken & set(one.slots)])
    chosen = sorted([*filled, *strays], key=lambda one: one.heading.first)
    return Outline(items, chosen, astray)


def _filled(chain: Sequence[Candidate], left: Sequence[Candidate]) -> list[Candidate]:
    """The chain with headings of lacking items that stand between the item's neighbours.

    A sentence that begins with an item and its title stands inside of a paragraph, and is none.
    """
    filled = list(chain)
    for one in sorted(left, key=lambda one: -one.score):
        if one.score < ENOUGH_IN_GAP or "title" not in one.evidence or not filled:
            continue
        if "inside_paragraph" in one.evidence:
            continue
        before = [other for other in filled if other.heading.first < one.heading.first]
        behind = [other for other in filled if other.heading.first >= one.heading.first]
        follows = all(
            other.reach < one.slots[0] and other.heading.last < one.heading.first
            for other in before
        )
        if follows and all(
            one.reach < other.slots[0] and one.heading.last < other.heading.first
            for other in behind
        ):
            filled.append(one)
    return filled


def _once(chain: Sequence[Candidate]) -> list[Candidate]:
    """The chain without headings of items that a combined heading before has named."""
    seen: set[int] = set()
    kept: list[Candidate] = []
    for one in chain:
        if not seen & set(one.slots):
            kept.append(one)
            seen |= set(one.slots)
    return kept


def _backbone(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The chain of highest score whose slots ascend; of equal chains the one that is first."""
    best: list[float] = []
    before: list[int] = []
    # By slot: the best chain that reaches no further, and the candidate at its end.
    ends: dict[int, tuple[float, int]] = {}
    waiting: list[int] = []
    for index, one in enumerate(candidates):
        for other in [
            each for each in waiting if candidates[each].heading.last < one.heading.first
        ]:
            waiting.remove(other)
            reach = candidates[other].reach
            if best[other] > ends.get(reach, (0.0, -1))[0]:
                ends[reach] = (best[other], other)
        score, previous = 0.0, -1
        for reach in sorted(ends):
            if reach < one.slots[0] and ends[reach][0] > score:
                score, previous = ends[reach]
        best.append(score + one.score)
        before.append(previous)
        waiting.append(index)
    chain: list[Candidate] = []
    index = max(range(len(best)), key=best.__getitem__) if best else -1
    while index >= 0:
        chain.append(candidates[index])
        index = before[index]
    return chain[::-1]
