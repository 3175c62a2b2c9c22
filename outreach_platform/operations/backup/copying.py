"""One file copied while others use it, so that the copy is what the file was at one moment.

Files of ours are written aside and renamed, so an open file never changes: reading it is enough.
SQLite files are copied by SQLite itself. A DuckDB file that a shell has open for writing is copied
with its log between two looks that must agree; DuckDB then folds the log as after a crash.
"""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from outreach_platform.foundation.lake import sha256_of

_BLOCK = 1 << 20
_TRIES = 5
_SQLITE = b"SQLite format 3\0"
_DUCKDB = b"DUCK"
SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")
Fingerprint = tuple[int, int, int] | None


@dataclass(frozen=True)
class Copied:
    """One copied file.

    Attributes:
        size: bytes that the copy takes; 0 for a second name of a file that was copied already.
        problem: what is wrong with it, None where it is whole.
    """

    size: int
    problem: str | None = None


class Copier:
    """Copies files of one folder into another; second names of a file stay second names."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._names: dict[tuple[int, ...], Path] = {}

    def top(self) -> None:
        """Give the copy's own folder the source's mode and owner."""
        _like(self._source, self._target)

    def folder(self, relative: Path) -> None:
        """Make a folder like the source's, with its mode and owner, and those above it."""
        target = self._target / relative
        if target.is_dir():
            return
        self.folder(relative.parent)
        target.mkdir(exist_ok=True)
        _like(self._source / relative, target)

    def link(self, relative: Path, leads_to: str) -> None:
        """Make a symbolic link."""
        self.folder(relative.parent)
        target = self._target / relative
        target.unlink(missing_ok=True)
        target.symlink_to(leads_to)

    def file(self, relative: Path) -> Copied | None:
        """Copy a file over what the target holds; None where it is gone from the source.

        Raises:
            OSError: the target cannot be written.
        """
        source, target = self._source / relative, self._target / relative
        self.folder(relative.parent)
        try:
            status = source.stat()
            with source.open("rb") as file:
                head = file.read(16)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Copied(0, f"{relative} cannot be read: {error.strerror}")
        # A number alone may by now be that of another file.
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        first = self._names.get(key) if status.st_nlink > 1 else None
        target.unlink(missing_ok=True)
        if first is not None and first.exists():
            os.link(first, target)
            return Copied(0)
        if head == _SQLITE:
            done = _sqlite(source, target, relative)
        elif head[8:12] == _DUCKDB or relative.suffix == ".duckdb":
            done = _duckdb(source, target, relative)
        else:
            done = _plain(source, target, relative)
        if done is not None:
            self._names[key] = target
            _like(source, target)
        return done


def _plain(source: Path, target: Path, relative: Path) -> Copied | None:
    problem = None
    for _ in range(_TRIES):
        before = fingerprint(source)
        if before is None:
            target.unlink(missing_ok=True)
            return None
        try:
            written = _bytes(source, target)
        except _Unreadable as error:
            target.unlink(missing_ok=True)
            return Copied(0, f"{relative} cannot be read: {error}")
        if sha256_of(target) != written:
            problem = f"{relative}: its copy does not hold what was written; look at the disk"
            continue
        if fingerprint(source) in (before, None):
            return Copied(target.stat().st_size)
        problem = f"{relative} was written to all the time, so that its copy may be half of it"
    return Copied(target.stat().st_size, problem)


class _Unreadable(Exception):
    """A source that cannot be read, as against a target that cannot be written."""


def _bytes(source: Path, target: Path) -> str:
    """Copy the bytes; returns their SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as copy:
        try:
            file = source.open("rb")
        except OSError as error:
            raise _Unreadable(error.strerror) from None
        with file:
            while True:
                try:
                    block = file.read(_BLOCK)
                except OSError as error:
                    raise _Unreadable(error.strerror) from None
                if not block:
                    return digest.hexdigest()
                digest.update(block)
                copy.write(block)


def _sqlite(source: Path, target: Path, relative: Path) -> Copied | None:
    """Through SQLite's online backup; what SQLite cannot read is copied as it is."""
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as there,
            closing(sqlite3.connect(target)) as here,
        ):
            there.backup(here)
            found = here.execute("PRAGMA quick_check(1)").fetchone()
        if found == ("ok",):
            return Copied(target.stat().st_size)
        reason = str(found[0]).splitlines()[0]
    except sqlite3.Error as error:
        if "disk is full" in str(error):
            raise
        reason = str(error)
    for suffix in ("", *SQLITE_COMPANIONS):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    done = _plain(source, target, relative)
    if done is None:
        return None
    return Copied(done.size, f"{relative} is damaged ({reason}); its bytes were copied")


def _duckdb(source: Path, target: Path, relative: Path) -> Copied | None:
    """With its log; the copy is opened, which folds the log and tells whether it is whole."""
    log, copied_log = _log(source), _log(target)
    done, quiet = None, False
    for _ in range(_TRIES):
        before = fingerprint(source), fingerprint(log)
        done = _plain(source, target, relative)
        if done is None or done.problem:
            return done
        copied_log.unlink(missing_ok=True)
        if before[1] is not None:
            _plain(log, copied_log, relative.with_name(log.name))
        quiet = (fingerprint(source), fingerprint(log)) == before
        if quiet:
            break
    if done is not None and not quiet:
        return Copied(done.size, f"{relative} was written to all the time: close it and run again")
    if relative.suffix != ".duckdb":
        return done
    problem = None
    try:
        connection = duckdb.connect(str(target), read_only=not copied_log.exists())
        try:
            if copied_log.exists():
                connection.execute("CHECKPOINT")
        finally:
            connection.close()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].replace(str(target), relative.name)
        if "No space left" in reason:
            raise
        problem = f"{relative} cannot be opened ({reason}); its bytes were copied"
    return Copied(target.stat().st_size, problem)


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def fingerprint(path: Path) -> Fingerprint:
    """Inode, size and modification time, by which a change is noticed; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _like(source: Path, target: Path) -> None:
    """Mode, times and, as root, owner of the source: the local store knows objects by their time.

    A copy that DuckDB or SQLite wrote itself has the source's time too.
    """
    try:
        found = source.stat()
        shutil.copystat(source, target)
        if os.geteuid() == 0:
            os.chown(target, found.st_uid, found.st_gid)
    except FileNotFoundError:
        pass  # removed meanwhile
