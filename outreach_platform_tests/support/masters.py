"""The two master tables for tests: made in an empty database, filled with rows of one line each."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extras import execute_values

from outreach_platform.embedded import schema
from outreach_platform.foundation.postgres.url import DatabaseUrl

COMPANIES = "marketing.company_master"
PEOPLE = "marketing.people_master"

_numbers = itertools.count(1)
_MOMENT = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)


def create_masters(
    url: DatabaseUrl,
    *,
    primary_keys: bool = True,
    company_columns: Sequence[str] | Mapping[str, str | None] | None = None,
) -> None:
    """Create the `marketing` tables of the real schema.

    Args:
        url: an empty database.
        primary_keys: False drops the keys of both master tables and lets their ids be null, so that
            null and doubled ids can be inserted.
        company_columns: a sequence makes company_master with exactly these columns in this order; a
            mapping changes the real table: a type adds or retypes a column, None drops it.
    """
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            schema.create_neon(connection)
            if isinstance(company_columns, Mapping):
                _change_columns(cursor, company_columns)
            elif company_columns is not None:
                _keep_columns(cursor, list(company_columns))
            if not primary_keys:
                _drop_key(cursor, COMPANIES, "company_unique_id")
                _drop_key(cursor, PEOPLE, "unique_id")
    finally:
        connection.close()


def company(**overrides: Any) -> dict[str, Any]:
    """A company of West Virginia that breaks no rule and warns of nothing; ids increase."""
    n = next(_numbers)
    return {
        "company_unique_id": f"04.04.01.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
        "company_name": f"Company {n}",
        "website_url": f"https://www.company-{n}.example.com",
        "industry": "Manufacturing",
        "employee_count": 25,
        "company_phone": "(304) 555-0123",
        "address_city": "Charleston",
        "address_state": "WV",
        "state_abbrev": "WV",
        "linkedin_url": f"https://www.linkedin.com/company/invented-{n}",
        "source_system": "test",
        "promoted_from_intake_at": _MOMENT,
        "created_at": _MOMENT,
        "updated_at": _MOMENT,
        **overrides,
    }


def person(**overrides: Any) -> dict[str, Any]:
    """A person without errors and warnings, if `company_unique_id` names a good company.

    Without it the person's company is one that no table holds.
    """
    n = next(_numbers)
    return {
        "unique_id": f"04.04.02.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
        "company_unique_id": "04.04.01.99.99999.999",
        "company_slot_unique_id": f"04.04.05.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
        "first_name": "Adela",
        "last_name": f"Number{n}",
        "title": "CEO",
        "email": f"adela.{n}@company.example.com",
        "work_phone_e164": "+13045550123",
        "linkedin_url": f"https://www.linkedin.com/in/invented-{n}",
        "source_system": "test",
        "promoted_from_intake_at": _MOMENT,
        "created_at": _MOMENT,
        "updated_at": _MOMENT,
        **overrides,
    }


def insert(url: DatabaseUrl, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows by column name; returns how many. Lists become arrays, other keys nulls.

    Args:
        url: the database.
        table: `schema.table` or a name in the search path.
        rows: may have different keys; what a row lacks is null.
    """
    rows = list(rows)
    columns = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    if not columns:
        return 0
    statement = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            values = [[row.get(column) for column in columns] for row in rows]
            execute_values(cursor, statement, values, page_size=1000)
    finally:
        connection.close()
    return len(rows)


def _change_columns(cursor: Any, changes: Mapping[str, str | None]) -> None:
    known = _column_types(cursor)
    for name, kind in changes.items():
        column = sql.Identifier(name)
        if kind is None:
            action = sql.SQL("DROP COLUMN {}").format(column)
        elif name in known:
            action = sql.SQL("ALTER COLUMN {0} TYPE {1} USING {0}::{1}").format(
                column, sql.SQL(kind)
            )
        else:
            action = sql.SQL("ADD COLUMN {} {}").format(column, sql.SQL(kind))
        cursor.execute(sql.SQL("ALTER TABLE marketing.company_master {}").format(action))


def _keep_columns(cursor: Any, names: list[str]) -> None:
    known = _column_types(cursor)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(known.get(name, "text")))
        for name in names
    ]
    if "company_unique_id" in names:
        columns.append(sql.SQL("PRIMARY KEY (company_unique_id)"))
    cursor.execute("DROP TABLE marketing.company_master")
    cursor.execute(
        sql.SQL("CREATE TABLE marketing.company_master ({})").format(sql.SQL(", ").join(columns))
    )


def _drop_key(cursor: Any, table: str, column: str) -> None:
    cursor.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
        (table,),
    )
    found = cursor.fetchone()
    if found is None:
        return
    relation = sql.Identifier(*table.split("."))
    cursor.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(relation, sql.Identifier(found[0]))
    )
    cursor.execute(
        sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL").format(
            relation, sql.Identifier(column)
        )
    )


def _column_types(cursor: Any) -> dict[str, str]:
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'marketing.company_master'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return dict(cursor.fetchall())
