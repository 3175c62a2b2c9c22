"""What an export holds, how it compares with the one before, and what is worth a warning."""

from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.events.records import DayManifest, ExportManifest, Window
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.warehouse import quote_text

FEW_USERS = 5
MANY_NULL_PHASES = 0.9
# Beyond these, the checks on the export warn.
ROW_DELTA = 0.5
NULL_RATE = 0.1


def content(engine: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    """Users, event types, first and last time and the share of null phases of an export's file."""
    found = engine.execute(
        'SELECT count(DISTINCT "userId"), count(DISTINCT "eventType"), min("timestamp"), '
        'max("timestamp"), count(*), count("experimentPhase") '
        f"FROM read_parquet({quote_text(str(path))})"
    ).fetchone()
    users, types, first, last, rows, phases = found or (0, 0, None, None, 0, 0)
    return {
        "users": users,
        "event_types": types,
        "first": first,
        "last": last,
        "null_phases": 1 - phases / rows if rows else 0.0,
    }


def compared(
    previous: ExportManifest | None, window: Window, rows: int, user_id: str | None
) -> dict[str, Any]:
    """The export before, and the change of rows against it where the two compare."""
    if previous is None:
        return {"previous": None, "row_delta": None}
    before = previous.file.rows
    alike = user_id is None and len(previous.window.days) == len(window.days)
    delta = (rows - before) / before if alike and before else None
    return {"previous": previous.stamp, "row_delta": delta}


def null_rates(days: list[DayManifest]) -> dict[str, float]:
    """The share of nulls of each column at the source, before validation."""
    rows = sum(day.source_rows for day in days)
    if not rows:
        return dict.fromkeys(NAMES, 0.0)
    return {name: sum(day.nulls.get(name, 0) for day in days) / rows for name in NAMES}


def warnings_of(manifest: ExportManifest) -> list[str]:
    """What a user should know of an export, one sentence each."""
    found = []
    if not manifest.file.rows:
        whose = "of this user " if manifest.user_id else ""
        window = manifest.window
        found.append(f"no events {whose}from {window.start} to {window.end}: the file is empty")
    elif manifest.user_id is None and manifest.users < FEW_USERS:
        found.append(f"few users for any analysis: {manifest.users}")
    if manifest.null_phases > MANY_NULL_PHASES:
        found.append(f"experimentPhase is null in {manifest.null_phases:.0%} of the rows")
    if manifest.row_delta is not None and abs(manifest.row_delta) > ROW_DELTA:
        found.append(f"rows changed by {manifest.row_delta:+.0%} since {manifest.previous}")
    if manifest.validation == "none":
        found.append("not validated")
    if manifest.quarantined:
        found.append(f"in quarantine and not in the export: {manifest.quarantined:,}")
    return found
