"""Upkeep of the filings database in one call: import, clean, compact; and what it would do."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outreach_platform.filings.compact import compact as compact_file
from outreach_platform.filings.database import open_database, writer
from outreach_platform.filings.dedupe import DedupeReport, dedupe, find_duplicates
from outreach_platform.filings.foreign import import_foreign
from outreach_platform.filings.foreign_report import ImportReport
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import Record

_MIB = 2**20


class MaintenanceRecord(Record):
    """What a maintenance did.

    Attributes:
        run_id: the Dagster run.
        at: when, UTC.
        counts: what the terminal shows.
        message: the whole in a sentence.
        problems: sentences: rows that could not be placed, gaps that are left.
        backup: the copy from before; None where nothing was removed.
    """

    run_id: str
    at: datetime
    counts: dict[str, Any]
    message: str
    problems: list[str] = []
    backup: str | None = None


def maintain(
    folder: FilingFolder,
    *,
    run_id: str,
    now: datetime,
    dedupe: bool,
    compact: bool,
    foreign: Path | None,
) -> MaintenanceRecord:
    """Import a foreign database, remove duplicates, compact, as far as asked for.

    Args:
        folder: the wing's paths; hold its lock.
        run_id: for the record.
        now: naive UTC.
        dedupe: remove duplicates and orphans from the database.
        compact: write the file anew.
        foreign: a predecessor's database; its rows are cleaned before they are taken.

    Raises:
        OutreachError: a database is damaged or open elsewhere, or the disk is full.
    """
    counts: dict[str, Any] = {}
    problems: list[str] = []
    said: list[str] = []
    backup: str | None = None
    if foreign is not None:
        in_place = foreign.resolve() == folder.published.resolve()
        with writer(folder, begin_empty=in_place) as connection:
            aside = folder.data_dir / "quarantine" / "filings"
            imported = import_foreign(foreign, connection, now=now, aside=aside)
        counts |= _imported(imported)
        problems += imported.problems
        said.append(
            f"imported {foreign}; `outreach filings add` with the raw files and `outreach filings "
            "extract` fill the gaps"
        )
    elif dedupe:
        report = _clean(folder, now)
        counts |= _cleaned(report)
        backup = report.backup
        said.append(f"the copy from before is {backup}" if backup else "nothing was to be removed")
    if compact:
        with writer(folder):
            pass  # made where it is missing
        packed = compact_file(folder.writer, now=now)
        counts |= {"mib_before": packed.before // _MIB, "mib_after": packed.after // _MIB}
        said.append("compacted")
    return MaintenanceRecord(
        run_id=run_id,
        at=now.replace(tzinfo=UTC),
        counts=counts,
        message="; ".join(said) or "nothing was asked for",
        problems=problems,
        backup=backup,
    )


def _clean(folder: FilingFolder, now: datetime) -> DedupeReport:
    with writer(folder) as connection:
        return dedupe(connection, dry_run=False, backups=folder.backups, now=now)


def preview(folder: FilingFolder, foreign: Path | None) -> dict[str, Any]:
    """What `dedupe` would do to the published database, or to a foreign one; changes nothing.

    Raises:
        UsageError: there is no database.
        OutreachError: it cannot be read.
    """
    if foreign is not None:
        with (
            tempfile.TemporaryDirectory(prefix="outreach-filings-") as name,
            writer(FilingFolder(Path(name))) as connection,
        ):
            report = import_foreign(foreign, connection, now=datetime.now(UTC))
        return {"filings": "dry run", "status": "would import", **_imported(report)}
    if not folder.published.exists():
        raise UsageError("no filing is registered: `outreach filings add FOLDER` comes first")
    with tempfile.TemporaryDirectory(prefix="outreach-filings-") as name:
        copy = Path(name) / "copy.duckdb"
        copy.write_bytes(folder.published.read_bytes())
        with open_database(copy) as connection:
            found = find_duplicates(connection)
    return {"filings": "dry run", "status": "would clean", **_cleaned(found)}


def _cleaned(report: DedupeReport) -> dict[str, Any]:
    return {
        "removed": report.removed,
        "changed": report.changed,
        "sections": report.after.get("sections", 0),
        "backup": report.backup,
    }


def _imported(report: ImportReport) -> dict[str, Any]:
    return {
        "before": report.before,
        "after": report.after,
        "removed": report.removed,
        "gaps": report.gaps,
        "set_aside": report.set_aside,
    }
