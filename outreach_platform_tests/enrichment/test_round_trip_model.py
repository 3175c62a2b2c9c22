"""Random histories of edits, source changes, stages and crashes, held against `model`.

Nothing lost: the last value that an enricher gave a column is in the workspace, in Neon, in the
master, in edit_history, in the history or in the log of conflicts, unless Neon had taken it and it
was changed there since. Nothing doubled. The newest wins. A second pull and push change nothing.
"""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.rows import InvalidRow
from outreach_platform_tests.enrichment.machine import KEYS, RoundTrip
from outreach_platform_tests.enrichment.model import CITY, COMPLETE, NAME, WEBSITE
from outreach_platform_tests.enrichment.round_trip import World
from outreach_platform_tests.support.postgres import drop_database, fresh_database

# `make test` makes few histories; OUTREACH_MODEL_EXAMPLES=1000 makes many.
EXAMPLES = int(os.environ.get("OUTREACH_MODEL_EXAMPLES", "25"))
STEPS = int(os.environ.get("OUTREACH_MODEL_STEPS", "20"))


@pytest.fixture(scope="module")
def world(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    names = ("model_neon", "model_workspace")
    neon, workspace = (fresh_database(pg_server, name) for name in names)
    made = World(neon, workspace, tmp_path_factory.mktemp("model"))
    yield made
    made.close()
    for name in names:
        drop_database(pg_server, name)


def edited_after_a_lost_mark(history: RoundTrip) -> None:
    history.enricher_edits(KEYS[0], {NAME: "good"}, COMPLETE)
    history.is_killed_while_it_pushes()
    history.bulk_edit_without_the_trigger({NAME: "good"}, complete=True)
    history.pushes()


def overruled_by_a_pull_that_is_killed(history: RoundTrip) -> None:
    history.bulk_edit_without_the_trigger({NAME: "good"}, complete=False)
    history.source_changes(KEYS[0], {NAME: "good"}, "future")
    history.is_killed_while_it_pulls()


def replaced_under_a_new_number(history: RoundTrip) -> None:
    history.enricher_edits(KEYS[0], {WEBSITE: "good"}, COMPLETE)
    history.pushes()
    history.source_deletes(KEYS[0])
    history.source_inserts(KEYS[0], {NAME: "good"}, "now")


def changed_between_push_and_verdict(history: RoundTrip) -> None:
    history.enricher_edits(KEYS[0], {CITY: "good"}, COMPLETE)
    history.pushes()
    history.source_changes(KEYS[0], {CITY: "good"}, "now")
    history.judges()
    history.enricher_edits(KEYS[0], {WEBSITE: "good"}, COMPLETE)


def undone_by_a_run_that_is_killed(history: RoundTrip) -> None:
    history.enricher_edits(KEYS[0], {WEBSITE: "good"}, COMPLETE)
    history.does_it_all()
    history.world.run.dies_in = "pull"
    history.world.survives(lambda: history.world.run.undo(history.runs[0]))
    history.model.undo(history.runs[0])
    history.both_databases_are_as_expected()
    history.world.run.undo(history.runs[0])
    history.model.pull(history.world.desk_time)


@pytest.mark.slow
@pytest.mark.parametrize(
    "events",
    [
        edited_after_a_lost_mark,
        overruled_by_a_pull_that_is_killed,
        replaced_under_a_new_number,
        changed_between_push_and_verdict,
        undone_by_a_run_that_is_killed,
    ],
)
def test_a_history_that_once_went_wrong(world: World, events: Callable[[RoundTrip], None]) -> None:
    RoundTrip.world = world
    history = RoundTrip()
    events(history)
    history.both_databases_are_as_expected()
    history.nothing_is_lost()
    history.teardown()
    history.nothing_is_doubled_and_what_was_promoted_is_good()


@pytest.mark.slow
def test_the_model_sees_an_edit_that_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    RoundTrip.world = world
    # As it once was: the time alone named an edit.
    monkeypatch.setattr(
        InvalidRow, "carries", lambda self, row, _: self.pushed_version == row.version
    )
    history = RoundTrip()
    edited_after_a_lost_mark(history)
    with pytest.raises(AssertionError):
        history.both_databases_are_as_expected()


@pytest.mark.slow
@pytest.mark.timeout(300 if EXAMPLES < 100 else 7200)
def test_any_history_is_as_the_model_says(world: World) -> None:
    RoundTrip.world = world
    run_state_machine_as_test(
        RoundTrip,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
        ),
    )
