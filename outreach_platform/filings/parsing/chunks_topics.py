"""Where the topic chunks of a section begin and end."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.chunks_blocks import Block
from outreach_platform.filings.parsing.tokens import TokenIndex, count_tokens

SMALLEST = 500
LARGEST = 1000
OVERLAP = 100
# How far beyond the overlap a chunk may reach back to begin with a sentence.
_REACH = 25
# Small enough that every window holds the end of a piece.
_PIECE = 80
_ROW, _PARAGRAPH, _HEADING = 1, 2, 3
_SENTENCE_END = re.compile(r"[.?!][\"')\]\u2019\u201d]*\s*$")
_SPACE = re.compile(r"\s+")
_NATURAL = re.compile(r"\n+|[.?!;:][\"')\]\u2019\u201d]*\s+")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic chunk, as offsets in `Document.text`.

    Attributes:
        start: offset of its first character, in the overlap.
        core: offset of the first character that the chunk before does not hold.
        end: offset behind its last character.
    """

    start: int
    core: int
    end: int


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Places to cut at, in order: token number, offset and rank of each."""

    tokens: list[int]
    offsets: list[int]
    ranks: list[int]


def cut_topics(text: str, blocks: Sequence[Block], index: TokenIndex, shift: int) -> list[Topic]:
    """Cut a section into topic chunks of `SMALLEST` to `LARGEST` tokens that overlap.

    Only a section of fewer tokens gives a shorter chunk.

    Args:
        text: of the document.
        blocks: of the section, at least one.
        index: the tokens of the section's text.
        shift: offset of the section in the document, where the index counts from 0.
    """
    cuts = _cuts(blocks, index, shift)
    last, total = blocks[-1].end, index.before(blocks[-1].end - shift)
    topics: list[Topic] = []
    start = core = blocks[0].start
    while True:
        first = index.before(start - shift)
        if total - first <= LARGEST:
            topics.append(Topic(start, core, last))
            return topics
        # What is left must make a chunk of its own.
        high = min(first + LARGEST, total - (SMALLEST - OVERLAP))
        # One more, because white space in front of digits counts and is then cut off.
        low = first + SMALLEST + 1
        cut = _best(cuts, low, high) or _cut_inside(text, index, shift, low, high)
        topics.append(Topic(start, core, _rstrip(text, core, cut)))
        core = cut
        start = _overlap_start(text, index, shift, core, start)


def _cuts(blocks: Sequence[Block], index: TokenIndex, shift: int) -> _Cuts:
    places: list[tuple[int, int]] = []
    before = 0
    for block in blocks:
        # A heading stays with what it heads.
        rank = _PARAGRAPH if not before else _ROW - 1
        if block.strength:
            rank = _HEADING + block.strength if not before else _ROW - 1
        places.append((block.start, rank))
        places.extend((row, _ROW) for row in block.rows[1:])
        before = block.strength
    kept = [(offset, rank) for offset, rank in places if rank >= _ROW]
    offsets = [offset for offset, _ in kept]
    return _Cuts([index.before(o - shift) for o in offsets], offsets, [rank for _, rank in kept])


def _best(cuts: _Cuts, low: int, high: int) -> int | None:
    """The best place between two token numbers: the first heading, else the last of its rank."""
    window = range(bisect_left(cuts.tokens, low), bisect_right(cuts.tokens, high))
    if not window:
        return None
    best = max(cuts.ranks[i] for i in window)
    found = [i for i in window if cuts.ranks[i] == best]
    return cuts.offsets[found[0] if best > _HEADING else found[-1]]


def _cut_inside(text: str, index: TokenIndex, shift: int, low: int, high: int) -> int:
    """A place inside a paragraph: the last end of a sentence, else of what semchunk finds."""
    from semchunk.semchunk import chunk

    begin, end = index.start_of(low) + shift, index.start_of(high) + shift
    _, spans = chunk(text[begin:end], _PIECE, count_tokens, memoize=False, offsets=True)
    ends = [begin + int(stop) for _, stop in spans if int(stop) < end - begin]
    sentences = [e for e in ends if _SENTENCE_END.search(text, e - 5, e) and text[e].isspace()]
    for place in (sentences or ends)[-1:]:
        number = index.before(place - shift)
        if low <= number <= high:
            return _skip_space(text, index.start_of(number) + shift)
    return _skip_space(text, end)


def _overlap_start(text: str, index: TokenIndex, shift: int, core: int, before: int) -> int:
    """Where a chunk begins so that it repeats at least `OVERLAP` tokens of the one before."""
    number = index.before(core - shift) - OVERLAP - 1
    near = index.start_of(number) + shift
    far = max(index.start_of(number - _REACH) + shift, before + 1)
    for pattern in (_NATURAL, _SPACE):
        if (place := _last(pattern.finditer(text, far, near))) is not None:
            return _skip_space(text, place)
    return _skip_space(text, near)


def _last(found: Iterable[re.Match[str]]) -> int | None:
    place = None
    for match in found:
        place = match.end()
    return place


def _skip_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _rstrip(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())
