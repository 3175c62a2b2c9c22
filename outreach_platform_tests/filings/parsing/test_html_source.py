"""Markup is mended before it is parsed; what is too deep is flattened without a loss."""

import pytest

from outreach_platform.filings.parsing.html_source import flattened, parse_html


@pytest.mark.parametrize(
    ("source", "flat"),
    [
        # What is closed stays as it is.
        ('<p><b a=">">x</b></p><br/><img src=x>', '<p><b a=">">x</b></p><br/><img src=x>'),
        # A block ends what is open inline before it.
        ("<p><font>x<p>y", "<p><font>x</font></p><p>y"),
        ("<td><b>x<td>y</td>", "<td><b>x</b></td><td>y</td>"),
        ("<tr><td>x<tr><td>y", "<tr><td>x</td></tr><tr><td>y"),
        # A closing tag ends what is open inside; one without an opening goes.
        ("<div><b>x</div></i>y", "<div><b>x</b></div>y"),
        # Not beyond the table it stands in.
        ("<b><table><td>x</b></table></b>", "<b></b><table><td>x</td></table>"),
        ("5 < 6 <!-- a --> <", "5 < 6 <!-- a --> <"),
    ],
)
def test_tags_are_closed_where_a_browser_closes_them(source: str, flat: str) -> None:
    assert flattened(source) == flat


def test_what_is_too_deep_leaves_its_line_breaks() -> None:
    flat = flattened("<div>" * 500 + "<p>a" + "<b>" * 9 + "b</div>c")
    assert flat.count("<div>") == 240
    assert flat.count("<br>") == 261
    assert flat.endswith("<br>ab</div>c")


def depth(source: str) -> int:
    return max(sum(1 for _ in element.iterancestors()) for element in parse_html(source).iter())


def test_no_tree_is_deeper_than_a_few_hundred_levels() -> None:
    assert depth("<div>" * 100 + "x") == 101
    assert depth("<div>" * 600 + "x") < 256
    assert depth("<table><tr><td>" * 600 + "x") < 256


def test_a_text_of_many_megabytes_is_one_text() -> None:
    root = parse_html("<p>" + "grain " * 2_000_000 + "end")
    assert "".join(root.itertext()).endswith("grain end")


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("<p>a<page>b", ["p", "hr"]),
        ("<p>a<PAGE NUM=1 />b</PAGE>c", ["p", "hr"]),
        ("<p>a<c><fn>b<f1>d</p>", ["p"]),
        ("<?xml version='1.0' encoding='UTF-16'?>\n<!DOCTYPE html><p>a", ["p"]),
    ],
)
def test_tags_that_are_no_html_are_mended(source: str, tags: list[str]) -> None:
    body = parse_html(source).find("body")
    assert [element.tag for element in body.iter()][1:] == tags
