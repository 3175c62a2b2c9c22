"""The events' source table: looked up under either name, and described.

Nothing is tried and caught: every difference from what is expected is named.
"""

import hashlib
import json
from dataclasses import dataclass

from outreach_platform.events.schema import COLUMNS, EventColumn
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.scan import SourceColumn, SourceSnapshot
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

TABLES = ("BehavioralEvent", "behavioral_events")
INTEGERS = ("smallint", "integer", "bigint")
JSON = ("json", "jsonb")
# As pg_type names them.
_SCANNED = (
    *("int2", "int4", "int8", "json", "jsonb"),
    *("text", "varchar", "timestamp", "timestamptz"),
)


@dataclass(frozen=True)
class SourceTable:
    """The table that holds the events.

    Attributes:
        schema: its schema.
        name: its name, one of `TABLES`.
        columns: all of its columns.
        kind: PostgreSQL's relkind: `r` table, `p` partitioned, `v` view, `f` foreign.
        scannable: whether all columns we read have types that a scan of the whole table brings as
            the server itself would write them.
        unique_id: whether the source itself keeps ids unique: a valid index on `id` alone, over all
            rows.
        estimated_rows: the planner's estimate for the whole table, 0 where unknown.
        notices: what a user should know of its shape, one sentence each.
    """

    schema: str
    name: str
    columns: tuple[SourceColumn, ...]
    kind: str
    scannable: bool
    unique_id: bool
    estimated_rows: int
    notices: tuple[str, ...]

    @property
    def qualified(self) -> str:
        """Schema and name, quoted."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @property
    def signature(self) -> str:
        """Names the columns we read: a day taken before one of them came is not what it would be.

        A column added with a default changes rows without writing them anew.
        """
        ours = {column.name for column in COLUMNS}
        listed = sorted((c.name, c.type) for c in self.columns if c.name in ours)
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]

    @property
    def has_versions(self) -> bool:
        """Whether rows carry the transaction that wrote them; those of a view do not."""
        return self.kind in ("r", "p")

    @property
    def is_aware(self) -> bool:
        """Whether times come with a time zone."""
        return "with time zone" in (self.type_of("timestamp") or "")

    def type_of(self, name: str) -> str | None:
        """A column's type as format_type() writes it, None where there is no such column."""
        return next((column.type for column in self.columns if column.name == name), None)


def find_table(snapshot: SourceSnapshot, schema: str | None, where: str) -> SourceTable:
    """Look the events' table up under either name.

    Args:
        snapshot: the open transaction.
        schema: the only schema to look in, None for all that the user sees, `public` first.
        where: the database, for messages.

    Raises:
        SourceError: there is none, several might be meant, or its columns cannot be read as events.
    """
    found = _visible(snapshot, schema)
    if not found:
        place = f"schema {schema}" if schema else "any schema"
        raise SourceError(
            f"{where} has no table {' or '.join(TABLES)} in {place} that this user may read: check "
            "DATABASE_URL and its schema=, or GRANT SELECT on the table"
        )
    home = "public" if any(s == "public" for s, _ in found) else found[0][0]
    if home != "public" and len({s for s, _ in found}) > 1:
        raise SourceError(
            f"{where} has events in the schemas {', '.join(sorted({s for s, _ in found}))}: name "
            "one with schema= in DATABASE_URL"
        )
    names = [name for s, name in found if s == home]
    name = next(name for name in TABLES if name in names)
    columns = tuple(snapshot.columns(home, name))
    notices = _shape_notices(home, name, columns, where)
    if len(names) > 1:
        notices.insert(0, f"{home} has both {' and '.join(TABLES)}; {name} is read")
    kind, scannable, unique, estimate = _facts(snapshot, home, name)
    return SourceTable(home, name, columns, kind, scannable, unique, estimate, tuple(notices))


def home_schema(snapshot: SourceSnapshot, schema: str | None) -> str:
    """The schema whose tables belong to the events: the named one, or where the events are."""
    if schema:
        return schema
    schemas = {found for found, _ in _visible(snapshot, None)}
    return schemas.pop() if len(schemas) == 1 else "public"


def _visible(snapshot: SourceSnapshot, schema: str | None) -> list[tuple[str, str]]:
    names = ", ".join(quote_text(name) for name in TABLES)
    chosen = (
        f"table_schema = {quote_text(schema)}"
        if schema
        else "table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    return snapshot.rows(
        "SELECT table_schema::text, table_name::text FROM information_schema.tables "
        f"WHERE table_name IN ({names}) AND {chosen} "
        # To look into a closed schema for a table's privileges is refused as an error.
        "AND CASE WHEN has_schema_privilege(table_schema, 'USAGE') THEN "
        "has_any_column_privilege(format('%I.%I', table_schema, table_name), 'SELECT') "
        "ELSE false END "
        "ORDER BY 1, 2"
    )


def _shape_notices(
    schema: str, name: str, columns: tuple[SourceColumn, ...], where: str
) -> list[str]:
    types = {column.name: column.type for column in columns}
    table = f"{schema}.{name}"
    lacking = [c.name for c in COLUMNS if c.required and c.name not in types]
    if lacking:
        raise SourceError(
            f"{where}: {table} lacks {', '.join(lacking)}, without which there is no event; add "
            "it, or name the right table's schema with schema= in DATABASE_URL"
        )
    for column in COLUMNS:
        if column.name in types and not _readable(column, types[column.name]):
            raise SourceError(
                f"{where}: {table}.{column.name} is {types[column.name]}, which cannot be read as "
                f"{column.kind}; change the column's type at the source"
            )
    notices = []
    if missing := [c.name for c in COLUMNS if c.name not in types]:
        notices.append(f"{table} has no {', '.join(missing)}: filled with nulls")
    ours = {column.name for column in COLUMNS}
    if extra := [column.name for column in columns if column.name not in ours]:
        notices.append(f"{table} has {', '.join(extra)}, which no event has: left out")
    return notices


def _readable(column: EventColumn, type_name: str) -> bool:
    base = type_name.partition("(")[0].strip()
    if type_name.endswith("[]"):
        return False
    if column.kind == "integer":
        return base in INTEGERS
    if column.kind == "timestamp":
        return base == "timestamp" or type_name.startswith("timestamp ")
    if column.kind == "json":
        return base in (*JSON, "text", "character varying")
    return base not in JSON


def _facts(snapshot: SourceSnapshot, schema: str, name: str) -> tuple[str, bool, bool, int]:
    """Relation kind, `scannable`, `unique_id` and `estimated_rows` of `SourceTable`."""
    ours = ", ".join(quote_text(column.name) for column in COLUMNS)
    scanned = ", ".join(quote_text(type_name) for type_name in _SCANNED)
    rows = snapshot.rows(
        "SELECT c.relkind::text, NOT EXISTS ("
        "SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        f"WHERE a.attrelid = c.oid AND a.attname IN ({ours}) AND NOT a.attisdropped "
        f"AND t.typtype <> 'e' AND t.typname NOT IN ({scanned})) AS scannable, EXISTS ("
        "SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' "
        "WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
        "AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) "
        # The index of a table holds no rows of those that inherit from it.
        "AND NOT (c.relkind = 'r' AND c.relhassubclass) AS unique_id, "
        "greatest(c.reltuples, 0)::bigint AS estimate "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE n.nspname = {quote_text(schema)} AND c.relname = {quote_text(name)}"
    )
    kind, scannable, unique, estimate = rows[0]
    return kind, bool(scannable), bool(unique), int(estimate)
