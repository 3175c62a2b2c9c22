"""Published versions against disk and object store. Nothing is changed (`restore.py` mends)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outreach_platform.foundation.errors import IntegrityError, StoreError
from outreach_platform.foundation.lake import FileRecord, find_record, sha256_of
from outreach_platform.foundation.objects.comparison import object_problem
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.verification import VersionCheck, file_problem
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform.snapshots.pruned import is_pruned
from outreach_platform.snapshots.records import Manifest, Receipt, read_published


@dataclass
class StoreWatch:
    """The object store, until it cannot be asked: then disk alone is verified.

    Attributes:
        store: the bucket.
        problem: why it is not asked any more.
    """

    store: ObjectStore
    problem: str | None = field(default=None)

    def problems(self, key: str, sha256: str, size: int | None) -> list[str]:
        """What is wrong with one object; nothing where the store cannot be asked."""
        if self.problem is not None:
            return []
        try:
            problem = object_problem(self.store, key, sha256, size)
        except StoreError as error:
            self.problem = str(error)
            return []
        return [problem] if problem else []


def verify_state(folder: StateFolder, watch: StoreWatch) -> Iterator[VersionCheck]:
    """Check every published version of a state, oldest first."""
    for version in folder.published_versions():
        yield verify_version(folder, version, watch)


def verify_version(folder: StateFolder, version: str, watch: StoreWatch) -> VersionCheck:
    """Check one published version; what one of its two records lost, the other one may still say.

    Raw rows are not looked at: they are no part of what was published. Files that were removed on
    purpose are no damage; the store is asked for them all the same.
    """
    disk = []
    try:
        read_published(folder, version)
    except FileNotFoundError:
        disk.append(f"{folder.receipt(version)} is gone")
    except IntegrityError as error:
        disk.append(str(error))
    manifest = find_record(folder.manifest(version), Manifest)
    receipt = find_record(folder.receipt(version), Receipt)
    # Before and after: a pruning or a restore may be at work meanwhile.
    pruned, files = is_pruned(folder, version), _on_disk(folder, version, manifest, receipt)
    pruned = pruned or is_pruned(folder, version)
    disk += [] if pruned else files
    found = [
        problem
        for key, sha256, size in _objects(folder, version, manifest, receipt)
        for problem in watch.problems(key, sha256, size)
    ]
    return VersionCheck(
        subject=folder.state,
        version=version,
        disk="damaged" if disk else "pruned" if pruned else "intact",
        store="damaged" if found else "intact" if watch.problem is None else "not asked",
        problems=[*disk, *found],
    )


def _on_disk(
    folder: StateFolder, version: str, manifest: Manifest | None, receipt: Receipt | None
) -> list[str]:
    if manifest is not None:
        missing = [
            f"its manifest has no {table}" for table in TABLES if table not in manifest.files
        ]
        found = (file_problem(folder.data_dir, file) for file in manifest.files.values())
        return [*missing, *(problem for problem in found if problem)]
    if receipt is None:
        return []
    return [
        f"{path.relative_to(folder.data_dir)} is gone or holds other content than was uploaded"
        for table in TABLES
        if table in receipt.objects
        and not _is(path := folder.export(version, table), receipt.objects[table].sha256)
    ]


def _is(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def _objects(
    folder: StateFolder, version: str, manifest: Manifest | None, receipt: Receipt | None
) -> list[tuple[str, str, int | None]]:
    """(key, checksum, bytes) of what the store should hold."""
    if receipt is not None:
        return [(o.key, o.sha256, o.size) for o in receipt.objects.values()]
    if manifest is None:
        return []
    wanted: dict[str, FileRecord] = manifest.files
    return [(folder.object_key(version, t), f.sha256, f.size) for t, f in wanted.items()]
