"""The sensor that promotes what enrichers complete."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from outreach_platform.enrichment.resources import EnrichmentRuns
from outreach_platform.enrichment.waiting import Batch, waiting_batch
from outreach_platform.foundation.errors import UsageError
from outreach_platform.operations.dead_runs import end_dead_runs
from outreach_platform.operations.jobs import promotion_job

BATCH_TAG = "outreach/batch"
# What a lost network or a restarted database breaks heals by itself, though not at once.
ATTEMPTS, ATTEMPTS_WITHIN = 3, timedelta(hours=1)

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    name="enrichment_complete",
    job=promotion_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One run for the rows that enrichers have completed; it looks at the workspace, "
    "and keeps nothing in mind.",
)
def enrichment_complete(
    context: dg.SensorEvaluationContext, enrichment: EnrichmentRuns
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a promotion of what is complete.

    A batch is named by its rows and their versions, so that a tick that comes twice, or after a
    restart, asks for the same run; a batch that could not be finished is tried three times an hour.
    """
    try:
        _, _, workspace = enrichment.databases()
    except UsageError as error:
        return dg.SkipReason(str(error))
    batch = waiting_batch(workspace)
    if batch is None:
        return dg.SkipReason("the workspace has no tables yet: `outreach enrich pull` makes them")
    if not batch.rows:
        return dg.SkipReason("no completed row waits")
    return _request(context.instance, batch)


def _request(instance: dg.DagsterInstance, batch: Batch) -> dg.RunRequest | dg.SkipReason:
    running = _unfinished(instance)
    if running and end_dead_runs(instance):
        running = _unfinished(instance)
    if running:
        return dg.SkipReason(f"run {running} is still at work; {batch.rows} rows wait")
    before = instance.get_run_records(
        dg.RunsFilter(job_name=promotion_job.name, tags={BATCH_TAG: batch.fingerprint})
    )
    since = datetime.now(UTC) - ATTEMPTS_WITHIN
    if sum(record.create_timestamp >= since for record in before) >= ATTEMPTS:
        return dg.SkipReason(
            f"{batch.rows} rows are still complete after {ATTEMPTS} runs, the last of them "
            f"{before[0].dagster_run.run_id}: see there what is wrong, then run `outreach enrich "
            "run`; the sensor tries again within an hour"
        )
    return dg.RunRequest(
        run_key=f"{batch.fingerprint}-{len(before) + 1}",
        tags={
            BATCH_TAG: batch.fingerprint,
            **{f"outreach/{name}": str(count) for name, count in batch.counts.items()},
        },
    )


def _unfinished(instance: dg.DagsterInstance) -> str | None:
    runs = instance.get_runs(
        dg.RunsFilter(job_name=promotion_job.name, statuses=_UNFINISHED), limit=1
    )
    return runs[0].run_id if runs else None
