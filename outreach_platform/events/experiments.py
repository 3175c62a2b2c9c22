"""Experiment protocols and phase assignments: small tables beside the events, where they exist."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.source_table import home_schema
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.lake import FileRecord, Record, find_record, write_record
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.scan import SourceSnapshot, source_snapshot
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import quote_identifier, quote_text, write_parquet

# Columns by table; the first three are needed, the others become nulls where they are missing.
TABLES: Mapping[str, Mapping[str, str]] = {
    "experiment_protocols": {
        "id": "VARCHAR",
        "userId": "VARCHAR",
        "designType": "VARCHAR",
        "protocolName": "VARCHAR",
        "startDate": "TIMESTAMP",
        "endDate": "TIMESTAMP",
    },
    "phase_assignments": {
        "id": "VARCHAR",
        "protocolId": "VARCHAR",
        "phaseType": "VARCHAR",
        "phaseLabel": "VARCHAR",
        "startDate": "TIMESTAMP",
        "endDate": "TIMESTAMP",
    },
}
_NEEDED = 3
_ATTEMPTS = 3


class SiblingRecord(Record):
    """One of the tables as it was taken.

    Attributes:
        name: the table.
        file: its rows.
        found: whether the source has it; without it the file is empty and typed.
        source: the database.
        notices: what a user should know, one sentence each.
        pulled_at: when.
        run_id: by which run.
    """

    name: str
    file: FileRecord
    found: bool
    source: str
    notices: list[str]
    pulled_at: datetime
    run_id: str


def sibling_file(folder: EventFolder, name: str) -> Path:
    """Where a table's rows stand."""
    return folder.data_dir / "lake" / name / f"{name}.parquet"


def sibling_record(folder: EventFolder, name: str) -> SiblingRecord | None:
    """What was taken of a table, None where it never was."""
    return find_record(sibling_file(folder, name).with_suffix(".json"), SiblingRecord)


def pull_siblings(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    url: DatabaseUrl,
    *,
    source: str,
    run_id: str,
) -> list[SiblingRecord]:
    """Take both tables under one transaction; a table that is missing becomes an empty one.

    Transient errors of the database are tried three times.

    Args:
        engine: does the work.
        folder: where they go.
        url: the source.
        source: what it is called in records.
        run_id: the run.

    Raises:
        SourceError: the source refuses, or a table lacks a needed column.
    """
    with connect(url):
        pass  # a server that is away was tried three times by now, and that is enough
    records = []
    for name, (found, notices) in _pull(engine, url).items():
        path = sibling_file(folder, name)
        record = SiblingRecord(
            name=name,
            file=write_parquet(engine, f"FROM {name} ORDER BY id", path, folder.data_dir),
            found=found,
            source=source,
            notices=notices,
            pulled_at=datetime.now(UTC),
            run_id=run_id,
        )
        write_record(path.with_suffix(".json"), record)
        records.append(record)
    return records


@retry(
    retry=retry_if_exception_type(SourceUnavailableError),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.5, max=4),
    reraise=True,
)
def _pull(engine: duckdb.DuckDBPyConnection, url: DatabaseUrl) -> dict[str, tuple[bool, list[str]]]:
    """Fill a table of the engine for each; returns whether it was found and what to say of it."""
    with source_snapshot(engine, url) as snapshot:
        schema = home_schema(snapshot, url.schema)
        queries = {name: _query(snapshot, schema, name, url.display) for name in TABLES}
        with snapshot.translated():
            for name, (query, _, _) in queries.items():
                engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    return {name: (found, notices) for name, (_, found, notices) in queries.items()}


def _query(
    snapshot: SourceSnapshot, schema: str, name: str, where: str
) -> tuple[str, bool, list[str]]:
    """DuckDB's query for a table, whether it is there, and what is to be said of it."""
    columns = TABLES[name]
    present = {column.name: column.type for column in snapshot.columns(schema, name)}
    if not present:
        nulls = ", ".join(f"NULL::{kind} AS {quote_identifier(c)}" for c, kind in columns.items())
        return f"SELECT {nulls} LIMIT 0", False, [f"{where} has no {schema}.{name}: left empty"]
    if lacking := [c for c in list(columns)[:_NEEDED] if c not in present]:
        raise SourceError(
            f"{where}: {schema}.{name} lacks {', '.join(lacking)}; add it at the source, or rename "
            "the table if it is another one"
        )
    for column, kind in columns.items():
        type_name = present.get(column, "date")
        if kind == "TIMESTAMP" and not (type_name == "date" or type_name.startswith("timestamp")):
            raise SourceError(
                f"{where}: {schema}.{name}.{column} is {type_name}, which cannot be read as a "
                "time; change the column's type at the source"
            )
    missing = [column for column in columns if column not in present]
    notices = [f"{schema}.{name} has no {', '.join(missing)}: filled with nulls"] if missing else []
    listed = ", ".join(
        f"{quote_identifier(c)}::text AS {quote_identifier(c)}"
        if kind == "VARCHAR"
        else quote_identifier(c)
        for c, kind in columns.items()
        if c in present
    )
    table = f"{quote_identifier(schema)}.{quote_identifier(name)}"
    taken = ", ".join(
        f"{quote_identifier(c) if c in present else 'NULL'}::{kind} AS {quote_identifier(c)}"
        for c, kind in columns.items()
    )
    return (
        f"SELECT {taken} FROM {snapshot.relation(f'SELECT {listed} FROM {table}')}",
        True,
        notices,
    )


def siblings_sql(folder: EventFolder, name: str) -> str:
    """A query for a table as it was last taken; typed and empty where it never was."""
    path = sibling_file(folder, name)
    if path.exists():
        return f"SELECT * FROM read_parquet({quote_text(str(path))})"
    nulls = ", ".join(f"NULL::{kind} AS {quote_identifier(c)}" for c, kind in TABLES[name].items())
    return f"SELECT {nulls} LIMIT 0"
