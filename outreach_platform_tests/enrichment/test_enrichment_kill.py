"""SIGKILL before and after every statement and commit of a round trip, and what comes after."""

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, ENTITIES
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.settings import load_settings
from outreach_platform_tests.enrichment.killing import (
    STAGES,
    UNDONE,
    Scene,
    build,
    conflicts_of,
    in_two_places,
    places_of_records,
    state_of,
)
from outreach_platform_tests.support.enrichment import Databases, copied
from outreach_platform_tests.support.kill_at import Killer
from outreach_platform_tests.support.kill_enrichment import enrichment_killer
from outreach_platform_tests.support.postgres import execute

# All calls take a quarter of an hour; by default every 24th is hit, OUTREACH_KILL_STEP=1 hits all.
STEP = int(os.environ.get("OUTREACH_KILL_STEP", "24"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 if STEP > 1 else 3600)]


@pytest.fixture(scope="module")
def forks() -> Iterator[Killer]:
    """The process that forks runs."""
    with enrichment_killer() as process:
        yield process


@pytest.fixture(scope="module")
def round_trip(
    pg_server: EmbeddedServer,
    templates: tuple[str, str],
    forks: Killer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    """Everything from pull to promote lies ahead."""
    folder = tmp_path_factory.mktemp("killed")
    with copied(pg_server, templates) as base:
        build(base, folder)
        yield Scene(base, forks, folder, STAGES)


@pytest.fixture(scope="module")
def to_be_undone(
    pg_server: EmbeddedServer, templates: tuple[str, str], forks: Killer, round_trip: Scene
) -> Iterator[Scene]:
    """All of it was done, and is to be taken back."""
    with copied(pg_server, templates) as base:
        build(base, round_trip.folder)
        before = Scene(base, forks, round_trip.folder, STAGES)
        done = before.go(base, UNDONE)
        assert (done["signal"], done["error"]) == (0, None)
        yield before.next(["undo"])


def kill_everywhere(scene: Scene, first: int, step: int) -> list[str]:
    """Kill at each `step`th call from `first` on until a run completes; returns what was hit."""
    with scene.copy() as databases:
        undisturbed = scene.go(databases, "undisturbed")
        assert (undisturbed["signal"], undisturbed["error"]) == (0, None)
        expected, conflicts = state_of(databases), conflicts_of(databases)
    seen = []
    for kill in itertools.count(first, step):
        with scene.copy() as databases:
            killed = scene.go(databases, "killed", kill)
            if killed["signal"] == 0:
                assert killed["error"] is None
                assert kill > killed["calls"]
                return seen
            assert killed["signal"] == signal.SIGKILL
            seen.append(killed["last"])
            assert in_two_places(places_of_records(databases)) == {}, killed
            after = scene.go(databases, "again")
            assert (after["signal"], after["error"]) == (0, None), killed
            assert in_two_places(places_of_records(databases)) == {}, killed
            assert state_of(databases) == expected, killed
            # A pull's conflict may be told by edit_history alone; none is ever told twice.
            assert conflicts_of(databases) <= conflicts, killed
    raise AssertionError


def test_the_scene_has_something_of_everything(round_trip: Scene) -> None:
    with round_trip.copy() as databases:
        done = round_trip.go(databases, "undisturbed")
        assert done["error"] is None
        assert done["calls"] > 200
        assert set(itertools.chain(*places_of_records(databases).values())) == {
            "invalid",
            "promoted",
        }
        assert conflicts_of(databases).total() == 2
        for entity in ENTITIES:
            table = f"public.{entity.workspace}"
            query = f"SELECT enrichment_status AS status, promoted_at FROM {table}"
            rows = databases.rows(databases.workspace, query)
            statuses = {"promoted" if row["promoted_at"] else row["status"] for row in rows}
            assert {"promoted", "failed"} <= statuses


def test_a_killed_round_trip_is_completed_by_the_next(round_trip: Scene) -> None:
    seen = kill_everywhere(round_trip, STEP // 2 + 1, STEP)
    assert len(seen) >= 200 // STEP
    if STEP < 50:
        assert {name.split()[1] for name in seen} == set(STAGES)


def test_a_killed_undo_is_completed_by_the_next(to_be_undone: Scene) -> None:
    seen = kill_everywhere(to_be_undone, 5, max(1, STEP // 3))
    assert len(seen) >= 40 // max(1, STEP // 3)


def test_what_was_killed_twice_is_completed_too(round_trip: Scene) -> None:
    with round_trip.copy() as databases:
        calls = round_trip.go(databases, "undisturbed")["calls"]
        expected = state_of(databases)
    for kill in range(STEP, calls, 4 * STEP):
        with round_trip.copy() as databases:
            round_trip.go(databases, "killed", kill)
            round_trip.go(databases, "killed-too", STEP // 2 + 7)
            after = round_trip.go(databases, "again")
            assert (after["signal"], after["error"]) == (0, None)
            assert state_of(databases) == expected, kill


def test_the_comparison_sees_what_was_done_twice(round_trip: Scene, tmp_path: Path) -> None:
    with round_trip.copy() as databases:
        round_trip.go(databases, "undisturbed")
        before = state_of(databases)
        assert in_two_places(places_of_records(databases)) == {}
        execute(
            databases.neon,
            "INSERT INTO marketing.company_invalid SELECT (jsonb_populate_record("
            "NULL::marketing.company_invalid, invalid_row)).* FROM marketing.promotion_history h "
            "WHERE entity = 'company' AND run_id <> 'old' ORDER BY h.id LIMIT 1",
        )
        assert len(in_two_places(places_of_records(databases))) == 1
        _judge_again(databases, tmp_path)
        after = state_of(databases)
        changed = {table for table in before if before[table] != after[table]}
        assert "marketing.company_invalid" in changed


def _judge_again(databases: Databases, folder: Path) -> None:
    run = EnrichmentRun(load_settings(data_dir=folder), databases.neon, databases.workspace, "x")
    run.revalidate(COMPANY)
    run.close()
