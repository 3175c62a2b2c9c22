"""Makes a cluster, runs its postmaster, and ends it; knows nothing of users or supervisors."""

import locale
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import psutil
import psycopg2

from outreach_platform.embedded.binaries import Binaries
from outreach_platform.embedded.layout import PORT, SUPERUSER, EmbeddedServerError, Layout
from outreach_platform.embedded.privileges import Identity
from outreach_platform.foundation.errors import UsageError

_UNFINISHED = "cluster.new-"
_READY_SECONDS = 300.0
_FAST_SECONDS = 30.0
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Below this, PostgreSQL's parallel queries fail in containers, whose default is 64 MiB.
_SMALLEST_SHM = 512 * 1024 * 1024
_BASE_OPTIONS = {
    "listen_addresses": "",
    "port": str(PORT),
    "shared_buffers": "128MB",
    "max_connections": "60",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    # No standby ever follows this server, and bulk loads into new tables write half as much.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
}


def server_options(
    socket_dir: Path, *, durable: bool, extra: dict[str, str] | None = None
) -> dict[str, str]:
    """The settings a server is started with; `extra` wins over all others."""
    options = dict(_BASE_OPTIONS, unix_socket_directories=str(socket_dir))
    if _shared_memory_is_small():
        options["dynamic_shared_memory_type"] = "mmap"
    if not durable:
        options |= _NOT_DURABLE
    return options | (extra or {})


def create_cluster(
    layout: Layout,
    binaries: Binaries,
    identity: Identity,
    *,
    inherit: int,
    durable: bool,
    log: IO[bytes] | int,
    extra_arguments: tuple[str, ...] = (),
) -> None:
    """Make `layout.cluster` if it is not there: under another name, then renamed.

    Args:
        layout: where.
        binaries: what with.
        identity: who will own it.
        inherit: file descriptor of the lock that initdb and its children hold.
        durable: whether to wait for the disk.
        log: what initdb writes goes there.
        extra_arguments: further arguments for initdb, the last of two equal ones counts.

    Raises:
        EmbeddedServerError: initdb failed.
        UsageError: something that is no cluster is in the way.
        OSError: the folder cannot be written.
    """
    for leftover in layout.folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)
    if (layout.cluster / "PG_VERSION").exists():
        return
    if layout.cluster.exists():
        if not layout.cluster.is_dir() or any(layout.cluster.iterdir()):
            raise UsageError(
                f"{layout.cluster} is no PostgreSQL cluster (it has no PG_VERSION): move it away, "
                "and a new one is made"
            )
        layout.cluster.rmdir()
    started = layout.log.stat().st_size if layout.log.exists() else 0
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=layout.folder))
    identity.own(unfinished)
    arguments = ["-D", str(unfinished), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
    arguments += _locale_arguments(binaries.major)
    if not durable:
        arguments.append("--no-sync")
    done = subprocess.run(
        [str(binaries.initdb), *arguments, *extra_arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=server_environment(),
        cwd="/",
        pass_fds=(inherit,),
        preexec_fn=identity.preexec(signal.SIGKILL),
    )
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise EmbeddedServerError(
            f"the embedded PostgreSQL could not make its cluster in {layout.folder}; "
            f"{layout.log.name} there ends with: {layout.log_tail(started)}"
        )
    unfinished.rename(layout.cluster)
    if durable:
        _sync_folder(layout.folder)


def start_postmaster(
    layout: Layout,
    binaries: Binaries,
    identity: Identity,
    options: dict[str, str],
    *,
    inherit: int,
    log: IO[bytes] | int,
) -> "subprocess.Popen[bytes]":
    """Start the server process; it ends with this process (SIGINT, a fast shutdown, on Linux)."""
    settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    return subprocess.Popen(
        [str(binaries.postgres), "-D", str(layout.cluster), *settings],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=server_environment(),
        cwd="/",
        pass_fds=(inherit,),
        start_new_session=True,
        preexec_fn=identity.preexec(signal.SIGINT),
    )


def wait_ready(
    postmaster: "subprocess.Popen[bytes]", layout: Layout, conninfo: str, log_offset: int
) -> None:
    """Wait until the server answers; crash recovery may take its time.

    Raises:
        EmbeddedServerError: it ended, or does not answer within five minutes.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            psycopg2.connect(conninfo, connect_timeout=10).close()
        except psycopg2.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
        else:
            return
        if postmaster.poll() is not None:
            reason = f"it ended with {postmaster.returncode}"
        elif time.monotonic() < deadline:
            time.sleep(0.03)
            continue
        raise EmbeddedServerError(
            f"the embedded PostgreSQL in {layout.folder} did not come up ({reason}); "
            f"{layout.log.name} there ends with: {layout.log_tail(log_offset)}"
        )


def stop_postmaster(postmaster: "subprocess.Popen[bytes]") -> None:
    """End the server: fast shutdown, after 30 s immediate shutdown, after 10 more the hard way."""
    for what, seconds in (
        (signal.SIGINT, _FAST_SECONDS),
        (signal.SIGQUIT, 10.0),
        (signal.SIGKILL, 10.0),
    ):
        if postmaster.poll() is not None:
            return
        postmaster.send_signal(what)
        try:
            postmaster.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def create_databases(conninfo: str, names: tuple[str, ...]) -> None:
    """Create the databases that are missing, as the superuser that `conninfo` names."""
    connection = psycopg2.connect(conninfo)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            there = {row[0] for row in cursor.fetchall()}
            for name in names:
                if name not in there:
                    # FILE_COPY costs two checkpoints; WAL_LOG is quicker for an empty template.
                    cursor.execute(f'CREATE DATABASE "{name}" STRATEGY wal_log')
    finally:
        connection.close()


def cluster_processes(cluster: Path) -> list[psutil.Process]:
    """The PostgreSQL processes that work in this data directory, the postmaster first."""
    found = []
    for process in psutil.process_iter():
        try:
            # Each of them makes the data directory its working directory.
            if process.name().startswith("postgres") and Path(process.cwd()).samefile(cluster):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return sorted(found, key=lambda process: process.create_time())


def server_environment() -> dict[str, str]:
    """An environment without anybody's secrets and without PG* variables."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def _locale_arguments(major: int) -> list[str]:
    libc = _libc_locale()
    if major >= 17:
        # PostgreSQL's own C.UTF-8 sorts and folds the same on every machine, whatever its libc.
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--locale={libc}"]
    return [f"--locale={libc}"]


def _libc_locale() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _shared_memory_is_small() -> bool:
    try:
        status = os.statvfs("/dev/shm")
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _SMALLEST_SHM


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
