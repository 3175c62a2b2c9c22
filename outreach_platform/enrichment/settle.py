"""Settle: what became of pushed rows in Neon, told to the workspace.

Revalidation and promotion write to Neon alone. This step reads there what was decided and brings it
to the enrichers: rejected rows become `failed` with their errors, promoted ones are stamped. It
decides from the tables, so that it heals whatever a killed run left undone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import errors_by_column
from outreach_platform.enrichment.rows import (
    COMPLETE,
    STILL_COMPLETE,
    InvalidRow,
    content_sql,
    read_invalid,
    version_sql,
)
from outreach_platform.enrichment.tables import HISTORY, Places, qualified, syncing
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import kept, naive_utc, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_SIZE = 500
_DELETED = "its invalid row was deleted in Neon after the push"
NO_SOURCE = "Neon has no invalid row of this id any more, so that nothing was pushed"
# What is over when the record fails validation again.
WITHOUT_SOURCE = (_DELETED, NO_SOURCE)
_STRANGE = "somebody gave its row in Neon another enrichment_status: set it to complete again"


@dataclass(frozen=True)
class Completed:
    """A completed row of the workspace, without its content."""

    id: int
    key: str
    version: datetime
    pushed_at: datetime | None


@dataclass(frozen=True)
class Standing:
    """How a record stands in Neon's invalid table, and which edit it carries."""

    status: str | None
    version: datetime | None


@dataclass(frozen=True)
class Promoted:
    """When a record left for the master, and which edit of the workspace it carried."""

    at: datetime
    version: datetime | None


@dataclass
class SettleReport:
    """What the workspace was told.

    Attributes:
        returned: rows that failed and went back to the enrichers.
        promoted: rows that were stamped.
        problems: rows that hang, a sentence each.
    """

    returned: int = 0
    promoted: int = 0
    problems: list[str] = field(default_factory=list)


def settle(neon: Session, workspace: Session, places: Places, *, schema: str) -> SettleReport:
    """Tell one entity's workspace what was decided in Neon.

    Raises:
        SourceError: a database is away or refuses; the next call goes on.
    """
    report = SettleReport()
    for rows in _completed(workspace, places):
        keys = [row.key for row in rows]
        standing, promoted = neon.run(
            lambda cursor, keys=keys: _decided(cursor, places, schema, keys)
        )
        rejected = [row.key for row in rows if _was_rejected(row, standing.get(row.key))]
        report.returned += _return(neon, workspace, places, rejected)
        gone = [r for r in rows if (p := promoted.get(r.key)) and p.version == r.version]
        report.promoted += _stamp(workspace, places, gone, promoted)
        hanging = [
            (row.key, row.version, said)
            for row in rows
            if (said := _hanging(row, standing.get(row.key), promoted))
        ]
        note_problems(workspace, places, hanging)
        report.problems += [f"{key}: {said}" for key, _, said in hanging]
    return report


def _completed(workspace: Session, places: Places) -> Iterator[list[Completed]]:
    """Completed rows in the order of their ids, a batch at a time."""
    shape = places.workspace_shape
    statement = (
        f"SELECT t.id, t.{quote_identifier(places.entity.key)}, "
        f"{version_sql(places)}, {naive_utc(shape, 'pushed_to_neon_at', 't')} "
        f"FROM {places.workspace} t WHERE {COMPLETE} AND t.id > %s ORDER BY t.id LIMIT %s"
    )

    def read(cursor: Cursor, after: int) -> list[Completed]:
        cursor.execute(statement, [after, _SIZE])
        return [Completed(*row) for row in cursor.fetchall()]

    last = 0
    while rows := workspace.run(lambda cursor, after=last: read(cursor, after)):
        yield rows
        last = rows[-1].id


def _decided(
    cursor: Cursor, places: Places, schema: str, keys: list[str]
) -> tuple[dict[str, Standing], dict[str, Promoted]]:
    """The records that Neon still has, and when those were promoted that it has not."""
    key = quote_identifier(places.entity.key)
    cursor.execute(
        f"SELECT t.{key}, t.enrichment_status, t.pushed_version FROM {places.invalid} t "
        f"WHERE t.{key} = ANY(%s)",
        [keys],
    )
    standing = {name: Standing(status, version) for name, status, version in cursor.fetchall()}
    gone = [name for name in keys if name not in standing]
    return standing, promotions(cursor, places, schema, gone) if gone else {}


def promotions(
    cursor: Cursor, places: Places, schema: str, keys: Sequence[str]
) -> dict[str, Promoted]:
    """The last promotion of each record that was promoted and not undone."""
    # A look at the index for each key: without statistics of a new table, the planner would read
    # all of it each time.
    cursor.execute(
        "SELECT k.name, h.at, h.version FROM unnest(%s::text[]) AS k(name) CROSS JOIN LATERAL ("
        "SELECT promoted_at AT TIME ZONE 'UTC' AS at, "
        "(invalid_row ->> 'pushed_version')::timestamp AS version "
        f"FROM {qualified(schema, HISTORY)} "
        "WHERE record_key = k.name AND entity = %s AND undone_at IS NULL "
        "ORDER BY id DESC LIMIT 1) h",
        [list(keys), places.entity.name],
    )
    return {key: Promoted(at, version) for key, at, version in cursor.fetchall()}


def _was_rejected(row: Completed, standing: Standing | None) -> bool:
    """Whether Neon judged this very version of a completed row, and refused it."""
    return (
        standing is not None
        and row.pushed_at is not None  # else the push marks it first
        and standing.version == row.version
        and standing.status == "failed"
    )


def _hanging(
    row: Completed, standing: Standing | None, promoted: dict[str, Promoted]
) -> str | None:
    if row.pushed_at is None or row.version > row.pushed_at:
        return None
    if standing is None:
        return None if row.key in promoted else _DELETED
    if standing.version != row.version or standing.status in ("complete", "failed"):
        return None
    return _STRANGE


def _return(neon: Session, workspace: Session, places: Places, keys: list[str]) -> int:
    """Give rejected rows back with their errors, as far as nobody has changed them since."""
    if not keys:
        return 0
    name = quote_identifier(places.entity.key)
    sources = neon.run(
        lambda cursor: read_invalid(
            cursor, places, f"t.{name} = ANY(%s) AND t.enrichment_status = 'failed'", [keys]
        )
    )
    return workspace.run(lambda cursor: _write_back(cursor, places, sources))


def _write_back(cursor: Cursor, places: Places, sources: Sequence[InvalidRow]) -> int:
    syncing(cursor)
    shape, key = places.workspace_shape, places.entity.key
    about = (
        *("original_validation_errors", "original_validation_warnings", "reason_code"),
        *("revalidation_attempts", "chronic"),
    )
    rows = [
        {
            key: source.key,
            "version": str(source.pushed_version),
            "original_validation_errors": errors_by_column(source.errors),
            "original_validation_warnings": errors_by_column(source.warnings),
            "reason_code": source.reason_code,
            "synced_as": source.synced_as(places.columns),
            "judged": source.content,
            "revalidation_attempts": source.attempts,
            "chronic": source.chronic,
        }
        for source in sources
    ]
    types = {
        **types_of(shape, [key, *about]),
        "version": "timestamp",
        "synced_as": "text",
        "judged": "jsonb",
    }
    # What the source has changed since the push, the next pull merges.
    cursor.execute(
        f"UPDATE {places.workspace} t SET enrichment_status = 'failed', sync_problem = NULL, "
        "last_sync_hash = CASE WHEN t.pulled_content = v.judged THEN v.synced_as END, "
        + ", ".join(f"{name} = v.{name}" for name in about)
        + f" FROM {recordset(types)} "
        f"WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
        f"AND {_untouched(places)} AND {STILL_COMPLETE}",
        [json.dumps(rows)],
    )
    return cursor.rowcount


def _stamp(
    workspace: Session, places: Places, gone: Sequence[Completed], promoted: dict[str, Promoted]
) -> int:
    """Stamp rows that were promoted as they stand there."""
    if not gone:
        return 0
    shape, key = places.workspace_shape, quote_identifier(places.entity.key)
    rows = [
        {"key": row.key, "at": str(promoted[row.key].at), "version": str(row.version)}
        for row in gone
    ]
    moment = kept(shape, "promoted_at", "v.at")
    types = {"key": "text", "at": "timestamp", "version": "timestamp"}
    statement = (
        f"UPDATE {places.workspace} t SET promoted_at = {moment}, sync_problem = NULL "
        f"FROM {recordset(types)} WHERE t.{key} = v.key AND {_untouched(places)}"
    )

    def write(cursor: Cursor) -> int:
        syncing(cursor)
        cursor.execute(statement, [json.dumps(rows)])
        return cursor.rowcount

    return workspace.run(write)


def _untouched(places: Places) -> str:
    """The condition of rows that are as they were read and as they were pushed.

    The content is compared as well: somebody may have dropped the trigger that moves the version.
    """
    content = content_sql(places.columns)
    return (
        f"{version_sql(places)} = v.version "
        f"AND (t.pushed_to_neon_at IS NULL OR t.pulled_content = {content})"
    )


def note_problems(
    workspace: Session, places: Places, problems: Sequence[tuple[str, datetime, str]]
) -> None:
    """Write beside rows why they cannot go on, unless somebody has changed them meanwhile.

    Args:
        workspace: the enrichers' database.
        places: the entity's tables.
        problems: key, version and a sentence.
    """
    if not problems:
        return
    key = quote_identifier(places.entity.key)
    rows = [{"key": name, "version": str(at), "said": said} for name, at, said in problems]

    def write(cursor: Cursor) -> None:
        syncing(cursor)
        cursor.execute(
            f"UPDATE {places.workspace} t SET sync_problem = v.said "
            f"FROM {recordset({'key': 'text', 'version': 'timestamp', 'said': 'text'})} "
            f"WHERE t.{key} = v.key "
            f"AND {version_sql(places)} = v.version",
            [json.dumps(rows)],
        )

    workspace.run(write)
