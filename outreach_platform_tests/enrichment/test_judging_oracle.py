"""Random rows, judged in PostgreSQL and by an oracle in plain Python."""

import string
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform_tests.enrichment.judged import (
    Neon,
    Row,
    a_company,
    a_master,
    a_person,
    company_id,
    judged_tables,
    person_id,
)
from outreach_platform_tests.records.test_rules import BLANKS, VALUES
from outreach_platform_tests.support import rule_oracle as oracle

pytestmark = pytest.mark.slow

ORDER = [
    *("company_name_missing", "company_name_short", "name_incomplete"),
    *("website_url_missing", "website_url_invalid"),
    *("email_invalid", "email_malformed", "email_example", "title_missing"),
    *("company_not_valid", "id_malformed"),
]
BIG = [
    "a" * 100_000,
    " " * 100_000,
    "x" + " " * 100_000,
    "x" + " " * 100_000 + "y",
    "é;'\"" * 25_000,
    "a" * 100_000 + "@b.test",
    "a@" + "b." * 50_000 + "test",
    "a@" + "example.com." * 8_000 + "org",
    "@" * 100_000,
]
Values = st.SearchStrategy[Any]
_WORDS = set(string.ascii_letters + string.digits)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# Columns of company_master that no error is about.
_OTHERS = ("industry", "employee_count", "company_phone", "linkedin_url")


@pytest.fixture(scope="module")
def database(pg_server: EmbeddedServer) -> Iterator[Connection]:
    with judged_tables(pg_server) as connection:
        yield connection


@pytest.fixture
def neon(database: Connection) -> Iterator[Neon]:
    with database.cursor() as cursor:
        yield Neon(database, cursor)
    database.rollback()


def company_oracle(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    count = row["employee_count"]
    mapped = {
        "company_name": row["company_name"],
        "website_url": row["website"],
        "industry": row["industry"],
        "employee_count": None if count is None else str(count),
        "company_phone": row["phone"],
        "linkedin_url": "no such column, no warning",
    }
    errors, warnings = oracle.company_codes(mapped)
    name = row["company_name"]
    if not oracle.missing(name) and len(oracle.trimmed(name)) < 2:
        errors.append("company_name_short")
    return _with_id(errors, row["company_unique_id"], "01"), warnings


def person_oracle(row: Mapping[str, Any], good: set[str]) -> tuple[list[str], list[str]]:
    mapped = dict(row) | {"work_phone_e164": row["phone"]}
    errors, warnings = oracle.person_codes(mapped, good)
    full = row["full_name"]
    parts = oracle.missing(row["first_name"]) or oracle.missing(row["last_name"])
    if parts and (oracle.missing(full) or len(oracle.trimmed(full)) < 3):
        errors.append("name_incomplete")
    local, _, host = oracle.trimmed(row["email"]).partition("@")
    if "email_invalid" not in errors and not _is_address(local, host):
        errors.append("email_malformed")
    labels = host.translate(_LOWER).split(".")
    example = labels[-2:-1] == ["example"] and labels[-1] in ("com", "org", "net")
    if local and example and "@" not in host:
        errors.append("email_example")
    return _with_id(errors, row["unique_id"], "02"), warnings


def _is_address(local: str, host: str) -> bool:
    name, _, ending = host.rpartition(".")
    return (
        bool(local and name)
        and set(local) <= _WORDS | set("._%+-")
        and set(name) <= _WORDS | set(".-")
        and len(ending) > 1
        and set(ending) <= set(string.ascii_letters)
    )


def _with_id(errors: list[str], key: str, kind: str) -> list[str]:
    parts = key.split(".")
    lengths = [len(part) for part in parts]
    fine = (
        parts[:3] == ["04", "04", kind]
        and len(parts) == 6
        and set("".join(parts)) <= set(string.digits)
        and (lengths[3], lengths[5]) == (2, 3)
        and lengths[4] >= 5
    )
    return sorted(errors if fine else [*errors, "id_malformed"], key=ORDER.index)


def texts(*further: Values) -> Values:
    return st.one_of(VALUES, *further, st.sampled_from(BIG))


def padded(values: Values) -> Values:
    return st.tuples(BLANKS, values, BLANKS).map("".join)


NAMES = padded(st.sampled_from(["X", "Al", "Ann", "李", "李李", "é\u0301", "'", '";', "😀"]))
EMAILS = padded(
    st.tuples(
        st.sampled_from(
            ["ann", "a.b+c%d_e-f", "o'brien", "a b", "é", "", "info", "www.x", "a@b", "A"]
        ),
        st.sampled_from(["@", "@", "@mail.", "@-", "@@", "@a..", "@.", "@é."]),
        st.sampled_from(["example", "EXAMPLE", "Example", "x", "notexample", "example.com"]),
        st.sampled_from([".com", ".org", ".NET", ".test", ".c", ".", "", ".c0m", ".com;", ".com."]),
    ).map("".join)
)
# The oracle looks at each place of a website, and takes seconds for 100 kB.
SITES = padded(st.sampled_from(["x.com/a", "a.test", "localhost", "é;'\"." * 500, "a" * 2_000]))
NUMBERS = st.integers(0, 10**7)
KEYS = st.one_of(
    NUMBERS.map(company_id),
    NUMBERS.map(person_id),
    VALUES.filter(lambda text: text is not None),
    padded(NUMBERS.map(person_id)),
    st.sampled_from(["04.04.01.01.0001.001", "04.04.02.01.000001.01", "04,04,01,01,00001,001"]),
)
COMPANY_IDS = st.sampled_from(["c1", "c2", "c3", " c1", ""])


def rows_of(good: Row, nasty: Mapping[str, Values], **drawn: Values) -> Values:
    """Rows in which every third value is nasty; if all were, hardly a row would pass.

    Args:
        good: a row that passes.
        nasty: values by column.
        drawn: columns that are drawn also where they are not nasty, such as the key.
    """
    usual = {column: st.just(value) for column, value in good.items()} | drawn
    return st.fixed_dictionaries(
        {
            column: st.sampled_from([usual[column], usual[column], nasty[column]]).flatmap(
                lambda values: values
            )
            for column in good
        }
    )


COMPANIES = rows_of(
    a_company(),
    {
        "company_unique_id": KEYS,
        "company_name": texts(NAMES),
        "industry": VALUES,
        "employee_count": st.one_of(st.none(), st.integers(-2, 20), st.integers(0, 2**31 - 1)),
        "website": st.one_of(VALUES, SITES),
        "phone": VALUES,
    },
    company_unique_id=NUMBERS.map(company_id),
)
MASTERS = rows_of(
    a_master(),
    {"company_unique_id": COMPANY_IDS, "company_name": VALUES, "website_url": VALUES},
    company_unique_id=COMPANY_IDS,
)
PERSONS = rows_of(
    a_person(),
    {
        "unique_id": KEYS,
        "full_name": texts(NAMES),
        "first_name": texts(NAMES),
        "last_name": VALUES,
        "email": texts(),
        "phone": VALUES,
        "title": texts(),
        "company_unique_id": st.one_of(st.none(), COMPANY_IDS),
        "linkedin_url": VALUES,
    },
    unique_id=NUMBERS.map(person_id),
    email=EMAILS,
)
PROPERTY = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PROPERTY
@given(
    rows=st.lists(
        COMPANIES, min_size=4, max_size=12, unique_by=lambda row: row["company_unique_id"]
    )
)
def test_companies_are_judged_as_the_oracle_does(neon: Neon, rows: list[Row]) -> None:
    neon.connection.rollback()
    neon.put("company_invalid", rows)
    found = neon.judge(COMPANY, [row["company_unique_id"] for row in rows])
    assert found == {row["company_unique_id"]: company_oracle(row) for row in rows}


@PROPERTY
@given(
    rows=st.lists(PERSONS, min_size=4, max_size=12, unique_by=lambda row: row["unique_id"]),
    masters=st.lists(MASTERS, max_size=4, unique_by=lambda row: row["company_unique_id"]),
)
def test_people_are_judged_as_the_oracle_does(
    neon: Neon, rows: list[Row], masters: list[Row]
) -> None:
    neon.connection.rollback()
    masters = [a_master(), *masters]
    neon.put("company_master", masters)
    neon.put("people_invalid", rows)
    found = neon.judge(PEOPLE, [row["unique_id"] for row in rows])
    good = {
        master["company_unique_id"]
        for master in masters
        if not oracle.company_codes(dict.fromkeys(_OTHERS) | master)[0]
    }
    assert found == {row["unique_id"]: person_oracle(row, good) for row in rows}
