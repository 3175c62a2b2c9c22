"""The platform's own asset: its health, looked at hourly.

A run succeeds whatever it finds: problems are what it is for. They are on the asset's checks, in
`outreach status` and in the alerts.
"""

import dagster as dg

from outreach_platform.operations.checks import (
    HEALTH,
    HEALTH_CHECKS,
    health_results,
    problem_table,
)
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.monitoring.looks import Surroundings
from outreach_platform.operations.monitoring.survey import take_all
from outreach_platform.operations.problems import Severity, worst_first
from outreach_platform.resources import ObjectStorage, PlatformSettings, WorkspaceDatabase

GROUP = "operations"


@dg.asset(
    key=HEALTH,
    group_name=GROUP,
    description="What is stale, missing or wrong in any wing: all looks of the monitoring.",
    owners=["team:operations"],
    code_version="1",
    check_specs=HEALTH_CHECKS,
)
def health(
    context: dg.AssetExecutionContext,
    platform: PlatformSettings,
    storage: ObjectStorage,
    workspace_database: WorkspaceDatabase,
) -> dg.MaterializeResult:
    """Take every look, and keep what the slow ones found for `outreach status`."""
    with failing_clearly():
        around = Surroundings(
            platform.load(), context.instance, storage=storage, workspace=workspace_database
        )
        found = take_all(around, context.run.run_id)
    problems = worst_first(problem for listed in found.values() for problem in listed)
    for problem in problems:
        context.log.warning(f"{problem.kind} {problem.subject}: {problem.message}")
    errors = sum(problem.severity == Severity.ERROR for problem in problems)
    return dg.MaterializeResult(
        metadata={
            "errors": errors,
            "warnings": len(problems) - errors,
            "problems": dg.MarkdownMetadataValue(problem_table(problems)),
        },
        check_results=list(health_results(found)),
    )
