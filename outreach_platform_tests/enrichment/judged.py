"""Rows to be judged, and a database to judge them in."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from outreach_platform.embedded import schema as schemas
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import Entity
from outreach_platform.enrichment.judging import judging_sql, masters_judging_sql
from outreach_platform.enrichment.tables import Places, qualified
from outreach_platform.foundation.postgres.shape import Shape, shape_of
from outreach_platform.foundation.warehouse import quote_identifier
from outreach_platform_tests.support.postgres import drop_database, fresh_database

Row = dict[str, Any]
Codes = dict[str, tuple[list[str], list[str]]]

MARKETING = "marketing"
# Made by other hands: another name, other types, no constraint, and columns that are not there.
ODD = 'old "100%s" master\'s; schema'


def company_id(number: int) -> str:
    return f"04.04.01.{number % 100:02d}.{number:05d}.{number % 1000:03d}"


def person_id(number: int) -> str:
    return company_id(number).replace("04.04.01", "04.04.02")


def a_company(number: int = 1, **changes: Any) -> Row:
    row = {
        "company_unique_id": company_id(number),
        "company_name": "Blue Ridge Tools",
        "industry": "Tools",
        "employee_count": 12,
        "website": "https://blueridge.test",
        "phone": "(304) 555-0123",
    }
    return row | changes


def a_person(number: int = 1, **changes: Any) -> Row:
    row = {
        "unique_id": person_id(number),
        "full_name": "Ann Lee",
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "ann.lee@blueridge.test",
        "phone": "(304) 555-0123",
        "title": "CEO",
        "company_unique_id": company_id(1),
        "linkedin_url": "https://www.linkedin.com/in/invented",
    }
    return row | changes


def a_master(number: int = 1, **changes: Any) -> Row:
    row = {
        "company_unique_id": company_id(number),
        "company_name": "Blue Ridge Tools",
        "website_url": "blueridge.test",
    }
    return row | changes


class Neon:
    """A database with the tables in two schemas; what a test does in it is rolled back."""

    def __init__(self, connection: Connection, cursor: Cursor) -> None:
        self.connection = connection
        self.cursor = cursor

    def shape(self, table: str, schema: str = MARKETING) -> Shape:
        return shape_of(self.cursor, schema, table)

    def places(self, entity: Entity, schema: str = MARKETING) -> Places:
        return Places(
            entity=entity,
            invalid=qualified(schema, entity.invalid),
            workspace=qualified("public", entity.workspace),
            master=qualified(schema, entity.master),
            invalid_shape=self.shape(entity.invalid, schema),
            workspace_shape={},
            master_shape=self.shape(entity.master, schema),
        )

    def put(self, table: str, rows: Sequence[Row], schema: str = MARKETING) -> None:
        """Insert rows that all have the same columns; what else a table wants is filled in."""
        if not rows:
            return
        filled = {
            "reason_code": "X",
            "validation_errors": "{}",
            "source_system": "test",
            "promoted_from_intake_at": "2025-06-30",
            "company_slot_unique_id": "04.04.05.01.00001.001",
        }
        shape = self.shape(table, schema)
        extra = {c: v for c, v in filled.items() if c in shape and shape[c].needed}
        columns = [*rows[0], *extra]
        listed = ", ".join(map(quote_identifier, columns))
        target = qualified(schema, table).replace("%", "%%")
        execute_values(
            self.cursor,
            f"INSERT INTO {target} ({listed}) VALUES %s",
            [[(row | extra)[column] for column in columns] for row in rows],
        )

    def judge(self, entity: Entity, keys: Sequence[str | None], schema: str = MARKETING) -> Codes:
        master = self.shape("company_master", schema)
        statement = judging_sql(self.places(entity, schema), schema, master)
        self.cursor.execute(statement, [list(keys)])
        rows = self.cursor.fetchall()
        found = {key: (errors, warnings) for key, errors, warnings in rows}
        assert len(found) == len(rows)
        return found

    def bad_masters(
        self, entity: Entity, keys: Sequence[str | None], schema: str = MARKETING
    ) -> set[str]:
        statement = masters_judging_sql(self.places(entity, schema), schema)
        self.cursor.execute(statement, [list(keys)])
        return {key for (key,) in self.cursor.fetchall()}


@contextmanager
def judged_tables(server: EmbeddedServer) -> Iterator[Connection]:
    """A database with the tables as they are, and with such as other hands made."""
    name = f"judged_{uuid.uuid4().hex[:10]}"
    url = fresh_database(server, name)
    connection = psycopg2.connect(url.conninfo)
    schemas.create_neon(connection)
    odd = quote_identifier(ODD)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {odd}")
        cursor.execute(
            f"CREATE TABLE {odd}.company_invalid (company_unique_id varchar(40), "
            "company_name varchar, website varchar(300), employee_count text)"
        )
        cursor.execute(
            f"CREATE TABLE {odd}.people_invalid (unique_id varchar, full_name varchar, "
            "first_name varchar, last_name varchar, email varchar, title varchar, "
            "company_unique_id varchar)"
        )
        cursor.execute(
            f"CREATE TABLE {odd}.company_master (website_url varchar, company_name varchar, "
            "company_unique_id varchar)"
        )
        cursor.execute(f"CREATE TABLE {odd}.people_master (unique_id varchar, email text)")
    yield connection
    connection.close()
    drop_database(server, name)
