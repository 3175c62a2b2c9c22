"""Items as sections: each found, with its own text and nobody else's."""

import textwrap
from dataclasses import replace

import pytest

from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.filings.parsing.reports import (
    QUARTER,
    YEAR_1997,
    YEAR_2024,
    Head,
    bold,
    contents,
    found_keys,
    keys,
    page,
    plain,
    texts,
    told,
)


def lettered(number: str, form: str) -> str:
    """A number with its letter, where it has one, in that form."""
    return number[:-1] + form.format(number[-1]) if number[-1].isalpha() else number


SPELLED = {"1": "ONE", "2": "TWO", "7": "SEVEN", "10": "TEN", "14": "FOURTEEN"}
ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "9": "IX", "10": "X", "14": "XIV"}
PLAIN: dict[str, Head] = {
    "capitals": lambda number, title: f"ITEM {number}.   {title.upper()}",
    "dash": lambda number, title: f"Item {number} - {title}",
    "colon": lambda number, title: f"Item {number}:  {title}",
    "spaced": lambda number, title: f"I T E M  {number}.   {title.upper()}",
    "split": lambda number, title: f"Item {number}.\n\n{title}",
    "letters for digits": lambda number, title: f"ITEM {number.replace('1', 'l')}. {title.upper()}",
    "spelled": lambda number, title: f"ITEM {SPELLED.get(number, number)}. {title.upper()}",
    "roman": lambda number, title: f"ITEM {ROMAN.get(number, number)}. {title.upper()}",
    "glued": lambda number, title: f"ITEM{number}. {title.upper()}",
    "title alone": lambda number, title: f"                {title.upper()}",
    "bare number": lambda number, title: f"{number}.  {title.upper()}",
    "on more lines": lambda number, title: textwrap.fill(f"Item {number}.  {title}", 40),
    "runs on": lambda number, title: f"Item {number}. {title}. See what follows of it.",
}
PAGES: dict[str, Head] = {
    "bold": bold,
    "no style": lambda number, title: f"<p>Item {number}. {title}</p>",
    "dash": lambda number, title: f"<p><b>ITEM {number}—{title.upper()}</b></p>",
    "row": lambda number, title: (
        f"<table><tr><td>Item {number}.</td><td><b>{title}</b></td></tr></table>"
    ),
    "two paragraphs": lambda number, title: f"<p><b>Item {number}.</b></p><p><b>{title}</b></p>",
    "three paragraphs": lambda number, title: f"<p>Item</p><p>{number}.</p><p>{title}</p>",
    "line break": lambda number, title: f"<p><b>Item {number}.<br>{title}</b></p>",
    "spans": lambda number, title: (
        f"<p><b><span>I</span><span>tem&nbsp;</span><span>{number[:1]}</span>"
        f"<span>{number[1:]}.</span> {title}</b></p>"
    ),
    "title alone": lambda _, title: f"<p align='center'><b>{title.upper()}</b></p>",
    "link back": lambda number, title: f'<p><a href="#top"><b>Item {number}. {title}</b></a></p>',
    "letter apart": lambda number, title: bold(lettered(number, " {}"), title),
    "letter in brackets": lambda number, title: bold(lettered(number, "({})"), title),
}


def assert_own_texts(found: dict[str, str], rows: tuple[tuple[str, str], ...]) -> None:
    """Each section has the text of its own row and of no other."""
    said = [place for place, (number, _) in enumerate(rows) if number[0].isdigit()]
    for place, text in zip(said, found.values(), strict=True):
        assert told(place, 1).split(" tells")[0] in text
        assert text.count("Row ") == 4


@pytest.mark.parametrize("style", PLAIN)
def test_finds_every_item_of_plain_text(style: str) -> None:
    document = plain(PLAIN[style])
    found = find_sections(document, "10-K405", 1997)
    assert found_keys(found) == keys(YEAR_1997)
    assert_own_texts(texts(document, "10-K405", 1997), YEAR_1997)
    assert {section.method for section in found} == {"plain_text"}


@pytest.mark.parametrize("style", PAGES)
def test_finds_every_item_of_a_page(style: str) -> None:
    document = page(PAGES[style], contents=contents(YEAR_2024))
    assert found_keys(find_sections(document, "10-K", 2024)) == keys(YEAR_2024)
    assert_own_texts(texts(document), YEAR_2024)


@pytest.mark.parametrize("head", [bold, lambda _, title: f"<p><b>{title}</b></p>"])
def test_parts_of_a_quarterly_report_have_their_own_items(head: Head) -> None:
    document = page(head, QUARTER)
    assert found_keys(find_sections(document, "10-Q", 2020)) == keys(QUARTER)
    assert_own_texts(texts(document, "10-Q", 2020), QUARTER)


def test_titles_tell_the_parts_where_no_line_does() -> None:
    document = page(bold, QUARTER, part=lambda *_: "")
    assert found_keys(find_sections(document, "10-Q", 2020)) == keys(QUARTER)


def test_an_item_before_its_turn_is_found_and_marked() -> None:
    rows = (QUARTER[0], QUARTER[2], QUARTER[1], *QUARTER[3:])
    found = find_sections(page(bold, rows), "10-Q", 2020)
    assert found_keys(found) == keys(QUARTER)
    marked = [one.section_type for one in found if {"code": "out_of_order"} in one.issues]
    assert marked in (["item_1"], ["item_2"])


def test_omitted_items_are_not_made_up() -> None:
    rows = tuple(row for row in QUARTER if row[0] not in ("3", "5"))
    document = page(bold, rows, bodies={"6": "<p><b>Other Information</b></p><p>None.</p>"})
    assert found_keys(find_sections(document, "10-Q", 2020)) == keys(rows)


def test_contents_without_pages_in_the_style_of_the_headings_are_not_the_items() -> None:
    def head(number: str, title: str) -> str:
        return f"Item {number}.  {title}"

    listed = "\n".join(head(*row) for row in YEAR_1997 if row[0].isdigit())
    document = plain(head, contents=listed)
    assert_own_texts(texts(document, "10-K", 1997), YEAR_1997)


def test_sentences_that_name_an_item_do_not_cut_the_section() -> None:
    named = (
        "<p>Item 1A, “Risk Factors,” says what may go wrong with a valve.</p>"
        "<p>Item 1A. Risk Factors and Item 7 of this report say more.</p>"
        "<p>• Item 7A. Quantitative and Qualitative Disclosures About Market Risk; and</p>"
        "<p>Item 8. Financial Statements and Supplementary Data of this report has the figures.</p>"
        "<p>The last words of the business.</p>"
    )
    found = texts(page(bold, contents=contents(YEAR_2024), bodies={"1": named}))
    assert found["part_i item_1"].endswith("The last words of the business.")
    assert len(found) == len(keys(YEAR_2024))


def test_a_wrapped_line_that_begins_with_an_item_is_no_heading() -> None:
    body = (
        "   The reader should look at the statements that we present in\n"
        "Item 8. Financial Statements and Supplementary Data and the notes.\n"
        "   More follows."
    )
    document = plain(PLAIN["capitals"], bodies={"1": body})
    assert texts(document, "10-K", 1997)["part_i item_1"].endswith("More follows.")


def test_running_heads_begin_nothing() -> None:
    on = "<p>Item 7. Management's Discussion and Analysis (continued)</p>"
    body = "".join(f"<p>Page {n} of it.</p>{on}<p>PART II</p>" for n in range(5))
    body += "<p>Its end.</p>"
    found = texts(page(bold, contents=contents(YEAR_2024), bodies={"7": body}))
    assert found["part_ii item_7"].endswith("Its end.")
    assert "Page 0 of it." in found["part_ii item_7"]


def test_one_line_items_of_a_shell_are_sections() -> None:
    bodies = {number: "<p>Not applicable.</p>" for number, _ in YEAR_2024 if number != "1"}
    found = texts(page(PAGES["no style"], bodies=bodies))
    assert len(found) == len(keys(YEAR_2024))
    assert found["part_i item_4"] == "Item 4. Mine Safety Disclosures\n\nNot applicable."


def test_links_of_the_contents_place_items_that_have_no_heading() -> None:
    places = {row: place for place, row in enumerate(YEAR_2024)}

    def head(number: str, title: str) -> str:
        return f'<a name="at{places[number, title]}"></a>'

    document = page(head, contents=contents(YEAR_2024, links=True))
    assert_own_texts(texts(document), YEAR_2024)
    unlinked = page(head, contents=contents(YEAR_2024))
    assert len(texts(unlinked)) < 3


def test_the_first_item_may_begin_with_its_part() -> None:
    rows = (QUARTER[0], *QUARTER[5:])
    statements = f"<p>PART I. FINANCIAL INFORMATION</p><p>{told(1, 40)}</p>"
    document = page(bold, rows, part=lambda n, _: statements if n == "I" else "<p>PART II</p>")
    found = find_sections(document, "10-Q", 2020)
    assert found_keys(found) == [("part_i", "item_1"), *keys(QUARTER)[4:]]
    assert found[0].confidence < found[1].confidence


def test_item_14_is_what_it_was_in_the_filing_year() -> None:
    exhibits = find_sections(plain(PLAIN["capitals"]), "10-K", 1997)[-1]
    assert (exhibits.section_part, exhibits.section_type) == ("part_iv", "item_14")
    fees = find_sections(page(bold), "10-K", 2024)[-3]
    assert (fees.section_part, fees.section_type) == ("part_iii", "item_14")
    rows = (*YEAR_1997[:-2], ("14", "Controls and Procedures"), ("IV", ""), ("15", "Exhibits"))
    found = find_sections(plain(PLAIN["capitals"], rows), "10-K", 2003)
    assert found_keys(found)[-2:] == [("part_iii", "item_14"), ("part_iv", "item_15")]


def test_item_4a_stays_in_item_4() -> None:
    body = (
        "   None.\n\nItem 4A. Executive Officers of the Registrant\n\n   A. Miller is the miller."
    )
    found = texts(plain(PLAIN["dash"], bodies={"4": body}), "10-K", 1997)
    assert found["part_i item_4"].endswith("A. Miller is the miller.")


def test_what_has_no_items_has_no_sections() -> None:
    document = page(bold, ())
    assert find_sections(document, "10-K", 2024) == []


def test_the_same_document_gives_the_same_sections() -> None:
    document = page(bold, contents=contents(YEAR_2024))
    first = find_sections(document, "10-K", 2024)
    assert first == find_sections(replace(document), "10-K", 2024)


def test_a_heading_beneath_that_says_the_title_again_is_not_part_of_it() -> None:
    body = f"<p><b>Evaluation of Disclosure Controls and Procedures</b></p><p>{told(17)}</p>"
    document = page(bold, bodies={"9A": body})
    found = {one.section_type: one for one in find_sections(document, "10-K", 2024)}
    assert found["item_9a"].title == "Controls and Procedures"


def test_a_title_may_run_on_in_the_line_beneath() -> None:
    def head(number: str, title: str) -> str:
        first, words, rest = title.partition("and Analysis")
        return f"<p><b>Item {number}. {first}{words}</b></p><p><b>{rest}</b></p>"

    found = {one.section_type: one for one in find_sections(page(head), "10-K", 2024)}
    assert found["item_7"].title.endswith("Results of Operations")


def test_surer_where_a_link_a_title_and_a_style_agree() -> None:
    places = {row: place for place, row in enumerate(YEAR_2024)}

    def linked(number: str, title: str) -> str:
        return f'<a name="at{places[number, title]}"></a>{bold(number, title)}'

    sure = find_sections(page(linked, contents=contents(YEAR_2024, links=True)), "10-K", 2024)
    bare = find_sections(page(lambda number, _: f"<p>Item {number}.</p>"), "10-K", 2024)
    assert min(section.confidence for section in sure) >= 0.95
    assert max(section.confidence for section in bare) < 0.8
