"""Rows of the invalid tables and of the masters, judged where they stand."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity
from outreach_platform.enrichment.judging import judging_sql, masters_judging_sql
from outreach_platform.foundation.errors import SourceError
from outreach_platform_tests.enrichment.judged import (
    MARKETING,
    ODD,
    Neon,
    Row,
    a_company,
    a_master,
    a_person,
    company_id,
    judged_tables,
    person_id,
)
from outreach_platform_tests.records.test_rules import NBSP
from outreach_platform_tests.support.postgres import ROOT


@pytest.fixture(scope="module")
def database(pg_server: EmbeddedServer) -> Iterator[Connection]:
    with judged_tables(pg_server) as connection:
        yield connection


@pytest.fixture
def neon(database: Connection) -> Iterator[Neon]:
    with database.cursor() as cursor:
        yield Neon(database, cursor)
    database.rollback()


def test_good_rows_pass(neon: Neon) -> None:
    neon.put("company_master", [a_master()])
    neon.put("company_invalid", [a_company()])
    neon.put("people_invalid", [a_person()])
    assert neon.judge(COMPANY, [company_id(1)]) == {company_id(1): ([], [])}
    assert neon.judge(PEOPLE, [person_id(1)]) == {person_id(1): ([], [])}


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"company_name": None}, ["company_name_missing"]),
        ({"company_name": " x "}, ["company_name_short"]),
        ({"website": "(blank)"}, ["website_url_missing"]),
        ({"website": "http://localhost"}, ["website_url_invalid"]),
        ({"company_unique_id": 'it\'s; no "id" 100%s'}, ["id_malformed"]),
        ({"company_unique_id": person_id(1)}, ["id_malformed"]),
        ({"company_name": "", "website": ""}, ["company_name_missing", "website_url_missing"]),
    ],
)
def test_a_company_is_told_what_is_wrong(neon: Neon, changes: Row, errors: list[str]) -> None:
    row = a_company(**changes)
    neon.put("company_invalid", [row])
    assert neon.judge(COMPANY, [row["company_unique_id"]]) == {
        row["company_unique_id"]: (errors, [])
    }


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({"industry": " N/A"}, ["industry_missing"]),
        ({"employee_count": 0}, ["employee_count_missing"]),
        ({"employee_count": None}, ["employee_count_missing"]),
        ({"phone": "-"}, ["phone_missing"]),
        ({"website": "https://facebook.com/x"}, ["website_is_social"]),
        ({"website": "ann@x.test"}, ["website_is_email"]),
    ],
)
def test_a_warning_makes_no_company_bad(neon: Neon, changes: Row, warnings: list[str]) -> None:
    neon.put("company_invalid", [a_company(**changes)])
    assert neon.judge(COMPANY, [company_id(1)]) == {company_id(1): ([], warnings)}


@pytest.mark.parametrize(
    ("changes", "errors", "warnings"),
    [
        ({"first_name": None, "full_name": None}, ["name_incomplete"], []),
        ({"email": None}, ["email_invalid"], []),
        ({"email": "ann"}, ["email_invalid"], []),
        ({"email": "Ann <ann@x.test>"}, ["email_malformed"], []),
        ({"email": "Ann@Mail.Example.COM"}, ["email_example"], []),
        ({"title": "TBD"}, ["title_missing"], []),
        ({"company_unique_id": None}, ["company_not_valid"], []),
        ({"company_unique_id": company_id(2)}, ["company_not_valid"], []),
        ({"company_unique_id": company_id(3)}, ["company_not_valid"], []),
        ({"unique_id": "04.04.02.1.00001.001"}, ["id_malformed"], []),
        ({"phone": "", "linkedin_url": None}, [], ["phone_missing", "linkedin_missing"]),
        ({"email": "info@x.test"}, [], ["email_role_account"]),
        ({"email": "www.ann@x.test"}, [], ["email_is_url"]),
    ],
)
def test_a_person_is_told_what_is_wrong(
    neon: Neon, changes: Row, errors: list[str], warnings: list[str]
) -> None:
    neon.put("company_master", [a_master(), a_master(2, website_url="none")])
    row = a_person(**changes)
    neon.put("people_invalid", [row])
    assert neon.judge(PEOPLE, [row["unique_id"]]) == {row["unique_id"]: (errors, warnings)}


def test_long_values_are_judged(neon: Neon) -> None:
    sites = {
        "a" * 100_000: ["website_url_invalid"],
        "a" * 100_000 + ".test": [],
        "x" + " " * 100_000 + ".": [],
        "n/a" + " " * 100_000: ["website_url_missing"],
        " " * 100_000: ["website_url_missing"],
        "é;'\"" * 25_000: ["website_url_invalid"],
    }
    rows = [a_company(number, website=site) for number, site in enumerate(sites)]
    neon.put("company_invalid", rows)
    found = neon.judge(COMPANY, [row["company_unique_id"] for row in rows])
    assert [found[company_id(n)] for n in range(6)] == [(errors, []) for errors in sites.values()]


def test_only_the_rows_that_were_asked_for_are_judged(neon: Neon) -> None:
    neon.put("company_invalid", [a_company(n) for n in range(1, 6)])
    asked = [company_id(2), None, company_id(2), "nobody's", "'; DROP TABLE x;--", company_id(4)]
    assert set(neon.judge(COMPANY, asked)) == {company_id(2), company_id(4)}
    assert neon.judge(COMPANY, []) == {}
    assert neon.judge(COMPANY, [None]) == {}
    assert neon.judge(PEOPLE, [person_id(1)]) == {}


def test_a_person_is_held_against_the_companies_of_the_same_schema(neon: Neon) -> None:
    neon.put("people_invalid", [a_person()])
    neon.put("company_master", [a_master()], ODD)
    assert neon.judge(PEOPLE, [person_id(1)])[person_id(1)][0] == ["company_not_valid"]


def test_tables_of_other_hands_are_judged(neon: Neon) -> None:
    columns = ("company_unique_id", "company_name", "website", "employee_count")
    companies = [
        {column: row[column] for column in columns}
        for row in (
            a_company(1, employee_count="12"),
            a_company(2, employee_count=" 0.0 ", company_name="X"),
            a_company(3, employee_count="about ten; or 0"),
            a_company(4, company_unique_id=None),
        )
    ]
    neon.put("company_invalid", companies, ODD)
    found = neon.judge(COMPANY, [company_id(n) for n in range(1, 5)], ODD)
    assert found == {
        company_id(1): ([], []),
        company_id(2): (["company_name_short"], ["employee_count_missing"]),
        company_id(3): ([], []),
    }
    neon.put("company_master", [a_master(), a_master(2, company_unique_id=None)], ODD)
    left_out = ("phone", "linkedin_url")
    people = [
        {column: value for column, value in row.items() if column not in left_out}
        for row in (a_person(1), a_person(2, company_unique_id=None), a_person(3, email="x"))
    ]
    neon.put("people_invalid", people, ODD)
    assert neon.judge(PEOPLE, [person_id(n) for n in range(1, 4)], ODD) == {
        person_id(1): ([], []),
        person_id(2): (["company_not_valid"], []),
        person_id(3): (["email_invalid"], []),
    }


@pytest.mark.parametrize(
    ("entity", "column"),
    [
        *((COMPANY, column) for column in ("company_unique_id", "company_name", "website")),
        *((PEOPLE, column) for column in ("unique_id", "first_name", "last_name", "full_name")),
        *((PEOPLE, column) for column in ("email", "title", "company_unique_id")),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused(neon: Neon, entity: Entity, column: str) -> None:
    places = neon.places(entity)
    del places.invalid_shape[column]
    with pytest.raises(SourceError, match=rf"^marketing\.{entity.invalid} lacks {column}, which"):
        judging_sql(places, MARKETING, neon.shape("company_master"))


@pytest.mark.parametrize("column", ["company_unique_id", "company_name", "website_url"])
def test_people_need_companies_that_can_be_judged(neon: Neon, column: str) -> None:
    shape = neon.shape("company_master")
    del shape[column]
    with pytest.raises(SourceError, match=rf"^marketing\.company_master lacks {column}, which"):
        judging_sql(neon.places(PEOPLE), MARKETING, shape)
    assert judging_sql(neon.places(COMPANY), MARKETING, shape)


def test_a_master_that_cannot_be_judged_is_refused(neon: Neon) -> None:
    lacks = r"people_master lacks first_name, last_name, full_name, title, which the rules need"
    with pytest.raises(SourceError, match=lacks):
        masters_judging_sql(neon.places(PEOPLE, ODD), ODD)
    assert masters_judging_sql(neon.places(COMPANY, ODD), ODD)


def test_bad_rows_of_a_master_are_found(neon: Neon) -> None:
    companies = [
        *(a_master(1), a_master(2, website_url=None), a_master(3, company_name="x")),
        *(a_master(4, company_unique_id="4"), a_master(5, website_url=""), a_master(6)),
    ]
    neon.put("company_master", companies)
    asked = [*(company_id(n) for n in (1, 2, 3, 6, 99)), "4", None]
    assert neon.bad_masters(COMPANY, asked) == {company_id(2), company_id(3), "4"}
    assert neon.bad_masters(COMPANY, []) == set()


def test_bad_people_of_a_master_are_found_whatever_their_company(neon: Neon) -> None:
    left_out = ("full_name", "phone")
    people = [
        {column: value for column, value in row.items() if column not in left_out}
        for row in (
            a_person(1, company_unique_id="no company"),
            a_person(2, email="ann@example.com"),
            a_person(3, title=None),
            a_person(4, first_name="", last_name=NBSP),
            a_person(5, first_name="", last_name="Lee"),
            a_person(6, email=None),
        )
    ]
    neon.put("people_master", people)
    asked = [person_id(n) for n in range(1, 6)]
    assert neon.bad_masters(PEOPLE, asked) == {person_id(n) for n in (2, 3, 4)}


def test_a_company_is_good_by_the_snapshots_rules(neon: Neon) -> None:
    """What is asked of promotions alone, such as a longer name, is not asked of the others."""
    masters = [a_master(1), a_master(2, company_name="X"), a_master(3, company_name="--")]
    neon.put("company_master", masters)
    neon.put("people_invalid", [a_person(n, company_unique_id=company_id(n)) for n in (1, 2, 3)])
    found = neon.judge(PEOPLE, [person_id(n) for n in (1, 2, 3)])
    assert [found[person_id(n)][0] for n in (1, 2, 3)] == [[], [], ["company_not_valid"]]


def test_a_statement_has_one_parameter_and_is_compiled_once(neon: Neon) -> None:
    places, master = neon.places(PEOPLE, MARKETING), neon.shape("company_master")
    first = judging_sql(places, MARKETING, master)
    assert first.replace("%%", "").count("%") == 1
    assert first.replace("%%", "").count("= ANY(%s)") == 1
    started = time.perf_counter()
    for _ in range(20):
        assert judging_sql(neon.places(PEOPLE), MARKETING, master) == first
    assert time.perf_counter() - started < 1  # 20 compilations take 2 s


@pytest.mark.slow
def test_a_thousand_rows_are_judged_in_one_statement(neon: Neon) -> None:
    numbers = range(1, 20_001)
    neon.put("company_master", [a_master(n, website_url="x.y" if n % 4 else "") for n in numbers])
    neon.put("people_invalid", [a_person(n, company_unique_id=company_id(n)) for n in numbers])
    neon.put("company_invalid", [a_company(n, website="x.y" if n % 4 else "") for n in numbers])
    keys = range(1, 19_001, 19)
    for entity, key_of in ((COMPANY, company_id), (PEOPLE, person_id)):
        neon.judge(entity, [])
        started = time.perf_counter()
        found = neon.judge(entity, [key_of(n) for n in keys])
        print(f"1,000 of 20,000 {entity.name}: {time.perf_counter() - started:.3f} s")
        assert len(found) == 1_000
        assert sum(errors != [] for errors, _ in found.values()) == 250


@pytest.mark.slow
def test_neither_module_loads_ibis_before_it_is_needed() -> None:
    code = (
        "import sys, outreach_platform.enrichment.judging, outreach_platform.enrichment.rules\n"
        "print('ibis' in sys.modules)\n"
        "outreach_platform.enrichment.rules.promotion_rules_version()\n"
        "print('ibis' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "True"]
