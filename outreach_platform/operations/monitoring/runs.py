"""How the runs of each job ended, and how long they took."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import dagster as dg

from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.settings_toml import MonitoringSettings

# Set by Dagster on every run of a partition with a state.
STATE_TAG = "dagster/partition/state"
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def run_problems(
    instance: dg.DagsterInstance, limits: MonitoringSettings, now: datetime
) -> list[Problem]:
    """Jobs that fail too often, and jobs whose newest run was too long.

    Chosen assets that somebody materializes in the UI are no job.

    Args:
        instance: where runs are recorded.
        limits: the thresholds.
        now: aware.
    """
    since = now - timedelta(days=limits.window_days)
    by_job: dict[str, list[dg.RunRecord]] = defaultdict(list)
    for record in instance.get_run_records(dg.RunsFilter(created_after=since)):
        if not record.dagster_run.job_name.startswith("__"):
            by_job[record.dagster_run.job_name].append(record)
    found: list[Problem] = []
    for job, records in sorted(by_job.items()):
        found += _success_rate(job, records, limits)
        found += _slow_runs(job, records, limits, now)
    return found


def _success_rate(
    job: str, records: Sequence[dg.RunRecord], limits: MonitoringSettings
) -> Iterator[Problem]:
    """Cancelled runs do not count: somebody wanted them to stop."""
    ended = [record for record in records if record.dagster_run.status in _ENDED]
    failed = [r for r in ended if r.dagster_run.status == dg.DagsterRunStatus.FAILURE]
    if len(ended) < limits.fewest_runs:
        return
    rate = 1 - len(failed) / len(ended)
    if rate < limits.success_rate:
        newest = max(failed, key=lambda r: r.create_timestamp)
        yield Problem(
            "success_rate",
            job,
            f"{len(failed)} of {len(ended)} runs failed in {limits.window_days} days: "
            f"{rate:.0%} succeeded, {limits.success_rate:.0%} is the limit",
            "Open the newest failed run in the UI; its first error says what to do.",
            run_id=newest.dagster_run.run_id,
        )


def _slow_runs(
    job: str, records: Sequence[dg.RunRecord], limits: MonitoringSettings, now: datetime
) -> Iterator[Problem]:
    """Of each job, and state where it has one: the newest run that ended, and those that run."""
    newest: dict[str, dg.RunRecord] = {}
    for record in records:
        subject = " ".join(filter(None, [job, record.dagster_run.tags.get(STATE_TAG)]))
        running = record.dagster_run.status == dg.DagsterRunStatus.STARTED
        if record.start_time is None or not (running or record.dagster_run.status in _ENDED):
            continue
        if subject not in newest or record.start_time > (newest[subject].start_time or 0):
            newest[subject] = record
    for subject, record in newest.items():
        ended = record.end_time
        minutes = ((ended or now.timestamp()) - (record.start_time or 0)) / 60
        if minutes > limits.longest_minutes:
            did = "took" if ended else "has been running for"
            yield Problem(
                "slow_run",
                subject,
                f"the newest run {did} {minutes:.0f} min, {limits.longest_minutes:g} is the limit",
                "Look at the run's timeline in the UI for the step that takes the time.",
                Severity.WARNING,
                record.dagster_run.run_id,
            )
