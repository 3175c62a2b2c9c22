"""One instance for terminal, UI and a plain `dagster dev`, whatever DAGSTER_HOME says."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml

from outreach_platform.foundation.errors import UsageError
from outreach_platform.operations import readiness
from outreach_platform.operations.instance import (
    dagster_home,
    open_instance,
    prepare_home,
    render_config,
)
from outreach_platform.operations.jobs import WING_TAG
from outreach_platform_tests.operations import tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHOSEN = "OUTREACH_CHOSEN_DAGSTER_HOME"
LAUNCH = """
mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""


@pytest.fixture(autouse=True)
def no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", CHOSEN):
        monkeypatch.setenv(name, "")  # so that whatever the test sets is taken back
        monkeypatch.delenv(name)


def test_root_file_and_generated_file_differ_in_paths_only(tmp_path: Path) -> None:
    root = (ROOT / "dagster.yaml").read_text()
    assert root == render_config(Path("data/dagster")), "render dagster.yaml anew"
    home = prepare_home(tmp_path)
    generated = (home / "dagster.yaml").read_text()
    assert generated != root
    assert generated.replace(str(home), "data/dagster") == root
    # On PostgreSQL they differ in the storage besides, and in nothing else.
    ours, database = yaml.safe_load(root), render_config(Path("data/dagster"), postgres=True)
    assert {**yaml.safe_load(database), "storage": None} == {**ours, "storage": None}


def test_file_says_what_the_design_needs() -> None:
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert config["telemetry"] == config["nux"] == {"enabled": False}
    assert config["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert config["run_monitoring"]["max_runtime_seconds"] > 0
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    limits = config["concurrency"]["runs"]["tag_concurrency_limits"]
    state, wing = limits
    assert wing["key"] == WING_TAG
    # The tag is the one that Dagster gives a run of a partition with a dimension "state".
    key = dg.MultiPartitionKey({"date": "2026-01-02", "state": "WV"})
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([tiny.by_state], partition_key=key, instance=instance)
        assert result.dagster_run.tags[state["key"]] == "WV"
    for limit in limits:
        assert limit["value"] == {"applyLimitPerUniqueValue": True}
        assert limit["limit"] == 1


@pytest.mark.parametrize("name", ["plain", "with space", "ünï: # [x] 'y' \"z\" $HOME"])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    with open_instance(tmp_path / name) as instance:
        result = tiny.defs.resolve_job_def("quick").execute_in_process(instance=instance)
        assert instance.get_run_by_id(result.run_id)
    home = tmp_path / name / "dagster"
    assert (home / "history" / "runs.db").exists()
    assert (home / "storage").is_dir()
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_our_file_is_refreshed_and_the_users_is_left_alone(tmp_path: Path) -> None:
    config = prepare_home(tmp_path) / "dagster.yaml"
    current = config.read_text()
    config.write_text(current.replace("max_concurrent_runs: 2", "max_concurrent_runs: 9"))
    prepare_home(tmp_path)
    assert config.read_text() == current
    own = "telemetry:\n  enabled: false\n"
    config.write_text(own)
    prepare_home(tmp_path)
    assert config.read_text() == own
    assert [path.name for path in config.parent.iterdir()] == ["dagster.yaml"]


def test_a_dagster_home_of_the_users_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "mine"))
    assert prepare_home(tmp_path / "data") == tmp_path / "mine"
    assert (tmp_path / "mine" / "dagster.yaml").exists()
    assert not (tmp_path / "data").exists()
    # A relative one is made absolute, which Dagster insists on.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "mine")
    assert prepare_home(tmp_path / "data") == tmp_path / "mine"
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "mine")
    assert dagster_home(tmp_path / "data") == tmp_path / "mine"


def test_our_own_choice_is_not_mistaken_for_the_users(tmp_path: Path) -> None:
    assert prepare_home(tmp_path / "one") == tmp_path / "one" / "dagster"
    assert prepare_home(tmp_path / "two") == tmp_path / "two" / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "two" / "dagster")
    # Nor by a child process.
    code = (
        "import pathlib, sys; from outreach_platform.operations.instance import prepare_home;"
        "print(prepare_home(pathlib.Path(sys.argv[1])))"
    )
    child = [sys.executable, "-c", code, str(tmp_path / "three")]
    assert subprocess.check_output(child, text=True).strip() == str(tmp_path / "three" / "dagster")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "dagster").write_text("a file in the way")
    with pytest.raises(UsageError, match=f"{tmp_path / 'dagster'} cannot be prepared"):
        prepare_home(tmp_path)


def test_a_broken_file_of_the_users_is_named(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("no_such_section: 1\n")
    with pytest.raises(UsageError, match=r"dagster\.yaml is not valid"):
        open_instance(tmp_path)


def test_a_shared_instance_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    with open_instance(tmp_path) as one, open_instance(tmp_path) as other:
        result = tiny.defs.resolve_job_def("quick").execute_in_process(instance=one)
        assert other.get_run_by_id(result.run_id)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.slow
def test_plain_dagster_dev_at_the_root_shares_the_runs_of_the_terminal(tmp_path: Path) -> None:
    """No DAGSTER_HOME, the root's dagster.yaml, a run that is launched over GraphQL."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open_instance(tmp_path / "data") as instance:
        before = tiny.defs.resolve_job_def("quick").execute_in_process(instance=instance).run_id
    environment = {k: v for k, v in os.environ.items() if k not in ("DAGSTER_HOME", CHOSEN)}
    dagster = str(Path(sys.executable).with_name("dagster"))
    log = tmp_path / "dev.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [dagster, "dev", "-m", tiny.MODULE, "-p", str(port)],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started: list[psutil.Process] = []
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: readiness.answers(url), log)
        wait_for(lambda: readiness.location_state(url, tiny.MODULE)[0], log)
        selector = {
            "repositoryLocationName": tiny.MODULE,
            "repositoryName": "__repository__",
            "jobName": "quick",
        }
        answer = readiness.graphql(url, LAUNCH, {"p": {"selector": selector}})["launchRun"]
        run_id = answer["run"]["runId"]
        started = psutil.Process(server.pid).children(recursive=True)
        with open_instance(tmp_path / "data") as instance:
            assert {run.run_id for run in instance.get_runs()} == {before, run_id}
            wait_for(lambda: is_done(instance, run_id), log)
        query = "{ runsOrError { ... on Runs { results { runId } } } }"
        shown = readiness.graphql(url, query)["runsOrError"]["results"]
        assert {run["runId"] for run in shown} == {before, run_id}
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(30)
        finally:
            for process in [psutil.Process(server.pid)] if server.poll() is None else []:
                process.kill()
            for process in started:
                if process.is_running():
                    process.kill()
    compute_logs = tmp_path / "data" / "dagster" / "storage" / run_id / "compute_logs"
    assert list(compute_logs.iterdir())
    # The queue ignores what is older than itself, which says nothing of the instance.
    warnings = [
        line
        for line in log.read_text().splitlines()
        if "WARNING" in line and "ignoring older events" not in line
    ]
    assert warnings == []


def is_done(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    assert run and run.status != dg.DagsterRunStatus.FAILURE
    return run.status == dg.DagsterRunStatus.SUCCESS


def wait_for(what: object, log: Path) -> None:
    assert callable(what)
    deadline = time.monotonic() + 150
    while not what():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)
