"""The report as an asset, its job and its schedule."""

from datetime import UTC
from pathlib import Path

import dagster as dg
from pydantic import Field

from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.monitoring.survey import known_problems
from outreach_platform.operations.report.write import write_report
from outreach_platform.resources import PlatformSettings

KEY = dg.AssetKey(["operations", "report"])


class ReportConfig(dg.Config):
    """Where the page goes."""

    to: str | None = Field(
        default=None, description="absolute path of a file; reports/report.html when unset"
    )


@dg.asset(
    key=KEY,
    group_name="operations",
    kinds={"html"},
    owners=["team:operations"],
    code_version="1",
    description="One HTML page on states, kill switches, enrichment, events and filings.",
)
def report(
    context: dg.AssetExecutionContext, config: ReportConfig, platform: PlatformSettings
) -> dg.MaterializeResult:
    """Write the page from the records on disk, what is wrong on top."""
    with failing_clearly():
        settings = platform.load()
        problems = known_problems(settings, context.instance)
        path = write_report(settings, problems, target=Path(config.to) if config.to else None)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(path)),
            "size": dg.MetadataValue.int(path.stat().st_size),
        }
    )


report_job = dg.define_asset_job(
    "report_job",
    selection=dg.AssetSelection.assets(KEY),
    description="Write the page that shows how everything stands.",
)


@dg.schedule(
    name="daily_report",
    job=report_job,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After the night's runs, the page for the morning.",
)
def daily_report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for today's page."""
    day = context.scheduled_execution_time.astimezone(UTC).date()
    return dg.RunRequest(run_key=day.isoformat())
