"""Settle: what became of pushed rows in Neon, told to the workspace.

Revalidation and promotion write to Neon alone. This step reads there what was decided and brings it
to the enrichers: rejected rows become `failed` with their errors, promoted ones are stamped. It
decides from the tables, so that it heals whatever a killed run left undone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import errors_by_column
from outreach_platform.enrichment.rows import (
    COMPLETE,
    InvalidRow,
    WorkspaceRow,
    content_sql,
    read_invalid,
    workspace_batches,
)
from outreach_platform.enrichment.tables import HISTORY, Places, qualified, syncing
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import naive_utc, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_SIZE = 500
_DELETED = "its invalid row was deleted in Neon after the push"
_STRANGE = "somebody gave its row in Neon another enrichment_status: set it to complete again"


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
    for rows in workspace_batches(workspace, places, COMPLETE, _SIZE):
        sources, promoted = neon.run(
            lambda cursor, keys=[row.key for row in rows]: _decided(cursor, places, schema, keys)
        )
        failed = [(r, s) for r in rows if (s := sources.get(r.key)) and _was_rejected(r, s)]
        gone = [(r, p.at) for r in rows if (p := promoted.get(r.key)) and p.version == r.version]
        if failed or gone:
            returned, stamped = workspace.run(
                lambda cursor, failed=failed, gone=gone: (
                    _return(cursor, places, failed),
                    _stamp(cursor, places, gone),
                )
            )
            report.returned += returned
            report.promoted += stamped
        problems = [p for row in rows if (p := _hanging(row, sources.get(row.key), promoted))]
        note_problems(workspace, places, problems)
        report.problems += [f"{row.key}: {said}" for row, said in problems]
    return report


def _decided(
    cursor: Cursor, places: Places, schema: str, keys: list[str]
) -> tuple[dict[str, InvalidRow], dict[str, Promoted]]:
    """The rows that Neon still has, and when those were promoted that it has not."""
    key = quote_identifier(places.entity.key)
    found = read_invalid(cursor, places, f"t.{key} = ANY(%s)", [keys])
    sources = {row.key: row for row in found}
    gone = [name for name in keys if name not in sources]
    if not gone:
        return sources, {}
    return sources, promotions(cursor, places, schema, gone)


def promotions(
    cursor: Cursor, places: Places, schema: str, keys: Sequence[str]
) -> dict[str, Promoted]:
    """The last promotion of each record that was promoted and not undone."""
    cursor.execute(
        "SELECT DISTINCT ON (record_key) record_key, promoted_at AT TIME ZONE 'UTC', "
        "(invalid_row ->> 'pushed_version')::timestamp "
        f"FROM {qualified(schema, HISTORY)} "
        "WHERE entity = %s AND undone_at IS NULL AND record_key = ANY(%s) "
        "ORDER BY record_key, id DESC",
        [places.entity.name, list(keys)],
    )
    return {key: Promoted(at, version) for key, at, version in cursor.fetchall()}


def _was_rejected(row: WorkspaceRow, source: InvalidRow) -> bool:
    """Whether Neon judged this very version of a completed row, and refused it."""
    return (
        row.status == "complete"
        and source.pushed_version == row.version
        and source.status == "failed"
    )


def _hanging(
    row: WorkspaceRow, source: InvalidRow | None, promoted: dict[str, Promoted]
) -> tuple[WorkspaceRow, str] | None:
    if row.status != "complete" or row.pushed_at is None or row.version > row.pushed_at:
        return None
    if source is None:
        return None if row.key in promoted else (row, _DELETED)
    if source.pushed_version != row.version or source.status in ("complete", "failed"):
        return None
    return row, _STRANGE


def _return(
    cursor: Cursor, places: Places, failed: Sequence[tuple[WorkspaceRow, InvalidRow]]
) -> int:
    """Give rejected rows back with their errors, as far as nobody has changed them since."""
    if not failed:
        return 0
    syncing(cursor)
    shape, key = places.workspace_shape, places.entity.key
    about = (
        *("original_validation_errors", "original_validation_warnings", "reason_code"),
        *("last_sync_hash", "pulled_content", "revalidation_attempts", "chronic"),
    )
    rows = [
        {
            key: row.key,
            "version": str(row.version),
            "read_content": row.content,
            "original_validation_errors": errors_by_column(source.errors),
            "original_validation_warnings": errors_by_column(source.warnings),
            "reason_code": source.reason_code,
            "last_sync_hash": source.synced_as(places.columns),
            "pulled_content": source.content,
            "revalidation_attempts": source.attempts,
            "chronic": source.chronic,
        }
        for row, source in failed
    ]
    types = {**types_of(shape, [key, *about]), "version": "timestamp", "read_content": "jsonb"}
    cursor.execute(
        f"UPDATE {places.workspace} t SET enrichment_status = 'failed', sync_problem = NULL, "
        + ", ".join(f"{name} = v.{name}" for name in about)
        + f" FROM {recordset(types)} WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
        f"AND {_as_read(places)} AND t.enrichment_status = 'complete'",
        [json.dumps(rows)],
    )
    return cursor.rowcount


def _stamp(
    cursor: Cursor, places: Places, promoted: Sequence[tuple[WorkspaceRow, datetime]]
) -> int:
    """Stamp rows that were promoted as they stand there."""
    if not promoted:
        return 0
    syncing(cursor)
    shape, key = places.workspace_shape, places.entity.key
    rows = [
        {
            "key": row.key,
            "at": f"{at}+00",
            "version": str(row.version),
            "read_content": row.content,
        }
        for row, at in promoted
    ]
    aware = "with time zone" in shape["promoted_at"].type
    moment = "v.at" if aware else "v.at AT TIME ZONE 'UTC'"
    types = {"key": "text", "at": "timestamptz", "version": "timestamp", "read_content": "jsonb"}
    cursor.execute(
        f"UPDATE {places.workspace} t SET promoted_at = {moment}, sync_problem = NULL "
        f"FROM {recordset(types)} WHERE t.{quote_identifier(key)} = v.key AND {_as_read(places)}",
        [json.dumps(rows)],
    )
    return cursor.rowcount


def _as_read(places: Places) -> str:
    version = naive_utc(places.workspace_shape, "updated_at", "t")
    return f"{version} = v.version AND {content_sql(places.columns)} = v.read_content"


def note_problems(
    workspace: Session, places: Places, problems: Sequence[tuple[WorkspaceRow, str]]
) -> None:
    """Write beside rows why they cannot go on, unless somebody has changed them meanwhile."""
    if not problems:
        return
    key = places.entity.key
    rows = [{"key": row.key, "version": str(row.version), "said": said} for row, said in problems]

    def write(cursor: Cursor) -> None:
        syncing(cursor)
        cursor.execute(
            f"UPDATE {places.workspace} t SET sync_problem = v.said "
            f"FROM {recordset({'key': 'text', 'version': 'timestamp', 'said': 'text'})} "
            f"WHERE t.{quote_identifier(key)} = v.key "
            f"AND {naive_utc(places.workspace_shape, 'updated_at', 't')} = v.version",
            [json.dumps(rows)],
        )

    workspace.run(write)
