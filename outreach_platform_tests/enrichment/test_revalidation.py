"""Revalidation: what is complete is judged, what fails goes back with its reasons."""

import pytest

from outreach_platform.enrichment import revalidation as module
from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.foundation.errors import SourceError
from outreach_platform_tests.enrichment.promoting import (
    WEBSITE,
    NewRun,
    a_company,
    a_person,
    add_home,
    complete,
    desk,
    invalid,
    judge,
    logged,
    passed,
    triggered,
)
from outreach_platform_tests.support.enrichment import Databases, company_id
from outreach_platform_tests.support.postgres import execute


def test_complete_rows_are_judged_and_no_others(databases: Databases, enrichment: NewRun):
    keys = databases.add_companies(4, website=WEBSITE)
    for key, status in zip(keys, ("complete", "pending", "in_progress", "failed"), strict=True):
        databases.change_source(key, enrichment_status=status)
    (nobody_said,) = databases.add_companies(1, website=WEBSITE)
    ids: list[str] = []
    report = enrichment().revalidate(COMPANY, ids.append)
    assert (report.judged, report.passed, report.failed, ids) == (1, 1, 0, keys[:1])
    for key in (*keys[1:], nobody_said):
        row = invalid(databases, key)
        assert row["revalidated_at"] is None and row["passed_hash"] is None
        assert row["revalidation_attempts"] == 0
        assert row["validation_errors"] == {"website": "empty or blank"}


def test_what_passes_has_no_errors_left(databases: Databases, enrichment: NewRun):
    (key,) = databases.add_companies(1, employee_count=None, industry=None)
    report, ids = judge(databases, enrichment(), key)
    row = invalid(databases, key)
    assert (report.judged, report.passed, report.chronic, report.reasons) == (1, 1, 0, {})
    assert ids == [key]
    assert row["validation_errors"] == {}
    assert set(row["validation_warnings"]) == {"employee_count", "industry"}
    assert (row["still_invalid"], row["validation_status"]) == (False, "PASSED")
    assert (row["revalidation_attempts"], row["chronic"]) == (1, False)
    assert row["revalidated_at"] is not None
    assert row["enrichment_status"] == "complete"


def test_what_fails_is_told_why_in_both_databases(databases: Databases, enrichment: NewRun):
    (key,) = databases.add_companies(1, company_name=None, reason_code="EMPTY_NAME")
    report, ids = judge(databases, enrichment(), key, website="dotless")
    row, workspace = invalid(databases, key), desk(databases, key)
    assert (report.judged, report.failed, report.reasons) == (1, 1, {"EMPTY_NAME": 1})
    assert ids == []
    errors = row["validation_errors"]
    assert set(errors) == {"company_name", "website"} and all(errors.values())
    assert "dotless" not in str(errors)
    assert (row["still_invalid"], row["validation_status"]) == (True, "FAILED")
    assert (row["reason_code"], row["enrichment_status"]) == ("EMPTY_NAME", "failed")
    assert row["passed_hash"] is None and row["revalidated_at"] is not None
    assert workspace["enrichment_status"] == "failed"
    assert (workspace["original_validation_errors"], workspace["reason_code"]) == (
        errors,
        "EMPTY_NAME",
    )
    assert (workspace["website"], workspace["enriched_by"]) == ("dotless", "ann")
    assert (workspace["revalidation_attempts"], workspace["chronic"]) == (1, False)


def test_reasons_are_those_of_the_first_error(databases: Databases, enrichment: NewRun):
    add_home(databases)
    faults = [
        ({"full_name": None, "first_name": None, "email": None}, "EMPTY_NAME"),
        ({"email": None, "title": None}, "EMPTY_EMAIL"),
        ({"email": "at example", "title": None}, "INVALID_EMAIL"),
        ({"email": "ann@example.com"}, "INVALID_EMAIL"),
        ({"email": "a@b.test", "title": " n/a "}, "EMPTY_TITLE"),
        ({"email": "a@b.test", "company_unique_id": company_id(7)}, "UNKNOWN_COMPANY"),
    ]
    keys = databases.add_invalid(*(a_person(**values) for values, _ in faults))
    run = enrichment()
    run.pull(PEOPLE)
    databases.complete(*keys)
    run.push(PEOPLE)
    report = run.revalidate(PEOPLE)
    assert (report.judged, report.failed) == (6, 6)
    assert report.reasons == {
        "EMPTY_NAME": 1,
        "EMPTY_EMAIL": 1,
        "INVALID_EMAIL": 2,
        "EMPTY_TITLE": 1,
        "UNKNOWN_COMPANY": 1,
    }
    assert [invalid(databases, key)["reason_code"] for key in keys] == [why for _, why in faults]


def test_the_third_failed_round_is_chronic(databases: Databases, enrichment: NewRun):
    (key,) = databases.add_companies(1)
    run, seen = enrichment(), []
    run.pull(COMPANY)
    for website in ("one", "two", "three", "four"):
        report, _ = judge(databases, run, key, website=website)
        row, workspace = invalid(databases, key), desk(databases, key)
        assert row["revalidation_attempts"] == workspace["revalidation_attempts"]
        assert row["chronic"] == workspace["chronic"] == bool(report.chronic)
        assert workspace["enrichment_status"] == "failed"
        seen.append((row["revalidation_attempts"], row["chronic"]))
    assert seen == [(1, False), (2, False), (3, True), (4, True)]
    # A chronic record that is mended after all is like any other.
    report, ids = judge(databases, run, key)
    assert (report.chronic, ids) == (0, [key])
    assert (invalid(databases, key)["chronic"], run.funnel(COMPANY).chronic) == (False, 0)
    assert run.promote(COMPANY).promoted == 1


def test_a_failed_row_waits_until_it_is_complete_again(databases: Databases, enrichment: NewRun):
    (key,) = databases.add_companies(1)
    run = enrichment()
    judge(databases, run, key, website="no dot")
    databases.edit(key, website=WEBSITE)
    assert run.push(COMPANY).read == 0
    assert run.revalidate(COMPANY).judged == 0
    databases.complete(key)
    run.push(COMPANY)
    assert run.revalidate(COMPANY).passed == 1
    assert invalid(databases, key)["revalidation_attempts"] == 2


def test_judging_the_same_pass_again_is_no_attempt(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    before = invalid(databases, key)
    again: list[str] = []
    assert run.revalidate(COMPANY, again.append).passed == 1
    assert again == [key]
    assert invalid(databases, key)["revalidation_attempts"] == 1
    # Another content is another attempt, whether it passes or fails.
    databases.change_source(key, city="Huntington")
    assert run.revalidate(COMPANY).passed == 1
    row = invalid(databases, key)
    assert (row["revalidation_attempts"], row["passed_hash"] == before["passed_hash"]) == (2, False)
    databases.change_source(key, website="no dot")
    assert run.revalidate(COMPANY).failed == 1
    assert invalid(databases, key)["revalidation_attempts"] == 3


def test_stricter_rules_make_a_pass_stale_and_are_no_attempt(
    databases: Databases, enrichment: NewRun, monkeypatch: pytest.MonkeyPatch
):
    run = enrichment()
    keys = passed(databases, run, a_company(), a_company())
    execute(databases.neon, "UPDATE marketing.company_invalid SET passed_rules = 'older rules'")
    stale = run.promote(COMPANY)
    assert (stale.taken, stale.promoted, stale.not_passed) == (0, 0, 2)
    assert run.revalidate(COMPANY).passed == 2
    assert {invalid(databases, key)["revalidation_attempts"] for key in keys} == {1}
    assert run.promote(COMPANY).promoted == 2


def test_the_rules_version_is_written_with_the_pass(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    assert invalid(databases, key)["passed_rules"] == module.promotion_rules_version()


def test_old_lists_of_errors_become_objects(databases: Databases, enrichment: NewRun):
    keys = databases.add_companies(2, validation_errors=["website: empty", "no idea"])
    run = enrichment()
    complete(databases, run, *keys)
    databases.change_source(keys[1], website=" - ")
    report = run.revalidate(COMPANY)
    assert (report.passed, report.failed) == (1, 1)
    assert invalid(databases, keys[0])["validation_errors"] == {}
    assert set(invalid(databases, keys[1])["validation_errors"]) == {"website"}


def test_a_malformed_id_fails(databases: Databases, enrichment: NewRun):
    bad = ["04.04.01.1.00001.001", "company-7", "04.04.02.01.00001.001x"]
    keys = databases.add_invalid(*(a_company(company_unique_id=key) for key in bad))
    six_digits = databases.add_invalid(a_company(company_unique_id="04.04.01.07.123456.999"))
    run = enrichment()
    run.pull(COMPANY)
    execute(
        databases.workspace,
        f"UPDATE company_needs_enrichment SET website = '{WEBSITE}', "
        "enrichment_status = 'complete'",
    )
    run.push(COMPANY)
    ids: list[str] = []
    report = run.revalidate(COMPANY, ids.append)
    assert (report.reasons, ids) == ({"INVALID_ID": 3}, six_digits)
    rows = databases.rows(databases.neon, "SELECT * FROM marketing.company_invalid ORDER BY id")
    assert [row["still_invalid"] for row in rows] == [True, True, True, False]
    assert set(rows[0]["validation_errors"]) == {"company_unique_id"}
    assert run.promote(COMPANY).promoted == 1
    assert all(
        not databases.rows(
            databases.neon,
            "SELECT 1 FROM marketing.company_master WHERE company_unique_id = %s",
            key,
        )
        for key in keys
    )


def test_batches_and_the_log_agree(databases: Databases, enrichment: NewRun):
    keys = databases.add_companies(7)
    run = enrichment(batch_size=2)
    complete(databases, run, *keys)
    databases.change_source(*keys[:3], website=None)
    ids: list[str] = []
    report = run.revalidate(COMPANY, ids.append)
    assert (report.judged, report.passed, report.failed) == (7, 4, 3)
    assert sorted(ids) == sorted(keys[3:])
    assert logged(databases, "revalidate") == [(7, 4, 3)]


def test_nobody_hears_of_a_pass_that_was_rolled_back(databases: Databases, enrichment: NewRun):
    keys = databases.add_companies(3)
    run = enrichment(batch_size=2)
    complete(databases, run, *keys)
    stop = f"IF NEW.company_unique_id = '{keys[2]}' THEN PERFORM public.stop(); END IF; RETURN NEW;"
    ids: list[str] = []
    with (
        triggered(databases, "BEFORE UPDATE", "marketing.company_invalid", stop),
        pytest.raises(SourceError, match=r"stop\(\) does not exist"),
    ):
        run.revalidate(COMPANY, ids.append)
    assert ids == keys[:2]
    assert invalid(databases, keys[2])["passed_hash"] is None
    assert logged(databases, "revalidate") == [(2, 2, 0)]


def test_a_dry_run_judges_and_changes_nothing(databases: Databases, enrichment: NewRun):
    keys = databases.add_companies(2)
    run = enrichment()
    complete(databases, run, *keys)
    databases.change_source(keys[1], website=None)
    before = databases.dump()
    ids: list[str] = []
    dry = enrichment(dry_run=True)
    report = dry.revalidate(COMPANY, ids.append)
    assert (report.passed, report.failed, ids) == (1, 1, keys[:1])
    assert dry.funnel(COMPANY).failed == 1
    dry.close()
    assert databases.dump() == before
