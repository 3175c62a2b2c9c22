"""The sensor by ticks on a real instance: a real run fails, is told, is healed, is told."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from outreach_platform.operations.alerts.sensors import run_failure_alert
from outreach_platform.resources import PlatformSettings
from outreach_platform_tests.support.postgres import free_port
from outreach_platform_tests.support.product import without_configuration
from outreach_platform_tests.support.webhooks import SECRET, listening, says

BROKEN: list[bool] = []


@dg.op
def step() -> None:
    if BROKEN:
        raise dg.Failure("the rows of ann.lee@example.org broke it", allow_retries=False)


@dg.job(executor_def=dg.in_process_executor)
def nightly() -> None:
    step()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    environment = without_configuration()
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    BROKEN.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
    BROKEN.clear()


def run(instance: dg.DagsterInstance, *, broken: bool) -> str:
    BROKEN[:] = [True] if broken else []
    return nightly.execute_in_process(instance=instance, raise_on_error=False).run_id


def tick(instance: dg.DagsterInstance) -> str:
    context = dg.build_sensor_context(instance, resources={"platform": PlatformSettings()})
    answer: Any = run_failure_alert(context)
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message or ""


@pytest.mark.slow
def test_a_run_that_fails_and_heals_is_two_messages(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTREACH_PUBLIC_URL", "https://outreach.example")
    with listening(says(200)) as (url, heard):
        monkeypatch.setenv("ALERT_WEBHOOK_URL", url)
        assert tick(instance) == "nothing changed"
        failed = run(instance, broken=True)
        assert tick(instance) == "1 new messages, 1 delivered, 0 wait"
        assert tick(instance) == "nothing changed"
        run(instance, broken=False)
        tick(instance)
        assert tick(instance) == "nothing changed"
    opened, cleared = (json.loads(request["body"]) for request in heard)
    assert (opened["event"], opened["kind"], opened["subject"]) == (
        *("opened", "run_failed", "nightly"),
    )
    assert opened["message"] == "step: the rows of a***@e***.org broke it"
    assert opened["run_url"] == f"https://outreach.example/runs/{failed}"
    assert cleared["event"] == "cleared"


def test_a_webhook_that_is_down_fails_no_tick(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/{SECRET}")
    run(instance, broken=True)
    reason = tick(instance)
    assert "1 new messages, 0 delivered, 1 wait" in reason
    assert "no connection" in reason
    assert "hook-5f1c9e" not in reason


def test_nobody_to_tell_is_a_reason(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run(instance, broken=True)
    assert "are not set" in tick(instance)
    assert not (tmp_path / "data" / "operations").exists()


def test_the_demonstration_sends_nothing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(instance, broken=True)
    with listening(says(200)) as (url, heard):
        monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
        monkeypatch.setenv("OUTREACH_EMBEDDED_ONLY", "1")
        assert tick(instance) == "the demonstration sends nothing"
    assert heard == []


def test_it_is_on_and_looks_twice_a_minute() -> None:
    assert run_failure_alert.default_status is dg.DefaultSensorStatus.RUNNING
    assert run_failure_alert.minimum_interval_seconds == 30
