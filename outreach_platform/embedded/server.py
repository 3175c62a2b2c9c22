"""The embedded PostgreSQL as its users see it: start it or join it, and be counted.

Each process that uses the server holds a shared lock on `users.lock` until it ends, however it
ends; forked children hold it too. The supervisor (supervisor.py) stops the server when the last
holder is gone.
"""

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from outreach_platform.embedded.cluster import server_environment
from outreach_platform.embedded.layout import (
    PORT,
    SUPERUSER,
    EmbeddedServerError,
    Layout,
    ServerInfo,
    open_lock,
    open_log,
    still_there,
    try_lock,
    unlock,
    wait_lock,
)
from outreach_platform.embedded.privileges import check_owner
from outreach_platform.embedded.supervisor import Order
from outreach_platform.foundation.errors import BusyError, UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

DATABASES = ("neon", "supabase", "events")

logger = logging.getLogger(__name__)

_SUPERVISOR = "outreach_platform.embedded.supervisor"

# Longer than a supervisor takes to stop a server, the hard way included.
_JOIN_SECONDS = 60.0
# Longer than crash recovery takes.
_START_SECONDS = 360.0

_held: dict[Path, "EmbeddedServer"] = {}
_lock = threading.RLock()


class EmbeddedServer:
    """A running server that this process holds.

    Attributes:
        folder: where it lives.
    """

    def __init__(self, folder: Path, hold: int, info: ServerInfo) -> None:
        self.folder = folder
        self._hold: int | None = hold
        self._info = info

    @property
    def pid(self) -> int:
        """The postmaster."""
        return self._info.pid

    @property
    def supervisor_pid(self) -> int:
        """The process that stops the server after its last user."""
        return self._info.supervisor_pid

    @property
    def version(self) -> int:
        """Major version of PostgreSQL."""
        return self._info.version

    @property
    def socket_dir(self) -> Path:
        """Folder of the unix socket."""
        return Path(self._info.socket_dir)

    def url(self, database: str = "neon") -> DatabaseUrl:
        """The address of a database: a unix socket, no password.

        Args:
            database: one of `DATABASES`, or another that exists.
        """
        return DatabaseUrl(
            {
                "host": self._info.socket_dir,
                "port": str(PORT),
                "user": SUPERUSER,
                "dbname": database,
            }
        )

    def release(self) -> None:
        """Give up this process's hold; a second call does nothing."""
        with _lock:
            if _held.get(self.folder) is self:
                del _held[self.folder]
            hold, self._hold = self._hold, None
            if hold is not None:
                # Closing, not unlocking: a forked child shares the lock and keeps it.
                os.close(hold)

    def _usable(self) -> bool:
        layout = Layout(self.folder)
        return (
            self._hold is not None
            and still_there(layout.users_lock, self._hold)
            # A supervisor that stops removes the note first, while PostgreSQL still listens.
            and layout.read_info() == self._info
            and layout.is_alive(self._info)
        )


def ensure_running(
    folder: Path, *, durable: bool = True, extra_options: dict[str, str] | None = None
) -> EmbeddedServer:
    """Start the server of `folder`, or join the running one.

    The server is held until this process ends or `release` is called. Calls after the first are
    cheap and return the same object; they start the server again if it has gone.

    Args:
        folder: for example `data/embedded`; made when missing.
        durable: False turns fsync off, for tests. The process that starts the server decides.
        extra_options: PostgreSQL settings over the usual ones, likewise.

    Raises:
        UsageError: the folder, the cluster in it or the installation cannot be used.
        EmbeddedServerError: the server did not come up; the message ends with its log.
        BusyError: an earlier server of this folder is still being stopped after a minute.
    """
    layout = Layout(_prepared(folder))
    with _lock:
        server = _held.get(layout.folder)
        if server is not None and server._usable():
            return server
        hold = server._hold if server is not None else None
        if hold is not None and not still_there(layout.users_lock, hold):
            os.close(hold)  # The folder was removed and made again.
            hold = None
        if hold is None:
            hold = _hold_lock(layout)
        try:
            info = _running_or_started(layout, durable, extra_options or {})
        except BaseException:
            os.close(hold)
            if server is not None:
                server._hold = None
                _held.pop(layout.folder, None)
            raise
        if info.durable is False and durable:
            logger.warning("the server in %s runs without fsync, for tests", layout.folder)
        if server is None:
            server = _held[layout.folder] = EmbeddedServer(layout.folder, hold, info)
        server._hold, server._info = hold, info
        return server


def is_running(folder: Path) -> bool:
    """Whether a server of this folder is ready now; holds nothing."""
    layout = Layout(folder.expanduser().resolve())
    info = layout.read_info()
    return info is not None and layout.is_alive(info)


def _prepared(folder: Path) -> Path:
    """Make the folder, and check that this user can work in it."""
    path = folder.expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from None
    check_owner(Layout(path).cluster)
    return path


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the embedded databases cannot use the folder {folder} ({error.strerror}): make it "
        "writable for this user and see that the disk has space, or set OUTREACH_DATA_DIR"
    )


def _hold_lock(layout: Layout) -> int:
    """Become a user; waits while a supervisor is stopping the server."""
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        try:
            fd = open_lock(layout.users_lock)
        except OSError as error:
            raise _unusable(layout.folder, error) from None
        try:
            got = wait_lock(fd, max(0.0, deadline - time.monotonic()), shared=True)
            if got and still_there(layout.users_lock, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if not got:
            raise BusyError(
                f"an earlier server in {layout.folder} is still being stopped: try again in a "
                f"minute, and see {layout.log} if that does not help"
            )


def _running_or_started(layout: Layout, durable: bool, extra_options: dict[str, str]) -> ServerInfo:
    """Find the ready server, or start one; of many processes one starts it, the others wait."""
    deadline = time.monotonic() + _START_SECONDS
    try:
        starting = open_lock(layout.starting_lock)
        supervisor = open_lock(layout.supervisor_lock)
    except OSError as error:
        raise _unusable(layout.folder, error) from None
    try:
        while True:
            info = layout.read_info()
            if info is not None and layout.is_alive(info):
                return info
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"the embedded PostgreSQL in {layout.folder} is still not ready after "
                    f"{_START_SECONDS:.0f} s; its log ends with: {layout.log_tail()}"
                )
            # Only who holds the first lock may try the second, or an attempt could keep a new
            # supervisor from getting it.
            if try_lock(starting):
                try:
                    _start_if_nobody_does(layout, supervisor, durable, extra_options)
                finally:
                    unlock(starting)
            time.sleep(0.05)
    finally:
        os.close(starting)
        os.close(supervisor)


def _start_if_nobody_does(
    layout: Layout, supervisor: int, durable: bool, extra_options: dict[str, str]
) -> None:
    if not try_lock(supervisor):
        return
    unlock(supervisor)
    logger.info("starting the embedded PostgreSQL in %s", layout.folder)
    report, child_end = os.pipe()
    try:
        try:
            offset = _launch(layout, durable, extra_options, child_end)
        finally:
            os.close(child_end)
        _read_report(layout, report, offset)
    finally:
        os.close(report)


def _launch(layout: Layout, durable: bool, extra_options: dict[str, str], report: int) -> int:
    """Start a detached supervisor; returns the size that the log had before."""
    order = Order(
        folder=str(layout.folder),
        durable=durable,
        extra_options=extra_options,
        databases=DATABASES,
        report_fd=report,
    )
    try:
        log = open_log(layout)
    except OSError as error:
        raise _unusable(layout.folder, error) from None
    try:
        offset = os.fstat(log).st_size
        launched = subprocess.Popen(
            [sys.executable, "-P", "-m", _SUPERVISOR, json.dumps(asdict(order))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # What this process can import, the supervisor can; nothing else of the environment,
            # which holds passwords, goes there.
            env=server_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=(report,),
            start_new_session=True,
        )
    finally:
        os.close(log)
    launched.wait()  # Only until it has detached.
    return offset


def _read_report(layout: Layout, report: int, offset: int) -> None:
    """Wait for the supervisor's one line.

    Raises:
        UsageError, EmbeddedServerError: what it says went wrong.
    """
    answer = b""
    deadline = time.monotonic() + _START_SECONDS
    while not answer.endswith(b"\n"):
        ready, _, _ = select.select([report], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(report, 65536) if ready else b""
        if not chunk:
            break
        answer += chunk
    message: dict[str, str] = {}
    with contextlib.suppress(ValueError):
        message = json.loads(answer)
    if message.get("status") in ("ready", "busy"):
        return
    if message.get("status") == "error":
        kind = UsageError if message["kind"] == "usage" else EmbeddedServerError
        raise kind(message["message"])
    raise EmbeddedServerError(
        f"the supervisor of the embedded PostgreSQL in {layout.folder} ended before the server was "
        f"ready; {layout.log.name} there ends with: {layout.log_tail(offset)}"
    )


def _after_fork() -> None:
    """A child starts with a free lock, whatever another thread of its parent was doing."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
