"""The job of the filings wing that makes no asset: clean, import, compact."""

from pathlib import Path
from typing import Any

import dagster as dg

from outreach_platform.filings.resources import FilingRuns, MaintenanceConfig
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.jobs import WING_TAG


@dg.op(name="maintain_filings")
def maintain_filings(
    context: dg.OpExecutionContext, config: MaintenanceConfig, filing_runs: FilingRuns
) -> dict[str, Any]:
    """Import, remove duplicates, compact, judge and publish: as far as asked for."""
    with failing_clearly():
        run = filing_runs.start(context)
        foreign = Path(config.foreign) if config.foreign else None
        record = run.maintain(dedupe=config.dedupe, compact=config.compact, foreign=foreign)
    for problem in record.problems:
        context.log.warning(problem)
    return record.counts


@dg.job(
    name="maintenance_job",
    tags={WING_TAG: "filings"},
    description="Remove duplicates and orphans from the filings database, and its dead space.",
)
def maintenance_job() -> None:
    """The filings database cleaned and compacted."""
    maintain_filings()
