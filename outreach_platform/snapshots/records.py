"""What a published version says of itself: its manifest and its receipt."""

from collections.abc import Iterator
from datetime import date, datetime

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import FileRecord, Record, read_record, sha256_of
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.gates import Baseline, Override, Verdict
from outreach_platform.snapshots.layout import StateFolder

EMBEDDED = "embedded"


class Manifest(Record):
    """`exports/{STATE}/manifests/{version}.json`: written after the four files, before the upload.

    Attributes:
        snapshot_id: the row's id in `snapshots`, unique over all states.
        counts: rows of all six tables.
        files: the four exported files by table name.
        raw: the raw files the version was made from.
        errors: rows by entity and error code.
        source: `embedded`, or host and database.
    """

    version: str
    state: str
    snapshot_id: int
    partition: date
    run_id: str
    source: str
    created_at: datetime
    pulled_at: datetime
    counts: dict[str, int]
    files: dict[str, FileRecord]
    raw: dict[str, FileRecord]
    errors: dict[str, dict[str, int]]
    verdicts: list[Verdict]
    overrides: list[Override]
    thresholds: GateThresholds
    rules_version: str
    code_version: str


class Numbered(Record):
    """What every release's manifests and receipts say."""

    snapshot_id: int


class ObjectRecord(Record):
    """One object as the store confirmed it."""

    key: str
    url: str
    size: int
    sha256: str


class Receipt(Record):
    """`exports/{STATE}/receipts/{version}.json`: the version is published. Written last of all."""

    version: str
    state: str
    snapshot_id: int
    source: str
    published_at: datetime
    audit_id: int | None
    manifest_sha256: str
    objects: dict[str, ObjectRecord]


def read_published(folder: StateFolder, version: str) -> tuple[Manifest, Receipt]:
    """The records of a published version.

    Raises:
        IntegrityError: one of them is gone or damaged, or they do not belong together.
    """
    receipt = read_record(folder.receipt(version), Receipt)
    path = folder.manifest(version)
    if not path.exists():
        raise lost_manifest(folder, version)
    manifest = read_record(path, Manifest)
    if sha256_of(path) != receipt.manifest_sha256:
        raise IntegrityError(
            f"{path} is not the one under which {version} was published; "
            f"{_restore(folder, version)}"
        )
    return manifest, receipt


def lost_manifest(folder: StateFolder, version: str) -> IntegrityError:
    """The error for a published version without its manifest: a new one would be another."""
    return IntegrityError(
        f"{folder.state} {version} is published but its manifest is gone; "
        f"{_restore(folder, version)}"
    )


def _restore(folder: StateFolder, version: str) -> str:
    return f"`outreach restore --state {folder.state} --version {version}` brings it back"


def survey(folder: StateFolder) -> tuple[list[tuple[Manifest, Receipt]], list[str]]:
    """Records of the state's published versions, oldest first, and what is wrong with the others.

    A version whose records are damaged is left out, so that it harms no other.

    Returns:
        The pairs, and one sentence for each version that was left out.
    """
    found, problems = [], []
    for version in folder.published_versions():
        try:
            found.append(read_published(folder, version))
        except IntegrityError as error:
            problems.append(str(error))
    return found, problems


def published(folder: StateFolder) -> list[Manifest]:
    """Manifests of the state's published versions, oldest first; unreadable ones are left out."""
    return [manifest for manifest, _ in survey(folder)[0]]


def _published_newest_first(folder: StateFolder) -> Iterator[Manifest]:
    for version in reversed(folder.published_versions()):
        try:
            yield read_published(folder, version)[0]
        except IntegrityError:
            continue


def baseline_of(folder: StateFolder, version: str, source: str) -> Baseline | None:
    """K2's baseline: the newest published version before `version`.

    Sample data is no baseline for a configured database, nor the other way round.
    """
    newest = next(
        (
            manifest
            for manifest in _published_newest_first(folder)
            if manifest.version < version and (manifest.source == EMBEDDED) == (source == EMBEDDED)
        ),
        None,
    )
    if newest is None:
        return None
    return Baseline(
        version=newest.version,
        companies=newest.counts["companies_raw"],
        people=newest.counts["people_raw"],
    )
