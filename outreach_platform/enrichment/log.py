"""What each stage did, in `shq_validation_log`, and who won where two versions disagreed."""

import json
from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Conflict
from outreach_platform.enrichment.rows import InvalidRow, WorkspaceRow
from outreach_platform.enrichment.tables import CONFLICTS, VALIDATION_LOG, Places, qualified

EXECUTED_BY = "outreach_platform"


def log_stage(
    cursor: Cursor,
    places: Places,
    run_id: str,
    stage: str,
    *,
    source: str,
    target: str,
    passed: int,
    failed: int,
) -> None:
    """Add a batch to the stage's row; nothing for an empty batch.

    Each stage of a run has one row an entity, which grows in the transactions of its batches, so
    that it says at any time what is committed.
    """
    if not passed and not failed:
        return
    cursor.execute(
        f"INSERT INTO {VALIDATION_LOG} AS log (validation_run_id, source_table, target_table, "
        "total_records, passed_records, failed_records, executed_by, executed_at, notes) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s) "
        "ON CONFLICT (validation_run_id) DO UPDATE SET "
        "total_records = log.total_records + excluded.total_records, "
        "passed_records = log.passed_records + excluded.passed_records, "
        "failed_records = log.failed_records + excluded.failed_records, "
        "executed_at = excluded.executed_at",
        [
            f"{run_id}:{stage}:{places.entity.name}",
            *(source.replace('"', ""), target.replace('"', "")),
            *(passed + failed, passed, failed),
            *(EXECUTED_BY, f"enrichment {stage}"),
        ],
    )


def log_conflicts(
    cursor: Cursor,
    places: Places,
    schema: str,
    run_id: str,
    found: Sequence[tuple[WorkspaceRow, InvalidRow, Conflict]],
) -> None:
    """Keep both versions of every column on which workspace and Neon disagreed."""
    if not found:
        return
    rows = [
        {
            "record_key": row.key,
            "column_name": conflict.column,
            "pulled_value": conflict.base,
            "workspace_value": conflict.workspace,
            "neon_value": conflict.source,
            "winner": "workspace" if conflict.winner == "workspace" else "neon",
            "workspace_updated_at": _text(row.version),
            "neon_updated_at": _text(source.updated_at),
        }
        for row, source, conflict in found
    ]
    columns = ", ".join(rows[0])
    typed = ", ".join(f"{c} {'timestamp' if c.endswith('_at') else 'text'}" for c in rows[0])
    cursor.execute(
        f"INSERT INTO {qualified(schema, CONFLICTS)} (run_id, entity, {columns}) "
        f"SELECT %s, %s, {columns} FROM jsonb_to_recordset(%s::jsonb) AS v({typed})",
        [run_id, places.entity.name, json.dumps(rows)],
    )


def _text(moment: object) -> str | None:
    return None if moment is None else str(moment)
