"""Which days of a window have to be pulled, and why."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, Mode, Window
from outreach_platform.events.rules import current_rules_version
from outreach_platform.events.source import NOTHING, Fingerprint
from outreach_platform.events.source_table import SourceTable
from outreach_platform.foundation.lake import find_record, stands


@dataclass(frozen=True)
class Request:
    """What to extract, and how.

    Attributes:
        window: the days.
        mode: `strict` stops at any violation, `non_strict` quarantines, `none` takes everything.
        full: every day is pulled again.
        lookback: days up to today, today among them, that are pulled in any case.
        compression: of the day files.
        source: what the source is called in records.
        run_id: the run.
        now: the clock, aware.
    """

    window: Window
    mode: Mode
    full: bool
    lookback: int
    compression: str
    source: str
    run_id: str
    now: datetime


def needed_days(
    folder: EventFolder, table: SourceTable, counted: dict[str, Fingerprint], request: Request
) -> dict[str, str]:
    """The days to pull, in order, each with the reason; all others stand as the source has them.

    Args:
        folder: where days stand.
        table: the source's table.
        counted: its days.
        request: what is asked for.
    """
    recent = {
        (request.now.astimezone(UTC).date() - timedelta(days=n)).isoformat()
        for n in range(request.lookback)
    }
    beyond = request.window.beyond([*counted, *folder.standing_days()], request.now)
    days = [*request.window.days, *beyond]
    reasons: dict[str, str] = {}
    for day in days:
        if request.full:
            reason = "all were asked for"
        elif day in recent:
            reason = "recent"
        else:
            reason = _why(folder, day, table, counted.get(day, NOTHING), request)
        if reason:
            reasons[day] = reason
    return reasons


def _why(
    folder: EventFolder, day: str, table: SourceTable, now: Fingerprint, request: Request
) -> str | None:
    """Why a day has to be pulled again, None where it stands."""
    manifest = find_record(folder.manifest(day), DayManifest)
    if manifest is None:
        return "missing"
    if (manifest.source, manifest.table) != (request.source, table.qualified):
        return "taken from another source"
    if (manifest.source_rows, manifest.source_changes) != (now.rows, now.changes):
        return "changed at the source"
    if manifest.columns != table.signature:
        return "the source's columns changed"
    if request.mode != "none":
        if manifest.validation == "none":
            return "was not validated"
        if manifest.rules_version != current_rules_version():
            return "judged by other rules"
    if manifest.quarantined:
        return "has quarantined rows"  # which may be good by now, or wanted as they are
    if not stands(folder.data_dir, manifest.file):
        return "damaged"
    return None
