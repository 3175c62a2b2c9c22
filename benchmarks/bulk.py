"""Millions of master rows, made inside PostgreSQL: realistic width, six states, about 8 % bad.

Nothing is random: every value is arithmetic on the row's number, what is bad comes from
PostgreSQL's hash of number and seed, so equal calls give equal tables.
"""

from typing import Any

import psycopg2

from outreach_platform.embedded import schema
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

_COMPANIES = """
INSERT INTO marketing.company_master (
    company_unique_id, company_name, website_url, industry, employee_count, company_phone,
    address_street, address_city, address_state, address_zip, address_country, linkedin_url,
    facebook_url, sic_codes, founded_year, keywords, description, source_system, source_record_id,
    promoted_from_intake_at, promotion_audit_log_id, created_at, updated_at, state_abbrev,
    import_batch_id, validated_at, validated_by, data_quality_score)
SELECT
    format('04.04.01.%%s.%%s.%%s', to_char(n %% 100, 'FM00'), to_char(n, 'FM999900000'),
        to_char(n %% 1000, 'FM000')),
    CASE WHEN bad < 8000 THEN NULL WHEN bad < 16000 THEN 'N/A'
         ELSE 'Benchmark Company ' || n || ' Holdings' END,
    CASE WHEN bad BETWEEN 16000 AND 39999 THEN NULL WHEN bad BETWEEN 40000 AND 59999 THEN '  '
         WHEN bad BETWEEN 60000 AND 79999 THEN 'http://localhost'
         WHEN bad BETWEEN 80000 AND 109999 THEN 'https://www.facebook.com/invented-' || n
         ELSE 'https://www.company-' || n || '.example.com/about' END,
    CASE WHEN warn < 60000 THEN NULL ELSE 'Manufacturing and Trade ' || n %% 40 END,
    CASE WHEN warn BETWEEN 60000 AND 160000 THEN 0 ELSE 5 + n %% 900 END,
    '(304) 555-01' || lpad((n %% 100)::text, 2, '0'),
    n %% 2000 || ' Main Street, Suite ' || n %% 90,
    'City of ' || n %% 500,
    CASE n %% 5 WHEN 0 THEN code WHEN 1 THEN name WHEN 2 THEN upper(name)
                WHEN 3 THEN ' ' || lower(code) || ' ' END,
    lpad((n %% 99999)::text, 5, '0'), 'US',
    CASE WHEN warn > 850000 THEN NULL ELSE 'https://www.linkedin.com/company/invented-' || n END,
    CASE WHEN n %% 3 = 0 THEN 'https://facebook.com/invented-' || n END,
    '2050', 1900 + (n %% 120)::int, ARRAY['regional', 'batch ' || n %% 90],
    'Makes and repairs things of wood and brass; ships within two days; family-run. ' || n,
    'benchmark', 'rec-' || n, t, n, t, t + interval '9 days',
    CASE WHEN n %% 5 IN (0, 4) THEN code END,
    'batch-' || n %% 60, t, 'intake-validator', (n %% 10001) / 100.0
FROM (
    SELECT n, abs(hashint8extended(n, %(seed)s) %% 1000000) AS bad,
        abs(hashint8extended(n, %(seed)s + 99) %% 1000000) AS warn,
        (ARRAY['WV', 'PA', 'VA', 'MD', 'OH', 'DE'])[1 + n %% 6] AS code,
        (ARRAY['West Virginia', 'Pennsylvania', 'Virginia', 'Maryland', 'Ohio', 'Delaware'])
            [1 + n %% 6] AS name,
        timestamptz '2024-01-01 00:00+00' + n %% 500000 * interval '1 minute' AS t
    FROM generate_series(1::bigint, %(companies)s) AS n
) AS numbers
"""
# Every company has people before any has a second round, so that each state gets its share.
_PEOPLE = """
INSERT INTO marketing.people_master (
    unique_id, company_unique_id, company_slot_unique_id, first_name, last_name, title, seniority,
    department, email, work_phone_e164, linkedin_url, bio, skills, education, source_system,
    source_record_id, promoted_from_intake_at, created_at, updated_at, email_verified,
    email_verification_source, email_verified_at)
SELECT
    '04.04.02.' || two || '.' || five || '.' || three,
    format('04.04.01.%%s.%%s.%%s', to_char(c %% 100, 'FM00'), to_char(c, 'FM999900000'),
        to_char(c %% 1000, 'FM000')),
    '04.04.05.' || two || '.' || five || '.' || three,
    'Adela' || n %% 900, 'Birchall' || n %% 5000,
    CASE WHEN bad > 960000 THEN NULL
         ELSE (ARRAY['Chief Executive Officer', 'CFO', 'HR Director'])[1 + n %% 3] END,
    'C-Level', 'Executive',
    CASE WHEN bad < 20000 THEN NULL WHEN bad < 40000 THEN 'no address'
         WHEN bad < 60000 THEN 'info@company-' || c || '.example.com'
         ELSE 'adela' || n || '@company-' || c || '.example.com' END,
    '+130455501' || lpad((n %% 100)::text, 2, '0'),
    CASE WHEN n %% 7 > 0 THEN 'https://www.linkedin.com/in/invented-' || n END,
    CASE WHEN n %% 4 = 0 THEN 'Joined the workshop as an apprentice and stayed. ' || n END,
    ARRAY['budgeting', 'hiring ' || n %% 9], 'BA, Valley College', 'benchmark', 'person-' || n,
    t, t, t + interval '3 days', n %% 3 = 0, 'mailcheck', t
FROM (
    SELECT n, 1 + n %% %(companies)s AS c, abs(hashint8extended(n, %(seed)s + 7) %% 1000000) AS bad,
        to_char(n %% 100, 'FM00') AS two, to_char(n, 'FM999900000') AS five,
        to_char(n %% 1000, 'FM000') AS three,
        timestamptz '2024-01-01 00:00+00' + n %% 500000 * interval '1 minute' AS t
    FROM generate_series(%(first)s::bigint, %(people)s) AS n
) AS numbers
"""
_MARKER = "marketing.bulk_info"


def load_bulk(
    url: DatabaseUrl, companies: int = 500_000, people: int = 1_000_000, seed: int = 7
) -> None:
    """Fill an empty database's master tables, with keys and statistics; nothing if that is done.

    Args:
        url: the database; its server may be the embedded one.
        companies: rows of company_master, spread evenly over six states and five spellings.
        people: rows of people_master, spread evenly over the companies.
        seed: decides which rows are bad.

    Raises:
        UsageError: the master tables hold other rows.
    """
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            schema.create_neon(connection)
            if _loaded(cursor) == (companies, people, seed):
                return
            _refuse_rows(cursor, url)
            with_keys = _drop_keys(cursor, ("company_master", "people_master"))
            cursor.execute(_COMPANIES, {"companies": companies, "seed": seed})
            _insert_people(cursor, companies, 1, people, seed)
            _restore_keys(cursor, with_keys)
            cursor.execute(f"CREATE TABLE {_MARKER} (companies bigint, people bigint, seed bigint)")
            cursor.execute(f"INSERT INTO {_MARKER} VALUES (%s, %s, %s)", (companies, people, seed))
    finally:
        connection.close()
    _analyze(url)


def load_bulk_people_only(url: DatabaseUrl, people: int = 10_000_000) -> None:
    """Add people to what `load_bulk` made until there are `people`; the companies stay.

    Raises:
        UsageError: `load_bulk` has not filled this database, or there are more people already.
    """
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            found = _loaded(cursor)
            if found is None:
                raise UsageError(f"{url.display} holds no bulk data: call load_bulk first")
            companies, present, seed = found
            if people < present:
                raise UsageError(f"{url.display} already holds {present} people, over {people}")
            with_keys = _drop_keys(cursor, ("people_master",))
            _insert_people(cursor, companies, present + 1, people, seed)
            _restore_keys(cursor, with_keys)
            cursor.execute(f"UPDATE {_MARKER} SET people = %s", (people,))
    finally:
        connection.close()
    _analyze(url)


def _insert_people(cursor: Any, companies: int, first: int, people: int, seed: int) -> None:
    cursor.execute(
        _PEOPLE, {"companies": companies, "first": first, "people": people, "seed": seed}
    )


def _loaded(cursor: Any) -> tuple[int, int, int] | None:
    cursor.execute("SELECT to_regclass(%s)", (_MARKER,))
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute(f"SELECT companies, people, seed FROM {_MARKER}")
    return cursor.fetchone()


def _refuse_rows(cursor: Any, url: DatabaseUrl) -> None:
    for table in ("company_master", "people_master"):
        cursor.execute(f"SELECT EXISTS (SELECT FROM marketing.{table})")
        if cursor.fetchone()[0]:
            raise UsageError(
                f"{url.display} already holds rows in marketing.{table}: use an empty database"
            )


def _drop_keys(cursor: Any, tables: tuple[str, ...]) -> list[tuple[str, str]]:
    """Drop primary keys for the time of the load, a third of which they would cost."""
    dropped = []
    for table in tables:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype = 'p'",
            (f"marketing.{table}",),
        )
        for name, definition in cursor.fetchall():
            cursor.execute(f'ALTER TABLE marketing.{table} DROP CONSTRAINT "{name}"')
            dropped.append((table, f'ADD CONSTRAINT "{name}" {definition}'))
    return dropped


def _restore_keys(cursor: Any, dropped: list[tuple[str, str]]) -> None:
    cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for table, addition in dropped:
        cursor.execute(f"ALTER TABLE marketing.{table} {addition}")


def _analyze(url: DatabaseUrl) -> None:
    """Statistics and the visibility map, as a long-lived table would have them."""
    connection = psycopg2.connect(url.conninfo)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) marketing.company_master, marketing.people_master")
    finally:
        connection.close()
