"""Jobs of the enrichment wing that make no asset: taking a promotion back, importing a sheet."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from outreach_platform.enrichment.entities import ENTITIES
from outreach_platform.enrichment.records import StageRecord, keep_stage, stage_record
from outreach_platform.enrichment.resources import EnrichmentRuns
from outreach_platform.enrichment.run import BATCH_SIZE
from outreach_platform.enrichment.sheet_reading import read_sheet
from outreach_platform.enrichment.sheet_rows import ImportReport, import_sheet
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.jobs import WING_TAG

BOTH = "both"
_TAGS = {WING_TAG: "enrichment"}


class UndoConfig(dg.Config):
    """Which run's promotions are taken back."""

    undone_run: str = Field(description="the run's id, or its first eight characters or more")
    batch_size: int = Field(default=BATCH_SIZE, description="rows a transaction")


@dg.op(name="undo_promotions")
def undo_promotions(
    context: dg.OpExecutionContext, config: UndoConfig, enrichment: EnrichmentRuns
) -> dict[str, int]:
    """Put a run's records back into the invalid tables, and the masters back as they were."""
    with failing_clearly():
        run = enrichment.start(context, config.batch_size)
        reports = run.undo(config.undone_run)
        run.record_funnel()
    for name, report in reports.items():
        keep_stage(run.folder, stage_record(run.run_id, "undo", name, report))
        for problem in report.problems:
            context.log.warning(problem)
    return {name: report.restored for name, report in reports.items()}


@dg.job(
    name="enrichment_undo_job",
    tags=_TAGS,
    description="Take back what one run promoted, as far as nobody has changed it since.",
)
def enrichment_undo_job() -> None:
    """One run's promotions taken back."""
    undo_promotions()


class ImportConfig(dg.Config):
    """Which file is imported."""

    path: str = Field(description="a CSV that `outreach enrich export` wrote and people edited")
    by: str | None = Field(default=None, description="who enriched, where the file does not say")
    entity: str | None = Field(default=None, description="company or people; unset: both")


@dg.op(name="import_edits")
def import_edits(
    context: dg.OpExecutionContext, config: ImportConfig, enrichment: EnrichmentRuns
) -> dict[str, Any]:
    """Bring a spreadsheet's edits into the workspace; lines that cannot be taken are told."""
    with failing_clearly():
        run = enrichment.start(context)
        sheet = read_sheet(Path(config.path))
        places = {entity.name: run.places(entity) for entity in ENTITIES}
        report = import_sheet(run.workspace, places, sheet, by=config.by, entity=config.entity)
        run.record_funnel()
    record = import_record(run.run_id, config.entity, report)
    keep_stage(run.folder, record)
    for sentence in record.problems:
        context.log.warning(sentence)
    return dict(record.counts)


def import_record(run_id: str, entity: str | None, report: ImportReport) -> StageRecord:
    """What an import did: its counts, and a sentence for each line that it could not take."""
    refused = [f"line {each.line}: {each.reason}" for each in report.refused]
    record = stage_record(run_id, "import", entity or BOTH, report)
    return record.model_copy(
        update={
            "counts": {**record.counts, "refused": len(refused)},
            "problems": [*report.notices, *refused],
        }
    )


@dg.job(
    name="enrichment_import_job",
    tags=_TAGS,
    description="Bring the edits of a spreadsheet into the workspace.",
)
def enrichment_import_job() -> None:
    """A spreadsheet's edits in the workspace."""
    import_edits()
