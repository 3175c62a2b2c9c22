from datetime import date

import pytest

from outreach_platform.filings.metadata_values import (
    accession_of,
    cik_of,
    date_of,
    find_accession,
    form_family,
    form_of,
    same_name,
    text_of,
)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-09-28", "20240928", "2024/9/28", "9/28/2024", "09/28/24", "9-28-2024"),
        *("September 28, 2024", "SEPTEMBER 28,2024", "Sept. 28, 2024", "Sep 28 2024"),
        *("September\u00a028, 2024", "28 September 2024", "28-SEP-2024", "September 28th, 2024"),
        *("2024-09-28T16:01:36.000Z", "2024-09-28 00:00:00", " 28th day of September, 2024"),
    ],
)
def test_dates_are_read_in_every_usual_spelling(text: str) -> None:
    assert date_of(text) == date(2024, 9, 28)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "September 28", "28", "2024", "2024-13-45", "February 30, 2024", "N/A"),
        *("September 28, 24000", "0000-00-00", "1234567890", "12/31/1879"),
    ],
)
def test_what_has_no_year_or_no_sense_is_no_date(text: str | None) -> None:
    assert date_of(text) is None


def test_two_digit_years_are_of_edgars_time() -> None:
    assert date_of("12/31/96") == date(1996, 12, 31)
    assert date_of("12/31/05") == date(2005, 12, 31)


def test_the_day_comes_first_only_where_it_is_said() -> None:
    assert date_of("3/4/2024") == date(2024, 3, 4)
    assert date_of("3/4/2024", day_first=True) == date(2024, 4, 3)
    assert date_of("28/9/2024") == date(2024, 9, 28)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        *(("10-K", "10-K"), ("10k", "10-K"), ("Form 10-K", "10-K"), ("10\u2010Q\u00a0", "10-Q")),
        *(("10-K405", "10-K405"), ("10-K405/A", "10-K405/A"), ("10K405", "10-K405")),
        *(("10-K/A", "10-K/A"), ("10-K/A No. 2", "10-K/A"), ("10-K (Amendment No. 1)", "10-K/A")),
        *(("10-KT", "10-KT"), ("10-q/a", "10-Q/A"), ("10 - Q", "10-Q"), ("10\u2011K", "10-K")),
        *(("10-KSB", "10-KSB"), ("10-KSB40", "10-KSB40"), ("10-KT405", "10-KT405")),
        *(("8-K", "8-K"), ("20-F", "20-F"), ("NT 10-K", "NT 10-K"), ("DEF 14A", "DEF 14A")),
        *((None, None), ("", None), ("n/a", None), ("\u00fe", None), ("10-QSB/A", "10-QSB/A")),
    ],
)
def test_forms_are_named_as_edgar_names_them(written: str | None, form: str | None) -> None:
    assert form_of(written) == form


def test_a_late_notice_is_of_no_annual_reports_family() -> None:
    assert form_family("10-K405/A") == "10-K"
    assert form_family("NT 10-K") == "NT 10-K"


def test_accession_numbers_have_their_dashes_put_back() -> None:
    assert find_accession("aapl_10k_000032019324000123.txt") == "0000320193-24-000123"
    assert find_accession("0000320193-24-000123.htm.gz") == "0000320193-24-000123"
    assert accession_of(" 000032019324000123 ") == "0000320193-24-000123"


@pytest.mark.parametrize(
    "text", ["", "0000320193-24-00012", "00003201932400012", "1000032019324000123", "320193-24-1"]
)
def test_other_digits_are_no_accession_number(text: str) -> None:
    assert find_accession(text) is None


def test_text_around_a_number_makes_it_no_value() -> None:
    assert accession_of("see 0000320193-24-000123") is None


@pytest.mark.parametrize(
    ("written", "cik"),
    [
        *(("320193", "0000320193"), ("0000320193", "0000320193"), ("CIK0000320193", "0000320193")),
        *(("320193.0", "0000320193"), ("0", None), ("12345678901", None), ("abc", None)),
        *((None, None), ("\u0663\u0662", None)),
    ],
)
def test_ciks_are_padded_or_refused(written: str | None, cik: str | None) -> None:
    assert cik_of(written) == cik


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("WALT DISNEY CO/", "The Walt Disney Company"), ("DISNEY WALT CO", "Walt Disney Co")),
        *(("BOEING CO", "THE BOEING COMPANY"), ("AMAZON.COM, INC.", "Amazon Com Inc")),
        *(("COCA COLA CO /DE/", "Coca-Cola Company"), ("J.P. Morgan & Co.", "JP Morgan and Co")),
        *(("McDonald\u2019s Corp", "MCDONALDS CORP"), ("U.S. Bancorp", "US BANCORP")),
    ],
)
def test_names_that_differ_in_spelling_are_the_same(one: str, other: str) -> None:
    assert same_name(one, other)


def test_names_of_others_are_not_the_same() -> None:
    assert not same_name("Dow Inc.", "The Dow Chemical Company")
    assert not same_name("ALCOA CORPORATION", "EXCHANGE ACT OF 1934 ALCOA C")
    assert not same_name("The Company Inc.", "The Limited, Inc.")


def test_placeholders_say_nothing() -> None:
    assert text_of(" N/A ") is None
    assert text_of(" Oar\n &\u00a0Scull ") == "Oar & Scull"
