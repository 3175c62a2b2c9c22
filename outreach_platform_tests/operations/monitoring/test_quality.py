"""Whether what was published is as good as it should be."""

from pathlib import Path

import pytest

from outreach_platform.operations.monitoring.quality import event_quality, null_rates, row_deltas
from outreach_platform.operations.problems import Severity
from outreach_platform_tests.operations.monitoring.known import (
    COMPANY,
    export_events,
    hours_ago,
    note_extraction,
    note_sync,
    publish_state,
)
from outreach_platform_tests.support.snapshot_runs import settings_for


def test_events_that_all_passed_are_no_problem(tmp_path: Path) -> None:
    export_events(tmp_path)
    note_extraction(tmp_path, None)
    note_sync(tmp_path, None)
    assert event_quality(settings_for(tmp_path)) == []


def test_quarantined_events_lower_the_pass_rate(tmp_path: Path) -> None:
    export_events(tmp_path, quarantined=1)
    (found,) = event_quality(settings_for(tmp_path))
    assert (found.kind, found.severity) == ("events_quarantined", Severity.WARNING)
    assert "4 of 404 events" in found.message
    assert "99.00 % passed" in found.message


def test_a_stopped_run_and_a_research_database_behind_are_told(tmp_path: Path) -> None:
    note_extraction(tmp_path, "three rows break a rule")
    note_sync(tmp_path, "the disk is full")
    stopped, behind = event_quality(settings_for(tmp_path))
    assert (stopped.kind, stopped.severity, stopped.run_id) == (
        *("events_stopped", Severity.ERROR),
        "run-2",
    )
    assert "three rows break a rule" in stopped.message
    assert (behind.kind, behind.severity) == ("research_behind", Severity.WARNING)


@pytest.mark.parametrize(("rows", "told"), [(15, False), (16, True), (4, True), (5, False)])
def test_rows_that_jump_between_two_published_versions(
    tmp_path: Path, rows: int, told: bool
) -> None:
    publish_state(tmp_path, pulled=hours_ago(24))
    assert row_deltas(settings_for(tmp_path)) == []
    publish_state(tmp_path, raw=rows)
    found = row_deltas(settings_for(tmp_path))
    assert [(p.kind, p.subject) for p in found] == ([("row_delta", "WV")] if told else [])
    assert all(f"companies 10 to {rows}" in p.message for p in found)


@pytest.mark.parametrize(("filled", "told"), [(10, False), (9, False), (8, True)])
def test_columns_that_ran_empty(tmp_path: Path, filled: int, told: bool) -> None:
    """A column that the settings name and the file lacks is no problem; company_phone is one."""
    companies = f"SELECT * REPLACE (if(range < {filled}, industry, NULL) AS industry) FROM "
    publish_state(tmp_path, companies=f"{companies} (SELECT range, {COMPANY} FROM range(10))")
    found = null_rates(settings_for(tmp_path))
    assert [(p.kind, p.subject) for p in found] == (
        [("null_rate", "WV companies_good.industry")] if told else []
    )


def test_an_empty_file_has_no_null_rate(tmp_path: Path) -> None:
    publish_state(tmp_path, companies=f"SELECT {COMPANY} FROM range(0)")
    assert null_rates(settings_for(tmp_path)) == []
