"""Where sections end, and headings that several items share."""

from itertools import pairwise

import pytest

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.filings.parsing.reports import (
    QUARTER,
    YEAR_2024,
    bold,
    contents,
    keys,
    page,
    texts,
    told,
)

STATEMENTS = (
    f"<p><b>CONSOLIDATED BALANCE SHEETS</b></p><p>{told(90, 90)}</p>"
    f"<p><b>CONSOLIDATED STATEMENTS OF OPERATIONS</b></p><p>{told(91, 90)}</p>"
)
INDEX = "<p><b>EXHIBIT INDEX</b></p><p>3.1 By-laws of the company, as amended.</p>"


def by_type(document: Document) -> dict[str, Section]:
    return {one.section_type: one for one in find_sections(document, "10-K", 2024)}


def shared(numbers: tuple[str, ...], heading: str):
    """Headings where the first of the numbers has a heading for all of them."""

    def head(number: str, title: str) -> str:
        if number == numbers[0]:
            return f"<p><b>{heading}</b></p>"
        return "" if number in numbers else bold(number, title)

    return head


def test_the_last_item_ends_before_the_signatures() -> None:
    for text in (
        texts(page(bold))["part_iv item_16"],
        texts(page(bold, QUARTER), "10-Q", 2020)["part_ii item_6"],
    ):
        assert "Row" in text
        assert "SIGNATURES" not in text
        assert "duly caused" not in text


def test_signatures_without_a_heading_end_the_last_item_too() -> None:
    document = page(bold, YEAR_2024[:-1])
    headless = page(bold, (*YEAR_2024[:-1],), bodies={"15": "<p>None.</p>"})
    assert "duly" not in texts(document)["part_iv item_15"]
    assert texts(headless)["part_iv item_15"].endswith("None.")


@pytest.mark.parametrize("behind", [STATEMENTS, INDEX])
def test_what_stands_behind_the_signatures_belongs_to_the_exhibits(behind: str) -> None:
    document = page(bold, behind=behind)
    found = by_type(document)
    assert found["item_15"].end == len(document.text)
    summary = found["item_16"]
    assert summary.start == summary.end
    assert summary.issues[0]["code"] == "inside"
    assert "Form 10-K Summary" in summary.issues[0]["note"]


def test_names_behind_the_signatures_belong_to_nobody() -> None:
    document = page(bold, behind=f"<p>A. Miller, Director</p><p>{told(90)}</p>")
    assert by_type(document)["item_16"].end < document.text.index("SIGNATURES")


def test_a_part_ends_the_item_before_it() -> None:
    found = texts(page(bold, contents=contents(YEAR_2024)))
    assert "PART II" not in found["part_i item_4"]
    assert "PART II" not in found["part_ii item_5"]


def test_sections_do_not_overlap() -> None:
    document = page(bold, contents=contents(YEAR_2024), behind=INDEX)
    found = sorted(find_sections(document, "10-K", 2024), key=lambda one: one.start)
    filled = [section for section in found if section.end > section.start]
    assert len(filled) >= len(found) - 1
    for one, behind in pairwise(filled):
        assert one.end <= behind.start
    for section in filled:
        text = document.text[section.start : section.end]
        assert text == text.strip()
        assert section.start < section.heading_end <= section.end


@pytest.mark.parametrize(
    "heading", ["Items 1 and 2. Business and Properties", "Item 1. Business and Item 2. Properties"]
)
def test_the_first_of_two_items_has_their_text(heading: str) -> None:
    head = shared(("1", "2"), heading)
    document = page(head, bodies={"1": f"<p>{told(1)}</p>", "2": ""})
    found = by_type(document)
    assert len(found) == len(keys(YEAR_2024))
    assert told(1, 1).strip() in document.text[found["item_1"].start : found["item_1"].end]
    assert {"code": "combined_heading", "with": ["item_2"]} in found["item_1"].issues
    properties = found["item_2"]
    assert document.text[properties.start : properties.end] == heading
    assert "Row" not in document.text[properties.start : properties.end]
    assert {"code": "combined_with", "item": "item_1"} in properties.issues


@pytest.mark.parametrize("heading", ["Items 10, 11, 12, 13 and 14.", "ITEMS 10 THROUGH 14."])
def test_a_pointer_for_a_whole_part_has_no_text(heading: str) -> None:
    numbers = ("10", "11", "12", "13", "14")
    said = "<p>The proxy statement has it, and is incorporated by reference.</p>"
    document = page(shared(numbers, heading), bodies={"10": said} | dict.fromkeys(numbers[1:], ""))
    found = by_type(document)
    for number in numbers:
        section = found[f"item_{number}"]
        assert section.start == section.end
        assert section.issues[0]["code"] == "combined_heading"
        assert "proxy statement" in section.issues[0]["note"]
    assert len(document.text[found["item_9c"].start : found["item_9c"].end]) < 500


def test_a_long_passage_for_a_whole_part_is_the_first_items() -> None:
    numbers = ("10", "11", "12", "13", "14")
    bodies = {"10": f"<p>{told(10, 40)}</p>"} | dict.fromkeys(numbers[1:], "")
    document = page(shared(numbers, "Items 10 through 14."), bodies=bodies)
    found = by_type(document)
    assert found["item_10"].end - found["item_10"].start > 2000
    assert {"code": "combined_with", "item": "item_10"} in found["item_14"].issues


def test_market_risk_may_share_the_heading_of_the_discussion() -> None:
    head = shared(("7", "7A"), "Item 7 and 7A. Management's Discussion and Market Risk")
    found = by_type(page(head, bodies={"7A": ""}))
    assert {"code": "combined_heading", "with": ["item_7a"]} in found["item_7"].issues
    assert found["item_8"].confidence > 0.8


def test_a_sentence_may_stand_for_the_headings_of_a_part() -> None:
    said = "The information required by Items 10, 11, 12, 13 and 14 is in the proxy statement."
    rows = tuple(row for row in YEAR_2024 if row[0] not in ("10", "11", "12", "13", "14"))

    def part(number: str, _: str) -> str:
        return f"<p>PART {number}</p>" + (f"<p>{said}</p>" if number == "III" else "")

    found = by_type(page(bold, rows, part=part))
    assert found["item_12"].start == found["item_12"].end
    assert found["item_12"].issues[0]["note"].startswith(said)
    elsewhere = by_type(page(bold, rows, bodies={"9B": f"<p>Also:</p><p>{said}</p>"}))
    assert "item_12" not in elsewhere
