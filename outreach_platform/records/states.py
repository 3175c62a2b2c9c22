"""The six states, and how real rows spell them.

A company belongs to one of the six at most: to the one its address_state names in any spelling,
else to the one its state_abbrev names. Either column may hold a code or a name.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from outreach_platform.foundation.errors import UsageError

STATES: dict[str, str] = {
    "WV": "West Virginia",
    "PA": "Pennsylvania",
    "VA": "Virginia",
    "MD": "Maryland",
    "OH": "Ohio",
    "DE": "Delaware",
}

# Older abbreviations that rows still carry, letters only.
_OLDER = {"wva": "WV", "westva": "WV", "penn": "PA", "penna": "PA", "virg": "VA", "del": "DE"}


def _letters(text: str) -> str:
    """The letters of every alphabet: dropping foreign ones would turn other words into states."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalpha())


_SPELLINGS = {
    **{code.lower(): code for code in STATES},
    **{f"us{code.lower()}": code for code in STATES},
    **{_letters(name): code for code, name in STATES.items()},
    **_OLDER,
}


def canonical_state(text: str | None) -> str | None:
    """The two-letter code that a spelling means, None when it is none of the six states.

    Case, spaces, dots and hyphens do not matter: `W. Va.`, ` wv ` and `WEST VIRGINIA` are WV.
    """
    return _SPELLINGS.get(_letters(text)) if text else None


def parse_state(text: str) -> str:
    """Read a state that a user typed.

    Raises:
        UsageError: it is none of the six.
    """
    state = canonical_state(text)
    if state is None:
        raise UsageError(f"{text!r} is no state we serve: choose from {', '.join(STATES)}")
    return state


@dataclass(frozen=True)
class StateCensus:
    """How the companies' state columns are filled: distinct pairs of raw values with counts.

    Attributes:
        rows: (address_state, state_abbrev, number of companies); None where a column is null.
    """

    rows: tuple[tuple[str | None, str | None, int], ...]

    def address_spellings(self, state: str) -> list[str]:
        """Raw values of address_state that mean `state`."""
        return sorted({a for a, _, _ in self.rows if a is not None and canonical_state(a) == state})

    def abbrev_spellings(self, state: str) -> list[str]:
        """Raw values of state_abbrev that mean `state`."""
        return sorted({b for _, b, _ in self.rows if b is not None and canonical_state(b) == state})

    def outvoted_spellings(self, state: str) -> list[str]:
        """Raw values of address_state that mean another of the six where state_abbrev says `state`.

        Rows with them belong to that other state. Usually there are none, and then the source need
        not be asked to compare.
        """
        return sorted(
            {
                a
                for a, b, _ in self.rows
                if a is not None
                and canonical_state(b) == state
                and canonical_state(a) not in (None, state)
            }
        )

    def found(self, state: str) -> int:
        """Number of companies that belong to `state`."""
        return sum(count for a, b, count in self.rows if _state_of(a, b) == state)

    def conflicting(self) -> int:
        """Number of companies whose two columns name two different states of the six."""
        return sum(
            count
            for a, b, count in self.rows
            if (first := canonical_state(a)) and (second := canonical_state(b)) and first != second
        )

    def most_common(self, limit: int = 12) -> list[tuple[str, int]]:
        """The most frequent raw spellings of both columns with their counts, ties by name."""
        counter: Counter[str] = Counter()
        for a, b, count in self.rows:
            for value in {a, b} - {None}:
                counter[str(value)] += count
        return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:limit]


def _state_of(address_state: str | None, state_abbrev: str | None) -> str | None:
    return canonical_state(address_state) or canonical_state(state_abbrev)


def parse_states(texts: Iterable[str]) -> list[str]:
    """Read several states, each once, in the order given.

    Raises:
        UsageError: one of them is none of the six.
    """
    return list(dict.fromkeys(parse_state(text) for text in texts))
