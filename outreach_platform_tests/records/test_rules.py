"""Each rule code: what breaks it, what does not, on both engines and against an oracle."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.records.rules import (
    COMPANY_RULES,
    PEOPLE_RULES,
    PLACEHOLDERS,
    UNTIED_PEOPLE_RULES,
)
from outreach_platform_tests.support import rule_oracle as oracle
from outreach_platform_tests.support.rule_engines import PostgresJudge, columns_of, on_duckdb

NBSP, EM_SPACE, ZERO_WIDTH = "\u00a0", "\u2003", "\u200b"
EMPTY = [None, "", "   ", "\t", "\n", "\r\n", NBSP, f" {NBSP}\t{NBSP} ", EM_SPACE, ZERO_WIDTH]
FACTS_PLACEHOLDERS = [
    *("n/a", "na", "n.a.", "none", "null", "nil", "unknown", "test", "-", "--"),
    *("not available", "(blank)", "tbd"),
]
MIXED = [
    decorated
    for text in FACTS_PLACEHOLDERS
    for decorated in (text, text.upper(), text.title(), f" {text}\t", f"{NBSP}{text}{EM_SPACE}")
]
GOOD_COMPANY = {
    "company_name": "Blue Ridge Tools",
    "website_url": "https://blueridge.example.com",
    "industry": "Manufacturing",
    "employee_count": "12",
    "company_phone": "+13045550123",
    "linkedin_url": "https://www.linkedin.com/company/invented",
}
GOOD_PERSON = {
    "email": "ann.lee@blueridge.example.com",
    "title": "CEO",
    "company_unique_id": "04.04.01.01.00001.001",
    "work_phone_e164": "+13045550123",
    "linkedin_url": "https://www.linkedin.com/in/invented",
}
NOT_MISSING = ["Näytteet Oy", "nab", "Testing Labs", "none of these", "---", "n/a.", "tbd 2", "李"]
VALID_EMAILS = [
    "a@b.c",
    " a@b.c ",
    f"{NBSP}a@b.c{NBSP}",
    "Ann Lee <ann@lee.example>",
    "a@b.c@d",
    "o'brien@x.ie",
    'q"q@x.y',
    "ünï@cödé.example",
    "a\nb@c.d",
    "a@b..c",
    "a" * 50_000 + "@b.c",
]
INVALID_EMAILS = [
    "@b.c",
    " @b.c",
    "a@b",
    "a@.c",
    "a@b.",
    "a@b. ",
    f"a@b.{NBSP}",
    "a@@b.c",
    "a.b.c",
    "a@b@c.d",
    "www.example.com",
    "@",
    "a" * 50_000,
]


def company(**changes: Any) -> dict[str, str | None]:
    return GOOD_COMPANY | changes


def person(**changes: Any) -> dict[str, str | None]:
    return GOOD_PERSON | changes


@pytest.fixture(scope="module")
def postgres(pg_server: EmbeddedServer) -> Iterator[PostgresJudge]:
    judge = PostgresJudge(pg_server.url("postgres"))
    yield judge
    judge.connection.close()


def judge_both(postgres: PostgresJudge, rules: Any, rows: Any, good: Any = ()) -> Any:
    """Codes that DuckDB gives, PostgreSQL giving the same."""
    found = on_duckdb(rules, rows, good)
    assert postgres(rules, rows, good) == found
    return found


def test_codes_are_the_contract() -> None:
    named = {(rule.code, rule.severity) for rule in (*COMPANY_RULES.rules, *PEOPLE_RULES.rules)}
    errors = {code for code, severity in named if severity == "error"}
    warnings = {code for code, severity in named if severity == "warning"}
    assert errors == {
        *("company_name_missing", "website_url_missing", "website_url_invalid"),
        *("email_invalid", "title_missing", "company_not_valid"),
    }
    assert warnings == {
        *("industry_missing", "employee_count_missing", "phone_missing", "linkedin_missing"),
        *("website_is_social", "website_is_email", "email_role_account", "email_is_url"),
    }
    assert {text for text in PLACEHOLDERS if text} == set(FACTS_PLACEHOLDERS)


def test_a_whole_company_and_person_have_no_code(postgres: PostgresJudge) -> None:
    assert judge_both(postgres, COMPANY_RULES, [company()]) == [([], [])]
    good = [GOOD_PERSON["company_unique_id"]]
    assert judge_both(postgres, PEOPLE_RULES, [person()], good) == [([], [])]


@pytest.mark.parametrize(
    ("column", "error"),
    [("company_name", "company_name_missing"), ("website_url", "website_url_missing")],
)
def test_missing_company_fields(postgres: PostgresJudge, column: str, error: str) -> None:
    rows = [company(**{column: value}) for value in (*EMPTY, *MIXED)]
    assert all(e == [error] for e, _ in judge_both(postgres, COMPANY_RULES, rows))
    kept = [company(**{column: f"{value}.example"}) for value in NOT_MISSING]
    assert all(e == [] for e, _ in judge_both(postgres, COMPANY_RULES, kept))


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        ("industry", "industry_missing"),
        ("company_phone", "phone_missing"),
        ("linkedin_url", "linkedin_missing"),
    ],
)
def test_missing_company_extras_only_warn(
    postgres: PostgresJudge, column: str, warning: str
) -> None:
    rows = [company(**{column: value}) for value in (*EMPTY, *MIXED)]
    assert all(c == ([], [warning]) for c in judge_both(postgres, COMPANY_RULES, rows))
    kept = [company(**{column: value}) for value in NOT_MISSING]
    assert all(c == ([], []) for c in judge_both(postgres, COMPANY_RULES, kept))


def test_missing_title(postgres: PostgresJudge) -> None:
    rows = [person(title=value) for value in (*EMPTY, *MIXED)]
    found = judge_both(postgres, UNTIED_PEOPLE_RULES, rows)
    assert all(e == ["title_missing"] for e, _ in found)
    kept = [person(title=value) for value in NOT_MISSING]
    assert all(e == [] for e, _ in judge_both(postgres, UNTIED_PEOPLE_RULES, kept))


def test_website_without_a_dot(postgres: PostgresJudge) -> None:
    bad = [company(website_url=value) for value in ("localhost", "http://localhost", "a,b", "x;y")]
    assert all(e == ["website_url_invalid"] for e, _ in judge_both(postgres, COMPANY_RULES, bad))
    good = [
        company(website_url=value) for value in ("a.b", " a.b\n", ".", "HTTP://A.B", "bücher.de")
    ]
    assert all(e == [] for e, _ in judge_both(postgres, COMPANY_RULES, good))


@pytest.mark.parametrize("value", ["0", " 0 ", None, "", "0.0", "0.00", "000", NBSP])
def test_employee_count_of_nobody(postgres: PostgresJudge, value: str | None) -> None:
    found = judge_both(postgres, COMPANY_RULES, [company(employee_count=value)])
    assert found == [([], ["employee_count_missing"])]


@pytest.mark.parametrize("value", ["1", "10", "0.5", "100", "05"])
def test_employee_count_of_somebody(postgres: PostgresJudge, value: str) -> None:
    assert judge_both(postgres, COMPANY_RULES, [company(employee_count=value)]) == [([], [])]


@pytest.mark.parametrize(
    "site",
    [
        "https://www.facebook.com/acme",
        "FACEBOOK.COM/acme",
        "linkedin.com",
        "https://de.linkedin.com/company/a",
        "http://instagram.com?x=1",
        "https://x.com/acme",
        "www.x.com",
        "fb.com/acme",
    ],
)
def test_social_websites_warn(postgres: PostgresJudge, site: str) -> None:
    found = judge_both(postgres, COMPANY_RULES, [company(website_url=site)])
    assert found == [([], ["website_is_social"])]


@pytest.mark.parametrize(
    "site",
    [
        "https://facebook.company.example",
        "https://notfacebook.com",
        "https://x.community.example",
        "https://netflix.com",
        "https://phoenix.com",
        "linkedin.example",
        "https://xfb.com",
    ],
)
def test_websites_that_only_look_social_do_not_warn(postgres: PostgresJudge, site: str) -> None:
    assert judge_both(postgres, COMPANY_RULES, [company(website_url=site)]) == [([], [])]


def test_website_that_is_an_email(postgres: PostgresJudge) -> None:
    bad = [company(website_url=value) for value in ("ann@acme.example", " INFO@ACME.EXAMPLE ")]
    found = judge_both(postgres, COMPANY_RULES, bad)
    assert found == [([], ["website_is_email"])] * 2
    fine = [company(website_url=value) for value in ("https://a@b.c/x", "a b@c.d", "a.b", "@a.b")]
    assert judge_both(postgres, COMPANY_RULES, fine) == [([], [])] * 4


def test_emails(postgres: PostgresJudge) -> None:
    good = [person(email=value) for value in VALID_EMAILS]
    assert all(e == [] for e, _ in judge_both(postgres, UNTIED_PEOPLE_RULES, good))
    bad = [person(email=value) for value in (*INVALID_EMAILS, *EMPTY, *MIXED)]
    found = judge_both(postgres, UNTIED_PEOPLE_RULES, bad)
    assert all(e == ["email_invalid"] for e, _ in found)


def test_emails_worth_a_warning(postgres: PostgresJudge) -> None:
    role = [person(email=value) for value in ("info@a.b", " Sales@a.b", "NO-REPLY@a.b")]
    found = judge_both(postgres, UNTIED_PEOPLE_RULES, role)
    assert found == [([], ["email_role_account"])] * 3
    url = [person(email=value) for value in ("https://a@b.c", "WWW.x@y.z", "http:a@b.c")]
    assert judge_both(postgres, UNTIED_PEOPLE_RULES, url) == [([], ["email_is_url"])] * 3
    fine = [person(email=value) for value in ("information@a.b", "x.info@a.b", "httpd@a.b")]
    assert judge_both(postgres, UNTIED_PEOPLE_RULES, fine) == [([], [])] * 3


def test_people_without_a_good_company(postgres: PostgresJudge) -> None:
    ids = [None, "", "04.04.01.01.00002.002", " 04.04.01.01.00001.001", "04.04.01.01.00001.001"]
    rows = [person(company_unique_id=value) for value in ids]
    good = [GOOD_PERSON["company_unique_id"], "04.04.01.09.00009.009"]
    found = judge_both(postgres, PEOPLE_RULES, rows, good)
    assert [e for e, _ in found] == [["company_not_valid"]] * 4 + [[]]


@pytest.mark.parametrize("good", [[], [None], [None, None]])
def test_no_good_company_at_all(postgres: PostgresJudge, good: list[None]) -> None:
    rows = [person(), person(company_unique_id=None)]
    found = judge_both(postgres, PEOPLE_RULES, rows, good)
    assert [e for e, _ in found] == [["company_not_valid"]] * 2


def test_a_null_among_the_good_companies_condemns_and_saves_nobody(
    postgres: PostgresJudge,
) -> None:
    rows = [person(), person(company_unique_id="04.04.01.01.00002.002")]
    found = judge_both(postgres, PEOPLE_RULES, rows, [None, GOOD_PERSON["company_unique_id"]])
    assert [e for e, _ in found] == [[], ["company_not_valid"]]


def test_three_valued_logic_loses_no_row(postgres: PostgresJudge) -> None:
    """A person with a null e-mail, otherwise valid, was in neither table."""
    good = [GOOD_PERSON["company_unique_id"]]
    rows = [person(email=None), person(title=None), person(), dict.fromkeys(GOOD_PERSON)]
    found = judge_both(postgres, PEOPLE_RULES, rows, good)
    assert [e for e, _ in found] == [
        ["email_invalid"],
        ["title_missing"],
        [],
        ["email_invalid", "title_missing", "company_not_valid"],
    ]


def test_a_doubled_company_id_does_not_multiply_people(postgres: PostgresJudge) -> None:
    rows = [person(), person(email="b@c.d")]
    good = [GOOD_PERSON["company_unique_id"]] * 3
    assert len(judge_both(postgres, PEOPLE_RULES, rows, good)) == 2


def test_capital_letters_of_no_locale_are_no_placeholder(postgres: PostgresJudge) -> None:
    """Kelvin's sign and the dotted I become k and i in some locales, and stay in others."""
    rows = [company(company_name=text) for text in ("un\u212anown", "N\u0130L")]
    assert judge_both(postgres, COMPANY_RULES, rows) == [([], [])] * 2


BLANKS = st.text(alphabet=f" \t\n\r\x0b\x0c\x1f\x85{NBSP}{EM_SPACE}{ZERO_WIDTH}\u3000", max_size=3)
ANY_TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=25
)
PIECES = st.lists(
    st.sampled_from(
        [
            *"@@@...//ax-'\"\n ;0",
            "http:",
            "www.",
            "x.com",
            "facebook",
            ".com",
            "info",
            "é",
            "İ",
            "K",
        ]
    ),
    max_size=8,
).map("".join)
CASED = st.sampled_from(FACTS_PLACEHOLDERS).flatmap(
    lambda text: st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in text)).map("".join)
)
VALUES = st.one_of(
    st.none(), ANY_TEXT, st.tuples(BLANKS, st.one_of(PIECES, CASED), BLANKS).map("".join)
)
IDS = st.sampled_from([None, "", "c1", "c2", "c3", " c1"])


@pytest.mark.slow
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.fixed_dictionaries(dict.fromkeys(columns_of(COMPANY_RULES), VALUES)),
        min_size=1,
        max_size=20,
    )
)
def test_companies_are_judged_alike_everywhere(
    postgres: PostgresJudge, rows: list[dict[str, str | None]]
) -> None:
    found = judge_both(postgres, COMPANY_RULES, rows)
    assert found == [oracle.company_codes(row) for row in rows]


@pytest.mark.slow
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            dict.fromkeys(columns_of(PEOPLE_RULES), VALUES) | {"company_unique_id": IDS}
        ),
        min_size=1,
        max_size=20,
    ),
    good=st.lists(IDS, max_size=5),
)
def test_people_are_judged_alike_everywhere(
    postgres: PostgresJudge, rows: list[dict[str, str | None]], good: list[str | None]
) -> None:
    found = judge_both(postgres, PEOPLE_RULES, rows, good)
    assert found == [oracle.person_codes(row, set(good)) for row in rows]
