"""Failed runs, kill switches and failed checks on a real instance: red, and healed again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import write_record
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.monitoring.failures import (
    SWITCH_CHECKS,
    failed_checks,
    failed_runs,
    kill_switch_stops,
    platform_checks,
)
from outreach_platform.partitions import date_and_state
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.gates import GateRecord, Verdict
from outreach_platform.snapshots.layout import Outcome, StateFolder
from outreach_platform_tests.support.snapshot_runs import settings_for

BROKEN: dict[str, Any] = {}
ADDRESS = "ann.lee@example.org"


def _break(what: str) -> None:
    kind = BROKEN.get(what)
    if kind == "ours":
        with failing_clearly():
            raise OutreachError(f"the table of {ADDRESS} is gone; restore it")
    if kind == "theirs":
        raise KeyError(f"{ADDRESS} +13045550123")


@dg.asset
def single() -> None:
    _break("single")


@dg.asset
def other() -> None:
    _break("other")


@dg.asset(partitions_def=date_and_state)
def stated(context: dg.AssetExecutionContext) -> None:
    _break(context.partition_key.split("|")[1])


@dg.asset_check(asset=single, blocking=True)
def sound() -> dg.AssetCheckResult:
    severity = BROKEN.get("severity", dg.AssetCheckSeverity.ERROR)
    passed = not BROKEN.get("sound")
    return dg.AssetCheckResult(passed=passed, severity=severity, description="3 rows are odd")


def _partitioned(name: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=stated, name=name, partitions_def=date_and_state)
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=BROKEN.get(name) != context.partition_key.split("|")[1])

    return check


whole = dg.define_asset_job("whole", [single, other])
by_state = dg.define_asset_job("by_state", [stated], partitions_def=date_and_state)
defs = dg.Definitions(
    assets=[single, other, stated],
    asset_checks=[sound, _partitioned("odd"), _partitioned("k1_bad_ratio")],
    jobs=[whole, by_state],
    executor=dg.in_process_executor,
)
CHECKS = [
    dg.AssetCheckKey(single.key, "sound"),
    dg.AssetCheckKey(stated.key, "odd"),
    dg.AssetCheckKey(stated.key, "k1_bad_ratio"),
]


@pytest.fixture(autouse=True)
def nothing_broken() -> Iterator[None]:
    BROKEN.clear()
    yield
    BROKEN.clear()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: dg.DagsterInstance, job: str, **options: Any) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, **options
    )


def test_a_failed_run_is_found_until_a_later_one_succeeds(instance: dg.DagsterInstance) -> None:
    assert failed_runs(instance) == []
    BROKEN["other"] = "ours"
    failed = run(instance, "whole")
    (problem,) = failed_runs(instance)
    assert (problem.key, problem.run_id) == ("run_failed:whole", failed.run_id)
    assert problem.message == "other: the table of a***@e***.org is gone; restore it"
    again = run(instance, "whole")
    (problem,) = failed_runs(instance)
    assert problem.run_id == again.run_id, "the newest one tells"
    BROKEN.clear()
    run(instance, "whole")
    assert failed_runs(instance) == []


def test_words_of_other_libraries_are_not_told(instance: dg.DagsterInstance) -> None:
    BROKEN["other"] = "theirs"
    run(instance, "whole")
    (problem,) = failed_runs(instance)
    assert problem.message == "other: KeyError; the log of the run says more"


def test_a_part_of_a_job_heals_no_whole_one(instance: dg.DagsterInstance) -> None:
    BROKEN["other"] = "ours"
    run(instance, "whole")
    run(instance, "whole", asset_selection=[single.key])
    assert [p.key for p in failed_runs(instance)] == ["run_failed:whole"]


def test_a_whole_run_heals_a_part(instance: dg.DagsterInstance) -> None:
    BROKEN["other"] = "ours"
    run(instance, "whole", asset_selection=[other.key])
    assert [p.key for p in failed_runs(instance)] == ["run_failed:whole"]
    BROKEN.clear()
    run(instance, "whole")
    assert failed_runs(instance) == []


def test_a_state_is_healed_by_its_own_later_day_only(instance: dg.DagsterInstance) -> None:
    BROKEN["WV"] = "ours"
    run(instance, "by_state", partition_key="2026-01-01|WV")
    BROKEN.clear()
    run(instance, "by_state", partition_key="2026-01-02|PA")
    assert [p.key for p in failed_runs(instance)] == ["run_failed:by_state WV"]
    run(instance, "by_state", partition_key="2026-01-02|WV")
    assert failed_runs(instance) == []


def test_an_ad_hoc_run_is_healed_by_any_job_that_makes_its_assets(
    instance: dg.DagsterInstance,
) -> None:
    BROKEN["other"] = "ours"
    run(instance, "__ASSET_JOB", asset_selection=[other.key])
    assert [p.key for p in failed_runs(instance)] == ["run_failed:materialization of other"]
    BROKEN.clear()
    run(instance, "whole")
    assert failed_runs(instance) == []


def test_a_canceled_run_is_no_failure(instance: dg.DagsterInstance) -> None:
    job = defs.resolve_job_def("whole")
    created = instance.create_run_for_job(job)
    instance.report_run_canceled(created)
    assert failed_runs(instance) == []
    killed = instance.create_run_for_job(job)
    instance.report_run_failed(killed)
    (problem,) = failed_runs(instance)
    assert "killed or lost" in problem.message


def test_a_run_that_is_started_again_by_itself_does_not_count_yet(
    instance: dg.DagsterInstance,
) -> None:
    job = defs.resolve_job_def("whole")
    crashed = instance.create_run_for_job(job, tags={"dagster/will_retry": "true"})
    instance.report_run_failed(crashed)
    assert failed_runs(instance) == []


def test_a_run_that_a_check_stopped_is_told_by_the_check(instance: dg.DagsterInstance) -> None:
    BROKEN["sound"] = True
    stopped = run(instance, "whole", asset_selection=[single.key])
    assert not stopped.success
    assert failed_runs(instance) == []
    (problem,) = failed_checks(instance, CHECKS)
    assert (problem.key, problem.message) == ("check_failed:single:sound", "3 rows are odd")
    assert problem.run_id == stopped.run_id
    BROKEN.clear()
    run(instance, "whole")
    assert failed_checks(instance, CHECKS) == []


def test_a_warning_of_a_check_is_none_of_ours(instance: dg.DagsterInstance) -> None:
    BROKEN.update(sound=True, severity=dg.AssetCheckSeverity.WARN)
    run(instance, "whole")
    assert failed_checks(instance, CHECKS) == []


def test_checks_are_looked_at_by_state_and_kill_switches_left_out(
    instance: dg.DagsterInstance,
) -> None:
    BROKEN.update(odd="WV", k1_bad_ratio="WV")
    run(instance, "by_state", partition_key="2026-01-01|WV")
    run(instance, "by_state", partition_key="2026-01-01|PA")
    assert [p.key for p in failed_checks(instance, CHECKS)] == ["check_failed:stated:odd WV"]
    BROKEN.clear()
    run(instance, "by_state", partition_key="2026-01-02|WV")
    assert failed_checks(instance, CHECKS) == []


def test_the_platforms_checks_are_known() -> None:
    names = {key.name for key in platform_checks()}
    assert {*SWITCH_CHECKS, "nothing_lost", "no_duplicates", "unique_ids"} <= names


def stop(folder: StateFolder, version: str, *, triggered: bool = True) -> None:
    """Leave on disk what a run of this version leaves that was stopped."""
    message = "K1 TRIGGERED: Company bad ratio 40.0% > 15.0%"
    verdict = Verdict(switch="K1", measured=0.4, limit=0.15, triggered=triggered, message=message)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    common = {"version": version, "state": folder.state, "run_id": f"run-{version}"}
    folder.version(version).mkdir(parents=True)
    folder.pull_record(version).write_text("{}", encoding="utf-8")
    write_record(
        folder.verdict(version),
        GateRecord(
            **common,
            judged_at=moment,
            judged={},
            rules_version="1",
            thresholds=GateThresholds(),
            baseline=None,
            verdicts=[verdict],
            nothing_lost=triggered,
            lost_message="rows were lost",
            status="FAILED",
            passed=False,
        ),
    )
    write_record(
        folder.outcome(version), Outcome(**common, status="stopped", message="stopped", at=moment)
    )


def test_a_kill_switch_is_found_until_the_state_is_published(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    folder = StateFolder(settings.data_dir, "WV")
    assert kill_switch_stops(settings) == []
    stop(folder, "20260101000000")
    (problem,) = kill_switch_stops(settings)
    assert (problem.key, problem.run_id) == ("kill_switch:WV", "run-20260101000000")
    assert problem.hides == ("state_stale:WV", "state_unpublished:WV")
    assert problem.message == (
        "20260101000000 is not published: K1 TRIGGERED: Company bad ratio 40.0% > 15.0%"
    )
    folder.receipt("20260102000000").parent.mkdir(parents=True)
    folder.receipt("20260102000000").write_text("{}", encoding="utf-8")
    assert kill_switch_stops(settings) == []
    stop(folder, "20260103000000")
    assert [p.run_id for p in kill_switch_stops(settings)] == ["run-20260103000000"]


def test_lost_rows_are_no_kill_switch(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    stop(StateFolder(settings.data_dir, "WV"), "20260101000000", triggered=False)
    assert kill_switch_stops(settings) == []
