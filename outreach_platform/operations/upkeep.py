"""Records of upkeep runs, by which a command and the UI tell the same: `lake/upkeep/{run_id}.json`.

What verifies, restores and prunes is in the wings.
"""

from pathlib import Path
from typing import TypeVar

from outreach_platform.foundation.lake import Record, find_record, write_record

_KEPT = 200
RecordT = TypeVar("RecordT", bound=Record)


def _path(data_dir: Path, run_id: str) -> Path:
    return data_dir / "lake" / "upkeep" / f"{run_id}.json"


def keep(data_dir: Path, run_id: str, record: Record) -> None:
    """Keep what a run did; the oldest beyond 200 records go.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    path = _path(data_dir, run_id)
    write_record(path, record)
    found = sorted(path.parent.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
    for old in found[:-_KEPT]:
        old.unlink(missing_ok=True)


def recall(data_dir: Path, run_id: str, kind: type[RecordT]) -> RecordT | None:
    """What a run did, None where it ended before it could say."""
    return find_record(_path(data_dir, run_id), kind)
