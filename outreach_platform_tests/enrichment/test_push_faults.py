"""Push: rows that match nothing, that Neon refuses, that change meanwhile, and killed processes."""

from collections.abc import Callable
from typing import Any

import pytest

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.push import PushReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform_tests.enrichment.test_push import DONE, both, pulled
from outreach_platform_tests.support.enrichment import Databases, meanwhile
from outreach_platform_tests.support.postgres import execute

pytestmark = pytest.mark.slow

Enrichment = Callable[..., EnrichmentRun]


class Killed(Exception):
    """The process ends here."""


def kill() -> None:
    raise Killed


def test_a_row_that_matches_nothing_is_reported_and_not_marked(
    databases: Databases, enrichment: Enrichment
) -> None:
    key, other = databases.add_companies(2)
    enrichment().pull(COMPANY)
    databases.complete(key, other, website="https://mine.test")
    execute(
        databases.neon, f"DELETE FROM marketing.company_invalid WHERE company_unique_id='{key}'"
    )
    report = enrichment().push(COMPANY)
    assert (report.read, report.updated, report.confirmed) == (2, 1, 1)
    (problem,) = report.problems
    assert problem.startswith(f"{key}: Neon has no invalid row of this id any more")
    row = databases.row(key)
    assert row is not None
    assert row["pushed_to_neon_at"] is None
    assert row["sync_problem"] in problem
    databases.edit(key, city="Wheeling")
    row = databases.row(key)
    assert row is not None
    assert row["sync_problem"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a secret dozen", "holds text where a whole number belongs"),
        ("12.5", "holds text where a whole number belongs"),
        ("1_000", "holds text where a whole number belongs"),
        ("٣", "holds text where a whole number belongs"),
        (str(2**31), "is too large a number"),
        ("9" * 5000, "is too large a number"),
    ],
)
def test_text_in_a_number_column_is_told_and_the_others_go_on(
    databases: Databases, enrichment: Enrichment, text: str, said: str
) -> None:
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment ALTER COLUMN employee_count TYPE text",
    )
    keys = databases.add_companies(3)
    enrichment().pull(COMPANY)
    databases.complete(*keys, website="https://mine.test")
    databases.edit(keys[1], employee_count=text)
    report = enrichment().push(COMPANY)
    assert (report.read, report.updated, report.confirmed) == (3, 2, 2)
    assert report.problems == [f"{keys[1]}: employee_count {said}"]
    databases.edit(keys[1], employee_count=" 12 ")
    assert enrichment().push(COMPANY) == DONE
    row, source = both(databases, keys[1])
    assert source["employee_count"] == 12
    assert row["sync_problem"] is None
    assert enrichment().push(COMPANY) == PushReport()


POISON = {
    "too long": "ALTER TABLE marketing.company_invalid ALTER COLUMN website TYPE varchar(20)",
    "check": "ALTER TABLE marketing.company_invalid ADD CHECK (website NOT LIKE '%secret%')",
    "trigger": "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.website "
    "LIKE '%secret%' THEN RAISE EXCEPTION 'not this: %', 5; END IF; RETURN NEW; END $$; "
    "CREATE TRIGGER no BEFORE UPDATE ON marketing.company_invalid FOR EACH ROW "
    "EXECUTE FUNCTION no()",
    "unique": "CREATE UNIQUE INDEX ON marketing.company_invalid (website) "
    "WHERE website LIKE '%secret%'",
    "swallowed": "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.website "
    "LIKE '%secret%' THEN RETURN NULL; END IF; RETURN NEW; END $$; "
    "CREATE TRIGGER no BEFORE UPDATE ON marketing.company_invalid FOR EACH ROW "
    "EXECUTE FUNCTION no()",
}


@pytest.mark.parametrize("kind", POISON)
def test_a_poisonous_row_does_not_stop_the_others(
    databases: Databases, enrichment: Enrichment, kind: str
) -> None:
    value = "https://secret.example.test"
    if kind == "unique":
        databases.add_companies(1, website=value)
    execute(databases.neon, POISON[kind])
    keys = databases.add_companies(7)
    enrichment().pull(COMPANY)
    databases.complete(*keys, website="https://mine.test")
    databases.edit(keys[4], website=value)
    report = enrichment().push(COMPANY)
    assert (report.read, report.updated, report.confirmed) == (7, 6, 6)
    (problem,) = report.problems
    assert problem.startswith(f"{keys[4]}: ")
    assert "secret" not in problem
    row, source = both(databases, keys[4])
    assert (row["pushed_to_neon_at"], source["enrichment_status"]) == (None, None)
    assert row["sync_problem"] in problem
    databases.edit(keys[4], website="https://fine.test")
    assert enrichment().push(COMPANY) == DONE


def test_a_value_that_the_workspace_cannot_hold_does_not_stop_the_others(
    databases: Databases, enrichment: Enrichment
) -> None:
    """Neon's value is newer and longer than the workspace's column."""
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment ALTER COLUMN city TYPE varchar(20)",
    )
    keys = databases.add_companies(5)
    enrichment().pull(COMPANY)
    databases.complete(*keys, website="https://mine.test")
    databases.change_source(keys[2], city="A secret place with a long name")
    report = enrichment().push(COMPANY)
    assert (report.read, report.confirmed) == (5, 4)
    (problem,) = report.problems
    assert problem.startswith(f"{keys[2]}: ")
    assert "secret" not in problem
    row, source = both(databases, keys[2])
    assert (row["pushed_to_neon_at"], source["website"]) == (None, "https://mine.test")
    assert row["sync_problem"] in problem


@pytest.mark.parametrize("change", [{"city": "Wheeling"}, {"enrichment_status": "in_progress"}])
def test_a_row_that_is_edited_between_read_and_mark_is_not_marked(
    databases: Databases, enrichment: Enrichment, change: dict[str, Any]
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    run = enrichment()
    run.places(COMPANY)
    meanwhile(run.neon, after=lambda: databases.edit(key, **change))
    assert run.push(COMPANY) == PushReport(read=1, updated=1, moved_on=1)
    row, source = both(databases, key)
    assert {name: row[name] for name in change} == change
    assert row["pushed_to_neon_at"] is None
    assert source["website"] == "https://first.test"
    databases.edit(key, enrichment_status="complete")
    assert enrichment().push(COMPANY) == DONE
    row, source = both(databases, key)
    assert source["city"] == row["city"]
    assert row["city"] == change.get("city", "Charleston")
    assert databases.conflicts() == []


@pytest.mark.parametrize("theirs", [None, "source wins"])
def test_a_push_that_was_killed_before_the_mark_is_recognised(
    databases: Databases, enrichment: Enrichment, theirs: str | None
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://mine.test")
    if theirs:
        databases.change_source(key, website=theirs, updated_at="2099-01-01")
    run = enrichment()
    run.places(COMPANY)
    meanwhile(run.neon, after=kill)
    with pytest.raises(Killed):
        run.push(COMPANY)
    row, source = both(databases, key)
    assert row["pushed_to_neon_at"] is None
    before = databases.dump()[0]
    assert enrichment().push(COMPANY) == PushReport(read=1, confirmed=1)
    assert databases.dump()[0] == before
    row, again = both(databases, key)
    assert again == source
    assert row["website"] == source["website"] == (theirs or "https://mine.test")
    assert len(databases.conflicts()) == (1 if theirs else 0)
    assert enrichment().push(COMPANY) == PushReport()


def test_an_edit_after_a_push_that_was_killed_before_the_mark_is_no_conflict(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    run = enrichment()
    run.places(COMPANY)
    meanwhile(run.neon, after=kill)
    with pytest.raises(Killed):
        run.push(COMPANY)
    databases.edit(key, website="https://second.test")
    assert enrichment().push(COMPANY) == DONE
    assert both(databases, key)[1]["website"] == "https://second.test"
    assert databases.conflicts() == []


def test_an_outdated_read_never_overwrites_a_newer_push(
    databases: Databases, enrichment: Enrichment
) -> None:
    """Two hosts, without a lock between them: the slower one read the row before the edit."""
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    slow, fast = enrichment(), enrichment()
    slow.places(COMPANY)

    def overtake() -> None:
        databases.edit(key, website="https://second.test")
        assert fast.push(COMPANY) == DONE

    meanwhile(slow.neon, before=overtake)
    report = slow.push(COMPANY)
    row, source = both(databases, key)
    assert row["website"] == source["website"] == "https://second.test"
    assert (report.confirmed, report.moved_on) == (0, 1)
    assert databases.conflicts() == []
    assert enrichment().push(COMPANY) == PushReport()


BEHIND = "clock_timestamp() AT TIME ZONE 'UTC' + interval '1 hour'"


def test_an_edit_is_found_though_the_clock_runs_behind(
    databases: Databases, enrichment: Enrichment
) -> None:
    """The server's clock was an hour ahead when the row was pushed, and is right again."""
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    assert enrichment().push(COMPANY) == DONE
    execute(
        databases.workspace,
        "SET outreach.syncing = 'on'; UPDATE company_needs_enrichment "
        f"SET updated_at = {BEHIND}, pushed_to_neon_at = {BEHIND}",
    )
    ahead = both(databases, key)[0]["pushed_to_neon_at"]
    databases.edit(key, enrichment_notes="only a note")
    assert both(databases, key)[0]["updated_at"] > ahead
    assert enrichment().push(COMPANY) == DONE


@pytest.mark.parametrize("same_time", [True, False])
def test_an_edit_is_found_though_somebody_dropped_the_trigger(
    databases: Databases, enrichment: Enrichment, same_time: bool
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    assert enrichment().push(COMPANY) == DONE
    execute(
        databases.workspace,
        "DROP TRIGGER zz_company_needs_enrichment_touch ON company_needs_enrichment",
    )
    other = {} if same_time else {"updated_at": "2001-01-01"}
    databases.edit(key, website="https://second.test", **other)
    assert enrichment().push(COMPANY) == DONE
    row, source = both(databases, key)
    assert row["website"] == source["website"] == "https://second.test"
    assert enrichment().push(COMPANY) == PushReport()


def test_a_status_that_nobody_defined_is_told_by_the_push(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pulled(databases, enrichment)
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment "
        "DROP CONSTRAINT company_needs_enrichment_enrichment_status_check",
    )
    databases.edit(key, enrichment_status=None, website="https://mine.test")
    report = enrichment().push(COMPANY)
    assert (report.read, len(report.problems)) == (0, 1)
    assert "the status None, which nobody defined" in report.problems[0]


def test_a_row_deleted_in_the_workspace_meanwhile_is_not_marked(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://mine.test")
    run = enrichment()
    run.places(COMPANY)
    gone = "DELETE FROM company_needs_enrichment"
    meanwhile(run.neon, after=lambda: execute(databases.workspace, gone))
    assert run.push(COMPANY) == PushReport(read=1, updated=1, moved_on=1)
    # The edit is in Neon: the next pull brings it back.
    assert enrichment().pull(COMPANY).inserted == 1
    assert both(databases, key)[0]["website"] == "https://mine.test"
