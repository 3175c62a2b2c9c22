"""What retention removes: how old it is, what its removal frees, and what is written down of it.

Which files are due is the wings' business (`snapshots/pruning.py`, `events/pruning.py`,
`filings/pruning.py`).
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from outreach_platform.foundation.lake import Record


class Pruned(Record):
    """That a version's files were removed on purpose; written before the first of them goes.

    Attributes:
        version: the version, or the stamp of an export.
        files: what was there, relative to the data folder.
        size: bytes of these files together, whether or not their removal freed them.
        at: when.
        run_id: by which run.
    """

    version: str
    files: list[str]
    size: int
    at: datetime
    run_id: str


class PruneLine(Record):
    """One kind of thing, of one state where it has one.

    Attributes:
        what: the kind.
        subject: the state, `-` where it has none.
        removed: how many versions, files or runs.
        bytes_freed: what the disk has more; 0 where another name still holds a file.
        oldest_kept: version, stamp or UTC time of the oldest that is still there.
        problems: what was due and is still there, and why; one sentence each.
        notes: what was kept on purpose though it is old; one sentence each.
    """

    what: str
    subject: str = "-"
    removed: int = 0
    bytes_freed: int = 0
    oldest_kept: str | None = None
    problems: list[str] = []
    notes: list[str] = []


class Pruning(Record):
    """A whole pruning.

    Attributes:
        run_id: by which run.
        at: when it ended.
        lines: one a kind and state.
    """

    run_id: str
    at: datetime
    lines: list[PruneLine]

    @property
    def complete(self) -> bool:
        """Whether all that was due is gone."""
        return not any(line.problems for line in self.lines)


class Remover:
    """Removes files, or only tells what that would free.

    One remover serves a whole pruning: a file with two names is freed with the second of them.

    Args:
        dry_run: remove nothing.
    """

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run
        self._gone: Counter[tuple[int, int]] = Counter()

    def remove(self, paths: Iterable[Path]) -> tuple[int, list[str]]:
        """Remove files; one that cannot be removed does not keep the others.

        Returns:
            Bytes freed, and a sentence for each file that is still there.
        """
        freed, problems = 0, []
        for path in paths:
            try:
                freed += self._remove(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.append(f"{path} cannot be removed: {error.strerror}; see who owns it")
        return freed, problems

    def _remove(self, path: Path) -> int:
        found = path.lstat()
        if not self.dry_run:
            path.unlink()
            return found.st_size if found.st_nlink == 1 else 0
        inode = (found.st_dev, found.st_ino)
        self._gone[inode] += 1
        return found.st_size if found.st_nlink == self._gone[inode] else 0


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of the files that are there."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):  # removed meanwhile
            total += path.lstat().st_size
    return total


def is_older(moment: datetime, days: int, now: datetime) -> bool:
    """Whether a moment lies more than so many days before another one; both aware."""
    return moment < now - timedelta(days=days)


def stamped(text: str, form: str) -> datetime | None:
    """The UTC moment that a name tells, None where it tells none."""
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
