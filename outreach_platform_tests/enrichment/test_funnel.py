"""Where the records are: every count, and every fault that a reconciliation is to find."""

import pytest

from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.funnel import FunnelRecord
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.lake import read_record
from outreach_platform_tests.enrichment.promoting import (
    WEBSITE,
    NewRun,
    a_company,
    a_person,
    add_home,
    complete,
    desk,
    judge,
    passed,
    promoted,
)
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.postgres import execute

NOTHING = {
    **dict.fromkeys(("invalid", "pulled", "pending", "in_progress", "complete", "failed"), 0),
    **dict.fromkeys(("pushed", "passed", "promoted", "still_invalid", "chronic", "waiting"), 0),
    **dict.fromkeys(("problems", "undefined"), 0),
}


def counts(run: EnrichmentRun) -> dict[str, int]:
    """The counters of companies that are not zero."""
    found = run.funnel(COMPANY).model_dump()
    assert found.pop("entity") == "company" and set(found) == set(NOTHING)
    return {name: count for name, count in found.items() if count}


@pytest.mark.slow
def test_an_empty_funnel(databases: Databases, enrichment: NewRun):
    assert counts(enrichment()) == {}
    assert enrichment().funnel(PEOPLE).model_dump() == {"entity": "people", **NOTHING}


@pytest.mark.slow
def test_each_step_of_the_way_is_counted(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(5)
    assert counts(run) == {"invalid": 5}
    run.pull(COMPANY)
    assert counts(run) == {"invalid": 5, "pulled": 5, "pending": 5}
    databases.edit(keys[0], enrichment_status="in_progress")
    databases.complete(*keys[1:4], website=WEBSITE)
    databases.complete(keys[4], website="dotless")
    at_desk = {"invalid": 5, "pulled": 5, "in_progress": 1, "complete": 4, "waiting": 4}
    assert counts(run) == at_desk
    run.push(COMPANY)
    assert counts(run) == {**at_desk, "pushed": 4}
    run.revalidate(COMPANY)
    assert counts(run) == {
        "invalid": 5,
        "pulled": 5,
        "in_progress": 1,
        "complete": 3,
        "failed": 1,
        "waiting": 3,
        "pushed": 3,
        "passed": 3,
        "still_invalid": 1,
    }
    databases.edit(keys[3], city="Huntington")
    assert counts(run)["pushed"] == 2
    run.promote(COMPANY)
    assert counts(run) == {
        "invalid": 3,
        "pulled": 3,
        "in_progress": 1,
        "complete": 1,
        "failed": 1,
        "waiting": 1,
        "passed": 1,
        "still_invalid": 1,
        "promoted": 2,
    }
    enrichment().undo(run.run_id)
    found = counts(run)
    assert (found["invalid"], found["pulled"], found["pending"]) == (5, 5, 2)
    assert "promoted" not in found


def test_what_is_chronic_what_hangs_and_what_nobody_defined(
    databases: Databases, enrichment: NewRun
):
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment "
        "DROP CONSTRAINT IF EXISTS company_needs_enrichment_enrichment_status_check",
    )
    run = enrichment()
    keys = databases.add_companies(4)
    for website in ("one", "two", "three"):
        judge(databases, run, keys[0], website=website)
    databases.edit(keys[1], enrichment_status="done")
    databases.edit(keys[2], enrichment_status=None)
    databases.complete(keys[3], website=WEBSITE)
    execute(
        databases.neon,
        f"DELETE FROM marketing.company_invalid WHERE company_unique_id = '{keys[3]}'",
    )
    run.push(COMPANY)
    assert desk(databases, keys[3])["sync_problem"]
    assert counts(run) == {
        "invalid": 3,
        "pulled": 4,
        "complete": 1,
        "failed": 1,
        "still_invalid": 1,
        "chronic": 1,
        "problems": 1,
        "undefined": 2,
    }


def test_a_record_that_came_back_is_promoted_once(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,), _ = promoted(databases, run, a_company())
    promoted(databases, run, a_company(company_unique_id=key))
    assert counts(run) == {"promoted": 1}


def test_people_are_counted_by_themselves(databases: Databases, enrichment: NewRun):
    add_home(databases)
    run = enrichment()
    passed(databases, run, a_company())
    promoted(databases, run, a_person(), a_person(title="HR"))
    assert run.funnel(PEOPLE).model_dump() == {"entity": "people", **NOTHING, "promoted": 2}
    assert counts(run)["passed"] == 1 and run.funnel(COMPANY).promoted == 0


def test_the_funnel_is_kept_for_status(databases: Databases, enrichment: NewRun):
    run = enrichment()
    databases.add_companies(2)
    record = run.record_funnel()
    assert [(each.entity, each.invalid) for each in record.funnels] == [
        ("company", 2),
        ("people", 0),
    ]
    assert read_record(run.folder.funnel, FunnelRecord) == record
    dry = enrichment(dry_run=True)
    databases.add_companies(1)
    assert dry.record_funnel().funnels[0].invalid == 3
    assert read_record(run.folder.funnel, FunnelRecord) == record


def test_nothing_is_wrong_on_the_way(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(6)
    complete(databases, run, *keys[:4])
    judge(databases, run, *keys[:2])
    run.promote(COMPANY)
    judge(databases, run, keys[4], website="dotless")
    state = run.reconcile(COMPANY)
    assert (state.not_pulled, state.orphans, state.doubled, state.lost_edits) == ((0, ()),) * 4
    assert run.unjudged(COMPANY) == (0, ())


def test_a_row_that_was_not_pulled(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(3)
    run.pull(COMPANY)
    later = databases.add_companies(2)
    assert run.reconcile(COMPANY).not_pulled == (2, tuple(sorted(later)))
    execute(databases.workspace, "DELETE FROM company_needs_enrichment")
    assert run.reconcile(COMPANY).not_pulled == (5, tuple(sorted([*keys, *later])))
    run.pull(COMPANY)
    assert run.reconcile(COMPANY).not_pulled == (0, ())


def test_a_workspace_row_without_source_and_promotion(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (gone,), _ = promoted(databases, run, a_company())
    keys = databases.add_companies(3)
    run.pull(COMPANY)
    assert run.reconcile(COMPANY).orphans == (0, ())
    execute(
        databases.neon,
        f"DELETE FROM marketing.company_invalid WHERE company_unique_id = '{keys[1]}'",
    )
    assert run.reconcile(COMPANY).orphans == (1, (keys[1],))
    # A promotion that was undone is none, and somebody deleted its row then.
    execute(databases.neon, "UPDATE marketing.promotion_history SET undone_at = now()")
    assert run.reconcile(COMPANY).orphans == (2, tuple(sorted([gone, keys[1]])))


def test_what_was_promoted_may_leave_the_workspace(databases: Databases, enrichment: NewRun):
    run = enrichment()
    promoted(databases, run, a_company())
    (waiting,) = databases.add_companies(1)
    execute(databases.workspace, "DELETE FROM company_needs_enrichment")
    assert run.reconcile(COMPANY).not_pulled == (1, (waiting,))


def test_a_promotion_of_people_excuses_no_company(databases: Databases, enrichment: NewRun):
    add_home(databases)
    run = enrichment()
    promoted(databases, run, a_person())
    promoted(databases, run, a_company())
    execute(databases.neon, "UPDATE marketing.promotion_history SET entity = 'people'")
    assert run.reconcile(COMPANY).orphans[0] == 1
    assert run.reconcile(PEOPLE).orphans == (0, ())


def test_a_record_that_is_promoted_and_still_invalid(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key, back), _ = promoted(databases, run, a_company(), a_company())
    databases.add_invalid(a_company(company_unique_id=back))
    assert run.doubled(COMPANY) == run.reconcile(COMPANY).doubled == (0, ())
    execute(
        databases.neon,
        "INSERT INTO marketing.company_invalid SELECT (jsonb_populate_record("
        "NULL::marketing.company_invalid, invalid_row)).* FROM marketing.promotion_history "
        f"WHERE record_key = '{key}'",
    )
    assert run.doubled(COMPANY) == run.reconcile(COMPANY).doubled == (1, (key,))


def test_an_edit_that_neon_does_not_have(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(4)
    complete(databases, run, *keys)
    assert run.lost_edits(COMPANY) == (0, ())
    # Somebody put an old backup of one row back, somebody else forgot to move the time, and a
    # third one corrected what was pushed.
    execute(
        databases.neon,
        "UPDATE marketing.company_invalid SET website = NULL, pushed_version = NULL, "
        "pushed_hash = NULL, updated_at = '2099-01-01' "
        f"WHERE company_unique_id = '{keys[0]}'; "
        "UPDATE marketing.company_invalid SET website = NULL "
        f"WHERE company_unique_id = '{keys[1]}'",
    )
    databases.change_source(keys[2], website="https://corrected.test")
    assert run.lost_edits(COMPANY) == run.reconcile(COMPANY).lost_edits == (2, tuple(keys[:2]))
    # What is not pushed yet is not lost.
    databases.edit(keys[0], city="Huntington")
    assert run.lost_edits(COMPANY) == (1, (keys[1],))


def test_a_completed_record_without_a_verdict(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(3)
    complete(databases, run, *keys)
    assert run.unjudged(COMPANY) == (3, tuple(keys))
    run.revalidate(COMPANY)
    assert run.unjudged(COMPANY) == (0, ())


def test_few_keys_are_shown_and_all_are_counted(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = databases.add_companies(45)
    run.places(COMPANY)
    count, first = run.reconcile(COMPANY).not_pulled
    assert (count, first) == (45, tuple(sorted(keys)[:20]))


def test_keys_are_compared_by_their_bytes(databases: Databases, enrichment: NewRun):
    """Collations of the two servers may differ, and keys of no Barton form are there too."""
    run = enrichment()
    strange = ["a", "B", "_", "ä", "Z", "z-1", "z 1", "04.04.01.00.00001.001", "\U0001f600", "~"]
    keys = databases.add_invalid(*(a_company(company_unique_id=key) for key in strange))
    run.pull(COMPANY)
    assert run.reconcile(COMPANY).orphans == run.reconcile(COMPANY).not_pulled == (0, ())
    execute(
        databases.workspace, "DELETE FROM company_needs_enrichment WHERE company_unique_id > 'a'"
    )
    left = {
        row["company_unique_id"]
        for row in databases.rows(databases.workspace, "SELECT * FROM company_needs_enrichment")
    }
    assert run.reconcile(COMPANY).not_pulled[1] == tuple(sorted(set(keys) - left))
    assert 0 < len(left) < len(keys)


@pytest.mark.slow
def test_a_hundred_thousand_keys_are_compared_in_seconds(databases: Databases, enrichment: NewRun):
    run = enrichment()
    run.places(COMPANY)
    ids = "'04.04.01.' || lpad((n % 100)::text, 2, '0') || '.' || lpad(n::text, 6, '0') || '.001'"
    execute(
        databases.neon,
        "INSERT INTO marketing.company_invalid (company_unique_id, reason_code, validation_errors) "
        f"SELECT {ids}, 'X', '{{}}' FROM generate_series(1, 100000) n",
    )
    execute(
        databases.workspace,
        "INSERT INTO company_needs_enrichment (company_unique_id) "
        f"SELECT {ids} FROM generate_series(2, 100001) n",
    )
    state = run.reconcile(COMPANY)
    assert (state.not_pulled[0], state.orphans[0]) == (1, 1)
