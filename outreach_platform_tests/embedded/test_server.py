"""Starting, joining and leaving the embedded server, with real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from outreach_platform.embedded.layout import Layout
from outreach_platform.embedded.server import DATABASES, ensure_running, is_running
from outreach_platform_tests.support.postgres import (
    execute,
    fetch,
    stop_server,
    user_environment,
    wait_until,
)
from outreach_platform_tests.support.server_users import ServerUser, wait_gone

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "embedded"


def test_start_join_release(folder):
    assert not is_running(folder)
    server = ensure_running(folder, durable=False)
    assert is_running(folder)
    assert ensure_running(folder) is server
    other = ServerUser(folder).ready()
    assert (other.pid, other.supervisor_pid) == (server.pid, server.supervisor_pid)
    server.release()
    server.release()
    other.run("CREATE TABLE kept AS SELECT 1 AS id")
    again = ensure_running(folder)
    assert again is not server
    assert again.pid == server.pid
    other.leave()
    assert fetch(again.url(), "SELECT id FROM kept") == [(1,)]
    again.release()
    wait_gone(folder, server.pid, server.supervisor_pid, socket_dir=str(server.socket_dir))
    assert not is_running(folder)
    assert not Layout(folder).info.exists()


def test_whoever_leaves_first_harms_nobody_and_the_data_stays(folder):
    starter = ServerUser(folder).ready()
    second = ServerUser(folder).ready()
    starter.run("CREATE TABLE kept AS SELECT 7 AS id")
    starter.leave()
    # Longer than the supervisor's patience: it would have stopped the server by now.
    with pytest.raises(subprocess.TimeoutExpired):
        second.process.wait(4)
    second.run("INSERT INTO kept VALUES (8)")
    second.leave()
    wait_gone(folder, starter.pid, starter.supervisor_pid, socket_dir=starter.socket_dir)
    server = ensure_running(folder, durable=False)
    assert server.pid != starter.pid
    assert fetch(server.url(), "SELECT id FROM kept ORDER BY 1") == [(7,), (8,)]
    stop_server(server)


def test_many_at_once_share_one_server(folder):
    users = [ServerUser(folder) for _ in range(10)]
    for user in users:
        user.ready()
    assert len({(user.supervisor_pid, user.pid, user.socket_dir) for user in users}) == 1
    users[0].run("CREATE TABLE calls (id int)")
    for number, user in enumerate(users):
        user.run(f"INSERT INTO calls VALUES ({number})")
    log = Layout(folder).log.read_text()
    assert log.count("database system is ready to accept connections") == 1
    for user in users:
        user.leave()
    wait_gone(folder, users[0].pid, users[0].supervisor_pid, socket_dir=users[0].socket_dir)


def test_newcomers_at_the_moment_of_stopping_lose_nothing(folder):
    first = ServerUser(folder).ready()
    first.run("CREATE TABLE calls (id int)")
    first.leave()
    for number in range(6):
        # Between before and after the supervisor's two seconds of patience.
        time.sleep(1.7 + number * 0.15)
        first = ServerUser(folder).ready()
        first.run(f"INSERT INTO calls VALUES ({number})")
        first.leave()
    server = ensure_running(folder, durable=False)
    assert fetch(server.url(), "SELECT count(*) FROM calls") == [(6,)]
    stop_server(server)


def test_a_forked_child_is_a_user_too(folder):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from outreach_platform.embedded.server import ensure_running\n"
        "server = ensure_running(Path(sys.argv[1]), durable=False)\n"
        "if os.fork() == 0: sys.stdin.read()\n"
        "os._exit(0)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, folder], stdin=subprocess.PIPE, env=user_environment()
    )
    assert parent.wait(60) == 0
    info = Layout(folder).read_info()
    time.sleep(4)
    assert Layout(folder).is_alive(info)
    parent.stdin.close()
    wait_gone(folder, info.pid, info.supervisor_pid, socket_dir=info.socket_dir)


def test_a_forked_child_that_leaves_takes_nothing_from_its_parent(folder):
    parent = ServerUser(folder).ready()
    parent.do(
        "import os; pid = os.fork(); "
        "(server.release(), os._exit(0)) if pid == 0 else os.waitpid(pid, 0)"
    )
    time.sleep(4)
    parent.run("SELECT 1")
    parent.leave()
    wait_gone(folder, parent.pid, parent.supervisor_pid)


def test_ctrl_c_in_the_terminal_and_closed_pipes_leave_the_server_alone(folder):
    starter = ServerUser(folder).ready()
    second = ServerUser(folder).ready()
    os.killpg(starter.process.pid, signal.SIGINT)
    # Ends only if nobody else, such as the supervisor, holds the starter's stdout and stderr.
    starter.process.communicate(timeout=60)
    second.run("SELECT 1")
    second.leave()
    wait_gone(folder, starter.pid, starter.supervisor_pid, socket_dir=starter.socket_dir)


def test_settings_and_databases(folder):
    server = ensure_running(folder, extra_options={"work_mem": "5MB"})
    for database in DATABASES:
        rows = fetch(
            server.url(database),
            "SELECT current_database(), current_user, current_setting('server_encoding'), "
            "current_setting('TimeZone'), current_setting('fsync'), current_setting('work_mem'), "
            "current_setting('listen_addresses'), upper('äö')",
        )
        assert rows == [(database, "outreach", "UTF8", "UTC", "on", "5MB", "", "ÄÖ")]
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert "password" not in server.url().conninfo
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        fetch(server.url("other"), "SELECT 1")
    stop_server(server)
    fast = ensure_running(folder, durable=False)
    assert fetch(fast.url(), "SELECT current_setting('fsync')") == [("off",)]
    stop_server(fast)


def test_a_dropped_database_is_made_again_at_the_next_start(folder):
    server = ensure_running(folder, durable=False)
    execute(server.url("neon"), "DROP DATABASE events")
    stop_server(server)
    server = ensure_running(folder, durable=False)
    assert fetch(server.url("events"), "SELECT 1") == [(1,)]
    stop_server(server)


def test_no_secret_of_the_environment_reaches_the_server(folder):
    canary = "canary-7c1f"
    hostile = {"PGHOST": "nowhere", "PGPORT": "1", "PGDATA": "/nowhere", "PGOPTIONS": "-c x=y"}
    secret = {"NEON_DATABASE_URL": f"postgresql://u:{canary}@h/d", "LC_ALL": "xx_XX"}
    user = ServerUser(folder, env=hostile | secret).ready()
    for pid in (user.pid, user.supervisor_pid):
        environment = Path(f"/proc/{pid}/environ")
        if environment.exists():
            assert b"PATH=" in environment.read_bytes()
            assert canary.encode() not in environment.read_bytes()
    user.leave()
    wait_gone(folder, user.pid, user.supervisor_pid)


def test_a_long_temporary_folder_is_avoided(folder, tmp_path):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    user = ServerUser(folder, env={"TMPDIR": str(deep)}).ready()
    assert Path(user.socket_dir).parent == Path("/tmp")
    user.run("SELECT 1")
    user.leave()
    wait_gone(folder, user.pid, socket_dir=user.socket_dir)
    assert list(deep.iterdir()) == []


def test_a_long_log_is_moved_aside(folder):
    folder.mkdir()
    log = Layout(folder).log
    log.write_text("old line\n" * 600_000)
    server = ensure_running(folder, durable=False)
    assert "old line" not in log.read_text()
    assert "ready to accept connections" in log.read_text()
    assert (folder / "server.log.1").stat().st_size >= 600_000 * 9
    stop_server(server)


def test_a_removed_folder_ends_the_server_and_a_new_one_starts(folder):
    server = ensure_running(folder, durable=False)
    pids = (server.pid, server.supervisor_pid)
    socket_dir = str(server.socket_dir)
    execute(server.url(), "CREATE TABLE gone (id int)")
    folder.rename(folder.with_name("away"))
    again = ensure_running(folder, durable=False)
    assert again.pid not in pids
    assert fetch(again.url(), "SELECT to_regclass('gone')") == [(None,)]
    wait_gone(folder.with_name("away"), *pids, socket_dir=socket_dir)
    stop_server(again)


def test_sigterm_to_the_supervisor_ends_the_server_and_the_next_call_heals(folder):
    server = ensure_running(folder, durable=False)
    os.kill(server.supervisor_pid, signal.SIGTERM)
    wait_until(lambda: not is_running(folder), "the server is down")
    again = ensure_running(folder, durable=False)
    assert again is server
    assert fetch(again.url(), "SELECT 1") == [(1,)]
    stop_server(again)


def test_environment_of_users_is_ours():
    # The processes above import the code under test and no installed copy.
    code = "import outreach_platform; print(outreach_platform.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=user_environment(), capture_output=True, text=True
    )
    assert Path(done.stdout.strip()) == Path(__file__).parents[2] / (
        "outreach_platform/__init__.py"
    )
