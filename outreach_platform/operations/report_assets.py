"""The report as an asset."""

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
