"""Cut-off pages and error pages are told from filings; old pages that never close are whole."""

import pytest

from outreach_platform.filings.parsing.wholeness import error_page, unclosed_html

OLD = "<HTML><HEAD><TITLE>10-K</TITLE></HEAD><BODY><P>ITEM 1. BUSINESS<P>We mill grain."


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><p>x</p></body></html>",
        "<html><body><p>x</p></BODY>\n\n",
        # Complete pages of the 1990s that never close.
        OLD,
        f"{OLD}<P>Date: March 29, 1999<BR>John Miller<BR>Secretary",
        f"{OLD}<P><FONT SIZE=2>By: John Miller, Chief Financial Officer",
        f"{OLD}<P><B>a free copy",
        f"{OLD}<TABLE><TR><TD>Cash<TD>5</TABLE>",
        f"{OLD}<CENTER>S-2</CENTER>\n",
        "<p>no page at all",
        "ITEM 1. BUSINESS a < b",
    ],
)
def test_whole_pages_pass(page: str) -> None:
    assert unclosed_html(page) is None


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (f'{OLD}<P ALIGN="cen', "inside a tag"),
        (f'{OLD}<TD STYLE="font-size:8pt', "inside a tag"),
        (f"{OLD}<TABLE><TR><TD>Cash<TD>5</TD>", "inside a table"),
        (f"{OLD}<P><FONT SIZE=2>The mill has ent", "middle of a sentence"),
        (f"{OLD}<div><span>Our sites are Dorset, Kent,", "middle of a sentence"),
        ('<?xml version="1.0"?><html><body><div>x</div>', "XHTML"),
    ],
)
def test_a_cut_is_proved_by_the_markup(page: str, reason: str) -> None:
    assert reason in (unclosed_html(page) or "")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            "<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head>"
            "<body><h1>Request Rate Threshold Exceeded</h1></body></html>",
            "Request Rate Threshold Exceeded",
        ),
        (
            "<html><h1>Your Request Originates from an Undeclared Automated Tool</h1></html>",
            "Undec",
        ),
        (
            "<html><head><title>SEC.gov | File Not Found Error Alert (404)</title></head></html>",
            "404",
        ),
        ("<HTML><TITLE>404 Not Found</TITLE></HTML>", "404 Not Found"),
        ("<html><title>EDGAR Filing Documents for 0000320193-23-000106</title></html>", "EDGAR"),
        ("<html><head><title>Inline XBRL Viewer</title></head></html>", "XBRL Viewer"),
        ("<html><head><title>503 Service Unavailable</title></head></html>", "503"),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
    ],
)
def test_error_pages_are_told_by_their_headline(page: str, said: str) -> None:
    assert said in (error_page(page) or "")


@pytest.mark.parametrize(
    "page",
    [
        OLD,
        "<html><title>Form 10-K 404 Corp</title><body>Not found guilty.</body></html>",
        f"<html><body>{'We mill grain. ' * 5000}Request Rate Threshold Exceeded</body></html>",
    ],
)
def test_filings_are_no_error_pages(page: str) -> None:
    assert error_page(page) is None
