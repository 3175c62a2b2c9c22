"""Staged rows: what a worker leaves of one filing for the merge, and nobody else writes.

A filing's folder holds one Parquet file a kind and, written last, `report.json`: without the report
nothing is staged. The folder's name carries run and filing, so that no two workers share a file.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import (
    KINDS,
    PARSER_VERSION,
    Extract,
    FilingMeta,
    Kind,
)
from outreach_platform.filings.schema import COLUMNS, arrow_schema
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import (
    Record,
    read_record,
    sha256_of,
    write_record,
    writing,
)

_REPORT = "report.json"
_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}")


class StagedReport(Record):
    """What a worker says of one filing.

    Attributes:
        accession_number: of the filing.
        content_hash: of the bytes that were read, as registered.
        parser_version: of the parser that read them.
        counts: rows by kind; none where it failed.
        sha256: of the staged file, by kind.
        error: why it failed; None where its rows are staged.
        notes: what the reader found odd.
        seconds: of work.
        peak_memory: of the worker, bytes; 0 where unknown.
    """

    accession_number: str
    content_hash: str | None
    parser_version: str
    counts: dict[Kind, int] = {}
    sha256: dict[Kind, str] = {}
    error: str | None = None
    notes: list[str] = []
    seconds: float = 0.0
    peak_memory: int = 0


def staged_file(folder: FilingFolder, run_id: str, accession: str, kind: Kind) -> Path:
    """The file of one kind's rows."""
    return folder.staged(run_id, accession) / f"{kind}.parquet"


def begin(folder: FilingFolder, run_id: str, accession: str) -> None:
    """Make the filing's folder, empty.

    Raises:
        OutreachError: the disk refuses.
    """
    target = folder.staged(run_id, accession)
    with writing(target):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, exist_ok=True)


def write_rows(
    folder: FilingFolder, run_id: str, meta: FilingMeta, extract: Extract
) -> StagedReport:
    """Write a filing's rows; they count only once `write_report` has written what this returns.

    Raises:
        IntegrityError: a kind is missing, or a row has other columns than its table.
        OutreachError: the disk refuses.
    """
    counts: dict[Kind, int] = {}
    sums: dict[Kind, str] = {}
    for kind in KINDS:
        if kind not in extract.rows:
            raise IntegrityError(f"the parser returned no list of {kind}; not even an empty one")
        path = staged_file(folder, run_id, meta.accession_number, kind)
        counts[kind] = _write(path, kind, extract.rows[kind])
        sums[kind] = sha256_of(path)
    return StagedReport(
        accession_number=meta.accession_number,
        content_hash=meta.content_hash,
        parser_version=PARSER_VERSION,
        counts=counts,
        sha256=sums,
        notes=extract.notes,
    )


def write_report(folder: FilingFolder, run_id: str, report: StagedReport) -> StagedReport:
    """Write the report: now the filing is staged, or has failed."""
    path = folder.staged(run_id, report.accession_number) / _REPORT
    # Its rows have checksums, and whatever a power cut loses is extracted again.
    write_record(path, report, durable=False)
    return report


def failure(meta: FilingMeta, error: str, **measured: Any) -> StagedReport:
    """The report of a filing that could not be extracted."""
    return StagedReport(
        accession_number=meta.accession_number,
        content_hash=meta.content_hash,
        parser_version=PARSER_VERSION,
        error=error,
        **measured,
    )


def read_report(folder: FilingFolder, run_id: str, accession: str) -> StagedReport:
    """What was staged of a filing.

    Raises:
        IntegrityError: nothing was, or the report is damaged or of another filing.
    """
    path = folder.staged(run_id, accession) / _REPORT
    try:
        report = read_record(path, StagedReport)
    except FileNotFoundError:
        raise IntegrityError(
            f"nothing is staged of {accession} in run {run_id}; extract it again"
        ) from None
    if report.accession_number != accession:
        raise IntegrityError(f"{path} is the report of {report.accession_number}; extract again")
    return report


def discard(folder: FilingFolder, accession: str) -> None:
    """Remove what any run, dead ones too, staged of a filing whose rows are merged.

    Hold the wing's lock.
    """
    if not _ACCESSION.fullmatch(accession) or not folder.staging.is_dir():
        return
    for run in folder.staging.iterdir():
        shutil.rmtree(run / accession, ignore_errors=True)
        if run.is_dir() and not any(run.iterdir()):
            run.rmdir()


def _write(path: Path, kind: Kind, rows: Sequence[dict[str, Any]]) -> int:
    """Write rows to a Parquet file; returns their number."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = COLUMNS[kind].keys()
    for row in rows:
        if row.keys() != columns:
            wrong = ", ".join(sorted(row.keys() ^ columns))
            raise IntegrityError(f"the parser's {kind} have other columns than the table: {wrong}")
    table = pa.Table.from_pylist(list(rows), schema=arrow_schema(kind))
    with writing(path):
        parquet.write_table(table, path, compression="zstd")
    return len(rows)
