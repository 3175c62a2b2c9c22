"""Which states, event days and filing years are too old or missing, each of them."""

from datetime import datetime
from pathlib import Path

import pytest

from outreach_platform.events.layout import EventFolder
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.operations.monitoring.filings import failed_filings, late_filings
from outreach_platform.operations.monitoring.freshness import (
    missing_days,
    stale_events,
    stale_states,
)
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.operations.monitoring.known import (
    NOW,
    export_events,
    hours_ago,
    publish_state,
)
from outreach_platform_tests.support.snapshot_runs import settings_for


def test_wings_that_were_never_used_are_no_problem(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    looks = (stale_states, stale_events, late_filings, failed_filings)
    assert [found for look in looks for found in look(settings, NOW)] == []
    assert missing_days(settings) == []


def test_each_state_is_as_old_as_its_own_pull(tmp_path: Path) -> None:
    for state in STATES:
        publish_state(tmp_path, state, pulled=hours_ago(25))
    assert stale_states(settings_for(tmp_path), NOW) == []
    found = stale_states(settings_for(tmp_path), hours_ago(-2))
    assert [(p.kind, p.subject) for p in found] == [("state_stale", state) for state in STATES]
    publish_state(tmp_path, "PA", pulled=hours_ago(1))
    found = stale_states(settings_for(tmp_path), hours_ago(-2))
    assert "PA" not in {p.subject for p in found}
    assert len(found) == 5
    assert "27 h old; 26 h is the limit" in found[0].message


def test_a_state_that_was_never_published_while_others_were_is_missing(tmp_path: Path) -> None:
    publish_state(tmp_path, "WV")
    found = stale_states(settings_for(tmp_path), NOW)
    assert {p.kind for p in found} == {"state_unpublished"}
    assert [p.subject for p in found] == [state for state in STATES if state != "WV"]


def test_a_damaged_newest_version_is_as_old_as_the_one_before(tmp_path: Path) -> None:
    for state in STATES:
        publish_state(tmp_path, state, pulled=hours_ago(30))
        version = publish_state(tmp_path, state)
    StateFolder(tmp_path, "DE").manifest(version).write_text("{}")
    (found,) = stale_states(settings_for(tmp_path), NOW)
    assert (found.kind, found.subject) == ("state_stale", "DE")


@pytest.mark.parametrize(("age", "stale"), [(25, False), (50, True)])
def test_the_export_of_events_ages(tmp_path: Path, age: float, stale: bool) -> None:
    export_events(tmp_path, created=hours_ago(age))
    found = stale_events(settings_for(tmp_path), NOW)
    assert [p.kind for p in found] == (["events_stale"] if stale else [])
    assert all("2 d old" in p.message for p in found)


def test_days_that_the_export_covers_and_that_are_gone_are_one_problem_a_gap(
    tmp_path: Path,
) -> None:
    window, folder = export_events(tmp_path, days=6), EventFolder(tmp_path)
    assert missing_days(settings_for(tmp_path)) == []
    first, second, _, fourth, _, last = window.days
    folder.manifest(first).unlink()
    folder.day(second).unlink()
    folder.manifest(fourth).write_text("{}")
    found = missing_days(settings_for(tmp_path))
    assert [p.subject for p in found] == [first, fourth]
    assert f"{first} to {second} are missing (2 d)" in found[0].message
    folder.day(last).unlink()
    assert [p.subject for p in missing_days(settings_for(tmp_path))] == [first, fourth, last]


def registered(data: Path, at: datetime, *, status: str | None = None) -> None:
    """One filing each of 2020 and 2021; the status is that of the sections of 2021's."""
    folder = FilingFolder(data)
    with writer(folder) as connection:
        for year in (2020, 2021):
            name = f"0000320193-{year % 100}-000001"
            connection.execute(
                "INSERT INTO filings (accession_number, form_type, filing_year, created_at) "
                "VALUES (?, '10-K', ?, ?)",
                [name, year, at.replace(tzinfo=None)],
            )
            for kind in ("sections", "tables", "footnotes", "chunks"):
                said = status if (year, kind) == (2021, "sections") else "done"
                if said:
                    connection.execute(
                        "INSERT INTO filing_status (accession_number, kind, status) "
                        "VALUES (?, ?, ?)",
                        [name, kind, said],
                    )
    publish(folder)


@pytest.mark.parametrize(
    ("status", "age", "late", "failed"),
    [
        ("done", 99, 0, 0),
        ("empty", 99, 0, 0),
        ("pending", 99, 1, 0),
        (None, 99, 1, 0),
        (None, 1, 0, 0),
        ("failed", 99, 0, 1),
    ],
)
def test_each_filing_year_owes_what_was_not_read(
    tmp_path: Path, status: str | None, age: float, late: int, failed: int
) -> None:
    registered(tmp_path, hours_ago(age), status=status)
    settings = settings_for(tmp_path)
    year = "filing year 2021"
    assert [p.subject for p in late_filings(settings, NOW)] == [year] * late
    assert [p.subject for p in failed_filings(settings, NOW)] == [year] * failed
