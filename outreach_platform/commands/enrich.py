"""`outreach enrich …`: the stages of the enrichment round trip from a terminal.

Stages run as the jobs that UI, schedule and sensor launch. A dry run launches none: it does the
same work in transactions that are rolled back, and says what came of it.
"""

import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.enrich_dry import Row, databases, dry_rows, stage_row
from outreach_platform.commands.launch import RunOutcome, ready_instance, run_job
from outreach_platform.enrichment.entities import ENTITIES, Entity, entity_named
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.records import find_stage
from outreach_platform.enrichment.run import read_ids
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.foundation.lake import replacing
from outreach_platform.operations.jobs import enrichment_config
from outreach_platform.settings import Settings, load_settings

DONE, FAILED = "done", "failed"
# The asset of each stage, and the job that makes it.
_ASSETS = {
    "push": "pushed_to_neon",
    "revalidate": "revalidation",
    "promote": "promotions",
}
_STAGES = {"quarantine": "offer", **{asset: stage for stage, asset in _ASSETS.items()}}
_SAYS = {
    "quarantine": "offering what snapshots rejected",
    "company_needs_enrichment": "pulling companies",
    "people_needs_enrichment": "pulling people",
    "pushed_to_neon": "pushing what is complete",
    "revalidation": "judging it again",
    "promotions": "promoting what passed",
}


def run_stages(
    stages: Sequence[str],
    *,
    entity: str | None,
    batch_size: int,
    dry_run: bool,
    as_json: bool,
    ids_file: str | None = None,
) -> int:
    """Run stages one after the other and print what each did; returns the exit code.

    Args:
        stages: of pull, push, revalidate and promote, in this order.
        entity: company or people; None for both.
        batch_size: rows a transaction.
        dry_run: change nothing.
        as_json: print JSON.
        ids_file: promote only these ids; `-` for standard input.

    Raises:
        UsageError: wrong options or configuration.
    """
    settings = load_settings()
    entities = list(ENTITIES) if entity is None else [entity_named(entity)]
    databases(settings)
    with _chosen(settings, ids_file) as ids:
        if dry_run:
            rows = dry_rows(settings, stages, entities, batch_size, ids=ids)
        else:
            rows = _launched(settings, stages, entities, batch_size, ids)
    show(rows, as_json=as_json)
    return EXIT_FAILED if any(row["status"] == FAILED for row in rows) else EXIT_OK


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows; problems are a number in the table, and a warning each below it."""
    counted = [
        {name: len(value) if name == "problems" else value for name, value in row.items()}
        for row in rows
    ]
    output.result(rows if as_json else counted, as_json=as_json)
    for row in rows:
        for problem in row.get("problems", ()):
            output.warning(problem)


def print_passed(*, entity: str | None, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Revalidate and print the ids that passed, one a line, counts to stderr."""
    settings = load_settings()
    entities = list(ENTITIES) if entity is None else [entity_named(entity)]
    passed: list[tuple[str, str]] = []
    if dry_run:
        rows = dry_rows(
            *(settings, ["revalidate"], entities, batch_size),
            on_passed=lambda name, key: passed.append((name, key)),
        )
    else:
        databases(settings)
        rows = _launched(settings, ["revalidate"], entities, batch_size, None)
        folder = EnrichmentFolder(settings.data_dir)
        for row in rows:
            path = folder.passed(str(row["run_id"]), row["entity"])
            ids = read_ids(path) if path.exists() else ()
            passed += [(row["entity"], key) for key in ids]
    for row in rows:
        said = {**row, "problems": len(row.get("problems", ()))}
        output.message(", ".join(f"{name}: {output.worded(value)}" for name, value in said.items()))
        for problem in row.get("problems", ()):
            output.warning(problem)
    if as_json:
        output.result([{"entity": name, "id": key} for name, key in passed], as_json=True)
    else:
        for _, key in passed:
            click.echo(key)
    return EXIT_FAILED if any(row["status"] == FAILED for row in rows) else EXIT_OK


@contextmanager
def _chosen(settings: Settings, ids_file: str | None) -> Iterator[Path | None]:
    """The file of ids as the run will read it; what comes from standard input is kept."""
    if ids_file is None:
        yield None
        return
    if ids_file != "-":
        path = Path(ids_file).expanduser().resolve()
        if not path.is_file():
            raise UsageError(f"{ids_file} is no file: name one with an id a line, or - for stdin")
        yield path
        return
    path = EnrichmentFolder(settings.data_dir).chosen(uuid.uuid4().hex)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as kept:
        kept.write_text(sys.stdin.read(), encoding="utf-8")
    yield path


def _launched(
    settings: Settings,
    stages: Sequence[str],
    entities: Sequence[Entity],
    batch_size: int,
    ids: Path | None,
) -> list[Row]:
    """Run the jobs, and read what they wrote of their stages; nothing follows a failure."""
    rows: list[Row] = []
    with ready_instance(settings) as instance:
        for job, part in _jobs(stages):
            outcome = _launch(instance, job, part, entities, batch_size, ids)
            rows += _rows(EnrichmentFolder(settings.data_dir), outcome, part, entities)
            if not outcome.success:
                break
    return rows


def _jobs(stages: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    pulls = [stage for stage in stages if stage == "pull"]
    others = [stage for stage in stages if stage != "pull"]
    if pulls:
        yield "enrichment_pull_job", pulls
    if others:
        yield "promotion_job", others


def _launch(
    instance: dg.DagsterInstance,
    job: str,
    stages: Sequence[str],
    entities: Sequence[Entity],
    batch_size: int,
    ids: Path | None,
) -> RunOutcome:
    if job == "enrichment_pull_job":
        names = ["quarantine", *(entity.workspace for entity in entities)]
    else:
        names = [_ASSETS[stage] for stage in stages]
    with output.progress("enrichment: starting") as progress:
        return run_job(
            instance,
            job,
            assets=[dg.AssetKey(["enrichment", name]) for name in names],
            config=enrichment_config(
                names,
                batch_size=batch_size,
                entities=[entity.name for entity in entities],
                ids_file=None if ids is None else str(ids),
            ),
            on_step=lambda step: progress(f"enrichment: {_said(step)}"),
        )


def _said(step: str) -> str:
    name = _name(step)
    return _SAYS.get(name, name)


def _name(step: str) -> str:
    """The last part of the key of the asset that a step makes."""
    return step.rpartition("__")[2]


def _rows(
    folder: EnrichmentFolder,
    outcome: RunOutcome,
    stages: Sequence[str],
    entities: Sequence[Entity],
) -> list[Row]:
    """A row for each stage and entity that the run came to; one more for a failure."""
    rows = [
        stage_row(record, DONE)
        for stage in ("offer", *stages)
        for entity in entities
        if (record := find_stage(folder, outcome.run_id, stage, entity.name))
    ]
    if not outcome.success:
        rows.append(
            {
                "stage": _STAGES.get(_name(outcome.failed_step or ""), stages[0]),
                "entity": entities[0].name if len(entities) == 1 else "both",
                "status": FAILED,
                "message": outcome.error,
                "run_id": outcome.run_id,
            }
        )
    return rows
