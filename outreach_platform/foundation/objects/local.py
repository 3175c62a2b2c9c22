"""An object store in a folder: the default where neither B2 nor S3 is configured.

Layout of one bucket, `root/bucket/`:

    KEY                          the object, under its key
    .metadata/A.d/B.d/C.json     checksum and metadata of the object `A/B/C`
    .incoming/                   unfinished writes, swept after a day

Keys never start with a dot, and in `.metadata` folders end in `.d` and files in `.json`, so nothing
collides. The sidecar is written before the object is renamed into place: a kill in between leaves
either no object (the upload is made again) or, when an object is being replaced, a sidecar that
does not match the object's size and modification time, which is noticed.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outreach_platform.foundation.errors import StoreError
from outreach_platform.foundation.objects.protocol import ObjectInfo, check_key, check_metadata
from outreach_platform.foundation.objects.streams import (
    CHUNK,
    HashingFile,
    digests,
    local_errors,
    new_part,
    rename,
    replacing,
    same_checksum,
)

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_STALE_SECONDS = 24 * 3600


class LocalStore:
    """Objects as plain files under `root/bucket`, so that any tool can read them."""

    def __init__(self, root: Path, bucket: str) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise StoreError(
                f"bucket name {bucket!r} is not usable: 2 to 63 letters, digits, dots and dashes"
            )
        self.bucket = bucket
        self._folder = root.resolve() / bucket

    def put(self, key: str, path: Path, metadata: Mapping[str, str], *, sha256: str) -> ObjectInfo:
        """See `ObjectStore.put`; the object appears under its key whole or not at all."""
        check_key(key)
        check_metadata(key, metadata)
        target = self._folder / key
        with local_errors(f"storing {key}"), new_part(self._incoming, target.stem) as part:
            _copy(path, part)
            same_checksum(str(path), sha256, part.sha256)
            status = part.seal()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write_sidecar(key, part, status, metadata)
            rename(part.path, target)
        stored = self.head(key)
        if stored is None:
            raise StoreError(f"{target} vanished right after it was stored: is somebody removing?")
        return stored

    def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`; an object without a matching sidecar is hashed anew."""
        check_key(key)
        with local_errors(f"looking up {key}"):
            status = _file_status(self._folder / key)
            if status is None:
                return None
            info = self._recorded(key, status)
            if info.sha256 is not None:
                return info
            actual = digests(self._folder / key, "sha256")[0]
            sidecar = self._read_sidecar(key)
            # A copy or restore of the folder keeps the bytes but not the times.
            metadata = sidecar["metadata"] if sidecar and sidecar["sha256"] == actual else {}
            return ObjectInfo(key, info.size, actual, metadata, info.url)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`; a checksum is given where the sidecar matches the object."""
        with local_errors(f"listing {prefix}"):
            keys = sorted(self._keys(prefix), key=str.encode)
        for key in keys:
            with local_errors(f"listing {key}"):
                status = _file_status(self._folder / key)
                if status is not None:
                    yield self._recorded(key, status)

    def get(self, key: str, path: Path) -> ObjectInfo:
        """See `ObjectStore.get`."""
        check_key(key)
        source = self._folder / key
        with local_errors(f"fetching {key} to {path}"):
            status = _file_status(source)
            if status is None:
                raise StoreError(f"{source} does not exist: run `outreach verify`, or upload it")
            sidecar = self._read_sidecar(key)
            with replacing(path) as part:
                _copy(source, part)
                same_checksum(str(source), sidecar["sha256"] if sidecar else None, part.sha256)
            metadata = sidecar["metadata"] if sidecar else {}
            return ObjectInfo(key, part.size, part.sha256, metadata, source.as_uri())

    def check(self) -> None:
        """Make the bucket's folder if need be, write to it, and sweep what kills left behind."""
        with local_errors(f"using the folder {self._folder}"):
            with new_part(self._incoming, "check") as part:
                part.write(b"check")
                part.seal()
            for leftover in self._incoming.iterdir():
                status = _file_status(leftover)
                if status and time.time() - status.st_mtime > _STALE_SECONDS:
                    leftover.unlink(missing_ok=True)

    @property
    def _incoming(self) -> Path:
        return self._folder / ".incoming"

    def _sidecar(self, key: str) -> Path:
        *folders, name = key.split("/")
        path = self._folder / ".metadata"
        return path.joinpath(*(f"{folder}.d" for folder in folders), f"{name}.json")

    def _write_sidecar(
        self, key: str, part: HashingFile, status: os.stat_result, metadata: Mapping[str, str]
    ) -> None:
        sidecar = {
            "key": key,
            "size": part.size,
            "sha256": part.sha256,
            "mtime_ns": status.st_mtime_ns,
            "metadata": dict(metadata),
        }
        with replacing(self._sidecar(key)) as file:
            file.write(json.dumps(sidecar, ensure_ascii=False, indent=1).encode())

    def _read_sidecar(self, key: str) -> dict[str, Any] | None:
        try:
            sidecar = json.loads(self._sidecar(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        wanted = {"key", "size", "sha256", "mtime_ns", "metadata"}
        return sidecar if isinstance(sidecar, dict) and wanted <= sidecar.keys() else None

    def _recorded(self, key: str, status: os.stat_result) -> ObjectInfo:
        """What the sidecar says, or size alone when it belongs to other bytes."""
        url = (self._folder / key).as_uri()
        sidecar = self._read_sidecar(key)
        seen = (status.st_size, status.st_mtime_ns)
        if sidecar is None or seen != (sidecar["size"], sidecar["mtime_ns"]):
            return ObjectInfo(key, status.st_size, None, {}, url)
        return ObjectInfo(key, status.st_size, sidecar["sha256"], sidecar["metadata"], url)

    def _keys(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        if ".." in folder.split("/"):
            raise StoreError(f"prefix {prefix!r} leaves the bucket: choose another one")
        for here, folders, names in os.walk(self._folder / folder):
            inside = Path(here).relative_to(self._folder).as_posix()
            if inside == ".":
                folders[:] = [name for name in folders if not name.startswith(".")]
                names = [name for name in names if not name.startswith(".")]
                inside = ""
            for name in names:
                key = f"{inside}/{name}" if inside else name
                if key.startswith(prefix):
                    yield key


def _copy(source: Path, part: HashingFile) -> None:
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            part.write(chunk)


def _file_status(path: Path) -> os.stat_result | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if path.is_file() else None
