"""What the gates say of sections that are wrong, and that they are quiet where all is well."""

from dataclasses import replace

import pytest

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.gates import doubts
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.filings.parsing.reports import QUARTER, bold, page, told

LONG = {"7": f"<p>{told(7, 600)}</p>", "8": f"<p>{told(8, 600)}</p>"}


@pytest.fixture(scope="module")
def report() -> Document:
    return page(bold, bodies=LONG)


@pytest.fixture
def sections(report: Document) -> list[Section]:
    return find_sections(report, "10-K", 2024)


def codes(document: Document, sections: list[Section], form: str = "10-K") -> dict[str, object]:
    found = doubts(document, sections, form, 2024)
    return {doubt["code"]: doubt.get("item") for doubt in found}


def changed(sections: list[Section], name: str, **more: object) -> list[Section]:
    return [replace(one, **more) if one.section_type == name else one for one in sections]


def test_a_sound_report_raises_no_doubt(report: Document, sections: list[Section]) -> None:
    assert codes(report, sections) == {}
    quarterly = page(bold, QUARTER)
    assert codes(quarterly, find_sections(quarterly, "10-Q", 2024), "10-Q") == {}


def test_no_sections_at_all(report: Document) -> None:
    assert codes(report, []) == {"no_sections": None}


def test_a_main_item_without_text(report: Document, sections: list[Section]) -> None:
    seven = next(one for one in sections if one.section_type == "item_7")
    stub = changed(sections, "item_7", end=seven.heading_end + 20)
    assert codes(report, stub)["stub"] == "item_7"


def test_a_pointer_is_no_stub() -> None:
    said = "<p>Incorporated by reference to the annual report.</p>"
    document = page(bold, bodies={"7": said})
    assert "stub" not in codes(document, find_sections(document, "10-K", 2024))


def test_an_item_that_swallows_the_others(report: Document, sections: list[Section]) -> None:
    swallowed = changed(sections, "item_1", end=len(report.text))
    assert codes(report, swallowed)["oversize"] == "item_1"
    small = changed(sections, "item_4", end=len(report.text) - 100)
    assert codes(report, small)["oversize"] == "item_4"


def test_two_items_of_one_text(report: Document, sections: list[Section]) -> None:
    seven = next(one for one in sections if one.section_type == "item_7")
    where = {"start": seven.start, "end": seven.end, "heading_end": seven.heading_end}
    assert codes(report, changed(sections, "item_8", **where))["equal_texts"] == "item_8"


def test_a_gap_in_the_sequence(report: Document, sections: list[Section]) -> None:
    without = [one for one in sections if one.section_type not in ("item_7", "item_8")]
    found = [one for one in doubts(report, without, "10-K", 2024) if one["code"] == "gap"]
    first, gap = found
    assert (first["item"], first["missing"]) == ("item_6", ["item_7"])
    assert (gap["item"], gap["missing"]) == ("item_7a", ["item_8"])


def test_an_amendment_has_what_it_amends(report: Document, sections: list[Section]) -> None:
    third = [one for one in sections if one.section_part == "part_iii"]
    assert "gap" in codes(report, third)
    assert "gap" not in codes(report, third, "10-K/A")


def test_text_that_is_in_no_section(report: Document, sections: list[Section]) -> None:
    without = [one for one in sections if one.section_type not in ("item_7", "item_8")]
    assert "coverage" in codes(report, without)


def test_many_items_out_of_order(report: Document, sections: list[Section]) -> None:
    marked = [replace(one, issues=({"code": "out_of_order"},)) for one in sections]
    assert "order" in codes(report, marked)
    assert "order" not in codes(report, [*marked[:2], *sections[2:]])


def test_doubts_stand_in_the_issues_and_lower_the_confidence() -> None:
    rows = tuple(row for row in QUARTER if row[0] != "II")
    document = page(bold, (*rows[:2], ("4", "Controls and Procedures")))
    (first, *_) = find_sections(document, "10-Q", 2024)
    assert first.issues[-1]["code"] == "gap"
    assert first.issues[-1]["missing"] == ["item_2"]
    (whole, *_) = find_sections(page(bold, QUARTER), "10-Q", 2024)
    assert first.confidence < whole.confidence
