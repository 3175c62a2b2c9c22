"""Real, dirty rows: expected counts by csv and plain Python, none of the product's rules."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES
from outreach_platform_tests.support.real_data import (
    load_real,
    read_companies,
    read_people,
    real_data_folder,
)
from outreach_platform_tests.support.snapshot_runs import new_run, pull_to_judge

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(real_data_folder() is None, reason="no real data"),
]

NAMES = {
    "WV": "west virginia",
    "PA": "pennsylvania",
    "VA": "virginia",
    "MD": "maryland",
    "OH": "ohio",
    "DE": "delaware",
}
NOTHING = {
    *("", "n/a", "na", "n.a.", "none", "null", "nil", "unknown", "test", "-", "--"),
    *("not available", "(blank)", "tbd"),
}
BLANKS = " \t\r\n\v\f"


def text(value: object) -> str:
    """Trimmed lower-case text; empty for nothing and for placeholders."""
    found = str(value or "").replace(chr(160), " ").strip(BLANKS).lower()
    return "" if found in NOTHING else found


def codes_of_company(row: Mapping[str, Any]) -> list[str]:
    """A company's codes."""
    website = text(row["website_url"])
    found = []
    if not text(row["company_name"]):
        found.append("company_name_missing")
    if not website:
        found.append("website_url_missing")
    elif "." not in website:
        found.append("website_url_invalid")
    return found


def codes_of_person(row: Mapping[str, Any], good: set[str]) -> list[str]:
    """A person's codes."""
    found = []
    head, at, tail = text(row["email"]).partition("@")
    tail = tail.partition("@")[0]
    # Something, an at sign, something with a dot that has something on either side.
    if not (head and at and "." in tail[1:-1]):
        found.append("email_invalid")
    if not text(row["title"]):
        found.append("title_missing")
    if row["company_unique_id"] not in good:
        found.append("company_not_valid")
    return found


def of_state(rows: Iterable[Mapping[str, Any]], state: str) -> list[Mapping[str, Any]]:
    """Companies whose address names the state, as a code or a name, whatever the case."""
    wanted = (state.lower(), NAMES[state])
    return [row for row in rows if (row["address_state"] or "").strip().lower() in wanted]


@pytest.mark.parametrize(
    "lists",
    [
        ("breweries_2026",),
        ("breweries_2018",),
        ("farmers_markets",),
        ("breweries_2018", "farmers_markets", "breweries_2026"),
    ],
    ids=["breweries_2026", "breweries_2018", "farmers_markets", "all"],
)
def test_real_rows_are_split_and_judged_as_counted_by_hand(
    neon_url: DatabaseUrl, tmp_path: Path, lists: Sequence[str]
) -> None:
    load_real(neon_url, lists)
    companies = read_companies(lists)
    people = read_people(companies)
    judged = {}
    for state in NAMES:
        own = of_state(companies, state)
        codes = [codes_of_company(row) for row in own]
        good = {row["company_unique_id"] for row, c in zip(own, codes, strict=True) if not c}
        ids = {row["company_unique_id"] for row in own}
        staff = [row for row in people if row["company_unique_id"] in ids]
        staff_codes = [codes_of_person(row, good) for row in staff]
        run = new_run(neon_url, tmp_path, state, run_id=state)
        pulled, split, gates = pull_to_judge(run)
        assert (pulled.companies.rows, pulled.people.rows) == (len(own), len(staff)), state
        assert {table: split.rows(table) for table in TABLES} == {
            "companies_good": sum(not c for c in codes),
            "companies_bad": sum(bool(c) for c in codes),
            "people_good": sum(not c for c in staff_codes),
            "people_bad": sum(bool(c) for c in staff_codes),
        }, state
        for entity, found in (("companies", codes), ("people", staff_codes)):
            assert split.errors[entity] == dict(Counter(c for row in found for c in row)), state
        bad = pq.read_table(run.folder.table(pulled.version, "companies_bad")).to_pylist()
        assert {row["company_unique_id"]: row["validation_errors"] for row in bad} == {
            row["company_unique_id"]: c for row, c in zip(own, codes, strict=True) if c
        }
        share = sum(bool(c) for c in codes)
        judged[state] = gates.status
        # In whole numbers: more than 15 of 100.
        assert (gates.status == "K1_TRIGGERED") == (100 * share > 15 * len(own)), gates.verdicts
        assert gates.nothing_lost, gates.lost_message
    assert set(judged.values()) <= {"OK", "K1_TRIGGERED"}
    if lists == ("farmers_markets",):
        assert set(judged.values()) == {"K1_TRIGGERED"}


def test_the_lists_hold_what_the_tests_rest_on() -> None:
    rows = read_companies(("breweries_2026", "breweries_2018", "farmers_markets"))
    assert sum("website_url_missing" in codes_of_company(row) for row in rows) > 4_000
    assert sum("website_url_invalid" in codes_of_company(row) for row in rows) > 0
    assert sum("company_name_missing" in codes_of_company(row) for row in rows) >= 0
    assert all(of_state(rows, state) for state in NAMES)
    people = read_people(rows)
    everybody = {row["company_unique_id"] for row in rows}
    found = Counter(c for row in people for c in codes_of_person(row, everybody))
    assert found["email_invalid"] > 50
