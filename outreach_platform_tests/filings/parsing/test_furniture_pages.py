"""Pages without page breaks: proved by rules with numbers, or by numbers that count."""

import pytest

from outreach_platform.filings.parsing.furniture_pages import counted_pages, paged_furniture
from outreach_platform.filings.parsing.plain import read_plain


def book(numbers: list[str], lines: int = 8) -> list[str]:
    """Pages of so many lines, each with its number below."""
    return [
        text
        for page, number in enumerate(numbers)
        for text in (*(f"On page {page} row {line} we mill." for line in range(lines)), number)
    ]


@pytest.mark.parametrize("number", ["{}", "- {} -", "Page {}", "[{}]", "({})"])
@pytest.mark.parametrize("first", [1, 3])
def test_numbers_alone_on_their_lines_count_pages(number: str, first: int) -> None:
    texts = book([number.format(n) for n in range(first, first + 6)])
    pages = counted_pages(texts, [-1] * len(texts))
    assert pages == [index // 9 for index in range(len(texts))]
    furniture, found = paged_furniture(texts, [0] * len(texts), [-1] * len(texts))
    assert found == pages
    assert sorted(furniture.lines) == [8, 17, 26, 35, 44, 53]
    assert furniture.printed[2] == str(first + 2)


@pytest.mark.parametrize(
    ("numbers", "lines"),
    [
        # Too few, too near to one another, not in order, too late to be the first.
        (["1", "2", "3", "4"], 8),
        (["1", "2", "3", "4", "5", "6"], 3),
        (["1", "3", "5", "7", "9", "11"], 8),
        (["512", "513", "514", "515", "516", "517"], 8),
        (["1,001", "1,002", "1,003", "1,004", "1,005"], 8),
    ],
)
def test_other_numbers_are_left_alone(numbers: list[str], lines: int) -> None:
    texts = book(numbers, lines)
    assert set(counted_pages(texts, [-1] * len(texts))) == {0}
    furniture, _ = paged_furniture(texts, [0] * len(texts), [-1] * len(texts))
    assert furniture.lines == frozenset()


def test_numbers_in_tables_count_nothing() -> None:
    texts = book(["1", "2", "3", "4", "5", "6"])
    assert set(counted_pages(texts, [0] * len(texts))) == {0}


def test_page_breaks_of_the_document_go_before_what_its_numbers_say() -> None:
    texts = book(["1", "2", "3", "4", "5", "6"])
    pages = [index // 18 for index in range(len(texts))]
    assert paged_furniture(texts, pages, [-1] * len(texts))[1] == pages


def test_plain_text_without_page_breaks_loses_its_page_numbers() -> None:
    text = "\n".join(book([f"\n                  - {n} -\n" for n in range(1, 7)]))
    document = read_plain(text)
    assert "- 3 -" not in document.text
    assert document.lines[-1].page == 5
    assert document.printed_pages[4] == "5"
