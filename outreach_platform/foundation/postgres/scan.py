"""Bulk reads from PostgreSQL into DuckDB, all under one consistent snapshot.

DuckDB's PostgreSQL scanner does the reading; its extension comes as a wheel, so nothing is fetched
at run time. Filters and joins are written as PostgreSQL statements and run on the server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
from psycopg2.extensions import make_dsn

from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.extensions import load_extension
from outreach_platform.foundation.postgres.connection import CONNECT_SECONDS, connect, translate
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

_ALIAS = "source"
_WHEEL = "duckdb_extension_postgres_scanner"

# What the scanner reads without loss, as format_type() writes it; all else is read as text.
_NATIVE = frozenset(
    {
        "bigint",
        "boolean",
        "bytea",
        "date",
        "double precision",
        "integer",
        "json",
        "jsonb",
        "real",
        "smallint",
        "text",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    }
)
_LARGEST_DECIMAL = 38
_DIMENSIONS = "The array stored in Postgres does not match the schema"


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source table.

    Attributes:
        name: as the server spells it.
        type: as PostgreSQL's format_type() writes it, for example `numeric(5,2)` or `text[]`.
    """

    name: str
    type: str

    @property
    def select(self) -> str:
        """The select-list item that brings the column over without loss.

        A NaN in a column of decimals, which the scanner would bring as 0, fails the statement with
        a message that names the column.
        """
        name = quote_identifier(self.name)
        if not _is_native(self.type):
            return f"{name}::text AS {name}"
        if not self.type.startswith("numeric("):
            return name
        test = "= ANY" if self.type.endswith("[]") else "="
        problem = quote_text(f"NaN in column {self.name} has no decimal form, ")
        return (
            f"CASE WHEN 'NaN'::numeric {test} ({name}) "
            # The column's own value keeps the planner from evaluating the cast beforehand.
            f"THEN ({problem} || {name}::text)::{self.type} ELSE {name} END AS {name}"
        )


def _is_native(type_name: str) -> bool:
    base = type_name.removesuffix("[]")
    head, _, tail = base.partition("(")
    if head == "numeric":
        return _is_decimal(tail)
    if head in ("character varying", "character"):
        return True
    if head == "timestamp" and ")" in tail:
        base = f"timestamp{tail.partition(')')[2]}"
    if head == "time" and ")" in tail:
        base = f"time{tail.partition(')')[2]}"
    return base in _NATIVE


def _is_decimal(limits: str) -> bool:
    """Whether `5,2)` are precision and scale that DuckDB and Parquet have as well."""
    precision, _, scale = limits.removesuffix(")").partition(",")
    if not precision.isdigit() or not (scale or "0").isdigit():
        return False
    return int(scale or 0) <= int(precision) <= _LARGEST_DECIMAL


class SourceSnapshot:
    """One transaction on the source, read through DuckDB; get it from `source_snapshot`."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, url: DatabaseUrl) -> None:
        self._engine = engine
        self._url = url

    def relation(self, statement: str) -> str:
        """DuckDB's table expression for a statement that the server runs."""
        return f"postgres_query({quote_text(_ALIAS)}, {quote_text(statement)})"

    def table(self, schema: str, name: str) -> str:
        """DuckDB's name of a whole table, read by several connections at once, unlike `relation`.

        Comparisons with literals are passed on to the server; nothing else is.
        """
        return ".".join(quote_identifier(part) for part in (_ALIAS, schema, name))

    def rows(self, statement: str) -> list[tuple]:
        """All rows of a statement whose result is small.

        Raises:
            SourceError: the server refused it.
        """
        with self.translated():
            return self._engine.execute(f"SELECT * FROM {self.relation(statement)}").fetchall()

    def columns(self, schema: str, table: str) -> list[SourceColumn]:
        """The columns of a table or view in their order; empty when there is none."""
        found = self.rows(
            # Declared dimensions beyond the first are kept: a Parquet list has one.
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)::text "
            "|| repeat('[]', greatest(a.attndims::int - 1, 0)) "
            "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = {quote_text(schema)} AND c.relname = {quote_text(table)} "
            "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped "
            "ORDER BY a.attnum"
        )
        return [SourceColumn(name, type_name) for name, type_name in found]

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the scanner's errors inside the block into `SourceError`."""
        try:
            yield
        except duckdb.Error as error:
            if _DIMENSIONS in str(error):
                raise SourceError(
                    f"{self._url.display}: a column of lists holds an array of several dimensions, "
                    "which a Parquet list has not; find the row with array_ndims(column) > 1 and "
                    "flatten it, or declare the column with [][]"
                ) from None
            raise translate(error, self._url) from None


@contextmanager
def source_snapshot(
    engine: duckdb.DuckDBPyConnection, url: DatabaseUrl
) -> Iterator[SourceSnapshot]:
    """Open one read-only, repeatable-read transaction on the source for all reads in the block.

    Raises:
        SourceUnavailableError: the server cannot be reached.
        SourceError: it refuses.
    """
    with connect(url):
        pass  # says what is wrong in better words, and before DuckDB prints a connection string
    load_scanner(engine)
    # libpq would take the encoding of the database, and DuckDB reads UTF-8 alone.
    dsn = make_dsn(url.conninfo, connect_timeout=CONNECT_SECONDS, client_encoding="UTF8")
    snapshot = SourceSnapshot(engine, url)
    with snapshot.translated():
        engine.execute(f"ATTACH {quote_text(dsn)} AS {_ALIAS} (TYPE postgres, READ_ONLY)")
    try:
        with snapshot.translated():
            engine.execute("BEGIN")
        yield snapshot
        with snapshot.translated():
            engine.execute("COMMIT")
    except BaseException:
        _roll_back(engine)
        raise
    finally:
        engine.execute(f"DETACH DATABASE IF EXISTS {_ALIAS}")


def _roll_back(engine: duckdb.DuckDBPyConnection) -> None:
    try:
        engine.execute("ROLLBACK")
    except duckdb.Error:
        return  # the failure that brought us here has already ended the transaction


def load_scanner(engine: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's PostgreSQL scanner from its wheel; nothing is fetched.

    Raises:
        SourceError: the wheel is not installed.
    """
    load_extension(engine, _WHEEL, "DuckDB's PostgreSQL scanner", SourceError)
