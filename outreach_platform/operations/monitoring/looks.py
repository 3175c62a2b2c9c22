"""All looks: what each looks at, which check shows it, and which kinds of problems it can find."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from outreach_platform.operations.monitoring import (
    failures,
    filings,
    freshness,
    quality,
    runs,
    stores,
    workspace,
)
from outreach_platform.operations.monitoring.record import stale_record
from outreach_platform.operations.problems import Problem
from outreach_platform.resources import ObjectStorage, WorkspaceDatabase
from outreach_platform.settings import Settings


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
        kinds: all that it can find: where it fails, nobody knows of these.
    """

    name: str
    check: str
    find: Callable[[Surroundings], list[Problem]]
    kinds: tuple[str, ...]


def _runs(around: Surroundings) -> list[Problem]:
    if around.instance is None:
        return []
    return runs.run_problems(around.instance, around.settings.toml.monitoring, around.now)


def _failed_runs(around: Surroundings) -> list[Problem]:
    return failures.failed_runs(around.instance) if around.instance else []


def _failed_checks(around: Surroundings) -> list[Problem]:
    return failures.failed_checks(around.instance) if around.instance else []


# The object store and the databases: these are taken hourly.
SLOW: tuple[Look, ...] = (
    Look(
        "enrichers' workspace",
        "workspace",
        lambda a: workspace.unpushed_rows(a.settings, a.workspace.url, a.now),
        ("rows_unpushed",),
    ),
    Look(
        "object store",
        "stores",
        lambda a: stores.snapshot_objects(a.settings, a.storage.store(a.settings)),
        ("objects_differ",),
    ),
)
_SLOW_KINDS = tuple(kind for look in SLOW for kind in look.kinds)
# Disk and the Dagster instance only: these are taken whenever somebody asks.
LIVE: tuple[Look, ...] = (
    Look("runs of jobs", "runs", _runs, ("success_rate", "slow_run")),
    Look("failed runs", "failures", _failed_runs, ("run_failed",)),
    Look(
        "kill switches",
        "failures",
        lambda a: failures.kill_switch_stops(a.settings),
        ("kill_switch",),
    ),
    Look("failed checks", "failures", _failed_checks, ("check_failed",)),
    Look(
        "states",
        "freshness",
        lambda a: freshness.stale_states(a.settings, a.now),
        ("state_stale", "state_unpublished"),
    ),
    Look(
        "export of events",
        "freshness",
        lambda a: freshness.stale_events(a.settings, a.now),
        ("events_stale",),
    ),
    Look(
        "days of events",
        "freshness",
        lambda a: freshness.missing_days(a.settings),
        ("event_days_missing",),
    ),
    Look(
        "filings to read",
        "freshness",
        lambda a: filings.late_filings(a.settings, a.now),
        ("filings_pending",),
    ),
    Look(
        "quality of events",
        "quality",
        lambda a: quality.event_quality(a.settings),
        ("events_stopped", "research_behind", "events_quarantined"),
    ),
    Look("row deltas", "quality", lambda a: quality.row_deltas(a.settings), ("row_delta",)),
    Look("null rates", "quality", lambda a: quality.null_rates(a.settings), ("null_rate",)),
    Look(
        "failed filings",
        "quality",
        lambda a: filings.failed_filings(a.settings, a.now),
        ("filings_failed",),
    ),
    Look(
        "enrichment funnel",
        "workspace",
        lambda a: workspace.funnel_problems(a.settings),
        ("rows_hang", "rows_chronic", "status_undefined"),
    ),
    Look(
        "files of snapshots",
        "stores",
        lambda a: stores.snapshot_files(a.settings),
        ("record_damaged", "files_differ"),
    ),
    Look(
        "files of events",
        "stores",
        lambda a: stores.event_files(a.settings),
        ("record_damaged", "files_differ"),
    ),
    Look(
        "audit log", "stores", lambda a: stores.waiting_audit_rows(a.settings), ("audit_waiting",)
    ),
    Look("disk space", "stores", lambda a: stores.disk_space(a.settings), ("disk_space",)),
    Look(
        "record of monitoring",
        "monitoring",
        lambda a: stale_record(a.settings, a.now, _SLOW_KINDS),
        ("monitoring_stale",),
    ),
)
CHECKS = tuple(dict.fromkeys(look.check for look in (*LIVE, *SLOW)))
