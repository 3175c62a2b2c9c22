"""`shq.audit_log`: one row for every outcome, written once, made if missing.

A row that cannot be written because the database is away is kept in a spool folder and written by
the next run, so that no outcome goes unrecorded. The table may exist already; one of another shape
is refused instead of half used.
"""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.lake import Record, read_record, write_record
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl

# CREATE … IF NOT EXISTS asks for the privilege even where nothing is to be made, and two runs that
# make it at once collide; hence the look first and the transaction-scoped lock.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('shq.audit_log'))"
_COLUMNS = {
    "event_type": ("character varying", "text"),
    "event_source": ("character varying", "text"),
    "details": ("jsonb", "json"),
    "created_at": ("timestamp with time zone", "timestamp without time zone"),
}
_DDL = """
CREATE TABLE shq.audit_log (
    id serial PRIMARY KEY,
    event_type varchar(255) NOT NULL,
    event_source varchar(255) NOT NULL,
    details jsonb,
    created_at timestamptz DEFAULT now()
)
"""


class AuditEvent(Record):
    """One row of the audit log.

    Attributes:
        event_type: for example `outreach_snapshot`.
        event_source: the pipeline's name, which scripts filter on.
        details: JSON object; no personal data.
        identity: keys of `details` that name the event: a row with the same values is never
            written twice.
    """

    event_type: str
    event_source: str
    details: dict[str, Any]
    identity: tuple[str, ...]


def write_event(url: DatabaseUrl, event: AuditEvent) -> int | None:
    """Write the row unless it stands already.

    Returns:
        The row's id.

    Raises:
        SourceUnavailableError: the database is away; nothing was written.
        SourceError: it refuses, or the table has another shape.
    """
    with connect(url) as connection:
        ensure_table(connection)
        return _insert_once(connection, event)


def write_or_spool(url: DatabaseUrl, event: AuditEvent, folder: Path) -> int | None:
    """Write the row, or keep it in `folder` for `flush_spool` when the database does not take it.

    Returns:
        The row's id, None when it was spooled.
    """
    try:
        return write_event(url, event)
    except SourceError:
        spool(event, folder)
        return None


def spool(event: AuditEvent, folder: Path) -> None:
    """Keep a row for `flush_spool`."""
    write_record(folder / f"{os.getpid()}-{uuid.uuid4().hex}.json", event)


def flush_spool(url: DatabaseUrl, folder: Path) -> int:
    """Write every spooled row; returns how many. Those still refused stay where they are."""
    written = 0
    for path in sorted(folder.glob("*.json")):
        event = read_record(path, AuditEvent)
        try:
            write_event(url, event)
        except SourceUnavailableError:
            return written
        path.unlink()
        written += 1
    return written


def ensure_table(connection: Connection) -> None:
    """Make `shq.audit_log` where it is missing.

    Raises:
        SourceError: a table of another shape stands there, or the user may not make one.
    """
    columns = _existing_columns(connection)
    if not columns:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
            columns = _existing_columns(connection)
            if not columns:
                cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'shq'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE SCHEMA shq")
                cursor.execute(_DDL)
                return
    wrong = [name for name, types in _COLUMNS.items() if columns.get(name) not in types]
    if wrong:
        raise SourceError(
            f"shq.audit_log exists with another shape: {', '.join(wrong)} should be "
            f"{', '.join(_COLUMNS[name][0] for name in wrong)}; rename that table or alter it"
        )


def _existing_columns(connection: Connection) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name::text, data_type::text FROM information_schema.columns "
            "WHERE table_schema = 'shq' AND table_name = 'audit_log'"
        )
        return dict(cursor.fetchall())


def _insert_once(connection: Connection, event: AuditEvent) -> int | None:
    named = {key: _as_text(event.details.get(key)) for key in event.identity}
    same = "".join(" AND details->>%s IS NOT DISTINCT FROM %s" for _ in named)
    with connection.cursor() as cursor:
        if named:
            cursor.execute(
                "SELECT id FROM shq.audit_log WHERE event_type = %s AND event_source = %s" + same,
                [event.event_type, event.event_source, *_flat(named)],
            )
            if row := cursor.fetchone():
                return row[0]
        cursor.execute(
            "INSERT INTO shq.audit_log (event_type, event_source, details) VALUES (%s, %s, %s) "
            "RETURNING id",
            [event.event_type, event.event_source, json.dumps(event.details, default=str)],
        )
        row = cursor.fetchone()
        return row[0] if row else None


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _flat(pairs: Mapping[str, str | None]) -> list[str | None]:
    return [part for pair in pairs.items() for part in pair]
