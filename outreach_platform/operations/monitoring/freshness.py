"""What is too old, or missing among what stands: states and event days, each of them.

Filing years are in `filings.py`. A wing that was never used is no problem.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, ExportManifest
from outreach_platform.foundation.lake import find_record
from outreach_platform.operations.monitoring.published import newest_published
from outreach_platform.operations.problems import Problem
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots.layout import StateFolder


def stale_states(settings: Settings, now: datetime) -> list[Problem]:
    """States whose newest published pull is too old, or that never were published."""
    folders = [StateFolder(settings.data_dir, state) for state in STATES]
    if not any(folder.published_versions() or folder.versions() for folder in folders):
        return []
    found = (_stale_state(folder, settings.toml.monitoring.stale_hours, now) for folder in folders)
    return [problem for problem in found if problem is not None]


def _stale_state(folder: StateFolder, limit: float, now: datetime) -> Problem | None:
    newest, _ = newest_published(folder)
    action = (
        f"Run `outreach snapshot --state {folder.state}`; where a kill switch stops it, the "
        "message says which figure is out of bounds."
    )
    if not newest:
        return Problem("state_unpublished", folder.state, "was never published", action)
    manifest, _ = newest[0]
    hours = hours_since(manifest.pulled_at, now)
    if hours <= limit:
        return None
    return Problem(
        "state_stale",
        folder.state,
        f"the newest published snapshot, {manifest.version}, is {in_words(hours)} old; "
        f"{limit:g} h is the limit",
        action,
    )


def stale_events(settings: Settings, now: datetime) -> list[Problem]:
    """The newest export where it is too old."""
    newest = EventFolder(settings.data_dir).newest()
    limit = settings.toml.monitoring.stale_hours
    if newest is None or hours_since(newest.created_at, now) <= limit:
        return []
    hours = in_words(hours_since(newest.created_at, now))
    return [
        Problem(
            "events_stale",
            "behavioral_events",
            f"the newest export, {newest.stamp}, is {hours} old; {limit:g} h is the limit",
            "Run `outreach events --sync-duckdb`, and see that `nightly_events` is on.",
        )
    ]


def missing_days(settings: Settings) -> list[Problem]:
    """Days in the window of the newest export that do not stand, one problem a gap."""
    folder = EventFolder(settings.data_dir)
    newest = folder.newest()
    if newest is None:
        return []
    days = [date.fromisoformat(d) for d in newest.window.days if not _has(folder, newest, d)]
    return [_gap(first, last) for first, last in _gaps(days)]


def _has(folder: EventFolder, export: ExportManifest, day: str) -> bool:
    stands = folder.day(day).is_file() and find_record(folder.manifest(day), DayManifest)
    return day in export.days and bool(stands)


def _gaps(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """First and last of each run of days without a break."""
    first: date | None = None
    for n, day in enumerate(days):
        first = first or day
        if n + 1 == len(days) or days[n + 1] - day > timedelta(days=1):
            yield first, day
            first = None


def _gap(first: date, last: date) -> Problem:
    length = (last - first).days + 1
    what = f"events of {first} are" if length == 1 else f"events of {first} to {last} are"
    return Problem(
        "event_days_missing",
        first.isoformat(),
        f"{what} missing ({length} d) though the newest export covers them",
        "Run `outreach events` with `--days` reaching back so far: missing days are pulled again.",
    )


def hours_since(moment: datetime, now: datetime) -> float:
    """Hours from one aware moment to another."""
    return (now - moment).total_seconds() / 3600


def in_words(hours: float) -> str:
    """A length of time in hours, or in days from two days on."""
    return f"{hours:.0f} h" if hours < 48 else f"{hours // 24:.0f} d"
