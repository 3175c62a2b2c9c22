"""Behavioural events for tests: a real source in an empty database, rows of one line each, runs."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json, execute_values
from pydantic import SecretStr

from outreach_platform.embedded import schema
from outreach_platform.events.records import Window
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import Settings
from outreach_platform.settings_toml import EventSettings, TomlSettings

# The clock of the tests: a Tuesday.
NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
TABLE = "BehavioralEvent"
USER = "c" + "u" * 24
CONTEXT = "c" + "m" * 24

_numbers = itertools.count(1)


def event_id(n: int, letter: str = "e") -> str:
    """The n-th id of its letter: a CUID whose order as text is that of n."""
    return f"c{letter}{n:023d}"


def ago(days: float = 0, **parts: float) -> datetime:
    """A naive UTC time that long before `NOW`; `parts` are those of a timedelta."""
    return (NOW - timedelta(days=days, **parts)).replace(tzinfo=None)


def day_ago(days: int) -> str:
    """The ISO date of the UTC day that many days before that of `NOW`."""
    return ago(days).date().isoformat()


def event(**over: Any) -> dict[str, Any]:
    """An event five days before `NOW` that breaks no rule and warns of nothing; ids increase.

    `timestamp` may be a datetime or, for values Python has none for, text; `dayOfWeek` and
    `timeOfDay` follow a datetime unless they are given.
    """
    moment = over.get("timestamp", ago(5))
    dated = isinstance(moment, datetime)
    return {
        "id": event_id(next(_numbers)),
        "userId": USER,
        "eventType": "SESSION_ENDED",
        "eventData": {"cards": 12, "notes": "naïve 李"},
        "timestamp": moment,
        "completionQuality": "NORMAL",
        "contentType": "lecture",
        "difficultyLevel": "medium",
        "dayOfWeek": moment.isoweekday() % 7 if dated else None,
        "engagementLevel": "HIGH",
        "sessionPerformanceScore": 75,
        "timeOfDay": moment.hour if dated else None,
        "experimentPhase": None,
        "randomizationSeed": 42,
        "contextMetadataId": None,
        **over,
    }


def in_phase(phase: str, **over: Any) -> dict[str, Any]:
    """An event of an experiment's phase, with the metadata that needs."""
    return event(experimentPhase=phase, contextMetadataId=CONTEXT, **over)


def create_source(url: DatabaseUrl, *, constraints: bool = True) -> None:
    """Create `"BehavioralEvent"`, its enums and its siblings in an empty database.

    Args:
        url: the database.
        constraints: False drops the primary key and every NOT NULL of the events, so that doubled
            ids and nulls can be inserted.
    """
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            schema.create_events(connection)
            if not constraints:
                cursor.execute(f'ALTER TABLE "{TABLE}" DROP CONSTRAINT "{TABLE}_pkey"')
                for name in ("id", "userId", "eventType", "eventData", "timestamp"):
                    cursor.execute(f'ALTER TABLE "{TABLE}" ALTER "{name}" DROP NOT NULL')
    finally:
        connection.close()


def insert_events(
    url: DatabaseUrl, rows: Sequence[dict[str, Any]], table: str = TABLE, namespace: str = "public"
) -> None:
    """Insert rows in one transaction; a dict or list in `eventData` goes as JSON, text as it is.

    Every row must have the columns of the first.
    """
    if not rows:
        return
    names = list(rows[0])
    values = [
        [Json(row[n]) if isinstance(row[n], dict | list) else row[n] for n in names] for row in rows
    ]
    statement = sql.SQL("INSERT INTO {}.{} ({}) VALUES %s").format(
        sql.Identifier(namespace),
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            execute_values(cursor, statement.as_string(cursor), values)
    finally:
        connection.close()


def settings_for(data_dir: Path, url: DatabaseUrl | None = None, **options: Any) -> Settings:
    """Settings that read no environment.

    Args:
        data_dir: the data folder.
        url: the configured source, None for the embedded one, as which records then name it.
        options: those of `[events]`; the trackers are off unless named.
    """
    toml = TomlSettings(events=EventSettings(**{"dvc": False, "mlflow": False, **options}))
    return Settings.model_construct(
        data_dir=data_dir.resolve(),
        toml=toml,
        embedded_only=url is None,
        events_database_url=None if url is None else SecretStr(url.conninfo),
    )


def new_run(
    data_dir: Path,
    url: DatabaseUrl,
    now: datetime = NOW,
    *,
    run_id: str = "run-1",
    settings: Settings | None = None,
    **options: Any,
) -> EventsRun:
    """A run over `url`, called embedded in records; `options` are those of `[events]`."""
    return EventsRun(settings or settings_for(data_dir, **options), url, run_id, now)


def window(days: int = 90, now: datetime = NOW) -> Window:
    """The window of that many days that ends with the day of `now`."""
    return Window.ending(now, days)
