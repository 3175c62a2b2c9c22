"""Objects that the store lost, sent again from the files of the published version on disk."""

from pathlib import Path

from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.publish import object_metadata
from outreach_platform.snapshots.records import Receipt
from outreach_platform.snapshots.stored import MANIFEST, is_file


def send_missing(
    folder: StateFolder, version: str, store: ObjectStore, *, attempts: int = 4
) -> list[str]:
    """Send what of a published version the store lacks; call it under the state's lock.

    Only a file with the checksum of the receipt is sent, and an object that stands is never
    replaced: who holds other content there has to be found out first.

    Args:
        folder: the state.
        version: a published one; without its receipt nothing is known to be missing.
        store: where to.
        attempts: how often an unreachable store is tried.

    Returns:
        The keys that were sent.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    receipt = find_record(folder.receipt(version), Receipt)
    if receipt is None:
        return []
    sent = []
    for name, record in receipt.objects.items():
        if store.head(record.key) is not None:
            continue
        paths = _local(folder, version, name)
        path = next((path for path in paths if is_file(path, record.sha256)), None)
        if path is not None:
            metadata = object_metadata(folder.state, version, name)
            upload_once(store, record.key, path, metadata, attempts=attempts, sha256=record.sha256)
            sent.append(record.key)
    return sent


def _local(folder: StateFolder, version: str, name: str) -> list[Path]:
    """Where the file may stand; the lake has the published one's twin."""
    if name == MANIFEST:
        return [folder.manifest(version)]
    return [folder.export(version, name), folder.table(version, name)]
