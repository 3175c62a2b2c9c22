"""The events' source table: found, described, counted by day, and read.

Nothing is tried and caught: the table is looked up, and every difference from what is expected is
named. All statements run inside one `SourceSnapshot`.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from outreach_platform.events.rules import JSON_VALID
from outreach_platform.events.schema import COLUMNS, EventColumn, json_valid_sql
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.scan import SourceColumn, SourceSnapshot
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

TABLES = ("BehavioralEvent", "behavioral_events")
# Hive's own name for a partition without a value; here, events without a time or a possible one.
UNDATED = "__HIVE_DEFAULT_PARTITION__"
DAY = "_day"
_TIME = quote_identifier("timestamp")
_INTEGERS = ("smallint", "integer", "bigint")
_JSON = ("json", "jsonb")
# As pg_type names them.
_SCANNED = (
    *("int2", "int4", "int8", "json", "jsonb"),
    *("text", "varchar", "timestamp", "timestamptz"),
)
# A row's version is the transaction that wrote it; a view has none.
_VERSION = "xmin::text::bigint"
# From this share of the table on, several connections that read all of it are faster than one that
# reads a part; measured 1.0 s against 1.7 s for a million rows.
_WHOLE_FROM = 0.3


@dataclass(frozen=True)
class Fingerprint:
    """One day at the source.

    Attributes:
        rows: number of rows.
        changes: sum of the rows' versions; differs when any row of the day was written anew.
    """

    rows: int
    changes: str


NOTHING = Fingerprint(0, "0")


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
        return base in _INTEGERS
    if column.kind == "timestamp":
        return base == "timestamp" or type_name.startswith("timestamp ")
    if column.kind == "json":
        return base in (*_JSON, "text", "character varying")
    return base not in _JSON


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


def _moment(table: SourceTable) -> str:
    """The event's time as naive UTC, for PostgreSQL and DuckDB alike."""
    return f"({_TIME} AT TIME ZONE 'UTC')" if table.is_aware else _TIME


def _asked(table: SourceTable, start: date) -> str:
    """The rows of a window, and those without a time, for PostgreSQL and DuckDB alike.

    It has no end: what lies in the future is a violation, not unseen.
    """
    return (
        f"({_TIME} >= {_literal(table, start.isoformat())} OR {_TIME} IS NULL "
        f"OR {_TIME} = '-infinity')"
    )


def fingerprints(
    snapshot: SourceSnapshot, table: SourceTable, start: date
) -> dict[str, Fingerprint]:
    """Rows and changes of each day from `start` on, by ISO date, in one query.

    Rows without a time, or with one that no date has, are counted under `UNDATED`.
    """
    moment = _moment(table)
    version = _VERSION if table.has_versions else "hashtextextended((event.*)::text, 0)::numeric"
    found = snapshot.rows(
        f"SELECT CASE WHEN isfinite({moment}) AND {moment} < '10000-01-01' "
        # Not ::text, which writes dates as the server was told to.
        f"THEN to_char({moment}, 'YYYY-MM-DD') END, count(*), sum({version})::text "
        f"FROM {table.qualified} event WHERE {_asked(table, start)} GROUP BY 1"
    )
    return {day or UNDATED: Fingerprint(rows, changes) for day, rows, changes in found}


def read_sql(
    snapshot: SourceSnapshot, table: SourceTable, start: date, days: list[str], rows: int
) -> str:
    """DuckDB's query for the events of some days: the fifteen columns, `JSON_VALID` and `DAY`.

    Args:
        snapshot: the open transaction.
        table: from `find_table`.
        start: no day is before it.
        days: as `fingerprints` names them.
        rows: how many they are together.
    """
    dates = sorted(day for day in days if day != UNDATED)
    whole = table.kind == "r" and table.scannable
    if whole and rows >= _WHOLE_FROM * table.estimated_rows:
        source, outer = snapshot.table(table.schema, table.name), f" WHERE {_asked(table, start)}"
        names = table.columns
    else:
        names = tuple(c for c in table.columns if c.name in {column.name for column in COLUMNS})
        listed = ", ".join(_server_select(column) for column in names)
        source = snapshot.relation(
            f"SELECT {listed} FROM {table.qualified} WHERE {_days_filter(table, dates, days)}"
        )
        outer = ""
    present = {column.name for column in names}
    inner = f"SELECT {', '.join(_select(c, c.name in present, table) for c in COLUMNS)}, "
    inner += f"{_json_valid(table)} AS {JSON_VALID} FROM {source}{outer}"
    day = (
        f"CASE WHEN isfinite({_TIME}) AND {_TIME} < TIMESTAMP '10000-01-01' "
        f"THEN CAST({_TIME} AS DATE) END"
    )
    wanted = [f"{DAY} IS NULL"] if UNDATED in days else []
    if dates:
        wanted.append(f"{DAY} IN ({', '.join(f'DATE {quote_text(d)}' for d in dates)})")
    chosen = " OR ".join(wanted) or "false"
    return f"SELECT *, {day} AS {DAY} FROM ({inner}) WHERE {chosen}"


def is_day(day: str, alias: str = "") -> str:
    """DuckDB's condition for the pulled rows of a day."""
    column = f"{alias}{DAY}"
    return f"{column} IS NULL" if day == UNDATED else f"{column} = DATE {quote_text(day)}"


def day_name(alias: str = "") -> str:
    """DuckDB's expression for a pulled row's day, as `fingerprints` names it."""
    return f"coalesce(CAST({alias}{DAY} AS VARCHAR), {quote_text(UNDATED)})"


def _server_select(column: SourceColumn) -> str:
    """What the server sends of a column."""
    name = quote_identifier(column.name)
    base = column.type.partition("(")[0]
    plain = base in (*_INTEGERS, *_JSON, "text") or column.type.startswith("timestamp")
    return name if plain else f"{name}::text AS {name}"


def _select(column: EventColumn, present: bool, table: SourceTable) -> str:
    name = quote_identifier(column.name)
    value = "NULL"
    if present:
        value = _moment(table) if column.kind == "timestamp" else name
    return f"CAST({value} AS {column.duckdb_type}) AS {name}"


def _json_valid(table: SourceTable) -> str:
    return "true" if table.type_of("eventData") in _JSON else json_valid_sql('"eventData"')


def _days_filter(table: SourceTable, dates: list[str], days: list[str]) -> str:
    """PostgreSQL's condition for some days, as ranges of time that an index can serve."""
    ranges = [
        f"({_TIME} >= {_literal(table, first)} AND {_TIME} < {_literal(table, last, '24:00:00')})"
        for first, last in _runs(dates)
    ]
    if UNDATED in days:
        # Infinity is beyond every time.
        first = _literal(table, "10000-01-01")
        ranges.append(f"({_TIME} IS NULL OR {_TIME} = '-infinity' OR {_TIME} >= {first})")
    return " OR ".join(ranges) or "false"


def _literal(table: SourceTable, day: str, clock: str = "00:00:00") -> str:
    """A UTC time of day as a literal of the column's type."""
    return f"TIMESTAMPTZ '{day} {clock}+00'" if table.is_aware else f"TIMESTAMP '{day} {clock}'"


def _runs(dates: list[str]) -> list[tuple[str, str]]:
    """Consecutive days as (first, last), so that a window is one range."""
    runs: list[tuple[str, str]] = []
    for day in dates:
        if runs and _ordinal(runs[-1][1]) == _ordinal(day) - 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()
