"""Whatever is killed, nothing stays behind and the next start heals it without losing a row."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psycopg2
import pytest

from outreach_platform.embedded.binaries import binaries_for
from outreach_platform.embedded.cluster import (
    cluster_processes,
    create_cluster,
    server_options,
    start_postmaster,
    stop_postmaster,
)
from outreach_platform.embedded.layout import Layout, make_socket_dir, open_lock
from outreach_platform.embedded.privileges import server_identity
from outreach_platform.embedded.server import ensure_running, is_running
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support.postgres import alive, fetch, stop_server, wait_until
from outreach_platform_tests.support.server_users import ServerUser, wait_gone

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "embedded"


def test_killed_users_leave_no_server(folder):
    users = [ServerUser(folder).ready(), ServerUser(folder).ready()]
    for user in users:
        user.kill()
    wait_gone(folder, users[0].pid, users[0].supervisor_pid, socket_dir=users[0].socket_dir)


@pytest.mark.parametrize("victim", ["supervisor_pid", "pid"])
@pytest.mark.parametrize("at_once", [True, False])
def test_kill_of_supervisor_or_postmaster(folder, victim, at_once):
    user = ServerUser(folder, durable=True).ready()
    user.run("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    before = (user.pid, user.supervisor_pid, user.socket_dir)
    os.kill(getattr(user, victim), signal.SIGKILL)
    # A signal takes a moment to arrive; the other process of the two may well be there still.
    wait_until(lambda: not alive(getattr(user, victim)), "the victim is dead")
    if not at_once:
        wait_gone_but_for_users(folder, *before[:2])
        assert not is_running(folder)
    # The living user heals it, and so does a newcomer.
    user.do("ensure_running(server.folder)")
    user.run("INSERT INTO kept VALUES (1001)")
    newcomer = ServerUser(folder).ready()
    assert newcomer.pid != before[0]
    server = ensure_running(folder)
    assert fetch(server.url(), "SELECT count(*) FROM kept") == [(1001,)]
    newcomer.leave()
    user.leave()
    stop_server(server)
    wait_gone(folder, *before[:2], newcomer.pid, newcomer.supervisor_pid, socket_dir=before[2])


def wait_gone_but_for_users(folder, *pids):
    wait_until(lambda: not any(alive(pid) for pid in pids), f"{pids} are gone")
    wait_until(lambda: not cluster_processes(Layout(folder).cluster), "PostgreSQL is gone")


def test_everybody_killed_while_a_statement_runs(folder):
    user = ServerUser(folder, durable=True).ready()
    user.run("CREATE TABLE kept AS SELECT 1 AS id")
    connection = psycopg2.connect(f"host={user.socket_dir} user=outreach dbname=neon", async_=True)
    wait_until(lambda: connection.poll() == psycopg2.extensions.POLL_OK, "connected")
    # A loop that never looks whether its postmaster lives.
    connection.cursor().execute("SELECT count(*) FROM generate_series(1, 4000000000) a")
    wait_until(lambda: busy_backends(folder), "the statement runs")
    for pid in (user.supervisor_pid, user.pid, user.process.pid):
        os.kill(pid, signal.SIGKILL)
    user.process.communicate()
    server = ensure_running(folder)
    assert fetch(server.url(), "SELECT id FROM kept") == [(1,)]
    connection.close()
    stop_server(server)
    wait_gone(folder, user.pid, user.supervisor_pid, socket_dir=user.socket_dir)


def busy_backends(folder):
    return [p for p in cluster_processes(Layout(folder).cluster) if "SELECT" in p.cmdline()[0]]


def test_kill_during_initdb(folder):
    user = ServerUser(folder)
    layout = Layout(folder)
    wait_until(lambda: list(folder.glob("cluster.new-*/base")), "initdb is at work")
    supervisor = int(layout.supervisor_lock.read_text())
    os.kill(supervisor, signal.SIGKILL)
    assert "ended before the server was ready" in user.failure()
    assert not layout.cluster.exists()
    assert list(folder.glob("cluster.new-*"))
    server = ensure_running(folder, durable=False)
    assert fetch(server.url(), "SELECT 1") == [(1,)]
    assert not list(folder.glob("cluster.new-*"))
    stop_server(server)
    wait_gone(folder, supervisor, server.pid)


def test_kill_at_any_moment_of_the_first_start(folder):
    generator = random.Random(7)
    sockets = set()
    for _ in range(8):
        user = ServerUser(folder)
        time.sleep(generator.uniform(0.2, 1.1))
        # The lock file holds the pid of the last supervisor, which may be gone already.
        supervisor = supervisor_of(folder)
        if supervisor and generator.random() < 0.6:
            os.kill(supervisor, signal.SIGKILL)
            wait_until(lambda victim=supervisor: not alive(victim), "the victim is dead")
        user.kill()
        marker = Layout(folder).socket_marker
        if marker.exists():
            sockets.add(marker.read_text())
    server = ensure_running(folder, durable=False)
    assert fetch(server.url("supabase"), "SELECT 1") == [(1,)]
    sockets.add(str(server.socket_dir))
    stop_server(server)
    wait_gone(folder, server.pid, server.supervisor_pid)
    assert not [path for path in sockets if path and Path(path).exists()]


def supervisor_of(folder):
    lock = Layout(folder).supervisor_lock
    text = lock.read_text() if lock.exists() else ""
    return int(text) if text and alive(int(text)) else None


def test_stale_notes_are_not_believed(folder):
    server = ensure_running(folder, durable=False)
    layout = Layout(folder)
    info = layout.info.read_bytes()
    identity = server_identity(layout.cluster, [])
    stop_server(server)
    # A live process of the server's user that happens to have the old postmaster's number.
    stranger = subprocess.Popen(
        ["sleep", "600"], preexec_fn=identity.preexec(signal.SIGKILL), start_new_session=True
    )
    try:
        layout.info.write_bytes(info)
        pid_file = layout.cluster / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{layout.cluster}\n0\n5432\n/nowhere\n\n0 0\nready\n")
        identity.own(pid_file)
        assert not is_running(folder)
        server = ensure_running(folder, durable=False)
        assert fetch(server.url(), "SELECT 1") == [(1,)]
        assert stranger.poll() is None
        stop_server(server)
        layout.info.write_text("{half")
        assert not is_running(folder)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_somebody_else_runs_on_the_cluster_is_refused(folder, tmp_path):
    folder.mkdir()
    layout, other_lock, socket_dir = Layout(folder), open_lock(tmp_path / "lock"), make_socket_dir()
    binaries = binaries_for(layout.cluster)
    identity = server_identity(layout.cluster, [binaries.postgres])
    identity.own(socket_dir)
    with (tmp_path / "log").open("wb") as log:
        create_cluster(layout, binaries, identity, inherit=other_lock, durable=False, log=log)
        options = server_options(socket_dir, durable=False)
        postmaster = start_postmaster(
            layout, binaries, identity, options, inherit=other_lock, log=log
        )
    try:
        wait_until((socket_dir / ".s.PGSQL.5432").exists, "it listens")
        wait_until((layout.cluster / "postmaster.pid").exists, "it has its pid file")
        with pytest.raises(UsageError, match=f"another PostgreSQL \\(pid {postmaster.pid}\\)"):
            ensure_running(folder, durable=False)
        assert postmaster.poll() is None
    finally:
        stop_postmaster(postmaster)
        os.close(other_lock)
    server = ensure_running(folder, durable=False)
    stop_server(server)
    socket_dir.rmdir()
