"""Runs whose process is gone are ended; all others are left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.operations import dead_runs
from outreach_platform.operations.dead_runs import (
    HOST_TAG,
    PID_TAG,
    STARTED_TAG,
    end_dead_runs,
    run_tags,
    tag_run,
)
from outreach_platform.operations.instance import open_instance
from outreach_platform.operations.processes import is_running, process_started
from outreach_platform_tests.operations import tiny

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
JOB = tiny.defs.resolve_job_def("sleeping")

# A command that executes a run in its own process, with our tags or without.
COMMAND = """
import pathlib, sys
from outreach_platform.operations.dead_runs import run_tags
from outreach_platform.operations.instance import open_instance
from outreach_platform_tests.operations import tiny
import dagster as dg
@dg.op
def wait():
    print("working", flush=True)
    sys.stdin.read()
@dg.job
def waiting():
    wait()
tags = run_tags() if sys.argv[2] == "tagged" else {}
with open_instance(pathlib.Path(sys.argv[1])) as instance:
    waiting.execute_in_process(instance=instance, tags=tags)
"""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "OUTREACH_CHOSEN_DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with open_instance(tmp_path) as opened:
        yield opened


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def make(
    instance: dg.DagsterInstance, status: str = "STARTED", **tags: str
) -> tuple[str, dict[str, str]]:
    """A run in the records with this process's tags, changed as given."""
    names = {"host": HOST_TAG, "pid": PID_TAG, "started": STARTED_TAG}
    all_tags = {**run_tags(), **{names[name]: value for name, value in tags.items()}}
    run = instance.create_run_for_job(
        JOB, status=dg.DagsterRunStatus(status), tags={k: v for k, v in all_tags.items() if v}
    )
    return run.run_id, all_tags


def status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run
    return run.status.value


def start_command(instance: dg.DagsterInstance, kind: str) -> tuple[subprocess.Popen[str], str]:
    data_dir = Path(instance.storage_directory()).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(data_dir), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout and process.stdout.readline() == "working\n"
    (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    return process, run.run_id


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tagged", "untagged"])
def test_a_run_whose_process_was_killed_is_ended(
    instance: dg.DagsterInstance, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, run_id = start_command(instance, kind)
    try:
        if kind == "untagged":
            assert end_dead_runs(instance) == []
            monkeypatch.setattr(dead_runs, "YOUNG_SECONDS", 0)
        assert end_dead_runs(instance) == [], "its process still runs"
        assert status(instance, run_id) == "STARTED"
        os.kill(process.pid, signal.SIGKILL)
        # Not waited for: a process that nobody has waited for is as dead.
        while process_started(process.pid):
            time.sleep(0.01)
        assert end_dead_runs(instance) == [run_id]
    finally:
        process.kill()
        process.wait()
    assert status(instance, run_id) == "FAILURE"
    (event,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert f"its process was killed or crashed: process {process.pid} is gone" in event.message or (
        event.dagster_event
        and f"process {process.pid} is gone" in (event.dagster_event.message or "")
    )
    run = instance.get_run_by_id(run_id)
    # The daemon cannot start a run of a terminal again, and is told not to try.
    assert run and run.tags["dagster/max_retries"] == "0"
    assert end_dead_runs(instance) == []


@pytest.mark.parametrize("state", ["NOT_STARTED", "STARTING", "STARTED"])
def test_gone_process(instance: dg.DagsterInstance, dead_pid: int, state: str) -> None:
    run_id, _ = make(instance, state, pid=str(dead_pid))
    assert end_dead_runs(instance) == [run_id]
    assert status(instance, run_id) == "FAILURE"


def test_a_run_that_was_to_be_cancelled_is_cancelled(
    instance: dg.DagsterInstance, dead_pid: int
) -> None:
    run_id, _ = make(instance, "CANCELING", pid=str(dead_pid))
    assert end_dead_runs(instance) == [run_id]
    assert status(instance, run_id) == "CANCELED"


def test_another_process_with_the_same_pid_counts_as_gone(instance: dg.DagsterInstance) -> None:
    own = process_started(os.getpid())
    assert own and is_running(os.getpid(), own)
    with subprocess.Popen(["sleep", "60"]) as later:
        try:
            other = process_started(later.pid)
            assert other and other != own
            # Its tags hold the pid of a process that lives, and the start of one that does not.
            run_id, _ = make(instance, pid=str(later.pid))
            living, _ = make(instance, pid=str(later.pid), started=other)
            assert end_dead_runs(instance) == [run_id]
            assert status(instance, living) == "STARTED"
        finally:
            later.kill()


def test_living_process_is_left(instance: dg.DagsterInstance) -> None:
    run_id, _ = make(instance)
    assert end_dead_runs(instance) == []
    assert status(instance, run_id) == "STARTED"


def test_other_host_is_left(instance: dg.DagsterInstance, dead_pid: int) -> None:
    make(instance, host="another-host", pid=str(dead_pid))
    assert end_dead_runs(instance) == []


@pytest.mark.parametrize("missing", ["host", "pid", "started"])
def test_run_without_all_tags_is_left(instance: dg.DagsterInstance, missing: str) -> None:
    make(instance, **{missing: ""})
    assert end_dead_runs(instance) == []


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "CANCELED"])
def test_finished_run_is_left(instance: dg.DagsterInstance, dead_pid: int, state: str) -> None:
    run_id, _ = make(instance, state, pid=str(dead_pid))
    assert end_dead_runs(instance) == []
    assert status(instance, run_id) == state


def test_a_retry_that_inherited_its_parents_tags_is_left(
    instance: dg.DagsterInstance, dead_pid: int
) -> None:
    parent, tags = make(instance, "FAILURE", pid=str(dead_pid))
    retry = instance.create_run_for_job(
        JOB,
        status=dg.DagsterRunStatus.STARTED,
        tags=tags,
        parent_run_id=parent,
        root_run_id=parent,
    )
    assert end_dead_runs(instance) == []
    # Once its worker has said who it is, it is judged like any other.
    tag_run(instance, retry.run_id)
    assert end_dead_runs(instance) == []
    instance.add_run_tags(retry.run_id, {STARTED_TAG: "of another process"})
    assert end_dead_runs(instance) == [retry.run_id]
