"""Which lines may be headings, and what they name."""

import pytest

from outreach_platform.filings.parsing.headings import Heading, find_headings
from outreach_platform.filings.parsing.plain import read_plain


def headings(*lines: str) -> list[Heading]:
    return find_headings(read_plain("\n\n".join(lines)))


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("Item 1. Business", ("1",)),
        ("ITEM 1A — RISK FACTORS", ("1A",)),
        ("Item 7 A. Market Risk", ("7A",)),
        ("ITEM l. BUSINESS", ("1",)),
        ("ITEM l0. DIRECTORS", ("10",)),
        ("ITEM IA. RISK FACTORS", ("1A",)),
        ("ITEM VIII. STATEMENTS", ("8",)),
        ("Item Fourteen. Exhibits", ("14",)),
        ("I T E M  10.  DIRECTORS", ("10",)),
        ("Items 1 and 2. Business and Properties", ("1", "2")),
        ("Items 1. and 2. Business and Properties", ("1", "2")),
        ("Item 7 / 7A. Discussion", ("7", "7A")),
        ("ITEM 1. BUSINESS AND ITEM 2. PROPERTIES", ("1", "2")),
        ("Item 10. Directors & Item 11. Executive Compensation", ("10", "11")),
        ("Item 7. Discussion of what Item 8 shows", ("7",)),
        ("Item 1. Business and the rest of Item 2", ("1",)),
        ("Item 1. Business, 3, Item 2. Properties, 9", ("1",)),
        ("Items 10, 11, 12, 13 and 14", ("10", "11", "12", "13", "14")),
        ("Item 9A(T). Controls and Procedures", ("9A",)),
        ("Item No. 3 Legal Proceedings", ("3",)),
        ("PART II, ITEM 1. LEGAL PROCEEDINGS", ("1",)),
        ("PART I. FINANCIAL INFORMATION - ITEM 2. DISCUSSION", ("2",)),
    ],
)
def test_reads_the_numbers_of_a_heading(line: str, numbers: tuple[str, ...]) -> None:
    found = headings("Before it.", line, "Behind it.")
    assert [heading.numbers for heading in found] == [numbers]
    assert found[0].kind == "item"


@pytest.mark.parametrize(
    "line",
    [
        "Items of clothing are sold in spring.",
        "Item 405 of Regulation S-K is not answered here.",
        '"Item 1A. Risk Factors" says more.',
        "See Item 1A. Risk Factors.",
        "Item 14(d). Schedules",
        "Itemised deductions",
        "Part of the plan",
        "Part III incorporates the proxy statement by reference to what it says.",
        "Signatures are forged now and then.",
    ],
)
def test_leaves_other_lines_alone(line: str) -> None:
    assert headings("Before it.", line, "Behind it.") == []


def test_a_range_is_known_from_a_list() -> None:
    (ranged,) = headings("Items 10 through 14. See the proxy statement.")
    (listed,) = headings("Items 10 and 14. See the proxy statement.")
    assert (ranged.ranged, listed.ranged) == (True, False)
    assert ranged.numbers == listed.numbers == ("10", "14")


def test_a_letter_in_brackets_may_be_a_part_of_the_item() -> None:
    (bracketed,) = headings("Item 1(a). General")
    (plain,) = headings("Item 1A. General")
    assert bracketed.numbers == plain.numbers == ("1A",)
    assert (bracketed.bracketed, plain.bracketed) == (True, False)


@pytest.mark.parametrize(
    ("line", "kind", "part"),
    [
        ("PART II", "part", "part_ii"),
        ("Part I - Financial Information", "part", "part_i"),
        ("P A R T  I V", "part", "part_iv"),
        ("SIGNATURES", "end", ""),
        ("SIGNATURE PAGE", "end", ""),
        ("EXHIBIT INDEX", "end", ""),
        ("INDEX TO EXHIBITS", "end", ""),
    ],
)
def test_knows_parts_and_ends(line: str, kind: str, part: str) -> None:
    (found,) = headings("Before it.", line, "Behind it.")
    assert (found.kind, found.part) == (kind, part)
    assert bool(found.numbers) == ("INDEX" in line)


def test_the_word_and_its_number_may_stand_in_two_lines() -> None:
    document = read_plain("Item\n\n3.\n\nLegal Proceedings\n\nNone.")
    (found,) = find_headings(document)
    assert (found.first, found.last, found.numbers) == (0, 1, ("3",))
    assert find_headings(read_plain("Item\n\nof clothing\n\nNone.")) == []
