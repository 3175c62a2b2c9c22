"""Pull: edits in the workspace, merged with what changed at the source, and never lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.pull import PullReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform_tests.support.enrichment import Databases, invalid_company
from outreach_platform_tests.support.postgres import execute

Enrichment = Callable[..., EnrichmentRun]


@pytest.mark.parametrize("status", ["in_progress", "complete"])
def test_work_is_never_overwritten(
    databases: Databases, enrichment: Enrichment, status: str
) -> None:
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.edit(key, enrichment_status=status, website="https://mine.test")
    mine = databases.row(key)
    databases.change_source(key, website="https://theirs.test", city="Wheeling")
    assert enrichment().pull(COMPANY) == PullReport(read=1, protected=1)
    assert databases.row(key) == mine


@pytest.mark.parametrize("promoted", [False, True])
def test_a_status_that_nobody_defined_is_told_and_left_alone(
    databases: Databases, enrichment: Enrichment, promoted: bool
) -> None:
    strange, other = databases.add_companies(2)
    enrichment().pull(COMPANY)
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment "
        "DROP CONSTRAINT company_needs_enrichment_enrichment_status_check",
    )
    promoted_at = "2026-01-01" if promoted else None
    databases.edit(strange, enrichment_status="done!", city="Mine", promoted_at=promoted_at)
    databases.change_source(strange, other, city="Wheeling")
    report = enrichment().pull(COMPANY)
    assert (report.protected, report.refreshed, report.reopened) == (1, 1, 0)
    (problem,) = report.problems
    assert "'done!'" in problem
    assert "pending, in_progress, complete, failed" in problem
    row = databases.row(strange)
    assert row is not None
    assert (row["enrichment_status"], row["city"]) == ("done!", "Mine")
    databases.edit(strange, enrichment_status="pending")
    assert enrichment().pull(COMPANY).problems == []


def test_an_edit_without_a_status_is_merged(databases: Databases, enrichment: Enrichment) -> None:
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.edit(key, website="https://mine.test", industry=None)
    databases.change_source(key, city="Wheeling")
    assert enrichment().pull(COMPANY) == PullReport(read=1, refreshed=1)
    row = databases.row(key)
    assert row is not None
    assert (row["website"], row["industry"], row["city"]) == ("https://mine.test", None, "Wheeling")
    assert databases.conflicts() == []
    assert row["edit_history"] == []


@pytest.mark.parametrize(("after", "winner"), [(1, "neon"), (0, "workspace"), (-1, "workspace")])
def test_where_both_changed_a_column_the_newest_wins_and_a_tie_is_the_workspaces(
    databases: Databases, enrichment: Enrichment, after: int, winner: str
) -> None:
    (key,) = databases.add_companies(1, website="old")
    enrichment().pull(COMPANY)
    databases.edit(key, website="mine")
    mine = databases.row(key)
    assert mine is not None
    moment = mine["updated_at"] + timedelta(microseconds=after)
    databases.change_source(key, website="theirs", updated_at=moment)
    assert enrichment().pull(COMPANY) == PullReport(read=1, refreshed=1, conflicts=1)
    row = databases.row(key)
    assert row is not None
    assert row["website"] == ("theirs" if winner == "neon" else "mine")
    (conflict,) = databases.conflicts()
    assert conflict["winner"] == winner
    values = [conflict[f"{name}_value"] for name in ("pulled", "workspace", "neon")]
    assert values == ["old", "mine", "theirs"]
    assert conflict["workspace_updated_at"] == mine["updated_at"]
    assert conflict["neon_updated_at"] == moment
    # The loser's edit stands beside the row too: the log is in the other database.
    kept = [edit["content"]["website"] for edit in row["edit_history"]]
    assert kept == (["mine"] if winner == "neon" else [])


@pytest.mark.parametrize("same_id", [True, False])
def test_a_promoted_record_that_comes_back_is_reopened_and_the_old_edit_archived(
    databases: Databases, enrichment: Enrichment, same_id: bool
) -> None:
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.complete(key, website="https://first.test", enrichment_notes="from the phone book")
    run = enrichment()
    run.push(COMPANY)
    run.revalidate(COMPANY)
    assert run.promote(COMPANY).promoted == 1
    first = databases.row(key)
    assert first is not None
    assert first["promoted_at"] is not None
    assert enrichment().pull(COMPANY) == PullReport()
    if same_id:
        enrichment().undo(run.run_id)
    else:
        databases.add_invalid(invalid_company(company_unique_id=key, city="Wheeling"))
        assert enrichment().pull(COMPANY) == PullReport(read=1, reopened=1)
    row, source = databases.row(key), databases.invalid(key)
    assert row is not None
    assert source is not None
    assert (source["id"] == first["neon_id"]) is same_id
    assert row["neon_id"] == source["id"]
    assert row["enrichment_status"] == "pending"
    assert row["website"] == source["website"]
    names = ("promoted_at", "pushed_to_neon_at", "enrichment_notes", "enriched_by")
    assert [row[name] for name in names] == [None] * 4
    assert row["updated_at"] > first["updated_at"]
    (archived,) = row["edit_history"]
    assert archived["content"]["website"] == "https://first.test"
    assert archived["notes"] == "from the phone book"
    assert archived["neon_id"] == first["neon_id"]
    before = databases.dump()
    assert enrichment().pull(COMPANY) == PullReport(read=1, unchanged=1)
    assert databases.dump() == before


def test_a_promoted_record_that_comes_back_while_somebody_works_on_it_is_left_to_him(
    databases: Databases, enrichment: Enrichment
) -> None:
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.complete(key, website="https://first.test")
    run = enrichment()
    for stage in (run.push, run.revalidate, run.promote):
        stage(COMPANY)
    databases.edit(key, enrichment_status="in_progress", website="https://second.test")
    databases.add_invalid(invalid_company(company_unique_id=key))
    report = enrichment().pull(COMPANY)
    assert (report.reopened, report.protected) == (0, 1)
    row = databases.row(key)
    assert row is not None
    assert (row["website"], row["promoted_at"]) == ("https://second.test", None)
    databases.complete(key)
    report = enrichment().push(COMPANY)
    assert (report.confirmed, report.problems) == (1, [])
    source = databases.invalid(key)
    assert source is not None
    assert source["website"] == "https://second.test"


@pytest.mark.parametrize("status", ["complete", "in_progress", "failed"])
def test_an_edit_outlives_the_row_that_it_was_pushed_onto(
    databases: Databases, enrichment: Enrichment, status: str
) -> None:
    """Somebody deletes the invalid row and inserts the record anew, as it was before the edit."""
    record = invalid_company(website="old")
    (key,) = databases.add_invalid(record)
    enrichment().pull(COMPANY)
    databases.complete(key, website="https://mine.test")
    enrichment().push(COMPANY)
    databases.edit(key, enrichment_status=status)
    execute(databases.neon, "DELETE FROM marketing.company_invalid")
    databases.add_invalid(record)
    enrichment().pull(COMPANY)
    enrichment().push(COMPANY)
    row, source = databases.row(key), databases.invalid(key)
    assert row is not None
    assert source is not None
    archived = [edit["content"]["website"] for edit in row["edit_history"]]
    assert "https://mine.test" in [row["website"], *archived]
    assert row["neon_id"] == (source["id"] if status != "in_progress" else row["neon_id"])
    assert (source["pushed_version"] is not None) is (status == "complete")
    before = databases.dump()
    enrichment().pull(COMPANY)
    enrichment().push(COMPANY)
    assert databases.dump() == before


def test_a_version_increases_though_the_clock_runs_behind(
    databases: Databases, enrichment: Enrichment
) -> None:
    """The workspace's server had a clock an hour ahead when the row was last touched."""
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.complete(key, promoted_at="2026-01-01")
    ahead = "updated_at = clock_timestamp() AT TIME ZONE 'UTC' + interval '1 hour'"
    execute(
        databases.workspace,
        f"SET outreach.syncing = 'on'; UPDATE company_needs_enrichment SET {ahead}",
    )
    versions = [databases.row(key)]
    assert enrichment().pull(COMPANY) == PullReport(read=1, reopened=1)
    versions.append(databases.row(key))
    databases.edit(key, website="https://mine.test")
    versions.append(databases.row(key))
    moments = [row["updated_at"] for row in versions if row]
    assert len(set(moments)) == 3
    assert moments == sorted(moments)
