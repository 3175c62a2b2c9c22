"""Slices of a page's HTML: balanced, disjoint, and together all that the page says."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.html_source import parse_html
from outreach_platform.filings.parsing.html_walk import walk
from outreach_platform.filings.parsing.submission import open_submission
from outreach_platform_tests.support.real_data import real_data_folder

INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def is_balanced(html: str) -> bool:
    balance = _Balance()
    balance.feed(html)
    balance.close()
    return not balance.open and not balance.faults


def said(html: str) -> str:
    """What a slice says, without white space; page numbers are not looked for."""
    if not html:
        return ""
    return squeezed("".join(line.text for line in walk(parse_html(html)).lines))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def check(document: Document, cuts: list[int]) -> None:
    """Slices between lines are balanced and say what the text says there."""
    starts = sorted({document.lines[cut % len(document.lines)].start for cut in cuts} | {0})
    for start, end in zip(starts, [*starts[1:], len(document.text)], strict=True):
        html = document.slice_html(start, end)
        assert is_balanced(html)
        assert said(html) == squeezed(document.text[start:end])


@pytest.mark.parametrize(
    ("html", "slices"),
    [
        ("<p>a</p><p><b>b</b></p>", ["<p>a</p>", "<p><b>b</b></p>"]),
        # Two lines share one element.
        ("<p><b>a<br>b</b></p>", ["<p><b>a<br></b></p>", "<p><b>b</b></p>"]),
        ("<pre>a\n\nb</pre>", ["<pre>a\n\n</pre>", "<pre>b</pre>"]),
        # In the middle of a table.
        (
            '<div id="t"><table width="9"><tr><td>a</td></tr><tr><td>b</td></tr></table></div>',
            [
                '<div id="t"><table width="9"><tr><td>a</td></tr></table></div>',
                '<div><table width="9"><tr><td>b</td></tr></table></div>',
            ],
        ),
        # What is not seen belongs to the line before.
        ("<p>a</p><hr><ul><li></li></ul><p>b</p>", ["<p>a</p><hr><ul><li></li></ul>", "<p>b</p>"]),
        ("<div>a<div>b</div></div>", ["<div>a</div>", "<div><div>b</div></div>"]),
        (
            '<div title="&lt;">a<p>b</div>',
            ['<div title="&lt;">a</div>', '<div title="&lt;"><p>b</p></div>'],
        ),
    ],
)
def test_slices_are_fragments_that_stand_alone(html: str, slices: list[str]) -> None:
    document = read_html(html)
    first, second = document.lines
    found = [
        document.slice_html(first.start, second.start),
        document.slice_html(second.start, len(document.text)),
    ]
    assert found == slices


def test_attributes_with_broken_names_are_left_out() -> None:
    document = read_html("""<p>x</p><p styl /="a>c</p><p a=1 'b<i>d</p><p>e</p>""")
    html = document.slice_html(0, len(document.text))
    assert is_balanced(html)
    assert said(html) == squeezed(document.text) == "xcde"
    assert '<p styl>c</p><p a="1">d</p>' in html


def test_a_line_belongs_to_the_slice_it_begins_in() -> None:
    document = read_html("<p>one two</p><p>three</p>")
    assert document.slice_html(0, 3) == "<p>one two</p>"
    assert document.slice_html(3, 10) == "<p>three</p>"
    assert document.slice_html(3, 8) == ""


def test_slicing_leaves_the_tables_as_they_were() -> None:
    document = read_html("<p>x</p><table><tr><td>Sales</td><td>5</td></tr></table>")
    before = "".join(document.tables[0].element.itertext())
    document.slice_html(0, len(document.text))
    assert "".join(document.tables[0].element.itertext()) == before == "Sales5"


_PIECES = st.sampled_from(
    (
        *("<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<br>", "<table>", "</table>", "<tr>"),
        *(
            "<td>",
            "</td>",
            "</tr>",
            "<font size=2>",
            "</font>",
            "<center>",
            "<li>",
            "<ul>",
            "</ul>",
        ),
        *("<pre>", "</pre>", "<page>", "<hr>", "<sup>", "</sup>", "<span hidden>", "</span>"),
        *(
            "word ",
            "5",
            "$",
            "(",
            ")",
            "%",
            "a\nb",
            "&nbsp;",
            "&#151;",
            " ",
            "ITEM 1. ",
            "<a name=x>",
        ),
    )
)


@given(st.lists(_PIECES, max_size=40), st.lists(st.integers(0, 50), max_size=4))
def test_any_markup_is_covered_by_lines_and_slices(pieces: list[str], cuts: list[int]) -> None:
    try:
        document = read_html("".join(pieces))
    except ValueError:
        return
    at = 0
    for line in document.lines:
        assert line.end > line.start >= at
        assert not document.text[at : line.start].strip()
        assert document.line_text(line) == document.line_text(line).strip()
        at = line.end
    assert at == len(document.text)
    for table in document.tables:
        assert 0 <= table.start < table.end <= at
    check(document, cuts)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(real_data_folder() is None, reason="the real filings are not here")
@pytest.mark.parametrize("number", range(0, 43, 6))
def test_slices_of_real_filings_say_all_that_the_filing_says(number: int) -> None:
    folder = real_data_folder()
    assert folder is not None
    path = sorted((folder / "filings").glob("*.gz"))[number]
    document = read_html(open_submission(path.read_bytes(), path.name).main.text)
    check(document, list(range(0, len(document.lines), 37)))
    check(document, list(range(11, len(document.lines), 101)))


_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "0123456789"
)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(real_data_folder() is None, reason="the real filings are not here")
@pytest.mark.parametrize("number", range(0, 43, 6))
def test_not_a_character_of_a_real_filing_is_lost(number: int) -> None:
    folder = real_data_folder()
    assert folder is not None
    path = sorted((folder / "filings").glob("*.gz"))[number]
    source = open_submission(path.read_bytes(), path.name).main.text
    root = parse_html(source)
    read = "".join(line.text for line in walk(root).lines)
    for element in [*root.iter("head", "ix:header", "style", "script")]:
        element.getparent().remove(element)
    for element in root.xpath("//*[contains(translate(@style, ' ', ''), 'display:none')]"):
        for inner in element.iter():
            inner.text = None
            inner.tail = inner.tail if inner is element else None
    shown = "".join(root.itertext()).translate(_SUPERSCRIPTS)
    assert squeezed(INVISIBLE.sub("", read).translate(_SUPERSCRIPTS)) == squeezed(
        INVISIBLE.sub("", shown)
    )
