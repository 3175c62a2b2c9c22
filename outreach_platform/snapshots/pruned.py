"""Versions whose files retention removed: how they are known, and what refuses to touch them."""

from datetime import datetime

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import Record, find_record
from outreach_platform.foundation.retention import Pruned
from outreach_platform.snapshots.layout import StateFolder


class BroughtBack(Record):
    """`exports/{STATE}/restored/{version}.json`: a pruned version was restored, and stays a while.

    Attributes:
        at: from when its days count.
        run_id: by which run.
    """

    version: str
    at: datetime
    run_id: str


def is_pruned(folder: StateFolder, version: str) -> bool:
    """Whether a version's published files were removed on purpose."""
    return folder.pruned(version).exists()


def refuse_pruned(folder: StateFolder, version: str) -> None:
    """Refuse to make anything of a version whose files were removed on purpose.

    Raises:
        UsageError: its published files were pruned, or its raw rows.
    """
    name = f"{folder.state} {version}"
    if is_pruned(folder, version):
        raise UsageError(
            f"{name} is published and its files were pruned{_when(folder, version)}, so nothing is "
            f"made of it anew: `outreach restore --state {folder.state} --version {version}` "
            "brings it back from the object store"
        )
    if folder.lake_pruned(version).exists():
        raise UsageError(
            f"the raw rows of {name} were pruned (lake_days in the settings), so that day cannot "
            "be rebuilt; what was published of it stands as it is"
        )


def _when(folder: StateFolder, version: str) -> str:
    mark = find_record(folder.pruned(version), Pruned)
    return f" on {mark.at:%Y-%m-%d} by run {mark.run_id}" if mark is not None else ""
