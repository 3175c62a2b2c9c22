"""A window of validated days as one versioned Parquet file, and the link to the newest one.

The days stand sorted, so joining them in order is sorted too: their row groups are copied as they
are, and only a filter, few rows a day or another compression make it necessary to write them anew.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from outreach_platform import __version__
from outreach_platform.events import summary
from outreach_platform.events.layout import STAMP, EventFolder
from outreach_platform.events.records import DayManifest, ExportedDay, ExportManifest, Mode, Window
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.errors import IntegrityError, UsageError
from outreach_platform.foundation.lake import (
    PARTIAL,
    FileRecord,
    read_record,
    replacing,
    sha256_of,
    stands,
    sync_folder,
    write_record,
)
from outreach_platform.foundation.parquet_concat import CannotConcatenate, concat_parquet
from outreach_platform.foundation.warehouse import (
    FORMAT_2,
    quote_text,
    read_parquet_sql,
    write_parquet,
)

# Below, row groups would be too small for readers, and writing anew costs little.
_FEWEST_ROWS_A_DAY = 4096
_WEAKEST: tuple[Mode, ...] = ("none", "non_strict", "strict")


def export(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    window: Window,
    *,
    user_id: str | None,
    compression: str,
    run_id: str,
    now: datetime,
) -> ExportManifest:
    """Write the export of a window. Call it under the wing's lock.

    Args:
        engine: does the bulk work.
        folder: where days and exports stand.
        window: every day of it must stand.
        user_id: only this user's events; `latest` is then not moved.
        compression: of the file.
        run_id: the run.
        now: aware; names the version.

    Raises:
        UsageError: a day of the window was never taken, or a file stands where the link to the
            newest export should.
        IntegrityError: a day is not the file that was written.
    """
    started = time.perf_counter()
    if user_id is None:
        _require_link(folder.latest)
    days = _days_of(folder, window, now)
    _remove_unfinished(folder)
    stamp = _free_stamp(folder, now)
    metadata = _footer(days, window, user_id)
    with replacing(folder.export(stamp)) as temporary:
        rows = _write(engine, folder, days, temporary, user_id, compression, metadata)
        if user_id is None and rows != sum(day.file.rows for day in days):
            raise IntegrityError("the export does not hold what its days hold; run again")
        manifest = ExportManifest(
            stamp=stamp,
            file=_record(folder, stamp, temporary, rows),
            window=window,
            user_id=user_id,
            validation=_weakest(days),
            rules_version=metadata["outreach.rules_version"],
            source=metadata["outreach.source"],
            days={day.day: _as_exported(day) for day in days},
            null_rates=summary.null_rates(days),
            compression=compression,
            created_at=datetime.now(UTC),
            run_id=run_id,
            code_version=__version__,
            **summary.content(engine, temporary),
            **summary.compared(folder.newest(), window, rows, user_id),
            seconds=time.perf_counter() - started,
        )
        # Before the file takes its name: a manifest without a file is ours to remove, a file
        # without a manifest may be somebody's.
        write_record(folder.export_manifest(stamp), manifest)
    if user_id is None:
        _point_latest_at(folder, stamp)
    return manifest


def _record(folder: EventFolder, stamp: str, written: Path, rows: int) -> FileRecord:
    """The record of an export that does not have its name yet."""
    return FileRecord(
        path=folder.export(stamp).relative_to(folder.data_dir).as_posix(),
        rows=rows,
        size=written.stat().st_size,
        sha256=sha256_of(written),
    )


def _as_exported(day: DayManifest) -> ExportedDay:
    return ExportedDay(
        sha256=day.file.sha256,
        rows=day.file.rows,
        quarantined=day.quarantined,
        source_rows=day.source_rows,
    )


def _require_link(link: Path) -> None:
    """Refuse before anything is written what the link cannot take the place of."""
    if link.exists() and not link.is_symlink():
        raise UsageError(
            f"{link} is a file and not the link to the newest export: move it away, then run again"
        )


def _point_latest_at(folder: EventFolder, stamp: str) -> None:
    """Let the link name another export, atomically; it is relative, so that folders can move."""
    link = folder.latest
    aside = link.with_name(f".{link.name}.{os.getpid()}{PARTIAL}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(folder.export(stamp).name)
    aside.replace(link)
    sync_folder(link.parent)


def _days_of(folder: EventFolder, window: Window, now: datetime) -> list[DayManifest]:
    """The manifests of a window's days, and of days that have not come yet, in order."""
    wanted = window.days
    standing = folder.standing_days()
    missing = sorted(set(wanted) - set(standing))
    if missing:
        raise UsageError(
            f"{len(missing)} of the {len(wanted)} days from {window.start} to {window.end} were "
            f"never taken ({missing[0]} is the first): materialize events/behavioral_events for "
            "them, or run `outreach events`"
        )
    beyond = window.beyond(standing, now)
    days = [read_record(folder.manifest(day), DayManifest) for day in [*wanted, *beyond]]
    for day in days:
        if not stands(folder.data_dir, day.file):
            raise IntegrityError(
                f"{folder.data_dir / day.file.path} is not the file that was written; run "
                "`outreach events`, which pulls the day again"
            )
    return days


def _remove_unfinished(folder: EventFolder) -> None:
    """Remove manifests whose export never took its place: its run was killed in between.

    What DVC has a note of did take it, and `dvc pull` brings it back; so did what was pruned.
    """
    for path in folder.manifests.glob("behavioral_events_*.json"):
        stamp = path.stem.removeprefix("behavioral_events_")
        export = folder.export(stamp)
        signs = (export, export.with_name(f"{export.name}.dvc"), folder.pruned(stamp))
        if not any(sign.exists() for sign in signs):
            path.unlink()


def _free_stamp(folder: EventFolder, now: datetime) -> str:
    """The second of `now`, or the next one that no export ever had."""
    moment = now.astimezone(UTC)
    while any(p.exists() for p in _files_of(folder, moment.strftime(STAMP))):
        moment += timedelta(seconds=1)
    return moment.strftime(STAMP)


def _files_of(folder: EventFolder, stamp: str) -> tuple[Path, Path]:
    return folder.export(stamp), folder.export_manifest(stamp)


def _footer(days: list[DayManifest], window: Window, user_id: str | None) -> dict[str, str]:
    """What the file says of itself; no clock in it, so that equal events give equal files."""
    return {
        "outreach.window": f"{window.start}/{window.end}",
        "outreach.filter": json.dumps({} if user_id is None else {"userId": user_id}),
        "outreach.validation": _weakest(days),
        "outreach.rules_version": _joined(day.rules_version for day in days),
        "outreach.source": _joined(day.source for day in days),
        "outreach.day_checksums": json.dumps({day.day: day.file.sha256 for day in days}),
        "outreach.code_version": __version__,
    }


def _joined(values) -> str:
    return ",".join(sorted({value for value in values if value}))


def _weakest(days: list[DayManifest]) -> Mode:
    return next(mode for mode in _WEAKEST if any(day.validation == mode for day in days))


def _write(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    days: list[DayManifest],
    target: Path,
    user_id: str | None,
    compression: str,
    metadata: dict[str, str],
) -> int:
    paths = [folder.data_dir / day.file.path for day in days]
    rows = sum(day.file.rows for day in days)
    alike = all(day.compression == compression for day in days)
    if user_id is None and alike and rows >= _FEWEST_ROWS_A_DAY * len(days):
        try:
            return concat_parquet(
                [p for p, day in zip(paths, days, strict=True) if day.file.rows],
                target,
                metadata=metadata,
            )
        except CannotConcatenate:
            pass  # days of another release; they are written anew
    chosen = f' WHERE "userId" = {quote_text(user_id)}' if user_id is not None else ""
    listed = ", ".join(f'"{name}"' for name in NAMES)
    query = f'SELECT {listed} FROM {read_parquet_sql(paths)}{chosen} ORDER BY "timestamp", id'
    written = write_parquet(
        engine,
        query,
        target,
        folder.data_dir,
        compression=compression,
        metadata=metadata,
        options=FORMAT_2,
    )
    return written.rows
