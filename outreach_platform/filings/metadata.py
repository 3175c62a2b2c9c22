"""A filing's register entry from its bytes, its path and its row of `filings.csv`.

Sources count in this order: `filings.csv`, the file name, the SGML header, inline XBRL's cover
facts, the document's `<TYPE>`, the folder's name, the words of the cover. Where two differ the
first counts, and a warning names both. The first ten digits of an accession number are whoever
filed it, often an agent: they are never taken for the CIK.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach_platform.filings import metadata_sources as sources
from outreach_platform.filings.cover import CoverFacts, inline_facts, read_cover
from outreach_platform.filings.metadata_conflicts import dates, differences
from outreach_platform.filings.metadata_sources import Told
from outreach_platform.filings.metadata_values import (
    UNKNOWN_FORM,
    accession_of,
)
from outreach_platform.filings.model import ACCEPTED_FORMS, FilingMeta
from outreach_platform.filings.parsing.submission import (
    Submission,
    UnreadableFilingError,
    open_submission,
)

_ARCHIVES = "https://www.sec.gov/Archives/edgar/data"
_DESCRIPTION = 500
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file as it was read, before it is settled what it is.

    Attributes:
        path: of the file.
        told: by source, in the order in which they count.
        amendment: how an amendment describes itself.
        document: name of the main document, as the submission or the path tells.
        whole: whether the file is a full submission with its header.
        unreadable: why the bytes are no filing; None for a readable one.
        content_hash: of the unpacked bytes.
        size: of the unpacked bytes.
    """

    path: Path
    told: tuple[Told, ...]
    content_hash: str
    size: int
    amendment: str | None = None
    document: str | None = None
    whole: bool = False
    unreadable: str | None = None


class NoAccessionError(ValueError):
    """Nothing tells a file's accession number, so that it can be no row of the register."""


def read_meta(raw: bytes, path: Path, csv_row: Mapping[str, str] | None = None) -> FilingMeta:
    """The register entry of a file.

    Args:
        raw: the file's bytes, packed or not.
        path: the file; its name and its folder's are read, the file is not.
        csv_row: its row of `filings.csv`, keys in lower case.

    Raises:
        NoAccessionError: nothing tells the accession number.
    """
    return settle(gather(raw, path), csv_row)


def gather(raw: bytes, path: Path) -> Evidence:
    """Read what a file tells."""
    told = [sources.from_name(path)]
    try:
        submission = open_submission(raw, path.name)
    except UnreadableFilingError as error:
        data = _salvaged(raw)
        # A download that broke off still says in its header what it was to become.
        header = data[:20_000].decode("utf-8", "replace").partition("<DOCUMENT>")[0]
        if "-HEADER>" in header:
            told.append(sources.from_header(header))
        return Evidence(
            path=path,
            told=(*told, sources.from_folder(path)),
            content_hash=hashlib.sha256(data).hexdigest(),
            size=len(data),
            unreadable=str(error),
        )
    main = submission.main
    facts, words = inline_facts(main.text), read_cover(main.text)
    told += [
        sources.from_header(submission.header),
        sources.from_facts(sources.FACTS, facts),
        sources.from_type(main.type),
        sources.from_folder(path),
        sources.from_facts(sources.COVER, words),
    ]
    return Evidence(
        path=path,
        told=tuple(told),
        content_hash=submission.sha256,
        size=submission.size,
        amendment=_described(facts, words),
        document=_document(submission, path),
        whole=bool(submission.header),
    )


def accession_told(evidence: Evidence) -> str | None:
    """The accession number that a file tells without its `filings.csv`."""
    return _first(evidence.told, "accession_number")


def _described(facts: CoverFacts, words: CoverFacts) -> str | None:
    description = facts.amendment or words.amendment
    return description[:_DESCRIPTION] if description else None


def _document(submission: Submission, path: Path) -> str | None:
    if submission.main.filename and submission.main.filename != path.name:
        return submission.main.filename
    return None if submission.header else sources.plain_name(path)


def _salvaged(raw: bytes) -> bytes:
    """As much of the bytes as can be unpacked."""
    if raw[:2] != _GZIP:
        return raw
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, 1 << 28)
    except zlib.error:
        return raw


def settle(evidence: Evidence, csv_row: Mapping[str, str] | None = None) -> FilingMeta:
    """Decide between the sources.

    Raises:
        NoAccessionError: nothing tells the accession number.
    """
    told = (*([sources.from_csv(csv_row)] if csv_row else []), *evidence.told)
    accession = _first(told, "accession_number")
    if accession is None:
        raise NoAccessionError(
            f"{evidence.path.name} has no accession number, neither in its name nor inside: rename "
            "it to 0000000000-00-000000.htm with the filing's own number, or name it in a "
            "filings.csv beside it."
        )
    warnings = list(differences(told))
    form = _form(told)
    filed, ended = dates(told, accession, warnings)
    cik = _first(told, "cik")
    amended = form is not None and form.endswith("/A")
    return FilingMeta(
        accession_number=accession,
        form_type=form or UNKNOWN_FORM,
        cik=cik,
        company_name=_first(told, "company_name"),
        ticker=next((each.tickers[0] for each in told if each.tickers), None),
        filing_date=filed,
        period_of_report=ended,
        acceptance_datetime=_first(told, "acceptance_datetime"),
        primary_document=evidence.document,
        edgar_url=edgar_url(cik, accession, evidence.document, whole=evidence.whole),
        download_status="failed" if evidence.unreadable else "completed",
        content_hash=evidence.content_hash,
        size=evidence.size,
        refused=evidence.unreadable or refusal(form or UNKNOWN_FORM),
        amends=evidence.amendment if amended else None,
        warnings=tuple(warnings),
    )


def refusal(form: str) -> str | None:
    """Why filings of a form are not read; None for those that are."""
    if form in ACCEPTED_FORMS:
        return None
    if form == UNKNOWN_FORM:
        return (
            "Nothing tells its form, neither filings.csv nor name, header or cover; name the form "
            "in a filings.csv beside the file."
        )
    return f"Form {form} is not read; 10-K, 10-K405, 10-KT, 10-Q and their amendments are."


def edgar_url(
    cik: str | None, accession: str, document: str | None, *, whole: bool = False
) -> str | None:
    """Where the filing stands at the SEC; None without a CIK.

    A document that bears the accession number for a name was renamed by whoever fetched it: the
    filing's index stands for it. Submissions before 2001 have no documents of their own.
    """
    if cik is None:
        return None
    folder = f"{_ARCHIVES}/{int(cik)}/{accession.replace('-', '')}"
    if document and accession not in document and accession_of(Path(document).stem) is None:
        return f"{folder}/{document}"
    return f"{folder}/{accession}.txt" if whole else f"{folder}/{accession}-index.htm"


def _first(told: Sequence[Told], field: str) -> Any:
    return next((value for each in told if (value := getattr(each, field)) is not None), None)


def _form(told: Sequence[Told]) -> str | None:
    """The first form told; a name's `10k` is as good as a header's `10-K405/A`."""
    forms = [(each.source, each.form_type) for each in told if each.form_type]
    if not forms:
        return None
    source, form = forms[0]
    finer = forms[1][1] if len(forms) > 1 else form
    if source == sources.FILE_NAME and finer.startswith(form):
        return finer
    return form
