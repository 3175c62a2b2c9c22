"""Bulk reads from PostgreSQL into DuckDB, all under one consistent snapshot.

DuckDB's PostgreSQL scanner does the reading; its extension comes as a wheel, so nothing is fetched
at run time. Filters and joins are written as PostgreSQL statements and run on the server.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from psycopg2.extensions import make_dsn

from outreach_platform.foundation.errors import SourceError
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
        """The select-list item that brings the column over without loss."""
        name = quote_identifier(self.name)
        return name if _is_native(self.type) else f"{name}::text AS {name}"


def _is_native(type_name: str) -> bool:
    base = type_name.removesuffix("[]")
    head, _, tail = base.partition("(")
    if head == "numeric":
        precision = tail.partition(",")[0].rstrip(")")
        return precision.isdigit() and int(precision) <= _LARGEST_DECIMAL
    if head in ("character varying", "character"):
        return True
    if head == "timestamp" and ")" in tail:
        base = f"timestamp{tail.partition(')')[2]}"
    if head == "time" and ")" in tail:
        base = f"time{tail.partition(')')[2]}"
    return base in _NATIVE


class SourceSnapshot:
    """One transaction on the source, read through DuckDB; get it from `source_snapshot`."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, url: DatabaseUrl) -> None:
        self._engine = engine
        self._url = url

    def relation(self, statement: str) -> str:
        """DuckDB's table expression for a statement that the server runs."""
        return f"postgres_query({quote_text(_ALIAS)}, {quote_text(statement)})"

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
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)::text "
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
    dsn = make_dsn(url.conninfo, connect_timeout=CONNECT_SECONDS)
    snapshot = SourceSnapshot(engine, url)
    with snapshot.translated():
        engine.execute(f"ATTACH {quote_text(dsn)} AS {_ALIAS} (TYPE postgres, READ_ONLY)")
    try:
        engine.execute("BEGIN")
        yield snapshot
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
    spec = importlib.util.find_spec(_WHEEL)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    extension = next(folder.rglob("*.duckdb_extension"), None) if folder else None
    if extension is None:
        raise SourceError(
            f"DuckDB's PostgreSQL scanner is not installed: install the package {_WHEEL} in "
            f"version {duckdb.__version__}"
        )
    engine.execute(f"LOAD {quote_text(str(extension))}")
