"""What lies in the folder of an embedded server, and how its processes talk through it.

`users.lock` is held shared by every process that uses the server, `supervisor.lock` exclusively by
the one supervisor, `alive.lock` by the same one while its server is ready, `postgres.lock` by
PostgreSQL and all its children, `starting.lock` by the one process that is about to start a
supervisor. All are flock(2) locks: the kernel drops them however their holder ends. `server.json`
says where a ready server listens, `socket.path` which folder a supervisor made for the socket.
"""

import fcntl
import json
import os
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from outreach_platform.foundation.errors import OutreachError, UsageError

SUPERUSER = "outreach"
PORT = 5432
SOCKET_PREFIX = "outreach-pg-"
SOCKET_NAME = f".s.PGSQL.{PORT}"
# Longest path of a unix socket, the closing zero not counted: 107 on Linux, 103 on macOS.
_LONGEST_SOCKET = 103
_LARGEST_LOG = 4 * 1024 * 1024
_TAIL_LINES = 12


class EmbeddedServerError(OutreachError):
    """The embedded PostgreSQL did not come up, or went away."""

    retryable = True


@dataclass(frozen=True)
class ServerInfo:
    """A ready server.

    Attributes:
        supervisor_pid: process that stops the server when nobody uses it any more.
        pid: the postmaster.
        socket_dir: folder of the unix socket.
        version: major version of PostgreSQL.
        durable: whether fsync is on.
    """

    supervisor_pid: int
    pid: int
    socket_dir: str
    version: int
    durable: bool


@dataclass(frozen=True)
class Layout:
    """Paths under the folder of one embedded server."""

    folder: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory, complete from its first moment."""
        return self.folder / "cluster"

    @property
    def users_lock(self) -> Path:
        """Shared by all users."""
        return self.folder / "users.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor, whose pid it contains."""
        return self.folder / "supervisor.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the supervisor of a ready server, for others to look whether it lives."""
        return self.folder / "alive.lock"

    @property
    def starting_lock(self) -> Path:
        """Held while one process starts a supervisor."""
        return self.folder / "starting.lock"

    @property
    def postgres_lock(self) -> Path:
        """Inherited by PostgreSQL: free means that none of its processes is left."""
        return self.folder / "postgres.lock"

    @property
    def info(self) -> Path:
        """Where the ready server listens."""
        return self.folder / "server.json"

    @property
    def socket_marker(self) -> Path:
        """Names the socket folder from the moment it is made."""
        return self.folder / "socket.path"

    @property
    def log(self) -> Path:
        """Messages of the supervisor, initdb and PostgreSQL."""
        return self.folder / "server.log"

    def read_info(self) -> ServerInfo | None:
        """What `server.json` says; None without one, or when it cannot be read."""
        try:
            return ServerInfo(**json.loads(self.info.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def is_alive(self, info: ServerInfo) -> bool:
        """Whether the supervisor lives and somebody listens on the socket.

        A killed supervisor loses its locks before the kernel tells PostgreSQL to end, so a server
        that is about to go is never taken for a live one. Its pid would still exist by then.
        """
        return _is_held(self.alive_lock) and _listens(info.socket_dir)

    def write_info(self, info: ServerInfo) -> None:
        """Replace `server.json` at once, so that nobody reads half of it."""
        aside = self.info.with_name(f"server.json.{os.getpid()}")
        aside.write_text(json.dumps(asdict(info)), encoding="utf-8")
        aside.replace(self.info)

    def log_tail(self, offset: int = 0) -> str:
        """The last lines of the log that were written after byte `offset`, on one line."""
        try:
            with self.log.open("rb") as file:
                file.seek(min(offset, self.log.stat().st_size))
                text = file.read()[-20_000:].decode("utf-8", "replace")
        except OSError:
            return "(no log)"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-_TAIL_LINES:]) or "(nothing was logged)"


def open_log(layout: Layout) -> int:
    """Open the log for appending, close-on-exec.

    Raises:
        OSError: the folder cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(layout.log, flags, 0o600)
    except PermissionError:
        # Left by a run as root in somebody's own folder: that person may start a new one.
        layout.log.unlink()
        return os.open(layout.log, flags, 0o600)


def rotate_log(layout: Layout) -> bool:
    """Move a log of over 4 MiB to `server.log.1`; True when it was moved."""
    if layout.log.stat().st_size <= _LARGEST_LOG:
        return False
    layout.log.replace(layout.log.with_name("server.log.1"))
    return True


def open_lock(path: Path) -> int:
    """Open a lock file, made when missing, close-on-exec.

    Raises:
        OSError: it can be neither read nor made.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        # Made by root in a shared folder; flock needs no right to write.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock if it is free now.

    Raises:
        UsageError: the file system has no locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UsageError(
            f"the file system of the embedded databases' folder has no file locks "
            f"({error.strerror}): set OUTREACH_DATA_DIR to a folder on a local disk"
        ) from None
    return True


def unlock(fd: int) -> None:
    """Give up a lock and keep the file open."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def still_there(path: Path, fd: int) -> bool:
    """Whether `path` still names the file that `fd` has open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def wait_lock(fd: int, seconds: float, *, shared: bool = False) -> bool:
    """Try for up to `seconds` to take the lock."""
    deadline = time.monotonic() + seconds
    while not try_lock(fd, shared=shared):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def make_socket_dir() -> Path:
    """Make a folder (0700) under the temporary folder, or /tmp where that path is too long."""
    path = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX))
    if len(os.fsencode(path / f"{SOCKET_NAME}.lock")) > _LONGEST_SOCKET:
        path.rmdir()
        path = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir="/tmp"))
    return path


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not try_lock(fd, shared=True):
            return True
        unlock(fd)  # Closing would not do if another thread forks just now.
        return False
    finally:
        os.close(fd)


def _listens(socket_dir: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        try:
            client.connect(f"{socket_dir}/{SOCKET_NAME}")
        except BlockingIOError:
            return True  # The queue of waiting connections is full, so there is a server.
        except OSError:
            return False
    return True
