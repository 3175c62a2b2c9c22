"""What of a data folder belongs into a backup, and in which order it is read.

The order follows one rule: who speaks of something is read before what it speaks of. Runs write a
file, then the manifest that names it, then the receipt that says it is published; read the other
way round, whatever is in the copy finds there what it names, whoever wrote meanwhile.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outreach_platform.foundation.lake import PARTIAL
from outreach_platform.operations.backup.copying import SQLITE_COMPANIONS
from outreach_platform.operations.backup.records import NAME
from outreach_platform.operations.backup.target import LOCK
from outreach_platform.snapshots.workbench import workbench_path

# Records in the order in which they are read, the reverse of that in which runs write them.
RECORDS = (
    "exports/*/receipts/*.json",
    "exports/*/manifests/*.json",
    "exports/*/verdicts/*.json",
    "lake/outreach/*/*/outcome.json",
    "lake/outreach/*/*/split.json",
    "lake/outreach/*/*/pull.json",
    "raw/behavioral_events_latest.parquet",
    "raw/manifests/*.json",
    "lake/behavioral_events/date=*/manifest.json",
)
# Marks are written before the first file goes, so they are read last.
PRUNED = (
    "exports/*/pruned/*.json",
    "lake/outreach/*/*/pruned.json",
    "raw/manifests/pruned/*.json",
)
# Of Dagster's files: a tick that asked for a run is read before the run, a run before its events.
RUNS_FIRST = ("schedules/schedules.db", "history/runs.db")
# Folders at the top that are made anew, or hold what only a running process needs.
_TOP = ("embedded", "locks", NAME, LOCK)
_ANYWHERE = (".spill", ".incoming")
# Folders whose files have names that others chose.
_FOREIGN = ("filings", "objects")
# Audit rows that wait for the database stand among the logs.
_LOGS, _SPOOL = "logs", "audit_spool"
_HOME = ("up.lock", "up.json", "up.new")


@dataclass(frozen=True)
class Found:
    """One entry that belongs into the copy.

    Attributes:
        path: relative to the data folder.
        size: bytes; 0 for a link and for a second name of a file that was found already.
        seen: inode, size and modification time.
        leads_to: of a symbolic link that is kept as one; None for a file.
    """

    path: Path
    size: int
    seen: tuple[int, int, int]
    leads_to: str | None = None


def walk(
    data_dir: Path, below: Path = Path(), unreadable: list[str] | None = None
) -> Iterator[Found]:
    """Everything below a folder that belongs into a backup, in the order of names.

    Links inside the data folder stay links, relative ones; what leads out of it is followed, so
    that the copy stands by itself.

    Args:
        data_dir: the data folder, absolute and without links.
        below: a folder in it.
        unreadable: grows by a sentence for each folder that cannot be listed.
    """
    problems = [] if unreadable is None else unreadable
    yield from _walk(data_dir, below, set(), {(data_dir / below).resolve()}, problems)


def _walk(
    data_dir: Path,
    below: Path,
    names: set[tuple[int, int]],
    above: set[Path],
    problems: list[str],
) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(data_dir / below), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        problems.append(f"{below} cannot be read: {error.strerror}")
        return
    present = {entry.name for entry in entries}
    for entry in entries:
        path = below / entry.name
        if is_left_out(path) or _is_companion(entry.name, present):
            continue
        if entry.is_symlink() and (leads_to := _kept_link(data_dir, path)) is not None:
            yield Found(path, 0, (0, 0, 0), leads_to)
        elif entry.is_dir():
            real = (data_dir / path).resolve()
            if real not in above:
                yield from _walk(data_dir, path, names, above | {real}, problems)
        elif entry.is_file():
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            key = (status.st_dev, status.st_ino)
            size = 0 if key in names else status.st_size
            names.add(key)
            yield Found(path, size, (status.st_ino, status.st_size, status.st_mtime_ns))


def _kept_link(data_dir: Path, path: Path) -> str | None:
    """Where a link leads that is kept, None for one that is followed."""
    link = data_dir / path
    leads_to = link.readlink()
    real = link.resolve()
    if not real.exists():
        return str(leads_to)
    if not real.is_relative_to(data_dir):
        return None
    return str(leads_to) if not leads_to.is_absolute() else os.path.relpath(real, link.parent)


def _is_companion(name: str, present: set[str]) -> bool:
    """Whether a file belongs to a database beside it, which is copied together with it."""
    endings = (*SQLITE_COMPANIONS, ".wal")
    return any(name.endswith(end) and name.removesuffix(end) in present for end in endings)


def is_left_out(path: Path) -> bool:
    """Whether an entry (relative to the data folder) is no state, or made anew in the copy."""
    top, name = path.parts[0], path.name
    if name in _ANYWHERE or (name.startswith(".") and PARTIAL in name):
        return True
    if top in _FOREIGN:
        return False
    if top in _TOP and len(path.parts) == 1:
        return True
    if top == _LOGS:
        return len(path.parts) > 1 and path.parts[1] != _SPOOL
    return (
        name.endswith((".lock", ".holder.json", ".new.parquet"))
        or name.startswith((".plain-", ".dagster.yaml."))
        or path.parts[-2:] == (".dvc", "tmp")
        or path == Path("lake/filings/staging")
        or path == workbench_path(Path()).relative_to(Path())
        or (top == "dagster" and len(path.parts) == 2 and name in _HOME)
    )


def is_record(path: Path) -> bool:
    """Whether a path is one of `RECORDS`."""
    parts = len(path.parts)
    return any(parts == pattern.count("/") + 1 and path.match(pattern) for pattern in RECORDS)
