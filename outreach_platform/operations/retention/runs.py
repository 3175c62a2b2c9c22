"""Old finished runs are removed from the Dagster instance, with their events and what they printed.

Still running ones stay, and so does what the looks of monitoring and a sensor need: the newest
finished run of each job and state, runs whose failure is told as a problem, and earlier runs of a
batch that is still tried.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from outreach_platform.enrichment.sensors import BATCH_TAG
from outreach_platform.foundation.retention import PruneLine, size_of
from outreach_platform.operations.dead_runs import UNFINISHED
from outreach_platform.operations.monitoring.failures import failed_checks, failed_runs
from outreach_platform.operations.monitoring.runs import STATE_TAG
from outreach_platform.partitions import day_and_state
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.pruning import InUse

RUNS = "runs"
_PARTITION = "dagster/partition"
_FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, *UNFINISHED]


def runs_in_use(instance: dg.DagsterInstance) -> dict[str, InUse]:
    """By state, the days and runs that are not finished yet, those in the queue among them."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    ids = frozenset(run.run_id for run in runs)
    keys = (run.tags.get(_PARTITION, "") for run in runs if STATE_TAG in run.tags)
    partitions = [day_and_state(key) for key in keys if "|" in key]
    return {
        state: InUse(frozenset(day for day, own in partitions if own == state), ids)
        for state in STATES
    }


def prune_runs(
    instance: dg.DagsterInstance,
    days: int,
    *,
    run_id: str = "",
    now: datetime,
    dry_run: bool,
) -> PruneLine:
    """Remove runs that were created, and ended, more than so many days ago, the oldest first.

    Bytes are those of a run's own files. Rows of the shared databases make room for new rows.

    Args:
        instance: where runs are recorded.
        days: how long they are kept.
        run_id: who prunes; that run is not told as the oldest.
        now: aware.
        dry_run: remove nothing.
    """
    before = now - timedelta(days=days)
    old = _old_runs(instance, before)
    kept = _kept(instance, old, before)
    removed, freed, problems = set(), 0, []
    for old_run in (record.dagster_run.run_id for record in old):
        if old_run in kept:
            continue
        size = size_of(_files_of(instance, old_run))
        if not dry_run and (problem := _remove(instance, old_run)):
            problems.append(f"run {old_run} cannot be removed: {problem}")
            continue
        removed.add(old_run)
        freed += size
    return PruneLine(
        what=RUNS,
        removed=len(removed),
        bytes_freed=freed,
        oldest_kept=_oldest(instance, {run_id, *(removed if dry_run else ())}),
        problems=problems,
    )


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> list[dg.RunRecord]:
    """Finished runs, the oldest first."""
    found = instance.get_run_records(
        dg.RunsFilter(statuses=_FINISHED, created_before=before), ascending=True
    )
    return [r for r in found if r.end_time is None or r.end_time < before.timestamp()]


def _kept(instance: dg.DagsterInstance, old: Sequence[dg.RunRecord], before: datetime) -> set[str]:
    """Old runs that stay whatever their age."""
    told = [*failed_runs(instance), *failed_checks(instance)]
    kept = {problem.run_id for problem in told if problem.run_id is not None}
    newest: dict[tuple[str, str], str] = {}
    batches: dict[str, set[str]] = {}
    for record in old:
        run = record.dagster_run
        newest[run.job_name, run.tags.get(STATE_TAG, "")] = run.run_id
        if BATCH_TAG in run.tags:
            batches.setdefault(run.tags[BATCH_TAG], set()).add(run.run_id)
    kept |= {run_id for group, run_id in newest.items() if not _goes_on(instance, before, *group)}
    for batch, runs in batches.items():
        # The sensor numbers its attempts by the runs that there are.
        if _any(instance, dg.RunsFilter(tags={BATCH_TAG: batch}, created_after=before)):
            kept |= runs
    return kept


def _goes_on(instance: dg.DagsterInstance, before: datetime, job: str, state: str) -> bool:
    """Whether a job finished a run of the state since."""
    since = dg.RunsFilter(
        job_name=job,
        statuses=_FINISHED,
        created_after=before,
        tags={STATE_TAG: state} if state else {},
    )
    return _any(instance, since)


def _any(instance: dg.DagsterInstance, wanted: dg.RunsFilter) -> bool:
    return bool(instance.get_run_records(wanted, limit=1))


def _remove(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Remove a run, its record last, so that the next pruning completes what was killed.

    Returns:
        Why it is still there, None where it is gone.
    """
    try:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.event_log_storage.delete_events(run_id)
        for path in _files_of(instance, run_id):
            path.unlink(missing_ok=True)
        instance.run_storage.delete_run(run_id)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except SQLAlchemyError as error:
        return f"Dagster's database refuses ({type(error).__name__}); run again"
    return None


def _files_of(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """A run's own files: its events where they are SQLite, what it printed, what steps returned."""
    events = Path(instance.root_directory) / "history" / "runs"
    printed = Path(instance.storage_directory()) / run_id
    return [
        *(path for path in printed.rglob("*") if path.is_file() or path.is_symlink()),
        # The database last: it has to be there for its events to be removed.
        *sorted(events.glob(f"{run_id}.db*"), reverse=True),
    ]


def _oldest(instance: dg.DagsterInstance, without: set[str]) -> str | None:
    """When the oldest run was created that is not among these."""
    for record in instance.get_run_records(ascending=True, limit=len(without) + 1):
        if record.dagster_run.run_id not in without:
            return record.create_timestamp.astimezone(UTC).isoformat(timespec="seconds")
    return None
