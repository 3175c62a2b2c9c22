"""Running heads, page numbers and back-links go; what has its own content stays."""

import pytest

from outreach_platform.filings.parsing.furniture import find_furniture


def dropped(pages: list[list[str]], links: dict[str, str] | None = None) -> list[str]:
    """The lines left out, by the text of each page's lines."""
    found = find_furniture(*flat(pages), [(links or {}).get(t, "") for p in pages for t in p])
    texts = [text for page in pages for text in page]
    return [texts[index] for index in sorted(found.lines)]


def flat(pages: list[list[str]]) -> tuple[list[str], list[int], list[int]]:
    texts = [text for page in pages for text in page]
    numbers = [number for number, page in enumerate(pages) for _ in page]
    return texts, numbers, [-1] * len(texts)


def book(count: int, top: str = "", bottom: str = "{n}") -> list[list[str]]:
    """Pages of prose, each with its own, and what stands above and below."""
    return [
        [
            line
            for line in (
                top.format(n=n),
                f"On page {n} the mill grinds {n * 7} tons.",
                f"It sells {n * 5} tons of them.",
                bottom.format(n=n),
            )
            if line
        ]
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    "number",
    [
        *("{n}", "- {n} -", "Page {n}", "Page {n} of 50", "F-{n}", "[{n}]", "-{n}-", "{n}."),
        *("Mill Co. | 2023 Form 10-K | {n}", "MILL CO. 10-K 1997 {n}", "{n} | 2023 Form 10-K"),
    ],
)
def test_numbers_that_count_the_pages_go(number: str) -> None:
    pages = book(5, bottom=number)
    assert dropped(pages) == [page[-1] for page in pages]
    assert dropped(book(5, top=number, bottom="")) == [page[-1] for page in pages]
    printed = find_furniture(*flat(pages)).printed
    assert [text.removeprefix("F-") for text in printed.values()] == ["1", "2", "3", "4", "5"]


def test_roman_numbers_count_too() -> None:
    pages = [[f"The mill grinds {n} tons.", roman] for n, roman in enumerate(("iii", "iv", "v"))]
    assert dropped(pages) == ["iii", "iv", "v"]


@pytest.mark.parametrize(
    "numbers",
    [
        # They do not go up with the pages.
        *(("512", "17", "80", "3"), ("5", "5", "5", "5"), ("90", "60", "30", "10")),
        # They belong to their words.
        *(
            tuple(f"{word} {n}" for n in range(10, 14))
            for word in ("ITEM", "Note", "Exhibit", "PART", "December", "Schedule")
        ),
        # They are figures.
        *(("1,234", "1,235", "1,236", "1,237"), ("$ 4", "$ 5", "$ 6", "$ 7")),
        ("2021", "2022", "2023", "2024"),
    ],
)
def test_numbers_with_a_meaning_stay(numbers: tuple[str, ...]) -> None:
    assert dropped([["The mill grinds.", number] for number in numbers]) == []
    assert dropped([[number, "The mill grinds."] for number in numbers]) == []


def test_a_running_head_goes_but_where_it_stands_first() -> None:
    pages = book(5, top="MILL CO. AND SUBSIDIARIES", bottom="")
    assert dropped(pages) == ["MILL CO. AND SUBSIDIARIES"] * 4
    assert dropped([["Cover of MILL CO."], ["MILL CO. AND SUBSIDIARIES"], *pages]) == (
        ["MILL CO. AND SUBSIDIARIES"] * 5
    )


def test_heads_of_several_lines_go_together_from_the_edge_inwards() -> None:
    pages = [
        ["MILL CO.", "NOTES TO FINANCIAL STATEMENTS (Continued)", "(Unaudited)", *page]
        for page in book(6)
    ]
    assert len(dropped(pages)) == 6 + 3 * 5


def test_two_pages_are_not_enough_and_pages_must_follow_one_another() -> None:
    assert dropped(book(2, top="MILL CO.")) == []
    apart = [["MILL CO.", *page] if n % 5 == 0 else page for n, page in enumerate(book(16))]
    assert "MILL CO." not in dropped(apart)


def test_left_and_right_pages_may_differ() -> None:
    pages = [[("MILL CO." if n % 2 else "ANNUAL REPORT"), *page] for n, page in enumerate(book(8))]
    assert len(dropped(pages)) == 8 + 6


def test_a_repeated_item_heading_keeps_its_first() -> None:
    contents = [f"Item {n}. Something of the mill" for n in range(1, 9)]
    head = "Item 1. Something of the mill"
    pages = [contents, *book(6, top=head)]
    found = find_furniture(*flat(pages))
    texts = [text for page in pages for text in page]
    assert [i for i, text in enumerate(texts) if text == head and i not in found.lines] == [0, 8]


def test_continued_headings_go_where_the_heading_itself_stood_before() -> None:
    first, *rest = book(6, top="Item 7. Management's Discussion (continued)")
    real = "Item 7. Management's Discussion"
    assert dropped([["Opening words.", real, *first[1:]], *rest]).count(
        "Item 7. Management's Discussion (continued)"
    ) == len(rest)


@pytest.mark.parametrize(
    "text", ["None.", "Not applicable.", "/s/ John Miller", "(1) Restated.", "* Unaudited."]
)
def test_short_answers_signatures_and_notes_stay_however_often(text: str) -> None:
    assert text not in dropped(book(9, bottom=text))
    assert text not in dropped(book(9, top=text))


def test_rows_of_a_table_stay_and_a_table_of_one_row_may_go() -> None:
    texts, pages, _ = flat([["Sales 4", "Costs 3", str(n)] for n in range(1, 6)])
    inside = list(pages)
    assert find_furniture(texts, pages, inside).lines == frozenset()
    alone = [10 + n if text.isdigit() else -1 for n, text in enumerate(texts)]
    assert len(find_furniture(texts, pages, alone).lines) == 5


def test_links_back_to_the_contents_go_wherever_they_stand() -> None:
    page = ["The mill grinds.", "Back to Table of Contents", "It sells."]
    links = {"Back to Table of Contents": "toc"}
    assert len(dropped([page * 4], links)) == 4
    assert dropped([page * 4]) == []
    assert dropped([page * 2], links) == []
    # The contents' own lines link as well.
    assert dropped([["Item 1. Business"] * 4], {"Item 1. Business": "i1"}) == []
