"""File locks that say who holds them. The kernel drops a lock however its process ends."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from outreach_platform.foundation.errors import BusyError


class NamedLock:
    """One exclusive lock on a file, held by one owner of this process.

    Args:
        path: the lock file; a `.holder.json` beside it names the holder for messages.
        what: what is locked, for messages, for example `WV`.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._lock = FileLock(str(path))
        self._holder = path.with_suffix(".holder.json")
        self._what = what

    def acquire(self, owner: str, wait_seconds: float) -> None:
        """Take the lock, waiting up to `wait_seconds`.

        Raises:
            BusyError: it is still held; the message names by whom and since when.
        """
        self._holder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=wait_seconds, poll_interval=0.2)
        except Timeout:
            raise BusyError(
                f"{self._what} is busy: {self._describe_holder()}; waited {wait_seconds:.0f} s, "
                "run again when that has ended"
            ) from None
        self._holder.write_text(
            json.dumps(
                {
                    "owner": owner,
                    "pid": os.getpid(),
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            ),
            encoding="utf-8",
        )

    def release(self) -> None:
        """Let go; does nothing when it is not held."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _describe_holder(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"{holder['owner']} (process {holder['pid']}) holds it since {holder['since']}"
        except (OSError, ValueError, KeyError):
            return "another process holds it"


@contextmanager
def locked(path: Path, what: str, owner: str, wait_seconds: float) -> Iterator[float]:
    """Hold a lock for a block; yields the seconds waited.

    Raises:
        BusyError: see `NamedLock.acquire`.
    """
    lock = NamedLock(path, what)
    started = time.monotonic()
    lock.acquire(owner, wait_seconds)
    try:
        yield time.monotonic() - started
    finally:
        lock.release()
