"""What the events wing is measured against: the floor, the predecessor's way, and dlt."""

import importlib
import importlib.util
import os
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import psycopg2

from benchmarks.bulk_events import BulkEvents
from outreach_platform.events import schema
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl

_INDEXES = (
    ("by_user", '"userId", "timestamp"'),
    ("by_type", '"eventType"'),
    ("by_phase", '"experimentPhase"'),
)


def dlt_installed() -> bool:
    """Whether the dependency group `bench` is there."""
    return all(importlib.util.find_spec(name) for name in ("dlt", "connectorx"))


def import_all(folder: Path) -> None:
    """Import what the ways need, because that is not their steady state.

    Args:
        folder: scratch, into which dlt puts what it keeps.
    """
    for name in ("pandas", "pandera.pandas", "sqlalchemy.dialects.postgresql"):
        importlib.import_module(name)
    if dlt_installed():
        # dlt starts telemetry and logging at its import: told later, it would not listen.
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
        os.environ["DLT_DATA_DIR"] = str(folder / "dlt-home")
        for name in ("connectorx", "dlt.sources.sql_database"):
            importlib.import_module(name)


def copy_and_discard(url: DatabaseUrl) -> None:
    """The floor: a client that reads every row in order and does nothing with it."""
    statement = (
        'COPY (SELECT * FROM "BehavioralEvent" ORDER BY timestamp) TO STDOUT (FORMAT binary)'
    )
    with (
        connect(url) as connection,
        connection.cursor() as cursor,
        Path(os.devnull).open("wb") as sink,
    ):
        cursor.copy_expert(statement, sink)


def predecessor(url: DatabaseUrl, held: BulkEvents, days: int, folder: Path) -> None:
    """As it was: the window as a pandas frame, Pandera on it, Parquet, a table and its indexes.

    Args:
        url: the source.
        held: what it holds.
        days: of the window.
        folder: scratch; what is written there is removed.
    """
    import pandas as pd
    import sqlalchemy as sa

    target = _scratch(folder)
    engine = sa.create_engine(
        "postgresql+psycopg2://", creator=lambda: psycopg2.connect(url.conninfo)
    )
    # The text of eventData, though it read dictionaries: those cost it seconds more.
    listed = ", ".join(f'"{name}"' for name in schema.NAMES).replace(
        '"eventData"', '"eventData"::text AS "eventData"'
    )
    statement = sa.text(
        f'SELECT {listed} FROM "BehavioralEvent" WHERE "timestamp" >= :start '
        'AND "timestamp" < :end ORDER BY "timestamp"'
    )
    window = {"start": held.end - timedelta(days=days), "end": held.end}
    with engine.connect() as connection:
        frame = pd.read_sql(statement, connection, params=window)
    engine.dispose()
    frame = _pandas_contract(held.now).validate(frame, lazy=True)
    parquet = target / "events.parquet"
    frame.to_parquet(parquet, compression="snappy", index=False)
    with duckdb.connect(str(target / "events.duckdb")) as database:
        database.execute(f"CREATE TABLE events AS SELECT * FROM '{parquet}'")
        for name, columns in _INDEXES:
            database.execute(f"CREATE INDEX {name} ON events ({columns})")
    shutil.rmtree(target)


def _pandas_contract(now: datetime) -> Any:
    """Our contract less the look into eventData, which the predecessor did not have."""
    import pandera.pandas as pa

    cuid = pa.Check.str_matches(schema.CUID)

    def optional(dtype: str, *checks: pa.Check) -> pa.Column:
        return pa.Column(dtype, list(checks), nullable=True, coerce=True)

    needs_metadata = pa.Check(
        lambda frame: frame["experimentPhase"].isna() | frame["contextMetadataId"].notna(),
        name=schema.NEEDS_METADATA,
    )
    return pa.DataFrameSchema(
        {
            "id": pa.Column("str", cuid, unique=True),
            "userId": pa.Column("str", cuid),
            "eventType": pa.Column("str", pa.Check.isin(schema.EVENT_TYPES)),
            "eventData": pa.Column("str"),
            "timestamp": pa.Column(
                "datetime64[ns]",
                [
                    pa.Check.le(schema.latest_time(now), name=schema.NOT_FUTURE),
                    pa.Check.ge(schema.earliest_time(now), name=schema.REASONABLE),
                ],
                coerce=True,
            ),
            "completionQuality": optional("str", pa.Check.isin(schema.QUALITIES)),
            "contentType": optional("str"),
            "difficultyLevel": optional("str"),
            "dayOfWeek": optional("Int64", pa.Check.in_range(0, 6)),
            "engagementLevel": optional("str", pa.Check.isin(schema.ENGAGEMENTS)),
            "sessionPerformanceScore": optional("Int64", pa.Check.in_range(0, 100)),
            "timeOfDay": optional("Int64", pa.Check.in_range(0, 23)),
            "experimentPhase": optional("str", pa.Check.isin(schema.PHASES)),
            "randomizationSeed": optional("Int64"),
            "contextMetadataId": optional("str"),
        },
        checks=needs_metadata,
    )


def dlt_to_parquet(url: DatabaseUrl, folder: Path) -> None:
    """A dlt pipeline of one table to one folder of Parquet files, with nothing validated.

    `import_all` comes first: it keeps dlt from sending telemetry. dlt still writes a random id of
    32 bytes into its home (~/.dlt, /var/dlt for root), which no setting of its own prevents.

    Args:
        url: the source.
        folder: scratch; what is written there is removed.

    Raises:
        RuntimeError: it wrote no Parquet files, or would send telemetry.
    """
    import dlt
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    if os.environ.get("RUNTIME__DLTHUB_TELEMETRY") != "false":
        raise RuntimeError("dlt would send telemetry: call import_all first")
    target = _scratch(folder)
    engine = sa.create_engine(
        "postgresql+psycopg2://", creator=lambda: psycopg2.connect(url.conninfo)
    )
    source = sql_table(
        credentials=engine,
        table="BehavioralEvent",
        backend="connectorx",
        # Streams are what dlt recommends for large tables; a fifth faster here than its default.
        backend_kwargs={"conn": _connectorx_url(url), "return_type": "arrow_stream"},
    )
    pipeline = dlt.pipeline(
        pipeline_name="events",
        pipelines_dir=str(target / "state"),
        destination=dlt.destinations.filesystem(bucket_url=(target / "lake").as_uri()),
        dataset_name="raw",
    )
    pipeline.run(source, loader_file_format="parquet", write_disposition="replace")
    engine.dispose()
    if not list(target.glob("lake/raw/behavioral_event/*.parquet")):
        raise RuntimeError("dlt wrote no Parquet file; the benchmark means nothing")
    shutil.rmtree(target)


def _connectorx_url(url: DatabaseUrl) -> str:
    """The address as connectorx reads it, a unix socket's folder percent-encoded."""
    params = url.params
    host, user = quote(params["host"], safe=""), quote(params["user"])
    return f"postgresql://{user}@{host}:{params['port']}/{params['dbname']}"


def _scratch(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder))
