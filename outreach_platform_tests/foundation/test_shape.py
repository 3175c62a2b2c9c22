"""What a table is made of, and times that mean the same whatever their column is declared as."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from outreach_platform.foundation.postgres.shape import (
    Column,
    clock,
    kept,
    naive_utc,
    recordset,
    shape_of,
    types_of,
)
from outreach_platform.foundation.postgres.url import DatabaseUrl


@pytest.fixture
def cursor(neon_url: DatabaseUrl) -> Iterator[Cursor]:
    """A transaction of a server far from UTC, with a table of all kinds of columns."""
    with closing(psycopg2.connect(neon_url.conninfo)) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'Pacific/Auckland'")
        cursor.execute(
            'CREATE SCHEMA "Odd; ""Schema"""; CREATE TABLE "Odd; ""Schema""".t ('
            "id bigint GENERATED ALWAYS AS IDENTITY, name varchar(20) NOT NULL, gone int, "
            "n numeric(5, 2) DEFAULT 1, twice text GENERATED ALWAYS AS (name || name) STORED, "
            '"A b""c" text[], here timestamp, there timestamptz(3)); '
            'ALTER TABLE "Odd; ""Schema""".t DROP COLUMN gone'
        )
        yield cursor


SCHEMA = 'Odd; "Schema"'


def test_the_columns_of_a_table_in_their_order(cursor: Cursor) -> None:
    assert shape_of(cursor, SCHEMA, "t") == {
        "id": Column("bigint", needed=True, default=True, generated=False),
        "name": Column("character varying(20)", needed=True, default=False, generated=False),
        "n": Column("numeric(5,2)", needed=False, default=True, generated=False),
        "twice": Column("text", needed=False, default=True, generated=True),
        'A b"c': Column("text[]", needed=False, default=False, generated=False),
        "here": Column("timestamp without time zone", False, False, False),
        "there": Column("timestamp(3) with time zone", False, False, False),
    }


@pytest.mark.parametrize(("schema", "table"), [(SCHEMA, "T"), ("public", "t"), ("nowhere", "t")])
def test_a_table_that_is_not_there_has_no_columns(cursor: Cursor, schema: str, table: str) -> None:
    assert shape_of(cursor, schema, table) == {}


def test_a_view_has_columns_and_an_index_is_no_table(cursor: Cursor) -> None:
    cursor.execute("CREATE VIEW v AS SELECT 1 AS one; CREATE TABLE x (y int PRIMARY KEY)")
    assert list(shape_of(cursor, "public", "v")) == ["one"]
    assert shape_of(cursor, "public", "x_pkey") == {}


@pytest.mark.parametrize("column", ["here", "there"])
def test_the_present_and_a_stored_time_are_utc_whatever_the_column(
    cursor: Cursor, column: str
) -> None:
    shape = shape_of(cursor, SCHEMA, "t")
    cursor.execute(
        f'INSERT INTO "Odd; ""Schema""".t (name, {column}) VALUES (%s, {clock(shape, column)})',
        ["x"],
    )
    cursor.execute(f'SELECT {naive_utc(shape, column, "t")} FROM "Odd; ""Schema""".t')
    ((moment,),) = cursor.fetchall()
    written = kept(shape, column, f"timestamp '{moment}'")
    cursor.execute(f'SELECT count(*) FROM "Odd; ""Schema""".t WHERE {column} = {written}')
    assert cursor.fetchall() == [(1,)]
    assert moment.tzinfo is None
    assert abs(moment - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)


def test_rows_are_given_as_text_and_read_in_the_columns_types(cursor: Cursor) -> None:
    shape = shape_of(cursor, SCHEMA, "t")
    source = recordset(types_of(shape, ["name", "n", 'A b"c', "there"]))
    cursor.execute(
        f"SELECT * FROM {source}",
        ['[{"name": "100%", "n": "1.5", "A b\\"c": ["x"], "there": "2026-01-02 03:04:05+00"}, {}]'],
    )
    first, second = cursor.fetchall()
    assert first[:3] == ("100%", 1.5, ["x"])
    assert first[3] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert second == (None,) * 4
    with pytest.raises(psycopg2.errors.StringDataRightTruncation):
        cursor.execute(f"SELECT * FROM {source}", ['[{"name": "' + "x" * 21 + '"}]'])
