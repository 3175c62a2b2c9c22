"""Processes of one `up`: how they are recognised, and how they are ended.

Every process that `up` starts, and all that those start, carry two environment variables: the mark
of this `up` and the instance's folder. That holds after any parent died, for double forks, and
without rights beyond the user's own, on Linux and macOS.

Not ended, whatever it carries: the supervisor of the embedded PostgreSQL and what runs under it.
Other terminals may be using it, and it ends by itself when nobody does.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

MARK = "OUTREACH_UP_MARK"
HOME_MARK = "OUTREACH_UP_HOME"
# Who started them, as "pid started", for processes that watch over themselves.
OWNER = "OUTREACH_UP_OWNER"

TERMINATE_SECONDS = 5.0
KILL_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
_SUPERVISOR = "outreach_platform.embedded.supervisor"
_SERVER_NAMES = frozenset({"postgres", "initdb", "pg_ctl"})

logger = logging.getLogger(__name__)


def process_started(pid: int) -> str | None:
    """A token for when process `pid` started, None when there is no such process (or a zombie).

    Two processes that had the same pid one after the other have different tokens. On Linux it is
    made of the boot and the kernel's clock ticks since then, because the wall-clock start time that
    is computed from them moves whenever the clock is set.
    """
    stat = Path(f"/proc/{pid}/stat")
    try:
        # The name in the second field may hold spaces and brackets; the state follows the last.
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return None if fields[0] in "ZX" else f"{boot[:13]}/{fields[19]}"
    except OSError:
        pass
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.0f}"
    except psutil.Error:
        return None


def is_running(pid: int, started: str) -> bool:
    """Whether the process that had `pid` and the start token `started` still runs."""
    return process_started(pid) == started


def marked(variable: str, value: str, spare: Collection[int] = ()) -> list[psutil.Process]:
    """Running processes whose environment has `variable` set to `value`.

    Left out are this process, those in `spare`, zombies, and the embedded PostgreSQL.
    """
    left_out = {os.getpid(), *spare}
    found = [
        process
        for process in psutil.process_iter()
        if process.pid not in left_out and _environment(process).get(variable) == value
    ]
    return [process for process in found if not _is_embedded_server(process)]


def end_marked(
    variable: str,
    value: str,
    spare: Collection[int] = (),
    *,
    hurry: Callable[[], bool] = lambda: False,
    terminate_seconds: float = TERMINATE_SECONDS,
) -> None:
    """End all marked processes: SIGTERM, so that runs record their end, then SIGKILL.

    Args:
        variable: name of the environment variable, MARK or HOME_MARK.
        value: its value.
        spare: process ids to leave.
        hurry: asked repeatedly; True cuts the waiting short.
        terminate_seconds: how long they may take after SIGTERM.
    """
    asked: set[psutil.Process] = set()
    deadline = time.monotonic() + terminate_seconds
    # Looked for anew each time: a daemon may have started a run a moment before it ended.
    while (left := marked(variable, value, spare)) and time.monotonic() < deadline and not hurry():
        for process in left:
            if process not in asked:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
                asked.add(process)
        time.sleep(_PAUSE_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while left and time.monotonic() < deadline:
        for process in left:
            logger.warning("process %d did not end by itself and is killed", process.pid)
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_PAUSE_SECONDS)
        left = marked(variable, value, spare)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _is_embedded_server(process: psutil.Process) -> bool:
    try:
        line = [process, *process.parents()]
        return process.name() in _SERVER_NAMES or any(_SUPERVISOR in _command(it) for it in line)
    except psutil.Error:
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
