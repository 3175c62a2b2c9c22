"""What PostgreSQL holds against what stands in the Parquet file: nothing lost, nothing changed."""

import json
import math
import re
import threading
import uuid
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pyarrow.parquet as pq
import pytest
from psycopg2 import sql

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.scan import SourceColumn, source_snapshot
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import bulk_engine, quote_identifier, write_parquet
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    fresh_database,
)

KINDS = """
CREATE TYPE mood AS ENUM ('sad', 'o''k');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN code AS text;
CREATE TYPE pair AS (a int, b text);
"""
# type, SQL values, and the file's type; None stands for text.
TYPES: list[tuple[str, list[str], str | None]] = [
    ("smallint", ["'-32768'", "32767"], "SMALLINT"),
    ("integer", ["'-2147483648'", "2147483647"], "INTEGER"),
    ("bigint", ["'-9223372036854775808'", "9223372036854775807"], "BIGINT"),
    ("numeric(5,2)", ["123.45", "-999.99", "0"], "DECIMAL(5,2)"),
    ("numeric(7)", ["1234567", "'-1'"], "DECIMAL(7,0)"),
    ("numeric(38,10)", ["1234567890123456789012345678.0123456789"], "DECIMAL(38,10)"),
    ("numeric", ["'12345678901234567890123456789012345678901.123'", "'NaN'", "'-Infinity'"], None),
    ("numeric(50,2)", ["'123456789012345678901234567890123456789012345678.12'"], None),
    ("numeric(3,5)", ["0.00123"], None),
    ("numeric(5,-2)", ["1234500"], None),
    ("real", ["1.1", "'NaN'", "'-Infinity'"], "FLOAT"),
    ("double precision", ["0.1", "1e-320", "'NaN'", "'Infinity'"], "DOUBLE"),
    ("boolean", ["true", "false"], "BOOLEAN"),
    ("text", ["''", "E'a\\n\\t\\\\N\\r\"'''", "'naïve 李 🦊'", "repeat('x', 300000)"], "VARCHAR"),
    ("varchar(10)", ["'ab '"], "VARCHAR"),
    ("char(5)", ["'ab'"], "VARCHAR"),
    ("code", ["'x'"], None),
    ("positive", ["5"], None),
    ("mood", ["'sad'", "'o''k'"], None),
    ("uuid", ["'00000000-0000-0000-0000-000000000001'"], "UUID"),
    ("bytea", ["'\\x00ff415c'::bytea", "''::bytea"], "BLOB"),
    ("json", ['\'{ "b" : 1,  "a":2 }\'', "'null'"], "VARCHAR"),
    ("jsonb", ['\'{"b": 1, "a": [1.10, null]}\'', "'\"x\"'"], "VARCHAR"),
    ("interval", ["'1 year 2 mons -3 days 04:05:06.789'", "'infinity'"], None),
    ("inet", ["'10.0.0.1/8'", "'::1'"], None),
    ("money", ["12.34"], None),
    ("bit(3)", ["B'101'"], None),
    ("point", ["'(1,2)'"], None),
    ("int4range", ["'[1,5)'"], None),
    ("tsvector", ["'a b'"], None),
    ("pair", ["row(1, 'x')"], None),
    ("oid", ["4294967295"], None),
    ("date", ["'2024-02-29'", "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'"], "DATE"),
    ("time", ["'23:59:59.999999'", "'24:00:00'"], "TIME"),
    ("time(3)", ["'12:00:00.123'"], "TIME"),
    ("timetz", ["'12:00:00+03'"], None),
    ("timestamp", ["'2024-02-29 12:00:00.123456'", "'-infinity'", "'0044-03-15 BC'"], "TIMESTAMP"),
    ("timestamp(3)", ["'2024-02-29 12:00:00.123'"], "TIMESTAMP"),
    (
        "timestamptz",
        ["'2024-02-29 12:00:00.123456-05'", "'infinity'"],
        "TIMESTAMP WITH TIME ZONE",
    ),
    ("text[]", ["array['a', null, 'c,\"d', '']", "'{}'", "'{null}'"], "VARCHAR[]"),
    ("int[]", ["array[1, null, 3]"], "INTEGER[]"),
    ("numeric(5,2)[]", ["array[1.25, null]"], "DECIMAL(5,2)[]"),
    ("numeric[]", ["array[1.25, 'NaN']"], None),
    ("boolean[]", ["array[true, null]"], "BOOLEAN[]"),
    ("uuid[]", ["array['00000000-0000-0000-0000-000000000001'::uuid]"], "UUID[]"),
    ("date[]", ["array['2024-02-29'::date]"], "DATE[]"),
    ("jsonb[]", ["array['{\"a\": 1}'::jsonb]"], "VARCHAR[]"),
    ("mood[]", ["array['sad'::mood]"], None),
    ("int[][]", ["array[[1,2],[3,4]]", "array[5]"], None),
]


def _read(url: DatabaseUrl, table: str, folder: Path) -> tuple[list[tuple], list[tuple]]:
    """The table by way of the product, as rows and as (name, type) of the file's columns."""
    target = folder / "out.parquet"
    with bulk_engine(folder / "spill") as engine:
        with source_snapshot(engine, url) as snapshot, snapshot.translated():
            items = ", ".join(column.select for column in snapshot.columns("public", table))
            name = quote_identifier(table)
            relation = snapshot.relation(f"SELECT {items} FROM {name} ORDER BY 1")
            write_parquet(engine, f"SELECT * FROM {relation}", target, folder)
        rows = engine.execute(f"SELECT * FROM '{target}'").fetchall()
        described = engine.execute(f"DESCRIBE SELECT * FROM '{target}'").fetchall()
    return rows, [(row[0], row[1]) for row in described]


@pytest.fixture(scope="module")
def typed_url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    name = f"types_{uuid.uuid4().hex[:8]}"
    url = fresh_database(pg_server, name)
    execute(url, KINDS)
    yield url
    drop_database(pg_server, name)


@pytest.mark.parametrize(("kind", "values", "file_type"), TYPES, ids=[t[0] for t in TYPES])
def test_a_type_keeps_its_values(
    typed_url: DatabaseUrl, tmp_path: Path, kind: str, values: list[str], file_type: str | None
) -> None:
    listed = ", ".join(f"({n}, {value})" for n, value in enumerate([*values, "NULL"]))
    execute(typed_url, f"DROP TABLE IF EXISTS t; CREATE TABLE t (n int, c {kind})")
    execute(typed_url, f"INSERT INTO t VALUES {listed}")
    rows, columns = _read(typed_url, "t", tmp_path)
    assert columns == [("n", "INTEGER"), ("c", file_type or "VARCHAR")]
    found = [row[1] for row in rows]
    assert found.pop() is None
    texts = [
        row[0]
        for row in fetch(typed_url, "SELECT c::text FROM t ORDER BY n LIMIT " + str(len(values)))
    ]
    if (file_type or "VARCHAR") == "VARCHAR":
        assert found == texts
        return
    as_text = "c::text" if "date" in kind or "time" in kind else "c"
    expected = [row[0] for row in fetch(typed_url, f"SELECT {as_text} FROM t ORDER BY n")][:-1]
    for ours, theirs in zip(found, expected, strict=True):
        assert _same(ours, theirs), (ours, theirs)


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and math.isnan(ours):
        return math.isnan(theirs)
    if isinstance(ours, float):
        return ours == theirs or abs(ours - theirs) <= abs(theirs) * 1e-6  # a real has 24 bits
    if isinstance(ours, bytes):
        return ours == bytes(theirs)
    if isinstance(ours, uuid.UUID):
        return str(ours) == theirs
    if isinstance(ours, list) and ours and isinstance(ours[0], uuid.UUID):
        return "{" + ",".join(map(str, ours)) + "}" == theirs
    if isinstance(ours, list) and isinstance(theirs, str):
        return "{" + ",".join(map(str, ours)) + "}" == theirs
    if isinstance(ours, list) and theirs and isinstance(theirs[0], dict):
        return [json.loads(text) for text in ours] == theirs
    if isinstance(theirs, str):
        return _in_words(ours) == theirs
    return type(ours) is type(theirs) and ours == theirs


def _in_words(value: Any) -> str:
    """As PostgreSQL writes dates and times in UTC; DuckDB hands out strings beyond year 9999."""
    if value in (date.max, datetime.max):
        return "infinity"
    if value in (datetime.min, date.min):
        return "-infinity"
    if isinstance(value, datetime):
        text = re.sub(r"(\.\d+?)0+(?=\D|$)", r"\1", value.isoformat(sep=" "))
        return text.removesuffix(":00") if value.tzinfo else text
    if isinstance(value, date | time):
        return re.sub(r"(\.\d+?)0+$", r"\1", value.isoformat())
    return value.replace(" (BC)", "") + " BC" if " (BC)" in value else value


def test_infinity_is_infinity_in_the_file(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(
        typed_url, "DROP TABLE IF EXISTS t; CREATE TABLE t (a timestamptz, b timestamp, c date)"
    )
    execute(typed_url, "INSERT INTO t VALUES ('infinity', '-infinity', 'infinity')")
    _read(typed_url, "t", tmp_path)
    with duckdb.connect() as engine:
        found = engine.execute(
            "SELECT isinf(a) AND a > '2000-01-01', isinf(b) AND b < '2000-01-01', isinf(c) "
            f"FROM '{tmp_path}/out.parquet'"
        ).fetchone()
    assert found == (True, True, True)


@pytest.mark.parametrize(
    ("kind", "value"), [("numeric(5,2)", "'NaN'"), ("numeric(5,2)[]", "'{1,NaN}'")]
)
def test_a_nan_among_decimals_is_refused_by_name(
    typed_url: DatabaseUrl, tmp_path: Path, kind: str, value: str
) -> None:
    """The scanner would bring it as 0.00."""
    execute(typed_url, f'DROP TABLE IF EXISTS t; CREATE TABLE t (n int, "it\'s %" {kind})')
    execute(typed_url, f"INSERT INTO t VALUES (1, {value})")
    with pytest.raises(SourceError, match="NaN in column it's % has no decimal form"):
        _read(typed_url, "t", tmp_path)
    assert not (tmp_path / "out.parquet").exists()


def test_an_array_of_more_dimensions_than_declared_is_refused(
    typed_url: DatabaseUrl, tmp_path: Path
) -> None:
    execute(typed_url, "DROP TABLE IF EXISTS t; CREATE TABLE t (n int, c text[])")
    execute(typed_url, "INSERT INTO t VALUES (1, array['a']), (2, array[['b'], ['c']])")
    with pytest.raises(SourceError, match=r"several dimensions.*array_ndims\(column\) > 1"):
        _read(typed_url, "t", tmp_path)


NAMES = [
    *("plain", "with space", 'say "hi"', "it's", "naïve", "李", "select", "Group", "a.b", "%s"),
    *("100%", "{x}", "semi;colon", "x" * 63, "new\nline", "--", "/*"),
]


def test_any_column_and_table_name(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    table = 'odd "table\'s" naïve; name'
    listed = ", ".join(f"{quote_identifier(name)} text" for name in NAMES)
    values = ", ".join(f"'{n}'" for n in range(len(NAMES)))
    execute(typed_url, f"CREATE TABLE {quote_identifier(table)} ({listed})")
    execute(typed_url, f"INSERT INTO {quote_identifier(table)} VALUES ({values})")
    rows, columns = _read(typed_url, table, tmp_path)
    assert [name for name, _ in columns] == NAMES
    assert rows == [tuple(str(n) for n in range(len(NAMES)))]
    assert pq.read_schema(tmp_path / "out.parquet").names == NAMES


def test_dropped_and_generated_columns(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(
        typed_url,
        "CREATE TABLE shaped (first_name text, gone int, last_name text, full_name text "
        "GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED);"
        "ALTER TABLE shaped DROP COLUMN gone; ALTER TABLE shaped ADD COLUMN late numeric(3,1);"
        "INSERT INTO shaped (first_name, last_name, late) VALUES ('Ann', 'Lee', 1.5)",
    )
    rows, columns = _read(typed_url, "shaped", tmp_path)
    assert [name for name, _ in columns] == ["first_name", "last_name", "full_name", "late"]
    assert rows == [("Ann", "Lee", "Ann Lee", Decimal("1.5"))]


def test_views_and_partitions(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(
        typed_url,
        "CREATE TABLE parts (k int, v text) PARTITION BY LIST (k);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);"
        "CREATE TABLE parts_2 (v text, k int); ALTER TABLE parts ATTACH PARTITION parts_2 "
        "FOR VALUES IN (2); INSERT INTO parts VALUES (1, 'a'), (2, 'b');"
        "CREATE VIEW seen AS SELECT * FROM parts;"
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM parts",
    )
    for name in ("parts", "seen", "kept"):
        rows, columns = _read(typed_url, name, tmp_path)
        assert rows == [(1, "a"), (2, "b")]
        assert columns == [("k", "INTEGER"), ("v", "VARCHAR")]


def test_no_table_and_a_table_elsewhere(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(typed_url, "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.hidden (i int)")
    execute(typed_url, "CREATE INDEX hidden_index ON elsewhere.hidden (i)")
    with bulk_engine(tmp_path) as engine, source_snapshot(engine, typed_url) as snapshot:
        assert snapshot.columns("public", "hidden") == []
        assert snapshot.columns("elsewhere", "hidden_index") == []
        assert snapshot.columns("elsewhere", "hidden") == [SourceColumn("i", "integer")]
        assert snapshot.columns("o'brien", "x; DROP TABLE y") == []


def test_no_rows_keep_the_types(typed_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(typed_url, "DROP TABLE IF EXISTS t; CREATE TABLE t (a text[], b numeric(5,2), c date)")
    assert _read(typed_url, "t", tmp_path) == (
        [],
        [("a", "VARCHAR[]"), ("b", "DECIMAL(5,2)"), ("c", "DATE")],
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252"])
def test_a_database_that_is_not_in_utf8(
    pg_server: EmbeddedServer, tmp_path: Path, encoding: str
) -> None:
    name = f"enc_{uuid.uuid4().hex[:8]}"
    execute(
        pg_server.url("postgres"),
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE_PROVIDER libc "
        "LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    url = pg_server.url(name)
    try:
        execute(url, 'CREATE TABLE t ("né" text)')
        execute(url, "INSERT INTO t VALUES ('café')")
        assert _read(url, "t", tmp_path) == ([("café",)], [("né", "VARCHAR")])
    finally:
        drop_database(pg_server, name)


def test_bytes_that_are_no_text_are_refused(pg_server: EmbeddedServer, tmp_path: Path) -> None:
    name = f"enc_{uuid.uuid4().hex[:8]}"
    execute(
        pg_server.url("postgres"),
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc "
        "LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    url = pg_server.url(name)
    try:
        execute(url, "CREATE TABLE t (c text); INSERT INTO t VALUES (E'caf\\351')")
        with pytest.raises(SourceError, match='invalid byte sequence for encoding "UTF8"'):
            _read(url, "t", tmp_path)
    finally:
        drop_database(pg_server, name)


@pytest.mark.parametrize("autocommit", [False, True])
def test_both_reads_see_one_moment(neon_url: DatabaseUrl, tmp_path: Path, autocommit: bool) -> None:
    """A writer commits between two reads. In autocommit, the red case, the second sees it."""
    execute(neon_url, "CREATE TABLE a (i int); CREATE TABLE b (i int)")
    with bulk_engine(tmp_path) as engine, source_snapshot(engine, neon_url) as snapshot:
        if autocommit:
            engine.execute("COMMIT")
        counts = "SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b"
        before = snapshot.rows(counts)
        execute(neon_url, "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
        after = snapshot.rows(counts)
        if autocommit:
            engine.execute("BEGIN")
    assert before == [(0, 0)]
    assert after == ([(1, 1)] if autocommit else [(0, 0)])
    assert fetch(neon_url, counts) == [(1, 1)]


@pytest.mark.slow
def test_nothing_can_be_written_through_it(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(neon_url, "CREATE TABLE a (i int)")
    for statement in (
        "INSERT INTO a VALUES (1) RETURNING i",
        "SELECT i FROM a; DELETE FROM a",
        "SELECT nextval('s')",
    ):
        with (
            pytest.raises(SourceError),
            bulk_engine(tmp_path) as engine,
            source_snapshot(engine, neon_url) as snapshot,
        ):
            snapshot.rows(statement)
    assert fetch(neon_url, "SELECT * FROM a") == []


def test_an_error_names_the_relation_not_the_statement(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    with (
        pytest.raises(SourceError) as caught,
        bulk_engine(tmp_path) as engine,
        source_snapshot(engine, neon_url) as snapshot,
    ):
        snapshot.rows("SELECT * FROM nowhere WHERE email = 'ann@canary.example'")
    assert str(caught.value) == f'{neon_url.display}: relation "nowhere" does not exist'


def test_the_engine_can_be_used_again_after_any_end(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    with bulk_engine(tmp_path) as engine:
        for problem in (None, ZeroDivisionError, KeyboardInterrupt, SourceError):
            try:
                with source_snapshot(engine, neon_url) as snapshot:
                    if problem is SourceError:
                        snapshot.rows("SELECT * FROM nowhere")
                    if problem:
                        raise problem
                    assert snapshot.rows("SELECT 1 AS one") == [(1,)]
            except (ZeroDivisionError, KeyboardInterrupt, SourceError) as error:
                assert isinstance(error, problem or ())
            attached = engine.execute("SELECT database_name FROM duckdb_databases()").fetchall()
            assert ("source",) not in attached
            assert engine.execute("SELECT 1").fetchone() == (1,)
    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    assert fetch(neon_url, left) == [(1,)]


def test_pulls_do_not_wait_for_writers(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    execute(neon_url, "CREATE TABLE a (i int); INSERT INTO a VALUES (1)")
    writer = psycopg2.connect(neon_url.conninfo)
    try:
        with writer.cursor() as cursor:
            cursor.execute("UPDATE a SET i = 2")
            found: list[list[tuple]] = []

            def read() -> None:
                with bulk_engine(tmp_path) as engine, source_snapshot(engine, neon_url) as s:
                    found.append(s.rows("SELECT i FROM a"))

            reader = threading.Thread(target=read)
            reader.start()
            reader.join(60)
            assert found == [[(1,)]]
    finally:
        writer.close()


def test_values_with_quotes_and_semicolons(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    values = ["'; DROP TABLE t; --", 'a "b" c', "\\", "\\'", "$$", "%s %(x)s", "{}", "a;b", "''"]
    execute(neon_url, "CREATE TABLE t (c text)")
    for value in values:
        execute(neon_url, sql.SQL("INSERT INTO t VALUES ({})").format(sql.Literal(value)))
    rows, _ = _read(neon_url, "t", tmp_path)
    assert sorted(row[0] for row in rows) == sorted(values)


def test_durations_and_times_come_as_they_are_written(
    typed_url: DatabaseUrl, tmp_path: Path
) -> None:
    """Text of the server does not depend on the session of the reader: it is UTC and ISO."""
    execute(typed_url, "DROP TABLE IF EXISTS t; CREATE TABLE t (c timestamptz)")
    execute(typed_url, "INSERT INTO t VALUES ('2024-07-01 12:00:00+02')")
    rows, _ = _read(typed_url, "t", tmp_path)
    assert rows[0][0].utcoffset() == timedelta(0)
    assert rows[0][0].hour == 10
