"""What a backup says of itself: `backup.json` in the copied folder."""

from datetime import datetime
from typing import Literal

from outreach_platform.foundation.lake import Record

NAME = "backup.json"
Status = Literal["copied", "rebuilt", "damaged", "outside", "left out", "none"]


class PartRecord(Record):
    """One part of the state.

    Attributes:
        part: a folder of the data folder, or what stands apart: a database, the runs.
        status: `outside` for what is configured elsewhere, `none` for what was never used.
        files: how many were copied; None where it is no folder of files.
        size: bytes, hard links counted once; None likewise.
        rows: of a database; None elsewhere.
        message: what the reader should know.
    """

    part: str
    status: Status
    files: int | None = None
    size: int | None = None
    rows: int | None = None
    message: str | None = None


class BackupRecord(Record):
    """One backup.

    Attributes:
        started_at: what was there then is in it.
        release: that took it.
        run_id: of `backup_job`.
        source: the data folder.
        target: where the copy was put.
        parts: all parts, those that were not copied too.
        problems: what is damaged or missing in the copy, a sentence each; empty for a whole one.
    """

    started_at: datetime
    finished_at: datetime
    release: str
    run_id: str
    source: str
    target: str
    parts: list[PartRecord]
    problems: list[str]
