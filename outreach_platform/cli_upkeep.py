"""`outreach verify`, `restore` and `backup`."""

from pathlib import Path

import click

from outreach_platform.cli_base import JSON, Command


@click.command(cls=Command)
@click.option("--state", "states", multiple=True, metavar="WV", help="A state; can be repeated.")
@JSON
def verify(states: tuple[str, ...], as_json: bool) -> int:
    r"""Check published versions against disk and object store; change nothing.

    \b
    outreach verify
    outreach verify --state WV --json

    Every file of every published version: is it there, is it the one in the manifest, has it the
    rows; and is the same object in the store. Without --state exports of events too. Ends with 1
    where anything disagrees, or the store could not be asked.
    """
    from outreach_platform.commands.verify import run_verify

    return run_verify(states=states, as_json=as_json)


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


UPKEEP = (verify, restore, backup)
