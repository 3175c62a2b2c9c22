"""Settle: what Neon decided, told to the workspace, whatever was killed in between."""

from collections.abc import Callable
from typing import Any

import pytest

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.enrichment.settle import SettleReport
from outreach_platform_tests.support.enrichment import Databases, invalid_company, meanwhile
from outreach_platform_tests.support.postgres import execute

Enrichment = Callable[..., EnrichmentRun]
GOOD, BAD = "https://mine.test", "nowhere"


def pushed(databases: Databases, enrichment: Enrichment, website: str) -> str:
    """A company that was completed and pushed."""
    (key,) = databases.add_companies(1)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(key, website=website)
    assert run.push(COMPANY).confirmed == 1
    return key


def decided(databases: Databases, run: EnrichmentRun, *stages: str) -> None:
    """Let Neon decide, by a process that is killed before it tells the workspace."""
    desk = databases.dump()[1]
    silent = run.settle
    run.settle = lambda entity: SettleReport()
    for stage in stages:
        getattr(run, stage)(COMPANY)
    run.settle = silent
    assert databases.dump()[1] == desk


def row_of(databases: Databases, key: str) -> dict[str, Any]:
    row = databases.row(key)
    assert row is not None
    return row


def test_what_failed_goes_back_with_its_errors(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pushed(databases, enrichment, BAD)
    before = row_of(databases, key)
    decided(databases, enrichment(), "revalidate")
    neon = databases.dump()[0]
    assert enrichment().settle(COMPANY) == SettleReport(returned=1)
    assert databases.dump()[0] == neon
    row, source = row_of(databases, key), databases.invalid(key)
    assert source is not None
    assert row["enrichment_status"] == "failed"
    assert row["reason_code"] == source["reason_code"] == "INVALID_WEBSITE"
    assert row["original_validation_errors"] == source["validation_errors"]
    assert row["original_validation_errors"].keys() == {"website"}
    assert (row["revalidation_attempts"], row["chronic"]) == (1, False)
    assert row["website"] == BAD
    # Telling is no edit: an enricher's next one still has a base and a version.
    assert row["updated_at"] == before["updated_at"]
    after = databases.dump()
    assert enrichment().settle(COMPANY) == SettleReport()
    assert enrichment().pull(COMPANY).unchanged == 1
    assert databases.dump() == after


def test_three_failures_are_chronic_and_a_success_takes_that_back(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pushed(databases, enrichment, BAD)
    for attempt in (1, 2, 3):
        run = enrichment()
        run.push(COMPANY)
        run.revalidate(COMPANY)
        row = row_of(databases, key)
        assert (row["revalidation_attempts"], row["chronic"]) == (attempt, attempt == 3)
        databases.complete(key, website=f"{BAD}{attempt}")
    databases.complete(key, website=GOOD)
    run = enrichment()
    run.push(COMPANY)
    assert run.revalidate(COMPANY).passed == 1
    assert run.promote(COMPANY).promoted == 1
    assert row_of(databases, key)["promoted_at"] is not None


def test_what_was_promoted_is_stamped_and_kept(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pushed(databases, enrichment, GOOD)
    before = row_of(databases, key)
    decided(databases, enrichment(), "revalidate", "promote")
    assert enrichment().settle(COMPANY) == SettleReport(promoted=1)
    row = row_of(databases, key)
    assert {**row, "promoted_at": None} == before
    (history,) = databases.rows(
        databases.neon,
        "SELECT promoted_at AT TIME ZONE 'UTC' AS at FROM marketing.promotion_history",
    )
    assert row["promoted_at"] == history["at"]
    after = databases.dump()
    assert enrichment().settle(COMPANY) == SettleReport()
    assert databases.dump() == after


@pytest.mark.parametrize("stage", ["pull", "promote"])
def test_the_next_stage_finishes_what_a_killed_run_left(
    databases: Databases, enrichment: Enrichment, stage: str
) -> None:
    key = pushed(databases, enrichment, GOOD)
    decided(databases, enrichment(), "revalidate", "promote")
    getattr(enrichment(), stage)(COMPANY)
    row = row_of(databases, key)
    assert (row["enrichment_status"], row["promoted_at"] is not None) == ("complete", True)


@pytest.mark.parametrize("website", [GOOD, BAD])
@pytest.mark.parametrize("moment", ["before", "between"])
def test_an_edit_that_came_meanwhile_is_left_alone(
    databases: Databases, enrichment: Enrichment, website: str, moment: str
) -> None:
    """Neon decided on the former edit; the new one is not judged yet."""
    key = pushed(databases, enrichment, website)
    run = enrichment()
    decided(databases, run, "revalidate", "promote")

    def edit() -> None:
        databases.edit(key, website="https://second.test")

    if moment == "before":
        edit()
    else:  # after settle has read the workspace
        meanwhile(run.workspace, after=edit)
    assert run.settle(COMPANY) == SettleReport()
    row = row_of(databases, key)
    assert (row["enrichment_status"], row["promoted_at"]) == ("complete", None)
    assert row["website"] == "https://second.test"
    if website == BAD:
        assert enrichment().push(COMPANY).confirmed == 1
        assert enrichment().revalidate(COMPANY).passed == 1
    else:
        (problem,) = enrichment().push(COMPANY).problems
        assert "was promoted before this edit, which is kept here" in problem
        assert row_of(databases, key)["sync_problem"] in problem


def test_an_edit_that_went_past_the_trigger_is_left_alone(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pushed(databases, enrichment, BAD)
    decided(databases, enrichment(), "revalidate")
    execute(
        databases.workspace,
        f"SET outreach.syncing = 'on'; UPDATE company_needs_enrichment SET website = '{GOOD}'",
    )
    assert enrichment().settle(COMPANY).returned == 0
    assert row_of(databases, key)["enrichment_status"] == "complete"
    assert enrichment().push(COMPANY).confirmed == 1


def test_a_verdict_waits_for_the_mark(databases: Databases, enrichment: Enrichment) -> None:
    """The push was killed before its mark, and somebody else's run judged what it brought."""
    (key,) = databases.add_companies(1)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(key, website=BAD)
    meanwhile(run.neon, after=lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.push(COMPANY)
    assert row_of(databases, key)["pushed_to_neon_at"] is None
    assert enrichment().revalidate(COMPANY).failed == 1
    assert row_of(databases, key)["enrichment_status"] == "complete"
    assert enrichment().push(COMPANY).confirmed == 1
    assert enrichment().settle(COMPANY) == SettleReport(returned=1)


def test_a_row_that_was_deleted_in_neon_is_told_until_it_comes_back(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pushed(databases, enrichment, GOOD)
    assert enrichment().settle(COMPANY) == SettleReport()
    execute(databases.neon, "DELETE FROM marketing.company_invalid")
    said = "its invalid row was deleted in Neon after the push"
    for _ in range(2):
        assert enrichment().settle(COMPANY) == SettleReport(problems=[f"{key}: {said}"])
    row = row_of(databases, key)
    assert (row["sync_problem"], row["promoted_at"]) == (said, None)
    databases.add_invalid(invalid_company(company_unique_id=key))
    enrichment().pull(COMPANY)
    assert row_of(databases, key)["sync_problem"] is None
    assert enrichment().settle(COMPANY) == SettleReport()


def test_a_strange_status_in_neon_is_told(databases: Databases, enrichment: Enrichment) -> None:
    key = pushed(databases, enrichment, GOOD)
    databases.change_source(key, enrichment_status="parked")
    (problem,) = enrichment().settle(COMPANY).problems
    assert problem.startswith(f"{key}: somebody gave its row in Neon another enrichment_status")
    assert row_of(databases, key)["sync_problem"] in problem
    databases.edit(key, enrichment_status="complete")
    assert row_of(databases, key)["sync_problem"] is None
    assert enrichment().push(COMPANY).confirmed == 1
    source = databases.invalid(key)
    assert source is not None
    assert source["enrichment_status"] == "complete"


def test_a_promotion_that_was_undone_is_not_told(
    databases: Databases, enrichment: Enrichment
) -> None:
    """Killed between the two, the workspace hears of neither."""
    key = pushed(databases, enrichment, GOOD)
    run = enrichment()
    decided(databases, run, "revalidate", "promote")
    execute(databases.neon, "UPDATE marketing.promotion_history SET undone_at = now()")
    report = enrichment().settle(COMPANY)
    assert report.promoted == 0
    assert row_of(databases, key)["promoted_at"] is None


def test_many_rows_are_told_in_batches(
    databases: Databases, enrichment: Enrichment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outreach_platform.enrichment.settle._SIZE", 2)
    count = 3
    keys = databases.add_companies(2 * count)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(*keys[:count], website=GOOD)
    databases.complete(*keys[count:], website=BAD)
    run.push(COMPANY)
    decided(databases, run, "revalidate", "promote")
    assert enrichment().settle(COMPANY) == SettleReport(returned=count, promoted=count)


@pytest.mark.parametrize("name", ["a_first", "zy_nearly_last"])
@pytest.mark.parametrize("website", [GOOD, BAD])
def test_a_trigger_of_other_hands_that_moves_every_time_does_no_harm(
    databases: Databases, enrichment: Enrichment, website: str, name: str
) -> None:
    """It would move the version at our own mark, and no verdict would match any more."""
    execute(
        databases.workspace,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$; "
        f"CREATE TRIGGER {name} BEFORE UPDATE ON company_needs_enrichment "
        "FOR EACH ROW EXECUTE FUNCTION theirs()",
    )
    key = pushed(databases, enrichment, website)
    run = enrichment()
    run.revalidate(COMPANY)
    run.promote(COMPANY)
    row = row_of(databases, key)
    told = (row["enrichment_status"], row["promoted_at"] is not None)
    assert told == (("complete", True) if website == GOOD else ("failed", False))
    if website == GOOD:
        databases.add_invalid(invalid_company(company_unique_id=key))
        assert enrichment().pull(COMPANY).reopened == 1
        assert row_of(databases, key)["updated_at"] > row["updated_at"]
