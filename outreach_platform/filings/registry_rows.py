"""The rows of `filings`, and what becomes of one when its file is added again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import duckdb

from outreach_platform.filings.metadata import edgar_url, refusal
from outreach_platform.filings.metadata_sources import Told
from outreach_platform.filings.metadata_values import UNKNOWN_FORM, base_form, form_family
from outreach_platform.filings.model import FilingMeta

# The fields of an entry, which are columns of the same names.
_FIELDS = tuple(field.name for field in fields(FilingMeta))
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM filings"
# What a row of `filings.csv` can tell.
_TOLD = ("cik", "company_name", "form_type", "filing_date", "period_of_report")
# What follows from other fields, or is decided for each file.
_DERIVED = frozenset(
    (
        *("accession_number", "edgar_url", "local_path", "download_status"),
        *("content_hash", "size", "refused", "warnings"),
    )
)


def read_entries(
    connection: duckdb.DuckDBPyConnection, where: str = "true", parameters: Sequence[Any] = ()
) -> list[FilingMeta]:
    """Entries by accession number.

    Args:
        connection: with the table `filings`.
        where: a condition in SQL.
        parameters: of the condition.
    """
    found = connection.execute(
        f"{_SELECT} WHERE {where} ORDER BY accession_number", parameters
    ).fetchall()
    return [_entry(dict(zip(_FIELDS, row, strict=True))) for row in found]


def _entry(row: dict[str, Any]) -> FilingMeta:
    warnings = json.loads(row.pop("warnings") or "[]")
    status = row.pop("download_status") or "pending"
    return FilingMeta(**row, download_status=status, warnings=tuple(warnings))


def write_entry(
    connection: duckdb.DuckDBPyConnection, meta: FilingMeta, now: datetime, *, new: bool
) -> None:
    """Insert or update one row; what the extraction keeps in it stays.

    Args:
        connection: inside a transaction.
        meta: the entry.
        now: naive UTC.
        new: whether there is no row of that accession number.
    """
    row: dict[str, Any] = {name: getattr(meta, name) for name in _FIELDS}
    row["warnings"] = json.dumps(meta.warnings, ensure_ascii=False) if meta.warnings else None
    row |= {"filing_year": meta.year, "updated_at": now}
    if new:
        row |= {"created_at": now, "sections_processed": False}
        listed, marks = ", ".join(row), ", ".join("?" for _ in row)
        connection.execute(f"INSERT INTO filings ({listed}) VALUES ({marks})", [*row.values()])
        return
    key = row.pop("accession_number")
    assigned = ", ".join(f"{name} = ?" for name in row)
    connection.execute(
        f"UPDATE filings SET {assigned} WHERE accession_number = ?", [*row.values(), key]
    )


@dataclass(frozen=True, slots=True)
class Merged:
    """What an entry becomes.

    Attributes:
        meta: the entry; `local_path` is still to be set.
        kept: why the registered file stays instead of the added one; None where it does not.
    """

    meta: FilingMeta
    kept: str | None = None


def merged(stored: FilingMeta | None, added: FilingMeta, told: Told | None) -> Merged:
    """What an entry becomes when a file is added.

    The same bytes tell nothing new: only a row of `filings.csv` changes what stands. Other bytes
    count before what stands, and what they do not tell is kept. A file that is refused never takes
    the place of one that is read.

    Args:
        stored: the entry as it is registered, None where it is not.
        added: the entry that the file alone makes.
        told: the file's row of `filings.csv`.
    """
    if stored is None:
        return Merged(added)
    same = stored.content_hash == added.content_hash
    if not same and stored.refused is None and added.refused is not None:
        return Merged(stored, kept=added.refused)
    first, second = (stored, added) if same else (added, stored)
    changes: dict[str, Any] = {
        name: _known(first, name) if _known(first, name) is not None else getattr(second, name)
        for name in _FIELDS
        if name not in _DERIVED
    }
    if told is not None:
        changes |= {name: value for name in _TOLD if (value := getattr(told, name)) is not None}
        if told.tickers:
            changes["ticker"] = told.tickers[0]
    if not same or told is not None:
        changes["warnings"] = added.warnings
    meta = replace(stored if same else added, **changes)
    filed, ended = meta.filing_date, meta.period_of_report
    if filed and ended and ended > filed:
        # Each was right beside its own; the file that counts says which is.
        meta = replace(meta, filing_date=first.filing_date, period_of_report=first.period_of_report)
    return Merged(_settled(meta, stored, added))


def _known(meta: FilingMeta, name: str) -> Any:
    value = getattr(meta, name)
    return None if value == UNKNOWN_FORM else value


def _settled(meta: FilingMeta, stored: FilingMeta, added: FilingMeta) -> FilingMeta:
    """The entry with what follows from its fields."""
    if meta.download_status != "failed":
        meta = replace(meta, refused=refusal(meta.form_type))
    if not meta.form_type.endswith("/A"):
        meta = replace(meta, amends=None)
    same = stored.content_hash == meta.content_hash
    for known in (stored, added) if same else (added, stored):
        if known.edgar_url and known.cik == meta.cik:
            return replace(meta, edgar_url=known.edgar_url)
    url = edgar_url(meta.cik, meta.accession_number, meta.primary_document)
    return replace(meta, edgar_url=url)


def link_amendments(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[str]:
    """Let amendments name the filing they amend, where it is registered.

    It is the original of the same company, period and form, else of the form's family.

    Returns:
        Accession numbers of amendments that name another one than before.
    """
    amendments = read_entries(connection, "form_type LIKE '%/A' AND cik IS NOT NULL")
    if not amendments:
        return []
    originals: dict[tuple[Any, ...], list[FilingMeta]] = {}
    ciks = sorted({meta.cik for meta in amendments if meta.cik})
    marks = ", ".join("?" for _ in ciks)
    for meta in read_entries(connection, f"form_type NOT LIKE '%/A' AND cik IN ({marks})", ciks):
        originals.setdefault((meta.cik, meta.period_of_report), []).append(meta)
    changed = []
    for meta in amendments:
        found = _original(meta, originals.get((meta.cik, meta.period_of_report), []))
        if meta.period_of_report and found and found != meta.amends:
            write_entry(connection, replace(meta, amends=found), now, new=False)
            changed.append(meta.accession_number)
    return changed


def _original(amendment: FilingMeta, candidates: Sequence[FilingMeta]) -> str | None:
    base, family = base_form(amendment.form_type), form_family(amendment.form_type)
    related = [meta for meta in candidates if form_family(meta.form_type) == family]
    related.sort(key=lambda meta: (meta.form_type == base, meta.refused is None))
    return related[-1].accession_number if related else None


def years_of(metas: Mapping[str, FilingMeta]) -> dict[int, int]:
    """How many entries there are by filing year."""
    years: dict[int, int] = {}
    for meta in metas.values():
        years[meta.year] = years.get(meta.year, 0) + 1
    return dict(sorted(years.items()))
