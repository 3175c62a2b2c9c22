"""Files on their way in and out of a store: hashed while they stream, renamed when complete."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outreach_platform.foundation.errors import IntegrityError, StoreError
from outreach_platform.foundation.lake import sync_folder

CHUNK = 1 << 20
PART_SUFFIX = ".part"


class HashingFile:
    """A new file that knows the SHA-256 and size of what was written to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._file = path.open("xb")

    def write(self, data: bytes) -> int:
        """Append bytes."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Lower-case hex digest of everything written so far."""
        return self._digest.hexdigest()

    def seal(self) -> os.stat_result:
        """Bring the bytes to the disk and close; the status survives a rename."""
        self._file.flush()
        os.fsync(self._file.fileno())
        status = os.fstat(self._file.fileno())
        self._file.close()
        return status

    def discard(self) -> None:
        """Close and remove; nothing happens after a rename."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def new_part(folder: Path, name: str) -> Iterator[HashingFile]:
    """A temporary file in `folder`, removed at the end unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    # A hidden name of bounded length, so that any file name leaves room for it.
    part = HashingFile(folder / f".{name[:40]}.{uuid.uuid4().hex}{PART_SUFFIX}")
    try:
        yield part
    finally:
        part.discard()


@contextmanager
def replacing(path: Path) -> Iterator[HashingFile]:
    """A temporary file beside `path`, renamed over it when the block ends without an error."""
    with new_part(path.parent, path.stem) as part:
        yield part
        part.seal()
        rename(part.path, path)


def rename(source: Path, target: Path) -> None:
    """Rename over `target` and make the rename itself durable."""
    source.replace(target)
    sync_folder(target.parent)


def digests(path: Path, *algorithms: str) -> list[str]:
    """Lower-case hex digests of a file in one pass, in the order of `algorithms`."""
    hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            for digest in hashes:
                digest.update(chunk)
    return [digest.hexdigest() for digest in hashes]


def verified_digest(path: Path, sha256: str, algorithm: str) -> str:
    """The digest a store wants, of bytes that have the expected SHA-256.

    Raises:
        IntegrityError: the file does not have the checksum `sha256`.
    """
    actual, wanted = digests(path, "sha256", algorithm)
    same_checksum(str(path), sha256, actual)
    return wanted


def same_checksum(what: str, expected: str | None, actual: str) -> None:
    """Compare two SHA-256 digests; an unknown expectation passes.

    Raises:
        IntegrityError: they differ.
    """
    if expected is not None and expected != actual:
        raise IntegrityError(
            f"{what} has checksum {actual[:12]}… instead of {expected[:12]}…: its bytes were "
            "changed after they were recorded; restore it from another copy or write it again"
        )


@contextmanager
def local_errors(what: str) -> Iterator[None]:
    """Turn errors of the local disk into StoreError sentences.

    Args:
        what: what was being done, for example `fetching KEY to PATH`.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StoreError(
            f"{what} failed: {error.strerror or type(error).__name__}{where}; free space or give "
            "this user access, then run it again"
        ) from None
