"""Which days are pulled again, and why: against a real source that changes underneath."""

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from outreach_platform.events import plan
from outreach_platform.events.records import DayManifest, Extraction
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    ago,
    create_source,
    day_ago,
    event,
    event_id,
    in_phase,
    insert_events,
    new_run,
    settings_for,
    window,
)
from outreach_platform_tests.support.postgres import execute

DAYS = 10
RECENT = [day_ago(n) for n in (2, 1, 0)]
OLD = [day_ago(n) for n in range(DAYS - 1, 2, -1)]
TABLE = '"BehavioralEvent"'


def ids(n: int) -> str:
    """The id of the event that the source holds n days ago."""
    return event_id(n, "p")


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    """A source with two events on each of the last ten days."""
    create_source(neon_url)
    rows = [event(id=ids(n), timestamp=ago(n, hours=1)) for n in range(DAYS)]
    rows += [event(timestamp=ago(n, hours=2)) for n in range(DAYS)]
    insert_events(neon_url, rows)
    return neon_url


@pytest.fixture
def run(url: DatabaseUrl, tmp_path: Path) -> EventsRun:
    """A run whose folder holds all ten days."""
    run = new_run(tmp_path, url)
    first = run.extract(window(DAYS))
    assert first.pulled == {
        **dict.fromkeys(OLD, "missing"),
        **dict.fromkeys(RECENT, "recent"),
    }
    assert (first.rows, first.source_rows, first.kept) == (2 * DAYS, 2 * DAYS, 0)
    return run


def reasons(extraction: Extraction) -> dict[str, str]:
    """Why days beyond the lookback were pulled."""
    assert [day for day in extraction.pulled if day in RECENT] == RECENT
    return {day: why for day, why in extraction.pulled.items() if day not in RECENT}


def held(run: EventsRun, day: str) -> list[tuple]:
    """Id and content type of the rows that stand for a day."""
    with duckdb.connect() as engine:
        return engine.execute(
            f"""SELECT id, "contentType" FROM read_parquet('{run.folder.day(day)}') ORDER BY 1"""
        ).fetchall()


def marks(run: EventsRun) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time of change and content of the files of the days beyond the lookback."""
    found = {}
    for day in OLD:
        for path in (run.folder.day(day), run.folder.manifest(day)):
            status = path.stat()
            found[str(path)] = status.st_ino, status.st_mtime_ns, path.read_bytes()
    return found


@pytest.mark.slow
def test_an_unchanged_source_costs_the_lookback_and_nothing_else(run: EventsRun) -> None:
    before, recent = marks(run), {day: run.folder.day(day).read_bytes() for day in RECENT}
    second = run.extract(window(DAYS))
    assert second.pulled == dict.fromkeys(RECENT, "recent")
    assert (second.rows, second.kept, second.source_rows) == (6, len(OLD), 2 * DAYS)
    assert marks(run) == before
    assert {day: run.folder.day(day).read_bytes() for day in RECENT} == recent


@pytest.mark.slow
@pytest.mark.parametrize("lookback", [0, 1, 5])
def test_the_lookback_counts_today(url, tmp_path, lookback) -> None:
    run = new_run(tmp_path, url, lookback_days=lookback)
    run.extract(window(DAYS))
    again = run.extract(window(DAYS)).pulled
    assert again == dict.fromkeys([day_ago(n) for n in range(lookback)][::-1], "recent")


@pytest.mark.slow
def test_full_pulls_all(run: EventsRun) -> None:
    full = run.extract(window(DAYS), full=True)
    assert full.pulled == dict.fromkeys([*OLD, *RECENT], "all were asked for")
    assert full.kept == 0


@pytest.mark.slow
def test_a_longer_window_pulls_what_is_missing_and_a_shorter_one_nothing(run: EventsRun) -> None:
    longer = reasons(run.extract(window(DAYS + 3)))
    assert longer == {day_ago(n): "missing" for n in range(DAYS, DAYS + 3)}
    shorter = run.extract(window(5))
    assert (reasons(shorter), shorter.kept) == ({}, 2)


CHANGES = {
    "update": (f"""UPDATE {TABLE} SET "contentType" = 'new' WHERE id = '{ids(6)}'""", {6}),
    "delete": (f"DELETE FROM {TABLE} WHERE id = '{ids(6)}'", {6}),
    "delete and insert": (
        f"BEGIN; CREATE TEMP TABLE t AS SELECT * FROM {TABLE} WHERE id = '{ids(6)}';"
        f"DELETE FROM {TABLE} WHERE id = '{ids(6)}'; UPDATE t SET \"contentType\" = 'new';"
        f"INSERT INTO {TABLE} SELECT * FROM t; COMMIT",
        {6},
    ),
    "moved to another day": (
        f"""UPDATE {TABLE} SET "timestamp" = "timestamp" - interval '2 days'
        WHERE id = '{ids(5)}'""",
        {5, 7},
    ),
    "two days swapped": (
        f"""UPDATE {TABLE} SET "timestamp" = CASE id WHEN '{ids(5)}'
        THEN "timestamp" - interval '2 days' ELSE "timestamp" + interval '2 days' END
        WHERE id IN ('{ids(5)}', '{ids(7)}')""",
        {5, 7},
    ),
    "an update that changes nothing": (f"UPDATE {TABLE} SET id = id WHERE id = '{ids(4)}'", {4}),
    "nothing of ours": ("ANALYZE; VACUUM FREEZE", set()),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_pulls_its_days_and_no_others(run: EventsRun, url, change: str) -> None:
    statement, days = CHANGES[change]
    if "VACUUM" in statement:
        execute(url, "ANALYZE")
        execute(url, "VACUUM FREEZE")
    else:
        execute(url, statement)
    expected = {day_ago(n): "changed at the source" for n in days}
    assert reasons(run.extract(window(DAYS))) == expected
    assert reasons(run.extract(window(DAYS))) == {}
    with duckdb.connect() as engine:
        standing = engine.execute(
            f"SELECT id FROM read_parquet('{run.folder.lake}/*/events.parquet') ORDER BY 1"
        ).fetchall()
    held_there = run_fresh(run, url)
    assert standing == held_there


def run_fresh(run: EventsRun, url: DatabaseUrl) -> list[tuple]:
    """The ids that a folder without any day ends up with."""
    fresh = new_run(run.settings.data_dir / "fresh", url)
    fresh.extract(window(DAYS))
    with duckdb.connect() as engine:
        return engine.execute(
            f"SELECT id FROM read_parquet('{fresh.folder.lake}/*/events.parquet') ORDER BY 1"
        ).fetchall()


@pytest.mark.slow
def test_the_new_values_of_a_change_stand(run: EventsRun, url) -> None:
    execute(url, CHANGES["delete and insert"][0])
    run.extract(window(DAYS))
    assert (ids(6), "new") in held(run, day_ago(6))


@pytest.mark.slow
def test_what_commits_late_with_an_earlier_time_is_found(run: EventsRun, url) -> None:
    """A high-water mark on the time would miss it."""
    late = event(timestamp=ago(8, hours=3))
    insert_events(url, [late])
    assert reasons(run.extract(window(DAYS))) == {day_ago(8): "changed at the source"}
    assert late["id"] in [row[0] for row in held(run, day_ago(8))]


@pytest.mark.slow
def test_a_column_added_with_a_default_is_found(run: EventsRun, url) -> None:
    """It changes every row and writes none anew."""
    execute(url, f'ALTER TABLE {TABLE} DROP "contentType"')
    dropped = reasons(run.extract(window(DAYS)))
    assert dropped == dict.fromkeys(OLD, "the source's columns changed")
    execute(url, f"ALTER TABLE {TABLE} ADD \"contentType\" text DEFAULT 'filled'")
    added = reasons(run.extract(window(DAYS)))
    assert added == dict.fromkeys(OLD, "the source's columns changed")
    assert held(run, day_ago(6))[0][1] == "filled"


@pytest.mark.slow
def test_a_column_that_is_not_ours_changes_nothing(run: EventsRun, url) -> None:
    execute(url, f"ALTER TABLE {TABLE} ADD device text DEFAULT 'phone'")
    assert reasons(run.extract(window(DAYS))) == {}


@pytest.mark.slow
def test_days_of_another_source_or_table_are_pulled_again(run: EventsRun, url) -> None:
    data_dir = run.settings.data_dir
    other = new_run(data_dir, url, settings=settings_for(data_dir, url))
    assert other.source != run.source
    taken = dict.fromkeys(OLD, "taken from another source")
    assert reasons(other.extract(window(DAYS))) == taken
    assert reasons(other.extract(window(DAYS))) == {}
    execute(url, f"ALTER TABLE {TABLE} RENAME TO behavioral_events")
    assert reasons(other.extract(window(DAYS))) == taken


@pytest.mark.slow
def test_other_rules_judge_again_but_not_where_nothing_is_judged(
    run: EventsRun, monkeypatch
) -> None:
    monkeypatch.setattr(plan, "current_rules_version", lambda: "another")
    assert reasons(run.extract(window(DAYS), "none")) == {}
    judged = reasons(run.extract(window(DAYS), "non_strict"))
    assert judged == dict.fromkeys(OLD, "judged by other rules")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("none", "strict", "was not validated"),
        ("none", "non_strict", "was not validated"),
        ("none", "none", None),
        ("strict", "none", None),
        ("strict", "non_strict", None),
        ("non_strict", "strict", None),
        ("non_strict", "none", None),
    ],
)
def test_a_weaker_judgement_is_made_good(url, tmp_path, first, second, why) -> None:
    run = new_run(tmp_path, url)
    run.extract(window(DAYS), first)
    again = reasons(run.extract(window(DAYS), second))
    assert again == (dict.fromkeys(OLD, why) if why else {})
    manifest = find_record(run.folder.manifest(day_ago(6)), DayManifest)
    assert manifest is not None
    assert manifest.validation == (second if why else first)
    assert bool(manifest.rules_version) == (manifest.validation != "none")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["non_strict", "none"])
def test_quarantined_rows_are_asked_for_again(run: EventsRun, url, mode) -> None:
    """They may be good by now; and who validates nothing wants them as they are."""
    execute(url, f"UPDATE {TABLE} SET \"experimentPhase\" = 'baseline_1' WHERE id = '{ids(6)}'")
    found = run.extract(window(DAYS), "non_strict")
    assert (found.quarantined, len(held(run, day_ago(6)))) == (1, 1)
    again = run.extract(window(DAYS), mode)
    assert reasons(again) == {day_ago(6): "has quarantined rows"}
    assert len(held(run, day_ago(6))) == (1 if mode == "non_strict" else 2)
    assert again.quarantined == (1 if mode == "non_strict" else 0)


def _remove(path: Path) -> None:
    path.unlink()


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_remove, _truncate, _flip])
def test_a_harmed_day_file_is_made_again(run: EventsRun, harm: Callable[[Path], None]) -> None:
    path = run.folder.day(day_ago(6))
    before = path.read_bytes()
    harm(path)
    assert reasons(run.extract(window(DAYS))) == {day_ago(6): "damaged"}
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_remove, _truncate])
def test_a_harmed_manifest_is_made_again(run: EventsRun, harm: Callable[[Path], None]) -> None:
    harm(run.folder.manifest(day_ago(6)))
    assert reasons(run.extract(window(DAYS))) == {day_ago(6): "missing"}
    assert reasons(run.extract(window(DAYS))) == {}


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_remove, _truncate, _flip])
def test_a_harmed_quarantine_is_made_again(run: EventsRun, url, harm) -> None:
    execute(url, f"UPDATE {TABLE} SET \"experimentPhase\" = 'baseline_1' WHERE id = '{ids(6)}'")
    run.extract(window(DAYS), "non_strict")
    path = run.folder.quarantined(day_ago(6))
    before = path.read_bytes()
    harm(path)
    run.extract(window(DAYS), "non_strict")
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_window_that_ended_looks_at_its_days_alone(run: EventsRun, url) -> None:
    past = window(5).model_copy(update={"start": ago(8).date(), "end": ago(5).date()})
    insert_events(url, [event(timestamp=ago(6, hours=5)), event(timestamp=ago(-3))])
    found = run.extract(past)
    assert found.pulled == {day_ago(6): "changed at the source"}
    assert (found.rows, found.kept, found.source_rows) == (3, 3, 9)


@pytest.mark.slow
def test_a_future_day_is_looked_at_until_it_is_empty(run: EventsRun, url) -> None:
    ahead = [event(timestamp=ago(-3)), in_phase("baseline_1", timestamp=ago(-3))]
    insert_events(url, ahead)
    first = run.extract(window(DAYS), "non_strict")
    assert first.pulled[day_ago(-3)] == "missing"
    assert (first.quarantined, first.source_rows) == (2, 2 * DAYS + 2)
    assert reasons(run.extract(window(DAYS), "non_strict")) == {day_ago(-3): "has quarantined rows"}
    execute(url, f"DELETE FROM {TABLE} WHERE \"timestamp\" > '{day_ago(-1)}'")
    gone = run.extract(window(DAYS), "strict")
    assert reasons(gone) == {day_ago(-3): "changed at the source"}
    assert gone.quarantined == 0
    assert not run.folder.quarantined(day_ago(-3)).exists()
    assert reasons(run.extract(window(DAYS), "strict")) == {}


@pytest.mark.slow
def test_kept_future_days_are_counted(url, tmp_path) -> None:
    insert_events(url, [event(timestamp=ago(-3))])
    run = new_run(tmp_path, url)
    first = run.extract(window(DAYS), "none")
    again = run.extract(window(DAYS), "none")
    assert reasons(again) == {}
    assert first.source_rows == again.source_rows == 2 * DAYS + 1
    assert again.kept == len(OLD) + 1
