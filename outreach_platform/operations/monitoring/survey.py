"""All looks, and what they found: live, or by the hourly record.

A look that itself fails is a problem like any other, so that it hides nothing the others find.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import Record, find_record, write_record
from outreach_platform.operations.monitoring import (
    failures,
    filings,
    freshness,
    quality,
    runs,
    stores,
    workspace,
)
from outreach_platform.operations.problems import Problem, Severity, worst_first
from outreach_platform.resources import ObjectStorage, WorkspaceDatabase
from outreach_platform.settings import Settings

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What a look may look at.

    Attributes:
        settings: data folder and thresholds.
        instance: the Dagster instance, None where none was ever made.
        now: aware.
        storage: gives the object store.
        workspace: gives the enrichers' database.
    """

    settings: Settings
    instance: dg.DagsterInstance | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    storage: ObjectStorage = field(default_factory=ObjectStorage)
    workspace: WorkspaceDatabase = field(default_factory=WorkspaceDatabase)


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        name: what is looked at, as the problem of a failed look names it.
        check: the asset check that shows what it finds.
        find: the look.
    """

    name: str
    check: str
    find: Callable[[Surroundings], list[Problem]]


def _runs(around: Surroundings) -> list[Problem]:
    if around.instance is None:
        return []
    return runs.run_problems(around.instance, around.settings.toml.monitoring, around.now)


def _failed_runs(around: Surroundings) -> list[Problem]:
    return failures.failed_runs(around.instance) if around.instance else []


def _failed_checks(around: Surroundings) -> list[Problem]:
    return failures.failed_checks(around.instance) if around.instance else []


# Disk and the Dagster instance only: these are taken whenever somebody asks.
LIVE: tuple[Look, ...] = (
    Look("runs of jobs", "runs", _runs),
    Look("failed runs", "failures", _failed_runs),
    Look("kill switches", "failures", lambda a: failures.kill_switch_stops(a.settings)),
    Look("failed checks", "failures", _failed_checks),
    Look("states", "freshness", lambda a: freshness.stale_states(a.settings, a.now)),
    Look("export of events", "freshness", lambda a: freshness.stale_events(a.settings, a.now)),
    Look("days of events", "freshness", lambda a: freshness.missing_days(a.settings)),
    Look("filings to read", "freshness", lambda a: filings.late_filings(a.settings, a.now)),
    Look("quality of events", "quality", lambda a: quality.event_quality(a.settings)),
    Look("row deltas", "quality", lambda a: quality.row_deltas(a.settings)),
    Look("null rates", "quality", lambda a: quality.null_rates(a.settings)),
    Look("failed filings", "quality", lambda a: filings.failed_filings(a.settings, a.now)),
    Look("enrichment funnel", "workspace", lambda a: workspace.funnel_problems(a.settings)),
    Look("files of snapshots", "stores", lambda a: stores.snapshot_files(a.settings)),
    Look("files of events", "stores", lambda a: stores.event_files(a.settings)),
    Look("audit log", "stores", lambda a: stores.waiting_audit_rows(a.settings)),
    Look("disk space", "stores", lambda a: stores.disk_space(a.settings)),
    Look("record of monitoring", "monitoring", lambda a: _stale_record(a.settings, a.now)),
)
# The object store and the databases: these are taken hourly.
SLOW: tuple[Look, ...] = (
    Look(
        "enrichers' workspace",
        "workspace",
        lambda a: workspace.unpushed_rows(a.settings, a.workspace.url, a.now),
    ),
    Look(
        "object store",
        "stores",
        lambda a: stores.snapshot_objects(a.settings, a.storage.store(a.settings)),
    ),
)
CHECKS = tuple(dict.fromkeys(look.check for look in (*LIVE, *SLOW)))


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


def live_problems(settings: Settings, instance: dg.DagsterInstance | None) -> list[Problem]:
    """What the cheap looks find now, worst first."""
    return _all(look_at(LIVE, Surroundings(settings, instance)))


def slow_problems(settings: Settings) -> list[Problem]:
    """What the slow looks find now, worst first."""
    return _all(look_at(SLOW, Surroundings(settings)))


def recorded_problems(settings: Settings) -> list[Problem]:
    """What the slow looks of the newest monitoring run found, worst first; none without a run."""
    record = newest_record(settings)
    return worst_first(record.problems) if record else []


def newest_record(settings: Settings) -> MonitoringRecord | None:
    """The record of the newest monitoring run, None without one that can be read."""
    return find_record(record_path(settings.data_dir), MonitoringRecord)


def look_at(looks: Iterable[Look], around: Surroundings) -> dict[str, list[Problem]]:
    """Take looks.

    Returns:
        What was found, by the name of the check.
    """
    found: dict[str, list[Problem]] = {}
    for look in looks:
        found.setdefault(look.check, []).extend(_take(look, around))
    return found


def take_all(around: Surroundings, run_id: str) -> dict[str, list[Problem]]:
    """Take every look, and write down what the slow ones found.

    Returns:
        What was found, by the name of the check; each of `CHECKS` is there.

    Raises:
        OutreachError: the record cannot be written.
    """
    found: dict[str, list[Problem]] = {check: [] for check in CHECKS}
    slow = look_at(SLOW, around)
    record = MonitoringRecord(at=around.now, run_id=run_id, problems=_all(slow))
    write_record(record_path(around.settings.data_dir), record)
    for part in (slow, look_at(LIVE, around)):
        for check, problems in part.items():
            found[check] += problems
    return {check: worst_first(problems) for check, problems in found.items()}


def _all(found: dict[str, list[Problem]]) -> list[Problem]:
    return worst_first(problem for problems in found.values() for problem in problems)


def _take(look: Look, around: Surroundings) -> Sequence[Problem]:
    try:
        return look.find(around)
    except OutreachError as error:
        return [failed_look(look.name, str(error))]
    except Exception as error:
        # The words of a foreign error may quote rows or addresses; the log is redacted.
        _logger.exception("the look at %s failed", look.name)
        return [failed_look(look.name, f"{type(error).__name__}, see the log")]


def failed_look(name: str, reason: str) -> Problem:
    """The problem that a look could not be taken."""
    return Problem(
        "look_failed",
        name,
        f"could not be looked at: {reason}",
        "Mend what the message names; until then nobody knows whether all is well there.",
    )


def _stale_record(settings: Settings, now: datetime) -> list[Problem]:
    record = newest_record(settings)
    limit = settings.toml.monitoring.record_hours
    if record is None:
        if not record_path(settings.data_dir).exists():
            return []
        said = "the record of the newest look cannot be read"
    else:
        hours = freshness.hours_since(record.at, now)
        if hours <= limit:
            return []
        said = (
            f"object store and databases were last looked at {freshness.in_words(hours)} ago; "
            f"{limit:g} h is the limit"
        )
    return [
        Problem(
            "monitoring_stale",
            "monitoring_job",
            said,
            "See that `outreach up` runs and that the schedule `hourly_monitoring` is on.",
            Severity.WARNING,
        )
    ]
