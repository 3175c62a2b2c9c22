"""Which layout a data folder has: `layout.json`, so that no release guesses at another's files.

The number grows when files move or change so that an older release would misread them.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform.foundation.errors import IntegrityError, OutreachError, UsageError
from outreach_platform.foundation.lake import Record, read_record, write_record

LAYOUT = 1
_NAME = "layout.json"
_logger = logging.getLogger(__name__)


class LayoutRecord(Record):
    """`layout.json` of a data folder.

    Attributes:
        layout: the number of the layout.
        written_by: the release that wrote this record.
        at: when.
    """

    layout: int
    written_by: str
    at: datetime


def require_layout(data_dir: Path, release: str) -> None:
    """Refuse a data folder of a newer release; stamp a new folder, and one without a number.

    Folders from before there was a number have layout 1. A folder that cannot be written,
    or is none, is left to whoever writes there first: they say what is wrong with it.

    Args:
        data_dir: the data folder.
        release: our own version.

    Raises:
        UsageError: the layout is newer than this release knows, or its record cannot be read.
    """
    path = data_dir / _NAME
    if data_dir.exists() and not data_dir.is_dir():
        return
    try:
        found = read_record(path, LayoutRecord)
    except FileNotFoundError:
        _stamp(path, release)
        return
    except IntegrityError as error:
        raise UsageError(f"{error}; until then nothing in {data_dir} is touched") from None
    if found.layout > LAYOUT:
        raise UsageError(
            f"{data_dir} has layout {found.layout}, written by release {found.written_by}, and "
            f"release {release} knows up to {LAYOUT}: install the newer release, or name "
            "another folder in OUTREACH_DATA_DIR"
        )


def _stamp(path: Path, release: str) -> None:
    record = LayoutRecord(layout=LAYOUT, written_by=release, at=datetime.now(UTC))
    try:
        write_record(path, record)
    except (OutreachError, OSError):
        _logger.debug("%s was not written", path, exc_info=True)
