"""`outreach enrich export`, `import` and `undo`."""

from pathlib import Path
from typing import Any

from outreach_platform.commands import output
from outreach_platform.commands.enrich import DONE, FAILED, WOULD, show
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.enrichment.entities import ENTITIES, entity_named
from outreach_platform.enrichment.jobs import BOTH
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.records import StageRecord, find_stage
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.enrichment.sheet_reading import read_sheet
from outreach_platform.enrichment.sheet_rows import ImportReport, export_rows, import_sheet
from outreach_platform.enrichment.spreadsheet import write_sheet
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK
from outreach_platform.resources import NeonDatabase, WorkspaceDatabase
from outreach_platform.settings import Settings, load_settings

_SHOWN = 100


def export_sheet(path: str, *, entity: str | None, include_complete: bool, as_json: bool) -> int:
    """Write the open records of the workspace to a CSV; returns the exit code."""
    settings = load_settings()
    entities = list(ENTITIES) if entity is None else [entity_named(entity)]
    target = Path(path).expanduser().resolve()
    run = _run(settings, "export")
    try:
        places = [run.places(each) for each in entities]
        with run.workspace.transaction() as cursor:
            rows = export_rows(cursor, places, include_complete=include_complete)
            written = write_sheet(target, rows, entities)
    finally:
        run.close()
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
        report = _dry_import(settings, sheet, by=by, entity=entity)
        row = _import_row(WOULD, vars(report), report)
        told = [*report.notices, *(f"line {p.line}: {p.reason}" for p in report.refused)]
        refused = len(report.refused)
    else:
        row, told, refused = _launched_import(settings, file, by=by, entity=entity)
    output.result([row], as_json=as_json)
    for sentence in told[:_SHOWN]:
        output.warning(sentence)
    return EXIT_FAILED if refused or row["status"] == FAILED else EXIT_OK


def undo_run(run_id: str, *, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Take a run's promotions back; 1 when records had to be left alone."""
    settings = load_settings()
    if dry_run:
        run = _run(settings, "dry-run", dry_run=True, batch_size=batch_size)
        try:
            reports = run.undo(run_id)
        finally:
            run.close()
        rows = [
            _undo_row(name, WOULD, report.restored, report.problems)
            for name, report in reports.items()
        ]
    else:
        rows = _launched_undo(settings, run_id, batch_size)
    show(rows, as_json=as_json)
    failed = any(row["status"] == FAILED or row.get("problems") for row in rows)
    return EXIT_FAILED if failed else EXIT_OK


def _run(settings: Settings, name: str, **options: Any) -> EnrichmentRun:
    workspace = WorkspaceDatabase().url(settings)
    return EnrichmentRun(settings, NeonDatabase().url(settings), workspace, name, **options)


def _dry_import(
    settings: Settings, sheet: Any, *, by: str | None, entity: str | None
) -> ImportReport:
    run = _run(settings, "dry-run", dry_run=True)
    try:
        places = {each.name: run.places(each) for each in ENTITIES}
        return import_sheet(run.workspace, places, sheet, by=by, entity=entity)
    finally:
        run.close()


def _import_row(status: str, counts: dict[str, Any], report: ImportReport | None) -> dict:
    names = ("changed", "unchanged", "completed")
    refused = len(report.refused) if report is not None else counts.get("refused", 0)
    return (
        {"stage": "import", "status": status} | {n: counts[n] for n in names} | {"refused": refused}
    )


def _launched_import(
    settings: Settings, file: Path, *, by: str | None, entity: str | None
) -> tuple[dict, list[str], int]:
    config: dict[str, Any] = {"path": str(file)}
    config |= {name: value for name, value in (("by", by), ("entity", entity)) if value}
    databases = NeonDatabase(), WorkspaceDatabase()
    for each in databases:
        each.url(settings)
    with (
        ready_instance(settings.data_dir) as instance,
        output.progress("enrichment: importing"),
    ):
        outcome = run_job(
            instance, "enrichment_import_job", config={"ops": {"import_edits": {"config": config}}}
        )
    record = _found(settings, outcome.run_id, "import", entity or BOTH)
    if not outcome.success or record is None:
        failed = {"stage": "import", "status": FAILED, "message": outcome.error}
        return {**failed, "run_id": outcome.run_id}, [], 0
    row = {**_import_row(DONE, record.counts, None), "run_id": outcome.run_id}
    return row, record.problems, record.counts.get("refused", 0)


def _launched_undo(settings: Settings, run_id: str, batch_size: int) -> list[dict]:
    run = _run(settings, "undo", dry_run=True)
    try:
        chosen = run.promoted_in(run_id)  # an id that is none is said before a run starts
    finally:
        run.close()
    config = {"undone_run": chosen, "batch_size": batch_size}
    with ready_instance(settings.data_dir) as instance, output.progress("enrichment: undoing"):
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
