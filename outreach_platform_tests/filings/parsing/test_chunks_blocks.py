import pytest

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.chunks import extract_chunks
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.plain import read_plain

PROSE = "The Company sells widgets in many states and expects demand to grow over the years. "


def paragraphs(document, heading: str = "", title: str = "Business") -> list[dict]:
    """The paragraphs of a document that is one section with that heading."""
    section = Section(
        *("item_1a", "part_i", title, 0, len(document.text), 1.0, "heading_scan"),
        heading_end=len(heading),
    )
    rows = extract_chunks(document, [section], "0000000001-24-000001")
    return [row for row in rows if row["chunk_level"] == 3]


def heading_over(markup: str) -> str:
    *_, last = paragraphs(read_html(f"<p>{PROSE}</p>{markup}<p>{PROSE * 2}</p>"))
    return last["heading"]


@pytest.mark.parametrize(
    ("markup", "heading"),
    [
        ("<p><b>Our Products</b></p>", "Our Products"),
        ("<p align=center>Our Products</p>", "Our Products"),
        ("<p><i>Our Products</i></p>", "Our Products"),
        ("<p>OUR PRODUCTS</p>", "OUR PRODUCTS"),
        ("<p><b>Our<br/>Products</b></p>", "Our Products"),
        ("<p><b>We may lose customers, and they may not return.</b></p>", None),
        ("<p><b>Note 7 &#8211; Debt</b></p>", "Note 7 \u2013 Debt"),
    ],
)
def test_short_lines_in_another_style_are_headings(markup: str, heading: str | None):
    expected = heading or "We may lose customers, and they may not return."
    assert heading_over(markup) == expected


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Our products</p>",
        "<p><i>Demand grew in all of our markets.</i></p>",
        "<p align=center>(Unaudited)</p>",
        "<p><b>(in millions, except per share data)</b></p>",
        "<p><b>NOTES TO FINANCIAL STATEMENTS (Continued)</b></p>",
        "<p><b>June 30, 2023</b></p>",
        "<p align=center>Three Months Ended June 30, 2023</p>",
        "<p><b>* * *</b></p>",
        "<p align=center>17</p>",
        '<p><b><a href="#toc">Table of Contents</a></b></p>',
        f"<p><b>{PROSE * 5}</b></p>",
        "<table><tr><td><b>TOTAL</b></td><td><b>$5</b></td></tr>"
        "<tr><td><b>NET</b></td><td><b>7</b></td></tr></table>",
    ],
)
def test_other_lines_are_none(markup: str):
    assert heading_over(markup) == "Business"


def test_where_all_is_bold_bold_heads_nothing():
    bold = f"<p><b>{PROSE}</b></p>" * 4
    rows = paragraphs(read_html(f"{bold}<p><b>Our Products</b></p>{bold}"))
    assert {row["heading"] for row in rows} == {"Business"}


def test_the_nearest_heading_above_counts():
    prose = f"<p>{PROSE}</p>"
    markup = f"{prose}<p><b>One</b></p>{prose}{prose}<p><b>Two</b></p>{prose}"
    rows = paragraphs(read_html(markup))
    assert [row["heading"] for row in rows] == ["Business", "One", "One", "Two"]


def test_the_sections_own_heading_is_no_sub_heading():
    document = read_html(f"<p><b>Item 1A. Risk Factors</b></p><p>{PROSE}</p>")
    (row,) = paragraphs(document, "Item 1A. Risk Factors", "Risk\nFactors")
    assert row["heading"] == "Risk Factors"
    assert row["chunk_text"].startswith("Item 1A. Risk Factors\n\nThe Company")
    (row,) = paragraphs(document, "Item 1A. Risk Factors", "")
    assert row["heading"] == "Item 1A"


def test_a_heading_opens_its_paragraph_and_a_list_is_one():
    items = "".join(f"<p>\u2022 part {n};</p>" for n in range(3))
    markup = f"<p>{PROSE}</p><p><b>Parts</b></p><p>We sell:</p>{items}<p>{PROSE}</p><p>12</p>"
    texts = [row["chunk_text"] for row in paragraphs(read_html(markup))]
    assert texts == [
        PROSE.strip(),
        "Parts\n\nWe sell:\n\n\u2022 part 0;\n\n\u2022 part 1;\n\n\u2022 part 2;",
        f"{PROSE.strip()}\n\n12",
    ]


def test_a_page_laid_out_as_a_table_is_prose():
    rows = "".join(
        f"<tr><td><b>{name}</b></td></tr><tr><td>{PROSE * 4}</td></tr>" for name in ("One", "Two")
    )
    found = paragraphs(read_html(f"<table>{rows}</table>"))
    assert [row["heading"] for row in found] == ["One", "Two"]
    assert not any(row["contains_tables"] for row in found)


def test_lines_of_plain_text_make_one_paragraph():
    wrapped = (
        "The Company sells widgets\nin 12 states and expects demand\nto grow for many more years."
    )
    text = f"{wrapped}\n\n          OUR PRODUCTS\n\n{wrapped}\n\n{wrapped}\n"
    found = paragraphs(read_plain(text))
    assert [row["chunk_text"].count("\n") for row in found] == [2, 4, 2]
    assert [row["heading"] for row in found] == ["Business", "OUR PRODUCTS", "OUR PRODUCTS"]
