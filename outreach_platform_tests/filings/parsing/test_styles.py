"""Sections of filings in the styles that real filers have, each by its labels."""

from dataclasses import replace

import pytest

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.marks import marks_of
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform.filings.parsing.submission import open_submission
from outreach_platform_tests.support import (  # noqa: F401 - each registers its styles
    filing_styles_html,
    filing_styles_odd,
    filing_styles_pages,
    filing_styles_plain,
    filing_styles_rare,
    filing_styles_traps,
)
from outreach_platform_tests.support.filing_styles import STYLES, Styled, write
from outreach_platform_tests.support.filing_styles_judge import faults


def found_in(styled: Styled) -> tuple[Document, list[Section]]:
    main = open_submission(styled.raw.encode(), "filing.txt").main
    document = read_document(main.text)
    return document, find_sections(document, styled.form, styled.year)


@pytest.mark.parametrize("name", STYLES)
def test_each_item_is_its_own_text_and_whole(name: str) -> None:
    styled = write(name, 1)
    document, sections = found_in(styled)
    assert faults(styled, document.text, sections) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STYLES)
def test_each_item_is_its_own_text_and_whole_whatever_it_says(name: str) -> None:
    for seed in range(2, 12):
        styled = write(name, seed)
        document, sections = found_in(styled)
        assert faults(styled, document.text, sections) == [], f"seed {seed}"


def test_the_judge_sees_what_is_wrong() -> None:
    styled = write("plain_contents_and_pages", 1)
    document, sections = found_in(styled)
    first, second, *rest = sections
    assert faults(styled, document.text, rest)[:2] == [
        "part_i item_1 missing",
        "part_i item_2 missing",
    ]
    longer = replace(first, end=second.end)
    assert "swallows item 2" in faults(styled, document.text, [longer, second, *rest])[0]
    cut = replace(first, end=first.start + 500)
    assert "is cut short" in faults(styled, document.text, [cut, second, *rest])[0]
    other = replace(first, section_type="item_9b", section_part="part_ii")
    assert "not there" in faults(styled, document.text, [*sections, other])[0]
    signed = replace(sections[-1], end=len(document.text))
    assert "signatures" in faults(styled, document.text, [*sections[:-1], signed])[0]


def test_seeds_write_other_words_and_the_same_seed_the_same() -> None:
    assert write("html_linked", 3) == write("html_linked", 3)
    assert write("html_linked", 3).raw != write("html_linked", 4).raw


def test_pointers_and_one_line_items_are_marked_as_such() -> None:
    styled = write("plain_pointers", 1)
    document, sections = found_in(styled)
    marked = {
        section.section_type: marks_of(
            document.text[section.start : section.end],
            section.title,
            section.section_type,
            styled.form,
        )[0]
        for section in sections
    }
    for number in ("5", "6", "7", "8"):
        mark = marked[f"item_{number}"][0]
        assert (mark["code"], mark["to"]) == ("incorporated_by_reference", "annual report")
    for number in ("10", "11", "12"):
        assert marked[f"item_{number}"][0]["to"] == "proxy statement"
    assert marked["item_1"] == [] and marked["item_2"] == []
