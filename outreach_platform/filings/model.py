"""What the wing's parts hand to one another: a filing's register entry, sections, ids, kinds.

Ids are hashes of natural keys, so that a citation survives a better parser and a second run.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, get_args

Kind = Literal["sections", "tables", "footnotes", "chunks"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Status = Literal["pending", "done", "empty", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
FORMS = ("10-K", "10-K405", "10-KT", "10-Q")
ACCEPTED_FORMS = (*FORMS, *(f"{form}/A" for form in FORMS))
# Changes whenever the parser's answers may change; part of every status row.
PARSER_VERSION = "1"

_WIDTH = 32


def hashed(*parts: object) -> str:
    """An id of 32 hexadecimal digits from the parts of a natural key."""
    joined = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:_WIDTH]


def section_id(accession: str, part: str, section_type: str) -> str:
    """The id of a section."""
    return hashed("section", accession, part, section_type)


def table_id(accession: str, table_index: int) -> str:
    """The id of a table."""
    return hashed("table", accession, table_index)


def footnote_id(accession: str, place: str, marker: str, occurrence: int) -> str:
    """The id of a footnote.

    Args:
        accession: of the filing.
        place: the id of its table, else of its section, else empty.
        marker: as printed, for example `(1)` or `*`.
        occurrence: how many footnotes of that marker came before it in that place.
    """
    return hashed("footnote", accession, place, marker, occurrence)


def chunk_id(accession: str, part: str, section_type: str, level: int, index: int) -> str:
    """The id of a chunk."""
    return hashed("chunk", accession, part, section_type, level, index)


def content_hash(text: str) -> str:
    """The hash that tells whether a text changed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class FilingMeta:
    """A filing as it is registered; a row of `filings`.

    Attributes:
        accession_number: with dashes.
        cik: ten digits; None where nothing tells it.
        company_name: as the filer writes it.
        ticker: as `filings.csv` or the cover tells.
        form_type: as filed, for example `10-K405/A`.
        filing_date: None where unknown; the year is then the accession number's.
        period_of_report: end of the period.
        acceptance_datetime: UTC without zone.
        primary_document: name of the main document inside the submission, or of the file.
        edgar_url: where the filing stands at the SEC; None without a cik.
        local_path: relative to the data folder, with `/`.
        download_status: `completed` for what stands here whole, else `failed` or `pending`.
        content_hash: SHA-256 of the unpacked bytes.
        size: of the unpacked bytes.
        refused: why the filing is not extracted; None for one that is.
        amends: accession number or description of what an amendment amends.
        warnings: sources of metadata that differ, and the like.
    """

    accession_number: str
    form_type: str
    cik: str | None = None
    company_name: str | None = None
    ticker: str | None = None
    filing_date: date | None = None
    period_of_report: date | None = None
    acceptance_datetime: datetime | None = None
    primary_document: str | None = None
    edgar_url: str | None = None
    local_path: str | None = None
    download_status: str = "completed"
    content_hash: str | None = None
    size: int | None = None
    refused: str | None = None
    amends: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def year(self) -> int:
        """The filing year: of the filing date, else of the accession number."""
        if self.filing_date is not None:
            return self.filing_date.year
        return accession_year(self.accession_number)


def accession_year(accession: str) -> int:
    """The year in an accession number; EDGAR began in 1993."""
    two = int(accession[11:13])
    return two + (1900 if two >= 90 else 2000)


@dataclass(frozen=True, slots=True)
class Section:
    """An item of a filing.

    Attributes:
        section_type: `item_1a` and so on.
        section_part: `part_i` to `part_iv`.
        title: the heading's words without `Item 1A.`; as printed.
        start: offset in `Document.text` of the heading.
        end: offset behind the last character that is the section's.
        confidence: 0 to 1, from agreement and gates.
        method: `heading_scan`, `plain_text`, `edgartools`, `cross_reference` …
        issues: each a dict with `code` and what it takes to judge it.
        cross_references: where the section sends its reader, each a dict.
        heading_end: offset behind the heading.
    """

    section_type: str
    section_part: str
    title: str
    start: int
    end: int
    confidence: float
    method: str
    issues: tuple[dict[str, Any], ...] = ()
    cross_references: tuple[dict[str, Any], ...] = ()
    heading_end: int = 0

    @property
    def number(self) -> str:
        """`1A` of `item_1a`."""
        return self.section_type.removeprefix("item_").upper()


@dataclass(slots=True)
class Extract:
    """All rows of one filing, each a dict with the columns of `schema.SCHEMAS`.

    Attributes:
        accession_number: of the filing.
        rows: by kind.
        notes: what the reader found odd.
    """

    accession_number: str
    rows: dict[Kind, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
