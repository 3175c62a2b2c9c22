"""The register: files become rows of `filings` and copies in the data folder.

Every file is read before anything is written, one in memory at a time, because several files may
be of one filing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import duckdb

from outreach_platform.filings.inbox import FoundFile, find_files
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.metadata import (
    NoAccessionError,
    accession_told,
    gather,
    settle,
)
from outreach_platform.filings.metadata_sources import from_csv
from outreach_platform.filings.model import FilingMeta
from outreach_platform.filings.registry_choice import Candidate, choose
from outreach_platform.filings.registry_rows import (
    Merged,
    link_amendments,
    merged,
    read_entries,
    write_entry,
    years_of,
)
from outreach_platform.filings.registry_store import inside, store
from outreach_platform.foundation.errors import IntegrityError

_BATCH = 50
Progress = Callable[[int, int], object]


@dataclass(slots=True)
class RegisterReport:
    """What a registration did.

    Attributes:
        new: accession numbers registered for the first time.
        updated: those whose bytes or metadata changed.
        unchanged: those that stood already as they are.
        refused: reason by accession number, or by path where none is known; of all files given.
        problems: sentences: paths and rows that cannot be used, sources that differ, files that
            gave way to another of the same filing.
        years: of the new and updated filings: how many by filing year.
    """

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    years: dict[int, int] = field(default_factory=dict)


def register(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    paths: Sequence[Path],
    *,
    now: datetime,
    progress: Progress | None = None,
) -> RegisterReport:
    """Register files; a second time changes nothing.

    Args:
        connection: of the writer's database, with its tables and outside of a transaction.
        folder: the wing's paths.
        paths: files, folders, or a `filings.csv`; see `inbox.find_files`.
        now: for `created_at` and `updated_at`; naive means UTC.
        progress: is told how many files of how many have been read.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    inbox = find_files(paths)
    report = RegisterReport(problems=list(inbox.problems))
    moment = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
    groups: dict[str, list[Candidate]] = {}
    for number, found in enumerate(inbox.files, start=1):
        candidate = _read(folder, found, report)
        if candidate is not None:
            groups.setdefault(candidate.meta.accession_number, []).append(candidate)
        if progress is not None:
            progress(number, len(inbox.files))
    changed: dict[str, FilingMeta] = {}
    for batch in _batched(sorted(groups)):
        changed |= _write(connection, folder, {key: groups[key] for key in batch}, moment, report)
    _link(connection, moment, report, changed)
    report.years = years_of(changed)
    return report


def registered(
    connection: duckdb.DuckDBPyConnection,
    *,
    accessions: Sequence[str] | None = None,
    year: int | None = None,
) -> list[FilingMeta]:
    """Entries of the register by accession number, refused ones too.

    Args:
        connection: with the table `filings`.
        accessions: only these.
        year: only this filing year.
    """
    conditions, parameters = ["true"], []
    if accessions is not None:
        conditions.append("list_contains(?::VARCHAR[], accession_number)")
        parameters.append(list(accessions))
    if year is not None:
        conditions.append("filing_year = ?")
        parameters.append(year)
    return read_entries(connection, " AND ".join(conditions), parameters)


def _read(folder: FilingFolder, found: FoundFile, report: RegisterReport) -> Candidate | None:
    """Read one file; None where it can be no row, which is told."""
    try:
        raw = found.path.read_bytes()
        changed = found.path.stat().st_mtime_ns
    except OSError as error:
        report.problems.append(f"{found.path} cannot be read: {error.strerror}; check its owner.")
        return None
    evidence = gather(raw, found.path)
    row = found.row(accession_told(evidence))
    try:
        meta = settle(evidence, row)
    except NoAccessionError as error:
        report.refused[str(found.path)] = evidence.unreadable or str(error)
        return None
    return Candidate(
        path=found.path,
        sha256=hashlib.sha256(raw).hexdigest(),
        evidence=evidence,
        meta=meta,
        row=row,
        added=not inside(folder, found.path),
        changed=changed,
    )


def _batched(keys: Sequence[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _write(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    groups: Mapping[str, Sequence[Candidate]],
    now: datetime,
    report: RegisterReport,
) -> dict[str, FilingMeta]:
    """Store and register one batch; returns the entries that are new or changed."""
    stored = {meta.accession_number: meta for meta in registered(connection, accessions=[*groups])}
    entries: dict[str, FilingMeta] = {}
    for accession, candidates in groups.items():
        before = stored.get(accession)
        chosen = choose(candidates, before, report.problems)
        result = merged(before, chosen.meta, from_csv(chosen.row) if chosen.row else None)
        try:
            meta = _stored(folder, chosen, result, before)
        except IntegrityError as error:
            report.problems.append(str(error))
            continue
        _tell(report, chosen, meta, before, result)
        if meta != before:
            entries[accession] = meta
    connection.begin()
    try:
        for accession, meta in entries.items():
            write_entry(connection, meta, now, new=accession not in stored)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return entries


def _stored(
    folder: FilingFolder, chosen: Candidate, result: Merged, before: FilingMeta | None
) -> FilingMeta:
    """The entry with its copy's place; what cannot be read is not copied."""
    meta = result.meta
    if result.kept is not None:
        return meta
    if meta.download_status == "failed" and chosen.added:
        return replace(meta, local_path=None)
    return replace(meta, local_path=store(folder, chosen.path, chosen.sha256, meta, before))


def _tell(
    report: RegisterReport,
    chosen: Candidate,
    meta: FilingMeta,
    before: FilingMeta | None,
    result: Merged,
) -> None:
    """Count one filing, and say what is odd about it."""
    accession = meta.accession_number
    if result.kept is not None:
        report.problems.append(
            f"{chosen.path} is not registered in place of the copy that stands of {accession}: "
            f"{result.kept}"
        )
    if meta.refused is not None:
        report.refused[accession] = meta.refused
    if meta == before:
        report.unchanged.append(accession)
        return
    (report.new if before is None else report.updated).append(accession)
    if before is not None and before.content_hash not in (None, meta.content_hash):
        report.problems.append(
            f"{accession} has other bytes than before: {chosen.path} counts now, and what was read "
            "from the former copy is read anew."
        )
    report.problems += [f"{accession}: {warning}" for warning in meta.warnings]


def _link(
    connection: duckdb.DuckDBPyConnection,
    now: datetime,
    report: RegisterReport,
    changed: dict[str, FilingMeta],
) -> None:
    """Let amendments name their originals; one that stood unchanged until here is updated."""
    linked = [] if not changed else link_amendments(connection, now)
    for meta in registered(connection, accessions=linked) if linked else []:
        changed[meta.accession_number] = meta
        if meta.accession_number in report.unchanged:
            report.unchanged.remove(meta.accession_number)
        if meta.accession_number not in report.new:
            report.updated.append(meta.accession_number)
    report.updated = sorted(set(report.updated))
