"""The commands `outreach enrich …`."""

from collections.abc import Callable

import click

from outreach_platform.cli_base import JSON, Group

_ENTITY = click.option(
    "--entity", type=click.Choice(["company", "people"]), help="Only these [default: both]."
)
_BATCH = click.option(
    "--batch-size",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Rows a transaction.",
)
_DRY = click.option("--dry-run", is_flag=True, help="Tell what would change; change nothing.")


def _stage(command: Callable[..., int]) -> Callable[..., int]:
    """The options that every stage has."""
    for option in (JSON, _DRY, _BATCH, _ENTITY):
        command = option(command)
    return command


@click.group(cls=Group)
def enrich() -> None:
    r"""Invalid records out to enrichers, completed ones back, promoted when they pass.

    \b
    outreach enrich pull                 what failed validation, into the workspace
    outreach enrich run --dry-run        what a whole round would do
    outreach enrich export open.csv      the workspace as a spreadsheet …
    outreach enrich import open.csv      … and back
    outreach enrich undo RUN_ID          take a run's promotions back

    Records come from marketing.company_invalid and marketing.people_invalid (NEON_DATABASE_URL) and
    go to public.company_needs_enrichment and public.people_needs_enrichment
    (SUPABASE_DATABASE_URL). Each stage can be run again at any time.
    """


@enrich.command()
@_stage
def pull(entity: str | None, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Bring records that failed validation into the workspace.

    Rows that an enricher works on or has completed are never overwritten. A second pull changes
    nothing.
    """
    return _run(["pull"], entity, batch_size, dry_run, as_json)


@enrich.command()
@_stage
def push(entity: str | None, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Bring completed rows of the workspace back into Neon's invalid tables.

    Every column that changed since the pull; where Neon has changed the same column, the newer side
    wins and both versions are kept in marketing.enrichment_conflicts.
    """
    return _run(["push"], entity, batch_size, dry_run, as_json)


@enrich.command()
@_stage
def revalidate(entity: str | None, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Judge completed records again; print the ids that passed, one a line.

    What fails goes back to the workspace as failed, with its errors. Counts go to stderr.
    """
    from outreach_platform.commands.enrich import print_passed

    return print_passed(entity=entity, batch_size=batch_size, dry_run=dry_run, as_json=as_json)


@enrich.command()
@_stage
@click.option(
    "--passed-ids-file", metavar="F", help="Only the ids in this file, one a line; - for stdin."
)
def promote(
    entity: str | None,
    batch_size: int,
    dry_run: bool,
    as_json: bool,
    passed_ids_file: str | None,
) -> int:
    r"""Bring records that passed into the master tables.

    \b
    outreach enrich promote
    outreach enrich revalidate | outreach enrich promote --passed-ids-file -

    Without a file, what is complete is judged first. An id that has not passed in its present state
    is not promoted.
    """
    stages = ["revalidate", "promote"] if passed_ids_file is None else ["promote"]
    return _run(stages, entity, batch_size, dry_run, as_json, passed_ids_file)


@enrich.command()
@_stage
def run(entity: str | None, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """The whole round: pull, then push, revalidate and promote what is complete."""
    stages = ["pull", "push", "revalidate", "promote"]
    return _run(stages, entity, batch_size, dry_run, as_json)


@enrich.command()
@click.argument("run_id")
@_BATCH
@_DRY
@JSON
def undo(run_id: str, batch_size: int, dry_run: bool, as_json: bool) -> int:
    """Take back what the run RUN_ID promoted; its first eight characters are enough.

    The masters become what they were, and the records stand in the invalid tables and the workspace
    again, as pending. What somebody has changed since is left alone and told: the command then ends
    with 1.
    """
    from outreach_platform.commands.enrich_sheet import undo_run

    return undo_run(run_id, batch_size=batch_size, dry_run=dry_run, as_json=as_json)


@enrich.command(name="export")
@click.argument("file", metavar="F.csv")
@_ENTITY
@click.option("--include-complete", is_flag=True, help="Also rows that are complete.")
@JSON
def export_command(file: str, entity: str | None, include_complete: bool, as_json: bool) -> int:
    """Write the open records of the workspace to a spreadsheet (CSV)."""
    from outreach_platform.commands.enrich_sheet import export_sheet

    return export_sheet(file, entity=entity, include_complete=include_complete, as_json=as_json)


@enrich.command(name="import")
@click.argument("file", metavar="F.csv")
@_ENTITY
@click.option("--by", metavar="NAME", help="Who enriched, where the file does not say.")
@_DRY
@JSON
def import_command(
    file: str, entity: str | None, by: str | None, dry_run: bool, as_json: bool
) -> int:
    """Bring the edits of an exported spreadsheet back into the workspace.

    Columns may stand in any order. Lines with an unknown id or a stale version are told one by one,
    the others are taken, and the command ends with 1.
    """
    from outreach_platform.commands.enrich_sheet import import_edits

    return import_edits(file, entity=entity, by=by, dry_run=dry_run, as_json=as_json)


def _run(
    stages: list[str],
    entity: str | None,
    batch_size: int,
    dry_run: bool,
    as_json: bool,
    ids_file: str | None = None,
) -> int:
    from outreach_platform.commands.enrich import run_stages

    return run_stages(
        stages,
        entity=entity,
        batch_size=batch_size,
        dry_run=dry_run,
        as_json=as_json,
        ids_file=ids_file,
    )
