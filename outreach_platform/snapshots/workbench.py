"""`duckdb/outreach_workbench.duckdb`: the snapshots and the newest rows, for a plain DuckDB shell.

It is wholly derived from manifests and receipts and rebuilt from them at every change, which also
heals a kill between the two. People open it freely: a new one is renamed over the old.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import duckdb

from outreach_platform.foundation.lake import FileRecord, find_record
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.rules import ERRORS, WARNINGS
from outreach_platform.foundation.warehouse import (
    file_reader,
    publish_database,
    quote_identifier,
    quote_text,
)
from outreach_platform.records.columns import COMPANY_COLUMNS, PEOPLE_COLUMNS
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import SplitRecord, StateFolder
from outreach_platform.snapshots.pruned import is_pruned
from outreach_platform.snapshots.publish import place_again
from outreach_platform.snapshots.records import EMBEDDED, Manifest, Receipt, survey

_SHORT_WAIT_SECONDS = 60
_logger = logging.getLogger(__name__)

_SNAPSHOTS = """
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY,
    state VARCHAR,
    snapshot_version VARCHAR,
    companies_good INTEGER,
    companies_bad INTEGER,
    people_good INTEGER,
    people_bad INTEGER,
    created_at TIMESTAMP,
    companies_raw INTEGER,
    people_raw INTEGER,
    source VARCHAR,
    rules_version VARCHAR,
    overrides VARCHAR[],
    run_id VARCHAR
)
"""


@dataclass(frozen=True)
class _Version:
    """One version's files as a view reads them."""

    state: str
    version: str
    path: Path


def workbench_path(data_dir: Path) -> Path:
    """The database file that people open."""
    return data_dir / "duckdb" / "outreach_workbench.duckdb"


def rebuild(data_dir: Path, owner: str) -> list[str]:
    """Build the workbench anew from what stands on disk.

    Args:
        data_dir: the data folder, absolute.
        owner: who asks, for the lock's message.

    Returns:
        Sentences on published versions whose records or files are damaged or gone; the views then
        read the newest version that is whole.

    Raises:
        BusyError: another process is at it for over a minute.
    """
    lock = data_dir / "locks" / "workbench.lock"
    with locked(lock, "the workbench", owner, _SHORT_WAIT_SECONDS):
        found, problems = [], []
        for state in STATES:
            pairs, wrong = survey(StateFolder(data_dir, state))
            found += pairs
            problems += wrong
        with file_reader() as reader:
            newest, gone = _newest_whole(reader, data_dir, [manifest for manifest, _ in found])
        last_runs = _last_runs(data_dir)

        def build(connection: duckdb.DuckDBPyConnection) -> None:
            _fill_snapshots(connection, found)
            for table in ("companies", "people"):
                _view(connection, f"{table}_raw", _raw_files(connection, data_dir, newest, table))
                for verdict in ("good", "bad"):
                    name = f"{table}_{verdict}"
                    _view(connection, name, _exported_files(data_dir, newest, name))
                name = f"{table}_bad"
                _view(
                    connection,
                    f"{name}_last_run",
                    _split_files(connection, data_dir, last_runs, name),
                )

        for partial in workbench_path(data_dir).parent.glob(f".{workbench_path(data_dir).name}.*"):
            partial.unlink()  # of a killed writer; the lock keeps living ones out
        publish_database(workbench_path(data_dir), build)
    problems += gone
    for problem in problems:
        _logger.warning(problem)
    return problems


def _newest_whole(
    reader: duckdb.DuckDBPyConnection, data_dir: Path, manifests: list[Manifest]
) -> tuple[list[Manifest], list[str]]:
    """Each state's newest published version whose files stand, and what is wrong with others.

    Once rows of a configured database are published, sample data is no longer shown.
    """
    if any(manifest.source != EMBEDDED for manifest in manifests):
        manifests = [manifest for manifest in manifests if manifest.source != EMBEDDED]
    newest, problems = [], []
    for state in STATES:
        own = [manifest for manifest in manifests if manifest.state == state]
        for manifest in sorted(own, key=lambda m: m.version, reverse=True):
            wrong = _wrong(reader, StateFolder(data_dir, state), manifest)
            if not wrong:
                newest.append(manifest)
                break
            problems.append(
                f"{state} {manifest.version} is published but {', '.join(wrong)}; the views read "
                "an older version until it is restored"
            )
    return newest, problems


def _wrong(reader: duckdb.DuckDBPyConnection, folder: StateFolder, manifest: Manifest) -> list[str]:
    """Why the views cannot read a version."""
    if is_pruned(folder, manifest.version):
        return ["its files were pruned"]  # the lake may have them, and they are not wanted back
    return place_again(folder, manifest) or [
        f"{file.path} is no Parquet file"
        for file in manifest.files.values()
        if not _readable(reader, _path(folder.data_dir, file))
    ]


def _readable(reader: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether a file stands that DuckDB can make a view of: one that it cannot breaks all."""
    try:
        reader.execute(f"SELECT * FROM read_parquet({quote_text(str(path))}) LIMIT 0")
    except duckdb.Error:
        return False
    return True


def _last_runs(data_dir: Path) -> list[SplitRecord]:
    """Each state's newest split, whatever its verdict."""
    found = []
    for state in STATES:
        folder = StateFolder(data_dir, state)
        splits = (
            find_record(folder.split_record(version), SplitRecord)
            for version in reversed(folder.versions())
        )
        newest = next((split for split in splits if split is not None), None)
        if newest is not None:
            found.append(newest)
    return found


def _fill_snapshots(
    connection: duckdb.DuckDBPyConnection, found: list[tuple[Manifest, Receipt]]
) -> None:
    connection.execute(_SNAPSHOTS)
    for manifest, receipt in sorted(found, key=lambda pair: pair[0].snapshot_id):
        connection.execute(
            f"INSERT INTO snapshots VALUES ({', '.join('?' * 14)})",
            [
                manifest.snapshot_id,
                manifest.state,
                manifest.version,
                manifest.counts["companies_good"],
                manifest.counts["companies_bad"],
                manifest.counts["people_good"],
                manifest.counts["people_bad"],
                receipt.published_at.replace(tzinfo=None),
                manifest.counts["companies_raw"],
                manifest.counts["people_raw"],
                manifest.source,
                manifest.rules_version,
                [override.switch for override in manifest.overrides],
                manifest.run_id,
            ],
        )


def _raw_files(
    reader: duckdb.DuckDBPyConnection, data_dir: Path, manifests: list[Manifest], table: str
) -> list[_Version]:
    return [
        _Version(m.state, m.version, path)
        for m in manifests
        if _readable(reader, path := _path(data_dir, m.raw[f"{table}_raw"]))
    ]


def _exported_files(data_dir: Path, manifests: list[Manifest], table: str) -> list[_Version]:
    return [_Version(m.state, m.version, _path(data_dir, m.files[table])) for m in manifests]


def _split_files(
    reader: duckdb.DuckDBPyConnection, data_dir: Path, splits: list[SplitRecord], table: str
) -> list[_Version]:
    return [
        _Version(s.state, s.version, path)
        for s in splits
        if _readable(reader, path := _path(data_dir, s.files[table]))
    ]


def _path(data_dir: Path, record: FileRecord) -> Path:
    return data_dir / record.path


def _view(connection: duckdb.DuckDBPyConnection, name: str, versions: list[_Version]) -> None:
    """A view over the files, each row with the state and version it comes from."""
    selects = [
        f"SELECT *, {quote_text(v.state)} AS snapshot_state, "
        f"{quote_text(v.version)} AS snapshot_version "
        f"FROM read_parquet({quote_text(str(v.path))})"
        for v in versions
    ]
    body = " UNION ALL BY NAME ".join(selects) or _empty(name)
    connection.execute(f"CREATE VIEW {name} AS {body}")


def _empty(name: str) -> str:
    columns = COMPANY_COLUMNS if name.startswith("companies") else PEOPLE_COLUMNS
    items = [f"NULL::VARCHAR AS {quote_identifier(column)}" for column in columns]
    if not name.endswith("_raw"):
        items += [f"NULL::VARCHAR[] AS {column}" for column in (ERRORS, WARNINGS)]
    items += ["NULL::VARCHAR AS snapshot_state", "NULL::VARCHAR AS snapshot_version"]
    return f"SELECT {', '.join(items)} WHERE false"
