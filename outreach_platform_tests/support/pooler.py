"""PgBouncer in transaction mode before a real server, as Neon's and Supabase's hosts have it."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import PasswordServer, free_port, wait_until

_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port} user={user} password={password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 50
server_reset_query_always = 0
"""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer.

    Attributes:
        port: on 127.0.0.1.
        user: the role that all clients become.
        pid: of the process.
    """

    port: int
    user: str
    pid: int

    def url(self, dbname: str) -> DatabaseUrl:
        """The address of a database through the pooler."""
        return DatabaseUrl(
            {"host": "127.0.0.1", "port": str(self.port), "user": self.user, "dbname": dbname}
        )


@contextmanager
def transaction_pooler(server: PasswordServer, *, pool_size: int = 2) -> Iterator[Pooler]:
    """Run a pooler for the time of a `with` block; skips the test where there is none installed.

    Args:
        server: what stands behind it.
        pool_size: server connections a database; clients above that take turns by transaction.
    """
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    folder = Path(tempfile.mkdtemp(prefix="pooler-"))
    port = free_port()
    file = folder / "pgbouncer.ini"
    file.write_text(
        _SETTINGS.format(
            server_port=server.port,
            user=server.user,
            password=server.password,
            port=port,
            pool_size=pool_size,
        )
    )
    command = [program, str(file)]
    if os.geteuid() == 0:
        # PgBouncer refuses to run as root.
        for path in (folder, file):
            shutil.chown(path, "nobody")
        drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
        command = [*drop, *command]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
    )
    try:
        pooler = Pooler(port, server.user, process.pid)
        wait_until(lambda: process.poll() is not None or _answers(pooler), "pgbouncer answers")
        assert process.poll() is None, (folder / "log").read_text()
        yield pooler
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(pooler: Pooler) -> bool:
    try:
        psycopg2.connect(pooler.url("postgres").conninfo, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
