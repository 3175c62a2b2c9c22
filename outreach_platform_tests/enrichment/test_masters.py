"""What a record becomes in the master: each rule of who wins, one column at a time."""

import json
from datetime import datetime
from typing import Any

import pytest

from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE, Entity
from outreach_platform.enrichment.masters import Target, names_of, target
from outreach_platform.enrichment.rows import InvalidRow
from outreach_platform_tests.support.enrichment import company_id, person_id


def record(
    entity: Entity = COMPANY, *, cleared: tuple[str, ...] = (), **content: Any
) -> InvalidRow:
    """A record that passed, of which only the given columns hold something."""
    unknown = set(content) - set(entity.columns)
    assert not unknown
    return InvalidRow(
        id=1,
        key=company_id(1) if entity is COMPANY else person_id(1),
        content={column: content.get(column) for column in entity.columns},
        reason_code="X",
        errors={},
        warnings={},
        batch_id=None,
        updated_at=datetime(2025, 1, 1),
        status="complete",
        still_invalid=False,
        attempts=1,
        chronic=False,
        pushed_hash=None,
        pushed_version=None,
        pushed_edit=None,
        passed_hash=None,
        passed_rules=None,
        cleared=list(cleared),
    )


def newer(row: InvalidRow, before: dict | None, entity: Entity = COMPANY) -> dict:
    return _target(entity, row, before, record_newer=True).values


def older(
    row: InvalidRow, before: dict, entity: Entity = COMPANY, *, master_is_bad: bool = False
) -> dict:
    return _target(entity, row, before, record_newer=False, master_is_bad=master_is_bad).values


def _target(
    entity: Entity,
    row: InvalidRow,
    before: dict | None,
    *,
    record_newer: bool,
    master_is_bad: bool = False,
) -> Target:
    text = None if before is None else json.dumps(before)
    return target(entity, row, text, record_newer=record_newer, master_is_bad=master_is_bad)


def test_every_column_of_a_company_has_its_place():
    values = newer(
        record(
            company_name="Blue Ridge Tools",
            domain="blueridge.test",
            industry="Tools",
            employee_count="12",
            website="https://blueridge.test",
            phone="(304) 555-0123",
            address="1 Main Street",
            city="Charleston",
            state=" west virginia ",
            zip="25301",
        ),
        None,
    )
    assert values == {
        "company_name": "Blue Ridge Tools",
        "website_url": "https://blueridge.test",
        "industry": "Tools",
        "employee_count": "12",
        "company_phone": "(304) 555-0123",
        "address_street": "1 Main Street",
        "address_city": "Charleston",
        "address_state": " west virginia ",
        "state_abbrev": "WV",
        "address_zip": "25301",
    }


def test_every_column_of_a_person_has_its_place():
    values = newer(
        record(
            PEOPLE,
            full_name="Ann B. Lee",
            first_name="Ann",
            last_name="Lee",
            email="ann@blueridge.test",
            phone="(304) 555-0123 ext. 4",
            title="CEO",
            company_name="Blue Ridge Tools",
            company_unique_id=company_id(1),
            linkedin_url="https://www.linkedin.com/in/ann",
            city="Charleston",
            state="WV",
        ),
        None,
        PEOPLE,
    )
    assert values == {
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "ann@blueridge.test",
        "work_phone_e164": "+13045550123",
        "title": "CEO",
        "company_unique_id": company_id(1),
        "linkedin_url": "https://www.linkedin.com/in/ann",
    }


def test_the_newer_side_wins_where_both_have_a_value():
    row, before = (
        record(industry="Tools", city="Erie"),
        {"industry": "Hats", "address_city": "York"},
    )
    assert newer(row, before) == {"industry": "Tools", "address_city": "Erie"}
    assert older(row, before) == {}


@pytest.mark.parametrize("gap", [None, "", "  ", "n/a", " Unknown ", "TBD"])
def test_gaps_are_filled_from_whichever_side_has_a_value(gap: str | None):
    assert older(record(industry="Tools"), {"industry": gap}) == {"industry": "Tools"}
    assert newer(record(industry=gap), {"industry": "Tools"}) == {}
    assert newer(record(industry=gap), None) == {}


def test_zero_and_falsehood_are_values():
    assert older(record(employee_count="12"), {"employee_count": 0}) == {}
    assert newer(record(employee_count="0"), {"employee_count": 12}) == {"employee_count": "0"}


def test_what_an_enricher_emptied_is_emptied():
    before = {"industry": "Hats", "address_city": "York", "company_phone": "1"}
    row = record(cleared=("industry", "phone", "domain"))
    assert newer(row, before) == {"industry": None, "company_phone": None}


def test_what_an_enricher_emptied_stays_where_the_master_is_newer():
    assert older(record(cleared=("industry",)), {"industry": "Hats"}) == {}
    bad = older(record(cleared=("industry",)), {"industry": "Hats"}, master_is_bad=True)
    assert bad == {}


def test_a_column_that_was_emptied_and_filled_again_is_filled():
    row = record(industry="Tools", cleared=("industry",))
    assert newer(row, {"industry": "Hats"}) == {"industry": "Tools"}


def test_a_bad_master_takes_the_judged_columns_from_an_older_record():
    row = record(company_name="Good", website="good.test", industry="Tools", city="Erie")
    before = {"company_name": "Old", "website_url": "none", "industry": "Hats", "address_city": "Y"}
    assert older(row, before) == {"website_url": "good.test"}
    before["website_url"] = "dotless"
    assert older(row, before) == {}
    assert older(row, before, master_is_bad=True) == {
        "company_name": "Good",
        "website_url": "good.test",
    }


def test_a_bad_person_takes_what_a_good_record_has():
    row = record(
        PEOPLE,
        first_name="Ann",
        last_name="Lee",
        email="a@b.test",
        title="CEO",
        company_unique_id=company_id(2),
        linkedin_url="new",
    )
    before = {
        "first_name": "A",
        "last_name": "L",
        "email": "at",
        "title": "Boss",
        "company_unique_id": company_id(1),
        "linkedin_url": "old",
    }
    assert older(row, before, PEOPLE) == {}
    assert older(row, before, PEOPLE, master_is_bad=True) == {
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "a@b.test",
        "title": "CEO",
        "company_unique_id": company_id(2),
    }


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("WV", "WV"),
        (" wv ", "WV"),
        ("West Virginia", "WV"),
        ("PENNSYLVANIA", "PA"),
        ("tx", "TX"),
        ("Texas", None),
        ("12", None),
        ("W.", None),
    ],
)
def test_the_code_of_a_state(state: str, code: str | None):
    expected = {"address_state": state} | ({"state_abbrev": code} if code else {})
    assert newer(record(state=state), None) == expected


@pytest.mark.parametrize(
    ("before", "values"),
    [
        # The code of another state must not stay beside a name that has none.
        (("Pennsylvania", "PA"), {"address_state": "Ontario", "state_abbrev": None}),
        ((None, "PA"), {"address_state": "Ontario", "state_abbrev": None}),
        # Where nothing says that the code is another one's, it stays.
        (("Ontario", "ON"), {"address_state": "Ontario"}),
        ((None, None), {"address_state": "Ontario"}),
    ],
)
def test_a_newer_state_without_a_code(before: tuple, values: dict):
    master = {"address_state": before[0], "state_abbrev": before[1]}
    assert newer(record(state="Ontario"), master) == values


@pytest.mark.parametrize(
    ("before", "values"),
    [
        ((None, "PA"), {}),
        (("Pennsylvania", None), {}),
        (("", "wv"), {"address_state": "West Virginia"}),
        (("WV", None), {"state_abbrev": "WV"}),
        ((None, None), {"address_state": "West Virginia", "state_abbrev": "WV"}),
        (("PA", "PA"), {}),
    ],
)
def test_an_older_state_fills_no_gap_beside_another_state(before: tuple, values: dict):
    master = {"address_state": before[0], "state_abbrev": before[1]}
    assert older(record(state="West Virginia"), master) == values


def test_a_state_that_was_emptied_takes_its_code_along():
    master = {"address_state": "WV", "state_abbrev": "WV"}
    assert newer(record(cleared=("state",)), master) == {
        "address_state": None,
        "state_abbrev": None,
    }


@pytest.mark.parametrize("phone", ["555-0123", "(304) 555-0123 or (304) 555-0124", "call me"])
def test_a_phone_that_is_no_number_leaves_the_masters_own(phone: str):
    before = {"work_phone_e164": "+13045550199"}
    assert newer(record(PEOPLE, phone=phone), before, PEOPLE) == {}
    assert newer(record(PEOPLE, phone=phone), None, PEOPLE) == {}
    # One that was emptied on purpose goes.
    assert newer(record(PEOPLE, cleared=("phone",)), before, PEOPLE) == {"work_phone_e164": None}


@pytest.mark.parametrize(
    ("first", "last", "full", "names"),
    [
        ("Ann", "Lee", "Somebody Else", ("Ann", "Lee")),
        (None, None, "Ann Lee", ("Ann", "Lee")),
        ("Ann", " ", "Ann B. Lee", ("Ann B.", "Lee")),
        ("n/a", "Lee", "Ann Lee", ("Ann", "Lee")),
        ("Chris", "Null", "Chris Null", ("Chris", "Null")),
        ("Ann", None, "Ann", None),
        (None, None, "Ann and Bob Lee", None),
        (None, None, None, None),
    ],
)
def test_names(first: str | None, last: str | None, full: str | None, names: tuple | None):
    row = record(PEOPLE, first_name=first, last_name=last, full_name=full)
    assert names_of(row) == names
    told = newer(row, None, PEOPLE)
    assert (told.get("first_name"), told.get("last_name")) == (names or (None, None))


def test_the_masters_own_text_is_kept_to_the_last_digit():
    text = '{"company_name": "A", "data_quality_score": 12.50}'
    found = target(COMPANY, record(), text, record_newer=True, master_is_bad=False)
    assert found.before_text == text
    assert found.before == {"company_name": "A", "data_quality_score": 12.5}


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_a_record_that_says_nothing_changes_nothing(entity: Entity):
    before = {name: "x" for names in entity.to_master.values() for name in names}
    assert newer(record(entity), before, entity) == {}
    assert older(record(entity), before, entity, master_is_bad=True) == {}
