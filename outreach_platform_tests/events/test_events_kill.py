"""SIGKILL before every call of the events wing that changes something, and what comes after."""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, Extraction, SyncRecord
from outreach_platform.foundation.lake import find_record, read_record, sha256_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    NOW,
    TABLE,
    ago,
    create_source,
    event,
    event_id,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.kill_at import Killer
from outreach_platform_tests.support.kill_events import DAYS, events_killer
from outreach_platform_tests.support.postgres import execute, fetch

# All 120 calls take some minutes; by default every 36th is hit, OUTREACH_KILL_STEP=1 hits all.
STEP = int(os.environ.get("OUTREACH_KILL_STEP", "36"))
pytestmark = pytest.mark.timeout(300 if STEP > 1 else 3600)
ROWS = 24
_NEVER = 0
FOREIGN = "behavioral_events_20240101_000000.parquet"

_COLUMNS = 'id, "sessionPerformanceScore", "timestamp"'
Rows = list[tuple[str, int, datetime]]


@pytest.fixture(scope="module")
def forks() -> Iterator[Killer]:
    """The process that forks runs."""
    with events_killer() as process:
        yield process


class Scene:
    """A source that changed after a first whole run, and what the files may say of it.

    Attributes:
        base: the data folder after the first run.
        data_dir: the folder that runs are killed in.
        states: (id, score, time) of good events in order, before and after the change.
        quarantined: rows that break a rule, at all times.
    """

    def __init__(self, url: DatabaseUrl, folder: Path, forks: Killer, **options: Any) -> None:
        self.base, self.data_dir = folder / "base", folder / "data"
        self.folder = EventFolder(self.data_dir)
        self.database = self.data_dir / "duckdb" / "analytics.duckdb"
        self._url, self._forks, self._options = url, forks, options
        self.quarantined = 2 if options.get("mode") == "non_strict" else 0
        create_source(url)
        insert_events(
            url, [event(id=event_id(n), timestamp=ago(n % DAYS, hours=n / 9)) for n in range(ROWS)]
        )
        if self.quarantined:
            bad = [event(timestamp=ago(n), timeOfDay=99) for n in (1, DAYS - 1)]
            insert_events(url, bad)
        self.start_over(first=True)
        done = self.run("first")
        assert (done["signal"], done["error"]) == (0, None)
        with duckdb.connect(str(self.database)) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
        (self.folder.raw / FOREIGN).write_bytes(b"the predecessor's")
        shutil.copytree(self.data_dir, self.base, symlinks=True)
        before = self._at_source()
        execute(
            url,
            f"""UPDATE "{TABLE}" SET "sessionPerformanceScore" = 5
            WHERE id IN ('{event_id(3)}', '{event_id(4)}')""",
        )
        execute(url, f"""DELETE FROM "{TABLE}" WHERE id = '{event_id(7)}'""")
        insert_events(url, [event(timestamp=ago(n % DAYS, hours=1), timeOfDay=1) for n in range(6)])
        self.states = (before, self._at_source())

    def start_over(self, *, first: bool = False) -> None:
        """The state after the first run, or nothing at all."""
        shutil.rmtree(self.data_dir, ignore_errors=True)
        if not first:
            shutil.copytree(self.base, self.data_dir, symlinks=True)

    def run(self, run_id: str, kill: int = _NEVER, at_call: str | None = None) -> dict[str, Any]:
        """All four steps in a child, killed at a call by number or by name."""
        minute = {"first": 0, "killed": 1, "again": 2, "next": 3}[run_id]
        return self._forks.run(
            conninfo=self._url.conninfo,
            data_dir=str(self.data_dir),
            run_id=run_id,
            at=NOW.replace(minute=minute).isoformat(),
            kill=kill,
            at_call=at_call,
            **self._options,
        )

    def _at_source(self) -> Rows:
        return fetch(
            self._url,
            f'SELECT {_COLUMNS} FROM "{TABLE}" WHERE "timeOfDay" < 24 ORDER BY "timestamp", id',
        )

    def assert_nothing_half_is_shown(self) -> set[str]:
        """What counts is whole, right after a kill; returns the days that do not stand."""
        newest = self.folder.newest()
        assert newest is not None
        assert sha256_of(self.folder.latest) == newest.file.sha256
        shown = parquet_rows(self.folder.latest)
        assert shown in self.states
        assert newest.file.rows == len(shown)
        for export in self.folder.exports():
            assert sha256_of(self.folder.export(export.stamp)) == export.file.sha256
        stamp, rows = self.research()
        assert rows in self.states
        exported = next(e for e in self.folder.exports() if e.stamp == stamp)
        assert parquet_rows(self.folder.export(exported.stamp)) == rows
        return self._days_that_do_not_stand()

    def _days_that_do_not_stand(self) -> set[str]:
        lost = set()
        for day in window(DAYS).days:
            manifest = find_record(self.folder.manifest(day), DayManifest)
            assert manifest is not None, "a day that stood has no manifest"
            path = self.folder.day(day)
            if not path.exists() or sha256_of(path) != manifest.file.sha256:
                lost.add(day)
                continue
            assert parquet_rows(path) in [of_day(state, day) for state in self.states]
            assert manifest.file.rows + manifest.quarantined == manifest.source_rows
        return lost

    def research(self) -> tuple[str, Rows]:
        """The export that the research database shows, and its rows."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            assert connection.execute("FROM mine").fetchall() == [(42,)]
            ((stamp,),) = connection.execute("SELECT stamp FROM research.exports").fetchall()
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM research.behavioral_events"
            ).fetchall()
            ((days,),) = connection.execute("SELECT count(*) FROM research.its_daily").fetchall()
        assert days == DAYS
        return stamp, rows

    def assert_all_is_settled(self, lost: set[str]) -> None:
        """After the next run: what an undisturbed one would have left, and nothing else."""
        extraction = read_record(self.folder.extraction, Extraction)
        assert lost <= set(extraction.pulled)
        assert extraction.source_rows == len(self.states[1]) + self.quarantined
        newest = self.folder.newest()
        assert newest is not None
        assert newest.run_id == "next"
        assert newest.quarantined == self.quarantined
        assert parquet_rows(self.folder.latest) == self.states[1]
        assert self._days_that_do_not_stand() == set()
        assert self.research() == (newest.stamp, self.states[1])
        synced = read_record(self.folder.synced, SyncRecord)
        assert (synced.stamp, synced.problem, synced.set_aside) == (newest.stamp, None, None)
        files = {p.name for p in self.folder.raw.glob("*.parquet") if not p.is_symlink()}
        exports = {self.folder.export(e.stamp).name for e in self.folder.exports()}
        assert files == {*exports, FOREIGN}
        assert len(list(self.folder.manifests.iterdir())) == len(exports)
        assert (self.folder.raw / FOREIGN).read_bytes() == b"the predecessor's"
        assert [p for p in self.data_dir.rglob("*") if is_leftover(p)] == []
        assert [p.name for p in self.database.parent.iterdir()] == [self.database.name]


def parquet_rows(path: Path) -> Rows:
    return duckdb.sql(f"SELECT {_COLUMNS} FROM read_parquet({str(path)!r})").fetchall()


def of_day(state: Rows, day: str) -> Rows:
    """The rows of a state that belong into a day's file."""
    return [row for row in state if row[2].date().isoformat() == day]


def is_leftover(path: Path) -> bool:
    return ".partial" in path.name or path.name.startswith("duckdb-") or path.suffix == ".wal"


def kill_everywhere(scene: Scene, first: int, step: int) -> list[str]:
    """Kill at each `step`th call from `first` on until a run completes; returns what was hit."""
    seen = []
    for kill in itertools.count(first, step):
        scene.start_over()
        killed = scene.run("killed", kill)
        if killed["signal"] == 0:
            assert killed["error"] is None
            assert kill > killed["calls"]
            return seen
        assert killed["signal"] == signal.SIGKILL
        seen.append(killed["last"])
        lost = scene.assert_nothing_half_is_shown()
        after = scene.run("next")
        assert (after["signal"], after["error"]) == (0, None), killed
        scene.assert_all_is_settled(lost)
    raise AssertionError


@pytest.mark.slow
def test_a_killed_run_is_completed_by_the_next(
    neon_url: DatabaseUrl, tmp_path: Path, forks: Killer
) -> None:
    seen = kill_everywhere(Scene(neon_url, tmp_path, forks), STEP // 2 + 1, STEP)
    assert len(seen) >= 90 // STEP


@pytest.mark.slow
def test_a_killed_run_with_quarantine_and_table_is_completed_by_the_next(
    neon_url: DatabaseUrl, tmp_path: Path, forks: Killer
) -> None:
    scene = Scene(neon_url, tmp_path, forks, mode="non_strict", form="table")
    seen = kill_everywhere(scene, 1, STEP * 3 // 2)
    assert len(seen) >= 90 // (STEP * 3 // 2)


@pytest.mark.slow
def test_killed_between_the_steps(neon_url: DatabaseUrl, tmp_path: Path, forks: Killer) -> None:
    scene = Scene(neon_url, tmp_path, forks)
    expected = {
        "after extract": (0, 0),
        "after concat": (0, 0),
        "after export": (1, 0),
        "after __call__": (1, 0),
    }
    for name, (latest, researched) in expected.items():
        scene.start_over()
        killed = scene.run("killed", at_call=name)
        assert (killed["signal"], killed["last"]) == (signal.SIGKILL, name)
        assert scene.assert_nothing_half_is_shown() == set()
        assert parquet_rows(scene.folder.latest) == scene.states[latest]
        assert scene.research()[1] == scene.states[researched]
        after = scene.run("next")
        assert (after["signal"], after["error"]) == (0, None), killed
        scene.assert_all_is_settled(set())


@pytest.mark.slow
def test_what_was_killed_twice_is_completed_too(
    neon_url: DatabaseUrl, tmp_path: Path, forks: Killer
) -> None:
    scene = Scene(neon_url, tmp_path, forks, form="table")
    hits = 0
    for kill in itertools.count(7, 2 * STEP):
        scene.start_over()
        # In the middle of the days, with one written and its manifest not.
        scene.run("killed", at_call="after parquet")
        lost = scene.assert_nothing_half_is_shown()
        assert lost
        again = scene.run("again", kill)
        if again["signal"] == 0:
            break
        hits += 1
        lost = scene.assert_nothing_half_is_shown()
        after = scene.run("next")
        assert (after["signal"], after["error"]) == (0, None), again
        scene.assert_all_is_settled(lost)
    assert hits >= 90 // (2 * STEP)


@pytest.mark.slow
def test_a_killed_first_run_leaves_nothing_to_trust(
    neon_url: DatabaseUrl, tmp_path: Path, forks: Killer
) -> None:
    """No export, no database, or both whole; and the next run ends as an undisturbed one."""
    scene = Scene(neon_url, tmp_path, forks)
    hits = 0
    for kill in itertools.count(11, 2 * STEP):
        scene.start_over(first=True)
        killed = scene.run("killed", kill)
        if killed["signal"] == 0:
            break
        hits += 1
        newest = scene.folder.newest()
        if newest is not None:
            assert parquet_rows(scene.folder.latest) == scene.states[1]
        if scene.database.exists():
            assert newest is not None
        after = scene.run("next")
        assert (after["signal"], after["error"]) == (0, None), killed
        assert parquet_rows(scene.folder.latest) == scene.states[1]
        assert [p for p in scene.data_dir.rglob("*") if is_leftover(p)] == []
        run = new_run(scene.data_dir, neon_url)
        exports = run.folder.exports()
        assert exports[-1].run_id == "next"
        assert {sha256_of(run.folder.export(e.stamp)) for e in exports} == {
            e.file.sha256 for e in exports
        }
    assert hits >= 90 // (2 * STEP)
