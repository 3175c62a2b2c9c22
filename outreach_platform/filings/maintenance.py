"""Upkeep of the filings database in one call: import, clean, compact; and what it would do."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform.filings.compact import compact as compact_file
from outreach_platform.filings.database import open_database, writer
from outreach_platform.filings.dedupe import DedupeReport, dedupe, find_duplicates
from outreach_platform.filings.foreign import import_foreign
from outreach_platform.filings.foreign_report import ImportReport
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import Record

_MIB = 2**20


class TableChange(Record):
    """What became of a table's rows.

    Attributes:
        table: its name.
        before: rows.
        after: rows.
        because: how many were removed or changed, by reason.
    """

    table: str
    before: int
    after: int
    because: dict[str, int]


class MaintenanceRecord(Record):
    """What a maintenance did.

    Attributes:
        run_id: the Dagster run.
        at: when, UTC.
        counts: numbers of the whole.
        tables: by table: rows before and after, and why rows went or were changed.
        message: the whole in a sentence.
        problems: sentences: rows that could not be placed, gaps that are left.
        backup: the copy from before; None where nothing was removed.
    """

    run_id: str
    at: datetime
    counts: dict[str, int]
    tables: list[TableChange] = []
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
    counts: dict[str, int] = {}
    tables: list[TableChange] = []
    problems: list[str] = []
    said: list[str] = []
    backup: str | None = None
    if foreign is not None:
        in_place = foreign.resolve() == folder.published.resolve()
        with writer(folder, begin_empty=in_place) as connection:
            aside = folder.data_dir / "quarantine" / "filings"
            imported = import_foreign(foreign, connection, now=now, aside=aside)
        tables = _changes(imported)
        counts |= {f"{kind}_to_extract": n for kind, n in imported.gaps.items()}
        problems += imported.problems
        said.append(
            f"imported {foreign}; `outreach filings add` with the raw files and `outreach filings "
            "extract` fill the gaps"
        )
    elif dedupe:
        report = _clean(folder, now)
        tables = _changes(report)
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
        tables=tables,
        message="; ".join(said) or "nothing was asked for",
        problems=problems,
        backup=backup,
    )


def _clean(folder: FilingFolder, now: datetime) -> DedupeReport:
    with writer(folder) as connection:
        return dedupe(connection, dry_run=False, backups=folder.backups, now=now)


def preview(folder: FilingFolder, foreign: Path | None) -> list[TableChange]:
    """What `dedupe` would do to the published database, or to a foreign one; changes nothing.

    Raises:
        UsageError: there is no database.
        OutreachError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="outreach-filings-") as name:
        if foreign is not None:
            with writer(FilingFolder(Path(name))) as connection:
                return _changes(import_foreign(foreign, connection, now=datetime.now(UTC)))
        if not folder.published.exists():
            raise UsageError("no filing is registered: `outreach filings add FOLDER` comes first")
        copy = Path(name) / "copy.duckdb"
        shutil.copyfile(folder.published, copy)
        with open_database(copy) as connection:
            return _changes(find_duplicates(connection))


def _changes(report: DedupeReport | ImportReport) -> list[TableChange]:
    """The report by table; its reasons begin with the table's name."""
    because: dict[str, dict[str, int]] = {}
    for said, rows in (*report.removed.items(), *report.changed.items()):
        table, _, reason = said.partition(": ")
        because.setdefault(table, {})[reason] = rows
    return [
        TableChange(
            table=table,
            before=report.before.get(table, 0),
            after=report.after.get(table, 0),
            because=because.get(table, {}),
        )
        for table in COLUMNS
    ]
