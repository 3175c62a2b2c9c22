"""The files of single days: validated events, quarantined rows, and the manifest written last."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from outreach_platform import __version__
from outreach_platform.events.judgement import (
    Judgement,
    bad_days,
    bad_rows,
    good_rows,
    null_counts,
    warning_days,
)
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.plan import Request
from outreach_platform.events.records import DayManifest
from outreach_platform.events.rules import current_rules_version
from outreach_platform.events.source import NOTHING, Fingerprint
from outreach_platform.events.source_table import SourceTable
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import FileRecord, write_record
from outreach_platform.foundation.warehouse import FORMAT_2, beside, write_parquet

# A day is too small for one statement to use both cores.
_AT_ONCE = 2


def write_days(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    request: Request,
    table: SourceTable,
    counted: dict[str, Fingerprint],
    found: Judgement,
    days: list[str],
) -> list[DayManifest]:
    """Write the pulled and judged days, each replaced atomically; returns their manifests.

    A day whose manifest does not describe its files, because the process or the machine stopped in
    between, is pulled again; so nothing waits here for the disk.

    Raises:
        IntegrityError: good and bad rows are not what the source counted.
    """
    nulls = null_counts(engine)
    errors = bad_days(engine) if found.bad_rows else {}
    warnings = warning_days(engine, request.now) if found.warnings else {}
    judged = request.mode != "none"
    version = current_rules_version() if judged else ""

    def write(day: str) -> DayManifest:
        at_source = counted.get(day, NOTHING)
        good = good_rows(day, found, everything=not judged)
        with beside(engine) as own:
            manifest = DayManifest(
                day=day,
                file=_write(own, folder, good, folder.day(day), request.compression),
                quarantine=_quarantine(own, folder, day, request.compression, day in errors),
                source=request.source,
                table=table.qualified,
                source_rows=at_source.rows,
                source_changes=at_source.changes,
                columns=table.signature,
                validation=request.mode,
                rules_version=version,
                compression=request.compression,
                nulls=nulls.get(day, {}),
                errors=errors.get(day, {}),
                warnings=warnings.get(day, {}),
                pulled_at=datetime.now(UTC),
                run_id=request.run_id,
                code_version=__version__,
            )
        _check_nothing_lost(manifest)
        write_record(folder.manifest(day), manifest, durable=False)
        return manifest

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(write, day) for day in days]
        try:
            return [done.result() for done in waiting]
        finally:
            pool.shutdown(cancel_futures=True)


def _write(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    query: str,
    path: Path,
    compression: str,
) -> FileRecord:
    return write_parquet(
        engine,
        query,
        path,
        folder.data_dir,
        compression=compression,
        options=FORMAT_2,
        durable=False,
    )


def _quarantine(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    day: str,
    compression: str,
    needed: bool,
) -> FileRecord | None:
    path = folder.quarantined(day)
    if not needed:
        path.unlink(missing_ok=True)
        return None
    return _write(engine, folder, bad_rows(day), path, compression)


def _check_nothing_lost(manifest: DayManifest) -> None:
    total = manifest.file.rows + manifest.quarantined
    if total != manifest.source_rows:
        raise IntegrityError(
            f"{manifest.day}: {manifest.file.rows} good and {manifest.quarantined} bad events do "
            f"not make the {manifest.source_rows} of the source; run again, and report it if it "
            "stays"
        )
