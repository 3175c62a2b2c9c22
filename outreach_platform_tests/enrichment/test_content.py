"""Content hashes, errors of all forms, and the merge of three versions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.enrichment.content import (
    Conflict,
    content_hash,
    errors_by_column,
    merge,
    source_hash,
)

COLUMNS = ("a", "b", "c")
# Whatever a text of PostgreSQL can hold.
texts = st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=8)
contents = st.fixed_dictionaries(dict.fromkeys(COLUMNS, texts))
few = st.fixed_dictionaries(dict.fromkeys(COLUMNS, st.sampled_from(["x", "y", "z", None])))


@given(contents, contents)
def test_contents_hash_alike_when_they_are_equal_and_only_then(one: dict, other: dict) -> None:
    assert (content_hash(COLUMNS, one) == content_hash(COLUMNS, other)) is (one == other)


@pytest.mark.parametrize(
    "pair",
    list(
        itertools.combinations(
            [
                ("x", "", ""), ("", "x", ""), (None, "x", ""), ("", "x", None), ("x ", "", ""),
                ("x\x1f", "", ""), ("x", "\x1f", ""), ("x|", "", ""), ("x\n", "", ""),
                (None, None, None), ("", "", ""), ("-", "=", ""), ("=", "-", ""), ("-=", "", ""),
            ],
            2,
        )
    ),
)  # fmt: skip
def test_values_never_run_into_one_another(pair: tuple) -> None:
    one, other = (content_hash(COLUMNS, dict(zip(COLUMNS, each, strict=True))) for each in pair)
    assert one != other


def test_a_hash_is_an_md5_that_tomorrow_is_the_same() -> None:
    """Written down: a hash that changed would take every row for changed."""
    assert content_hash(COLUMNS, {"a": "x", "b": None, "c": "ü"}) == WRITTEN_DOWN
    assert content_hash(("b", "a"), {"a": "x"}) != content_hash(("a", "b"), {"a": "x"})


WRITTEN_DOWN = "cf209c0560cfe79f8453ce8dcc5c0792"


def test_a_source_hash_knows_reason_and_errors_whatever_the_order_of_their_keys() -> None:
    row = {"a": "x"}
    errors, turned = {"p": "1", "q": "2"}, {"q": "2", "p": "1"}
    one = source_hash(COLUMNS, row, "R", errors, None)
    assert source_hash(COLUMNS, row, "R", turned, None) == one
    others = [
        source_hash(COLUMNS, {"a": "y"}, "R", errors, None),
        source_hash(COLUMNS, row, "S", errors, None),
        source_hash(COLUMNS, row, "R", None, errors),
        source_hash(COLUMNS, row, "R", {"p": "1"}, None),
        source_hash(COLUMNS, row, "R", ["p: 1", "q: 2"], None),
        source_hash(COLUMNS, row, None, errors, None),
    ]
    assert len({one, *others}) == 7


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (None, {}),
        ({}, {}),
        ([], {}),
        ({"website": "empty"}, {"website": "empty"}),
        ({"n": 5, "x": None, "l": ["a"]}, {"n": "5", "x": "null", "l": '["a"]'}),
        (["website: empty", "email: no: dot"], {"website": "empty", "email": "no: dot"}),
        (["website: a", "website: b"], {"website": "a; b"}),
        (["who knows", "see https://x.test: y"], {"record": "who knows; see https://x.test: y"}),
        ("website: empty", {"website": "empty"}),
        ([{"deep": 1}, 5], {"record": '{"deep": 1}; 5'}),
    ],
)
def test_errors_of_any_form_are_an_object(errors: object, expected: dict) -> None:
    assert errors_by_column(errors) == expected


@given(few, few, few, st.booleans())
def test_a_merge_keeps_what_one_side_changed(
    base: dict, ours: dict, theirs: dict, workspace_wins: bool
) -> None:
    merged = merge(COLUMNS, base=base, workspace=ours, source=theirs, workspace_wins=workspace_wins)
    found = {conflict.column: conflict for conflict in merged.conflicts}
    for c in COLUMNS:
        if ours[c] == theirs[c] or theirs[c] == base[c]:
            assert merged.content[c] == ours[c]
        elif ours[c] == base[c]:
            assert merged.content[c] == theirs[c]
        else:
            winner = "workspace" if workspace_wins else "source"
            assert found.pop(c) == Conflict(c, base[c], ours[c], theirs[c], winner)
            assert merged.content[c] == (ours[c] if workspace_wins else theirs[c])
    assert not found


@given(few, few, few)
def test_a_source_that_is_as_we_left_it_is_no_conflict(
    base: dict, ours: dict, theirs: dict
) -> None:
    merged = merge(
        COLUMNS, base=base, workspace=ours, source=theirs, workspace_wins=False, source_is_ours=True
    )
    assert merged.conflicts == ()
    for c in COLUMNS:
        assert merged.content[c] == (theirs[c] if ours[c] == base[c] else ours[c])


@pytest.mark.parametrize("base", [None, {}, {"b": "x"}])
@pytest.mark.parametrize("workspace_wins", [True, False])
def test_without_a_base_a_value_counts_more_than_none(
    base: dict | None, workspace_wins: bool
) -> None:
    """Where it is known, an emptied value is an edit; a column just added is empty, too."""
    for ours, theirs in (("mine", None), ("mine", " "), (None, "mine"), ("", "mine")):
        merged = merge(
            ("a",), base=base, workspace={"a": ours}, source={"a": theirs},
            workspace_wins=workspace_wins,
        )  # fmt: skip
        assert (merged.content, merged.conflicts) == ({"a": "mine"}, ())
    known = merge(
        ("a",), base={"a": "mine"}, workspace={"a": None}, source={"a": "mine"},
        workspace_wins=workspace_wins,
    )  # fmt: skip
    assert known.content == {"a": None}
    both = merge(
        ("a",), base=base, workspace={"a": "mine"}, source={"a": "theirs"},
        workspace_wins=workspace_wins,
    )  # fmt: skip
    winner = "workspace" if workspace_wins else "source"
    assert both.conflicts == (Conflict("a", None, "mine", "theirs", winner),)
