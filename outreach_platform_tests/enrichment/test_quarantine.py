"""What published snapshots rejected, offered to the invalid tables."""

import json
import os
import shutil
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.quarantine import OfferReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import sha256_of, write_record
from outreach_platform.foundation.warehouse import file_record
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform.snapshots.records import EMBEDDED, Manifest, Receipt
from outreach_platform_tests.support import masters
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_company,
)
from outreach_platform_tests.support.enrichment_jobs import addresses, metadata, opened, placed
from outreach_platform_tests.support.postgres import execute, wait_until
from outreach_platform_tests.support.product import Product, failures, materialized, run_state

pytestmark = pytest.mark.slow

VERSION = "20260302100000"
BEFORE = datetime(2025, 1, 1)
MASTER = datetime(2025, 3, 1, 9, 30)  # what support.masters writes
AFTER = datetime(2025, 6, 1)
NO_WEBSITE = ["website_url_missing"]
Bad = Sequence[tuple[str | None, list[str] | None]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of the runs that `enrichment` makes."""
    return tmp_path / "data"


def publish(
    data: Path,
    companies: Bad = (),
    people: Bad = (),
    *,
    state: str = "WV",
    version: str = VERSION,
    source: str = EMBEDDED,
) -> StateFolder:
    """Publish a version whose bad rows are these, as the snapshots wing does."""
    folder = StateFolder(data, state)
    rows = {"companies_bad": (COMPANY.key, companies), "people_bad": (PEOPLE.key, people)}
    files = {}
    for table in TABLES:
        key, bad = rows.get(table, ("company_unique_id", ()))
        path = folder.export(version, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        errors = pa.array([codes for _, codes in bad], pa.list_(pa.string()))
        pq.write_table(
            pa.table(
                {key: pa.array([k for k, _ in bad], pa.string()), "validation_errors": errors}
            ),
            path,
        )
        files[table] = file_record(path, len(bad), data)
    moment = datetime(2026, 3, 2, 10, tzinfo=UTC)
    manifest = Manifest(
        version=version,
        state=state,
        snapshot_id=1,
        partition=moment.date(),
        run_id="snapshot-run",
        source=source,
        created_at=moment,
        pulled_at=moment,
        counts={},
        files=files,
        raw={},
        errors={},
        verdicts=[],
        overrides=[],
        thresholds=GateThresholds(),
        rules_version="rules",
        code_version="0",
    )
    write_record(folder.manifest(version), manifest)
    receipt = Receipt(
        version=version,
        state=state,
        snapshot_id=1,
        source=source,
        published_at=moment,
        audit_id=None,
        manifest_sha256=sha256_of(folder.manifest(version)),
        objects={},
    )
    write_record(folder.receipt(version), receipt)
    return folder


def add_companies(databases: Databases, *rows: dict[str, Any]) -> list[str]:
    """Put companies into the master; returns their ids."""
    masters.insert(databases.neon, masters.COMPANIES, rows)
    return [row["company_unique_id"] for row in rows]


def add_people(databases: Databases, *rows: dict[str, Any]) -> list[str]:
    """Put people into the master; returns their ids."""
    masters.insert(databases.neon, masters.PEOPLE, rows)
    return [row["unique_id"] for row in rows]


def bad_company(**values: Any) -> dict[str, Any]:
    """A company of the master without a website."""
    return masters.company(**{"website_url": None, **values})


def rejected(keys: Sequence[str], codes: list[str] = NO_WEBSITE) -> list[tuple[str, list[str]]]:
    """Rows of a bad table."""
    return [(key, codes) for key in keys]


def counted(report: OfferReport) -> dict[str, int]:
    """The counts that are not 0, without those of the snapshots."""
    values = {name: n for name, n in vars(report).items() if isinstance(n, int) and n}
    values.pop("snapshots", None)
    return values


NewRun = Callable[..., EnrichmentRun]


def test_a_bad_company_is_offered_as_the_master_has_it(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_companies(
        databases,
        bad_company(
            company_name='Blue Ridge "Tools"; 100 %\'s',
            website_url=" N/A ",
            address_street="1 Main",
            address_zip="25301",
            address_state="West Virginia",
            industry=None,
        ),
    )
    publish(data, rejected([key]))
    report = enrichment(run_id="r1").offer_quarantine(COMPANY)
    assert counted(report) == {"read": 1, "inserted": 1}
    assert (report.snapshots, report.problems) == (1, [])
    row = databases.invalid(key)
    assert row is not None
    assert row["id"] > 0
    del row["id"], row["created_at"]
    assert row == {
        "company_unique_id": key,
        "company_name": 'Blue Ridge "Tools"; 100 %\'s',
        "domain": None,
        "industry": None,
        "employee_count": 25,
        "website": " N/A ",
        "phone": "(304) 555-0123",
        "address": "1 Main",
        "city": "Charleston",
        "state": "West Virginia",
        "zip": "25301",
        "validation_status": "FAILED",
        "reason_code": "EMPTY_WEBSITE",
        "validation_errors": {"website": "the company has no website"},
        "validation_warnings": {"industry": "no industry"},
        "failed_at": MASTER,
        "reviewed": False,
        "batch_id": VERSION,
        "source_table": "marketing.company_master",
        "updated_at": MASTER,
        "enrichment_status": None,
        "enriched_at": None,
        "enriched_by": None,
        "still_invalid": False,
        "revalidated_at": None,
        "revalidation_attempts": 0,
        "chronic": False,
        **dict.fromkeys(
            ("pushed_hash", "pushed_version", "passed_hash", "passed_rules", "cleared_columns")
        ),
        **{name: row[name] for name in row.keys() - _DOCUMENTED},
    }
    log = databases.rows(databases.neon, "SELECT * FROM public.shq_validation_log")
    assert [
        (e["validation_run_id"], e["source_table"], e["target_table"], e["passed_records"])
        for e in log
    ] == [("r1:offer:company", "marketing.company_master", "marketing.company_invalid", 1)]


# Columns that the wing may add later are not this test's business.
_DOCUMENTED = {
    *("company_unique_id", "company_name", "domain", "industry", "employee_count", "website"),
    *("phone", "address", "city", "state", "zip", "validation_status", "reason_code"),
    *("validation_errors", "validation_warnings", "failed_at", "reviewed", "batch_id"),
    *("source_table", "updated_at", "enrichment_status", "enriched_at", "enriched_by"),
    *("still_invalid", "revalidated_at", "revalidation_attempts", "chronic", "pushed_hash"),
    *("pushed_version", "passed_hash", "passed_rules", "cleared_columns"),
}


def test_a_bad_person_is_offered_with_its_companys_name(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (company,) = add_companies(databases, masters.company(company_name="Blue Ridge"))
    (key,) = add_people(
        databases,
        masters.person(
            company_unique_id=company, email="nobody", title=None, first_name="Ann", last_name="Lee"
        ),
    )
    publish(data, people=[(key, ["email_invalid", "title_missing"])])
    assert counted(enrichment().offer_quarantine(PEOPLE)) == {"read": 1, "inserted": 1}
    row = databases.invalid(key)
    assert row is not None
    assert {name: row[name] for name in PEOPLE.columns} == {
        "full_name": "Ann Lee",
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "nobody",
        "phone": "+13045550123",
        "title": None,
        "company_name": "Blue Ridge",
        "company_unique_id": company,
        "linkedin_url": row["linkedin_url"],
        "city": None,
        "state": None,
    }
    assert row["linkedin_url"]
    assert row["reason_code"] == "INVALID_EMAIL"
    assert row["validation_errors"] == {
        "email": "the e-mail is no address",
        "title": "the person has no title",
    }
    assert row["source_table"] == "marketing.people_master"


def test_a_person_whose_company_is_not_in_the_master_has_no_company_name(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_people(databases, masters.person(email=None))
    publish(data, people=[(key, ["email_invalid", "company_not_valid"])])
    assert counted(enrichment().offer_quarantine(PEOPLE)) == {"read": 1, "inserted": 1}
    row = databases.invalid(key)
    assert row is not None
    assert row["company_name"] is None
    # The company is judged when the person comes back; enrichers cannot mend it here.
    assert row["validation_errors"] == {"email": "the e-mail is empty or a placeholder"}


def test_a_second_offer_changes_nothing(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    keys = add_companies(databases, *(bad_company() for _ in range(5)))
    people = add_people(databases, *(masters.person(email=None) for _ in range(3)))
    publish(data, rejected(keys), rejected(people, ["email_invalid"]))
    first = enrichment(batch_size=2)
    assert counted(first.offer_quarantine(COMPANY)) == {"read": 5, "inserted": 5}
    assert counted(first.offer_quarantine(PEOPLE)) == {"read": 3, "inserted": 3}
    before = databases.dump()
    second = enrichment(batch_size=2)
    assert counted(second.offer_quarantine(COMPANY)) == {"read": 5, "unchanged": 5}
    assert counted(second.offer_quarantine(PEOPLE)) == {"read": 3, "unchanged": 3}
    assert databases.dump() == before


def test_a_dry_run_tells_what_it_would_offer_and_writes_nothing(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    keys = add_companies(databases, *(bad_company() for _ in range(3)))
    publish(data, rejected(keys))
    before = databases.dump()
    run = enrichment(dry_run=True)
    assert counted(run.offer_quarantine(COMPANY)) == {"read": 3, "inserted": 3}
    run.close()
    assert databases.dump() == before
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 3, "inserted": 3}


def test_people_whose_only_fault_is_their_company_are_left_out(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    people = add_people(databases, *(masters.person(title=None) for _ in range(3)))
    publish(
        data,
        people=[
            (people[0], ["company_not_valid"]),
            (people[1], ["title_missing", "company_not_valid"]),
            (people[2], ["title_missing"]),
        ],
    )
    assert counted(enrichment().offer_quarantine(PEOPLE)) == {
        "read": 3,
        "left_out": 1,
        "inserted": 2,
    }
    assert databases.invalid(people[0]) is None
    assert databases.invalid(people[1])


def test_what_is_mended_or_gone_by_now_is_not_offered(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    mended, bad = add_companies(databases, masters.company(), bad_company())
    gone = company_id(77_777)
    publish(data, rejected([mended, gone, bad]))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {
        "read": 3,
        "mended": 1,
        "gone": 1,
        "inserted": 1,
    }
    assert databases.invalid(mended) is None
    assert databases.invalid(gone) is None


def test_a_person_who_is_mended_but_for_the_company_is_not_offered(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_people(databases, masters.person())  # the company is in no table
    publish(data, people=[(key, ["email_invalid", "company_not_valid"])])
    assert counted(enrichment().offer_quarantine(PEOPLE)) == {"read": 1, "mended": 1}


@pytest.mark.parametrize("column", [COMPANY, PEOPLE], ids=lambda e: e.name)
def test_rows_without_a_key_are_told_and_do_not_stop_the_others(
    databases: Databases, enrichment: NewRun, data: Path, column
) -> None:
    (company,) = add_companies(databases, bad_company())
    (person,) = add_people(databases, masters.person(email=None))
    publish(
        data,
        [(None, NO_WEBSITE), (company, NO_WEBSITE), (None, NO_WEBSITE)],
        [(None, ["email_invalid"]), (person, ["email_invalid"]), (None, ["company_not_valid"])],
    )
    report = enrichment().offer_quarantine(column)
    assert (report.read, report.inserted, report.gone) == (3, 1, 0)
    count = {"company": 2, "people": 1}[column.name]
    (problem,) = report.problems
    assert problem == (
        f"WV {VERSION}: {count} bad rows have no {column.key} and cannot be offered: give each one "
        f"in marketing.{column.master}"
    )


# What stands already: newest wins.


def offered(databases: Databases, enrichment: NewRun, data: Path, **values: Any) -> str:
    """A company without a website that was offered."""
    (key,) = add_companies(databases, bad_company(**values))
    publish(data, rejected([key]))
    assert enrichment().offer_quarantine(COMPANY).inserted == 1
    return key


def change_master(databases: Databases, key: str, **values: Any) -> None:
    """Change a company in the master; `updated_at` is the caller's."""
    sets = ", ".join(f"{name} = %s" for name in values)
    with psycopg2.connect(databases.neon.conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE marketing.company_master SET {sets} WHERE company_unique_id = %s",
            [*values.values(), key],
        )
    connection.close()


def test_a_newer_master_refreshes_what_was_offered(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    key = offered(databases, enrichment, data, company_phone="1", address_city="Elkins")
    first = databases.invalid(key)
    change_master(
        databases,
        key,
        company_name=None,
        website_url="nodot",
        company_phone=None,
        updated_at=AFTER.replace(tzinfo=UTC),
    )
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "refreshed": 1}
    row = databases.invalid(key)
    assert first
    assert row == {
        **first,
        "company_name": None,
        "website": "nodot",
        "phone": None,
        "reason_code": "EMPTY_NAME",
        "validation_errors": {
            "company_name": "the company has no name",
            "website": "the website has no dot",
        },
        "validation_warnings": {"phone": "no phone number"},
        "updated_at": AFTER,
        "failed_at": AFTER,
    }
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}
    assert databases.invalid(key) == row


def test_a_newer_master_that_says_the_same_changes_nothing(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    key = offered(databases, enrichment, data)
    row = databases.invalid(key)
    change_master(databases, key, updated_at=AFTER.replace(tzinfo=UTC), description="new")
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}
    assert databases.invalid(key) == row


@pytest.mark.parametrize("at", [BEFORE, MASTER, None], ids=["older", "as old", "without a time"])
def test_a_master_that_is_not_newer_changes_nothing(
    databases: Databases, enrichment: NewRun, data: Path, at: datetime | None
) -> None:
    key = offered(databases, enrichment, data)
    row = databases.invalid(key)
    change_master(databases, key, company_name="Other", updated_at=at and at.replace(tzinfo=UTC))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}
    assert databases.invalid(key) == row


def test_a_master_without_a_time_is_offered_as_of_now(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=60)
    key = offered(databases, enrichment, data, updated_at=None)
    row = databases.invalid(key)
    assert row
    assert before < row["updated_at"] < before + timedelta(seconds=120)
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}


def test_a_row_of_another_origin_keeps_what_the_master_says_nothing_about(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_companies(
        databases, bad_company(company_name="Master's", company_phone=" ", address_city=None)
    )
    databases.add_invalid(
        invalid_company(
            company_unique_id=key,
            company_name="Intake's",
            domain="intake.test",
            phone="(304) 555-0199",
            city="Elkins",
            updated_at=BEFORE,
            batch_id="intake-7",
        )
    )
    publish(data, rejected([key]))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "refreshed": 1}
    row = databases.invalid(key)
    assert row
    told = {name: row[name] for name in ("company_name", "domain", "phone", "city", "batch_id")}
    assert told == {
        "company_name": "Master's",
        "domain": "intake.test",
        "phone": "(304) 555-0199",
        "city": "Elkins",
        "batch_id": "intake-7",
    }
    assert (row["source_table"], row["updated_at"]) == (None, MASTER)
    # A second round must not take it for a copy of the master.
    change_master(databases, key, industry="Mining", updated_at=AFTER.replace(tzinfo=UTC))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "refreshed": 1}
    row = databases.invalid(key)
    assert row
    assert (row["industry"], row["phone"]) == ("Mining", "(304) 555-0199")


def test_a_row_of_another_origin_that_is_newer_stays(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_companies(databases, bad_company())
    databases.add_invalid(invalid_company(company_unique_id=key, updated_at=AFTER))
    row = databases.invalid(key)
    publish(data, rejected([key]))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}
    assert databases.invalid(key) == row


def test_a_row_that_has_what_the_master_lacks_is_not_called_empty(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    (key,) = add_companies(databases, bad_company())
    databases.add_invalid(
        invalid_company(company_unique_id=key, website="intake.test", updated_at=BEFORE)
    )
    row = databases.invalid(key)
    publish(data, rejected([key]))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}
    assert databases.invalid(key) == row


@pytest.mark.parametrize("status", ["complete", "in_progress", "checked by Bob"])
def test_a_row_that_somebody_works_on_is_left_alone(
    databases: Databases, enrichment: NewRun, data: Path, status: str
) -> None:
    key = offered(databases, enrichment, data)
    databases.change_source(key, enrichment_status=status, updated_at=MASTER)
    row = databases.invalid(key)
    change_master(databases, key, company_name="Other", updated_at=AFTER.replace(tzinfo=UTC))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "protected": 1}
    assert databases.invalid(key) == row


@pytest.mark.parametrize("status", [None, "pending", "failed"])
def test_a_row_that_nobody_works_on_follows_the_master(
    databases: Databases, enrichment: NewRun, data: Path, status: str | None
) -> None:
    key = offered(databases, enrichment, data)
    databases.change_source(key, enrichment_status=status, updated_at=MASTER)
    change_master(databases, key, company_name="Other", updated_at=AFTER.replace(tzinfo=UTC))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "refreshed": 1}
    row = databases.invalid(key)
    assert row
    assert (row["company_name"], row["enrichment_status"]) == ("Other", status)


def test_an_enrichers_edit_that_failed_is_not_overwritten(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    key = offered(databases, enrichment, data)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(key, website="still nothing", phone="(304) 555-0177")
    run.push(COMPANY)
    assert run.revalidate(COMPANY).failed == 1
    row = databases.invalid(key)
    assert row
    later = (row["updated_at"] + timedelta(hours=1)).replace(tzinfo=UTC)
    change_master(databases, key, company_name="Other", company_phone=None, updated_at=later)
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "protected": 1}
    assert databases.invalid(key) == row


def test_what_a_snapshot_rejects_comes_back_good(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    key = offered(databases, enrichment, data)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(key, website="https://www.mended.test")
    run.push(COMPANY)
    run.revalidate(COMPANY)
    assert run.promote(COMPANY).updated == 1
    master = databases.master(key)
    assert master
    assert master["website_url"] == "https://www.mended.test"
    # The snapshot is still the newest one: its bad row is good by now.
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "mended": 1}
    assert databases.invalid(key) is None
    # It breaks again, and is offered again as a record of its own.
    change_master(databases, key, website_url="-", updated_at=datetime.now(UTC))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "inserted": 1}
    again = enrichment()
    assert again.pull(COMPANY).reopened == 1
    desk = databases.row(key)
    assert desk
    assert (desk["enrichment_status"], desk["promoted_at"], desk["website"]) == (
        "pending",
        None,
        "-",
    )


# Tables of other hands.


def test_one_row_that_the_database_refuses_does_not_stop_the_others(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_invalid ADD CHECK (company_name <> 'Secret Poison')",
    )
    keys = add_companies(
        databases, *(bad_company() for _ in range(4)), bad_company(company_name="Secret Poison")
    )
    publish(data, rejected(keys))
    report = enrichment(run_id="poison").offer_quarantine(COMPANY)
    assert (report.read, report.inserted, report.unchanged) == (5, 4, 0)
    (problem,) = report.problems
    assert problem.startswith(f"{keys[-1]}: the database refused it: ")
    assert "Secret" not in problem
    log = databases.rows(databases.neon, "SELECT * FROM public.shq_validation_log")
    assert [(e["total_records"], e["failed_records"]) for e in log] == [(5, 1)]


def test_a_refresh_that_the_database_refuses_does_not_stop_the_others(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    keys = add_companies(databases, *(bad_company() for _ in range(3)))
    publish(data, rejected(keys))
    enrichment().offer_quarantine(COMPANY)
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_invalid ADD CHECK (company_name <> 'Poison')",
    )
    for key in keys:
        change_master(databases, key, company_name="Other", updated_at=AFTER.replace(tzinfo=UTC))
    change_master(databases, keys[1], company_name="Poison")
    report = enrichment().offer_quarantine(COMPANY)
    assert (report.refreshed, report.unchanged, len(report.problems)) == (2, 0, 1)
    row = databases.invalid(keys[1])
    assert row
    assert row["company_name"] != "Poison"


def test_text_in_the_masters_number_column_is_told(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_master ALTER COLUMN employee_count TYPE text",
    )
    good, odd = add_companies(
        databases, bad_company(employee_count="12"), bad_company(employee_count="a dozen")
    )
    publish(data, rejected([good, odd]))
    report = enrichment().offer_quarantine(COMPANY)
    assert report.inserted == 1
    (problem,) = report.problems
    assert odd in problem
    assert "dozen" not in problem
    row = databases.invalid(good)
    assert row
    assert row["employee_count"] == 12


def test_times_keep_their_moment_in_columns_of_either_kind(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_invalid ALTER COLUMN updated_at TYPE timestamptz "
        "USING updated_at AT TIME ZONE 'UTC';"
        "ALTER TABLE marketing.company_master ALTER COLUMN updated_at TYPE timestamp "
        "USING updated_at AT TIME ZONE 'UTC';"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', "
        "current_database(), 'America/New_York'); END $$",
    )
    (key,) = add_companies(databases, bad_company(updated_at=AFTER))
    publish(data, rejected([key]))
    assert enrichment().offer_quarantine(COMPANY).inserted == 1
    row = databases.invalid(key)
    assert row
    assert row["updated_at"] == AFTER.replace(tzinfo=UTC)
    assert row["failed_at"] == AFTER
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}


def test_optional_columns_may_be_missing(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_master DROP COLUMN industry, DROP COLUMN employee_count, "
        "DROP COLUMN company_phone, DROP COLUMN address_state, DROP COLUMN linkedin_url, "
        "DROP COLUMN updated_at;"
        "ALTER TABLE marketing.company_invalid DROP COLUMN source_table, DROP COLUMN batch_id, "
        "DROP COLUMN failed_at, DROP COLUMN validation_status, DROP COLUMN zip",
    )
    row = bad_company(address_city="Elkins")
    for name in ("industry", "employee_count", "company_phone", "address_state", "linkedin_url"):
        del row[name]
    del row["updated_at"]
    (key,) = add_companies(databases, row)
    publish(data, rejected([key]))
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "inserted": 1}
    found = databases.invalid(key)
    assert found
    told = {name: found[name] for name in ("industry", "phone", "city", "state")}
    assert told == {"industry": None, "phone": None, "city": "Elkins", "state": "WV"}
    assert found["validation_warnings"] == {}
    assert counted(enrichment().offer_quarantine(COMPANY)) == {"read": 1, "unchanged": 1}


def test_the_state_is_told_by_whichever_column_says_it(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    one, two = add_companies(
        databases,
        bad_company(address_state=" ", state_abbrev="OH"),
        bad_company(address_state="Ohio", state_abbrev="OH"),
    )
    publish(data, rejected([one, two]))
    assert enrichment().offer_quarantine(COMPANY).inserted == 2
    rows = [databases.invalid(one), databases.invalid(two)]
    assert [row and row["state"] for row in rows] == ["OH", "Ohio"]


def test_a_full_name_of_its_own_is_kept_and_a_computed_one_is_not_written(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "ALTER TABLE marketing.people_master DROP COLUMN full_name, ADD COLUMN full_name text;"
        "ALTER TABLE marketing.people_invalid DROP COLUMN company_name, ADD COLUMN company_name "
        "text GENERATED ALWAYS AS ('of ' || full_name) STORED",
    )
    (key,) = add_people(databases, masters.person(email=None, full_name="Dr. Ann Lee"))
    publish(data, people=rejected([key], ["email_invalid"]))
    report = enrichment().offer_quarantine(PEOPLE)
    assert (report.inserted, report.problems) == (1, [])
    row = databases.invalid(key)
    assert row
    assert (row["full_name"], row["company_name"]) == ("Dr. Ann Lee", "of Dr. Ann Lee")


def test_a_person_without_a_generated_full_name_has_one(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(databases.neon, "ALTER TABLE marketing.people_master DROP COLUMN full_name")
    (key,) = add_people(databases, masters.person(email=None, first_name=" Ann", last_name="Lee "))
    publish(data, people=rejected([key], ["email_invalid"]))
    assert enrichment().offer_quarantine(PEOPLE).inserted == 1
    row = databases.invalid(key)
    assert row
    assert row["full_name"] == "Ann Lee"


@pytest.mark.parametrize(
    ("entity", "column"), [(COMPANY, "website_url"), (PEOPLE, "title")], ids=["company", "people"]
)
def test_a_master_without_a_needed_column_is_refused(
    databases: Databases, enrichment: NewRun, data: Path, entity, column: str
) -> None:
    execute(databases.neon, f"ALTER TABLE marketing.{entity.master} DROP COLUMN {column}")
    publish(data)
    run = enrichment()
    with pytest.raises(
        SourceError, match=f"marketing.{entity.master} lacks {column}, which the rules need"
    ):
        run.offer_quarantine(entity)


# Which snapshots are read.


def test_without_a_published_snapshot_nothing_is_offered(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    add_companies(databases, bad_company())
    report = enrichment().offer_quarantine(COMPANY)
    assert report == OfferReport()
    assert not (data / "lake").exists()


def test_the_newest_version_of_each_state_is_read(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    keys = add_companies(databases, *(bad_company() for _ in range(4)))
    publish(data, rejected([keys[0]]), version="20260301100000")
    publish(data, rejected([keys[1]]), version="20260302100000")
    publish(data, rejected([keys[2]]), state="PA", version="20250101000000")
    unpublished = publish(data, rejected([keys[3]]), version="20260303100000")
    unpublished.receipt("20260303100000").unlink()
    report = enrichment().offer_quarantine(COMPANY)
    assert (report.snapshots, report.read, report.inserted) == (2, 2, 2)
    assert [bool(databases.invalid(key)) for key in keys] == [False, True, True, False]
    row = databases.invalid(keys[2])
    assert row
    assert row["batch_id"] == "20250101000000"


def test_sample_data_says_nothing_of_a_configured_database(
    databases: Databases, enrichment: NewRun, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, real = add_companies(databases, bad_company(), bad_company())
    publish(data, rejected([real]), version="20260301100000", source="db.example.com/neon")
    publish(data, rejected([sample]), version="20260302100000", source=EMBEDDED)
    monkeypatch.setattr(EnrichmentRun, "source", "db.example.com/neon")
    assert enrichment().offer_quarantine(COMPANY).inserted == 1
    assert databases.invalid(real)
    assert databases.invalid(sample) is None
    monkeypatch.undo()
    assert enrichment().offer_quarantine(COMPANY).inserted == 1
    assert databases.invalid(sample)


def spoil_parquet(folder: StateFolder) -> None:
    path = folder.export(VERSION, "companies_bad")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove_parquet(folder: StateFolder) -> None:
    folder.export(VERSION, "companies_bad").unlink()


def remove_manifest(folder: StateFolder) -> None:
    folder.manifest(VERSION).unlink()


def exchange_manifest(folder: StateFolder) -> None:
    path = folder.manifest(VERSION)
    path.write_text(path.read_text().replace("snapshot-run", "another-run"))


def spoil_receipt(folder: StateFolder) -> None:
    folder.receipt(VERSION).write_text('{"version": ')


def forget_table(folder: StateFolder) -> None:
    path = folder.manifest(VERSION)
    said = json.loads(path.read_text())
    del said["files"]["companies_bad"]
    path.write_text(json.dumps(said))
    receipt = json.loads(folder.receipt(VERSION).read_text())
    receipt["manifest_sha256"] = sha256_of(path)
    folder.receipt(VERSION).write_text(json.dumps(receipt))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (spoil_parquet, "is gone or not the file that was published"),
        (remove_parquet, "is gone or not the file that was published"),
        (remove_manifest, "is published but its manifest is gone"),
        (exchange_manifest, "is not the one under which"),
        (spoil_receipt, "is damaged or of another release"),
        (forget_table, "names no companies_bad"),
    ],
)
def test_a_damaged_version_is_told_and_the_others_go_on(
    databases: Databases, enrichment: NewRun, data: Path, damage, said: str
) -> None:
    one, two = add_companies(databases, bad_company(), bad_company())
    damage(publish(data, rejected([one])))
    publish(data, rejected([two]), state="OH")
    report = enrichment().offer_quarantine(COMPANY)
    (problem,) = report.problems
    assert said in problem
    assert "WV" in problem
    assert VERSION in problem
    assert "nothing of this version was offered" in problem
    assert (report.snapshots, report.inserted) == (1, 1)
    assert databases.invalid(one) is None


def test_a_file_that_is_no_parquet_is_told(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    one, two = add_companies(databases, bad_company(), bad_company())
    folder = publish(data, rejected([one]))
    publish(data, rejected([two]), state="OH")
    path = folder.export(VERSION, "companies_bad")
    path.write_text("no Parquet")
    manifest = json.loads(folder.manifest(VERSION).read_text())
    record = file_record(path, 1, data)
    manifest["files"]["companies_bad"] = record.model_dump()
    folder.manifest(VERSION).write_text(json.dumps(manifest))
    receipt = json.loads(folder.receipt(VERSION).read_text())
    receipt["manifest_sha256"] = sha256_of(folder.manifest(VERSION))
    folder.receipt(VERSION).write_text(json.dumps(receipt))
    report = enrichment().offer_quarantine(COMPANY)
    (problem,) = report.problems
    assert problem.startswith(f"WV {VERSION}: ")
    assert "cannot be read" in problem
    assert report.inserted == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_told(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    folder = publish(data, rejected(["x"]))
    folder.export(VERSION, "companies_bad").chmod(0)
    (problem,) = enrichment().offer_quarantine(COMPANY).problems
    assert "Permission denied" in problem


# Others at the same time.

WAITING = (
    "SELECT 1 FROM pg_locks JOIN pg_stat_activity a USING (pid) "
    "WHERE NOT granted AND a.datname = current_database()"
)


def test_a_promotion_at_the_same_time_is_waited_for(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    """The promoter has taken the invalid row and not yet committed the mended master."""
    key = offered(databases, enrichment, data)
    promoter = psycopg2.connect(databases.neon.conninfo)
    reports: list[OfferReport] = []
    try:
        cursor = promoter.cursor()
        cursor.execute(
            "SELECT 1 FROM marketing.company_invalid WHERE company_unique_id = %s FOR UPDATE", [key]
        )
        thread = threading.Thread(
            target=lambda: reports.append(enrichment().offer_quarantine(COMPANY))
        )
        thread.start()
        wait_until(lambda: databases.rows(databases.neon, WAITING), "the offer waits")
        cursor.execute(
            "UPDATE marketing.company_master SET website_url = 'mended.test' "
            "WHERE company_unique_id = %s",
            [key],
        )
        cursor.execute("DELETE FROM marketing.company_invalid WHERE company_unique_id = %s", [key])
        promoter.commit()
        thread.join(30)
    finally:
        promoter.close()
    assert [counted(report) for report in reports] == [{"read": 1, "mended": 1}]
    assert databases.invalid(key) is None


def test_a_correction_of_the_master_at_the_same_time_is_waited_for(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    """Else a record would be offered with the faults of a row that is good when it arrives."""
    (key,) = add_companies(databases, bad_company())
    publish(data, rejected([key]))
    writer = psycopg2.connect(databases.neon.conninfo)
    reports: list[OfferReport] = []
    try:
        writer.cursor().execute(
            "UPDATE marketing.company_master SET website_url = 'mended.test' "
            "WHERE company_unique_id = %s",
            [key],
        )
        thread = threading.Thread(
            target=lambda: reports.append(enrichment().offer_quarantine(COMPANY))
        )
        thread.start()
        wait_until(lambda: databases.rows(databases.neon, WAITING), "the offer waits")
        writer.commit()
        thread.join(30)
    finally:
        writer.close()
    assert [counted(report) for report in reports] == [{"read": 1, "mended": 1}]


def test_two_offers_at_once_insert_each_record_once(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    keys = add_companies(databases, *(bad_company() for _ in range(120)))
    publish(data, rejected(keys))
    runs = [enrichment(batch_size=7), enrichment(batch_size=11)]
    for run in runs:
        run.places(COMPANY)
    reports: list[OfferReport] = []
    threads = [
        threading.Thread(target=lambda r=run: reports.append(r.offer_quarantine(COMPANY)))
        for run in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(report.inserted for report in reports) == 120
    assert sum(report.unchanged for report in reports) == 120
    assert not [problem for report in reports for problem in report.problems]
    (log,) = databases.rows(
        databases.neon, "SELECT sum(passed_records) AS n FROM public.shq_validation_log"
    )
    assert log["n"] == 120


@pytest.mark.slow
def test_memory_stays_flat_however_many_rows_are_bad(
    databases: Databases, enrichment: NewRun, data: Path
) -> None:
    execute(
        databases.neon,
        "INSERT INTO marketing.company_master (company_unique_id, company_name, source_system, "
        "promoted_from_intake_at, updated_at) SELECT '04.04.01.00.' || n || '.000', 'C ' || n, "
        "'test', now(), now() FROM generate_series(10000, 24999) n",
    )
    keys = [f"04.04.01.00.{n}.000" for n in range(10_000, 25_000)]

    def peak(version: str, offered: list[str]) -> int:
        publish(data, rejected(offered), version=version)
        run = enrichment(batch_size=100)
        tracemalloc.start()
        report = run.offer_quarantine(COMPANY)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert report.inserted + report.unchanged == len(offered)
        return highest

    peak("20260301000000", keys[:100])  # what is imported and compiled once
    few = peak("20260302000000", keys[:500])
    assert peak("20260303000000", keys) < 1.5 * few


# The real snapshots.


@pytest.mark.slow
def test_what_a_real_snapshot_rejects_comes_back_good(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshot, offer, pull, an enricher's work, promotion, snapshot: all by the real jobs."""
    here = {"address_state": "W. Va.", "state_abbrev": "WV"}
    good = add_companies(databases, *(masters.company(**here) for _ in range(20)))
    bad = add_companies(databases, *(bad_company(**here) for _ in range(2)))
    lost, faulty, fine = add_people(
        databases,
        masters.person(company_unique_id=bad[0]),
        masters.person(company_unique_id=bad[0], email="n/a", title="tbd"),
        masters.person(company_unique_id=good[0]),
    )
    toml = tmp_path / "settings.toml"
    toml.write_text("[enrichment]\noffer_quarantine = true\n")
    product = Product(tmp_path, {**addresses(databases), "OUTREACH_SETTINGS": str(toml)})
    with opened(product) as both:
        wing = placed(both, databases, monkeypatch)
        snapshot = run_state(wing.instance, "WV")
        assert snapshot.success
        assert "snapshots" in materialized(snapshot)
        folder = product.folder("WV")
        (version,) = folder.published_versions()
        # A second state whose file is damaged is told and stops nobody.
        spoil_parquet(publish(product.data, rejected(good), state="OH", source="elsewhere/neon"))

        pulled = wing.pull()
        assert pulled.success
        shown = metadata(pulled, "quarantine")
        assert (shown["company_read"], shown["company_inserted"]) == (2, 2)
        assert [shown[f"people_{n}"] for n in ("read", "left_out", "inserted")] == [2, 1, 1]
        assert len(shown["problems"]) == 1
        assert "OH" in shown["problems"][0]
        assert databases.invalid(lost) is None
        assert databases.invalid(fine) is None
        row = databases.invalid(faulty)
        assert row
        assert (row["reason_code"], row["batch_id"]) == ("EMPTY_EMAIL", version)
        assert row["validation_errors"].keys() == {"email", "title"}

        databases.complete(*bad, website="https://www.mended.test")
        assert wing.promotion().success
        databases.complete(faulty, email="ann@mended.test", title="Chief Executive Officer")
        assert wing.promotion().success
        assert [databases.invalid(key) for key in (*bad, faulty)] == [None, None, None]
        assert metadata(wing.pull(), "quarantine")["company_mended"] == 2

        shutil.rmtree(StateFolder(product.data, "OH").exports)  # no real snapshot's
        again = run_state(wing.instance, "WV")
        assert again.success, failures(again)
        newest = folder.published_versions()[-1]
        assert newest > version
        counts = Manifest.model_validate_json(folder.manifest(newest).read_bytes()).counts
        assert (counts["companies_bad"], counts["people_bad"]) == (0, 0)
        assert (counts["companies_good"], counts["people_good"]) == (22, 3)
