"""Enrichment without a job around it: dry runs, and what only reads."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outreach_platform.commands import output
from outreach_platform.commands.interrupts import obeying_interrupts
from outreach_platform.enrichment.entities import Entity
from outreach_platform.enrichment.records import StageRecord, stage_record
from outreach_platform.enrichment.run import EnrichmentRun, ids_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.resources import NeonDatabase, WorkspaceDatabase
from outreach_platform.settings import Settings

Row = dict[str, Any]
WOULD = "dry run"


def databases(settings: Settings) -> tuple[DatabaseUrl, DatabaseUrl]:
    """The masters' database and the workspace, running until this process ends.

    Raises:
        UsageError: only one of the two is configured.
    """
    workspace = WorkspaceDatabase().url(settings)
    return NeonDatabase().url(settings), workspace


@contextmanager
def opened(settings: Settings, name: str, **options: Any) -> Iterator[EnrichmentRun]:
    """A run for this process alone; Ctrl-C ends it even while it waits for somebody's lock.

    Args:
        settings: which databases.
        name: stands for the run's id.
        options: of `EnrichmentRun`.

    Raises:
        UsageError: only one of the two databases is configured.
    """
    neon, workspace = databases(settings)
    run = EnrichmentRun(settings, neon, workspace, name, **options)
    with obeying_interrupts(output.interrupted):
        try:
            yield run
        finally:
            run.close()


def dry_rows(
    settings: Settings,
    stages: Sequence[str],
    entities: Sequence[Entity],
    batch_size: int,
    *,
    ids: Path | None = None,
    on_passed: Callable[[str, str], None] = lambda _name, _key: None,
) -> list[Row]:
    """Do the stages in transactions that are rolled back.

    Args:
        settings: which databases.
        stages: of pull, push, revalidate and promote, in this order.
        entities: company, people or both.
        batch_size: rows a transaction.
        ids: promote only the ids in this file.
        on_passed: told the entity and the id of each record that would pass.

    Raises:
        BusyError: a run is at work for too long.
        SourceError: a database is away or refuses.
    """
    with opened(settings, "dry-run", batch_size=batch_size, dry_run=True) as run:
        lock = run.lock()
        lock.acquire("a dry run", settings.toml.locks.wait_seconds)
        try:
            return [
                stage_row(
                    stage_record(
                        run.run_id, stage, entity.name, _stage(run, stage, entity, ids, on_passed)
                    ),
                    WOULD,
                )
                for stage in _with_offer(settings, stages)
                for entity in entities
            ]
        finally:
            lock.release()


def stage_row(record: StageRecord, status: str) -> Row:
    """A line of the table: what a stage did to one entity."""
    row: Row = {"stage": record.stage, "entity": record.entity, "status": status, **record.counts}
    if record.stage in ("revalidate", "promote"):
        row["reasons"] = record.reasons
    return {**row, "problems": record.problems, "run_id": record.run_id}


def _with_offer(settings: Settings, stages: Sequence[str]) -> list[str]:
    """The stages with the one that a pull begins with where settings say so."""
    offers = "pull" in stages and settings.toml.enrichment.offer_quarantine
    return ["offer", *stages] if offers else list(stages)


def _stage(
    run: EnrichmentRun,
    stage: str,
    entity: Entity,
    ids: Path | None,
    on_passed: Callable[[str, str], None],
) -> Any:
    if stage == "offer":
        return run.offer_quarantine(entity)
    if stage == "pull":
        return run.pull(entity)
    if stage == "push":
        return run.push(entity)
    if stage == "revalidate":
        return run.revalidate(entity, lambda key: on_passed(entity.name, key))
    return run.promote(entity, None if ids is None else ids_of(entity, ids))
