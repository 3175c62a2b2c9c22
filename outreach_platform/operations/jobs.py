"""Jobs and schedules over the asset graph, one a wing."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from outreach_platform.partitions import date_and_state, partition_key
from outreach_platform.records.states import STATES

snapshot_job = dg.define_asset_job(
    "snapshot_job",
    selection=dg.AssetSelection.groups("outreach"),
    partitions_def=date_and_state,
    description="Pull, split, judge, publish and record one state's companies and people.",
)


@dg.schedule(
    name="daily_snapshots",
    job=snapshot_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="One run a state, so that one state's kill switch never stops another's.",
)
def daily_snapshots(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for today's partition of every state."""
    day = context.scheduled_execution_time.astimezone(UTC).date()
    if day != datetime.now(UTC).date():
        # A daemon that was away catches up on its last tick, whose day may be over.
        yield dg.SkipReason(
            f"{day} is not today, and only today's rows can be pulled: the next tick asks for its "
            "own day"
        )
        return
    for state in STATES:
        yield dg.RunRequest(
            run_key=f"{day.isoformat()}-{state}",
            partition_key=partition_key(day, state),
            tags={"outreach/state": state},
        )
