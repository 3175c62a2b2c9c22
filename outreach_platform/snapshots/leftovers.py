"""What killed runs of one state leave on disk, and its removal.

Only files that no record speaks of are touched. What becomes of a version that an interrupted run
began is decided in `run.py`.
"""

import shutil
from pathlib import Path

from outreach_platform.foundation.lake import remove_partials
from outreach_platform.snapshots.layout import TABLES, StateFolder


def spill_folder(data_dir: Path, state: str) -> Path:
    """Where a state's bulk work spills: a folder of its own, which the state's lock protects."""
    return data_dir / "lake" / ".spill" / state


def plain_folder(data_dir: Path, state: str) -> Path:
    """Where a plain run keeps its raw rows while it works."""
    return data_dir / "lake" / f".plain-{state}"


def sweep(folder: StateFolder) -> list[Path]:
    """Remove a state's leftovers; call it under the state's lock.

    Exported files count as left over when their version has neither manifest nor receipt: an export
    or a withdrawal was killed, or failed, in between.

    Returns:
        What was removed, without spill and scratch folders.
    """
    for scratch in (
        spill_folder(folder.data_dir, folder.state),
        plain_folder(folder.data_dir, folder.state),
    ):
        shutil.rmtree(scratch, ignore_errors=True)
    removed = [*remove_partials(folder.lake), *remove_partials(folder.exports)]
    # A split writes beside the tables that stand, and replaces those that changed.
    unfinished = [*folder.lake.glob("*/*.new.parquet"), *_unclaimed_exports(folder)]
    for path in unfinished:
        path.unlink(missing_ok=True)
    return [*removed, *unfinished]


def _unclaimed_exports(folder: StateFolder) -> list[Path]:
    claimed = {*folder.exported_versions(), *folder.published_versions()}
    versions = set(folder.versions()) - claimed
    paths = [folder.export(version, table) for version in versions for table in TABLES]
    return [path for path in paths if path.exists()]
