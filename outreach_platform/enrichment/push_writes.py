"""What a push writes: merged rows into Neon, and into the workspace that they are there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, content_hash, source_hash
from outreach_platform.enrichment.rows import (
    STILL_COMPLETE,
    InvalidRow,
    WorkspaceRow,
    content_sql,
    version_sql,
)
from outreach_platform.enrichment.tables import Places, syncing
from outreach_platform.foundation.postgres.session import apply_rows
from outreach_platform.foundation.postgres.shape import NOW, kept, naive_utc, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_SWALLOWED = "Neon's table did not take the change: look for rules or triggers on it"


@dataclass(frozen=True)
class Pushed:
    """A row as both sides have it after the push."""

    row: WorkspaceRow
    source: InvalidRow
    content: Content


def update(
    cursor: Cursor, places: Places, pushed: Sequence[Pushed]
) -> tuple[list[Pushed], list[tuple[Pushed, str]]]:
    """Write merged rows into Neon, all in one statement, or those that the database takes.

    Returns:
        The rows as Neon has them now, and those that it refused, each with the reason.
    """
    if not pushed:
        return [], []
    shape = places.invalid_shape
    key = places.entity.key
    columns = [c for c in places.columns if c != key]
    about = {
        "pushed_hash": "text",
        "pushed_version": "timestamp",
        "pushed_edit": "text",
        "edited_at": shape["updated_at"].type,
        "enriched_at": shape["enriched_at"].type,
        "enriched_by": "text",
        "cleared_columns": "text[]",
    }
    source = recordset({**types_of(shape, [key, *columns]), **about})
    sets = ", ".join(f"{quote_identifier(c)} = v.{quote_identifier(c)}" for c in columns)
    statement = (
        f"UPDATE {places.invalid} t SET {sets}, enrichment_status = 'complete', "
        "enriched_at = v.enriched_at, enriched_by = v.enriched_by, "
        "pushed_hash = v.pushed_hash, pushed_version = v.pushed_version, "
        "pushed_edit = v.pushed_edit, cleared_columns = v.cleared_columns, "
        "still_invalid = false, passed_hash = NULL, "
        "updated_at = greatest(t.updated_at, v.edited_at) "
        f"FROM {source} WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
        f"RETURNING t.{quote_identifier(key)}, {content_sql(places.columns)}"
    )
    arrived: dict[str, Content] = {}

    def write(part: Sequence[Pushed]) -> None:
        cursor.execute(statement, [json.dumps([_values(places, each) for each in part])])
        arrived.update(cursor.fetchall())

    taken, refused = apply_rows(cursor, pushed, write)
    refused += [(each, _SWALLOWED) for each in taken if each.row.key not in arrived]
    # What Neon has made of it, not what we asked for: it may have triggers.
    return [
        replace(each, content=arrived[each.row.key]) for each in taken if each.row.key in arrived
    ], refused


def _values(places: Places, pushed: Pushed) -> dict:
    """What is written into Neon of one row."""
    row, shape = pushed.row, places.invalid_shape
    return {
        **pushed.content,
        places.entity.key: row.key,
        "pushed_hash": content_hash(places.columns, pushed.content),
        "pushed_version": str(row.version),
        "pushed_edit": content_hash(places.columns, row.content),
        "edited_at": _written(row.version, shape["updated_at"].type),
        "enriched_at": _written(row.enriched_at or row.version, shape["enriched_at"].type),
        "enriched_by": row.enriched_by,
        "cleared_columns": _cleared(pushed),
    }


def _cleared(pushed: Pushed) -> list[str]:
    """Columns that were emptied on purpose: a promotion empties them in the master, too."""
    cleared = set(pushed.source.cleared)
    for column, value in pushed.content.items():
        if (value or "").strip():
            cleared.discard(column)
        elif (pushed.source.content.get(column) or "").strip():
            cleared.add(column)
    return sorted(cleared)


def _written(moment: object, type_name: str) -> str:
    """A naive UTC time as the column's type reads it."""
    return f"{moment}+00" if "with time zone" in type_name else str(moment)


def mark(
    cursor: Cursor, places: Places, confirmed: Sequence[Pushed]
) -> tuple[set[str], list[tuple[Pushed, str]]]:
    """Mark rows as pushed that are as they were read.

    Returns:
        The keys of these, and the rows whose values from Neon the workspace refused.
    """
    syncing(cursor)
    shape = places.workspace_shape
    key = places.entity.key
    columns = [c for c in places.columns if c != key]
    types = {
        **types_of(shape, [key, *columns, "last_sync_hash", "pulled_content"]),
        "version": "timestamp",
        "read_content": "jsonb",
    }
    sets = ", ".join(f"{quote_identifier(c)} = v.{quote_identifier(c)}" for c in columns)
    moment = f"greatest({NOW}, {naive_utc(shape, 'updated_at', 't')})"
    statement = (
        f"UPDATE {places.workspace} t SET {sets}, pulled_content = v.pulled_content, "
        "last_sync_hash = v.last_sync_hash, sync_problem = NULL, "
        f"pushed_to_neon_at = {kept(shape, 'pushed_to_neon_at', moment)} "
        f"FROM {recordset(types)} "
        f"WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
        f"AND {version_sql(places)} = v.version "
        f"AND {content_sql(places.columns)} = v.read_content AND {STILL_COMPLETE} "
        f"RETURNING t.{quote_identifier(key)}"
    )
    marked: set[str] = set()

    def write(part: Sequence[Pushed]) -> None:
        cursor.execute(statement, [json.dumps([_marks(places, each) for each in part])])
        marked.update(name for (name,) in cursor.fetchall())

    _, refused = apply_rows(cursor, confirmed, write)
    return marked, refused


def _marks(places: Places, each: Pushed) -> dict:
    """What is written into the workspace of one row, and by what it is known as unchanged."""
    return {
        **each.content,
        places.entity.key: each.row.key,
        "pulled_content": each.content,
        "last_sync_hash": source_hash(
            *(places.columns, each.content, each.source.reason_code),
            *(each.source.errors, each.source.warnings),
        ),
        "version": str(each.row.version),
        "read_content": each.row.content,
    }
