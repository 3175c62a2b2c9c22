"""Real PostgreSQL servers for tests."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
from psycopg2 import sql

from outreach_platform.embedded.binaries import binaries_for
from outreach_platform.embedded.cluster import (
    create_cluster,
    server_options,
    start_postmaster,
    stop_postmaster,
    wait_ready,
)
from outreach_platform.embedded.layout import (
    SUPERUSER,
    Layout,
    make_socket_dir,
    open_lock,
    open_log,
    wait_lock,
)
from outreach_platform.embedded.privileges import server_identity
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.foundation.postgres.url import DatabaseUrl

ROOT = Path(__file__).parents[2]


def start_server(folder: Path) -> EmbeddedServer:
    """A server without fsync in `folder`; end it with `stop_server`."""
    return ensure_running(folder, durable=False)


def stop_server(server: EmbeddedServer) -> None:
    """Give the server up and wait until it is down, without its two seconds of patience."""
    supervisor = server.supervisor_pid
    lock = open_lock(Layout(server.folder).supervisor_lock)
    try:
        server.release()
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
        assert wait_lock(lock, 60), f"supervisor {supervisor} does not end"
    finally:
        os.close(lock)


def fresh_database(server: EmbeddedServer, name: str, template: str | None = None) -> DatabaseUrl:
    """CREATE DATABASE, empty or as a copy of `template`, to which nobody may be connected."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    execute(server.url("postgres"), statement)
    return server.url(name)


def drop_database(server: EmbeddedServer, name: str) -> None:
    """Drop a database whoever is connected to it; nothing where it is gone."""
    execute(
        server.url("postgres"),
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)),
    )


def execute(url: DatabaseUrl, statement: str | sql.Composable) -> None:
    """Run one statement, or several in one text, in autocommit."""
    connection = psycopg2.connect(url.conninfo)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def fetch(url: DatabaseUrl, query: str) -> list[tuple]:
    """All rows of a query."""
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


@dataclass(frozen=True)
class PasswordServer:
    """A server on 127.0.0.1 that wants a password (scram-sha-256) over TCP."""

    port: int
    user: str
    password: str
    dbname: str = "postgres"

    def url(self, password: str | None = None) -> DatabaseUrl:
        """Its address, with the right password or with another one."""
        return DatabaseUrl.from_parts(
            host=f"127.0.0.1:{self.port}",
            dbname=self.dbname,
            user=self.user,
            password=self.password if password is None else password,
        )


@contextmanager
def password_server() -> Iterator[PasswordServer]:
    """Run a server that asks for a password, for the time of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="password-server-"))
    layout = Layout(folder)
    socket_dir = make_socket_dir()
    password = f"right-{secrets.token_hex(8)}"
    inherit, log = open_lock(layout.postgres_lock), open_log(layout)
    postmaster = None
    try:
        binaries = binaries_for(layout.cluster)
        identity = server_identity(layout.cluster, [binaries.postgres, binaries.initdb])
        identity.own(socket_dir)
        password_file = folder / "password"
        password_file.write_text(password)
        identity.own(password_file)
        create_cluster(
            layout,
            binaries,
            identity,
            inherit=inherit,
            durable=False,
            log=log,
            extra_arguments=("--auth-host=scram-sha-256", f"--pwfile={password_file}"),
        )
        port = free_port()
        options = server_options(
            socket_dir, durable=False, extra={"listen_addresses": "127.0.0.1", "port": str(port)}
        )
        postmaster = start_postmaster(layout, binaries, identity, options, inherit=inherit, log=log)
        server = PasswordServer(port, SUPERUSER, password)
        wait_ready(postmaster, layout, server.url().conninfo, 0)
        yield server
    finally:
        if postmaster is not None:
            stop_postmaster(postmaster)
        os.close(inherit)
        os.close(log)
        shutil.rmtree(socket_dir, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait generously for a condition; fail with `what` otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.05)


def ordinary_user_python() -> list[str]:
    """Command that runs Python as an ordinary user: as nobody if we are root.

    Skips the test where that user reaches no interpreter of our version or not this checkout.
    """
    if os.geteuid() != 0:
        return [sys.executable]
    drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if shutil.which("setpriv") is None:
        pytest.skip("root, and no setpriv to become somebody else")
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        # The shell in between: setpriv itself may still pass folders that the user cannot.
        command = [*drop, "/bin/sh", "-c", 'exec "$0" "$@"', python]
        probe = subprocess.run(
            [*command, "-c", "import outreach_platform.embedded.server"],
            env=user_environment(),
            capture_output=True,
            check=False,
        )
        if probe.returncode == 0:
            return command
    pytest.skip("user nobody cannot run this checkout's Python")
    return []


def user_environment() -> dict[str, str]:
    """Environment for a Python of another user that is to import what we import."""
    path = [str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path)}
