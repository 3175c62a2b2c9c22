"""Processes that use an embedded server, and what must be left when they are gone."""

import os
import subprocess
import sys
from pathlib import Path

from outreach_platform.embedded.cluster import cluster_processes
from outreach_platform.embedded.layout import Layout, open_lock, try_lock
from outreach_platform_tests.support.postgres import alive, user_environment, wait_until

_HOLD = """
import sys
from pathlib import Path
from outreach_platform.embedded.server import ensure_running
server = ensure_running(Path(sys.argv[1]), durable=sys.argv[2] == "durable")
print(server.supervisor_pid, server.pid, server.socket_dir, flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class ServerUser:
    """A process of its own that starts or joins the server of a folder and waits for orders.

    Attributes:
        process: the process; a session of its own.
        supervisor_pid, pid, socket_dir: of the server it found, after `ready`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = False,
        python: list[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        mode = "durable" if durable else "fast"
        self.process = subprocess.Popen(
            [*(python or [sys.executable]), "-c", _HOLD, str(folder), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=user_environment() | (env or {}),
            start_new_session=True,
        )

    def ready(self) -> "ServerUser":
        """Wait until it has the server."""
        line = self._stdout()
        assert line, self.process.communicate()[1]
        supervisor, pid, self.socket_dir = line.split()
        self.supervisor_pid, self.pid = int(supervisor), int(pid)
        return self

    def do(self, line: str) -> None:
        """Have it execute one line of Python; `server` and `ensure_running` are there."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self._stdout()
        assert answer == "done\n", answer + self.process.communicate()[1]

    def run(self, statement: str) -> None:
        """Have it execute SQL in database neon."""
        self.do(
            "import psycopg2; c = psycopg2.connect(server.url().conninfo); c.autocommit = True; "
            f"c.cursor().execute({statement!r}); c.close()"
        )

    def leave(self) -> str:
        """Let it end by itself; returns what it wrote to stderr."""
        _, errors = self.process.communicate(timeout=60)
        return errors

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.communicate()

    def failure(self) -> str:
        """The error of a process that got no server."""
        out, errors = self.process.communicate(timeout=120)
        assert self.process.returncode != 0, f"it got a server: {out}"
        return errors.strip().splitlines()[-1]

    def _stdout(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()


def wait_gone(folder: Path, *pids: int, socket_dir: str | None = None) -> None:
    """Wait until no process, lock, socket or note of the folder's server is left."""
    layout = Layout(folder)
    wait_until(lambda: not any(alive(pid) for pid in pids), f"{pids} are gone")
    wait_until(lambda: not cluster_processes(layout.cluster), "PostgreSQL is gone")
    for path in (layout.supervisor_lock, layout.users_lock, layout.postgres_lock):
        wait_until(lambda path=path: _is_free(path), f"{path.name} is free")
    if socket_dir is not None:
        wait_until(lambda: not Path(socket_dir).exists(), f"{socket_dir} is removed")


def _is_free(path: Path) -> bool:
    if not path.exists():
        return True
    fd = open_lock(path)
    try:
        return try_lock(fd)
    finally:
        os.close(fd)
