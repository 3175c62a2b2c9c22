from datetime import date

import pytest

from outreach_platform.filings.cover import first_page, inline_facts, read_cover
from outreach_platform_tests.filings.written import context, fact, inline, page


def test_facts_inside_facts_are_read_whole() -> None:
    nested = fact("CurrentFiscalYearEndDate", "September&#160;28") + ", 2024"
    facts = inline_facts(inline(fact("DocumentPeriodEndDate", nested)).decode())
    assert facts.period_of_report == date(2024, 9, 28)


def test_facts_give_name_number_form_and_symbols() -> None:
    facts = inline_facts(
        inline(
            fact("EntityRegistrantName", "<b>OAR &amp; SCULL</b>&#160;INC"),
            fact("EntityCentralIndexKey", "0000912345"),
            fact("DocumentType", " 10-Q "),
            fact("TradingSymbol", "OAR"),
            fact("TradingSymbol", "N/A"),
            fact("TradingSymbol", "OAR25"),
        ).decode()
    )
    assert (facts.company_name, facts.cik, facts.form_type) == (
        *("OAR & SCULL INC", "0000912345", "10-Q"),
    )
    assert facts.tickers == ("OAR", "OAR25")


def test_the_parent_counts_before_a_subsidiary_that_stands_first() -> None:
    facts = inline_facts(
        inline(
            fact("EntityRegistrantName", "Sub Co", "c-9"),
            fact("EntityCentralIndexKey", "77", "c-9"),
            fact("EntityRegistrantName", "Parent Co"),
            fact("EntityCentralIndexKey", "66"),
            contexts=context("c-9", "<xbrldi:explicitMember>x</xbrldi:explicitMember>")
            + context("c-1"),
        ).decode()
    )
    assert (facts.company_name, facts.cik) == ("Parent Co", "66")


@pytest.mark.parametrize(
    "flag",
    [
        fact("AmendmentFlag", "true"),
        fact("AmendmentFlag", "\u2612", more='format="ixt-sec:boolballotbox"'),
        fact("AmendmentFlag", "", more='format="ixt:fixed-true"'),
    ],
)
def test_an_amendment_flag_makes_an_amendment(flag: str) -> None:
    facts = inline_facts(
        inline(
            fact("DocumentType", "10-K"), flag, fact("AmendmentDescription", "Adds Part III")
        ).decode()
    )
    assert (facts.form_type, facts.amendment) == ("10-K/A", "Adds Part III")


def test_a_false_flag_makes_none() -> None:
    for flag in (fact("AmendmentFlag", "false"), fact("AmendmentFlag", "\u2610")):
        assert inline_facts(inline(fact("DocumentType", "10-K"), flag).decode()).form_type == "10-K"


def test_words_about_facts_are_no_facts() -> None:
    facts = inline_facts('<p>The tag "dei:EntityRegistrantName" and name="dei:DocumentType"</p>')
    assert facts.company_name is None
    assert facts.form_type is None


def test_a_cover_of_words_tells_form_period_and_company() -> None:
    said = read_cover(page().decode())
    assert said.form_type == "10-K"
    assert said.period_of_report == date(2023, 12, 31)
    assert said.company_name == "Oar & Scull Works, Inc."


@pytest.mark.parametrize(
    ("line", "form"),
    [
        *(("FORM 10-K405", "10-K405"), ("Form 10-K/A", "10-K/A"), ("FORM 10 - Q", "10-Q")),
        *(("Form&nbsp;10&#8209;K", "10-K"), ("FORM 10-KSB", "10-KSB"), ("FORM 8-K", "8-K")),
        *(("F O R M  1 0 - K", "10-K"), ("Annual Report on Form 10-K", "10-K"), ("10-K", "10-K")),
        *(("FORM 10-K/A-1", "10-K/A"), ("Form 10-K/A No. 2", "10-K/A")),
        *(("-- FORM 10-Q for the quarter ended June 30, 1996", "10-Q"), ("* * *", None)),
        *(("ANNUAL REPORT UNDER SECTION 13 OR 15(d)", "10-K"), ("FORM 10-KSB40", "10-KSB40")),
        *(("FORM 12b-25", "12B-25"), ("FORM 20-F", "20-F"), ("FORM 10-K (Mark One)", "10-K")),
    ],
)
def test_the_form_is_read_off_its_line(line: str, form: str | None) -> None:
    assert read_cover(page(line).decode()).form_type == form


def test_a_sentence_that_mentions_a_form_is_no_cover() -> None:
    text = (
        "<html><body><p>Our annual report on Form 10-K for 2022 is on our site.</p></body></html>"
    )
    assert read_cover(text).form_type is None


def test_an_amendment_is_told_by_its_number_below_the_form() -> None:
    said = read_cover(page("FORM 10-K", more="<p>(Amendment No. 2)</p>").decode())
    assert (said.form_type, said.amendment) == ("10-K/A", "Amendment No. 2")


def test_a_box_about_amendments_makes_no_amendment() -> None:
    box = "<p>in Part III of this Form 10-K or any amendment to this Form 10-K. [X]</p>"
    assert read_cover(page(more=box).decode()).form_type == "10-K"


@pytest.mark.parametrize(
    ("ended", "day"),
    [
        ("FOR THE QUARTERLY PERIOD ENDED: March 31, 2005", date(2005, 3, 31)),
        ("For the fiscal years ended January 3, 1998 and December 28, 1996", date(1998, 1, 3)),
        ("For the 52 weeks ended 12/28/96", date(1996, 12, 28)),
        ("For the transition period from July 1, 1997 to December 31, 1997", date(1997, 12, 31)),
        ("For the transition period from ______ to ______", None),
        (
            "For the fiscal year ended    Commission File Number:<br>June 30, 1996",
            date(1996, 6, 30),
        ),
        ("For the fiscal year ended December 31", None),
    ],
)
def test_the_period_is_read_in_the_spellings_of_covers(ended: str, day: date | None) -> None:
    assert read_cover(page(ended=ended).decode()).period_of_report == day


def test_plain_text_keeps_its_lines_though_it_has_page_tags() -> None:
    text = (
        "<PAGE>\n                FORM 10-K405\n\n   For the fiscal year\n   ended June 30, 1996\n\n"
        "          OAR & SCULL WORKS\n   (Exact name of registrant as specified)\n<TABLE>\n<S><C>"
    )
    said = read_cover(text)
    assert (said.form_type, said.company_name) == ("10-K405", "OAR & SCULL WORKS")
    assert said.period_of_report == date(1996, 6, 30)


def test_a_commission_number_is_no_company() -> None:
    assert read_cover(page(company="Commission File No. 1-37816").decode()).company_name is None


def test_a_name_over_two_lines_is_read_where_the_lower_says_too_little() -> None:
    lined = page(company="ACME UNITED</p><p>CORPORATION</p><p>__________").decode()
    assert read_cover(lined).company_name == "ACME UNITED CORPORATION"
    assert read_cover(page(company="Delaware</p><p>ACME").decode()).company_name == "ACME"


def test_hidden_facts_are_no_part_of_the_first_page() -> None:
    document = (
        inline(body="<p>FORM 10-K</p>")
        .decode()
        .replace("</ix:header>", fact("X", "0") * 20_000 + "</ix:header>")
    )
    assert first_page(document).startswith("FORM 10-K")
