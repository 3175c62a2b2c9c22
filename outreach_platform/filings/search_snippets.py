"""Where in a chunk the words of a query stand, and the lines around."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from outreach_platform.filings.search_query import Query, pattern_of, words_of
from outreach_platform.filings.search_sql import stems_of

LENGTH = 240
# What stands in front of the match.
_BEFORE = 50
_TOGETHER = LENGTH - _BEFORE
_WORD = re.compile(r"[^\W_]+")
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds a query in texts.

    Attributes:
        phrases: patterns of its phrases.
        terms: the stems of its words.
        stems: the stem of each word of the texts.
    """

    phrases: tuple[re.Pattern[str], ...]
    terms: frozenset[str]
    stems: Mapping[str, str]

    def find(self, text: str) -> int:
        """Offset of the first phrase, else of where most of the words stand together, else 0."""
        for pattern in self.phrases:
            if found := pattern.search(text):
                return found.start()
        places = [
            (found.start(), found.end(), stem)
            for found in _WORD.finditer(text)
            if (stem := self.stems.get(found[0], "")) in self.terms
        ]
        best = most = last = 0
        inside: Counter[str] = Counter()
        for first, (start, _, stem) in enumerate(places):
            while last < len(places) and (last == first or places[last][1] <= start + _TOGETHER):
                inside[places[last][2]] += 1
                last += 1
            if len(inside) > most:
                best, most = start, len(inside)
            inside[stem] -= 1
            if not inside[stem]:
                del inside[stem]
        return best


def make_finder(
    connection: duckdb.DuckDBPyConnection, query: Query, texts: Iterable[str]
) -> Finder:
    """Prepare to find a query in texts.

    Args:
        connection: with the full-text extension loaded; it stems.
        query: what to find.
        texts: all texts that will be searched.
    """
    plain = {word: "".join(words_of(word)) for text in texts for word in set(_WORD.findall(text))}
    stems = stems_of(connection, sorted({*plain.values(), *query.words}))
    return Finder(
        phrases=tuple(re.compile(pattern_of(phrase), re.I) for phrase in query.phrases),
        terms=frozenset(stems[word] for word in query.words),
        stems={word: stems[key] for word, key in plain.items()},
    )


def snippet(text: str, place: int) -> str:
    """Some `LENGTH` characters of a text around a place as one line, cut between words."""
    start = max(0, min(place - _BEFORE, len(text) - LENGTH))
    if start:
        space = re.compile(r"\s").search(text, start, place)
        start = space.end() if space else place
    end = min(len(text), start + LENGTH)
    if end < len(text):
        space = text.rfind(" ", place + 1, end)
        end = space if space > 0 else end
    line = " ".join(text[start:end].split())
    return f"{_ELLIPSIS if start else ''}{line}{_ELLIPSIS if end < len(text) else ''}"
