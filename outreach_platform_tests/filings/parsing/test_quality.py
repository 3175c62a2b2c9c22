"""Real filings against their labels, and against themselves in another dress."""

import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from benchmarks.filings_quality import ours
from benchmarks.filings_quality_labels import (
    Found,
    Labelled,
    compare,
    item_name,
    labelled_filings,
    total,
)
from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.support.real_data import real_data_folder

AIM = 0.98


def filing(**items: int) -> Labelled:
    labels = {name.removeprefix("i").upper(): length for name, length in items.items()}
    return Labelled("0000000001-24-000001", "10-K", Path("none"), labels)


def found(length: int, text_length: int = 10) -> Found:
    return Found(length, text_length, "heading", "opening")


@pytest.mark.slow
@pytest.mark.real_data
def test_items_of_the_labelled_filings_are_right() -> None:
    folder = real_data_folder()
    if folder is None or not (folder / "filings").is_dir():
        pytest.skip("no real data: set OUTREACH_REAL_DATA")
    score = total(ours(one) for one in labelled_filings(folder / "filings"))
    assert score.total > 600
    assert score.share >= AIM, score.differences
    assert score.precision >= AIM and score.recall >= AIM


def as_plain_text(document: Document) -> str:
    """The document as filers wrote one in the 1990s: lines of 78 characters, pages, no styles."""
    said: list[str] = []
    page = 0
    for line in document.lines:
        while line.page > page:
            page += 1
            said.append(f"\n{page:^78}\n<PAGE>\n")
        text = document.line_text(line)
        indent = "   " if len(text) > 90 else ""
        wrapped = textwrap.fill(text, 78, initial_indent=indent, break_on_hyphens=False)
        said += [text] if line.table >= 0 else [wrapped, ""]
    return "\n".join(said)


def as_bare_page(document: Document) -> str:
    """The document as paragraphs without any style, anchor, link or table."""
    paragraphs = (f"<p>{escape(document.line_text(line))}</p>" for line in document.lines)
    return f"<html><body>{''.join(paragraphs)}</body></html>"


def said(document: Document, sections: list[Section]) -> dict[tuple[str, str], str]:
    """Letters and digits of each section."""
    return {
        (one.section_part, one.section_type): "".join(
            c for c in document.text[one.start : one.end] if c.isalnum()
        )
        for one in sections
    }


def same(one: str, other: str) -> bool:
    """Equal but for running heads, which only pages have."""
    if not one or not other:
        return one == other
    near = abs(len(one) - len(other)) <= max(200, len(one) // 10)
    return near and (one[:40] == other[:40] or one[-40:] == other[-40:])


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("dress", [as_plain_text, as_bare_page])
def test_a_filing_in_another_dress_has_the_same_sections(
    dress: Callable[[Document], str],
) -> None:
    folder = real_data_folder()
    if folder is None or not (folder / "filings").is_dir():
        pytest.skip("no real data: set OUTREACH_REAL_DATA")
    kept = total_of = 0
    lost: list[tuple[str, str, str]] = []
    for filing in labelled_filings(folder / "filings"):
        document = read_document(filing.source())
        before = said(document, find_sections(document, filing.form, 2024))
        dressed = read_document(dress(document))
        after = said(dressed, find_sections(dressed, filing.form, 2024))
        for key in before.keys() | after.keys():
            total_of += 1
            kept += same(before.get(key, ""), after.get(key, ""))
            if not same(before.get(key, ""), after.get(key, "")):
                lost.append((filing.accession, *key))
    assert total_of > 600
    assert kept / total_of >= AIM, lost


def test_each_kind_of_difference_is_counted_once() -> None:
    labels = filing(i1=10_000, i1a=10_000, i2=10_000, i3=0, i4=0, i5=10_000)
    sections = {
        "1": found(19_000),
        "1A": found(4_000),
        "2": found(30_000),
        "3": found(500),
        "16": found(500),
        "1C": found(9),
    }
    score = compare(labels, sections, 0.5)
    assert [(one.item, one.kind) for one in score.differences] == [
        *(("1A", "too short"), ("2", "too long"), ("3", "not labelled"), ("5", "missing")),
    ]
    assert (score.right, score.total) == (2, 6)
    assert (score.both, score.labelled, score.found) == (3, 4, 4)
    assert (score.precision, score.recall) == (0.75, 0.75)


def test_short_items_have_slack_and_empty_sections_are_absent() -> None:
    labels = filing(i1=400, i2=400, i3=0)
    score = compare(labels, {"1": found(2_800), "2": found(2_950), "3": found(400, 0)}, 0.1)
    assert [(one.item, one.kind) for one in score.differences] == [("2", "too long")]


def test_items_are_named_as_the_labels_name_them() -> None:
    assert item_name("10-K405", "part_ii", "item_7a") == "7A"
    assert item_name("10-Q/A", "part_ii", "item_1a") == "part2item1a"
    assert item_name("10-Q", "part_i", "item_2") == "part1item2"
