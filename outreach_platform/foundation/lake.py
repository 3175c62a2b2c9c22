"""Files that are whole or not there: atomic writes, checksums, JSON records.

Everything is written under a temporary name in the folder where it will stand, flushed to disk and
renamed. A reader sees the old file or the new one. Which files there are is not said here.
"""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from outreach_platform.foundation.errors import IntegrityError, OutreachError

PARTIAL = ".partial"
_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR)


class Record(BaseModel):
    """A JSON document we write and read back: unknown keys are ignored, missing ones are errors."""

    model_config = ConfigDict(frozen=True, extra="ignore")


RecordT = TypeVar("RecordT", bound=Record)


class FileRecord(Record):
    """One file as it was written.

    Attributes:
        path: relative to the data folder, with forward slashes.
        rows: number of rows of a Parquet file.
        size: bytes.
        sha256: hex digest of the whole file.
    """

    path: str
    rows: int
    size: int
    sha256: str


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stands(data_dir: Path, record: FileRecord) -> bool:
    """Whether a file is there and is the one that was written."""
    path = data_dir / record.path
    return (
        path.is_file() and path.stat().st_size == record.size and sha256_of(path) == record.sha256
    )


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot; the rename stands all the same.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Flush a file's content to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn what the disk says of `target` and the files beside it into a sentence.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    try:
        yield
    except OSError as error:
        ours = error.filename is None or str(error.filename).startswith(str(target.parent))
        if error.errno in _FULL:
            reason = "the disk is full; free some space and run again, nothing was published"
        elif error.errno in _REFUSED and ours:
            reason = f"{error.strerror}; check who owns its folder and the disk's state, run again"
        else:
            raise
        raise OutreachError(f"{target} cannot be written: {reason}") from None


@contextmanager
def replacing(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `target`; at the end it is flushed and takes its place.

    Args:
        target: the file.
        durable: false leaves the flushing to the system, for files whose checksum is looked at
            before they are used and which can be made again.

    On an error the temporary file is removed and `target` stays as it was.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target)
        try:
            yield temporary
            if durable:
                sync_file(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(target.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target`; at the end, complete, it takes that name.

    Raises:
        FileExistsError: `target` is there already.
        OutreachError: the disk is full, or the folder refuses.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target)
        temporary.mkdir()
        try:
            yield temporary
            for path in temporary.rglob("*"):
                (sync_folder if path.is_dir() else sync_file)(path)
            sync_folder(temporary)
            if target.exists():
                raise FileExistsError(errno.EEXIST, "it is there already", str(target))
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(target.parent)


def _beside(target: Path) -> Path:
    """A name that no other writer takes, be it a thread of this process."""
    return target.with_name(f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{PARTIAL}")


def remove_partials(folder: Path) -> list[Path]:
    """Remove what interrupted writers left in `folder` and below; returns what was removed.

    Only call it while holding the lock that keeps other writers out.
    """
    if not folder.is_dir():
        return []
    left = [path for path in folder.rglob(f".*{PARTIAL}") if path.exists()]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return left


def place(source: Path, target: Path, sha256: str) -> None:
    """Let `target` be the file `source`, verified: a hard link where possible, else a copy.

    Does nothing when `target` already holds that content.

    Raises:
        IntegrityError: `source` is gone or not the file that `sha256` names, or another file
            stands at `target`.
        OutreachError: the disk is full, or the folder refuses.
    """
    if target.exists():
        if sha256_of(target) != sha256:
            raise IntegrityError(
                f"{target} holds other content than this version: a published file is never "
                "replaced; move it away to publish again"
            )
        return
    if not source.is_file():
        raise IntegrityError(f"{source} is gone; restore it, or run the state again")
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        if sha256_of(temporary) != sha256:
            raise IntegrityError(
                f"{source} is not the file that was judged: its checksum changed; run the state "
                "again"
            )


def write_record(path: Path, record: Record, *, durable: bool = True) -> None:
    """Write a record as JSON, atomically.

    Args:
        path: the file.
        record: what it says.
        durable: see `replacing`.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_record(path: Path, kind: type[RecordT]) -> RecordT:
    """Read a record back.

    Raises:
        FileNotFoundError: it is not there.
        IntegrityError: it cannot be read, is no such record, or one of another release.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IntegrityError(
            f"{path} cannot be read: {error.strerror}; check who owns it and run again"
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise IntegrityError(
            f"{path} is damaged or of another release ({where}: {first['msg']}); move it away, or "
            "restore it from a backup"
        ) from None


def find_record(path: Path, kind: type[RecordT]) -> RecordT | None:
    """Read a record back, None where it is not there or cannot be read."""
    try:
        return read_record(path, kind)
    except (FileNotFoundError, IntegrityError):
        return None
