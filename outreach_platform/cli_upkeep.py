"""`outreach verify`, `restore`, `prune` and `backup`."""

from pathlib import Path

import click

from outreach_platform.cli_base import JSON, Command


@click.command(cls=Command)
@click.option("--state", "states", multiple=True, metavar="WV", help="A state; can be repeated.")
@click.option("--upload", is_flag=True, help="Send objects that the store lacks again.")
@JSON
def verify(states: tuple[str, ...], upload: bool, as_json: bool) -> int:
    r"""Check published versions against disk and object store; change nothing.

    \b
    outreach verify
    outreach verify --state WV --json
    outreach verify --upload

    Every file of every published version: is it there, is it the one in the manifest, has it the
    rows; and is the same object in the store. Without --state exports of events too. Ends with 1
    where anything disagrees, or the store could not be asked.

    With --upload, objects that are gone are sent again from files that are the published ones. An
    object that stands is never replaced.
    """
    from outreach_platform.commands.verify import run_verify

    return run_verify(states=states, upload=upload, as_json=as_json)


@click.command(cls=Command)
@click.option("--state", required=True, metavar="WV", help="The state.")
@click.option("--version", required=True, metavar="V", help="Which, as `outreach verify` lists it.")
@click.option("--to", metavar="FOLDER", help="Only write it there, in the layout of exports.")
@JSON
def restore(state: str, version: str, to: str | None, as_json: bool) -> int:
    r"""Bring a published version back from the object store.

    \b
    outreach restore --state WV --version 20261120131505
    outreach restore --state WV --version 20261120131505 --to /tmp/wv

    Missing and damaged files are put back, verified; a damaged one stays beside it under a
    name in .damaged, an intact one is not touched. The workbench is rebuilt. With --to nothing else
    changes.
    """
    from outreach_platform.commands.restore import run_restore

    return run_restore(state=state, version=version, to=to, as_json=as_json)


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Remove nothing; print the same table.")
@JSON
def prune(dry_run: bool, as_json: bool) -> int:
    r"""Remove what is older than the settings say.

    \b
    outreach prune --dry-run
    outreach prune --json

    Days are given under [retention] in the settings; without any, everything is kept. The newest
    version of a state, K2's baseline and what unfinished runs need always stay, and files of a
    published version go only when the object store holds all of it. Ends with 1 where something old
    could not be removed.
    """
    from outreach_platform.commands.prune import run_prune

    return run_prune(dry_run=dry_run, as_json=as_json)


@click.command(cls=Command)
@click.argument("target", type=click.Path(path_type=Path))
@JSON
def backup(target: Path, as_json: bool) -> int:
    r"""Copy all state into TARGET, a new folder, while it is in use.

    \b
    outreach backup /backups/outreach-1
    OUTREACH_DATA_DIR=/backups/outreach-1 outreach status

    TARGET is a whole data folder: embedded databases, runs, snapshots, events, filings, objects of
    the local store. Databases and buckets that are configured elsewhere are not copied, and the
    table says so. Nothing stands under TARGET before the copy is complete and compared. Ends with 1
    where something is damaged; everything else is in the copy then.
    """
    from outreach_platform.commands.backup import run_backup

    return run_backup(target=target, as_json=as_json)


UPKEEP = (verify, restore, prune, backup)
