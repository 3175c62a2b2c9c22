"""The process that owns one embedded server: `python -m outreach_platform.embedded.supervisor`.

It starts PostgreSQL, waits until no process holds `users.lock` any more, and stops it. It is
detached from the process that started it and tells that one through a pipe how the start went. Not
here: who may use the server and how they find it (server.py).
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach_platform.embedded.binaries import binaries_for
from outreach_platform.embedded.cluster import (
    cluster_processes,
    create_cluster,
    create_databases,
    server_options,
    start_postmaster,
    stop_postmaster,
    wait_ready,
)
from outreach_platform.embedded.layout import (
    PORT,
    SOCKET_NAME,
    SOCKET_PREFIX,
    SUPERUSER,
    EmbeddedServerError,
    Layout,
    ServerInfo,
    make_socket_dir,
    open_lock,
    open_log,
    rotate_log,
    still_there,
    try_lock,
    unlock,
    wait_lock,
)
from outreach_platform.embedded.privileges import Identity, server_identity
from outreach_platform.foundation.errors import OutreachError, UsageError

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.3
_LINGER_SECONDS = 2.0
_TOUCH_SECONDS = 3600.0


@dataclass(frozen=True)
class Order:
    """What the starting process asks for; travels as JSON in the command line.

    Attributes:
        folder: where the server lives, absolute.
        durable: whether fsync is on.
        extra_options: PostgreSQL settings over the usual ones.
        databases: created when missing.
        report_fd: write end of the pipe that hears how the start went.
    """

    folder: str
    durable: bool
    extra_options: dict[str, str]
    databases: tuple[str, ...]
    report_fd: int


class Supervisor:
    """Starts one server and stops it when its last user has gone."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._layout = Layout(Path(order.folder))
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        self._ended_by_signal = False

    def run(self) -> None:
        """Do it all; returns when nothing is left running."""
        lock = open_lock(self._layout.supervisor_lock)
        if not try_lock(lock):
            self._report({"status": "busy"})
            return
        with contextlib.suppress(OSError):  # Root may have made the file in somebody's folder.
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
        signal.signal(signal.SIGTERM, self._on_term)
        users = open_lock(self._layout.users_lock)
        try:
            self._start()
            self._report({"status": "ready"})
            self._wait_for_end(users)
        except OutreachError as error:
            kind = "usage" if isinstance(error, UsageError) else "failed"
            logger.error("%s", error)
            self._report({"status": "error", "kind": kind, "message": str(error)})
        except OSError as error:
            logger.exception("start failed")
            message = (
                f"the embedded PostgreSQL in {self._layout.folder} could not be started: "
                f"{error.strerror} ({error.filename or 'no file named'})"
            )
            self._report({"status": "error", "kind": "usage", "message": message})
        finally:
            self._stop()

    def _start(self) -> None:
        layout, order = self._layout, self._order
        if rotate_log(layout):
            _log_to(layout)
        self._remove_stale()
        inherited = open_lock(layout.postgres_lock)
        self._await_predecessor(inherited)
        binaries = binaries_for(layout.cluster)
        bki = binaries.bin.parent / "share" / "postgresql" / "postgres.bki"
        programs = [binaries.postgres, binaries.initdb, *([bki] if bki.exists() else [])]
        identity = server_identity(layout.cluster, programs)
        offset = layout.log.stat().st_size
        create_cluster(layout, binaries, identity, inherit=inherited, durable=order.durable, log=1)
        if layout.cluster.stat().st_uid == 0:
            identity.own_tree(layout.cluster)  # A copy that root made of somebody's cluster.
        self._socket_dir = make_socket_dir()
        layout.socket_marker.write_text(str(self._socket_dir), encoding="utf-8")
        identity.own(self._socket_dir)
        options = server_options(self._socket_dir, durable=order.durable, extra=order.extra_options)
        logger.info("starting PostgreSQL %d in %s", binaries.major, layout.cluster)
        self._postmaster = start_postmaster(
            layout, binaries, identity, options, inherit=inherited, log=1
        )
        conninfo = f"host='{self._socket_dir}' port={PORT} user={SUPERUSER} dbname=postgres"
        wait_ready(self._postmaster, layout, conninfo, offset)
        create_databases(conninfo, order.databases)
        self._seal_socket(identity)
        # Nobody else ever takes this one for longer than a look.
        if not wait_lock(open_lock(layout.alive_lock), 60):
            raise EmbeddedServerError(f"{layout.alive_lock} is held by a stranger: remove it")
        layout.write_info(
            ServerInfo(
                supervisor_pid=os.getpid(),
                pid=self._postmaster.pid,
                socket_dir=str(self._socket_dir),
                version=binaries.major,
                durable=order.durable,
            )
        )

    def _remove_stale(self) -> None:
        """Clean up behind a supervisor that was killed; ours is the supervisor lock now."""
        self._layout.info.unlink(missing_ok=True)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            stale = Path(self._layout.socket_marker.read_text(encoding="utf-8"))
            if stale.name.startswith(SOCKET_PREFIX) and not stale.is_symlink():
                shutil.rmtree(stale, ignore_errors=True)
        self._layout.socket_marker.unlink(missing_ok=True)

    def _await_predecessor(self, lock: int) -> None:
        """Wait until no process of an earlier server of ours is left, and refuse a foreign one.

        Raises:
            EmbeddedServerError: the earlier one does not end.
            UsageError: somebody else runs a server on this cluster.
        """
        for what, seconds in (
            (None, 0.2),
            (signal.SIGINT, 30.0),
            (signal.SIGQUIT, 10.0),
            (signal.SIGKILL, 10.0),
        ):
            if what is not None:
                logger.warning("a PostgreSQL of an earlier start is still there: %s", what.name)
                _signal_leftovers(self._layout.cluster, what)
            if wait_lock(lock, seconds):
                break
        else:
            raise EmbeddedServerError(
                f"an earlier PostgreSQL on {self._layout.cluster} does not end: end it by hand"
            )
        pid_file = self._layout.cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        foreign = cluster_processes(self._layout.cluster)
        if foreign:
            raise UsageError(
                f"another PostgreSQL (pid {foreign[0].pid}) runs on {self._layout.cluster}: stop "
                "it, for example with pg_ctl stop, and try again"
            )
        # Nobody is left, so the file is stale; its pid may by now be some other program's, and
        # PostgreSQL would then refuse to start.
        pid_file.unlink()

    def _seal_socket(self, identity: Identity) -> None:
        """As root, leave the socket to the folder's owner: the server's user may be shared."""
        if identity.uid is not None and self._socket_dir is not None:
            owner = self._layout.folder.stat()
            os.chown(self._socket_dir, owner.st_uid, owner.st_gid)

    def _wait_for_end(self, users: int) -> None:
        """Return when PostgreSQL has ended, or nobody has used it for two seconds.

        In the second case the users' lock is held exclusively, so that newcomers wait until the
        server is down and then start another.
        """
        idle_since: float | None = None
        touched = time.monotonic()
        while not self._ended_by_signal:
            if self._postmaster is None or self._postmaster.poll() is not None:
                logger.error("PostgreSQL ended by itself")
                return
            if not still_there(self._layout.users_lock, users):
                logger.warning("the folder was removed")
                return
            if not try_lock(users):
                idle_since = None
            elif idle_since is not None and time.monotonic() - idle_since >= _LINGER_SECONDS:
                logger.info("nobody uses the server any more")
                return
            else:
                unlock(users)
                idle_since = idle_since or time.monotonic()
            if time.monotonic() - touched > _TOUCH_SECONDS:
                touched = time.monotonic()
                self._touch_socket()
            time.sleep(_POLL_SECONDS)

    def _touch_socket(self) -> None:
        """Keep cleaners of temporary folders away: as root, PostgreSQL itself cannot."""
        if self._socket_dir is not None:
            for path in (self._socket_dir, self._socket_dir / SOCKET_NAME):
                with contextlib.suppress(OSError):
                    os.utime(path)

    def _stop(self) -> None:
        self._layout.info.unlink(missing_ok=True)
        if self._postmaster is not None:
            stop_postmaster(self._postmaster)
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        self._layout.socket_marker.unlink(missing_ok=True)

    def _on_term(self, *_: object) -> None:
        self._ended_by_signal = True

    def _report(self, message: dict[str, Any]) -> None:
        """Tell the starting process, if it still listens; only the first report counts."""
        with contextlib.suppress(OSError):
            os.write(self._order.report_fd, json.dumps(message).encode() + b"\n")
            os.close(self._order.report_fd)


def main() -> None:
    """Detach, then supervise; the argument is an `Order` as JSON."""
    raw = json.loads(sys.argv[1])
    order = Order(**{**raw, "databases": tuple(raw["databases"])})
    # A second fork: the starting process may live long and would keep us as a zombie.
    if os.fork() != 0:
        os._exit(0)
    os.set_inheritable(order.report_fd, False)
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s supervisor %(message)s"
    )
    Supervisor(order).run()


def _log_to(layout: Layout) -> None:
    fd = open_log(layout)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def _signal_leftovers(cluster: Path, what: signal.Signals) -> None:
    """Signal the postmaster, which ends the others; without one, each of them."""
    left = cluster_processes(cluster)
    pids = {process.pid for process in left}
    postmasters = [process for process in left if process.ppid() not in pids]
    alone = len(postmasters) == 1 and what is not signal.SIGKILL
    for process in postmasters if alone else left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, what)


if __name__ == "__main__":
    main()
