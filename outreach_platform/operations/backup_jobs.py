"""The job that `outreach backup` launches: all state copied into a new data folder."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.operations.backup.records import BackupRecord
from outreach_platform.operations.backup.take import take
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.upkeep import keep
from outreach_platform.resources import PlatformSettings

_SHOWN = 3


class BackupConfig(dg.Config):
    """Where the copy goes."""

    target: str = Field(description="a new folder, absolute, outside the data folder")


@dg.op(name="take_backup")
def take_backup_op(
    context: dg.OpExecutionContext, config: BackupConfig, platform: PlatformSettings
) -> str:
    """Copy all state; returns the folder, fails where something of it is damaged."""
    with failing_clearly():
        settings = platform.load()
        run_id = context.run.run_id
        tag_run(context.instance, run_id)
        done = take(
            settings, Path(config.target), run_id, lambda text: context.log.info(f"backup: {text}")
        )
        keep(settings.data_dir, run_id, done)
        for problem in done.problems:
            context.log.warning(problem)
        if done.problems:
            raise IntegrityError(_summary(done))
    return done.target


def _summary(done: BackupRecord) -> str:
    more = len(done.problems) - _SHOWN
    said = "; ".join(done.problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return f"{done.target} holds everything but what is damaged: {said}"


@dg.job(
    name="backup_job",
    description="A copy of all state into a new data folder, taken while it is in use.",
)
def backup_job() -> None:
    """All state into a new folder."""
    take_backup_op()
