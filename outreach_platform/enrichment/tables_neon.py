"""What the wing needs in Neon, made where it is missing: columns, slots, history and logs."""

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import ENTITIES
from outreach_platform.enrichment.tables import (
    CONFLICTS,
    HISTORY,
    LOCK,
    add_columns,
    add_partial_index,
    one,
    qualified,
)
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import Shape, shape_of
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

# What no DDL of the predecessors creates, and what makes a round trip safe.
_INVALID_COLUMNS = {
    "enrichment_status": "text",
    "enriched_at": "timestamp",
    "enriched_by": "text",
    "still_invalid": "boolean DEFAULT false",
    "revalidated_at": "timestamp",
    "revalidation_attempts": "integer DEFAULT 0",
    "chronic": "boolean DEFAULT false",
    "pushed_hash": "text",
    "pushed_version": "timestamp",
    "pushed_edit": "text",
    "passed_hash": "text",
    "passed_rules": "text",
    "cleared_columns": "text[]",
}
_INVALID_NEEDS = ("id", "reason_code", "validation_errors", "validation_warnings", "updated_at")


def prepare_neon(cursor: Cursor, schema: str) -> dict[str, tuple[Shape, Shape]]:
    """Add to Neon what is missing; returns by entity the shapes of its invalid and master table.

    Raises:
        SourceError: a table that only the owner of the data can make is missing.
    """
    cursor.execute(LOCK)
    found: dict[str, tuple[Shape, Shape]] = {}
    for entity in ENTITIES:
        invalid = _needed(cursor, schema, entity.invalid, (entity.key, *_INVALID_NEEDS))
        add_columns(cursor, schema, entity.invalid, invalid, _INVALID_COLUMNS)
        add_partial_index(
            *(cursor, schema, entity.invalid, f"{entity.invalid}_complete"),
            "enrichment_status = 'complete'",
        )
        master = _needed(cursor, schema, entity.master, (entity.key,))
        found[entity.name] = shape_of(cursor, schema, entity.invalid), master
    _make_slots(cursor, schema)
    _make_logs(cursor, schema)
    return found


def _needed(cursor: Cursor, schema: str, table: str, columns: Sequence[str]) -> Shape:
    shape = shape_of(cursor, schema, table)
    if not shape:
        raise SourceError(
            f"there is no table {schema}.{table}: enrichment starts from it; make it, or name its "
            "schema in settings.toml under pull.schema_name"
        )
    missing = [name for name in columns if name not in shape]
    if missing:
        raise SourceError(f"{schema}.{table} lacks {', '.join(missing)}: add what is missing")
    return shape


def _make_slots(cursor: Cursor, schema: str) -> None:
    if not shape_of(cursor, schema, "company_slot"):
        cursor.execute(
            f"CREATE TABLE {qualified(schema, 'company_slot')} ("
            "company_slot_unique_id text PRIMARY KEY, company_unique_id text NOT NULL, "
            "person_unique_id text, slot_type text NOT NULL "
            "CHECK (slot_type IN ('CEO', 'CFO', 'HR')), is_filled boolean DEFAULT false, "
            "confidence_score numeric(3, 2), created_at timestamptz DEFAULT now(), "
            "filled_at timestamptz, last_refreshed_at timestamptz, filled_by text, "
            "source_system text, UNIQUE (company_unique_id, slot_type))"
        )
    sequence = qualified(schema, "company_slot_number")
    cursor.execute("SELECT to_regclass(%s)", [sequence])
    if one(cursor)[0] is None:
        # New numbers begin behind all that stand: their place in the id is the fifth part.
        cursor.execute(f"CREATE SEQUENCE {sequence}")
        cursor.execute(
            f"SELECT setval({quote_text(sequence)}, 1 + coalesce(max("
            "split_part(company_slot_unique_id, '.', 5)::bigint), 0), false) "
            f"FROM {qualified(schema, 'company_slot')} "
            "WHERE split_part(company_slot_unique_id, '.', 5) ~ '^[0-9]{1,15}$'"
        )


def _make_logs(cursor: Cursor, schema: str) -> None:
    tables = {
        (schema, HISTORY): (
            "id bigserial PRIMARY KEY, run_id text NOT NULL, entity text NOT NULL, "
            "record_key text NOT NULL, neon_id bigint NOT NULL, promoted_at timestamptz NOT NULL "
            "DEFAULT now(), invalid_row jsonb NOT NULL, master_before jsonb, master_after jsonb "
            "NOT NULL, slot_before jsonb, slot_after jsonb, undone_at timestamptz",
            (("record_key", "id"), ("run_id",)),
        ),
        (schema, CONFLICTS): (
            "id bigserial PRIMARY KEY, run_id text NOT NULL, entity text NOT NULL, "
            "record_key text NOT NULL, column_name text NOT NULL, pulled_value text, "
            "workspace_value text, neon_value text, winner text NOT NULL, "
            "workspace_updated_at timestamp, neon_updated_at timestamp, "
            "logged_at timestamptz NOT NULL DEFAULT now()",
            (("record_key",),),
        ),
        ("public", "shq_validation_log"): (
            "validation_run_id text PRIMARY KEY, source_table text NOT NULL, "
            "target_table text NOT NULL, total_records integer, passed_records integer, "
            "failed_records integer, executed_by text, executed_at timestamptz DEFAULT now(), "
            "notes text",
            (),
        ),
    }
    for (place, table), (columns, indexes) in tables.items():
        if shape_of(cursor, place, table):
            continue
        cursor.execute(f"CREATE TABLE {qualified(place, table)} ({columns})")
        for index in indexes:
            listed = ", ".join(map(quote_identifier, index))
            cursor.execute(f"CREATE INDEX ON {qualified(place, table)} ({listed})")
