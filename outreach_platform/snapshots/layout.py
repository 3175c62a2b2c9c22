"""Where the files of one state stand, and what the records beside them say.

Paths are the contract's. `exports/` is what people read, `lake/` what every run leaves behind.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from outreach_platform.foundation.lake import FileRecord, Record

TABLES = ("companies_good", "companies_bad", "people_good", "people_bad")
RAW_TABLES = ("companies_raw", "people_raw")
_VERSION_FORMAT = "%Y%m%d%H%M%S"


@dataclass(frozen=True)
class StateFolder:
    """All paths of one state.

    Attributes:
        data_dir: the data folder, absolute.
        state: two-letter code.
    """

    data_dir: Path
    state: str

    @property
    def exports(self) -> Path:
        """What people's tools read."""
        return self.data_dir / "exports" / self.state

    @property
    def lake(self) -> Path:
        """What every run leaves behind, a folder a version."""
        return self.data_dir / "lake" / "outreach" / self.state

    @property
    def lock(self) -> Path:
        """The file whose lock keeps two runs of the state apart."""
        return self.data_dir / "locks" / f"{self.state}.lock"

    def version(self, version: str) -> Path:
        """One version's folder in the lake."""
        return self.lake / version

    def pull_record(self, version: str) -> Path:
        """What was pulled."""
        return self.version(version) / "pull.json"

    def split_record(self, version: str) -> Path:
        """How it was split."""
        return self.version(version) / "split.json"

    def outcome(self, version: str) -> Path:
        """How a version ended that was not published."""
        return self.version(version) / "outcome.json"

    def verdict(self, version: str) -> Path:
        """What the kill switches said."""
        return self.exports / "verdicts" / f"{version}.json"

    def manifest(self, version: str) -> Path:
        """What was exported; written once the four files stand."""
        return self.exports / "manifests" / f"{version}.json"

    def receipt(self, version: str) -> Path:
        """That the version is published; written last of all."""
        return self.exports / "receipts" / f"{version}.json"

    def pruned(self, version: str) -> Path:
        """That the published files were removed on purpose."""
        return self.exports / "pruned" / f"{version}.json"

    def restored(self, version: str) -> Path:
        """That a pruned version was brought back."""
        return self.exports / "restored" / f"{version}.json"

    def lake_pruned(self, version: str) -> Path:
        """That raw and split rows were removed on purpose."""
        return self.version(version) / "pruned.json"

    def table(self, version: str, table: str) -> Path:
        """A table's file in the lake."""
        return self.version(version) / f"{table}.parquet"

    def export(self, version: str, table: str) -> Path:
        """A table's published file."""
        entity, verdict = table.rsplit("_", 1)
        return self.exports / entity / verdict / f"{table}_{version}.parquet"

    def object_key(self, version: str, table: str) -> str:
        """A table's key in the object store."""
        entity, verdict = table.rsplit("_", 1)
        return f"outreach/{self.state}/{entity}/{verdict}/{table}_{version}.parquet"

    def manifest_key(self, version: str) -> str:
        """The manifest's key in the object store."""
        return f"outreach/{self.state}/manifests/{version}.json"

    def versions(self) -> list[str]:
        """Versions with a complete pull, oldest first."""
        found = self.lake.glob("*/pull.json")
        return sorted(path.parent.name for path in found if _is_version(path.parent.name))

    def published_versions(self) -> list[str]:
        """Versions with a receipt, oldest first."""
        found = (self.exports / "receipts").glob("*.json")
        return sorted(path.stem for path in found if _is_version(path.stem))

    def exported_versions(self) -> list[str]:
        """Versions with a manifest, oldest first."""
        found = (self.exports / "manifests").glob("*.json")
        return sorted(path.stem for path in found if _is_version(path.stem))

    def free_version(self, at: datetime) -> str:
        """The version of a pull at `at` (aware): its UTC second, or the next one that is free.

        A clock that was set back by less than ten minutes still gives a version later than every
        other. A version further ahead came from a wrong clock and does not push others into the
        future with it.
        """
        # Folders too: one without a pull in it is in the way all the same.
        folders = {path.name for path in self.lake.glob("*") if _is_version(path.name)}
        taken = {*folders, *self.published_versions(), *self.exported_versions()}
        moment = at.astimezone(UTC).replace(microsecond=0)
        if taken:
            newest = moment_of(max(taken))
            if newest >= moment and newest - moment < timedelta(minutes=10):
                moment = newest + timedelta(seconds=1)
        while moment.strftime(_VERSION_FORMAT) in taken:
            moment += timedelta(seconds=1)
        return moment.strftime(_VERSION_FORMAT)


def moment_of(version: str) -> datetime:
    """The UTC second that a version names."""
    return datetime.strptime(version, _VERSION_FORMAT).replace(tzinfo=UTC)


def _is_version(text: str) -> bool:
    try:
        return datetime.strptime(text, _VERSION_FORMAT).strftime(_VERSION_FORMAT) == text
    except ValueError:
        return False


class ColumnRecord(Record):
    """A source column: name and PostgreSQL type."""

    name: str
    type: str


class PullRecord(Record):
    """What one pull brought: `lake/outreach/{STATE}/{version}/pull.json`.

    Attributes:
        partition: the UTC day of the pull.
        source: `embedded`, or host and database.
        spellings: raw values of the state columns that were taken for this state.
        most_common: the source's most frequent spellings with counts, for when nothing was found.
        conflicting: companies of the whole table whose two state columns name two states.
        schema_changes: sentences on columns that came, went or changed since the last pull.
    """

    version: str
    state: str
    partition: date
    run_id: str
    source: str
    pulled_at: datetime
    code_version: str
    companies: FileRecord
    people: FileRecord
    company_columns: list[ColumnRecord]
    people_columns: list[ColumnRecord]
    spellings: list[str]
    most_common: list[tuple[str, int]]
    conflicting: int
    schema_changes: list[str]


class IdCounts(Record):
    """How one entity's ids look.

    Attributes:
        null: rows without an id.
        doubled: ids that stand on more than one row.
        malformed: rows whose id is no Barton id.
    """

    null: int
    doubled: int
    malformed: int


class SplitRecord(Record):
    """How one version was split: `lake/outreach/{STATE}/{version}/split.json`.

    Attributes:
        files: the four tables by name.
        errors: rows by table and error code; a row counts under each of its codes.
        warnings: the same for warnings, good and bad rows together, by entity.
    """

    version: str
    state: str
    rules_version: str
    code_version: str
    raw: dict[str, FileRecord]
    files: dict[str, FileRecord]
    company_ids: IdCounts
    people_ids: IdCounts
    errors: dict[str, dict[str, int]]
    warnings: dict[str, dict[str, int]]

    def rows(self, table: str) -> int:
        """Rows of one of the six tables."""
        return (self.raw if table in self.raw else self.files)[table].rows

    @property
    def lost(self) -> dict[str, int]:
        """Raw rows minus good and bad ones, by entity; anything but 0 is a defect."""
        return {
            entity: self.rows(f"{entity}_raw")
            - self.rows(f"{entity}_good")
            - self.rows(f"{entity}_bad")
            for entity in ("companies", "people")
        }


class Outcome(Record):
    """How a version ended that was not published.

    Attributes:
        status: `stopped` or `failed`.
        audited: whether its audit row stands or is spooled.
    """

    version: str
    state: str
    status: str
    message: str
    at: datetime
    run_id: str
