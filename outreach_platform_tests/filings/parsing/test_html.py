"""HTML of thirty years as lines: what a reader of the page sees, in order, and how it looks."""

import pytest

from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.html import read_html

CELLS = "<table><tr>{}</tr></table>"


def lines_of(html: str) -> list[str]:
    document = read_html(html)
    return [document.line_text(line) for line in document.lines]


def row(*cells: str) -> str:
    (line,) = lines_of(CELLS.format("".join(f"<td>{cell}</td>" for cell in cells)))
    return line


@pytest.mark.parametrize(
    ("html", "text"),
    [
        # Without closing tags, in capitals, centred.
        ("<P>ITEM 1.<P>We <B>mill</B>.<CENTER>PART II</CENTER>", "ITEM 1.\n\nWe mill.\n\nPART II"),
        ("one<br>two<BR/><br>three", "one\ntwo\n\nthree"),
        ("<ul><li>a<li>b</ul><dl><dt>c<dd>d</dl>", "a\n\nb\n\nc\n\nd"),
        # A word over several tags is one word; two blocks are two lines.
        ("<p><b>I</b><font>TEM 1.</font> <i>BUS</i>INESS", "ITEM 1. BUSINESS"),
        ("<div>a</div><div>b</div><span>c</span><span>d</span>", "a\n\nb\n\ncd"),
        # cp1252 by number, named and unknown entities, runs of hard spaces.
        (
            "<p>&#145;q&#146; &#147;x&#148; &#149;&nbsp;&#160; y",
            "\u2018q\u2019 \u201cx\u201d \u2022 y",
        ),
        ("<p>R&D, AT&amp;T, &bogus; 5 &lt 6", "R&D, AT&T, &bogus; 5 < 6"),
        ("<p>A&#173;B\u200bC", "A B C"),
        # Malformed.
        ("</td></p>x<td>1</tr><b>y", "x\n\n1y"),
        ("<p>5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        # Not to be seen.
        ('<p>a<p style="display: none">b<p hidden>c<script>d</script><!-- e --><p>f', "a\n\nf"),
        ("<head><title>t</title><style>p{}</style></head><p>a", "a"),
        ("<style>.gone{display:none}</style><p class='x gone'>a</p><p>b", "b"),
        # White space that counts.
        ("<pre>  a   b\n\n   c\n</pre>d", "a   b\n\n   c\n\nd"),
    ],
)
def test_text_is_what_the_page_shows(html: str, text: str) -> None:
    assert read_html(html).text.strip() == text


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (("Net sales", "$", "1,234", "$", "987"), "Net sales $1,234 $987"),
        (("Loss", "(", "5", ")", "%", "(12", ")", "(3", ")%"), "Loss (5)% (12) (3)%"),
        (
            ("Share", "$", "(0.12", ")", "$", "\u2014", "\u20ac", "7", "5", "%"),
            "Share $(0.12) $\u2014 \u20ac7 5%",
        ),
        (("None", "$", "\u2014", "\u2014", "%"), "None $\u2014 \u2014%"),
        (("US$", "5"), "US$ 5"),
        (("<p>Item</p><p>1.</p>", "<div>Business</div>", "3"), "Item 1. Business 3"),
        (("ITEM 1.<br>BUSINESS",), "ITEM 1. BUSINESS"),
        (("a", "", "&nbsp;", "b"), "a b"),
    ],
)
def test_a_row_is_one_line_with_signs_joined_to_their_numbers(
    cells: tuple[str, ...], text: str
) -> None:
    assert row(*cells) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Assets of 1,234<sup>1</sup>", "Assets of 1,234\u00b9"),
        ("Assets of 1,234<sup>(1)</sup>", "Assets of 1,234(1)"),
        ("5<sup>2,3</sup>", "5\u00b2,\u00b3"),
        ("the 1<sup>st</sup> of May", "the 1st of May"),
        ('7<span style="vertical-align:super">4</span>', "7\u2074"),
        ('7<span style="position:relative;top:-3pt;font-size:5pt">4</span>', "7\u2074"),
    ],
)
def test_a_raised_number_does_not_melt_into_the_number_before(html: str, text: str) -> None:
    assert lines_of(f"<p>{html}</p>") == [text]


def test_a_page_laid_out_in_one_cell_is_read_as_paragraphs() -> None:
    said = "The mill grinds grain. " * 30
    html = CELLS.format(
        f"<td><p><b>ITEM 1. BUSINESS</b></p><p>{said}</p><p>Our sites:</p>"
        "<table><tr><td>Dorset</td><td>5</td></tr><tr><td>Kent</td><td>6</td></tr></table>"
        "after<br>more</td><td>beside</td>"
    )
    document = read_html(html)
    assert [document.line_text(line)[:16] for line in document.lines] == [
        *("ITEM 1. BUSINESS", "The mill grinds ", "Our sites:", "Dorset 5", "Kent 6"),
        *("after", "more", "beside"),
    ]
    assert [line.table for line in document.lines] == [0, 0, 0, 1, 1, 0, 0, 0]
    outer, inner = document.tables
    assert (outer.start, outer.end) == (0, len(document.text))
    assert document.text[inner.start : inner.end] == "Dorset 5\nKent 6"
    assert inner.element.tag == "table"
    assert "BUSINESS\n\nThe mill" in document.text


def test_a_table_of_text_inside_a_page_keeps_its_columns() -> None:
    document = read_html(
        "<p>As follows:</p><PRE>\n<TABLE>\n<CAPTION>\n               1996    1995\n"
        "<S>            <C>     <C>\nNet sales      1,234     987\n  Costs          800     700\n"
        "</TABLE>\n</PRE><p>after</p>"
    )
    (table,) = document.tables
    assert table.element is None
    rows = [row for row in document.text[table.start : table.end].split("\n") if row]
    assert rows == [
        "               1996    1995",
        "Net sales      1,234     987",
        "  Costs          800     700",
    ]
    assert [line.table for line in document.lines] == [-1, 0, 0, 0, -1]


def test_a_heading_and_its_paragraph_in_a_lone_cell_stay_apart() -> None:
    assert lines_of(CELLS.format("<td><b>ITEM 3.</b><br>None.</td>")) == ["ITEM 3.", "None."]


def test_tables_without_text_are_none() -> None:
    html = "<table><tr><td>&nbsp;</td></tr></table><p>x</p><table><tr><td>5</td></tr></table>"
    document = read_html(html)
    assert [line.table for line in document.lines] == [-1, 0]
    assert len(document.tables) == 1


def test_inline_xbrl_shows_its_facts_and_hides_its_header() -> None:
    document = read_html(
        '<?xml version="1.0" encoding="ASCII"?><!-- made -->\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="x"><head><title>t</title></head>'
        '<body><div style="display:none"><ix:header><ix:hidden><ix:nonNumeric name="dei:A">hid'
        "</ix:nonNumeric></ix:hidden></ix:header></div><ix:header>hid</ix:header>"
        '<p>Sales of <ix:nonFraction name="us-gaap:Sales">5</ix:nonFraction>'
        '<ix:continuation id="f"> and more</ix:continuation></p><a name="q"/>'
        "<IX:nonNumeric><p>z</p></IX:nonNumeric></body></html>"
    )
    assert document.text == "Sales of 5 and more\n\nz"
    assert [line.anchors for line in document.lines] == [("f",), ("q",)]


def test_entities_of_a_document_type_are_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE html [<!ENTITY a "xxxx"><!ENTITY b "&a;&a;&a;">]><html><body>&b;y</body></html>'
    )
    assert lines_of(bomb) == ["&b;y"]


@pytest.mark.parametrize(
    "tag", ["div", "font", "b", "p><font", "table><tr><td", "ul><li", "center"]
)
def test_thousands_of_open_tags_lose_nothing(tag: str) -> None:
    html = "".join(f"<{tag}>w{n} " for n in range(3000)) + "<p>the end"
    document = read_html(f"<html><body>{html}")
    words = document.text.split()
    assert words == [*(f"w{n}" for n in range(3000)), "the", "end"]
    assert document.lines[-1].end - document.lines[-1].start == 7
    assert document.slice_html(0, len(document.text)).count("w") >= 3000


def test_page_breaks_are_counted_however_they_are_written() -> None:
    document = read_html(
        '<p>a</p><p style="page-break-before:always">b</p><page>c'
        '<div style="page-break-after: always">d</div><hr style="break-before:page">e'
    )
    assert [line.page for line in document.lines] == [0, 1, 2, 2, 4]


def test_looks_are_told_by_tags_css_and_classes() -> None:
    document = read_html(
        "<style>.h1, p.h2 {font-weight:700; text-align:center} .t{font-style:italic}</style>"
        '<p align="center"><b>bold</b> <b>all</b></p><p><b>bold</b> in part</p>'
        '<p class="h1">by class</p><p class="h2 t" style="font-weight:400">light</p>'
        '<div style="font:bold 12pt Times"><u>under</u></div><h2>head</h2>'
        '<p><font size="4">large</font> <span style="font-size:9.5pt">small</span></p>'
        "<table align=center><tr><td>cell<td align=center>c</table>"
    )
    looks = {
        document.line_text(line): (line.bold, line.italic, line.centred, line.size)
        for line in document.lines
    }
    assert looks == {
        "bold all": (True, False, True, 0.0),
        "bold in part": (False, False, False, 0.0),
        "by class": (True, False, True, 0.0),
        "light": (False, True, True, 0.0),
        "under": (True, True, False, 0.0),
        "head": (True, False, False, 0.0),
        "large small": (False, False, False, 13.5),
        "cell c": (False, False, False, 0.0),
    }


def test_links_and_anchors_stand_at_their_lines() -> None:
    document = read_html(
        '<a name="top"></a><p><a href="#i%201">Item 1</a></p><p><a href="d10k.htm#i2">Item 2</a>'
        '<p><a href="http://sec.gov/#x">out</a></p><div id="i 1"><p>Business</p></div>'
    )
    assert [(line.link, line.anchors) for line in document.lines] == [
        ("i 1", ("top",)),
        ("i2", ()),
        ("", ()),
        ("", ("i 1",)),
    ]


def pages(count: int) -> Document:
    page = (
        '<div><a name="p{n}"></a><p>MILL CO.</p><p>On page {n} we grind {n}4 tons.</p>'
        '<p align="center">{n}</p></div><hr style="page-break-after:always">'
    )
    return read_html("".join(page.format(n=n) for n in range(1, count + 1)))


def test_furniture_goes_from_text_and_html_and_its_anchors_stay() -> None:
    document = pages(4)
    assert document.text.split("\n\n") == [
        "MILL CO.",
        *(f"On page {n} we grind {n}4 tons." for n in range(1, 5)),
    ]
    html = document.slice_html(0, len(document.text))
    assert html.count("MILL CO.") == 1
    assert '<p align="center"> </p>' in html
    assert [line.anchors for line in document.lines] == [("p1",), (), ("p2",), ("p3",), ("p4",)]
    assert document.printed_pages == {0: "1", 1: "2", 2: "3", 3: "4"}
    assert document.notes == ["left out 7 page numbers and running heads"]


def test_rules_part_pages_where_a_document_has_no_page_breaks() -> None:
    page = "<p>On page {n} we grind {n}4 tons.</p><center>-{n}-</center><hr>"
    document = read_html("".join(page.format(n=n) for n in range(1, 5)))
    assert [line.page for line in document.lines] == [0, 1, 2, 3]
    assert document.printed_pages == {0: "1", 1: "2", 2: "3", 3: "4"}
    # Rules alone prove nothing.
    bare = read_html("<p>Mill Co.</p><p>We mill.</p><hr>" * 6)
    assert len(bare.lines) == 12
    assert {line.page for line in bare.lines} == {0}


@pytest.mark.parametrize("html", ["", "<html></html>", "<p> &nbsp; </p>", "<!-- x -->", "<br>"])
def test_a_page_without_text_is_refused(html: str) -> None:
    with pytest.raises(ValueError, match="no text"):
        read_html(html)
