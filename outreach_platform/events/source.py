"""The events of the source's table: counted by day, and read.

All statements run inside one `SourceSnapshot`.
"""

from dataclasses import dataclass
from datetime import date

from outreach_platform.events.rules import JSON_VALID
from outreach_platform.events.schema import COLUMNS, EventColumn, json_valid_sql
from outreach_platform.events.source_table import INTEGERS, JSON, SourceTable
from outreach_platform.foundation.postgres.scan import SourceColumn, SourceSnapshot
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

# Hive's own name for a partition without a value; here, events without a time or a possible one.
UNDATED = "__HIVE_DEFAULT_PARTITION__"
DAY = "_day"
_TIME = quote_identifier("timestamp")
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


def _moment(table: SourceTable) -> str:
    """The event's time as naive UTC, for PostgreSQL and DuckDB alike."""
    return f"({_TIME} AT TIME ZONE 'UTC')" if table.is_aware else _TIME


def _asked(table: SourceTable, start: date) -> str:
    """The rows of a window, and those without a time, for PostgreSQL and DuckDB alike.

    It has no end: what lies in the future is a violation, not unseen.
    """
    return f"({_since(table, start)} OR {_TIME} IS NULL OR {_TIME} = '-infinity')"


def _since(table: SourceTable, start: date) -> str:
    return f"{_TIME} >= {_literal(table, start.isoformat())}"


def fingerprints(
    snapshot: SourceSnapshot, table: SourceTable, start: date
) -> dict[str, Fingerprint]:
    """Rows and changes of each day from `start` on, by ISO date, in one query.

    Rows without a time, or with one that no date has, are counted under `UNDATED`.
    """
    moment = _moment(table)
    version = _VERSION if table.has_versions else "hashtextextended((event.*)::text, 0)::numeric"
    by_day = (
        f"SELECT CASE WHEN isfinite({moment}) AND {moment} < '10000-01-01' "
        f"THEN {moment}::date END AS day, count(*) AS rows, sum({version})::text AS changes "
        f"FROM {table.qualified} event WHERE {_asked(table, start)} GROUP BY 1"
    )
    # Not ::text, which writes dates as the server was told to; and once a day, not once a row.
    found = snapshot.rows(
        f"SELECT to_char(day, 'YYYY-MM-DD'), rows, changes FROM ({by_day}) AS days"
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
        source = snapshot.table(table.schema, table.name)
        # A comparison by itself is passed on to the server.
        outer = f" WHERE {_asked(table, start) if UNDATED in days else _since(table, start)}"
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
    wanted += [
        f"{DAY} BETWEEN DATE {quote_text(first)} AND DATE {quote_text(last)}"
        for first, last in _runs(dates)
    ]
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
    plain = base in (*INTEGERS, *JSON, "text") or column.type.startswith("timestamp")
    return name if plain else f"{name}::text AS {name}"


def _select(column: EventColumn, present: bool, table: SourceTable) -> str:
    name = quote_identifier(column.name)
    value = "NULL"
    if present:
        value = _moment(table) if column.kind == "timestamp" else name
    return f"CAST({value} AS {column.duckdb_type}) AS {name}"


def _json_valid(table: SourceTable) -> str:
    return "true" if table.type_of("eventData") in JSON else json_valid_sql('"eventData"')


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
