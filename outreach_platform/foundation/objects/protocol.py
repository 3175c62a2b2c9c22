"""What every object store can do, and which keys and metadata all of them accept.

A key or metadata that one store could not keep is refused by all of them, so that a snapshot that
went to the local folder goes to B2 or S3 unchanged. What is not here: how an upload is made
idempotent and retried (`upload.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from outreach_platform.foundation.errors import StoreError

SHA256_NAME = "sha256"  # the entry that carries our checksum, beside the caller's metadata
# B2 keeps ten entries; one is our checksum, one the SHA1 that its SDK adds to large files.
MAX_METADATA_ENTRIES = 8
# S3 counts 2 KB; B2 buckets with encryption or file lock 2,048 bytes, other headers included.
MAX_METADATA_BYTES = 1_536
_MAX_KEY_BYTES = 1_024
_MAX_SEGMENT_BYTES = 240  # B2 takes 250; the local sidecar's name is longer and must fit into 255
# S3 and HTTP/2 proxies lower the names.
_METADATA_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_SDK_NAMES = frozenset({SHA256_NAME, "large_file_sha1", "plan_id", "src_last_modified_millis"})


@dataclass(frozen=True)
class ObjectInfo:
    """What a store says stands at a key.

    Attributes:
        key: the object's name inside the bucket, segments joined by `/`.
        size: bytes.
        sha256: lower-case hex digest recorded at upload; None when the object carries none, or when
            a listing does not give it.
        metadata: the entries given at upload, without the checksum; empty when a listing does not
            give them.
        url: where it is, for audit rows: `file://`, the bucket's download address, or `s3://`.
    """

    key: str
    size: int
    sha256: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    url: str = ""


class ObjectStore(Protocol):
    """One bucket of one store.

    All methods raise StoreUnavailableError when the store cannot be reached and the same call may
    succeed later, and StoreError when it refuses: missing bucket, no permission, unusable key.
    """

    bucket: str

    def put(self, key: str, path: Path, metadata: Mapping[str, str], *, sha256: str) -> ObjectInfo:
        """Send a file, replacing what stands at the key, and return what the store then holds.

        Args:
            key: see `check_key`.
            path: the file; it is streamed, never held in memory.
            metadata: see `check_metadata`.
            sha256: the file's checksum, compared with its bytes before they are sent.

        Raises:
            IntegrityError: the file's bytes do not have this checksum.
        """
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """What stands at the key, with checksum and metadata; None when nothing does."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects whose keys start with `prefix`, in key order; key, size and url at least."""
        ...

    def get(self, key: str, path: Path) -> ObjectInfo:
        """Fetch into a temporary file, verify, then rename over `path`.

        Raises:
            StoreError: nothing stands at the key, or `path` cannot be written.
            IntegrityError: the bytes do not have the recorded checksum; `path` is untouched.
        """
        ...

    def check(self) -> None:
        """Raise StoreError, saying what to do, unless the bucket is there and may be used."""
        ...


def check_key(key: str) -> None:
    """Refuse keys that some store could not keep or that leave the local folder.

    Raises:
        StoreError: empty, longer than 1,024 bytes, absolute, `//`, a segment `.` or `..` or longer
            than 240 bytes, a leading dot (reserved for the local store's own files), backslashes or
            control characters.
    """
    problem = _key_problem(key)
    if problem:
        raise StoreError(f"object key {key!r} {problem}: choose another key")


def _key_problem(key: str) -> str | None:
    if not _is_text(key):
        return "is no valid text"
    segments = key.split("/")
    if not key or len(key.encode()) > _MAX_KEY_BYTES:
        return f"must have 1 to {_MAX_KEY_BYTES} bytes"
    if "" in segments:
        return "has an empty segment, or starts or ends with /"
    if not {".", ".."}.isdisjoint(segments):
        return "has a segment . or .."
    if key.startswith("."):
        return "starts with a dot, which is reserved"
    if any(len(segment.encode()) > _MAX_SEGMENT_BYTES for segment in segments):
        return f"has a segment of more than {_MAX_SEGMENT_BYTES} bytes"
    if "\\" in key or any(ord(char) < 32 or ord(char) == 127 for char in key):
        return "has a backslash or a control character"
    return None


def _is_text(value: str) -> bool:
    # Undecodable file names come as lone surrogates, which no store can keep.
    return not any("\ud800" <= char <= "\udfff" for char in value)


def check_metadata(key: str, metadata: Mapping[str, str]) -> None:
    """Refuse metadata that some store could not keep.

    Raises:
        StoreError: more than 8 entries or 1,536 bytes of them (values as UTF-8, percent-encoded),
            a name that is no short lower-case word or is reserved, an empty value.
    """
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name) or name in _SDK_NAMES or name.startswith("b2-"):
            raise StoreError(
                f"{key}: metadata name {name!r} is reserved, or not made of a-z, 0-9, _ and -: "
                "choose another"
            )
        if not value or value != value.strip() or not _is_text(value):
            raise StoreError(
                f"{key}: metadata {name} is empty, padded or no valid text: correct it"
            )
    if len(metadata) > MAX_METADATA_ENTRIES:
        raise StoreError(
            f"{key}: {len(metadata)} metadata entries, but B2 leaves room for "
            f"{MAX_METADATA_ENTRIES}: drop some"
        )
    total = sum(len(name) + len(encode_value(value)) for name, value in metadata.items())
    if total > MAX_METADATA_BYTES:
        raise StoreError(
            f"{key}: metadata of {total} bytes, at most {MAX_METADATA_BYTES} fit: shorten it"
        )


def encode_value(value: str) -> str:
    """Percent-encode all but the printable ASCII characters other than % and blank."""
    return quote(value, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}")


def own_metadata(entries: Mapping[str, str]) -> dict[str, str]:
    """The caller's entries among those that a store returns, by lower-case name."""
    lowered = {name.lower(): value for name, value in entries.items()}
    return {
        name: value
        for name, value in lowered.items()
        if name not in _SDK_NAMES and not name.startswith("b2-")
    }
