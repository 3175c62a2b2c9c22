"""Old finished runs go from a real instance; what runs, what is told and what is needed stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.enrichment.sensors import BATCH_TAG
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.monitoring.failures import failed_runs
from outreach_platform.operations.retention.runs import prune_runs, runs_in_use
from outreach_platform_tests.support.postgres import fetch
from outreach_platform_tests.support.product import Product, url_text

pytestmark = pytest.mark.slow
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAYS = 30


@dg.op(config_schema={"fails": dg.Field(bool, default_value=False)})
def step(context: dg.OpExecutionContext) -> int:
    """Prints, returns a value, or fails."""
    print("some words")
    if context.op_config["fails"]:
        raise ValueError
    return 1


@dg.job(executor_def=dg.in_process_executor)
def work() -> None:
    """One step."""
    step()


@dg.job(executor_def=dg.in_process_executor)
def other() -> None:
    """One step."""
    step()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with Product(tmp_path_factory.mktemp("instance")).here() as instance:
        yield instance


@pytest.fixture
def instance(shared: dg.DagsterInstance) -> dg.DagsterInstance:
    """The instance without any run."""
    for run in shared.get_runs():
        shared.delete_run(run.run_id)
    return shared


def run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition = work,
    *,
    fails: bool = False,
    tags: dict[str, str] | None = None,
) -> str:
    config = {"ops": {"step": {"config": {"fails": fails}}}, **QUIET}
    return job.execute_in_process(
        instance=instance, run_config=config, tags=tags, raise_on_error=False
    ).run_id


def created(instance: dg.DagsterInstance, run_id: str) -> datetime:
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))
    return record.create_timestamp


def just_after(instance: dg.DagsterInstance, run_id: str) -> datetime:
    """A clock by which this run and those before it are just too old."""
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))
    ended = datetime.fromtimestamp(record.end_time or 0, UTC)
    return ended + timedelta(days=DAYS, microseconds=1)


def later() -> datetime:
    """A clock by which every run is too old."""
    return datetime.now(UTC) + timedelta(days=DAYS + 1)


def left(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    return list(Path(instance.root_directory).rglob(f"*{run_id}*"))


def test_old_runs_go_with_events_and_what_they_printed(instance: dg.DagsterInstance) -> None:
    old = [run(instance), run(instance)]
    clock = just_after(instance, old[-1])
    new = run(instance)
    size = sum(
        path.stat().st_size
        for run_id in old
        for found in files(instance, run_id)
        for path in [found, *found.rglob("*")]
        if path.is_file()
    )
    told = prune_runs(instance, DAYS, now=clock, dry_run=True)
    assert left(instance) == {*old, new}
    assert prune_runs(instance, DAYS, now=clock, dry_run=False) == told
    assert (told.removed, told.problems) == (2, [])
    assert told.bytes_freed == size > 0
    assert told.oldest_kept == created(instance, new).isoformat(timespec="seconds")
    assert left(instance) == {new}
    assert [files(instance, run_id) for run_id in old] == [[], []]
    assert files(instance, new)
    assert instance.all_logs(new)


def test_old_runs_go_from_postgresql_too(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    with Product(tmp_path, {"DAGSTER_PG_URL": url_text(neon_url)}).here() as instance:
        run(instance)
        new = run(instance)
        printed = list(Path(instance.storage_directory()).iterdir())
        line = prune_runs(instance, DAYS, now=later(), dry_run=False)
        assert (line.removed, line.problems, left(instance)) == (1, [], {new})
        assert len(list(Path(instance.storage_directory()).iterdir())) == len(printed) - 1
    assert fetch(neon_url, "SELECT DISTINCT run_id FROM event_logs") == [(new,)]


def test_a_run_that_is_not_over_stays_and_its_day_is_in_use(instance: dg.DagsterInstance) -> None:
    tags = {"dagster/partition": "2026-03-02|WV", "dagster/partition/state": "WV"}
    waiting = instance.create_run_for_job(work, tags=tags, status=dg.DagsterRunStatus.NOT_STARTED)
    running = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED)
    old, _ = run(instance), run(instance)
    in_use = runs_in_use(instance)
    assert [day.isoformat() for day in in_use["WV"].days] == ["2026-03-02"]
    assert (in_use["PA"].days, in_use["PA"].run_ids) == (
        frozenset(),
        {waiting.run_id, running.run_id},
    )
    assert prune_runs(instance, DAYS, now=later(), dry_run=False).removed == 1
    assert {waiting.run_id, running.run_id} <= left(instance)
    assert old not in left(instance)


def test_the_newest_of_each_job_and_state_stays(instance: dg.DagsterInstance) -> None:
    of_wv, of_pa = ({"dagster/partition/state": state} for state in ("WV", "PA"))
    run(instance, tags=of_wv)
    newest = {
        run(instance, tags=of_wv),
        run(instance, tags=of_pa),
        run(instance),
        run(instance, other),
    }
    assert prune_runs(instance, DAYS, now=later(), dry_run=False).removed == 1
    assert left(instance) == newest


def test_a_failure_that_is_told_stays_until_it_is_mended(instance: dg.DagsterInstance) -> None:
    failed = run(instance, fails=True)
    instance.report_run_canceled(
        cancelled := instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED)
    )
    assert [problem.run_id for problem in failed_runs(instance)] == [failed]
    prune_runs(instance, DAYS, now=later(), dry_run=False)
    assert [problem.run_id for problem in failed_runs(instance)] == [failed]
    mended = run(instance)
    assert prune_runs(instance, DAYS, now=later(), dry_run=False).removed == 2
    assert left(instance) == {mended} != {cancelled.run_id}
    assert failed_runs(instance) == []


def test_attempts_of_a_batch_stay_while_it_is_tried(instance: dg.DagsterInstance) -> None:
    first = run(instance, tags={BATCH_TAG: "one"})
    clock = just_after(instance, first)
    second = run(instance, tags={BATCH_TAG: "one"})
    assert prune_runs(instance, DAYS, now=clock, dry_run=False).removed == 0
    run(instance)
    assert prune_runs(instance, DAYS, now=later(), dry_run=False).removed == 2
    assert not {first, second} & left(instance)


def test_a_run_whose_files_refuse_is_told_and_kept(instance: dg.DagsterInstance) -> None:
    old, new = run(instance), run(instance)
    events = Path(instance.root_directory) / "history" / "runs" / f"{old}.db-odd"
    (events / "inside").mkdir(parents=True)
    line = prune_runs(instance, DAYS, now=later(), dry_run=False)
    assert line.removed == 0
    assert line.problems[0].startswith(f"run {old} cannot be removed")
    assert left(instance) == {old, new}
    (events / "inside").rmdir()
    events.rmdir()
    assert prune_runs(instance, DAYS, now=later(), dry_run=False).removed == 1
