"""`shq.audit_log`: one row for every outcome, written once, made if missing.

A row that cannot be written because the database is away is kept in a spool folder and written by
the next run, so that no outcome goes unrecorded. The table may exist already; one of another shape
is refused instead of half used.
"""

import json
import logging
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from outreach_platform.foundation.errors import (
    IntegrityError,
    SourceError,
    SourceUnavailableError,
)
from outreach_platform.foundation.lake import Record, read_record, write_record
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl

# CREATE … IF NOT EXISTS asks for the privilege even where nothing is to be made, and two runs that
# make it at once collide; hence the look first and the transaction-scoped lock.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('shq.audit_log'))"
_COLUMNS = {
    "id": ("integer", "bigint"),
    "event_type": ("character varying", "text"),
    "event_source": ("character varying", "text"),
    "details": ("jsonb", "json"),
    "created_at": ("timestamp with time zone", "timestamp without time zone"),
}
# What PostgreSQL calls its own; information_schema shows a table only to those with a right to it.
_SHAPE = """
SELECT a.attname::text, format_type(a.atttypid, NULL),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'shq' AND c.relname = 'audit_log' AND a.attnum > 0 AND NOT a.attisdropped
"""
_DAMAGED = ".damaged"
_DDL = """
CREATE TABLE shq.audit_log (
    id serial PRIMARY KEY,
    event_type varchar(255) NOT NULL,
    event_source varchar(255) NOT NULL,
    details jsonb,
    created_at timestamptz DEFAULT now()
)
"""

_logger = logging.getLogger(__name__)


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
        return insert_event(connection, event)


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
    """Keep a row for `flush_spool`.

    Raises:
        OutreachError: the disk is full, or the folder refuses.
    """
    kept = event.model_copy(update={"details": _storable(event.details)})
    write_record(folder / f"{os.getpid()}-{uuid.uuid4().hex}.json", kept)


def flush_spool(url: DatabaseUrl, folder: Path) -> int:
    """Write every spooled row; returns how many.

    A row that is refused stays and is tried again next time; a damaged file is put aside under
    another name. Neither keeps the others waiting. Several processes may do this at once.
    """
    written = 0
    for path in sorted(folder.glob("*.json")):
        try:
            write_event(url, read_record(path, AuditEvent))
        except FileNotFoundError:
            continue  # another process was faster
        except IntegrityError as error:
            _logger.warning("an audit row is lost: %s", error)
            path.replace(path.with_name(path.name + _DAMAGED))
            continue
        except SourceUnavailableError:
            return written
        except SourceError as error:
            _logger.warning("the audit row %s waits: %s", path, error)
            continue
        path.unlink(missing_ok=True)
        written += 1
    return written


def ensure_table(connection: Connection) -> None:
    """Make `shq.audit_log` where it is missing.

    Raises:
        SourceError: a table of another shape stands there, or the user may not make one.
    """
    shape = _existing_shape(connection)
    if not shape:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
            shape = _existing_shape(connection)
            if not shape:
                cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'shq'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE SCHEMA shq")
                cursor.execute(_DDL)
                return
    wrong = [
        f"{name} should be {types[0]}"
        for name, types in _COLUMNS.items()
        if name not in shape or shape[name][0] not in types
    ]
    # event_type and the like are given with each row; what else must be filled, nobody fills.
    given = ("event_type", "event_source", "details")
    wrong += [
        f"{name} has no default"
        for name, (_, needed) in shape.items()
        if needed and name not in given
    ]
    if wrong:
        raise SourceError(
            f"shq.audit_log exists with another shape: {', '.join(wrong)}; rename that table or "
            "alter it"
        )


def _existing_shape(connection: Connection) -> dict[str, tuple[str, bool]]:
    """Columns of the table: type, and whether each insert has to give a value."""
    with connection.cursor() as cursor:
        cursor.execute(_SHAPE)
        return {name: (type_name, needed) for name, type_name, needed in cursor.fetchall()}


def insert_event(connection: Connection, event: AuditEvent) -> int | None:
    """Write the row in the caller's transaction; the table must be there. Returns its id."""
    details = _storable(event.details)
    named = [(key, json.dumps(details.get(key))) for key in event.identity]
    with connection.cursor() as cursor:
        if named:
            # Two processes may bring the same row at once: one waits for the other's commit.
            name = json.dumps([event.event_type, event.event_source, named])
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            same = " AND coalesce(details::jsonb -> %s, 'null') = %s::jsonb" * len(named)
            cursor.execute(
                "SELECT id FROM shq.audit_log WHERE event_type = %s AND event_source = %s"
                f"{same} ORDER BY id LIMIT 1",
                [event.event_type, event.event_source, *(part for pair in named for part in pair)],
            )
            if row := cursor.fetchone():
                return row[0]
        cursor.execute(
            "INSERT INTO shq.audit_log (event_type, event_source, details) VALUES (%s, %s, %s) "
            "RETURNING id",
            [event.event_type, event.event_source, json.dumps(details)],
        )
        row = cursor.fetchone()
        return row[0] if row else None


def _storable(value: Any) -> Any:
    """The value as jsonb takes it: no NaN, no NUL, no lone surrogate."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(inner) for key, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [_storable(inner) for inner in value]
    return _storable(str(value))
