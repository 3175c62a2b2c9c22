"""`outreach up`: web server, daemon and code server on one instance, until Ctrl-C.

Ownership: all of them are gone some seconds after this process is, however it ended. Three things
see to that, each enough by itself in most cases: this process on its way out, the watchdog
(`watchdog.py`) when this process was killed, and a thread in each of Dagster's own processes
(`guarded.py`) when the watchdog was killed with it. What may still be left is ended by the next
`up` on the same instance.

Restarts: a part that ends unexpectedly is started again, up to three times in ten minutes; the
fourth time `up` gives up with an error. While it starts up, the first time is an error already.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import filelock

from outreach_platform.foundation.errors import (
    EXIT_INTERRUPTED,
    BusyError,
    OutreachError,
    UsageError,
)
from outreach_platform.foundation.redaction import redact
from outreach_platform.operations import readiness
from outreach_platform.operations.dead_runs import end_dead_runs
from outreach_platform.operations.instance import open_instance, prepare_home
from outreach_platform.operations.parts import FOLDER_PREFIX, Parts
from outreach_platform.operations.processes import HOME_MARK, end_marked

DEFAULT_PORTS = range(3000, 3011)
READY_SECONDS = 180.0
_LOOK_SECONDS = 0.25
# Where Dagster notes the code server of a run.
_LAUNCHED_BY_TAG = ".dagster/grpc_info"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

logger = logging.getLogger(__name__)


def serve(
    data_dir: Path,
    *,
    port: int | None,
    module: str = "outreach_platform.definitions",
    on_ready: Callable[[str], None],
    host: str = "127.0.0.1",
) -> int:
    """Run the web server, the daemon and the code server until Ctrl-C, SIGTERM or SIGHUP.

    Call it from the main thread; it blocks. Logs go to `data_dir/logs`.

    Args:
        data_dir: the data folder; also what the started processes work on.
        port: of the web UI; None takes 3000 or the next free one up to 3010.
        module: the Python module with the Dagster definitions.
        on_ready: called once with the URL, when the UI answers and the definitions are loaded.
        host: the address to listen on.

    Returns:
        130, because an interrupt is the only way to end it without an error.

    Raises:
        UsageError: the port is taken or no port.
        BusyError: another `up` runs on the same instance.
        OutreachError: the definitions do not load, or a part keeps ending.
    """
    data_dir = data_dir.absolute()
    home = prepare_home(data_dir)
    with _only_one(home) as announce, _Stop() as stop:
        port = _choose_port(host, port)
        with open_instance(data_dir) as instance:
            end_dead_runs(instance)
        url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{port}"
        parts = Parts(data_dir, home, module, host, port)
        try:
            announce(url, parts.folder)
            parts.start()
            if _wait_until_ready(parts, url, stop):
                logger.info("the UI is at %s", url)
                on_ready(url)
            while not stop.wait(_LOOK_SECONDS):
                parts.look_after()
            if stop.first == signal.SIGINT:
                _cancel_runs(data_dir, parts)
        finally:
            parts.end(hurry=lambda: stop.count > 1)
        with open_instance(data_dir) as instance:
            end_dead_runs(instance)
    return EXIT_INTERRUPTED


def running_url(data_dir: Path) -> str | None:
    """The URL of the `up` that runs on this data folder, None without one.

    It may still be starting.
    """
    home = prepare_home(data_dir)
    try:
        with filelock.FileLock(home / "up.lock", timeout=0):
            return None
    except filelock.Timeout:
        return _read_announcement(home).get("url")


def _cancel_runs(data_dir: Path, parts: Parts) -> None:
    """Mark the runs of this `up` as being cancelled, which their end will then complete.

    Somebody who presses Ctrl-C wants them to stop. After any other end they count as crashed, and
    the next `up` takes them up once.
    """
    running = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    with open_instance(data_dir) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=running)):
            if parts.code_socket in run.tags.get(_LAUNCHED_BY_TAG, ""):
                instance.report_run_canceling(run, "`outreach up` is ended with Ctrl-C")


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[Callable[[str, Path], None]]:
    lock = filelock.FileLock(home / "up.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        other = _read_announcement(home)
        raise BusyError(
            f"`outreach up` runs already on {home}, as process {other.get('pid', 'unknown')} at "
            f"{other.get('url', 'an address not known yet')}: use that one, or end it first"
        ) from None
    announcement = home / "up.json"

    def announce(url: str, folder: Path) -> None:
        text = json.dumps({"pid": os.getpid(), "url": url, "folder": str(folder)})
        new = announcement.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(announcement)

    try:
        end_marked(HOME_MARK, str(home))  # left by an `up` that was killed with its watchdog
        folder = Path(_read_announcement(home).get("folder", ""))
        if folder.name.startswith(FOLDER_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)
        yield announce
    finally:
        announcement.unlink(missing_ok=True)
        lock.release()


def _read_announcement(home: Path) -> dict[str, Any]:
    try:
        return json.loads((home / "up.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _choose_port(host: str, port: int | None) -> int:
    if port is None:
        for candidate in DEFAULT_PORTS:
            if _is_free(host, candidate):
                return candidate
        raise UsageError(
            f"ports {DEFAULT_PORTS[0]} to {DEFAULT_PORTS[-1]} are all taken: name a free one "
            "with --port"
        )
    if not 0 < port < 65536:
        raise UsageError(f"{port} is no port: name one from 1 to 65535 with --port")
    if not _is_free(host, port):
        raise UsageError(
            f"port {port} on {host} cannot be used, another program may have it: name another one "
            "with --port"
        )
    return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the web server does: a connection that lingers from before is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _wait_until_ready(parts: Parts, url: str, stop: "_Stop") -> bool:
    deadline = time.monotonic() + READY_SECONDS
    answered = False
    while not stop.wait(_LOOK_SECONDS):
        parts.refuse_dead()
        answered = answered or readiness.answers(url)
        loaded, reason = (
            readiness.location_state(url, parts.location) if answered else (False, None)
        )
        if loaded:
            return True
        if reason:
            raise OutreachError(
                f"the definitions in {parts.module} do not load ({redact(reason)}): the whole "
                f"story is in {parts.log_path('code_server')}"
            )
        if time.monotonic() > deadline:
            raise OutreachError(
                f"the web UI was not ready after {READY_SECONDS:.0f} s: see {parts.logs}"
            )
    return False


class _Stop:
    """Counts interrupts instead of raising them, so that the way out is orderly.

    Signals that the process ignores on purpose (`nohup`) stay ignored, except for SIGINT, which a
    shell ignores for every job in the background.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Stop":
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: object) -> None:
        # Nothing that takes a lock: the main thread may hold it at this moment.
        self.first = self.first or number
        self.count += 1

    def wait(self, seconds: float) -> bool:
        """Sleep `seconds`; True once a signal came."""
        time.sleep(seconds)
        return self.count > 0
