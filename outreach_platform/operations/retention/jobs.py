"""The job that prunes, and its weekly schedule."""

import dagster as dg

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.jobs import run_of_the_day
from outreach_platform.operations.retention.prune import Prune
from outreach_platform.operations.upkeep import keep
from outreach_platform.resources import ObjectStorage, PlatformSettings
from outreach_platform.settings import load_settings

NOTHING_SET = (
    "no retention is set, so everything is kept; days are given under [retention] in the file "
    "that OUTREACH_SETTINGS names"
)


@dg.op(name="prune")
def prune_op(
    context: dg.OpExecutionContext, platform: PlatformSettings, storage: ObjectStorage
) -> dict[str, int]:
    """Remove what is older than settings say; returns how many of each kind, fails if some stay."""
    with failing_clearly():
        settings, run_id = platform.load(), context.run.run_id
        tag_run(context.instance, run_id)
        prune = Prune(settings, storage.store(settings), context.instance, run_id)
        done = prune.run(context.log.info)
        keep(settings.data_dir, run_id, done)
        problems = [problem for line in done.lines for problem in line.problems]
        for said in (*problems, *(note for line in done.lines for note in line.notes)):
            context.log.warning(said)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise OutreachError(f"not all that is old could be removed: {problems[0]}{more}")
    return {f"{line.what} {line.subject}": line.removed for line in done.lines}


@dg.job(
    name="prune_job",
    description="Remove what is older than [retention] in the settings says; never the last copy.",
)
def prune_job() -> None:
    """Retention by settings."""
    prune_op()


@dg.schedule(
    name="weekly_prune",
    job=prune_job,
    cron_schedule="0 5 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On Sundays after the maintenance; nothing where no retention is set.",
)
def weekly_prune(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one pruning where settings want any."""
    if load_settings().toml.retention.keeps_everything:
        return dg.SkipReason(NOTHING_SET)
    return run_of_the_day(context)
