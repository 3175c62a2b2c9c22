"""Pull one state's companies and people from PostgreSQL into the lake, under one snapshot.

The server does the filter and the join. All source columns come along with their types; what
Parquet cannot hold without loss comes as text. A pull stands completely or not at all.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from outreach_platform import __version__
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import FileRecord, find_record, new_folder, write_record
from outreach_platform.foundation.postgres.scan import (
    SourceColumn,
    SourceSnapshot,
    source_snapshot,
)
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.rules import ERRORS, WARNINGS
from outreach_platform.foundation.warehouse import (
    quote_identifier,
    quote_text,
    write_parquet,
)
from outreach_platform.records.columns import COMPANIES, PEOPLE, STATE_COLUMNS, Entity
from outreach_platform.records.states import STATES, StateCensus
from outreach_platform.snapshots.layout import ColumnRecord, PullRecord, StateFolder

# What later steps add to the source's columns.
_OUR_COLUMNS = frozenset(
    {ERRORS, WARNINGS, "file_row_number", "snapshot_state", "snapshot_version"}
)


def pull(
    engine: duckdb.DuckDBPyConnection,
    folder: StateFolder,
    url: DatabaseUrl,
    *,
    run_id: str,
    source: str,
    schema: str = "marketing",
    now: datetime | None = None,
) -> PullRecord:
    """Pull one state.

    Args:
        engine: in-memory DuckDB that does the work.
        folder: the state's paths.
        url: the source database.
        run_id: the Dagster run, or any name for the caller.
        source: what the source is called in records.
        schema: the schema of the two master tables.
        now: the moment of the pull, aware; the clock's by default.

    Returns:
        What was pulled; no rows are no error, the caller warns.

    Raises:
        SourceUnavailableError: the server cannot be reached, or went away.
        SourceError: it refuses, or a table or a needed column is missing.
        OutreachError: the files cannot be written.
    """
    moment = now or datetime.now(UTC)
    version = folder.free_version(moment)
    previous = next(pulls(folder), None)
    with source_snapshot(engine, url) as snapshot:
        companies = _columns(snapshot, schema, COMPANIES, url)
        people = _columns(snapshot, schema, PEOPLE, url)
        census = _census(snapshot, schema, companies, url)
        where = _state_filter(census, folder.state, companies)
        master = f"{quote_identifier(schema)}.{quote_identifier(COMPANIES.table)}"
        their_people = (
            f"company_unique_id IN (SELECT company_unique_id FROM {master} WHERE {where})"
        )
        with new_folder(folder.version(version)) as target, snapshot.translated():
            files = {
                entity.name: _copy(engine, snapshot, schema, entity, columns, condition, target)
                for entity, columns, condition in (
                    (COMPANIES, companies, where),
                    (PEOPLE, people, their_people),
                )
            }
            record = PullRecord(
                version=version,
                state=folder.state,
                partition=moment.astimezone(UTC).date(),
                run_id=run_id,
                source=source,
                pulled_at=moment,
                code_version=__version__,
                companies=_moved(files["companies"], folder, version),
                people=_moved(files["people"], folder, version),
                company_columns=_as_records(companies),
                people_columns=_as_records(people),
                spellings=sorted(
                    {
                        *census.address_spellings(folder.state),
                        *census.abbrev_spellings(folder.state),
                    }
                ),
                most_common=census.most_common(),
                conflicting=census.conflicting(),
                schema_changes=_schema_changes(previous, companies, people),
            )
            write_record(target / "pull.json", record)
    return record


def pulls(folder: StateFolder) -> Iterator[PullRecord]:
    """The readable pulls of a state, newest first, whatever became of them."""
    for version in reversed(folder.versions()):
        record = find_record(folder.pull_record(version), PullRecord)
        if record is not None:
            yield record


def pull_of(folder: StateFolder, run_id: str) -> PullRecord | None:
    """What a run pulled, None where it did not come so far."""
    return next((record for record in pulls(folder) if record.run_id == run_id), None)


def _columns(
    snapshot: SourceSnapshot, schema: str, entity: Entity, url: DatabaseUrl
) -> list[SourceColumn]:
    found = snapshot.columns(schema, entity.table)
    if not found:
        raise SourceError(
            f"{url.display} has no table {schema}.{entity.table}; check the database in the URL, "
            "or run `outreach demo` for sample data"
        )
    names = {column.name for column in found}
    missing = [name for name in entity.needed if name not in names]
    if missing:
        raise SourceError(
            f"{url.display}: {schema}.{entity.table} lacks the column"
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}, without which nothing can be "
            "judged; it has " + ", ".join(sorted(names))
        )
    _refuse_unusable(sorted(names), f"{url.display}: {schema}.{entity.table}")
    known = {name: position for position, name in enumerate(entity.columns)}
    return sorted(found, key=lambda column: known.get(column.name, len(known)))


def _refuse_unusable(names: Sequence[str], table: str) -> None:
    """Refuse column names that our files cannot hold; DuckDB and its readers ignore case.

    Raises:
        SourceError: one of our own names, or two that differ in case only.
    """
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(name.lower(), []).append(name)
    for lowered, same in by_name.items():
        if lowered in _OUR_COLUMNS or len(same) > 1:
            why = (
                "a name that our files use" if len(same) == 1 else "names that differ in case only"
            )
            plural = "s" if len(same) > 1 else ""
            raise SourceError(
                f"{table} has the column{plural} {' and '.join(same)}, {why}; "
                "rename it there, or read a view that does (schema_name in the settings)"
            )


def _census(
    snapshot: SourceSnapshot, schema: str, columns: Sequence[SourceColumn], url: DatabaseUrl
) -> StateCensus:
    present = {column.name for column in columns} & set(STATE_COLUMNS)
    if not present:
        raise SourceError(
            f"{url.display}: {schema}.{COMPANIES.table} has neither address_state nor "
            "state_abbrev, so no company's state is known"
        )
    items = ", ".join(
        f"{name}::text" if name in present else "NULL::text" for name in STATE_COLUMNS
    )
    rows = snapshot.rows(
        f"SELECT {items}, count(*)::bigint FROM "
        f"{quote_identifier(schema)}.{quote_identifier(COMPANIES.table)} GROUP BY 1, 2"
    )
    return StateCensus(tuple((a, b, int(count)) for a, b, count in rows))


def _state_filter(census: StateCensus, state: str, columns: Sequence[SourceColumn]) -> str:
    """The WHERE condition for the state's companies, over the very spellings that were found."""
    present = {column.name for column in columns}
    conditions = []
    if "address_state" in present and (taken := census.address_spellings(state)):
        conditions.append(_among("address_state", taken))
    if "state_abbrev" in present and (taken := census.abbrev_spellings(state)):
        condition = _among("state_abbrev", taken)
        if others := census.outvoted_spellings(state):
            condition += f" AND (address_state IS NULL OR NOT {_among('address_state', others)})"
        conditions.append(f"({condition})")
    return " OR ".join(conditions) or "false"


def _among(column: str, values: Sequence[str]) -> str:
    return f"{column}::text IN ({', '.join(quote_text(value) for value in values)})"


def _copy(
    engine: duckdb.DuckDBPyConnection,
    snapshot: SourceSnapshot,
    schema: str,
    entity: Entity,
    columns: Sequence[SourceColumn],
    condition: str,
    target: Path,
) -> FileRecord:
    items = ", ".join(column.select for column in columns)
    table = f"{quote_identifier(schema)}.{quote_identifier(entity.table)}"
    select = snapshot.relation(f"SELECT {items} FROM {table} WHERE {condition}")
    return write_parquet(
        engine, f"SELECT * FROM {select}", target / f"{entity.name}_raw.parquet", target
    )


def _moved(record: FileRecord, folder: StateFolder, version: str) -> FileRecord:
    """The record of a file once its folder has its final name."""
    path = (folder.version(version) / record.path).relative_to(folder.data_dir)
    return record.model_copy(update={"path": path.as_posix()})


def _as_records(columns: Sequence[SourceColumn]) -> list[ColumnRecord]:
    return [ColumnRecord(name=column.name, type=column.type) for column in columns]


def _schema_changes(
    previous: PullRecord | None, companies: Sequence[SourceColumn], people: Sequence[SourceColumn]
) -> list[str]:
    if previous is None:
        return []
    return [
        *_changes(COMPANIES.table, previous.company_columns, companies),
        *_changes(PEOPLE.table, previous.people_columns, people),
    ]


def _changes(
    table: str, before: Sequence[ColumnRecord], after: Sequence[SourceColumn]
) -> list[str]:
    old = {column.name: column.type for column in before}
    new = {column.name: column.type for column in after}
    return [
        *(f"{table}.{name} is new ({new[name]})" for name in new if name not in old),
        *(f"{table}.{name} is gone" for name in old if name not in new),
        *(
            f"{table}.{name} was {old[name]} and is {new[name]}"
            for name in new
            if name in old and old[name] != new[name]
        ),
    ]


def zero_rows_warning(record: PullRecord) -> str | None:
    """A loud sentence when a pull found no company, with the spellings that were found."""
    if record.companies.rows:
        return None
    found = ", ".join(f"{value!r} {count}" for value, count in record.most_common) or "none at all"
    return (
        f"{record.state}: 0 companies found for {STATES[record.state]}; the source's state columns "
        f"hold {found}"
    )
