"""Push: what enrichers completed, brought into Neon, and what both sides changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity
from outreach_platform.enrichment.push import PushReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform_tests.support.enrichment import Databases, invalid_company, invalid_person
from outreach_platform_tests.support.postgres import execute

Enrichment = Callable[..., EnrichmentRun]
Row = dict[str, Any]

DONE = PushReport(read=1, updated=1, confirmed=1)


def both(databases: Databases, key: str) -> tuple[Row, Row]:
    """A record's row of the workspace, and its row in Neon."""
    row, source = databases.row(key), databases.invalid(key)
    assert row is not None
    assert source is not None
    return row, source


def pulled(databases: Databases, enrichment: Enrichment, **values: Any) -> str:
    """One invalid company that is in the workspace."""
    (key,) = databases.add_companies(1, **values)
    enrichment().pull(COMPANY)
    return key


@pytest.mark.parametrize("entity", [COMPANY, PEOPLE], ids=lambda entity: entity.name)
def test_every_changed_column_arrives(
    databases: Databases, enrichment: Enrichment, entity: Entity
) -> None:
    record = invalid_company() if entity is COMPANY else invalid_person()
    (key,) = databases.add_invalid(record)
    enrichment().pull(entity)
    changed = {c: f"new {c}" for c in entity.columns} | (
        {"employee_count": 7} if entity is COMPANY else {}
    )
    databases.complete(key, **changed, enriched_at="2026-02-03 04:05:06")
    assert enrichment().push(entity) == DONE
    row, source = both(databases, key)
    assert {c: source[c] for c in entity.columns} == changed
    assert source["enrichment_status"] == "complete"
    assert source["enriched_by"] == "ann"
    assert str(source["enriched_at"]) == "2026-02-03 04:05:06"
    assert source["updated_at"] == row["updated_at"]
    assert row["pushed_to_neon_at"] >= row["updated_at"]
    for column in ("reason_code", "validation_errors", "validation_warnings"):
        assert source[column] == record[column]


@pytest.mark.parametrize("status", ["pending", "in_progress", "failed"])
def test_only_complete_rows_are_pushed(
    databases: Databases, enrichment: Enrichment, status: str
) -> None:
    key = pulled(databases, enrichment)
    databases.edit(key, enrichment_status=status, website="https://mine.test")
    before = databases.dump()
    assert enrichment().push(COMPANY) == PushReport()
    assert databases.dump() == before


def test_a_second_push_changes_nothing(databases: Databases, enrichment: Enrichment) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://mine.test")
    assert enrichment().push(COMPANY) == DONE
    before = databases.dump()
    assert enrichment().push(COMPANY) == PushReport()
    assert databases.dump() == before
    databases.edit(key, website="https://second.test")
    assert enrichment().push(COMPANY) == DONE
    assert both(databases, key)[1]["website"] == "https://second.test"


@pytest.mark.parametrize("size", [1, 50])
def test_batches_of_any_size_push_each_row_once(
    databases: Databases, enrichment: Enrichment, size: int
) -> None:
    keys = databases.add_companies(4)
    enrichment().pull(COMPANY)
    databases.complete(*keys, website="https://mine.test")
    report = enrichment(batch_size=size).push(COMPANY)
    assert report == PushReport(read=4, updated=4, confirmed=4)


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_value_can_be_cleared(
    databases: Databases, enrichment: Enrichment, empty: str | None
) -> None:
    key = pulled(databases, enrichment, industry="Wrong", phone=None)
    databases.complete(key, industry=empty)
    assert enrichment().push(COMPANY) == DONE
    _, source = both(databases, key)
    assert source["industry"] == empty
    assert source["cleared_columns"] == ["industry"]  # phone was empty before
    databases.edit(key, industry="Right")
    assert enrichment().push(COMPANY) == DONE
    _, source = both(databases, key)
    assert (source["industry"], source["cleared_columns"]) == ("Right", [])


def test_columns_that_only_one_side_changed_are_merged(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://mine.test")
    databases.change_source(key, city="Wheeling", updated_at="2099-01-01")
    assert enrichment().push(COMPANY) == DONE
    row, source = both(databases, key)
    for side in (row, source):
        assert (side["website"], side["city"]) == ("https://mine.test", "Wheeling")
    assert databases.conflicts() == []
    # Time never runs backwards: another system looks for what changed.
    assert source["updated_at"].year == 2099


@pytest.mark.parametrize(("after", "winner"), [(1, "neon"), (0, "workspace"), (-1, "workspace")])
def test_where_both_changed_a_column_the_newest_wins_and_a_tie_is_the_workspaces(
    databases: Databases, enrichment: Enrichment, after: int, winner: str
) -> None:
    key = pulled(databases, enrichment, website="old")
    databases.complete(key, website="mine", city="Wheeling")
    mine = both(databases, key)[0]
    moment = mine["updated_at"] + timedelta(microseconds=after)
    databases.change_source(key, website="theirs", updated_at=moment)
    report = enrichment().push(COMPANY)
    assert report == PushReport(read=1, updated=1, confirmed=1, conflicts=1)
    row, source = both(databases, key)
    for side in (row, source):
        assert side["website"] == ("theirs" if winner == "neon" else "mine")
        assert side["city"] == "Wheeling"
    (conflict,) = databases.conflicts()
    values = [conflict[f"{name}_value"] for name in ("pulled", "workspace", "neon")]
    assert values == ["old", "mine", "theirs"]
    assert (conflict["winner"], conflict["column_name"]) == (winner, "website")
    assert conflict["record_key"] == key
    before = databases.dump()
    assert enrichment().push(COMPANY) == PushReport()
    assert databases.dump() == before


def test_a_second_edit_of_ones_own_push_is_no_conflict(
    databases: Databases, enrichment: Enrichment
) -> None:
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    enrichment().push(COMPANY)
    databases.edit(key, website="https://second.test")
    assert enrichment().push(COMPANY) == DONE
    assert databases.conflicts() == []


def test_a_workspace_of_the_predecessor_knows_no_base_and_conflicts_by_clock(
    databases: Databases, enrichment: Enrichment
) -> None:
    (key,) = databases.add_companies(1, website="theirs")
    execute(
        databases.workspace,
        "INSERT INTO company_needs_enrichment (company_unique_id, company_name, website, "
        "enrichment_status, updated_at, last_sync_hash) "
        f"VALUES ('{key}', 'Mine', 'mine', 'complete', '2020-01-01', 'old')",
    )
    report = enrichment().push(COMPANY)
    assert (report.updated, report.confirmed) == (1, 1)
    row, source = both(databases, key)
    assert row["website"] == source["website"] == "theirs"
    assert ("mine", "theirs", "neon") in [
        (c["workspace_value"], c["neon_value"], c["winner"]) for c in databases.conflicts()
    ]


def test_a_row_without_any_time_is_pushed(databases: Databases, enrichment: Enrichment) -> None:
    """Other hands inserted it, and said that nobody knows when."""
    key = pulled(databases, enrichment)
    execute(
        databases.workspace,
        "SET outreach.syncing = 'on'; UPDATE company_needs_enrichment SET updated_at = NULL, "
        "created_at = NULL, enrichment_status = 'complete', website = 'https://mine.test'",
    )
    assert enrichment().push(COMPANY) == DONE
    assert both(databases, key)[1]["website"] == "https://mine.test"
    assert enrichment().push(COMPANY) == PushReport()


def test_a_second_round_on_the_same_row_is_judged_anew(
    databases: Databases, enrichment: Enrichment
) -> None:
    """A push takes back the verdict on the former content."""
    key = pulled(databases, enrichment)
    databases.complete(key, website="https://first.test")
    run = enrichment()
    run.push(COMPANY)
    assert run.revalidate(COMPANY).passed == 1
    databases.edit(key, website="nowhere")
    assert both(databases, key)[1]["passed_hash"] is not None
    enrichment().push(COMPANY)
    assert both(databases, key)[1]["passed_hash"] is None
    assert enrichment().promote(COMPANY).promoted == 0
