"""The second extractor: asked only in doubt, and what its word changes."""

from outreach_platform.filings.parsing.gates import Proposal
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.filings.parsing.reports import (
    YEAR_2024,
    bold,
    contents,
    page,
    told,
)

MISSED = "<p>What we have been doing: turning grain to flour at the mill since 1901.</p>"
BODIES = {"6": f"<p>{told(9)}</p>{MISSED}<p>{told(10, 30)}</p>"}


def without_seven(number: str, title: str) -> str:
    """The headings of a report whose Item 7 has none."""
    return "" if number == "7" else bold(number, title)


def second(*proposals: Proposal):
    """Another extractor with these answers, and how often it was asked."""
    asked: list[int] = []

    def answer() -> list[Proposal]:
        asked.append(1)
        return list(proposals)

    return answer, asked


def test_a_sound_report_is_not_taken_to_it() -> None:
    answer, asked = second()
    sound = find_sections(page(bold), "10-K", 2024, second=answer)
    assert asked == []
    assert sound == find_sections(page(bold), "10-K", 2024)
    find_sections(page(without_seven, bodies={"7": ""}), "10-K", 2024, second=answer)
    assert asked == [1]


def test_an_item_that_only_it_finds_is_placed() -> None:
    document = page(without_seven, bodies={**BODIES, "7": ""})
    opening = "What we have been doing: turning grain\nto flour at the mill since 1901."
    answer, _ = second(Proposal("item_7", "", opening, 2000))
    found = {one.section_type: one for one in find_sections(document, "10-K", 2024, second=answer)}
    seven = found["item_7"]
    assert document.text[seven.start : seven.end].startswith("What we have been doing")
    assert seven.method == "edgartools"
    assert {"code": "second_extractor_only"} in seven.issues
    assert found["item_6"].end <= seven.start
    assert seven.confidence < found["item_6"].confidence


def test_what_cannot_be_placed_or_stands_elsewhere_is_left_out() -> None:
    document = page(without_seven, bodies={**BODIES, "7": ""}, contents=contents(YEAR_2024))
    for proposal in (
        Proposal("item_7", "", "Words that are nowhere in the report at all, not one.", 2000),
        Proposal("item_7", "", "Row 22 of this report tells of valves for mills and pumps", 2000),
        Proposal("item_7", "part_i", "What we have been doing: turning grain to flour at", 2000),
        Proposal("item_99", "", "What we have been doing: turning grain to flour at the", 2000),
        Proposal("item_7", "", "What we", 2000),
    ):
        answer, _ = second(proposal)
        found = find_sections(document, "10-K", 2024, second=answer)
        assert "item_7" not in {one.section_type for one in found}


def test_agreement_raises_and_disagreement_lowers_the_confidence() -> None:
    document = page(without_seven, bodies={"7": ""})
    alone = {one.section_type: one for one in find_sections(document, "10-K", 2024)}
    one = alone["item_8"]
    opening = document.text[one.heading_end : one.heading_end + 150].strip()
    confidence: dict[int, float] = {}
    for length in (one.end - one.start, 60_000):
        answer, _ = second(Proposal("item_8", "part_ii", opening, length))
        after = {s.section_type: s for s in find_sections(document, "10-K", 2024, second=answer)}
        confidence[length] = after["item_8"].confidence
        told_apart = any(i["code"] == "extractors_disagree" for i in after["item_8"].issues)
        assert told_apart == (length == 60_000)
    agreed, disagreed = confidence.values()
    assert disagreed < one.confidence < agreed
