"""Tables as other hands made them: what is added to them, what is refused, and when nothing is."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg2
import pytest

from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE, Entity
from outreach_platform.enrichment.pull import PullReport
from outreach_platform.enrichment.push import PushReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import naive_utc
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_company,
    invalid_person,
    prepare,
)
from outreach_platform_tests.support.masters import company, insert
from outreach_platform_tests.support.postgres import execute, fetch

pytestmark = pytest.mark.slow

NewRun = Callable[..., EnrichmentRun]
NO_DDL = """
CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'DDL: %', tg_tag; END $$;
CREATE EVENT TRIGGER no_ddl ON ddl_command_end EXECUTE FUNCTION no_ddl();
"""


def round_trip(databases: Databases, run: EnrichmentRun, new: bool = True) -> None:
    """A company and its CEO go all the way into the master."""
    firm, ceo = company_id(700), invalid_person(company_unique_id=company_id(700))
    databases.add_invalid(invalid_company(company_unique_id=firm), ceo)
    for entity, values in (
        (COMPANY, {"website": "https://mine.test"}),
        (PEOPLE, {"email": "ann.lee@mine.test"}),
    ):
        key = firm if entity is COMPANY else ceo["unique_id"]
        assert run.pull(entity) == PullReport(read=1, inserted=int(new), unchanged=int(not new))
        before = databases.dump()
        assert run.pull(entity) == PullReport(read=1, unchanged=1)
        assert databases.dump() == before
        databases.complete(key, **values)
        assert run.push(entity) == PushReport(read=1, updated=1, confirmed=1)
        assert run.push(entity) == PushReport()
        assert run.revalidate(entity).passed == 1
        assert run.promote(entity).promoted == 1
        row = databases.row(key)
        assert row is not None
        assert row["promoted_at"] is not None
        assert databases.invalid(key) is None
        assert databases.master(key) is not None


def test_what_is_missing_is_made_and_then_nothing_more(
    bare_databases: Databases, new_run: NewRun
) -> None:
    round_trip(bare_databases, new_run(bare_databases))
    for url in (bare_databases.neon, bare_databases.workspace):
        execute(url, NO_DDL)
    run = new_run(bare_databases)
    run.pull(COMPANY)
    assert run.promote(COMPANY).promoted == 0
    # The trap works: a lost index is made anew, which it refuses.
    execute(
        bare_databases.workspace,
        "ALTER EVENT TRIGGER no_ddl DISABLE; DROP INDEX company_needs_enrichment_status; "
        "ALTER EVENT TRIGGER no_ddl ENABLE",
    )
    with pytest.raises(SourceError, match="DDL: CREATE INDEX"):
        new_run(bare_databases).pull(COMPANY)


@pytest.fixture
def clerk(databases: Databases) -> Iterator[Databases]:
    """The databases as a user sees them who may read and write rows, and make nothing."""
    with_rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO clerk; "
    with_rights += "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {0} TO clerk; "
    with_rights += "GRANT USAGE ON SCHEMA {0} TO clerk; REVOKE CREATE ON SCHEMA {0} FROM PUBLIC;"
    execute(databases.neon, "CREATE ROLE clerk")
    for url, schemas in (
        (databases.neon, ("marketing", "public", "shq")),
        (databases.workspace, ("public",)),
    ):
        for schema in schemas:
            execute(url, with_rights.format(schema))
    options = {"options": "-c role=clerk"}
    yield Databases(
        DatabaseUrl({**databases.neon.params, **options}),
        DatabaseUrl({**databases.workspace.params, **options}),
    )
    execute(databases.workspace, "DROP OWNED BY clerk")
    execute(databases.neon, "DROP OWNED BY clerk; DROP ROLE clerk")


def test_a_user_without_the_right_to_alter_works_with_tables_that_are_complete(
    databases: Databases, clerk: Databases, new_run: NewRun
) -> None:
    round_trip(databases, new_run(clerk))
    execute(databases.workspace, "ALTER TABLE company_needs_enrichment DROP COLUMN chronic")
    with pytest.raises(SourceError, match="the user lacks a privilege"):
        new_run(clerk).pull(COMPANY)


OF_OTHER_HANDS = """
DROP TABLE public.company_needs_enrichment, public.people_needs_enrichment;
CREATE TABLE public.company_needs_enrichment (
    id serial PRIMARY KEY, neon_id int, company_unique_id varchar(60) UNIQUE,
    company_name varchar(300), website varchar(300), employee_count text,
    original_validation_errors json, enrichment_status varchar(20), "extra Column" text,
    updated_at timestamptz, enriched_at timestamptz, pushed_to_neon_at timestamp);
CREATE TABLE public.people_needs_enrichment (
    unique_id text PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY, email text,
    created_at timestamptz NOT NULL DEFAULT now(), pushed_to_neon_at timestamptz);
INSERT INTO public.company_needs_enrichment (company_unique_id, enrichment_status, updated_at)
    VALUES ('04.04.01.00.00700.700', 'pending', now());
"""
ODD_SOURCE = """
ALTER TABLE marketing.company_invalid ALTER employee_count TYPE text, DROP COLUMN zip,
    DROP COLUMN batch_id, ALTER updated_at TYPE timestamptz, ADD COLUMN "More %s" text;
ALTER TABLE marketing.people_invalid ALTER updated_at TYPE timestamptz, DROP COLUMN linkedin_url,
    ADD COLUMN enriched_at timestamptz, ADD COLUMN revalidated_at timestamptz;
"""
FAR_AWAY = (
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), "
    "'ZONE'); EXECUTE format('ALTER DATABASE %I SET DateStyle = %L', "
    "current_database(), 'SQL, DMY'); END $$"
)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_tables_of_other_hands_serve(bare_databases: Databases, new_run: NewRun, zone: str) -> None:
    """Other types, columns missing on both sides, no CHECK, no trigger, a server far from UTC."""
    execute(bare_databases.workspace, OF_OTHER_HANDS)
    execute(bare_databases.neon, ODD_SOURCE)
    for url in (bare_databases.neon, bare_databases.workspace):
        execute(url, FAR_AWAY.replace("ZONE", zone))
    firm = company_id(700)
    long_ago = "2020-01-01 00:00:00+00"
    record = invalid_company(company_unique_id=firm, employee_count="25", updated_at=long_ago)
    person = invalid_person(company_unique_id=firm)
    for name in ("zip", "batch_id"):
        del record[name]
    del person["linkedin_url"]
    bare_databases.add_invalid(record, person)
    run = new_run(bare_databases)
    for entity, key, values in (
        (COMPANY, firm, {"website": "https://mine.test", "employee_count": "26"}),
        (PEOPLE, person["unique_id"], {"email": "ann.lee@mine.test"}),
    ):
        report = run.pull(entity)
        assert (report.inserted + report.refreshed, report.problems) == (1, [])
        source = bare_databases.invalid(key)
        assert source is not None
        # The columns that were missing a moment ago are no edit of anybody's.
        assert source["city"] == "Charleston"
        before = bare_databases.dump()
        assert run.pull(entity) == PullReport(read=1, unchanged=1)
        assert bare_databases.dump() == before
        bare_databases.complete(key, **values)
        assert run.push(entity) == PushReport(read=1, updated=1, confirmed=1)
        before = bare_databases.dump()
        assert run.push(entity) == PushReport()
        assert bare_databases.dump() == before
        bare_databases.edit(key, city="Wheeling")
        assert run.push(entity) == PushReport(read=1, updated=1, confirmed=1)
        assert bare_databases.conflicts() == []
        shape = run.places(entity).workspace_shape
        (times,) = bare_databases.rows(
            bare_databases.workspace,
            f"SELECT {naive_utc(shape, 'updated_at')} AS edited, "
            f"{naive_utc(shape, 'pushed_to_neon_at')} "
            f"AS pushed, now() AT TIME ZONE 'UTC' AS now FROM {entity.workspace}",
        )
        assert times["edited"] <= times["pushed"] <= times["now"]
        assert times["now"] - times["edited"] < timedelta(minutes=1)
        assert (run.revalidate(entity).passed, run.promote(entity).promoted) == (1, 1)
        row = bare_databases.row(key)
        assert row is not None
        assert row["promoted_at"] is not None
    assert bare_databases.rows(
        bare_databases.neon,
        "SELECT abs(extract(epoch FROM now() - updated_at)) < 60 AS now FROM "
        "marketing.company_master",
    ) == [{"now": True}]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize(
    "made",
    ["", "CREATE UNIQUE INDEX ON {0} ({1}, city)", "CREATE UNIQUE INDEX ON {0} (lower({1}))",
     "CREATE UNIQUE INDEX ON {0} ({1}) WHERE city IS NULL",
     "ALTER TABLE {0} ADD UNIQUE ({1}) DEFERRABLE"],
)  # fmt: skip
def test_a_workspace_that_could_hold_a_record_twice_is_refused(
    databases: Databases, new_run: NewRun, entity: Entity, made: str
) -> None:
    execute(
        databases.workspace,
        f"ALTER TABLE {entity.workspace} DROP CONSTRAINT {entity.workspace}_{entity.key}_key; "
        + made.format(entity.workspace, entity.key),
    )
    before = databases.dump()
    said = f"{entity.workspace}.{entity.key} is not unique, so that a record could be pulled twice"
    with pytest.raises(SourceError, match=re.escape(said)):
        new_run(databases).pull(entity)
    assert databases.dump() == before
    execute(databases.workspace, f"ALTER TABLE {entity.workspace} ADD UNIQUE ({entity.key})")
    assert new_run(databases).pull(entity) == PullReport()


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        ("DROP TABLE marketing.company_invalid", "there is no table marketing.company_invalid"),
        ("DROP TABLE marketing.people_master", "there is no table marketing.people_master"),
        (
            "ALTER TABLE marketing.people_invalid DROP COLUMN reason_code, DROP COLUMN unique_id",
            "marketing.people_invalid lacks unique_id, reason_code: add what is missing",
        ),
    ],
)
def test_a_source_that_cannot_serve_is_refused(
    databases: Databases, new_run: NewRun, breaking: str, said: str
) -> None:
    execute(databases.neon, breaking)
    with pytest.raises(SourceError, match=re.escape(said)):
        new_run(databases).pull(COMPANY)


def test_a_workspace_table_of_something_else_is_refused(
    databases: Databases, new_run: NewRun
) -> None:
    execute(
        databases.workspace,
        "ALTER TABLE people_needs_enrichment RENAME COLUMN unique_id TO other_id",
    )
    with pytest.raises(SourceError, match="people_needs_enrichment has no column unique_id"):
        new_run(databases).pull(COMPANY)


def test_every_table_of_ours_has_its_indexes(bare_databases: Databases) -> None:
    prepare(bare_databases)
    found = fetch(bare_databases.workspace, "SELECT tablename || ' ' || indexdef FROM pg_indexes")
    for table, key in (
        ("company_needs_enrichment", "company_unique_id"),
        ("people_needs_enrichment", "unique_id"),
    ):
        mine = [text for (text,) in found if text.startswith(f"{table} ")]
        for columns in ("(enrichment_status)", f"({key})",
                        "(enrichment_status, pushed_to_neon_at)"):  # fmt: skip
            assert any(text.endswith(columns) for text in mine), columns


def test_numbers_of_new_slots_begin_behind_all_that_stand(bare_databases: Databases) -> None:
    insert(
        bare_databases.neon,
        "marketing.company_slot",
        [
            {"company_slot_unique_id": f"04.04.05.01.{n}.001", "company_unique_id": n,
             "slot_type": "CEO"}
            for n in ("00009", "100000", "00010", "no number")
        ],
    )  # fmt: skip
    prepare(bare_databases)
    sequence = "SELECT nextval('marketing.company_slot_number')"
    assert fetch(bare_databases.neon, sequence) == [(100001,)]
    prepare(bare_databases)
    assert fetch(bare_databases.neon, sequence) == [(100002,)]


def test_a_dry_run_makes_no_table_and_tells_all_the_same(
    bare_databases: Databases, new_run: NewRun
) -> None:
    insert(bare_databases.neon, "marketing.company_master", [company()])
    bare_databases.add_invalid(invalid_company(), invalid_person())
    before = bare_databases.dump()
    run = new_run(bare_databases, dry_run=True)
    assert run.pull(COMPANY) == PullReport(read=1, inserted=1)
    assert run.pull(COMPANY) == PullReport(read=1, unchanged=1)

    def complete(cursor: psycopg2.extensions.cursor) -> None:
        cursor.execute("SELECT set_config('outreach.syncing', 'off', true)")
        cursor.execute(
            "UPDATE company_needs_enrichment SET website = 'https://mine.test', "
            "enrichment_status = 'complete'"
        )

    run.workspace.run(complete)
    assert run.push(COMPANY) == PushReport(read=1, updated=1, confirmed=1)
    assert run.revalidate(COMPANY).passed == 1
    assert run.promote(COMPANY).promoted == 1
    assert run.funnel(COMPANY).promoted == 1
    run.close()
    assert bare_databases.dump() == before
