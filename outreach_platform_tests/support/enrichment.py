"""Two databases between which records travel, and people who work on them."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from outreach_platform.embedded import schema
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity
from outreach_platform.enrichment.tables import prepare_workspace
from outreach_platform.enrichment.tables_neon import prepare_neon
from outreach_platform.foundation import audit
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import drop_database, fresh_database

Row = dict[str, Any]
Dump = dict[str, list[str]]
Event = Callable[[], object]

_numbers = itertools.count(1)


def company_id(number: int) -> str:
    """The Barton id of a company."""
    return f"04.04.01.{number % 100:02d}.{number:05d}.{number % 1000:03d}"


def person_id(number: int) -> str:
    """The Barton id of a person."""
    return f"04.04.02.{number % 100:02d}.{number:05d}.{number % 1000:03d}"


def invalid_company(**values: Any) -> Row:
    """A row of company_invalid whose only fault is its website; ids increase."""
    n = next(_numbers)
    return {
        "company_unique_id": company_id(n),
        "company_name": f"Company {n}",
        "industry": "Manufacturing",
        "employee_count": 25,
        "website": None,
        "phone": "(304) 555-0123",
        "address": f"{n} Main Street",
        "city": "Charleston",
        "state": "WV",
        "zip": "25301",
        "reason_code": "EMPTY_WEBSITE",
        "validation_errors": {"website": "empty or blank"},
        "validation_warnings": {},
        "batch_id": "batch-1",
        **values,
    }


def invalid_person(**values: Any) -> Row:
    """A row of people_invalid whose only fault is its e-mail, if `company_unique_id` is good."""
    n = next(_numbers)
    return {
        "unique_id": person_id(n),
        "full_name": f"Adela Number{n}",
        "first_name": "Adela",
        "last_name": f"Number{n}",
        "email": None,
        "phone": "(304) 555-0123",
        "title": "CEO",
        "company_name": "Company",
        "company_unique_id": company_id(99_999),
        "linkedin_url": None,
        "city": "Charleston",
        "state": "WV",
        "reason_code": "EMPTY_EMAIL",
        "validation_errors": {"email": "empty or blank"},
        "validation_warnings": {},
        "batch_id": "batch-1",
        **values,
    }


def entity_of(key: str) -> Entity:
    """Whether an id is a company's or a person's."""
    return PEOPLE if key.startswith("04.04.02.") else COMPANY


@dataclass(frozen=True)
class Databases:
    """The masters' database and the enrichers', as people other than the platform use them.

    Attributes:
        neon: the masters' database.
        workspace: the enrichers'.
    """

    neon: DatabaseUrl
    workspace: DatabaseUrl

    def add_invalid(self, *rows: Row) -> list[str]:
        """Insert rows of `invalid_company` and `invalid_person`; returns their ids."""
        keys = []
        with _connected(self.neon) as connection, connection.cursor() as cursor:
            for row in rows:
                entity = PEOPLE if "unique_id" in row else COMPANY
                keys.append(row[entity.key])
                cursor.execute(
                    sql.SQL("INSERT INTO marketing.{} ({}) VALUES ({})").format(
                        sql.Identifier(entity.invalid),
                        sql.SQL(", ").join(map(sql.Identifier, row)),
                        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                    ),
                    [_adapted(value) for value in row.values()],
                )
        return keys

    def add_companies(self, count: int, **values: Any) -> list[str]:
        """Insert that many invalid companies; returns their ids."""
        return self.add_invalid(*(invalid_company(**values) for _ in range(count)))

    def edit(self, *keys: str, **values: Any) -> None:
        """Change rows of the workspace as an enricher does, in one transaction."""
        self._update(self.workspace, "public", "workspace", keys, values)

    def complete(self, *keys: str, **values: Any) -> None:
        """Change rows of the workspace and mark them complete."""
        self.edit(*keys, **{"enrichment_status": "complete", "enriched_by": "ann", **values})

    def change_source(self, *keys: str, **values: Any) -> None:
        """Change rows of the invalid table as another system does, which moves updated_at."""
        moved = {"updated_at": sql.SQL("(clock_timestamp() AT TIME ZONE 'UTC')")}
        self._update(self.neon, "marketing", "invalid", keys, {**moved, **values})

    def row(self, key: str) -> Row | None:
        """A record's row of the workspace."""
        return self._one(self.workspace, "public", entity_of(key).workspace, key)

    def invalid(self, key: str) -> Row | None:
        """A record's row of the invalid table."""
        return self._one(self.neon, "marketing", entity_of(key).invalid, key)

    def master(self, key: str) -> Row | None:
        """A record's row of the master table."""
        return self._one(self.neon, "marketing", entity_of(key).master, key)

    def rows(self, url: DatabaseUrl, query: str, *parameters: Any) -> list[Row]:
        """The rows of a query by column name."""
        with _connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def conflicts(self) -> list[Row]:
        """The conflicts that were logged, in their order."""
        return self.rows(self.neon, "SELECT * FROM marketing.enrichment_conflicts ORDER BY id")

    def dump(self) -> tuple[Dump, Dump]:
        """Everything that stands in both databases, to be compared with a later dump."""
        return dump(self.neon), dump(self.workspace)

    def _update(
        self, url: DatabaseUrl, place: str, table: str, keys: Sequence[str], values: Mapping
    ) -> None:
        entity = entity_of(keys[0])
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(
                sql.Identifier(name),
                value if isinstance(value, sql.Composable) else sql.Placeholder(),
            )
            for name, value in values.items()
        )
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = ANY(%s)").format(
            sql.Identifier(place, getattr(entity, table)), sets, sql.Identifier(entity.key)
        )
        given = [_adapted(v) for v in values.values() if not isinstance(v, sql.Composable)]
        with _connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, [*given, list(keys)])
            assert cursor.rowcount == len(keys), f"{cursor.rowcount} rows were changed"

    def _one(self, url: DatabaseUrl, place: str, table: str, key: str) -> Row | None:
        query = f'SELECT * FROM {place}.{table} WHERE "{entity_of(key).key}" = %s'
        found = self.rows(url, query, key)
        assert len(found) < 2, f"{key} stands {len(found)} times in {table}"
        return found[0] if found else None


def dump(url: DatabaseUrl) -> Dump:
    """All rows of all tables as sorted texts, by table; sequences are left out."""
    with _connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        found: Dump = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            found[table] = [text for (text,) in cursor.fetchall()]
    return found


def make_templates(server: EmbeddedServer, name: str) -> tuple[str, str]:
    """Two databases to copy: Neon with its tables, and a workspace as the predecessor left it."""
    for half, create in (("neon", schema.create_neon), ("desk", schema.create_supabase)):
        with _connected(fresh_database(server, f"{name}_{half}")) as connection:
            create(connection)
    return f"{name}_neon", f"{name}_desk"


@contextmanager
def copied(server: EmbeddedServer, templates: tuple[str, str]) -> Iterator[Databases]:
    """Fresh copies of two templates, dropped at the end of the block."""
    name = f"enrich_{uuid.uuid4().hex[:12]}"
    neon, desk = f"{name}_neon", f"{name}_desk"
    try:
        yield Databases(
            fresh_database(server, neon, templates[0]), fresh_database(server, desk, templates[1])
        )
    finally:
        drop_database(server, neon)
        drop_database(server, desk)


def prepare(databases: Databases) -> None:
    """Let the wing add its own tables and columns to both databases."""
    with _connected(databases.neon) as connection, connection.cursor() as cursor:
        prepare_neon(cursor, "marketing")
        audit.ensure_table(connection)
    with _connected(databases.workspace) as connection, connection.cursor() as cursor:
        prepare_workspace(cursor)


@contextmanager
def _connected(url: DatabaseUrl) -> Iterator[Connection]:
    with closing(psycopg2.connect(url.conninfo)) as connection, connection:
        yield connection


def _adapted(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def meanwhile(session: Session, *, before: Event | None = None, after: Event | None = None) -> None:
    """Let something happen just before, or just after, a session's next transaction."""
    run = session.run

    def interrupted(work: Any) -> Any:
        session.run = run
        if before is not None:
            before()
        result = run(work)
        if after is not None:
            after()
        return result

    session.run = interrupted
