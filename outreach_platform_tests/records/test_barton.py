"""Barton ids: their patterns, and ids of new slots."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.records.barton import COMPANY, PERSON, SLOT, slot_id


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1, "04.04.05.01.00001.001"),
        (100, "04.04.05.00.00100.100"),
        (12_345, "04.04.05.45.12345.345"),
        (99_999, "04.04.05.99.99999.999"),
        (100_000, "04.04.05.00.100000.000"),
        (2**63 - 1, "04.04.05.07.9223372036854775807.807"),
    ],
)
def test_slot_ids(number: int, written: str) -> None:
    assert slot_id(number) == written


@given(st.integers(1, 2**63 - 1))
def test_a_slot_id_has_the_form_of_slots_only_and_holds_its_number(number: int) -> None:
    written = slot_id(number)
    assert re.match(SLOT, written)
    assert not re.match(COMPANY, written)
    assert not re.match(PERSON, written)
    assert int(written.split(".")[4]) == number


@pytest.mark.parametrize("number", [0, -1, -100_000])
def test_numbers_that_no_sequence_gives_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"1 or more.* {number}$"):
        slot_id(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", "04.04.05.1.00001.001", "04.04.05.01.0001.001", "04.04.05.01.00001.01"),
        *("04.04.02.01.00001.001", "04-04-05-01-00001-001", "x04.04.05.01.00001.001"),
        *("04.04.05.01.00001.001 ", "04.04.05.01.0000a.001", "04.04.05.01.00001.0011"),
    ],
)
def test_what_is_no_slot_id(text: str) -> None:
    assert not re.match(SLOT, text)
