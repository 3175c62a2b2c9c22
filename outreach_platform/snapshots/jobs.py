"""The legacy job: one state in the predecessor's first form. No asset, no kill switches."""

import dagster as dg

from outreach_platform.operations.failures import failing_clearly
from outreach_platform.records.states import parse_state
from outreach_platform.snapshots.plain import plain_snapshot
from outreach_platform.snapshots.resources import SnapshotRuns


class PlainConfig(dg.Config):
    """Which state."""

    state: str


@dg.op(name="plain_snapshot")
def plain_snapshot_op(
    context: dg.OpExecutionContext, config: PlainConfig, snapshots: SnapshotRuns
) -> dict[str, int]:
    """Write the four unversioned files of one state; returns rows by table."""
    with failing_clearly():
        run = snapshots.start_state(context, parse_state(config.state))
        with run.audited(None):
            written = plain_snapshot(run)
    rows = {table: file.rows for table, file in written.files.items()}
    context.log.info(f"{written.state}: {rows}")
    return rows


@dg.job(
    name="plain_snapshot_job",
    description="Legacy: unversioned files without kill switches, for scripts that read them.",
)
def plain_snapshot_job() -> None:
    """One state in the predecessor's first form."""
    plain_snapshot_op()
