"""Pull: what comes into the workspace, what is refreshed there, and what is never touched."""

from collections.abc import Callable

import pytest

from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE
from outreach_platform.enrichment.pull import PullReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_company,
    invalid_person,
)
from outreach_platform_tests.support.postgres import execute

Enrichment = Callable[..., EnrichmentRun]


def kept_fields(row: dict | None, columns: tuple[str, ...]) -> dict:
    assert row is not None
    return {column: row[column] for column in columns}


@pytest.mark.slow
def test_a_pull_brings_every_column_and_the_reasons(
    databases: Databases, enrichment: Enrichment
) -> None:
    company = invalid_company(domain="blue.test", batch_id="b7")
    person = invalid_person(validation_warnings={"phone": "short"})
    databases.add_invalid(company, person)
    run = enrichment()
    for entity, record in ((COMPANY, company), (PEOPLE, person)):
        assert run.pull(entity) == PullReport(read=1, inserted=1)
        key = str(record[entity.key])
        row = databases.row(key)
        assert row is not None
        assert kept_fields(row, entity.columns) == {c: record.get(c) for c in entity.columns}
        assert row["original_validation_errors"] == record["validation_errors"]
        assert row["original_validation_warnings"] == record["validation_warnings"]
        assert row["reason_code"] == record["reason_code"]
        assert row["source_batch_id"] == record["batch_id"]
        assert row["enrichment_status"] == "pending"
        assert (row["pushed_to_neon_at"], row["promoted_at"]) == (None, None)
        assert len(row["last_sync_hash"]) == 32
        source = databases.invalid(key)
        assert source is not None
        assert row["neon_id"] == source["id"]


@pytest.mark.parametrize("size", [1, 2, 50, 100])
def test_a_pull_in_batches_of_any_size_brings_each_row_once(
    databases: Databases, enrichment: Enrichment, size: int
) -> None:
    databases.add_companies(5)
    assert enrichment(batch_size=size).pull(COMPANY) == PullReport(read=5, inserted=5)
    stands = databases.rows(databases.workspace, "SELECT neon_id FROM company_needs_enrichment")
    assert sorted(row["neon_id"] for row in stands) == [1, 2, 3, 4, 5]
    logged = databases.rows(databases.neon, "SELECT * FROM shq_validation_log")
    assert [(row["total_records"], row["passed_records"]) for row in logged] == [(5, 5)]


def test_a_second_pull_changes_nothing_and_says_so(
    databases: Databases, enrichment: Enrichment
) -> None:
    databases.add_companies(3)
    databases.add_invalid(invalid_person())
    for entity in ENTITIES:
        enrichment().pull(entity)
    before = databases.dump()
    again = enrichment()
    assert again.pull(COMPANY) == PullReport(read=3, unchanged=3)
    assert again.pull(PEOPLE) == PullReport(read=1, unchanged=1)
    assert databases.dump() == before


@pytest.mark.parametrize(
    "change",
    [
        {"city": "Wheeling"},
        {"website": ""},
        {"validation_errors": {"website": "no dot"}},
        {"validation_warnings": {"phone": "short"}},
        {"reason_code": "INVALID_WEBSITE"},
    ],
)
def test_what_changed_at_the_source_is_refreshed(
    databases: Databases, enrichment: Enrichment, change: dict
) -> None:
    changed, same = databases.add_companies(2)
    enrichment().pull(COMPANY)
    untouched = databases.row(same)
    databases.change_source(changed, **change)
    assert enrichment().pull(COMPANY) == PullReport(read=2, refreshed=1, unchanged=1)
    row = databases.row(changed)
    assert row is not None
    names = {
        "validation_errors": "original_validation_errors",
        "validation_warnings": "original_validation_warnings",
    }
    for name, value in change.items():
        assert row[names.get(str(name), str(name))] == value
    assert databases.row(same) == untouched
    before = databases.dump()
    assert enrichment().pull(COMPANY) == PullReport(read=2, unchanged=2)
    assert databases.dump() == before


def test_what_enrichers_cannot_see_is_no_change(
    databases: Databases, enrichment: Enrichment
) -> None:
    """The hash has no clock in it: the predecessor's had, and never matched."""
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.change_source(key, reviewed=True, failed_at="2026-01-01")
    assert enrichment().pull(COMPANY) == PullReport(read=1, unchanged=1)


def test_errors_in_the_old_list_form_are_read(databases: Databases, enrichment: Enrichment) -> None:
    old = ["website: empty or blank", "who knows", "website: no dot"]
    (key,) = databases.add_companies(1)
    databases.change_source(key, validation_errors=old)
    assert enrichment().pull(COMPANY) == PullReport(read=1, inserted=1)
    row = databases.row(key)
    assert row is not None
    assert row["original_validation_errors"] == {
        "website": "empty or blank; no dot",
        "record": "who knows",
    }
    assert enrichment().pull(COMPANY) == PullReport(read=1, unchanged=1)


NASTY = [
    'O\'Brien & "Sons"; DROP TABLE company_master; --',
    "100% %s %(x)s {0} \\ \\x00 \\u0000 $$ E'\\n'",
    "Ünïcödé 株式会社 🏭 \u202eabc\u200b",
    "line\r\nbreak\ttab \x01\x1f\x7f",
    " leading and trailing ",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", NASTY)
def test_any_text_makes_the_round_trip_unchanged(
    databases: Databases, enrichment: Enrichment, text: str
) -> None:
    (key,) = databases.add_companies(1, company_name=text, validation_errors={text[:50]: text})
    assert enrichment().pull(COMPANY) == PullReport(read=1, inserted=1)
    row = databases.row(key)
    assert row is not None
    assert row["company_name"] == text
    assert row["original_validation_errors"] == {text[:50]: text}
    assert enrichment().pull(COMPANY) == PullReport(read=1, unchanged=1)
    databases.complete(key, address=text, enrichment_notes=text, enriched_by=text[:200])
    report = enrichment().push(COMPANY)
    assert (report.updated, report.confirmed, report.problems) == (1, 1, [])
    source = databases.invalid(key)
    assert source is not None
    assert (source["company_name"], source["address"]) == (text, text)
    assert source["enriched_by"] == text[:200]


def test_a_row_that_the_workspace_refuses_is_reported_and_the_others_go_on(
    databases: Databases, enrichment: Enrichment
) -> None:
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment ALTER COLUMN city TYPE varchar(20)",
    )
    long = "A secret place with a very long name"
    databases.add_companies(4)
    (poisonous,) = databases.add_companies(1, city=long)
    databases.add_companies(4)
    report = enrichment().pull(COMPANY)
    assert (report.read, report.inserted) == (9, 8)
    (problem,) = report.problems
    assert problem.startswith(f"{poisonous}: the database refused it: value too long")
    assert long not in problem
    databases.change_source(poisonous, city="Short")
    assert enrichment().pull(COMPANY) == PullReport(read=9, inserted=1, unchanged=8)


def test_an_id_of_the_wrong_form_is_brought_over_all_the_same(
    databases: Databases, enrichment: Enrichment
) -> None:
    """Nothing is lost: what is wrong with it is revalidation's to say."""
    databases.add_invalid(invalid_company(company_unique_id="no id'; --"))
    assert enrichment().pull(COMPANY) == PullReport(read=1, inserted=1)
    assert databases.row("no id'; --") is not None
    assert databases.row(company_id(1)) is None
