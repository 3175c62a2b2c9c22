"""`up` with its real processes: what it starts, what it refuses, and that nothing stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from outreach_platform.operations import serving
from outreach_platform.operations.instance import open_instance
from outreach_platform.operations.processes import HOME_MARK, marked
from outreach_platform.operations.readiness import graphql, location_state
from outreach_platform_tests.operations import tiny

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 150
GONE_SECONDS = 15

LAUNCH = """
mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class NotLoadedError(Exception):
    """The web server knows the new code server, and not yet its jobs."""


class Server:
    """A `serve` in a process of its own, with everything it ever started."""

    def __init__(
        self, folder: Path, port: int | None = None, module: str = tiny.MODULE, **environment: str
    ) -> None:
        self.data_dir = folder / "data"
        self.seen: set[psutil.Process] = set()
        self.url = ""
        variables = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
        variables.pop("OUTREACH_CHOSEN_DAGSTER_HOME", None)
        self.log = folder / "serve.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", tiny.MODULE, str(self.data_dir), str(port or ""), module],
                cwd=folder,
                env={**variables, "PYTHONPATH": str(ROOT), **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        self.url = line.removeprefix("READY ")
        return line

    def look(self) -> set[psutil.Process]:
        """Remember what runs now under it."""
        self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))
        return self.seen

    def one(self, text: str) -> psutil.Process:
        """The running process whose command line holds `text`."""

        def find() -> psutil.Process | None:
            found = [p for p in self.look() if is_alive(p) and text in " ".join(p.cmdline())]
            return found[0] if found else None

        process = wait_for(find)
        assert process
        return process

    def launch(self, tags: dict[str, str] | None = None) -> str:
        params = {
            "selector": {
                "repositoryLocationName": tiny.LOCATION,
                "repositoryName": "__repository__",
                "jobName": "sleeping",
            },
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
            },
        }
        answer = graphql(self.url, LAUNCH, {"p": params})["launchRun"]
        if answer["__typename"] == "PipelineNotFoundError":
            raise NotLoadedError
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def status(self, run_id: str) -> str:
        return graphql(self.url, STATUS, {"id": run_id})["runOrError"]["status"]

    def wait_started(self, run_id: str) -> None:
        wait_for(lambda: self.status(run_id) == "STARTED")
        # The asset's own child is the last process that a run starts.
        wait_for(lambda: any("sleep(120)" in " ".join(command(p)) for p in self.look()))
        self.look()

    def ends(self) -> int:
        return self.process.wait(WAIT_SECONDS)

    def assert_gone(self) -> None:
        """Nothing that was seen under it runs, and nothing else carries its mark."""
        assert self.seen
        deadline = time.monotonic() + GONE_SECONDS
        home = str(self.data_dir / "dagster")
        left: list[psutil.Process] = []
        while time.monotonic() < deadline:
            left = [*(p for p in self.seen if is_alive(p)), *marked(HOME_MARK, home)]
            if not left:
                return
            time.sleep(0.2)
        pytest.fail(f"still there: {[command(process) for process in left]}")

    def clear_away(self) -> None:
        if self.process.poll() is None:
            self.look()
            self.process.kill()
            self.process.wait()
        for process in {*self.seen, *marked(HOME_MARK, str(self.data_dir / "dagster"))}:
            if is_alive(process):
                process.kill()


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(what: Callable[[], T]) -> T:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("waited in vain")


@pytest.fixture(autouse=True)
def no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "OUTREACH_CHOSEN_DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(folder: str = "one", **arguments: object) -> Server:
        (tmp_path / folder).mkdir(exist_ok=True)
        servers.append(Server(tmp_path / folder, **arguments))  # type: ignore[arg-type]
        return servers[-1]

    yield make
    for server in servers:
        server.clear_away()


@pytest.mark.slow
def test_ctrl_c_ends_everything_but_the_embedded_server(
    start: Callable[..., Server], free_port: int, tmp_path: Path
) -> None:
    pids = tmp_path / "supervisor.pids"
    server = start(port=free_port, TINY_SUPERVISOR_PIDS=str(pids))
    assert server.line() == f"READY http://127.0.0.1:{free_port}"
    state = "dagster/partition/state"
    first, second = server.launch({state: "WV"}), server.launch({state: "WV"})
    server.wait_started(first)
    supervisor = [psutil.Process(int(pid)) for pid in wait_for(lambda: read(pids)).split()]
    assert len(supervisor) == 2

    # Meanwhile: a second one on the same data, and one elsewhere on the same port.
    assert serving.running_url(server.data_dir) == server.url
    double = start()
    assert double.line() == (
        f"BusyError `outreach up` runs already on {server.data_dir / 'dagster'}, as process "
        f"{server.process.pid} at {server.url}: use that one, or end it first"
    )
    assert double.ends() == EXIT_FAILED
    same_port = start("two", port=free_port)
    assert same_port.line().startswith(f"UsageError port {free_port} on 127.0.0.1 cannot be used")
    assert same_port.ends() == EXIT_USAGE

    # One run a state: the other state overtakes.
    other = server.launch({state: "OH"})
    wait_for(lambda: server.status(other) == "STARTED")
    assert server.status(second) == "QUEUED"

    server.look()
    server.seen -= set(supervisor)
    server.process.send_signal(signal.SIGINT)
    assert server.ends() == EXIT_INTERRUPTED
    try:
        server.assert_gone()
        assert all(is_alive(process) for process in supervisor)
    finally:
        for process in supervisor:
            process.kill()
    with open_instance(server.data_dir) as instance:
        statuses = {run.run_id: run.status.value for run in instance.get_runs()}
    assert statuses == {first: "CANCELED", other: "CANCELED", second: "QUEUED"}
    assert serving.running_url(server.data_dir) is None
    assert {path.name for path in (server.data_dir / "logs").iterdir()} >= {
        "webserver.log",
        "daemon.log",
        "code_server.log",
    }


@pytest.mark.slow
def test_kill_of_up_leaves_nothing(start: Callable[..., Server], free_port: int) -> None:
    server = start(port=free_port)
    server.line()
    run_id = server.launch()
    server.wait_started(run_id)
    folder = Path(json.loads((server.data_dir / "dagster" / "up.json").read_text())["folder"])
    assert folder.is_dir()
    server.process.kill()
    server.ends()
    server.assert_gone()
    assert not folder.exists()
    with open_instance(server.data_dir) as instance:
        run = instance.get_run_by_id(run_id)
    assert run and run.status.value == "FAILURE"


@pytest.mark.slow
def test_parts_are_restarted_and_a_double_kill_leaves_nothing(
    start: Callable[..., Server], free_port: int
) -> None:
    server = start(port=free_port)
    server.line()
    run_id = server.launch()
    server.wait_started(run_id)
    watchdog = server.one("operations.watchdog")
    watchdog.kill()
    daemon = server.one("dagster-daemon run")
    daemon.kill()
    code_server = server.one("dagster api grpc")
    code_server.kill()  # its run worker lives on, as an orphan
    successor = server.one("operations.watchdog")
    assert successor != watchdog
    assert server.one("dagster api grpc") != code_server
    assert server.one("dagster-daemon run") != daemon
    # The new code server takes another run, once the web server has found it.
    wait_for(lambda: location_state(server.url, tiny.LOCATION)[0])
    wait_for(lambda: launched(server))
    server.look()

    folder = Path(json.loads((server.data_dir / "dagster" / "up.json").read_text())["folder"])
    os.kill(successor.pid, signal.SIGKILL)
    os.kill(server.process.pid, signal.SIGKILL)
    server.ends()
    # Only what the run's asset started without any watch of its own is left to the next `up`.
    server.seen = {p for p in server.seen if "sleep(120)" not in " ".join(command(p))}
    wait_for(lambda: not any(is_alive(process) for process in server.seen))
    next_one = start(port=free_port, module="outreach_platform_tests.operations.no_such_module")
    line = next_one.line()
    assert line.startswith("OutreachError the definitions in outreach_platform_tests.operations.no")
    assert "No module named" in line
    assert "code_server.log" in line
    assert next_one.ends() == EXIT_FAILED
    server.assert_gone()
    assert not folder.exists()


@pytest.mark.slow
def test_sigterm_while_starting_leaves_nothing(start: Callable[..., Server]) -> None:
    server = start()
    server.one("dagster-webserver")
    server.process.send_signal(signal.SIGTERM)
    assert server.ends() == EXIT_INTERRUPTED
    assert server.line() == ""
    server.assert_gone()


def launched(server: Server) -> str:
    try:
        return server.launch()
    except NotLoadedError:
        return ""
    except ValueError as error:
        assert "Could not reach user code server" in str(error)
        return ""


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_next_free_port_is_taken_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(serving, "DEFAULT_PORTS", range(port, port + 5))
        assert serving._choose_port("127.0.0.1", None) in range(port + 1, port + 5)
        monkeypatch.setattr(serving, "DEFAULT_PORTS", range(port, port + 1))
        with pytest.raises(serving.UsageError, match="are all taken"):
            serving._choose_port("127.0.0.1", None)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_port_is_refused(port: int) -> None:
    with pytest.raises(serving.UsageError, match=f"{port} is no port"):
        serving._choose_port("127.0.0.1", port)
