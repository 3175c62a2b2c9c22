"""Figures of the snapshots: every version's counts, what the kill switches said, error codes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import RecordT, read_record
from outreach_platform.settings import Settings
from outreach_platform.snapshots.gates import GateRecord, Verdict
from outreach_platform.snapshots.layout import Outcome, SplitRecord, StateFolder
from outreach_platform.snapshots.records import EMBEDDED, Manifest, survey

TABLES = ("companies_good", "companies_bad", "people_good", "people_bad")


@dataclass(frozen=True)
class Version:
    """One version of a state.

    Attributes:
        status: published, stopped or failed.
        counts: rows by table of `TABLES`; empty where the version was not split.
        errors: rows by entity and error code; a row counts under each of its codes.
    """

    version: str
    at: datetime
    status: str
    counts: dict[str, int]
    errors: dict[str, dict[str, int]]

    @property
    def day(self) -> date:
        """Its UTC day."""
        return self.at.date()

    @property
    def bad_share(self) -> float | None:
        """Bad companies as a fraction of all; None without any."""
        bad = self.counts.get("companies_bad", 0)
        companies = bad + self.counts.get("companies_good", 0)
        return bad / companies if companies else None


@dataclass(frozen=True)
class Trip:
    """A kill switch that triggered, whether it stopped the version or an override let it pass.

    Attributes:
        measured: a fraction for K1 and K2, a number of ids for K3.
        until: last day of the override, None where the switch stopped the version.
        reason: of the override, in somebody's own words; who gave it is in the audit log.
    """

    state: str
    version: str
    at: datetime
    switch: str
    measured: float | None
    limit: float
    until: date | None
    reason: str | None

    @property
    def overridden(self) -> bool:
        """Whether an override let it pass."""
        return self.until is not None


@dataclass(frozen=True)
class StateFigures:
    """One state.

    Attributes:
        versions: oldest first.
        trips: oldest first.
        bad_limit: K1's limit as settings have it now.
        sample: whether the newest published version was made from sample data.
        unreadable: one sentence for each record that could not be read.
    """

    state: str
    versions: list[Version]
    trips: list[Trip]
    bad_limit: float
    sample: bool = False
    unreadable: list[str] = field(default_factory=list)

    @property
    def published(self) -> list[Version]:
        """Published versions, oldest first."""
        return [version for version in self.versions if version.status == "published"]

    @property
    def newest(self) -> Version | None:
        """The newest version that has counts, whatever its verdict."""
        return next((version for version in reversed(self.versions) if version.counts), None)


def state_figures(settings: Settings, state: str) -> StateFigures:
    """Read one state's records; a damaged one is named and left out."""
    folder = StateFolder(settings.data_dir, state)
    found, unreadable = survey(folder)
    manifests = [manifest for manifest, _ in found]
    versions = [_published(manifest) for manifest in manifests]
    trips = [trip for manifest in manifests for trip in _trips(manifest, manifest.verdicts)]
    for version in _unpublished(folder):
        try:
            gates = _read(folder.verdict(version), GateRecord)
            outcome = _read(folder.outcome(version), Outcome)
            split = _read(folder.split_record(version), SplitRecord)
        except IntegrityError as error:
            unreadable.append(str(error))
            continue
        trips += _trips(gates, gates.verdicts) if gates else []
        if shown := _ended(version, gates, outcome, split):
            versions.append(shown)
    return StateFigures(
        state=state,
        versions=sorted(versions, key=lambda v: v.version),
        trips=sorted(trips, key=lambda t: (t.version, t.switch)),
        bad_limit=settings.gate_thresholds(state).bad_ratio,
        sample=bool(manifests) and manifests[-1].source == EMBEDDED,
        unreadable=unreadable,
    )


def _unpublished(folder: StateFolder) -> list[str]:
    """Versions that were judged or ended without a receipt, in order."""
    judged = {path.stem for path in (folder.exports / "verdicts").glob("*.json")}
    pulled = set(folder.versions())
    names = (judged | pulled) - set(folder.published_versions())
    return sorted(name for name in names if _moment(name) is not None)


def _read(path: Path, kind: type[RecordT]) -> RecordT | None:
    """A record, None where it is not there."""
    try:
        return read_record(path, kind)
    except FileNotFoundError:
        return None


def _published(manifest: Manifest) -> Version:
    counts = {table: manifest.counts.get(table, 0) for table in TABLES}
    at = _moment(manifest.version) or manifest.created_at
    return Version(manifest.version, at, "published", counts, manifest.errors)


def _ended(
    version: str, gates: GateRecord | None, outcome: Outcome | None, split: SplitRecord | None
) -> Version | None:
    """A version that was not published; None while it is under way, or where nothing tells."""
    at = _moment(version)
    stopped = gates is not None and not gates.passed
    if at is None or (outcome is None and not stopped):
        return None
    status = "stopped" if outcome is None else outcome.status
    if split is None:
        return Version(version, at, status, {}, {})
    counts = {table: split.files[table].rows for table in TABLES if table in split.files}
    return Version(version, at, status, counts, split.errors)


def _trips(judged: Manifest | GateRecord, verdicts: list[Verdict]) -> Iterator[Trip]:
    at = _moment(judged.version)
    for verdict in verdicts:
        if not verdict.triggered or at is None:
            continue
        override = verdict.override
        yield Trip(
            state=judged.state,
            version=judged.version,
            at=at,
            switch=verdict.switch,
            measured=verdict.measured,
            limit=verdict.limit,
            until=override.until if override else None,
            reason=override.reason if override else None,
        )


def _moment(version: str) -> datetime | None:
    """The UTC second that names a version, None where the name is none."""
    try:
        return datetime.strptime(version, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
