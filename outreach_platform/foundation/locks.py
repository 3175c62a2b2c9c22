"""File locks that say who holds them. The kernel drops a lock however its process ends."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from outreach_platform.foundation.errors import BusyError
from outreach_platform.foundation.lake import writing


class NamedLock:
    """One exclusive lock on a file. Any thread may release it; another object has to wait for it.

    Args:
        path: the lock file; a `.holder.json` beside it names the holder for messages.
        what: what is locked, for messages, for example `WV`.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._lock = FileLock(str(path), thread_local=False)
        self._holder = path.with_suffix(".holder.json")
        self._what = what

    def acquire(self, owner: str, wait_seconds: float) -> None:
        """Take the lock, waiting up to `wait_seconds`; taking it while holding it does nothing.

        Raises:
            BusyError: it is still held; the message names by whom and since when.
            OutreachError: the lock file cannot be opened or written.
        """
        if self._lock.is_locked:
            return
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._wait(wait_seconds)
            self._name_holder(owner)

    def _wait(self, seconds: float) -> None:
        try:
            self._lock.acquire(timeout=seconds, poll_interval=0.2)
        except Timeout:
            raise BusyError(
                f"{self._what} is busy: {self._describe_holder()}; waited {seconds:.0f} s, "
                "run again when that has ended"
            ) from None

    def _name_holder(self, owner: str) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = json.dumps({"owner": owner, "pid": os.getpid(), "since": since})
        try:
            self._holder.write_text(holder, encoding="utf-8")
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Let go; does nothing when it is not held."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _describe_holder(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            if not psutil.pid_exists(holder["pid"]):
                return "another process holds it"  # the note is of an earlier one, killed
            return f"{holder['owner']} (process {holder['pid']}) holds it since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
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
