"""What the newest monitoring run found by its slow looks: `operations/monitoring.json`."""

from datetime import datetime
from pathlib import Path

from outreach_platform.foundation.lake import Record, find_record
from outreach_platform.operations.monitoring import freshness
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.settings import Settings


class MonitoringRecord(Record):
    """`operations/monitoring.json`: what the newest monitoring run found by its slow looks.

    Attributes:
        at: when, aware.
        run_id: the run.
        problems: of the slow looks alone; the others are found anew each time.
    """

    at: datetime
    run_id: str
    problems: list[Problem]


def record_path(data_dir: Path) -> Path:
    """Where the record stands."""
    return data_dir / "operations" / "monitoring.json"


def newest_record(settings: Settings) -> MonitoringRecord | None:
    """The record of the newest monitoring run, None without one that can be read."""
    return find_record(record_path(settings.data_dir), MonitoringRecord)


def stale_record(settings: Settings, now: datetime, kinds: tuple[str, ...]) -> list[Problem]:
    """Whether the record is too old, or damaged, which hides the kinds that it was to tell."""
    record = newest_record(settings)
    limit = settings.toml.monitoring.record_hours
    if record is None:
        if not record_path(settings.data_dir).exists():
            return []
        said = "the record of the newest look cannot be read"
        hides = kinds
    else:
        hours = freshness.hours_since(record.at, now)
        if hours <= limit:
            return []
        said = (
            f"object store and databases were last looked at {freshness.in_words(hours)} ago; "
            f"{limit:g} h is the limit"
        )
        hides = ()
    return [
        Problem(
            "monitoring_stale",
            "monitoring_job",
            said,
            "See that `outreach up` runs and that the schedule `hourly_monitoring` is on.",
            Severity.WARNING,
            hides=hides,
        )
    ]
