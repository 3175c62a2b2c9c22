"""Uploads that can be repeated: nothing is sent twice, and no version overwrites another."""

import logging
from collections.abc import Mapping
from pathlib import Path

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from outreach_platform.foundation.errors import (
    IntegrityError,
    StoreError,
    StoreUnavailableError,
)
from outreach_platform.foundation.objects.protocol import (
    ObjectInfo,
    ObjectStore,
    check_key,
    check_metadata,
)
from outreach_platform.foundation.objects.streams import digests, local_errors

_log = logging.getLogger(__name__)
# Seconds between attempts: about 1, 2, 4, each plus up to one of jitter, never more than 30.
_WAIT = wait_exponential_jitter(initial=1, max=30, jitter=1)


def upload_once(
    store: ObjectStore,
    key: str,
    path: Path,
    metadata: Mapping[str, str],
    *,
    attempts: int = 4,
    overwrite: bool = False,
    sha256: str | None = None,
) -> ObjectInfo:
    """Make the file stand at the key, verified, whatever an earlier attempt left there.

    An object with the same checksum counts as done, and its metadata stay as they are; one that
    lacks entries, as after a copy by hand, is sent again.

    Args:
        store: where to.
        key: the object's key, see `check_key`.
        path: the file.
        metadata: see `check_metadata`.
        attempts: how often an unreachable store is tried, with exponential backoff and jitter.
        overwrite: replace a different object; only for keys that carry no version.
        sha256: the file's checksum when the caller knows it; computed otherwise.

    Returns:
        What the store holds, read back after the upload.

    Raises:
        StoreError: another object stands at the key, or the store refused; nothing was replaced.
        StoreUnavailableError: the store could not be reached in any attempt.
        IntegrityError: the store holds something else than was sent, or the file was changed.
    """
    check_key(key)
    check_metadata(key, metadata)
    with local_errors(f"reading {path}"):
        checksum = sha256 or digests(path, "sha256")[0]
        size = path.stat().st_size
    retrying = Retrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        stop=stop_after_attempt(max(1, attempts)),
        wait=_WAIT,
        before_sleep=before_sleep_log(_log, logging.WARNING),
        reraise=True,
    )
    # The whole of it is repeated: an upload whose answer was lost is found by the next `head`.
    return retrying(_attempt, store, key, path, metadata, checksum, size, overwrite)


def _attempt(
    store: ObjectStore,
    key: str,
    path: Path,
    metadata: Mapping[str, str],
    sha256: str,
    size: int,
    overwrite: bool,
) -> ObjectInfo:
    standing = store.head(key)
    if standing is not None and standing.sha256 == sha256:
        if metadata.keys() <= standing.metadata.keys():
            return standing
    elif standing is not None and not overwrite:
        raise StoreError(
            f"{standing.url} already holds another object (checksum "
            f"{(standing.sha256 or 'unknown')[:12]}, {standing.size} bytes): a version never "
            "overwrites another; make a new version, or remove that object if it is not wanted"
        )
    store.put(key, path, metadata, sha256=sha256)
    return _verified(store, key, path, metadata, sha256, size)


def _verified(
    store: ObjectStore,
    key: str,
    path: Path,
    metadata: Mapping[str, str],
    sha256: str,
    size: int,
) -> ObjectInfo:
    stored = store.head(key)
    if stored is None:
        raise StoreUnavailableError(
            f"{key} is not yet to be seen in {store.bucket} after its upload: try again"
        )
    differs = [
        name
        for name, same in {
            "size": stored.size == size,
            "checksum": stored.sha256 == sha256,
            "metadata": stored.metadata == dict(metadata),
        }.items()
        if not same
    ]
    if differs:
        raise IntegrityError(
            f"{stored.url} differs from {path} in {', '.join(differs)} right after the upload: "
            "is somebody else writing to this key? Look at the object, then upload again"
        )
    return stored
