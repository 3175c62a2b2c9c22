"""Real, dirty rows of public lists, mapped into the two master tables.

The files are no part of the project: `OUTREACH_REAL_DATA` names their folder, otherwise
`../shared/data` is tried from the checkout. Values are kept as
they are; nothing is trimmed or corrected.
"""

import csv
import gzip
import itertools
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.masters import COMPANIES, PEOPLE, create_masters, insert

LISTS = ("breweries_2026", "breweries_2018", "farmers_markets")

# The officials' file writes its 20 states as codes, the company lists write names.
STATE_NAMES = {
    "CA": "California",
    "FL": "Florida",
    "GA": "Georgia",
    "IL": "Illinois",
    "IN": "Indiana",
    "KY": "Kentucky",
    "MA": "Massachusetts",
    "MD": "Maryland",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MO": "Missouri",
    "NC": "North Carolina",
    "NJ": "New Jersey",
    "NY": "New York",
    "OH": "Ohio",
    "PA": "Pennsylvania",
    "TN": "Tennessee",
    "TX": "Texas",
    "WA": "Washington",
    "WI": "Wisconsin",
}
_MOMENT = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)


def real_data_folder() -> Path | None:
    """The folder of the real data, or None where there is none."""
    named = os.environ.get("OUTREACH_REAL_DATA")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "data"
    return folder if (folder / "companies").is_dir() else None


def load_real(url: DatabaseUrl, companies: Sequence[str] = ("breweries_2026",)) -> dict[str, int]:
    """Create the master tables and load lists of companies with all officials as their people.

    Args:
        url: an empty database.
        companies: names out of `LISTS`.

    Returns:
        Rows by table: `{"companies": …, "people": …}`.
    """
    company_rows = read_companies(companies)
    people_rows = read_people(company_rows)
    create_masters(url)
    return {
        "companies": insert(url, COMPANIES, company_rows),
        "people": insert(url, PEOPLE, people_rows),
    }


def read_companies(names: Sequence[str]) -> list[dict[str, Any]]:
    """US rows of the lists as rows of company_master, numbered through from 1."""
    readers = {
        "breweries_2026": _breweries_2026,
        "breweries_2018": _breweries_2018,
        "farmers_markets": _farmers_markets,
    }
    numbers = itertools.count(1)
    rows = []
    for name in names:
        for row in readers[name]():
            n = next(numbers)
            rows.append(
                {
                    "company_unique_id": f"04.04.01.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
                    **row,
                    "source_system": name,
                    "promoted_from_intake_at": _MOMENT,
                    "created_at": _MOMENT,
                    "updated_at": _MOMENT,
                }
            )
    return rows


def read_people(companies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All officials as rows of people_master, round-robin over their state's companies.

    Officials of a state without companies go round-robin to all companies.
    """
    by_state = defaultdict(list)
    for row in companies:
        by_state[(row["address_state"] or "").strip().lower()].append(row["company_unique_id"])
    everywhere = itertools.cycle([row["company_unique_id"] for row in companies])
    turns: dict[str, Iterator[str]] = {}
    rows = []
    for n, official in enumerate(_read("people/state_officials.csv.gz"), start=1):
        state = STATE_NAMES[official["state"]].lower()
        if state not in turns:
            turns[state] = itertools.cycle(by_state[state]) if by_state[state] else everywhere
        rows.append(
            {
                "unique_id": f"04.04.02.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
                "company_unique_id": next(turns[state]),
                "company_slot_unique_id": f"04.04.05.{n % 100:02d}.{n:05d}.{n % 1000:03d}",
                "first_name": official["given_name"],
                "last_name": official["family_name"],
                "title": official["title"],
                "email": official["email"],
                "work_phone_e164": official["capitol_voice"],
                "linkedin_url": official["links"] or None,
                "source_system": "state_officials",
                "source_record_id": official["id"],
                "promoted_from_intake_at": _MOMENT,
                "created_at": _MOMENT,
                "updated_at": _MOMENT,
            }
        )
    return rows


def _breweries_2026() -> Iterator[dict[str, Any]]:
    for row in _read("companies/breweries_2026.csv.gz"):
        if row["country"].strip() == "United States":
            yield _company(
                row["id"], row["name"], row["website_url"], row["phone"], row["address_1"]
            ) | _place(row["city"], row["state_province"], row["postal_code"])


def _breweries_2018() -> Iterator[dict[str, Any]]:
    for row in _read("companies/breweries_2018.csv.gz"):
        if row["country"].strip() == "United States":
            yield _company(
                row["id"], row["name"], row["website_url"], row["phone"], row["street"]
            ) | _place(row["city"], row["state"], row["postal_code"])


def _farmers_markets() -> Iterator[dict[str, Any]]:
    for row in _read("companies/farmers_markets.csv.gz"):
        yield (
            _company(row["FMID"], row["MarketName"], row["Website"], None, row["street"])
            | _place(row["city"], row["State"], row["zip"])
            | {"facebook_url": row["Facebook"]}
        )


def _company(
    record: str, name: str, website: str, phone: str | None, street: str
) -> dict[str, Any]:
    return {
        "company_name": name,
        "website_url": website,
        "company_phone": phone,
        "address_street": street,
        "source_record_id": record,
    }


def _place(city: str, state: str, postcode: str) -> dict[str, Any]:
    return {"address_city": city, "address_state": state, "address_zip": postcode}


def _read(name: str) -> Iterator[dict[str, str]]:
    folder = real_data_folder()
    if folder is None:
        raise FileNotFoundError("no real data: set OUTREACH_REAL_DATA")
    with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
