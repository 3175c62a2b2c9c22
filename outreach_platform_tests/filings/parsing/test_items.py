"""The catalogue of items by form and year."""

import pytest

from outreach_platform.filings.parsing.items import catalogue, expected, is_quarterly
from outreach_platform.filings.parsing.titles import match

MDA = "Management\u2019s Discussion and Analysis of Financial Condition and Results of Operations"


def keys(form: str, year: int) -> list[tuple[str, str]]:
    return [item.key for item in catalogue(form, year)]


@pytest.mark.parametrize("form", ["10-K", "10-K405", "10-KT/A", "10-Q", "10-Q/A"])
@pytest.mark.parametrize("year", [1994, 2002, 2003, 2024])
def test_a_form_names_each_item_once(form: str, year: int) -> None:
    found = keys(form, year)
    assert len(found) == len(set(found))
    assert is_quarterly(form) == (("part_iii", "item_10") not in found)


def test_item_14_moves_with_the_years() -> None:
    assert [key for key in keys("10-K", 1999) if key[1] == "item_14"] == [("part_iv", "item_14")]
    assert [key for key in keys("10-K", 2010) if key[1] == "item_14"] == [("part_iii", "item_14")]
    assert len([key for key in keys("10-K", 2003) if key[1] == "item_14"]) == 2


def test_expects_what_the_year_had() -> None:
    old = {item.section_type for item in expected("10-K405", 1996)}
    new = {item.section_type for item in expected("10-K", 2024)}
    assert {"item_1", "item_7", "item_8", "item_14"} <= old
    assert not {"item_1a", "item_9a", "item_15"} & old
    assert {"item_1a", "item_9a", "item_15"} <= new
    assert ("part_i", "item_1a") not in keys("10-K", 1999)
    assert ("part_i", "item_1a") in keys("10-K", 2005)


@pytest.mark.parametrize(
    ("words", "number", "part"),
    [
        (MDA, "7", "part_ii"),
        ("MANAGEMENT'S DISCUSSION AND ANALYSIS OF RESULTS OF OPERATIONS", "7", "part_ii"),
        ("Market for the Company's Common Stock and Related Stockholder Matters", "5", "part_ii"),
        ("Financial Statements and Supplemental Data", "8", "part_ii"),
        ("Description of Property", "2", "part_i"),
        ("(Removed and Reserved)", "4", "part_i"),
        ("Principal Accounting Fees and Services", "14", "part_iii"),
    ],
)
def test_knows_the_usual_wordings(words: str, number: str, part: str) -> None:
    items = {(item.number, item.section_part): item for item in catalogue("10-K", 2012)}
    assert match(words, [items[number, part]]).likeness >= 0.8
    assert match("Notes to the statements of a mill", [items[number, part]]).likeness < 0.55


def test_tells_where_the_title_ends_in_a_line_that_runs_on() -> None:
    item = next(item for item in catalogue("10-K", 1997) if item.number == "3")
    found = match("Legal Proceedings. We are a party to no suit.", [item])
    assert "Legal Proceedings. We are"[: found.end] == "Legal Proceedings"


def test_a_combined_title_has_the_words_of_both() -> None:
    one, two = (item for item in catalogue("10-K", 2024) if item.number in ("1", "2"))
    assert match("Business and Properties", [one, two]).likeness == 1.0
    assert match("Cranes and hoists", [one, two]).likeness == 0.0
