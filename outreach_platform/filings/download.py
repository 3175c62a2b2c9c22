"""New filings from the SEC into the folder of raw filings, from where they are registered.

A company's list of filings says what there is; each filing is fetched as its full submission,
whose header tells the rest. What stands in the folder already is not fetched again.
"""

import gzip
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outreach_platform.filings.download_http import (
    Client,
    ClosedError,
    FetchError,
    MissingError,
)
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.metadata_sources import from_header
from outreach_platform.filings.metadata_values import (
    accession_of,
    cik_of,
    date_of,
    find_accession,
    form_of,
)
from outreach_platform.filings.model import ACCEPTED_FORMS
from outreach_platform.filings.parsing.submission import UnreadableFilingError, open_submission
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import PARTIAL, replacing, writing

if TYPE_CHECKING:
    import requests

_CONTACT = re.compile(r"\S.*[^\s@]+@[^\s@]+\.[^\s@]+|[^\s@]+@[^\s@]+\.[^\s@]+")
_END = re.compile(rb"</(?:SEC|IMS)-DOCUMENT>|-----END PRIVACY-ENHANCED MESSAGE-----", re.I)
_TAIL = 2000
_ATTEMPTS = 5


@dataclass(slots=True)
class DownloadReport:
    """What a download did.

    Attributes:
        downloaded: accession numbers that were fetched.
        present: those that stood here already.
        failed: reason by accession number.
        problems: a sentence for each company and filing that failed.
    """

    downloaded: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A filing in a company's list."""

    accession_number: str
    cik: str
    filing_date: date | None


def download_new(
    ciks: Sequence[str],
    *,
    user_agent: str,
    folder: FilingFolder,
    since: date | None = None,
    forms: Collection[str] = ACCEPTED_FORMS,
    base_url: str = "https://data.sec.gov",
    archive_url: str = "https://www.sec.gov",
    rate: float = 8.0,
    backoff: float = 1.0,
    timeout: float = 60.0,
    session: "requests.Session | None" = None,
    tell: Callable[[str], object] = lambda _sentence: None,
) -> DownloadReport:
    """Fetch what companies have filed and what is not here yet.

    Args:
        ciks: numbers of companies, with or without leading zeros.
        user_agent: who asks: a name and an address, which the SEC demands.
        folder: the wing's paths; hold its lock.
        since: what was filed earlier is not fetched.
        forms: the forms that are fetched.
        base_url: where the lists of filings are.
        archive_url: where the filings are.
        rate: requests a second at most; the SEC allows ten.
        backoff: seconds before a page is asked for again.
        timeout: seconds of silence before a server counts as gone.
        session: to be used instead of an own one.
        tell: is told of each filing that came.

    Raises:
        UsageError: nobody is named, or a CIK is none.
        SourceError: the SEC refuses everybody who asks under this name.
        OutreachError: the disk is full, or the folder refuses.
    """
    _named(user_agent)
    wanted = dict.fromkeys(_padded(cik) for cik in ciks)
    client = Client(
        user_agent=user_agent.strip(),
        rate=rate,
        attempts=_ATTEMPTS,
        backoff=backoff,
        timeout=timeout,
        session=session,
    )
    report = DownloadReport()
    here = _standing(folder)
    try:
        for cik in wanted:
            for listed in _list_of(client, base_url, cik, since, forms, report):
                if listed.accession_number in here:
                    report.present.append(listed.accession_number)
                else:
                    here.add(listed.accession_number)
                    _take(client, archive_url, listed, folder, report, tell)
    except ClosedError as error:
        report.problems.append(
            f"The SEC's servers cannot be asked now: {error}; what is missing comes with the next "
            "run, in ten minutes or more."
        )
    return report


def _take(
    client: Client,
    archive: str,
    listed: _Listed,
    folder: FilingFolder,
    report: DownloadReport,
    tell: Callable[[str], object],
) -> None:
    """Fetch one filing, and say how it went.

    Raises:
        ClosedError: nothing more is to be had.
    """
    accession = listed.accession_number
    try:
        _fetch(client, archive, listed, folder)
    except ClosedError:
        raise
    except FetchError as error:
        report.failed[accession] = str(error)
        report.problems.append(f"{accession} of CIK {listed.cik} was not fetched: {error}.")
        return
    report.downloaded.append(accession)
    tell(f"fetched {accession}, filed {listed.filing_date}, of CIK {listed.cik}")


def _named(user_agent: str) -> None:
    """Refuse to ask without a name and an address.

    Raises:
        UsageError: there is none.
    """
    text = user_agent.strip()
    if not _CONTACT.search(text) or not text.isprintable() or not text.isascii():
        raise UsageError(
            "the SEC wants to know who asks: set SEC_API_USER_AGENT to a name and a mail address, "
            'for example SEC_API_USER_AGENT="Jane Doe jane@example.org"'
        )


def _padded(cik: str) -> str:
    padded = cik_of(cik)
    if padded is None:
        raise UsageError(f"{cik!r} is no CIK: give the company's number, for example 320193")
    return padded


def _standing(folder: FilingFolder) -> set[str]:
    """Accession numbers in the names of the files that are here."""
    if not folder.raw.is_dir():
        return set()
    names = (p.name for p in folder.raw.rglob("*") if not p.name.startswith("."))
    kinds = (".htm", ".html", ".txt")
    kept = (name for name in names if name.lower().removesuffix(".gz").endswith(kinds))
    return {number for name in kept if (number := find_accession(name))}


def _list_of(
    client: Client,
    base_url: str,
    cik: str,
    since: date | None,
    forms: Collection[str],
    report: DownloadReport,
) -> Iterator[_Listed]:
    """A company's filings of the wanted forms, the newest first; what fails is told."""
    try:
        for page in _pages(client, f"{base_url}/submissions", cik, since):
            for listed, form in _rows(page, cik):
                old = since and listed.filing_date and listed.filing_date < since
                if form in forms and not old:
                    yield listed
    except MissingError:
        report.problems.append(f"The SEC knows no company with CIK {cik}; check the number.")
    except ClosedError:
        raise
    except FetchError as error:
        report.problems.append(
            f"The list of filings of CIK {cik} was not fetched: {error}; try again later."
        )


def _pages(client: Client, folder: str, cik: str, since: date | None) -> Iterator[dict[str, Any]]:
    """The lists of filings: the recent ones, then older files.

    Raises:
        FetchError: one is not to be had, or of another form.
    """
    first = client.json(f"{folder}/CIK{cik}.json")
    try:
        filings = first["filings"]
        recent, older = filings["recent"], filings.get("files") or []
        files = [(str(each["name"]), date_of(each.get("filingTo"))) for each in older]
    except (KeyError, TypeError, AttributeError):
        raise FetchError("the list has another form than the SEC's") from None
    yield recent
    for name, until in files:
        if re.fullmatch(r"[\w-]+\.json", name) and not (since and until and until < since):
            try:
                yield client.json(f"{folder}/{name}")
            except MissingError as error:
                raise FetchError(f"its older part {name} is missing") from error


def _rows(page: dict[str, Any], cik: str) -> Iterator[tuple[_Listed, str | None]]:
    """The filings of one list, with their forms.

    Raises:
        FetchError: it is of another form.
    """
    try:
        columns = (page["accessionNumber"], page["form"], page["filingDate"])
        rows = list(zip(*columns, strict=True))
    except (KeyError, TypeError, ValueError):
        raise FetchError("the list has another form than the SEC's") from None
    for number, form, filed in rows:
        accession = accession_of(str(number))
        if accession is not None:
            yield _Listed(accession, cik, date_of(str(filed))), form_of(str(form))


def _fetch(client: Client, archive: str, listed: _Listed, folder: FilingFolder) -> None:
    """Fetch one filing: it stands whole in the folder, or not at all."""
    accession = listed.accession_number
    bare = accession.replace("-", "")
    url = f"{archive}/Archives/edgar/data/{int(listed.cik)}/{bare}/{accession}.txt"
    target = folder.raw / f"{accession}.txt.gz"
    partial = folder.raw / f".{accession}.txt{PARTIAL}"
    with writing(partial):
        folder.raw.mkdir(parents=True, exist_ok=True)
        client.file(url, partial, lambda path: _wrong(path, accession))
    try:
        with (
            replacing(target) as temporary,
            partial.open("rb") as source,
            temporary.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, 0) as packed,
        ):
            shutil.copyfileobj(source, packed)
    finally:
        partial.unlink(missing_ok=True)


def _wrong(path: Path, accession: str) -> str | None:
    """Why what came is not the filing that was asked for; None where it is."""
    raw = path.read_bytes()
    if not _END.search(raw[-_TAIL:]):
        return "what came is no full submission or broke off: its closing tag is missing"
    try:
        submission = open_submission(raw, path.name)
    except UnreadableFilingError as error:
        return str(error).rstrip(".")
    told = from_header(submission.header).accession_number
    return None if told == accession else f"what came is another filing, {told}"
