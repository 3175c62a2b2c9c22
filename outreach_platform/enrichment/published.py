"""What snapshots have published, read as their contract on disk tells it: receipt, manifest, files.

The wings share no code: these files are all that snapshots tell enrichment.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from outreach_platform.enrichment.layout import EMBEDDED
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import FileRecord, Record, read_record, sha256_of, stands
from outreach_platform.foundation.warehouse import (
    quote_identifier,
    quote_text,
    read_parquet_sql,
)
from outreach_platform.records.states import STATES

_VERSION = re.compile(r"[0-9]{14}")
_ERRORS = "validation_errors"


class Manifest(Record):
    """What enrichment reads of `exports/{STATE}/manifests/{version}.json`.

    Attributes:
        source: `embedded`, or host and database.
        files: the exported files by table name.
    """

    version: str
    state: str
    source: str
    files: dict[str, FileRecord]


class Receipt(Record):
    """What enrichment reads of `exports/{STATE}/receipts/{version}.json`: it is published."""

    version: str
    manifest_sha256: str


@dataclass(frozen=True)
class Tally:
    """How many rows a file of bad rows has.

    Attributes:
        rows: all of them.
        left_out: rows whose only error is the one that is left out.
        nameless: of the others, rows without a key.
    """

    rows: int
    left_out: int
    nameless: int


@dataclass(frozen=True)
class BadRows:
    """The bad rows of one entity in one published version.

    Attributes:
        name: state and version, for messages.
        version: of the snapshot.
        path: the Parquet file, which was verified.
        key: the column of the business key.
        without: the error code whose rows are left out where they have no other.
    """

    name: str
    version: str
    path: Path
    key: str
    without: str

    def tally(self, engine: duckdb.DuckDBPyConnection) -> Tally:
        """Count the rows.

        Raises:
            IntegrityError: the file went away or changed since it was verified.
        """
        with self._reading():
            counted = engine.execute(
                f"SELECT count(*), count(*) FILTER ({self._alone}), count(*) FILTER "
                f"(NOT {self._alone} AND {self._key} IS NULL) FROM {self._file}"
            ).fetchone()
        return Tally(*(counted or (0, 0, 0)))

    def keys(self, engine: duckdb.DuckDBPyConnection, size: int) -> Iterator[list[str]]:
        """The keys of the rows that are not left out, a batch at a time.

        Raises:
            IntegrityError: the file went away or changed since it was verified.
        """
        with self._reading():
            engine.execute(
                f"SELECT {self._key}::varchar FROM {self._file} "
                f"WHERE NOT {self._alone} AND {self._key} IS NOT NULL"
            )
        while True:
            with self._reading():
                rows = engine.fetchmany(size)
            if not rows:
                return
            yield [key for (key,) in rows]

    @property
    def _key(self) -> str:
        return quote_identifier(self.key)

    @property
    def _file(self) -> str:
        return read_parquet_sql([self.path])

    @property
    def _alone(self) -> str:
        return f"coalesce({_ERRORS} = [{quote_text(self.without)}], false)"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error:
            raise IntegrityError(
                f"{self.name}: {self.path} cannot be read any more; run the state again for a new "
                "version"
            ) from None


def newest_bad_rows(
    data_dir: Path, table: str, *, key: str, without: str, source: str
) -> tuple[list[BadRows], list[str]]:
    """The bad rows of each state's newest published version.

    Args:
        data_dir: the data folder.
        table: `companies_bad` or `people_bad`.
        key: the column of the business key.
        without: the error code whose rows are left out where they have no other.
        source: where the masters stand. Versions of the sample data say nothing of a configured
            database, nor the other way round.

    Returns:
        Verified files in the order of the states, and a sentence for each state whose newest
        version is damaged.
    """
    found: list[BadRows] = []
    problems: list[str] = []
    for state in STATES:
        try:
            manifest = _newest(data_dir / "exports" / state, sample=source == EMBEDDED)
            if manifest is not None:
                path = _verified(data_dir, manifest, table)
                name = f"{state} {manifest.version}"
                found.append(BadRows(name, manifest.version, path, key, without))
        except IntegrityError as error:
            problems.append(f"{error}; nothing of this version was offered")
    return found, problems


def _newest(exports: Path, *, sample: bool) -> Manifest | None:
    receipts = exports.joinpath("receipts").glob("*.json")
    versions = (path.stem for path in receipts if _VERSION.fullmatch(path.stem))
    for version in sorted(versions, reverse=True):
        manifest = _published(exports, version)
        if (manifest.source == EMBEDDED) == sample:
            return manifest
    return None


def _published(exports: Path, version: str) -> Manifest:
    name = f"{exports.name} {version}"
    receipt = read_record(exports / "receipts" / f"{version}.json", Receipt)
    path = exports / "manifests" / f"{version}.json"
    try:
        manifest = read_record(path, Manifest)
    except FileNotFoundError:
        raise IntegrityError(
            f"{name} is published but its manifest is gone: restore {path} from the object store"
        ) from None
    if sha256_of(path) != receipt.manifest_sha256:
        raise IntegrityError(
            f"{path} is not the one under which {name} was published: restore it from the object "
            "store"
        )
    return manifest


def _verified(data_dir: Path, manifest: Manifest, table: str) -> Path:
    name = f"{manifest.state} {manifest.version}"
    record = manifest.files.get(table)
    if record is None:
        raise IntegrityError(f"the manifest of {name} names no {table}: run the state again")
    try:
        whole = stands(data_dir, record)
    except OSError as error:
        raise IntegrityError(
            f"{name}: {record.path} cannot be read: {error.strerror}; check who owns it"
        ) from None
    if not whole:
        raise IntegrityError(
            f"{name}: {record.path} is gone or not the file that was published; restore it from "
            "the object store, or run the state again for a new version"
        )
    return data_dir / record.path
