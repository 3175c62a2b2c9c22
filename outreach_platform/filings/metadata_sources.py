"""What each source tells of a filing: its row of `filings.csv`, its path, header, facts and cover.

A source says what it says; which of them counts is decided in `metadata`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from outreach_platform.filings.cover import CoverFacts
from outreach_platform.filings.metadata_values import (
    accession_of,
    cik_of,
    date_of,
    find_accession,
    form_of,
    text_of,
)

CSV, FILE_NAME, HEADER = "filings.csv", "the file name", "the SGML header"
FACTS, TYPE, FOLDER, COVER = (
    *("the inline XBRL facts", "the document's <TYPE>", "the folder's name", "the cover"),
)

_EASTERN = ZoneInfo("America/New_York")
_FIELD = re.compile(r"^[ \t]*(?:<([A-Z0-9-]+)>|([A-Z][A-Z0-9 ./()-]+?):)[ \t]*([^\r\n]*)$", re.M)
# The label of EDGAR's headers and the tag of its newer ones.
_LABELS = {
    "ACCESSION NUMBER": "accession_number",
    "ACCESSION-NUMBER": "accession_number",
    "CONFORMED SUBMISSION TYPE": "form_type",
    "TYPE": "form_type",
    "CONFORMED PERIOD OF REPORT": "period_of_report",
    "PERIOD": "period_of_report",
    "FILED AS OF DATE": "filing_date",
    "FILING-DATE": "filing_date",
    "COMPANY CONFORMED NAME": "company_name",
    "CONFORMED-NAME": "company_name",
    "CENTRAL INDEX KEY": "cik",
    "CIK": "cik",
    "ACCEPTANCE-DATETIME": "acceptance",
}
_FILER = re.compile(r"^[ \t]*(?:FILER|FILED BY|FILED-BY|<FILER>|<FILED-BY>):?[ \t]*$", re.M)
_OTHER_PARTY = re.compile(r"^[ \t]*(?:SUBJECT COMPANY|<SUBJECT-COMPANY>):?[ \t]*$", re.M)
_DOCUMENT_LINE = re.compile(r"<(?:SEC|IMS)-(?:DOCUMENT|HEADER)>(\S+)")
_NAME_FORM = re.compile(r"(?<![a-z0-9])10-?[kq](?:t|sb|405|40)?(?:-?a)?(?![a-z0-9])", re.I)
# `ex21-10k.htm` is no annual report.
_NAME_EXHIBIT = re.compile(r"exhibit|(?<![a-z])ex[-_ ]?\d", re.I)
_ARCHIVE = re.compile(r"(?:^|/)data/0*(\d{1,10})/$")
_PACKED = (".gz",)


@dataclass(frozen=True, slots=True)
class Told:
    """What one source tells; None where it is silent.

    Attributes:
        source: its name, for warnings.
        tickers: all it names; the first counts.
        undated: what stands for the period and is no date, for example `September 28`.
    """

    source: str
    accession_number: str | None = None
    cik: str | None = None
    company_name: str | None = None
    tickers: tuple[str, ...] = ()
    form_type: str | None = None
    filing_date: date | None = None
    period_of_report: date | None = None
    acceptance_datetime: datetime | None = None
    undated: str | None = None


def from_csv(row: Mapping[str, str]) -> Told:
    """What a row of `filings.csv` tells; its keys are lower-case column names."""
    period = text_of(row.get("period_of_report")) or text_of(row.get("period"))
    ended = date_of(period)
    ticker = text_of(row.get("ticker"))
    return Told(
        source=CSV,
        accession_number=accession_of(row.get("accession_number")),
        cik=cik_of(row.get("cik")),
        company_name=text_of(row.get("company_name")),
        tickers=(ticker.upper(),) if ticker else (),
        form_type=form_of(row.get("form_type")),
        filing_date=date_of(row.get("filing_date")),
        period_of_report=ended,
        undated=period if period and ended is None else None,
    )


def from_name(path: Path) -> Told:
    """What a file's name tells: the accession number, and the form as far as a name can."""
    stem = plain_name(path)
    form = None if _NAME_EXHIBIT.search(stem) else _NAME_FORM.search(stem.replace("_", " "))
    return Told(
        source=FILE_NAME,
        accession_number=find_accession(stem),
        form_type=form_of(form[0].rstrip("-").replace(" ", "-")) if form else None,
    )


def from_folder(path: Path) -> Told:
    """What the folder tells where files are kept as EDGAR keeps them.

    `…/data/320193/000032019324000123/aapl-20240928.htm` names CIK and accession number;
    `…/AAPL/10-K/0000320193-24-000123/primary-document.html` the latter.
    """
    accession = accession_of(path.parent.name)
    archive = _ARCHIVE.search(f"{path.parent.parent.as_posix()}/") if accession else None
    return Told(
        source=FOLDER,
        accession_number=accession,
        cik=cik_of(archive[1]) if archive else None,
    )


def plain_name(path: Path) -> str:
    """A file's name without `.gz`."""
    return path.name[:-3] if path.name.lower().endswith(_PACKED) else path.name


def from_header(header: str) -> Told:
    """What an SGML header tells of its first filer."""
    said = _fields(header)
    company = _fields(_first_filer(header))
    named = _DOCUMENT_LINE.search(header)
    accession = accession_of(said.get("accession_number"))
    return Told(
        source=HEADER,
        accession_number=accession or (find_accession(named[1]) if named else None),
        cik=cik_of(company.get("cik")),
        company_name=text_of(company.get("company_name")),
        form_type=form_of(said.get("form_type")),
        filing_date=date_of(said.get("filing_date")),
        period_of_report=date_of(said.get("period_of_report")),
        acceptance_datetime=_accepted(said.get("acceptance")),
    )


def _fields(header: str) -> dict[str, str]:
    """The first value of each label."""
    said: dict[str, str] = {}
    for tag, label, value in _FIELD.findall(header):
        name = _LABELS.get(tag or label.strip())
        if name and value.strip():
            said.setdefault(name, value.strip())
    return said


def _first_filer(header: str) -> str:
    """The header from its first filer on; all of it where it names none."""
    filer = _FILER.search(header)
    if filer is None:
        return header
    other = _OTHER_PARTY.search(header, filer.end())
    return header[filer.end() : other.start() if other else None]


def _accepted(value: str | None) -> datetime | None:
    """EDGAR's clock stands in New York; ours is UTC without a zone."""
    digits = (value or "").strip()
    if len(digits) != 14 or not digits.isdigit():
        return None
    try:
        local = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=_EASTERN)
    except ValueError:
        return None
    return local.astimezone(UTC).replace(tzinfo=None)


def from_facts(source: str, facts: CoverFacts) -> Told:
    """What cover facts tell, or the cover's words."""
    return Told(
        source=source,
        cik=cik_of(facts.cik),
        company_name=facts.company_name,
        tickers=tuple(ticker.upper() for ticker in facts.tickers),
        form_type=facts.form_type,
        period_of_report=facts.period_of_report,
    )


def from_type(kind: str) -> Told:
    """What the document's own `<TYPE>` tells: its form, unless it is an exhibit."""
    form = form_of(kind)
    return Told(source=TYPE, form_type=None if form and form.startswith("EX-") else form)
