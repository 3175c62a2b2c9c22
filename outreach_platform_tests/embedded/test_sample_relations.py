"""What hangs together in the sample: ids, slots, duplicates, invalid records, odd values."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from outreach_platform.embedded.sample import DIRTY_STATE
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.sample_rules import (
    BARTON,
    RESERVED,
    SOCIAL,
    Rows,
    by_state,
    company_codes,
    host_of,
    missing,
    sample_tables,
    state_of,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tables(pg_server: EmbeddedServer) -> Iterator[dict[str, Rows]]:
    with sample_tables(pg_server) as found:
        yield found


def test_other_places_are_there_to_be_left_out(tables: dict[str, Rows]) -> None:
    outside = by_state(tables["company_master"])[""]
    written = {row["address_state"] for row in outside}
    assert {"TX", "California", "Ohio Valley", "Virginia Beach", None, ""} <= written


def test_ids_are_unique_and_of_every_kind(tables: dict[str, Rows]) -> None:
    for table, column in (
        ("company_master", "company_unique_id"),
        ("people_master", "unique_id"),
        ("company_slot", "company_slot_unique_id"),
    ):
        values = [row[column] for row in tables[table]]
        assert len(set(values)) == len(values)
        parts = [value.split(".") for value in values if BARTON.fullmatch(value)]
        assert 0 <= len(values) - len(parts) <= 6
        older = [p for p in parts if p[3] != p[4][-2:] or p[5] != p[4][-3:]]
        assert 0.08 < len(older) / len(values) < 0.22
        assert 0.03 < sum(len(p[4]) == 6 for p in parts) / len(values) < 0.09
    malformed = [
        row for row in tables["company_master"] if not BARTON.fullmatch(row["company_unique_id"])
    ]
    assert 3 <= len(malformed) <= 6


def test_odd_values_come_through_unchanged(tables: dict[str, Rows]) -> None:
    names = {row["company_name"] for row in tables["company_master"]}
    assert "O'Dell's \"Quick\" Print; Signs & More" in names
    assert "Robert'); DROP TABLE companies;--" in names
    assert {"Back\\slash Tools", "Tab\tand Line\nWorks", "  Padded Name Company  "} <= names
    keywords = [word for row in tables["company_master"] for word in row["keywords"] or []]
    assert {'quote"d', "semi;colon", "comma, inside", "back\\slash", "NULL", "null", ""} <= {
        word for word in keywords if word is not None
    }
    assert None in keywords
    assert max(len(row["description"]) for row in tables["company_master"]) > 3000
    letters = "".join(row["full_name"] for row in tables["people_master"])
    assert {"é", "ł", "ñ", "Ø", "Ю", "η"} & set(letters) >= {"ł", "Ø", "Ю", "η"}
    foreign = sum(not row["full_name"].isascii() for row in tables["people_master"])
    assert 0.01 < foreign / len(tables["people_master"]) < 0.05
    assert all(
        row["full_name"] == f"{row['first_name']} {row['last_name']}"
        for row in tables["people_master"]
    )


def test_duplicates(tables: dict[str, Rows]) -> None:
    pairs = Counter(
        (row["company_name"], row["website_url"])
        for row in tables["company_master"]
        if not company_codes(row)
    )
    assert 15 < sum(count > 1 for count in pairs.values()) < 100
    people = defaultdict(list)
    for row in tables["people_master"]:
        if row["email"] and "@" in row["email"]:
            people[row["email"]].append(row)
    shared = [rows for rows in people.values() if len(rows) > 1]
    same = [rows for rows in shared if len({row["full_name"] for row in rows}) == 1]
    assert len(same) > 50, "people with several roles"
    assert len(shared) - len(same) > 20, "people who share an address"


def test_slots_agree_with_people(tables: dict[str, Rows]) -> None:
    people = {row["unique_id"]: row for row in tables["people_master"]}
    slots = {row["company_slot_unique_id"]: row for row in tables["company_slot"]}
    kinds = defaultdict(set)
    for slot in slots.values():
        kinds[slot["company_unique_id"]].add(slot["slot_type"])
        assert slot["is_filled"] == (slot["person_unique_id"] is not None)
        if slot["is_filled"]:
            person = people[slot["person_unique_id"]]
            assert person["company_slot_unique_id"] == slot["company_slot_unique_id"]
            assert person["company_unique_id"] == slot["company_unique_id"]
    assert set(kinds) == {row["company_unique_id"] for row in tables["company_master"]}
    assert all(found == {"CEO", "CFO", "HR"} for found in kinds.values())
    assert 0.8 < sum(slot["is_filled"] for slot in slots.values()) / len(slots) < 0.95
    orphans = [row for row in people.values() if row["company_unique_id"] not in kinds]
    assert len(orphans) == 10
    housed = [row for row in people.values() if row["company_unique_id"] in kinds]
    assert all(slots[row["company_slot_unique_id"]]["is_filled"] for row in housed)
    holders = {slot["person_unique_id"] for slot in slots.values()}
    assert sum(row["unique_id"] not in holders for row in housed) > 300, "shared slots"


def test_invalid_companies(tables: dict[str, Rows]) -> None:
    rows = tables["company_invalid"]
    master = {row["company_unique_id"]: row for row in tables["company_master"]}
    assert len(rows) == 119
    assert sum(row["company_unique_id"] in master for row in rows) == 114
    # Who looks the company up can find a website; a name that is lost cannot be found so.
    named = [r for r in rows if not missing(r["company_name"]) and len(r["company_name"]) > 1]
    assert len(named) == 85
    assert all(missing(row["website"]) or "." not in row["website"] for row in rows)
    reasons = Counter(row["reason_code"] for row in rows)
    assert set(reasons) == {"EMPTY_NAME", "EMPTY_WEBSITE", "INVALID_WEBSITE"}
    for row in rows:
        errors = row["validation_errors"]
        text = " ".join(errors) if isinstance(errors, list) else str(errors)
        assert row["validation_status"] == "FAILED"
        assert ("company_name" in text) == (row["reason_code"] == "EMPTY_NAME")
        assert "website" in text
    assert {type(row["validation_errors"]) for row in rows} == {dict, list}
    assert all(
        state_of(master[r["company_unique_id"]]) for r in rows if r["company_unique_id"] in master
    )


def test_after_promotion_of_85_the_dirty_state_is_still_dirty(tables: dict[str, Rows]) -> None:
    group = by_state(tables["company_master"])[DIRTY_STATE]
    waiting = {
        row["company_unique_id"]
        for row in tables["company_invalid"]
        if row["reason_code"] != "EMPTY_NAME"
    }
    left = [r for r in group if company_codes(r) and r["company_unique_id"] not in waiting]
    assert len(left) / len(group) > 0.16


def test_invalid_people(tables: dict[str, Rows]) -> None:
    rows = tables["people_invalid"]
    companies = {row["company_unique_id"] for row in tables["company_master"]}
    assert len(rows) == 5
    assert {row["reason_code"] for row in rows} == {
        *("EMPTY_EMAIL", "INVALID_EMAIL", "EMPTY_TITLE", "UNKNOWN_COMPANY"),
    }
    for row in rows:
        unknown = row["reason_code"] == "UNKNOWN_COMPANY"
        assert (row["company_unique_id"] not in companies) == unknown
    assert any(row["first_name"] is None and row["full_name"] for row in rows)


def test_no_address_or_phone_could_be_anybodys(tables: dict[str, Rows]) -> None:
    checked = 0
    for table in ("company_master", "people_master", "company_invalid", "people_invalid"):
        for row in tables[table]:
            for name, value in row.items():
                if missing(value if isinstance(value, str) else None):
                    continue
                if "phone" in name:
                    assert re.search(r"555-?01\d\d", value), (table, name, value)
                elif re.search(r"url|email$|website|domain", name):
                    host = host_of(value)
                    reserved = not host or RESERVED.search(host)
                    page = SOCIAL.match(host) and "invented-" in value
                    assert reserved or page, (table, name, value)
                    checked += bool(host)
    assert checked > 20_000


@pytest.mark.parametrize("address", ["https://real.com/a.example", "x@real.com", "real.com"])
def test_host_of_sees_what_is_not_reserved(address: str) -> None:
    assert host_of(address) == "real.com"
    assert not RESERVED.search("real.com")
    assert not RESERVED.search("myexample.com")
