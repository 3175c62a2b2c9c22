"""How like the words of a heading are to the usual titles of items."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from outreach_platform.filings.parsing.items import Item

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_IGNORED = frozenset(
    (
        *("the", "a", "an", "and", "of", "or", "to", "for", "on", "in", "s", "our", "its", "by"),
        *("registrant", "company", "corporation", "partnership", "trust", "issuer"),
    )
)
_SAME_WORDS = {"shareholder": "stockholder", "securityholder": "stockholder", "stock": "equity"}
_OWNER = re.compile(
    r"\s+of\s+(?:the\s+|our\s+|its\s+)?(?:registrant|company|corporation|partnership|trust|issuer)\b",
    re.I,
)
_LONGEST = 400
_OPENING = 60
# A line that heads a financial statement.
STATEMENT_TITLE = re.compile(
    r"^\W*(?:(?:un)?audited\s+)?(?:condensed\s+)?(?:consolidated\s+)?(?:condensed\s+)?"
    r"(?:(?:balance\s+sheets?|statements?\s+of\s+(?:\w+\s+)?(?:cash\s+flows?|operations|income"
    r"|earnings|financial\s+(?:condition|position)))|report\s+of\s+independent\b.*"
    r"|independent\s+auditors?\W{0,2}s?\s+report|notes\s+to\s+.{0,30}financial\s+statements)\W*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Match:
    """The likeness of a heading's words to an item's title.

    Attributes:
        likeness: 0 to 1; 1 for the same words.
        end: offset in the words behind the part that is the title.
    """

    likeness: float
    end: int


def match(text: str, items: Sequence[Item]) -> Match:
    """How the beginning of a text fits the titles of all of the items together.

    Args:
        text: what stands behind the number, title first.
        items: one item, or those that a combined heading names.
    """
    said = _words(text[:_LONGEST])
    if not said:
        return Match(0.0, 0)
    if len(items) > 1:
        return _match_all(said, items)
    best = Match(0.0, 0)
    for wording in items[0].wordings:
        best = max(best, _fit(said, _stems(wording)), key=lambda one: (one.likeness, one.end))
    owner = _OWNER.match(text, best.end) if best.end else None
    return Match(best.likeness, owner.end()) if owner else best


def opening(text: str) -> str:
    """The first word of a text that counts, as titles are compared by; empty without."""
    said = _words(text[:_OPENING])
    return said[0][0] if said else ""


def share_words(one: str, other: str) -> bool:
    """Whether two texts have a word in common that counts in titles."""
    words = {stem for stem, _ in _words(one[:_LONGEST])}
    return any(stem in words for stem, _ in _words(other[:_LONGEST]))


def openings(item: Item) -> frozenset[str]:
    """The words that the item's titles begin with."""
    return frozenset(_stems(wording)[0] for wording in item.wordings)


def _match_all(said: list[tuple[str, int]], items: Sequence[Item]) -> Match:
    """A combined heading names the titles of its items one after another."""
    known = {stem for item in items for wording in item.wordings[:3] for stem in _stems(wording)}
    hits = [index for index, (stem, _) in enumerate(said) if stem in known]
    if not hits:
        return Match(0.0, 0)
    last = hits[-1] if hits[-1] < 3 * len(hits) else hits[0]
    return Match(len([hit for hit in hits if hit <= last]) / (last + 1), said[last][1])


def _fit(said: list[tuple[str, int]], wording: tuple[str, ...]) -> Match:
    """The best beginning of the said words against one wording."""
    expected = set(wording)
    best = Match(0.0, 0)
    shared: set[str] = set()
    seen: set[str] = set()
    for stem, end in said[: len(wording) + 6]:
        seen.add(stem)
        if stem in expected:
            shared.add(stem)
        likeness = 2 * len(shared) / (len(seen) + len(expected))
        if likeness and likeness >= best.likeness:
            best = Match(likeness, end)
    return best


def _words(text: str) -> list[tuple[str, int]]:
    lowered = text.lower().replace("\u2019", "'").replace("\u2018", "'").replace("`", "'")
    if len(lowered) != len(text):
        lowered = text
    found: list[tuple[str, int]] = []
    for word in _WORD.finditer(lowered):
        stem = _stem(word[0])
        if stem not in _IGNORED:
            found.append((_SAME_WORDS.get(stem, stem), word.end()))
    return found


@lru_cache(maxsize=4096)
def _stems(wording: str) -> tuple[str, ...]:
    return tuple(stem for stem, _ in _words(wording))


def _stem(word: str) -> str:
    word = word.removesuffix("'s").rstrip("'")
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
