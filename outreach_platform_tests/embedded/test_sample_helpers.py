"""The helpers other tests and the benchmarks stand on: master tables, real rows, bulk rows."""

import psycopg2
import pytest

from benchmarks.bulk import load_bulk, load_bulk_people_only
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import fetch
from outreach_platform_tests.support.real_data import (
    LISTS,
    load_real,
    read_companies,
    real_data_folder,
)


def company_columns(url: DatabaseUrl) -> list[str]:
    return [
        row[0]
        for row in fetch(
            url,
            "SELECT column_name || ' ' || data_type FROM information_schema.columns "
            "WHERE table_name = 'company_master' ORDER BY ordinal_position",
        )
    ]


def test_rows_are_inserted_with_increasing_ids_and_overrides(neon_url: DatabaseUrl) -> None:
    create_masters(neon_url)
    first, second = company(keywords=["a", "b;c"]), company(company_name=None)
    assert insert(neon_url, COMPANIES, [first, second]) == 2
    assert insert(neon_url, PEOPLE, [person(company_unique_id=first["company_unique_id"])]) == 1
    assert insert(neon_url, PEOPLE, []) == 0
    assert first["company_unique_id"] < second["company_unique_id"]
    query = "SELECT company_name IS NULL, keywords FROM marketing.company_master ORDER BY 1"
    assert fetch(neon_url, query) == [(False, ["a", "b;c"]), (True, None)]


def test_keys_hold_unless_they_were_left_out(neon_url: DatabaseUrl) -> None:
    create_masters(neon_url)
    with pytest.raises(psycopg2.IntegrityError):
        insert(neon_url, COMPANIES, [company(company_unique_id=None)])
    create_masters(neon_url, primary_keys=False)
    twice = company()
    assert insert(neon_url, COMPANIES, [twice, twice, company(company_unique_id=None)]) == 3
    assert insert(neon_url, PEOPLE, [person(unique_id=None)]) == 1


def test_company_columns_as_a_list(neon_url: DatabaseUrl) -> None:
    names = ["website_url", "company_unique_id", "data_quality_score", "region"]
    create_masters(neon_url, company_columns=names, primary_keys=False)
    assert company_columns(neon_url) == [
        *("website_url text", "company_unique_id text", "data_quality_score numeric"),
        "region text",
    ]


def test_company_columns_as_changes(neon_url: DatabaseUrl) -> None:
    changes = {"website_url": None, "employee_count": "bigint", "region": "jsonb"}
    create_masters(neon_url, company_columns=changes)
    columns = company_columns(neon_url)
    assert len(columns) == 29
    assert {"employee_count bigint", "region jsonb"} <= set(columns)
    assert not any(column.startswith("website_url") for column in columns)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(real_data_folder() is None, reason="no real data here")
def test_real_rows_keep_their_spellings(neon_url: DatabaseUrl) -> None:
    counts = load_real(neon_url, LISTS)
    assert counts == {"companies": 8224 + 8028 + 8730, "people": 3902}
    states = dict(
        fetch(neon_url, "SELECT address_state, count(*) FROM marketing.company_master GROUP BY 1")
    )
    assert states["MIssouri"] == 1
    assert states[""] == sum(row["address_state"] == "" for row in read_companies(LISTS)) > 100
    same_state = fetch(
        neon_url,
        "SELECT count(*), count(DISTINCT company_unique_id) FROM marketing.people_master "
        "JOIN marketing.company_master USING (company_unique_id) "
        "WHERE address_state = 'Ohio'",
    )
    assert same_state == [(146, 146)]


@pytest.mark.slow
def test_bulk_rows_are_even_unique_and_eight_percent_bad(neon_url: DatabaseUrl) -> None:
    load_bulk(neon_url, companies=6_000, people=12_000)
    query = """
        SELECT upper(trim(coalesce(address_state, state_abbrev))) AS state, count(*) AS n,
            count(DISTINCT company_unique_id) AS ids,
            avg((company_name IS NULL OR company_name = 'N/A' OR coalesce(website_url, '') NOT LIKE
                 '%.%')::int) AS bad
        FROM marketing.company_master GROUP BY 1
    """
    rows = fetch(neon_url, query)
    assert len(rows) == 12, "a code and a name for each state"
    assert sum(row[1] for row in rows) == sum(row[2] for row in rows) == 6_000
    assert 0.06 < sum(row[1] * float(row[3]) for row in rows) / 6_000 < 0.10
    unhoused = """
        SELECT count(*) FROM marketing.people_master AS p WHERE NOT EXISTS (
            SELECT FROM marketing.company_master AS c
            WHERE c.company_unique_id = p.company_unique_id)
    """
    assert fetch(neon_url, unhoused) == [(0,)]
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conname LIKE '%_master_pkey'"
    assert fetch(neon_url, keys) == [(2,)]


def test_bulk_people_are_topped_up_and_never_repeated(neon_url: DatabaseUrl) -> None:
    with pytest.raises(UsageError, match="load_bulk"):
        load_bulk_people_only(neon_url, people=10)
    load_bulk(neon_url, companies=100, people=200)
    load_bulk(neon_url, companies=100, people=200)
    load_bulk_people_only(neon_url, people=500)
    counted = "SELECT count(*), count(DISTINCT unique_id) FROM marketing.people_master"
    assert fetch(neon_url, counted) == [(500, 500)]
    with pytest.raises(UsageError, match="500"):
        load_bulk_people_only(neon_url, people=300)


def test_bulk_refuses_a_database_with_rows(neon_url: DatabaseUrl) -> None:
    create_masters(neon_url)
    insert(neon_url, COMPANIES, [company()])
    with pytest.raises(UsageError, match="company_master"):
        load_bulk(neon_url, companies=10, people=10)
    assert fetch(neon_url, "SELECT count(*) FROM marketing.company_master") == [(1,)]
