"""Where a data folder stood when it was last used, and what is made anew once it stands elsewhere.

Views of the DuckDB files and MLflow's artifacts are named by absolute paths, so a folder that was
moved, copied or brought back from a backup has to have them made for its new place. The first
command that opens the folder's instance sees to it.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import SyncRecord
from outreach_platform.events.run import sync_research
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import Record, find_record, write_record
from outreach_platform.settings import Settings
from outreach_platform.snapshots import workbench

# MLflow's columns that name a file.
_ARTIFACTS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
_logger = logging.getLogger(__name__)


class PlaceRecord(Record):
    """`operations/place.json` of a data folder.

    Attributes:
        folder: its absolute path when what names paths was last made.
    """

    folder: str


def place_path(data_dir: Path) -> Path:
    """The record of a data folder."""
    return data_dir / "operations" / "place.json"


def write_place(data_dir: Path, folder: Path) -> None:
    """Note a place.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    write_record(place_path(data_dir), PlaceRecord(folder=str(folder)))


def settle(settings: Settings, owner: str) -> list[str]:
    """Make anew what names paths, where the data folder stands elsewhere than it did.

    Args:
        settings: of the folder.
        owner: who asks, for the locks' messages.

    Returns:
        Sentences on what could not be brought to its new place. The next call tries again, but
        not the research database, of which `status` tells from here on.
    """
    here = settings.data_dir
    record = find_record(place_path(here), PlaceRecord)
    if record is not None and record.folder == str(here):
        return []
    try:
        problems = [] if record is None else _settle(settings, Path(record.folder), owner)
        write_place(here, here)
    except (OutreachError, OSError, duckdb.Error) as error:
        problems = [str(error).splitlines()[0]]
    for problem in problems:
        _logger.warning("%s was moved: %s", here, problem)
    return problems


def _settle(settings: Settings, before: Path, owner: str) -> list[str]:
    here = settings.data_dir
    _logger.info("%s stood in %s: views are made anew", here, before)
    # What it says of damaged versions is told by `status` and `verify` wherever the folder stands.
    workbench.rebuild(here, owner)
    problem = _research(settings, owner)
    _move_artifacts(here / "mlflow" / "mlflow.db", before, here)
    return [problem] if problem else []


def _research(settings: Settings, owner: str) -> str | None:
    """The research database over the newest export, in the form that it had."""
    folder, database = EventFolder(settings.data_dir), settings.analytics_path
    inside = database.is_relative_to(settings.data_dir)
    if not (inside and database.exists()) or folder.newest() is None:
        return None
    last = find_record(folder.synced, SyncRecord)
    return sync_research(settings, owner, last.form if last else None).problem


def _move_artifacts(database: Path, before: Path, here: Path) -> None:
    """Let MLflow's local store name its artifacts in the new place.

    Raises:
        OutreachError: the store is damaged or in use.
    """
    if not database.is_file():
        return
    old, new = before.as_uri() + "/", here.as_uri() + "/"
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            for table, column in _ARTIFACTS:
                if connection.execute(f"PRAGMA table_info({table})").fetchall():
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE substr({column}, 1, ?) = ?",
                        [new, len(old) + 1, len(old), old],
                    )
    except sqlite3.Error as error:
        raise OutreachError(f"{database} could not be brought to its new place: {error}") from None
