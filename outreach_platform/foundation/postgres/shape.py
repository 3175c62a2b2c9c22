"""What a table is made of, and how rows of text are given to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from outreach_platform.foundation.warehouse import quote_identifier

# Bits of a number beside its sign, by the type that holds it.
INTEGER_BITS = {"smallint": 15, "integer": 31, "bigint": 63}
# The present moment without time zone, in UTC.
NOW = "(clock_timestamp() AT TIME ZONE 'UTC')"
_COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '', a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


@dataclass(frozen=True)
class Column:
    """A column of a table in PostgreSQL.

    Attributes:
        type: as format_type() writes it.
        needed: NOT NULL.
        default: whether the server fills it by itself.
        generated: whether it is computed, and must never be written.
    """

    type: str
    needed: bool
    default: bool
    generated: bool


Shape = dict[str, Column]


def shape_of(cursor: Cursor, schema: str, table: str) -> Shape:
    """The columns of a table or view in their order; empty when there is none."""
    cursor.execute(_COLUMNS, [schema, table])
    return {
        name: Column(type_name, needed, default, generated)
        for name, type_name, needed, default, generated in cursor.fetchall()
    }


def clock(shape: Mapping[str, Column], column: str) -> str:
    """The present moment as SQL, in the form that a column of timestamps keeps.

    Columns without a time zone mean UTC.
    """
    if shape[column].type.startswith("timestamp") and "with time zone" not in shape[column].type:
        return NOW
    return "clock_timestamp()"


def naive_utc(shape: Mapping[str, Column], column: str, table: str = "") -> str:
    """A column of timestamps as SQL, without time zone and in UTC whatever it is declared as."""
    name = f"{table}.{quote_identifier(column)}" if table else quote_identifier(column)
    return f"({name} AT TIME ZONE 'UTC')" if "with time zone" in shape[column].type else name


def kept(shape: Mapping[str, Column], column: str, moment: str) -> str:
    """A time without time zone and in UTC, given as SQL, in the form that a column keeps."""
    return f"({moment} AT TIME ZONE 'UTC')" if "with time zone" in shape[column].type else moment


def types_of(shape: Mapping[str, Column], columns: Iterable[str]) -> dict[str, str]:
    """The types of some of a table's columns."""
    return {name: shape[name].type for name in columns}


def recordset(types: Mapping[str, str], alias: str = "v") -> str:
    """A FROM item that takes rows as one JSON parameter, each value in the type that is named.

    Values are given as text; the server reads them as it reads a literal.
    """
    listed = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in types.items())
    return f"jsonb_to_recordset(%s::jsonb) AS {alias}({listed})"
