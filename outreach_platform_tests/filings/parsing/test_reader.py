"""The markup of a document decides how it is read."""

import pytest

from outreach_platform.filings.parsing.reader import is_html, read_document
from outreach_platform.filings.parsing.submission import open_submission
from outreach_platform_tests.support.real_data import real_data_folder

PROSE = "The mill grinds grain for the bakers of the region.\n"
TEXT = "ITEM 1.  BUSINESS\n\n" + PROSE * 40 + "<PAGE>\n<TABLE>\n<S>   <C>\nSales   5\n</TABLE>\n"


@pytest.mark.parametrize(
    "text",
    [
        "<html><body><p>x</p></body></html>",
        "<P>ITEM 1.<BR>BUSINESS",
        f"<DIV>{PROSE * 9}</DIV><TABLE><TR><TD>5</TABLE>" * 5,
        # One table of text makes no page plain.
        f"<html>{f'<p>{PROSE * 5}</p>' * 40}<pre>{PROSE * 9}</pre></html>",
    ],
)
def test_pages_are_html(text: str) -> None:
    assert is_html(text)
    assert read_document(text).source == "html"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT + "a stray <b>tag</b> and <br> another, with 5 < 6 & more\n",
        f"<html><head><title>t</title></head><body><pre>{TEXT * 3}</pre></body></html>",
        f"<HTML><BODY>{f'<PRE>{TEXT}</PRE><HR>' * 5}</BODY></HTML>",
        "ITEM 1. BUSINESS",
    ],
)
def test_text_is_plain_though_tags_stand_in_it(text: str) -> None:
    assert not is_html(text)
    document = read_document(text)
    assert document.source == "text"
    assert "ITEM 1. BUSINESS" in document.text
    assert "<" not in document.text.replace("5 < 6", "")


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(real_data_folder() is None, reason="the real filings are not here")
@pytest.mark.parametrize(
    ("name", "source", "lines", "tables", "pages", "said"),
    [
        ("ko-1997.txt.gz", "text", 1500, 7, 29, "ITEM 1. BUSINESS\n\nThe Coca-Cola Company (the"),
        ("nike-2006.htm.gz", "html", 1200, 80, 70, "NIKE designs"),
    ],
)
def test_old_filings_are_read_whole(
    name: str, source: str, lines: int, tables: int, pages: int, said: str
) -> None:
    folder = real_data_folder()
    assert folder is not None
    raw = (folder / "filings_old" / name).read_bytes()
    document = read_document(open_submission(raw, name).main.text)
    assert document.source == source
    assert len(document.lines) > lines
    assert len(document.tables) >= tables
    assert document.lines[-1].page >= pages
    assert said in document.text
    assert len(document.printed_pages) > 0.85 * pages
    assert "Table of Contents\n\n" not in document.text[5000:]
    assert len(document.text) > 70_000
