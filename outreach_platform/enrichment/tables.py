"""The tables of the wing, made where they are missing, and what each of them turned out to be.

Real deployments have some of the tables and columns, made by other hands. Every statement is given
only where something is missing, under a transaction-scoped lock, so that a user without the right
to alter tables can work with tables that are complete.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import ENTITIES, STATUSES, Entity
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import Shape, clock, shape_of
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

WORKSPACE_SCHEMA = "public"
HISTORY = "promotion_history"
CONFLICTS = "enrichment_conflicts"
VALIDATION_LOG = "public.shq_validation_log"

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('outreach enrichment tables'))"
_UTC = "(now() AT TIME ZONE 'UTC')"

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
    "passed_hash": "text",
    "passed_rules": "text",
    "cleared_columns": "text[]",
}
_WORKSPACE_TAIL = {
    "original_validation_errors": "jsonb",
    "original_validation_warnings": "jsonb",
    "reason_code": "text",
    "enrichment_status": "text DEFAULT 'pending'",
    "enrichment_notes": "text",
    "enriched_by": "text",
    "enriched_at": "timestamp",
    "pulled_from_neon_at": f"timestamp DEFAULT {_UTC}",
    "pushed_to_neon_at": "timestamp",
    "last_sync_hash": "text",
    "created_at": f"timestamp DEFAULT {_UTC}",
    "updated_at": f"timestamp DEFAULT {_UTC}",
    "pulled_content": "jsonb",
    "promoted_at": "timestamp",
    "sync_problem": "text",
    "revalidation_attempts": "integer DEFAULT 0",
    "chronic": "boolean DEFAULT false",
    "edit_history": "jsonb DEFAULT '[]'",
}
_INVALID_NEEDS = ("id", "reason_code", "validation_errors", "validation_warnings", "updated_at")


@dataclass(frozen=True)
class Places:
    """Where one entity's three tables stand, and what they are made of.

    Attributes:
        entity: whose.
        invalid, workspace, master: quoted names with their schemas.
        invalid_shape, workspace_shape, master_shape: their columns.
        columns: the data columns that both the invalid table and the workspace have.
    """

    entity: Entity
    invalid: str
    workspace: str
    master: str
    invalid_shape: Shape
    workspace_shape: Shape
    master_shape: Shape

    @property
    def columns(self) -> tuple[str, ...]:
        """The data columns that are there on both sides, in their order."""
        return tuple(c for c in self.entity.columns if c in self.invalid_shape)


def places_of(
    schema: str, neon: Mapping[str, tuple[Shape, Shape]], workspace: Mapping[str, Shape]
) -> dict[str, Places]:
    """The places of each entity by its name, from what the two `prepare_` functions found."""
    return {
        entity.name: Places(
            entity=entity,
            invalid=qualified(schema, entity.invalid),
            workspace=qualified(WORKSPACE_SCHEMA, entity.workspace),
            master=qualified(schema, entity.master),
            invalid_shape=neon[entity.name][0],
            workspace_shape=workspace[entity.name],
            master_shape=neon[entity.name][1],
        )
        for entity in ENTITIES
    }


def qualified(schema: str, table: str) -> str:
    """A table's quoted name with its schema."""
    return f"{quote_identifier(schema)}.{quote_identifier(table)}"


def prepare_neon(cursor: Cursor, schema: str) -> dict[str, tuple[Shape, Shape]]:
    """Add to Neon what is missing; returns by entity the shapes of its invalid and master table.

    Raises:
        SourceError: a table that only the owner of the data can make is missing.
    """
    cursor.execute(_LOCK)
    found: dict[str, tuple[Shape, Shape]] = {}
    for entity in ENTITIES:
        invalid = _needed(cursor, schema, entity.invalid, (entity.key, *_INVALID_NEEDS))
        _add_columns(cursor, schema, entity.invalid, invalid, _INVALID_COLUMNS)
        master = _needed(cursor, schema, entity.master, (entity.key,))
        found[entity.name] = shape_of(cursor, schema, entity.invalid), master
    _make_slots(cursor, schema)
    _make_logs(cursor, schema)
    return found


def prepare_workspace(cursor: Cursor) -> dict[str, Shape]:
    """Make the workspace's tables, columns, indexes and triggers where missing; their shapes."""
    cursor.execute(_LOCK)
    shapes: dict[str, Shape] = {}
    for entity in ENTITIES:
        columns = {**_workspace_head(entity), **_WORKSPACE_TAIL}
        shape = shape_of(cursor, WORKSPACE_SCHEMA, entity.workspace)
        table = qualified(WORKSPACE_SCHEMA, entity.workspace)
        if not shape:
            cursor.execute(f"CREATE TABLE {table} ({_listed(columns)}, {_check()})")
        elif entity.key not in shape:
            raise SourceError(
                f"{entity.workspace} has no column {entity.key}: rename that table, or add the "
                "column and make it unique"
            )
        else:
            _add_columns(cursor, WORKSPACE_SCHEMA, entity.workspace, shape, columns)
        shapes[entity.name] = shape_of(cursor, WORKSPACE_SCHEMA, entity.workspace)
        _make_indexes(cursor, entity)
        _make_trigger(cursor, entity, shapes[entity.name])
    return shapes


def _workspace_head(entity: Entity) -> dict[str, str]:
    return {
        "id": "bigserial PRIMARY KEY",
        "neon_id": "bigint",
        entity.key: "text NOT NULL UNIQUE",
        "source_batch_id": "text",
        **entity.types,
    }


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns.items())


def _check() -> str:
    known = ", ".join(quote_text(status) for status in STATUSES)
    return f"CHECK (enrichment_status IN ({known}))"


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


def _add_columns(
    cursor: Cursor, schema: str, table: str, shape: Shape, columns: Mapping[str, str]
) -> None:
    missing = {name: kind for name, kind in columns.items() if name not in shape}
    if missing:
        added = ", ".join(f"ADD COLUMN {quote_identifier(n)} {k}" for n, k in missing.items())
        cursor.execute(f"ALTER TABLE {qualified(schema, table)} {added}")


def _make_indexes(cursor: Cursor, entity: Entity) -> None:
    table = qualified(WORKSPACE_SCHEMA, entity.workspace)
    indexes = {
        f"{entity.workspace}_status": ("enrichment_status",),
        f"{entity.workspace}_key": (entity.key,),
        f"{entity.workspace}_status_pushed": ("enrichment_status", "pushed_to_neon_at"),
    }
    present = _indexed(cursor, entity.workspace)
    for name, columns in indexes.items():
        if columns not in present:
            listed = ", ".join(map(quote_identifier, columns))
            cursor.execute(
                f"CREATE INDEX IF NOT EXISTS {quote_identifier(name)} ON {table} ({listed})"
            )
    if not _unique(cursor, entity.workspace, entity.key):
        raise SourceError(
            f"{entity.workspace}.{entity.key} is not unique, so that a record could be pulled "
            f"twice: remove doubled rows and add UNIQUE ({entity.key})"
        )


def _indexed(cursor: Cursor, table: str) -> set[tuple[str, ...]]:
    cursor.execute(
        "SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_index i "
        "CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indrelid = to_regclass(%s) AND i.indpred IS NULL GROUP BY i.indexrelid",
        [qualified(WORKSPACE_SCHEMA, table)],
    )
    return {tuple(columns) for (columns,) in cursor.fetchall()}


def _unique(cursor: Cursor, table: str, key: str) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass(%s) AND i.indisunique "
        "AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = %s)",
        [qualified(WORKSPACE_SCHEMA, table), key],
    )
    return bool(one(cursor)[0])


def _make_trigger(cursor: Cursor, entity: Entity, shape: Shape) -> None:
    """A trigger that moves updated_at on every change but our own, which say so.

    It never sets a time that is not after the row's last change and last push, however the clock
    runs, and takes back what we noted as a problem of the row's former content.
    """
    name = f"{entity.workspace}_touch"
    moment = clock(shape, "updated_at")
    body = f"""
    BEGIN
        IF current_setting('outreach.syncing', true) = 'on' THEN RETURN NEW; END IF;
        NEW.updated_at := greatest(
            {moment},
            OLD.updated_at + interval '1 microsecond',
            OLD.pushed_to_neon_at + interval '1 microsecond');
        NEW.sync_problem := NULL;
        RETURN NEW;
    END
    """
    cursor.execute(
        "SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE t.tgrelid = to_regclass(%s) AND t.tgname = %s",
        [qualified(WORKSPACE_SCHEMA, entity.workspace), name],
    )
    row = cursor.fetchone()
    if row is not None and row[0] == body:
        return
    function = qualified(WORKSPACE_SCHEMA, name)
    table = qualified(WORKSPACE_SCHEMA, entity.workspace)
    cursor.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"{quote_text(body)}"
    )
    if row is None:
        cursor.execute(
            f"CREATE TRIGGER {quote_identifier(name)} BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def syncing(cursor: Cursor) -> None:
    """Say to the triggers that this transaction's changes are ours and not an enricher's."""
    cursor.execute("SELECT set_config('outreach.syncing', 'on', true)")


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
            (("record_key",), ("run_id",)),
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


def one(cursor: Cursor) -> tuple:
    """The only row of a statement that always has one."""
    row = cursor.fetchone()
    if row is None:
        raise AssertionError("the statement has a row")
    return row


def rows_as_dicts(cursor: Cursor) -> Iterable[dict]:
    """The rows of the statement, by column name."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
