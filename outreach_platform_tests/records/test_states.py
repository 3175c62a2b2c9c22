"""Spellings of the six states, and the census maths."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.foundation.errors import UsageError
from outreach_platform.records.states import (
    STATES,
    StateCensus,
    canonical_state,
    parse_state,
    parse_states,
)

FACTS_SPELLINGS = ["WV", "West Virginia", "WEST VIRGINIA", " wv "]
MORE = {
    "WV": [
        "W. Va.",
        "W.V.",
        "west-virginia",
        "WestVirginia",
        "US-WV",
        "\u00a0WV\t",
        "\uff37\uff36",
    ],
    "PA": ["Penn.", "Penna", "pennsylvania ", "P.A.", "us-pa"],
    "VA": ["Va.", "Virg.", "virginia", "V A"],
    "MD": ["Maryland", "M.D.", "md\n"],
    "OH": ["ohio", "OHIO.", "O H"],
    "DE": ["Del.", "DELAWARE", "d.e."],
}
NOT_SERVED = [
    *("", " ", ".", "-", "n/a", "XX", "W", "West", "New York", "NY", "Virginia Beach", "Kansas"),
    *("West  Virginia University", "Ohioo", "Delhi", "Washington", "PAN", "wvwv", "0", "WV, PA"),
    *("Öh", "Oh\u00e9", "Paé", "дMD", "Dé", "VÄ", "Va\u0301", "ÖOH", "俄亥俄 OH"),
]


@pytest.mark.parametrize("text", FACTS_SPELLINGS)
def test_the_spellings_that_real_rows_have(text: str) -> None:
    assert canonical_state(text) == "WV"


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, texts in MORE.items() for t in texts])
def test_more_spellings(code: str, text: str) -> None:
    assert canonical_state(text) == code
    assert parse_state(text) == code


@pytest.mark.parametrize("text", [None, *NOT_SERVED])
def test_what_is_none_of_the_six(text: str | None) -> None:
    assert canonical_state(text) is None


@pytest.mark.parametrize("text", NOT_SERVED)
def test_a_wrong_state_is_refused_with_the_choice(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_state(text)
    assert repr(text) in str(caught.value)
    assert "WV, PA, VA, MD, OH, DE" in str(caught.value)


def test_states_are_read_once_each_in_order() -> None:
    assert parse_states(["oh", "WV", "Ohio", " wv "]) == ["OH", "WV"]
    assert parse_states([]) == []
    with pytest.raises(UsageError, match="Texas"):
        parse_states(["WV", "Texas"])


NAMES = [(code, text) for code, name in STATES.items() for text in (code, name)]
DECORATION = st.text(alphabet=" \t.-\u00a0\n", max_size=3)


@given(data=st.data(), spelled=st.sampled_from(NAMES))
def test_case_spaces_dots_and_hyphens_do_not_matter(
    data: st.DataObject, spelled: tuple[str, str]
) -> None:
    code, name = spelled
    decorated = data.draw(DECORATION)
    for letter in name:
        decorated += data.draw(st.sampled_from([letter.lower(), letter.upper()]))
        decorated += data.draw(DECORATION)
    assert canonical_state(decorated) == code


@given(st.text(max_size=12))
def test_a_state_is_found_only_by_its_own_letters(text: str) -> None:
    code = canonical_state(text)
    if code is not None:
        letters = [c for c in unicodedata.normalize("NFKC", text) if c.isalpha()]
        assert all(c in string.ascii_letters for c in letters)


TEXTS = st.sampled_from(
    [
        None,
        "",
        "??",
        "WV",
        "wv",
        "West Virginia",
        "PA",
        "pa.",
        "Penn",
        "VA",
        "Virginia",
        "Ohio",
        "TX",
    ]
)
CENSUS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(1, 5)), max_size=25).map(
    lambda rows: StateCensus(tuple({(a, b): (a, b, n) for a, b, n in rows}.values()))
)


def _taken(census: StateCensus, state: str, a: str | None, b: str | None) -> bool:
    """What the pull's WHERE condition says of one company, over the census's spellings."""
    if a in census.address_spellings(state):
        return True
    return b in census.abbrev_spellings(state) and (
        a is None or a not in census.outvoted_spellings(state)
    )


@given(CENSUS)
def test_a_company_is_in_one_state_at_most_and_counted_there(census: StateCensus) -> None:
    taken = dict.fromkeys(STATES, 0)
    for a, b, count in census.rows:
        states = [state for state in STATES if _taken(census, state, a, b)]
        assert len(states) <= 1
        named = canonical_state(a) or canonical_state(b)
        assert states == ([named] if named else [])
        for state in states:
            taken[state] += count
    assert taken == {state: census.found(state) for state in STATES}


def test_census() -> None:
    census = StateCensus(
        (
            ("WV", "WV", 10),
            ("West Virginia", None, 5),
            (None, " wv ", 2),
            ("PA", "WV", 3),
            ("Elsewhere", "WV", 1),
            ("", "wv", 4),
            (None, None, 7),
            ("TX", "OH", 6),
        )
    )
    assert census.address_spellings("WV") == ["WV", "West Virginia"]
    assert census.abbrev_spellings("WV") == [" wv ", "WV", "wv"]
    assert census.outvoted_spellings("WV") == ["PA"]
    assert census.outvoted_spellings("PA") == []
    assert {state: census.found(state) for state in STATES} == {
        **dict.fromkeys(STATES, 0),
        "WV": 22,
        "PA": 3,
        "OH": 6,
    }
    assert census.conflicting() == 3
    assert census.most_common(3) == [("WV", 14), ("OH", 6), ("TX", 6)]


def test_an_empty_census_finds_nothing() -> None:
    census = StateCensus(())
    assert census.found("WV") == census.conflicting() == 0
    assert census.most_common() == census.address_spellings("WV") == []
