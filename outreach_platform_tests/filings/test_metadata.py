import gzip
from datetime import date, datetime
from pathlib import Path

import pytest

from outreach_platform.filings.metadata import NoAccessionError, edgar_url, read_meta
from outreach_platform_tests.filings.written import ACCESSION, fact, inline, page, submission

NAMED = Path(f"{ACCESSION}.htm")
FACTS = inline(
    fact("EntityRegistrantName", "Oar &amp; Scull Works, Inc."),
    fact("EntityCentralIndexKey", "0000912345"),
    fact("DocumentType", "10-K"),
    fact("DocumentPeriodEndDate", "December 31, 2023"),
    fact("TradingSymbol", "oar"),
)


def test_a_full_submission_tells_all_by_its_header() -> None:
    meta = read_meta(submission(), Path("full-submission.txt"))
    assert meta.accession_number == ACCESSION
    assert (meta.cik, meta.company_name) == ("0000912345", "OAR & SCULL WORKS INC")
    assert (meta.form_type, meta.refused) == ("10-K", None)
    assert (meta.filing_date, meta.period_of_report) == (date(2024, 2, 15), date(2023, 12, 31))
    assert meta.primary_document == "oar-20231231.htm"
    assert meta.edgar_url == (
        "https://www.sec.gov/Archives/edgar/data/912345/000119312524000007/oar-20231231.htm"
    )
    assert meta.warnings == ()
    assert meta.year == 2024


@pytest.mark.parametrize(
    ("accepted", "utc"),
    [
        ("20240215160130", datetime(2024, 2, 15, 21, 1, 30)),
        ("20240715160130", datetime(2024, 7, 15, 20, 1, 30)),
        ("20240215", None),
        ("20241315160130", None),
    ],
)
def test_edgars_clock_stands_in_new_york(accepted: str, utc: datetime | None) -> None:
    assert read_meta(submission(accepted=accepted), NAMED).acceptance_datetime == utc


def test_the_tagged_header_is_read_too() -> None:
    head = (
        "<SEC-HEADER>x.hdr.sgml : 20190430\n<ACCEPTANCE-DATETIME>20190430162156\n"
        "<ACCESSION-NUMBER>0001104659-19-025328\n<TYPE>10-Q\n<PERIOD>20190331\n"
        "<FILING-DATE>20190430\n<FILER>\n<COMPANY-DATA>\n<CONFORMED-NAME>OARS CORP\n"
        "<CIK>0000051143\n</COMPANY-DATA>\n<FORMER-COMPANY>\n<FORMER-CONFORMED-NAME>X\n</FILER>\n"
        "</SEC-HEADER>\n<DOCUMENT>\n<TYPE>10-Q\n<SEQUENCE>1\n<FILENAME>oars.htm\n<TEXT>\n"
    )
    raw = head.encode() + page("FORM 10-Q") + b"\n</TEXT>\n</DOCUMENT>\n"
    meta = read_meta(raw, Path("x.nc"))
    assert (meta.accession_number, meta.form_type) == ("0001104659-19-025328", "10-Q")
    assert (meta.cik, meta.company_name) == ("0000051143", "OARS CORP")
    assert (meta.filing_date, meta.period_of_report) == (date(2019, 4, 30), date(2019, 3, 31))


def test_the_filer_counts_and_not_the_company_it_is_about() -> None:
    about = (
        b"SUBJECT COMPANY:\t\n\tCOMPANY DATA:\n\t\tCOMPANY CONFORMED NAME: OTHER CO\n"
        b"\t\tCENTRAL INDEX KEY: 77\n\nFILER:"
    )
    meta = read_meta(submission().replace(b"FILER:", about, 1), NAMED)
    assert (meta.cik, meta.company_name) == ("0000912345", "OAR & SCULL WORKS INC")


def test_inline_facts_tell_what_a_bare_document_is() -> None:
    meta = read_meta(gzip.compress(FACTS), Path(f"{ACCESSION}.htm.gz"))
    assert (meta.cik, meta.ticker, meta.form_type) == ("0000912345", "OAR", "10-K")
    assert meta.company_name == "Oar & Scull Works, Inc."
    assert meta.period_of_report == date(2023, 12, 31)
    assert meta.primary_document == f"{ACCESSION}.htm"
    assert meta.size == len(FACTS)
    assert meta.filing_date is None
    assert meta.year == 2024


def test_an_old_documents_cover_tells_the_rest() -> None:
    meta = read_meta(page("FORM 10-K405"), Path("0000912345-97-000007.txt"))
    assert (meta.form_type, meta.company_name) == ("10-K405", "Oar & Scull Works, Inc.")
    assert meta.refused is None
    assert meta.year == 1997


def test_the_accession_numbers_digits_are_never_taken_for_the_cik() -> None:
    meta = read_meta(page(), NAMED)
    assert meta.cik is None
    assert meta.edgar_url is None


def test_the_csv_counts_before_all_and_a_warning_names_both() -> None:
    row = {"form_type": "10-Q", "company_name": "Paddles Ltd", "cik": "55", "ticker": "pad"}
    meta = read_meta(FACTS, NAMED, {**row, "filing_date": "2024-02-16", "period": "2023-06-30"})
    assert (meta.form_type, meta.company_name) == ("10-Q", "Paddles Ltd")
    assert (meta.cik, meta.ticker) == ("0000000055", "PAD")
    assert (meta.filing_date, meta.period_of_report) == (date(2024, 2, 16), date(2023, 6, 30))
    told = " ".join(meta.warnings)
    for name in ("form_type", "company_name", "cik", "period_of_report", "ticker"):
        assert f"{name} is " in told
    assert told.count("filings.csv counts") == 5
    assert "the inline XBRL facts" in told


def test_trivial_differences_are_no_warning() -> None:
    row = {"company_name": "OAR AND SCULL WORKS", "ticker": "OAR", "form_type": "10-k"}
    assert read_meta(FACTS, NAMED, row).warnings == ()


def test_a_second_symbol_of_the_company_is_no_warning() -> None:
    two = FACTS.replace(b"</body>", fact("TradingSymbol", "OAR.B").encode() + b"</body>")
    meta = read_meta(two, NAMED, {"ticker": "OAR.B"})
    assert (meta.ticker, meta.warnings) == ("OAR.B", ())


def test_the_file_name_counts_before_the_header() -> None:
    meta = read_meta(submission(), Path("0000000001-24-000001.txt"))
    assert meta.accession_number == "0000000001-24-000001"
    assert meta.warnings == (
        f"accession_number is 0000000001-24-000001 in the file name and {ACCESSION} in the SGML "
        "header: the file name counts.",
    )


def test_a_names_form_is_only_as_fine_as_a_name_can_be() -> None:
    meta = read_meta(submission(form="10-K405/A"), Path("oar_10k.txt"))
    assert (meta.form_type, meta.warnings) == ("10-K405/A", ())
    other = read_meta(submission(form="10-K"), Path("oar_10-Q_report.txt"))
    assert other.form_type == "10-Q"
    assert len(other.warnings) == 1


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("oar_10k_2024", "10-K"), ("OAR-10-K405-A", "10-K405/A"), ("form-10-q", "10-Q")),
        *(("ex21-10k", "unknown"), ("exhibit_to_10-K", "unknown"), ("d10k", "unknown")),
        *(("oar-20231231", "unknown"), ("10-k2023", "unknown"), ("110-k", "unknown")),
    ],
)
def test_names_tell_forms_only_where_they_stand_alone(name: str, form: str) -> None:
    silent = page(form="", ended="")
    assert read_meta(silent, Path(f"{ACCESSION}/{name}.htm")).form_type == form


def test_a_cover_that_says_10_k_for_a_10_k405_is_no_warning() -> None:
    meta = read_meta(submission(form="10-K405", document=page("FORM 10-K")), NAMED)
    assert (meta.form_type, meta.warnings) == ("10-K405", ())


def test_a_cover_of_another_family_is_a_warning() -> None:
    meta = read_meta(submission(form="10-K", document=page("FORM 10-Q")), NAMED)
    assert meta.form_type == "10-K"
    assert "10-Q in the cover" in meta.warnings[0]


def test_a_52_week_years_end_is_the_months_end_of_the_header() -> None:
    ended = page(ended="For the fiscal year ended January 3, 2024")
    assert read_meta(submission(document=ended), NAMED).warnings == ()
    later = page(ended="For the fiscal year ended March 31, 2023")
    assert "period_of_report" in read_meta(submission(document=later), NAMED).warnings[0]


def test_a_cover_that_shows_a_names_last_line_is_no_warning() -> None:
    lined = page(company="THE GREAT OAR AND</p><p>SCULL WORKS, INC.")
    named = submission(company="GREAT OAR & SCULL WORKS INC", document=lined)
    assert read_meta(named, NAMED).warnings == ()
    other = submission(company="SCULL AND BONES AND OTHER OLD THINGS", document=lined)
    assert "company_name" in read_meta(other, NAMED).warnings[0]


def test_a_period_after_the_filing_drops_the_less_trusted() -> None:
    wrong = {"period_of_report": "2025-01-31", "filing_date": "2024-02-15"}
    meta = read_meta(FACTS, NAMED, wrong)
    assert (meta.filing_date, meta.period_of_report) == (date(2024, 2, 15), date(2023, 12, 31))
    assert any("after the filing date" in warning for warning in meta.warnings)
    later = read_meta(submission(filed="20230101"), NAMED, {"period": "2023-06-30"})
    assert (later.filing_date, later.period_of_report) == (None, date(2023, 6, 30))


def test_a_period_without_a_year_warns_only_where_nothing_else_tells() -> None:
    row = {"period": "September 28"}
    assert read_meta(FACTS, NAMED, row).warnings == ()
    silent = read_meta(page(ended=""), NAMED, row)
    assert silent.period_of_report is None
    assert "September 28" in silent.warnings[0]


def test_folders_kept_as_edgar_keeps_them_tell_number_and_cik() -> None:
    path = Path("Archives/edgar/data/912345/000119312524000007/oar-20231231.htm")
    meta = read_meta(page(), path)
    assert (meta.accession_number, meta.cik) == (ACCESSION, "0000912345")
    assert meta.edgar_url is not None
    assert meta.edgar_url.endswith("/912345/000119312524000007/oar-20231231.htm")
    downloader = Path(f"sec-edgar-filings/OAR/10-K/{ACCESSION}/primary-document.html")
    assert read_meta(page(), downloader).accession_number == ACCESSION


def test_a_renamed_document_is_linked_by_its_index() -> None:
    assert edgar_url("0000912345", ACCESSION, f"{ACCESSION}.htm") == (
        f"https://www.sec.gov/Archives/edgar/data/912345/000119312524000007/{ACCESSION}-index.htm"
    )
    old = read_meta(submission(filename=""), NAMED)
    assert old.edgar_url is not None
    assert old.edgar_url.endswith(f"/000119312524000007/{ACCESSION}.txt")


def test_an_amendment_describes_itself() -> None:
    facts = inline(
        fact("DocumentType", "10-K/A"),
        fact("AmendmentFlag", "true"),
        fact("AmendmentDescription", "To add Part III."),
    )
    meta = read_meta(facts, NAMED)
    assert (meta.form_type, meta.amends, meta.refused) == ("10-K/A", "To add Part III.", None)
    assert read_meta(page(more="<p>Amendment No. 1</p>"), NAMED).amends == "Amendment No. 1"
    assert read_meta(page(), NAMED).amends is None


def test_without_a_number_it_is_no_entry() -> None:
    with pytest.raises(NoAccessionError, match=r"nike-2006\.htm has no accession number"):
        read_meta(page(), Path("nike-2006.htm"))


@pytest.mark.parametrize("form", ["8-K", "20-F", "10-KSB", "10-K40SB", "10-QSB/A", "NT 10-K"])
def test_other_forms_are_refused_and_whole(form: str) -> None:
    meta = read_meta(submission(form=form), NAMED)
    assert meta.form_type == form
    assert meta.refused is not None
    assert meta.refused.startswith(f"Form {form} is not read")
    assert meta.download_status == "completed"


@pytest.mark.parametrize(
    "form", ["10-K", "10-K405", "10-KT", "10-Q", "10-K/A", "10-K405/A", "10-KT/A", "10-Q/A"]
)
def test_the_accepted_forms_are_not_refused(form: str) -> None:
    assert read_meta(submission(form=form), NAMED).refused is None


def test_without_any_form_it_is_refused() -> None:
    meta = read_meta(page(form="", ended=""), NAMED)
    assert meta.form_type == "unknown"
    assert meta.refused is not None
    assert meta.refused.startswith("Nothing tells its form")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (bytes(range(256)) * 40, "is a binary file"),
        (submission()[:-600], "is cut off"),
        (gzip.compress(submission(), mtime=0)[:-40], "cut off"),
        (b"<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title>", "no filing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    meta = read_meta(raw, NAMED, {"form_type": "10-K"})
    assert meta.refused is not None
    assert reason in meta.refused
    assert meta.download_status == "failed"
    assert meta.form_type == "10-K"


def test_a_download_that_broke_off_still_says_what_it_was() -> None:
    meta = read_meta(submission()[:-600], Path("download.txt"))
    assert (meta.accession_number, meta.form_type) == (ACCESSION, "10-K")
    assert meta.download_status == "failed"
