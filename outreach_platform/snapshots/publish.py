"""Publish a judged version: four Parquet files, a manifest, verified objects, a receipt.

Each step does nothing when its result already stands, so that a run killed anywhere is completed by
the next one. Nothing is read as published before its receipt stands, and the receipt comes last.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform import __version__
from outreach_platform.foundation.errors import IntegrityError, UsageError
from outreach_platform.foundation.lake import (
    FileRecord,
    place,
    read_record,
    sha256_of,
    write_record,
)
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.judgement import require_pass
from outreach_platform.snapshots.layout import (
    RAW_TABLES,
    TABLES,
    PullRecord,
    SplitRecord,
    StateFolder,
)
from outreach_platform.snapshots.pruned import refuse_pruned
from outreach_platform.snapshots.records import (
    Manifest,
    Numbered,
    ObjectRecord,
    Receipt,
    lost_manifest,
)

# The predecessor's name, which scripts filter on; also the audit rows' event_source.
PIPELINE = "state_duckdb_pipeline"
_WAIT_SECONDS = 60
# Ids grow with time, so the newest manifests hold the highest; recovery may finish an older version
# a few ids later.
_NEWEST = 20
_logger = logging.getLogger(__name__)


def export(folder: StateFolder, version: str, run_id: str) -> Manifest:
    """Place the four files at the contract's paths and write the manifest.

    Raises:
        StoppedError: the stored verdict is no explicit pass.
        IntegrityError: the version stands already with other content, or a file changed.
        UsageError: it was pruned.
    """
    refuse_pruned(folder, version)
    gates = require_pass(folder, version)
    if folder.receipt(version).exists() and not folder.manifest(version).exists():
        raise lost_manifest(folder, version)
    split = read_record(folder.split_record(version), SplitRecord)
    _refuse_other_content(folder, version, split)
    files = {}
    for table in TABLES:
        record = split.files[table]
        target = folder.export(version, table)
        place(folder.data_dir / record.path, target, record.sha256)
        path = target.relative_to(folder.data_dir).as_posix()
        files[table] = record.model_copy(update={"path": path})
    if folder.manifest(version).exists():
        return read_record(folder.manifest(version), Manifest)
    pulled = read_record(folder.pull_record(version), PullRecord)
    lock = folder.data_dir / "locks" / "snapshot_id.lock"
    with locked(lock, "the list of snapshots", run_id, _WAIT_SECONDS):
        manifest = _manifest(folder, pulled, split, gates, files, run_id)
        write_record(folder.manifest(version), manifest)
    return manifest


def upload(
    folder: StateFolder, version: str, store: ObjectStore, *, attempts: int = 4
) -> dict[str, ObjectRecord]:
    """Send the four files and then the manifest, each verified; what stands already is not sent.

    Returns:
        The objects by table name, the manifest's under `manifest`.

    Raises:
        StoppedError: the stored verdict is no explicit pass.
        StoreError: the store refuses, or another object stands under one of the keys.
        IntegrityError: an exported file is not the one in the manifest.
        UsageError: the version was not exported, or was pruned.
    """
    refuse_pruned(folder, version)
    require_pass(folder, version)
    manifest = _exported_manifest(folder, version)
    jobs = [
        (table, folder.object_key(version, table), folder.export(version, table))
        for table in TABLES
    ]
    jobs.append(("manifest", folder.manifest_key(version), folder.manifest(version)))
    sent = {}
    for table, key, path in jobs:
        sha256 = sha256_of(path)
        if table in manifest.files and sha256 != manifest.files[table].sha256:
            raise IntegrityError(
                f"{path} is not the file in its manifest: its checksum changed; restore it, or "
                "move it away and run again"
            )
        info = upload_once(
            store,
            key,
            path,
            object_metadata(folder.state, version, table),
            attempts=attempts,
            sha256=sha256,
        )
        sent[table] = ObjectRecord(key=info.key, url=info.url, size=info.size, sha256=sha256)
        _logger.info("%s %s: %s stands in the object store", folder.state, version, table)
    return sent


def taken_keys(folder: StateFolder, version: str, store: ObjectStore) -> list[str]:
    """Keys of the exported files under which the store holds another object.

    Raises:
        StoreError: the store cannot be asked.
    """
    manifest = read_record(folder.manifest(version), Manifest)
    wanted = {folder.object_key(version, t): file.sha256 for t, file in manifest.files.items()}
    wanted[folder.manifest_key(version)] = sha256_of(folder.manifest(version))
    return [
        key
        for key, sha256 in wanted.items()
        if (standing := store.head(key)) is not None and standing.sha256 != sha256
    ]


def confirm(
    folder: StateFolder, version: str, objects: dict[str, ObjectRecord], audit_id: int | None
) -> Receipt:
    """Write the receipt: from now on the version is published.

    Raises:
        IntegrityError: not all five objects were confirmed.
    """
    if set(objects) != {*TABLES, "manifest"}:
        raise IntegrityError(f"{folder.state} {version}: not all objects are confirmed")
    if folder.receipt(version).exists():
        return read_record(folder.receipt(version), Receipt)
    manifest = read_record(folder.manifest(version), Manifest)
    receipt = Receipt(
        version=version,
        state=folder.state,
        snapshot_id=manifest.snapshot_id,
        source=manifest.source,
        published_at=datetime.now(UTC),
        audit_id=audit_id,
        manifest_sha256=sha256_of(folder.manifest(version)),
        objects=objects,
    )
    write_record(folder.receipt(version), receipt)
    folder.outcome(version).unlink(missing_ok=True)
    return receipt


def withdraw(folder: StateFolder, version: str) -> list[Path]:
    """Remove the exported files and the manifest of a version that was never published.

    Raises:
        IntegrityError: it is published.
    """
    if folder.receipt(version).exists():
        raise IntegrityError(f"{folder.state} {version} is published and stays")
    paths = [folder.manifest(version), *(folder.export(version, table) for table in TABLES)]
    removed = [path for path in paths if path.exists()]
    for path in removed:
        path.unlink()
    return removed


def _refuse_other_content(folder: StateFolder, version: str, split: SplitRecord) -> None:
    if not folder.manifest(version).exists():
        return
    manifest = read_record(folder.manifest(version), Manifest)
    changed = [t for t in TABLES if manifest.files[t].sha256 != split.files[t].sha256]
    if changed:
        raise IntegrityError(
            f"{folder.state} {version} stands already with other content in {', '.join(changed)}: "
            "an exported version is never changed; run the state again for a new version"
        )


def _exported_manifest(folder: StateFolder, version: str) -> Manifest:
    if folder.manifest(version).exists():
        return read_record(folder.manifest(version), Manifest)
    if folder.receipt(version).exists():
        raise lost_manifest(folder, version)
    raise UsageError(
        f"{folder.state} {version} was not exported; run the steps in order, or "
        f"`outreach snapshot --state {folder.state}`"
    )


def _manifest(
    folder: StateFolder,
    pulled: PullRecord,
    split: SplitRecord,
    gates: GateRecord,
    files: dict[str, FileRecord],
    run_id: str,
) -> Manifest:
    return Manifest(
        version=pulled.version,
        state=folder.state,
        snapshot_id=_next_snapshot_id(folder.data_dir),
        partition=pulled.partition,
        run_id=run_id,
        source=pulled.source,
        created_at=datetime.now(UTC),
        pulled_at=pulled.pulled_at,
        counts={table: split.rows(table) for table in (*RAW_TABLES, *TABLES)},
        files=files,
        raw=split.raw,
        errors=split.errors,
        verdicts=gates.verdicts,
        overrides=gates.overrides,
        thresholds=gates.thresholds,
        rules_version=split.rules_version,
        code_version=__version__,
    )


def _next_snapshot_id(data_dir: Path) -> int:
    """One more than any state's records have; call it under the lock of the list of snapshots.

    Both records of a version are asked, in the form that every release can read: an id that a
    damaged or removed manifest held must not be given again.
    """
    highest = 0
    for state in STATES:
        folder = StateFolder(data_dir, state)
        paths = [
            *map(folder.manifest, folder.exported_versions()[-_NEWEST:]),
            *map(folder.receipt, folder.published_versions()[-_NEWEST:]),
        ]
        for path in paths:
            try:
                highest = max(highest, read_record(path, Numbered).snapshot_id)
            except (IntegrityError, FileNotFoundError):
                continue  # damaged, or withdrawn by another state's run just now
    return highest + 1


def object_metadata(state: str, version: str, table: str) -> dict[str, str]:
    """The metadata that every uploaded file carries."""
    return {
        "snapshot-version": version,
        "state": state,
        "table_name": table,
        "upload_timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "pipeline": PIPELINE,
    }


def place_again(folder: StateFolder, manifest: Manifest) -> list[str]:
    """Bring back exported files that someone removed, from the lake where it still has them.

    Returns:
        What is wrong with the others: paths, relative to the data folder, that are gone for good,
        or hold something else by their size.
    """
    wrong = []
    for table, record in manifest.files.items():
        target = folder.data_dir / record.path
        source = folder.table(manifest.version, table)
        if target.exists():
            if target.stat().st_size != record.size:
                wrong.append(f"{record.path} holds other content")
        elif source.exists() and sha256_of(source) == record.sha256:
            place(source, target, record.sha256)
            _logger.warning("%s was gone and is back from the lake", record.path)
        else:
            wrong.append(f"{record.path} is gone from disk")
    return wrong
