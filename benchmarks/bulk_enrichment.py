"""Invalid companies by the hundred thousand, their older master rows, and who completes them.

Same seed, same rows. About 95 % of the companies are in the master, as 114 of the real 119 were,
and about 5 % have no name, so that both ways out of a judgement are taken.
"""

import io
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from outreach_platform.embedded import schema
from outreach_platform.embedded.sample import ids, words
from outreach_platform.embedded.sample.rows import Json, Row, copy_text
from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.tables import prepare_workspace
from outreach_platform.enrichment.tables_neon import prepare_neon
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

INVALID, MASTER = "marketing.company_invalid", "marketing.company_master"
WORKSPACE = "public.company_needs_enrichment"
TO_MASTER = [(column, target) for column, all_ in COMPANY.to_master.items() for target in all_]
"""Data columns and the master's columns that they fill."""

_IN_MASTER, _NAMELESS = 0.95, 0.05
_START = datetime(2026, 3, 1)


def make_rows(neon: DatabaseUrl, supabase: DatabaseUrl, n: int, seed: int = 7) -> None:
    """Fill two empty databases: n invalid companies, their master rows, an empty workspace.

    Tables, indexes and triggers are the wing's own, so that every way works on the same.

    Args:
        neon: gets the `marketing` tables.
        supabase: gets the workspace.
        n: invalid companies; about 95 % of them are in the master, about 5 % have no name.
        seed: same seed, same rows.

    Raises:
        UsageError: one of the tables holds rows.
    """
    rng = random.Random(f"{seed}/enrichment")
    rows = [_invalid(rng, number) for number in range(1, n + 1)]
    known = [_known(row) for row in rows if rng.random() < _IN_MASTER]
    with connected(neon) as connection:
        with connection, connection.cursor() as cursor:
            schema.create_neon(connection)
            prepare_neon(cursor, "marketing")
            _fill(cursor, MASTER, known)
            _fill(cursor, INVALID, rows)
        _settle(connection, f"{INVALID}, {MASTER}")
    with connected(supabase) as connection, connection, connection.cursor() as cursor:
        schema.create_supabase(connection)
        prepare_workspace(cursor)
        _fill(cursor, WORKSPACE, [])


def _invalid(rng: random.Random, number: int) -> Row:
    nameless = rng.random() < _NAMELESS
    name = f"{rng.choice(words.NAME_FIRST)} {rng.choice(words.NAME_SECOND)} {number}"
    state = rng.choice(words.STATES)
    failed = (_START + timedelta(seconds=number)).isoformat()
    errors = {"website": "empty or blank"} | ({"company_name": "empty"} if nameless else {})
    host = name.lower().replace(" ", "-")
    return {
        "company_unique_id": ids.regular_id(ids.COMPANY, number),
        "company_name": rng.choice((None, "N/A", "unknown")) if nameless else name,
        "domain": f"{host}.example" if rng.random() < 0.6 else None,
        "industry": rng.choice(words.INDUSTRIES),
        "employee_count": rng.randrange(1, 900),
        "website": rng.choice((None, "", "n/a", "website coming soon", "http://localhost")),
        "phone": f"({state.area_code}) 555-01{number % 100:02d}",
        "address": f"{rng.randrange(1, 2000)} {rng.choice(words.STREETS)}",
        "city": rng.choice(state.cities),
        "state": rng.choice((state.code, state.name)),
        "zip": f"{state.zip_start + number % 90:05d}",
        "reason_code": "EMPTY_NAME" if nameless else "EMPTY_WEBSITE",
        "validation_errors": Json(errors),
        "validation_warnings": Json({"linkedin": "missing"}),
        "failed_at": failed,
        "batch_id": f"batch-{number // 1000}",
        "source_table": "intake.company_raw",
        "created_at": failed,
        "updated_at": failed,
    }


def _known(row: Row) -> Row:
    """The master's older row of an invalid company."""
    before = "2025-06-01 00:00:00+00"
    mapped = {target: row[column] for column, target in TO_MASTER}
    # One column of the two that the invalid row's single `state` fills, as it is in real rows.
    return mapped | {
        "company_unique_id": row["company_unique_id"],
        "website_url": None,
        "state_abbrev": None,
        "description": "Makes and repairs things of wood and brass; ships within two days.",
        "source_system": "benchmark",
        "promoted_from_intake_at": before,
        "created_at": before,
        "updated_at": before,
    }


def _fill(cursor: Cursor, table: str, rows: list[Row]) -> None:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    if cursor.fetchone() != (False,):
        raise UsageError(f"{table} already holds rows: use an empty database")
    if rows:
        columns = ", ".join(rows[0])
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(copy_text(rows)))


def complete_all(supabase: DatabaseUrl) -> None:
    """An enricher's bulk edit: every row of the workspace has a website and is complete."""
    with connected(supabase) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {WORKSPACE} SET enrichment_status = 'complete', enriched_by = 'benchmark',"
                " website = 'https://www.' || coalesce(domain, 'site-' || id || '.example'),"
                " enriched_at = clock_timestamp() AT TIME ZONE 'UTC'"
            )
        _settle(connection, WORKSPACE)


@contextmanager
def connected(url: DatabaseUrl) -> Iterator[Connection]:
    """A plain connection, closed at the end of the block; the caller commits."""
    with closing(psycopg2.connect(url.conninfo)) as connection:
        yield connection


def _settle(connection: Connection, tables: str) -> None:
    """Statistics and the visibility map, as long-lived tables have them."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {tables}")
    connection.autocommit = False
