"""`outreach enrich export`, `import` and `undo`."""

from pathlib import Path
from typing import Any

from outreach_platform.commands import output
from outreach_platform.commands.enrich import DONE, FAILED, show
from outreach_platform.commands.enrich_dry import WOULD, Row, databases, opened
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.enrichment.entities import ENTITIES, entity_named
from outreach_platform.enrichment.jobs import BOTH, import_record
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.records import StageRecord, find_stage
from outreach_platform.enrichment.sheet_reading import Sheet, read_sheet
from outreach_platform.enrichment.sheet_rows import export_rows, import_sheet
from outreach_platform.enrichment.spreadsheet import write_sheet
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK
from outreach_platform.settings import Settings, load_settings


def export_sheet(path: str, *, entity: str | None, include_complete: bool, as_json: bool) -> int:
    """Write the open records of the workspace to a CSV; returns the exit code."""
    settings = load_settings()
    entities = list(ENTITIES) if entity is None else [entity_named(entity)]
    target = Path(path).expanduser().resolve()
    with opened(settings, "export") as run:
        places = [run.places(each) for each in entities]
        with run.workspace.transaction() as cursor:
            rows = export_rows(cursor, places, include_complete=include_complete)
            written = write_sheet(target, rows, entities)
    output.result([{"file": str(target), "status": DONE, "rows": written}], as_json=as_json)
    return EXIT_OK


def import_edits(
    path: str, *, entity: str | None, by: str | None, dry_run: bool, as_json: bool
) -> int:
    """Bring a CSV's edits into the workspace; 1 when lines were refused."""
    settings = load_settings()
    if entity is not None:
        entity_named(entity)
    file = Path(path).expanduser().resolve()
    sheet = read_sheet(file)  # a file that is none is said before a run starts
    if dry_run:
        row = _dry_import(settings, sheet, by=by, entity=entity)
    else:
        row = _launched_import(settings, file, by=by, entity=entity)
    show([row], as_json=as_json)
    return EXIT_FAILED if row["status"] == FAILED or row["refused"] else EXIT_OK


def undo_run(run_id: str, *, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Take a run's promotions back; 1 when records had to be left alone."""
    settings = load_settings()
    if dry_run:
        with opened(settings, "dry-run", dry_run=True, batch_size=batch_size) as run:
            reports = run.undo(run_id)
        rows = [
            _undo_row(entity.name, WOULD, report.restored, report.problems)
            for entity in ENTITIES
            if (report := reports.get(entity.name))
        ]
    else:
        rows = _launched_undo(settings, run_id, batch_size)
    show(rows, as_json=as_json)
    failed = any(row["status"] == FAILED or row.get("problems") for row in rows)
    return EXIT_FAILED if failed else EXIT_OK


def _dry_import(settings: Settings, sheet: Sheet, *, by: str | None, entity: str | None) -> Row:
    with opened(settings, "dry-run", dry_run=True) as run:
        places = {each.name: run.places(each) for each in ENTITIES}
        report = import_sheet(run.workspace, places, sheet, by=by, entity=entity)
        record = import_record(run.run_id, entity, report)
    return _import_row(WOULD, record)


def _import_row(status: str, record: StageRecord) -> Row:
    row: Row = {"stage": "import", "status": status, **record.counts}
    return {**row, "problems": record.problems, "run_id": record.run_id}


def _launched_import(settings: Settings, file: Path, *, by: str | None, entity: str | None) -> Row:
    config: dict[str, Any] = {"path": str(file)}
    config |= {name: value for name, value in (("by", by), ("entity", entity)) if value}
    databases(settings)
    with (
        ready_instance(settings) as instance,
        output.progress("enrichment: importing"),
    ):
        outcome = run_job(
            instance, "enrichment_import_job", config={"ops": {"import_edits": {"config": config}}}
        )
    record = _found(settings, outcome.run_id, "import", entity or BOTH)
    if outcome.success and record is not None:
        return _import_row(DONE, record)
    failed = {"stage": "import", "status": FAILED, "message": outcome.error}
    return {**failed, "run_id": outcome.run_id}


def _launched_undo(settings: Settings, run_id: str, batch_size: int) -> list[dict]:
    with opened(settings, "undo", dry_run=True) as run:
        chosen = run.promoted_in(run_id)  # an id that is none is said before a run starts
    config = {"undone_run": chosen, "batch_size": batch_size}
    with ready_instance(settings) as instance, output.progress("enrichment: undoing"):
        outcome = run_job(
            instance, "enrichment_undo_job", config={"ops": {"undo_promotions": {"config": config}}}
        )
    if not outcome.success:
        failed = {"stage": "undo", "entity": "both", "status": FAILED, "message": outcome.error}
        return [{**failed, "run_id": outcome.run_id}]
    return [
        _undo_row(entity.name, DONE, record.counts["restored"], record.problems)
        for entity in ENTITIES
        if (record := _found(settings, outcome.run_id, "undo", entity.name))
    ]


def _undo_row(entity: str, status: str, restored: int, problems: list[str]) -> dict:
    return {
        "stage": "undo",
        "entity": entity,
        "status": status,
        "restored": restored,
        "left_alone": len(problems),
        "problems": problems,
    }


def _found(settings: Settings, run_id: str, stage: str, entity: str) -> StageRecord | None:
    return find_stage(EnrichmentFolder(settings.data_dir), run_id, stage, entity)
