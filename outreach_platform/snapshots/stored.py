"""What the object store holds of a version: which there are, fetched and verified."""

from pathlib import Path

import duckdb
from pydantic import ValidationError

from outreach_platform.foundation.errors import IntegrityError, StoreError, UsageError
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.verification import footer_rows
from outreach_platform.snapshots.layout import RAW_TABLES, TABLES, StateFolder
from outreach_platform.snapshots.records import Manifest, ObjectRecord, Receipt

MANIFEST = "manifest"
_SHOWN = 10


def known_versions(folder: StateFolder, store: ObjectStore) -> list[str]:
    """Versions that stand published on disk, or with a manifest in the store; oldest first.

    Raises:
        StoreError: the store cannot be asked.
    """
    prefix = folder.manifest_key("")[: -len(".json")]
    stored = {Path(info.key).stem for info in store.list(prefix) if info.key.endswith(".json")}
    return sorted({*stored, *folder.published_versions()})


def require_version(folder: StateFolder, version: str, store: ObjectStore) -> None:
    """Refuse a version that neither disk nor store knows.

    Raises:
        UsageError: no such version; the message names the ones there are.
        StoreError: the store cannot be asked.
    """
    if version in folder.published_versions():
        return
    found = known_versions(folder, store)
    if version in found:
        return
    newest = ", ".join(reversed(found[-_SHOWN:])) or "none"
    raise UsageError(
        f"{folder.state} has no version {version}: choose one of {newest}"
        + (f" or of {len(found) - _SHOWN} older ones" if len(found) > _SHOWN else "")
    )


def stored_manifest(
    folder: StateFolder, version: str, store: ObjectStore, receipt: Receipt | None, staged: Path
) -> Manifest:
    """Fetch the store's manifest, and refuse one that is not of this version.

    Its paths decide where files are written, so they have to be the ones of the layout.
    """
    key = folder.manifest_key(version)
    store.get(key, staged)
    if receipt is not None and not is_file(staged, receipt.manifest_sha256):
        raise IntegrityError(
            f"{key} in the object store is not the manifest under which {version} was published; "
            "look who wrote it, nothing was restored"
        )
    try:
        manifest = Manifest.model_validate_json(staged.read_bytes())
    except ValidationError:
        raise IntegrityError(
            f"{key} in the object store is no manifest, or one of another release; nothing was "
            "restored"
        ) from None
    paths = {t: folder.export(version, t) for t in TABLES}
    raw = {t: folder.table(version, t) for t in RAW_TABLES}
    same = all(
        {t: file.path for t, file in files.items()}
        == {t: path.relative_to(folder.data_dir).as_posix() for t, path in own.items()}
        for files, own in ((manifest.files, paths), (manifest.raw, raw))
    )
    counted = {*manifest.counts} == {*TABLES, *RAW_TABLES}
    if (manifest.version, manifest.state) != (version, folder.state) or not (same and counted):
        raise IntegrityError(
            f"{key} in the object store speaks of another version or of other files; nothing was "
            "restored"
        )
    return manifest


def staged_name(name: str) -> str:
    """The name of a file while it is staged."""
    return "manifest.json" if name == MANIFEST else f"{name}.parquet"


def fetch(
    folder: StateFolder, manifest: Manifest, store: ObjectStore, staged: Path, tables: list[str]
) -> None:
    """Bring the tables into the staging folder, each the one in the manifest."""
    for table in tables:
        key, path = folder.object_key(manifest.version, table), staged / staged_name(table)
        store.get(key, path)
        record = manifest.files[table]
        if not is_file(path, record.sha256) or _rows(path) != record.rows:
            raise IntegrityError(
                f"{key} in the object store is not the file in the manifest of "
                f"{manifest.version}: somebody replaced it; nothing was restored"
            )


def receipt_of(folder: StateFolder, manifest: Manifest, store: ObjectStore, sha256: str) -> Receipt:
    """The receipt of a version whose own is lost, from what the store confirms now."""
    version = manifest.version
    wanted = {
        **{t: (folder.object_key(version, t), manifest.files[t].sha256) for t in TABLES},
        MANIFEST: (folder.manifest_key(version), sha256),
    }
    objects = {}
    for name, (key, digest) in wanted.items():
        info = store.head(key)
        if info is None or info.sha256 != digest:
            raise StoreError(
                f"{key} is gone from the object store or holds other content: the version cannot "
                "be called published; nothing was restored"
            )
        objects[name] = ObjectRecord(key=key, url=info.url, size=info.size, sha256=digest)
    return Receipt(
        version=version,
        state=folder.state,
        snapshot_id=manifest.snapshot_id,
        source=manifest.source,
        published_at=manifest.created_at,
        audit_id=None,
        manifest_sha256=sha256,
        objects=objects,
    )


def is_file(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this checksum."""
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def _rows(path: Path) -> int | None:
    try:
        return footer_rows(path)
    except duckdb.Error:
        return None
