"""Jobs that fail too often or take too long, on a real instance with runs at moved times."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.operations.monitoring.runs import STATE_TAG, run_problems
from outreach_platform.operations.problems import Problem
from outreach_platform.settings_toml import MonitoringSettings


@dg.op(config_schema={"fail": dg.Field(bool, default_value=False)})
def work(context: dg.OpExecutionContext) -> None:
    if context.op_config["fail"]:
        raise ValueError("meant")


@dg.job
def nightly() -> None:
    work()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def ran(instance: dg.DagsterInstance, *, failed: int = 0, good: int = 0, **tags: str) -> None:
    for n in range(failed + good):
        nightly.execute_in_process(
            instance=instance,
            run_config={"ops": {"work": {"config": {"fail": n < failed}}}},
            raise_on_error=False,
            tags=tags,
        )


def found(instance: dg.DagsterInstance, later: float = 0, **limits: float) -> list[Problem]:
    newest = instance.get_run_records(limit=1)[0]
    now = newest.create_timestamp + timedelta(days=later)
    return run_problems(instance, MonitoringSettings.model_validate(limits), now)


def test_a_job_that_fails_too_often_names_its_newest_failure(instance: dg.DagsterInstance) -> None:
    ran(instance, failed=1, good=1)
    assert found(instance) == [], "two runs say nothing yet"
    ran(instance, good=1)
    (rate,) = found(instance)
    assert (rate.kind, rate.subject) == ("success_rate", "nightly")
    assert "1 of 3 runs failed in 7 days: 67% succeeded, 95% is the limit" in rate.message
    failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert rate.run_id == failed[0].run_id
    assert found(instance, success_rate=0.5) == []
    assert found(instance, later=8) == [], "they are too long ago"


def test_cancelled_runs_do_not_count(instance: dg.DagsterInstance) -> None:
    ran(instance, good=3)
    for _ in range(3):
        run = instance.create_run_for_job(nightly)
        instance.report_run_canceled(run)
    assert found(instance) == []


def test_the_newest_run_that_took_too_long_is_told_by_state(instance: dg.DagsterInstance) -> None:
    ran(instance, good=1, **{STATE_TAG: "WV"})
    assert found(instance) == []
    (slow,) = found(instance, longest_minutes=1e-9)
    assert (slow.kind, slow.subject) == ("slow_run", "nightly WV")
    ran(instance, failed=1, **{STATE_TAG: "WV"})
    ran(instance, failed=1, **{STATE_TAG: "PA"})
    subjects = {p.subject for p in found(instance, longest_minutes=1e-9) if p.kind == "slow_run"}
    assert subjects == {"nightly WV", "nightly PA"}
