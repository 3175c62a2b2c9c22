"""The workspace's tables, made where they are missing, and where each entity's tables stand.

Real deployments have some of the tables and columns, made by other hands. Every statement is given
only where something is missing, under a transaction-scoped lock, so that a user without the right
to alter tables can work with tables that are complete.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import ENTITIES, STATUSES, Entity
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import NOW, Shape, kept, naive_utc, shape_of
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

WORKSPACE_SCHEMA = "public"
HISTORY = "promotion_history"
CONFLICTS = "enrichment_conflicts"
VALIDATION_LOG = "public.shq_validation_log"

LOCK = "SELECT pg_advisory_xact_lock(hashtext('outreach enrichment tables'))"
_UTC = "(now() AT TIME ZONE 'UTC')"

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

    @cached_property
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


def prepare_workspace(cursor: Cursor) -> dict[str, Shape]:
    """Make the workspace's tables, columns, indexes and triggers where missing; their shapes."""
    cursor.execute(LOCK)
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
            add_columns(cursor, WORKSPACE_SCHEMA, entity.workspace, shape, columns)
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


def add_columns(
    cursor: Cursor, schema: str, table: str, shape: Shape, columns: Mapping[str, str]
) -> None:
    """Add the columns that a table lacks."""
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
    add_partial_index(
        *(cursor, WORKSPACE_SCHEMA, entity.workspace, f"{entity.workspace}_complete"),
        "enrichment_status = 'complete' AND promoted_at IS NULL",
    )
    if not _unique(cursor, entity.workspace, entity.key):
        raise SourceError(
            f"{entity.workspace}.{entity.key} is not unique, so that a record could be pulled "
            f"twice: remove doubled rows and add UNIQUE ({entity.key})"
        )


def add_partial_index(cursor: Cursor, schema: str, table: str, name: str, condition: str) -> None:
    """An index of the rows that batches look for, in the order in which they take them.

    Statistics are behind while a bulk edit is fresh; without it every batch would read the table.
    """
    cursor.execute("SELECT to_regclass(%s)", [qualified(schema, name)])
    if one(cursor)[0] is None:
        cursor.execute(
            f"CREATE INDEX {quote_identifier(name)} ON {qualified(schema, table)} (id) "
            f"WHERE {condition}"
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
        "AND i.indisvalid AND i.indimmediate "
        "AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = %s)",
        [qualified(WORKSPACE_SCHEMA, table), key],
    )
    return bool(one(cursor)[0])


def _make_trigger(cursor: Cursor, entity: Entity, shape: Shape) -> None:
    """A trigger that moves updated_at on every change but our own, which say so.

    It never sets a time that is not after the row's last change and last push, however the clock
    runs, and takes back what we noted as a problem of the row's former content. An edit that is
    overwritten by another, two people at one row for example, goes to edit_history.
    It is named so that it fires last: tables of other hands often have a trigger that moves
    updated_at whoever writes, and a version that our own marks moved would match no push. Only a
    record that is reopened gets a new one from us.
    """
    name = f"{entity.workspace}_touch"
    updated, pushed = (naive_utc(shape, c, "OLD") for c in ("updated_at", "pushed_to_neon_at"))
    moment = (
        f"greatest({NOW}, {updated} + interval '1 microsecond', "
        f"{pushed} + interval '1 microsecond')"
    )
    columns = [column for column in entity.columns if column in shape]
    before, after = content_sql(columns, "OLD"), content_sql(columns, "NEW")
    body = f"""
    BEGIN
        IF current_setting('outreach.syncing', true) = 'keep' THEN
            IF OLD.promoted_at IS NULL OR NEW.promoted_at IS NOT NULL
                OR NEW.enrichment_status IS DISTINCT FROM 'pending' THEN
                NEW.updated_at := OLD.updated_at;
            END IF;
            RETURN NEW;
        END IF;
        IF current_setting('outreach.syncing', true) = 'on' THEN RETURN NEW; END IF;
        IF {before} <> {after}
            AND coalesce(NOT OLD.pulled_content @> {before}, true) THEN
            NEW.edit_history := coalesce(OLD.edit_history, '[]') || jsonb_build_object(
                'content', {before}, 'status', OLD.enrichment_status,
                'enriched_by', OLD.enriched_by, 'updated_at', OLD.updated_at);
        END IF;
        NEW.updated_at := {kept(shape, "updated_at", moment)};
        NEW.sync_problem := NULL;
        RETURN NEW;
    END
    """
    cursor.execute(
        "SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE t.tgrelid = to_regclass(%s) AND t.tgname = %s",
        [qualified(WORKSPACE_SCHEMA, entity.workspace), f"zz_{name}"],
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
            f"CREATE TRIGGER {quote_identifier(f'zz_{name}')} BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def content_sql(columns: Sequence[str], table: str = "t") -> str:
    """The data columns of a row as one JSON object of texts."""
    pairs = ", ".join(f"{quote_text(c)}, {table}.{quote_identifier(c)}::text" for c in columns)
    return f"jsonb_build_object({pairs})"


def syncing(cursor: Cursor) -> None:
    """Say to the triggers that this transaction's changes are ours and not an enricher's."""
    cursor.execute("SELECT set_config('outreach.syncing', 'keep', true)")


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
