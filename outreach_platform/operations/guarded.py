"""Runs one of Dagster's commands in a process that ends by itself when `up` is gone.

`python -m outreach_platform.operations.guarded [--after SOCKET] COMMAND ARGUMENTS…`, where COMMAND
is a console script of Dagster's, loaded at once and called when something listens on SOCKET.

This is the second line behind the watchdog, for the case that `up` and the watchdog are killed at
the same moment. Run workers have it too: multiprocessing imports the parent's main module, which is
this one, in every process that it spawns.
"""

import os
import signal
import socket
import sys
import threading
import time
from importlib.metadata import entry_points

from outreach_platform.operations.processes import OWNER, is_running

_LOOK_SECONDS = 1.0
# The watchdog comes first, so that a run is interrupted once and not twice.
_WATCHDOG_SECONDS = 3.0
_TERMINATE_SECONDS = 4.0


def watch_owner() -> None:
    """Start a thread that ends this process when the one named in OUTREACH_UP_OWNER is gone."""
    pid, _, started = os.environ.get(OWNER, "").partition(" ")
    if pid:
        threading.Thread(
            target=_end_with, args=(int(pid), started), name="watch-owner", daemon=True
        ).start()


def _end_with(pid: int, started: str) -> None:
    while is_running(pid, started):
        time.sleep(_LOOK_SECONDS)
    time.sleep(_WATCHDOG_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_TERMINATE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def listens(path: str) -> bool:
    """Whether a process accepts connections on the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def main() -> None:
    """Load the command, wait for the socket, call it."""
    arguments = sys.argv[1:]
    after = ""
    if arguments[0] == "--after":
        after, arguments = arguments[1], arguments[2:]
    (script,) = entry_points(group="console_scripts", name=arguments[0])
    command = script.load()
    while after and not listens(after):
        time.sleep(0.1)
    sys.argv = arguments
    sys.exit(command())


# Runs in spawned run workers as well, where the module's name is __mp_main__.
if __name__ in ("__main__", "__mp_main__"):
    watch_owner()

if __name__ == "__main__":
    main()
