"""Each promotion rule: what breaks it, what does not, on both engines; and what is said of it."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment import rules
from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE, Entity
from outreach_platform.enrichment.rules import (
    Description,
    described,
    described_warnings,
    promotion_rules,
    promotion_rules_version,
)
from outreach_platform.records.rules import (
    COMPANY_RULES,
    PEOPLE_RULES,
    current_rules_version,
)
from outreach_platform_tests.records.test_rules import EMPTY, MIXED, NBSP, ZERO_WIDTH
from outreach_platform_tests.support.rule_engines import PostgresJudge, on_duckdb

COMPANY_ID, PERSON_ID = "04.04.01.07.00007.007", "04.04.02.07.00007.007"
GOOD_COMPANY = {
    "company_unique_id": COMPANY_ID,
    "company_name": "Blue Ridge Tools",
    "website_url": "blueridge.test",
}
GOOD_PERSON = {
    "unique_id": PERSON_ID,
    "first_name": "Ann",
    "last_name": "Lee",
    "full_name": "Ann Lee",
    "email": "ann.lee@blueridge.test",
    "title": "CEO",
    "company_unique_id": COMPANY_ID,
}
NO_ID = [
    *("", " ", "7", "04.04.01", "04.04.05.07.00007.007", "04.04.01.7.00007.007"),
    *("04.04.01.07.0007.007", "04.04.01.07.00007.07", "04.04.01.07.00007.0070"),
    *(f" {COMPANY_ID}", f"{COMPANY_ID}\n", f"{COMPANY_ID}'; DROP TABLE x;--", "04,04,01,07,7,7"),
    *("04.04.01.\u0660\u0667.00007.007", f"x{COMPANY_ID}", None),
]
MALFORMED = [
    *("Ann Lee <ann@lee.test>", "a@b.c", "a@b.c1", "a@b.test.", "o'brien@x.test", "a b@x.test"),
    *('q"q@x.test', "ünï@x.test", "a@ünï.test", "a@x.tést", "a@b.test@x.test", "a;b@x.test"),
    *("a\nb@x.test", "a@x.test\nb", f"a{NBSP}@x.test", "a@x_y.test", "a@x.te5t", "a@b.c" + "1" * 9),
]
WELL_FORMED = [
    *("a@b.co", "A.B_c%+-1@X-y.TEST", " a@b.test ", f"{NBSP}a@b.test{ZERO_WIDTH}\n", "a@b..test"),
    *("a" * 100_000 + "@b.test", "a@" + "b." * 50_000 + "test", "100%@x.test"),
]
EXAMPLES = [
    *("ann@example.com", "ann@example.org", "ann@example.net", " ANN@EXAMPLE.Com\n"),
    *("ann@mail.example.com", "ann@a.b.Example.ORG", "a@-example.com.example.net"),
]
NO_EXAMPLES = [
    *("a@notexample.com", "a@my-example.org", "a@example.com.test", "a@example.co", "a@example.io"),
    *("example.com@x.test", "a@x.example", "a@example.test", "a@examplexcom.test", "a@com.example"),
]


@pytest.fixture(scope="module")
def postgres(pg_server: EmbeddedServer) -> Iterator[PostgresJudge]:
    judge = PostgresJudge(pg_server.url("postgres"))
    yield judge
    judge.connection.close()


def errors(postgres: PostgresJudge, entity: Entity, column: str, values: Any) -> list[list[str]]:
    """The errors of good rows of which one value is another, alike on both engines."""
    whole = GOOD_COMPANY if entity is COMPANY else GOOD_PERSON
    rows = [whole | {column: value} for value in values]
    found = on_duckdb(promotion_rules(entity), rows, [COMPANY_ID])
    assert postgres(promotion_rules(entity), rows, [COMPANY_ID]) == found
    return [codes for codes, _ in found]


@pytest.mark.slow
def test_good_rows_have_no_error(postgres: PostgresJudge) -> None:
    assert errors(postgres, COMPANY, "company_name", ["Blue Ridge Tools"]) == [[]]
    assert errors(postgres, PEOPLE, "first_name", ["Ann"]) == [[]]


def test_company_name_of_one_character(postgres: PostgresJudge) -> None:
    short = ["X", " X ", f"{NBSP}X\t", "李", "?", "😀"]
    assert errors(postgres, COMPANY, "company_name", short) == [["company_name_short"]] * 6
    enough = ["XY", "X Y", "3M", "李李", "é" * 100_000, "x;", '""', "--x"]
    assert errors(postgres, COMPANY, "company_name", enough) == [[]] * 8


def test_a_name_that_is_missing_is_not_short_besides(postgres: PostgresJudge) -> None:
    found = errors(postgres, COMPANY, "company_name", [*EMPTY, *MIXED])
    assert found == [["company_name_missing"]] * len(found)


def names(postgres: PostgresJudge, *rows: tuple[str | None, str | None, str | None]) -> list[bool]:
    """Whether first, last and full name together are incomplete."""
    columns = ("first_name", "last_name", "full_name")
    people = [GOOD_PERSON | dict(zip(columns, row, strict=True)) for row in rows]
    found = on_duckdb(promotion_rules(PEOPLE), people, [COMPANY_ID])
    assert postgres(promotion_rules(PEOPLE), people, [COMPANY_ID]) == found
    assert all(codes in ([], ["name_incomplete"]) for codes, _ in found)
    return [bool(codes) for codes, _ in found]


def test_incomplete_names(postgres: PostgresJudge) -> None:
    rows = [
        *((None, None, None), ("Ann", None, None), (None, "Lee", ""), ("Ann", " ", "Al")),
        *(("N/A", "Lee", f" Al{NBSP}"), ("Ann", "unknown", "TEST"), ("", "", "(blank)")),
        *(("Ann", "-", "not available"), (ZERO_WIDTH, "Lee", "李李")),
    ]
    assert names(postgres, *rows) == [True] * 9


def test_complete_names(postgres: PostgresJudge) -> None:
    rows = [
        *(("Ann", "Lee", None), ("A", "L", "x"), ("李", "明", "n/a"), (None, None, "Ann")),
        *(("Ann", None, "Ali"), ("n/a", None, " A L "), ("x", None, "é" * 100_000)),
    ]
    assert names(postgres, *rows) == [False] * 7


def test_malformed_emails(postgres: PostgresJudge) -> None:
    found = errors(postgres, PEOPLE, "email", MALFORMED)
    assert found == [["email_malformed"]] * len(MALFORMED)
    assert errors(postgres, PEOPLE, "email", WELL_FORMED) == [[]] * len(WELL_FORMED)


def test_an_email_that_is_none_is_not_malformed_besides(postgres: PostgresJudge) -> None:
    none = [*EMPTY, *MIXED, "@example.com", "a@b", "a.example.com", "a@@example.com"]
    none += ["a@b@mail.example.com", "a@\nb", "www"]
    assert errors(postgres, PEOPLE, "email", none) == [["email_invalid"]] * len(none)


def test_example_addresses(postgres: PostgresJudge) -> None:
    found = errors(postgres, PEOPLE, "email", EXAMPLES)
    assert found == [["email_example"]] * len(EXAMPLES)
    assert errors(postgres, PEOPLE, "email", NO_EXAMPLES) == [[]] * len(NO_EXAMPLES)
    mixed = ["ann lee@example.com", "a@example.com.", "a@b.c@mail.example.com"]
    found = errors(postgres, PEOPLE, "email", mixed)
    assert found == [["email_malformed", "email_example"], ["email_malformed"], ["email_malformed"]]


def test_malformed_ids(postgres: PostgresJudge) -> None:
    found = errors(postgres, COMPANY, "company_unique_id", [*NO_ID, PERSON_ID])
    assert found == [["id_malformed"]] * (len(NO_ID) + 1)
    people = [text and text.replace("04.04.01", "04.04.02") for text in NO_ID]
    found = errors(postgres, PEOPLE, "unique_id", [*people, COMPANY_ID])
    assert found == [["id_malformed"]] * (len(NO_ID) + 1)


def test_well_formed_ids(postgres: PostgresJudge) -> None:
    ids = [COMPANY_ID, "04.04.01.99.123456.001", "04.04.01.00.00000.000"]
    assert errors(postgres, COMPANY, "company_unique_id", ids) == [[]] * 3
    people = [text.replace("04.04.01", "04.04.02") for text in ids]
    assert errors(postgres, PEOPLE, "unique_id", people) == [[]] * 3


@pytest.mark.parametrize(("entity", "known"), [(COMPANY, COMPANY_RULES), (PEOPLE, PEOPLE_RULES)])
def test_the_snapshots_rules_are_all_asked(entity: Entity, known: Any) -> None:
    asked = promotion_rules(entity).rules
    assert set(known.rules) <= set(asked)
    assert len({rule.code for rule in asked}) == len(asked)
    severities = [rule.severity for rule in asked]
    assert severities == sorted(severities), "errors come before warnings"


def test_everything_wrong_is_reported_in_order(postgres: PostgresJudge) -> None:
    nothing = [dict.fromkeys(GOOD_PERSON)]
    ((found, _),) = on_duckdb(promotion_rules(PEOPLE), nothing, [COMPANY_ID])
    assert found == [
        *("name_incomplete", "email_invalid", "title_missing", "company_not_valid"),
        "id_malformed",
    ]
    assert described(PEOPLE, found, {"email": None}).reason_code == "EMPTY_NAME"
    ((found, _),) = postgres(promotion_rules(COMPANY), [dict.fromkeys(GOOD_COMPANY)])
    assert found == ["company_name_missing", "website_url_missing", "id_malformed"]


@pytest.mark.parametrize(
    ("entity", "code", "field", "reason"),
    [
        (COMPANY, "company_name_missing", "company_name", "EMPTY_NAME"),
        (COMPANY, "company_name_short", "company_name", "EMPTY_NAME"),
        (COMPANY, "website_url_missing", "website", "EMPTY_WEBSITE"),
        (COMPANY, "website_url_invalid", "website", "INVALID_WEBSITE"),
        (COMPANY, "id_malformed", "company_unique_id", "INVALID_ID"),
        (PEOPLE, "name_incomplete", "full_name", "EMPTY_NAME"),
        (PEOPLE, "email_invalid", "email", "INVALID_EMAIL"),
        (PEOPLE, "email_malformed", "email", "INVALID_EMAIL"),
        (PEOPLE, "email_example", "email", "INVALID_EMAIL"),
        (PEOPLE, "title_missing", "title", "EMPTY_TITLE"),
        (PEOPLE, "company_not_valid", "company_unique_id", "UNKNOWN_COMPANY"),
        (PEOPLE, "id_malformed", "unique_id", "INVALID_ID"),
    ],
)
def test_an_error_is_described(entity: Entity, code: str, field: str, reason: str) -> None:
    found = described(entity, [code], {"email": "www"})
    assert found.reason_code == reason
    assert list(found.errors) == [field]
    assert len(found.errors[field].split()) > 3


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_every_code_can_be_described(entity: Entity) -> None:
    columns = {entity.key, *entity.columns, "linkedin_url"}
    for rule in promotion_rules(entity).rules:
        if rule.severity == "error":
            found = described(entity, [rule.code], {})
            assert re.fullmatch("[A-Z]+_[A-Z]+", found.reason_code or "")
            assert set(found.errors) <= columns
        else:
            assert set(described_warnings(entity, [rule.code])) <= columns
            assert described(entity, [rule.code], {}).reason_code is None


@pytest.mark.parametrize("email", [*EMPTY, *MIXED, " " * 100_000])
def test_an_empty_email_has_a_reason_of_its_own(email: str | None) -> None:
    found = described(PEOPLE, ["email_invalid"], {"email": email})
    assert found == Description("EMPTY_EMAIL", {"email": "the e-mail is empty or a placeholder"})


@pytest.mark.parametrize("email", ["www", "a@b", "un\u212anown", "te\nst", "n/a n/a", "-" * 3])
def test_an_email_that_is_none_is_invalid(email: str) -> None:
    found = described(PEOPLE, ["email_invalid"], {"email": email})
    assert found == Description("INVALID_EMAIL", {"email": "the e-mail is no address"})


def test_an_empty_email_gives_no_other_error_its_reason() -> None:
    found = described(PEOPLE, ["title_missing", "email_malformed"], {"email": None})
    assert found.reason_code == "INVALID_EMAIL"
    assert described(PEOPLE, ["title_missing"], {"email": None}).reason_code == "EMPTY_TITLE"


def test_a_long_email_is_told_from_an_empty_one_at_once() -> None:
    started = time.perf_counter()
    for email in (" " * 100_000 + "x", "x" + " " * 100_000 + "x", "n/a" + " " * 100_000 + "x"):
        assert described(PEOPLE, ["email_invalid"], {"email": email}).reason_code != "EMPTY_EMAIL"
    assert time.perf_counter() - started < 2  # the careless pattern takes minutes


def test_errors_of_one_field_stand_side_by_side_in_the_order_of_the_rules() -> None:
    codes = ["title_missing", "email_example", "email_malformed"]
    found = described(PEOPLE, codes, {"email": "ann lee@example.com"})
    assert found == Description(
        "INVALID_EMAIL",
        {
            "email": "the e-mail is not of the form name@host.ending; "
            "the e-mail is an example address",
            "title": "the person has no title",
        },
    )


def test_warnings_are_described_by_field() -> None:
    found = described_warnings(COMPANY, ["website_is_email", "phone_missing", "website_is_social"])
    assert found == {
        "phone": "no phone number",
        "website": "the website is a page on a social network; the website is an e-mail address",
    }
    assert described_warnings(PEOPLE, []) == {}


def test_nothing_wrong_has_no_reason() -> None:
    assert described(COMPANY, [], {}) == Description(None, {})


def test_a_code_that_nobody_knows_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="slot_unassigned"):
        described(PEOPLE, ["slot_unassigned"], {})
    with pytest.raises(ValueError, match="email_invalid"):
        described(COMPANY, ["email_invalid"], {})


@pytest.mark.slow
def test_the_version_names_what_the_rules_do(monkeypatch: pytest.MonkeyPatch) -> None:
    version = promotion_rules_version()
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert version != current_rules_version()
    compute = promotion_rules_version.__wrapped__
    assert compute() == version
    monkeypatch.setattr(rules, "_EXAMPLE", "^[^@]+@example[.]com$")
    assert compute() != version
    monkeypatch.undo()
    monkeypatch.setattr(rules, "_SHORTEST_COMPANY_NAME", 3)
    assert compute() != version
