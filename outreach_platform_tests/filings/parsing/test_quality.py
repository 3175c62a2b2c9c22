"""The labels of real filings, and that the comparison with them is fair."""

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
