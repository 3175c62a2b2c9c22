"""A published version back from the object store: staged, verified, then put where it belongs.

Killed anywhere, the next call finishes: what stands intact is left alone, staged files are swept.
What verifies and only tells is `verify.py`.
"""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform.foundation.errors import IntegrityError, UsageError
from outreach_platform.foundation.lake import (
    PARTIAL,
    Record,
    find_record,
    remove_partials,
    sha256_of,
    stands,
    sync_folder,
    write_record,
    writing,
)
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import RAW_TABLES, TABLES, StateFolder
from outreach_platform.snapshots.pruned import BroughtBack, is_pruned
from outreach_platform.snapshots.records import Manifest, Numbered, Receipt
from outreach_platform.snapshots.stored import (
    MANIFEST,
    fetch,
    is_file,
    receipt_of,
    require_version,
    staged_name,
    stored_manifest,
)

_WAIT_SECONDS = 60
_logger = logging.getLogger(__name__)


class Restored(Record):
    """What a restore did.

    Attributes:
        folder: the folder under which the version stands in the export layout.
        put_back: paths relative to it; empty where everything was intact.
        kept_aside: damaged files under their new names, relative to it.
        notes: what the reader should know besides, one sentence each.
    """

    state: str
    version: str
    folder: str
    put_back: list[str]
    kept_aside: list[str]
    notes: list[str]


@dataclass
class _Done:
    put_back: list[str] = field(default_factory=list)
    kept_aside: list[str] = field(default_factory=list)


def restore_to(folder: StateFolder, version: str, store: ObjectStore, target: Path) -> Restored:
    """Write a version into another folder, in the export layout, and change nothing else.

    Raises:
        UsageError: the folder is the data folder or inside it, or no such version.
        IntegrityError: what the store holds is not the version, or another file is in the way.
        StoreError: the store cannot be asked, or an object is gone.
    """
    target = target.expanduser().resolve()
    if target.is_relative_to(folder.data_dir):
        raise UsageError(
            f"{target} is inside the data folder: leave out --to to put the version back there, or "
            "name a folder elsewhere"
        )
    require_version(folder, version, store)
    receipt = find_record(folder.receipt(version), Receipt)
    there = StateFolder(target, folder.state)
    with _staging(there, version) as staged:
        manifest = stored_manifest(folder, version, store, receipt, staged / "manifest.json")
        wanted = _wanted(there, version, manifest, sha256_of(staged / "manifest.json"))
        strange = [
            path for path, sha256 in wanted.values() if path.exists() and not is_file(path, sha256)
        ]
        if strange:
            raise IntegrityError(
                f"{strange[0]} is there with other content: name another folder for --to"
            )
        missing = [name for name, (path, _) in wanted.items() if not path.exists()]
        fetch(folder, manifest, store, staged, [name for name in missing if name != MANIFEST])
        done = _Done()
        for name in missing:
            _put(target, staged / staged_name(name), wanted[name][0], done)
    return Restored(
        state=folder.state,
        version=version,
        folder=str(target),
        put_back=done.put_back,
        kept_aside=[],
        notes=[],
    )


def restore(folder: StateFolder, version: str, store: ObjectStore, owner: str) -> Restored:
    """Put back what of a published version is missing or damaged; call it under the state's lock.

    Rebuild the workbench afterwards.

    Args:
        folder: the state.
        version: which.
        store: where the objects are.
        owner: who asks, for the lock's message.

    Raises:
        UsageError: no such version, or one that was never published.
        IntegrityError: what the store holds is not the version that was published.
        StoreError: the store cannot be asked, or an object is gone.
    """
    require_version(folder, version, store)
    _refuse_unpublished(folder, version)
    remove_partials(folder.exports)
    receipt = find_record(folder.receipt(version), Receipt)
    done, notes = _Done(), []
    with _staging(folder, version) as staged:
        manifest, sha256 = _manifest(folder, version, store, receipt, staged / "manifest.json")
        wanted = _wanted(folder, version, manifest, sha256)
        broken = [name for name, (path, digest) in wanted.items() if not is_file(path, digest)]
        fetch(folder, manifest, store, staged, [name for name in broken if name != MANIFEST])
        if receipt is None:
            # Before the manifest: a manifest alone would read as a version never published.
            new = receipt_of(folder, manifest, store, sha256)
            _write_receipt(folder, manifest, new, owner, done)
            notes.append("its receipt was written anew, without the number of its audit row")
        for name in broken:
            _put(folder.data_dir, staged / staged_name(name), wanted[name][0], done)
    if is_pruned(folder, version):
        _bring_back(folder, version, owner)
        notes.append("it had been pruned; the days of snapshot_days count from now on")
    if folder.outcome(version).exists():
        folder.outcome(version).unlink(missing_ok=True)
        notes.append("a later run had recorded it as given up, because its records were lost")
    _mend_lake(folder, manifest)
    if gone := [t for t in RAW_TABLES if not stands(folder.data_dir, manifest.raw[t])]:
        notes.append(f"{', '.join(gone)}: raw rows are not in the object store and stay away")
    for path in done.put_back:
        _logger.warning("%s is back from the object store", path)
    return Restored(
        state=folder.state,
        version=version,
        folder=str(folder.data_dir),
        put_back=done.put_back,
        kept_aside=done.kept_aside,
        notes=notes,
    )


def _bring_back(folder: StateFolder, version: str, run_id: str) -> None:
    """Take the mark of a pruned version away, once its files stand; the next pruning spares it."""
    back = BroughtBack(version=version, at=datetime.now(UTC), run_id=run_id)
    write_record(folder.restored(version), back)
    folder.pruned(version).unlink()


def _refuse_unpublished(folder: StateFolder, version: str) -> None:
    if folder.manifest(version).exists() and not folder.receipt(version).exists():
        raise UsageError(
            f"{folder.state} {version} was exported and never published: the next run of the state "
            "finishes or gives it up; `--to FOLDER` fetches what the store holds of it"
        )


def _write_receipt(
    folder: StateFolder, manifest: Manifest, receipt: Receipt, owner: str, done: _Done
) -> None:
    path, lock = folder.receipt(receipt.version), folder.data_dir / "locks" / "snapshot_id.lock"
    with locked(lock, "the list of snapshots", owner, _WAIT_SECONDS):
        _refuse_taken_id(folder, manifest)
        _keep_aside(folder.data_dir, path, done)
        write_record(path, receipt)
    done.put_back.append(path.relative_to(folder.data_dir).as_posix())


def _refuse_taken_id(folder: StateFolder, manifest: Manifest) -> None:
    """A version of a lost folder may bear a number that was given again since."""
    for state in STATES:
        other = StateFolder(folder.data_dir, state)
        for version in {*other.published_versions(), *other.exported_versions()}:
            if (state, version) == (folder.state, manifest.version):
                continue
            records = (
                find_record(path, Numbered)
                for path in (other.manifest(version), other.receipt(version))
            )
            if any(r is not None and r.snapshot_id == manifest.snapshot_id for r in records):
                raise IntegrityError(
                    f"{folder.state} {manifest.version} has the number {manifest.snapshot_id}, "
                    f"which {state} {version} got since: fetch it into a folder of its own "
                    "with --to FOLDER"
                )


def _manifest(
    folder: StateFolder, version: str, store: ObjectStore, receipt: Receipt | None, staged: Path
) -> tuple[Manifest, str]:
    """The manifest and its checksum: the local one where it is intact, else the store's."""
    path = folder.manifest(version)
    own = find_record(path, Manifest)
    if own is not None and receipt is not None and is_file(path, receipt.manifest_sha256):
        return own, receipt.manifest_sha256
    manifest = stored_manifest(folder, version, store, receipt, staged)
    return manifest, sha256_of(staged)


def _wanted(
    folder: StateFolder, version: str, manifest: Manifest, sha256: str
) -> dict[str, tuple[Path, str]]:
    """Where each of the five files belongs, and its checksum; the manifest comes last."""
    files = {t: (folder.export(version, t), manifest.files[t].sha256) for t in TABLES}
    return {**files, MANIFEST: (folder.manifest(version), sha256)}


@contextmanager
def _staging(folder: StateFolder, version: str) -> Iterator[Path]:
    """A folder on the same disk, removed at the end; a killed one is swept with partial files."""
    name = f".restore-{version}.{os.getpid()}-{uuid.uuid4().hex[:8]}{PARTIAL}"
    staged = folder.exports / name
    with writing(staged):
        staged.mkdir(parents=True)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        with suppress(OSError):  # of a restore that brought nothing
            folder.exports.rmdir()
            folder.exports.parent.rmdir()


def _put(root: Path, staged: Path, target: Path, done: _Done) -> None:
    """Move a verified file into its place; what stands there damaged gets another name first."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _keep_aside(root, target, done)
        staged.replace(target)
        sync_folder(target.parent)
    done.put_back.append(target.relative_to(root).as_posix())


def _keep_aside(root: Path, path: Path, done: _Done) -> None:
    if not os.path.lexists(path):
        return
    number, aside = 1, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    # A second name, so that a kill before the replacement leaves no gap.
    try:
        os.link(path, aside)
    except OSError:
        path.rename(aside)
    done.kept_aside.append(aside.relative_to(root).as_posix())


def _mend_lake(folder: StateFolder, manifest: Manifest) -> None:
    """Let the lake's copies be the restored files where they are others: they were one file."""
    for table, record in manifest.files.items():
        path, source = folder.table(manifest.version, table), folder.export(manifest.version, table)
        if not path.exists() or is_file(path, record.sha256):
            continue
        linked = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
        linked.unlink(missing_ok=True)
        try:
            os.link(source, linked)
        except OSError:
            shutil.copyfile(source, linked)
        linked.replace(path)
