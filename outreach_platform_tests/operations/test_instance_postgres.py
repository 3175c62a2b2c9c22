"""The instance on PostgreSQL: what is kept there, who sees it, and how it refuses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from outreach_platform.commands.launch import ready_instance
from outreach_platform.foundation.errors import OutreachError, UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.dead_runs import run_tags
from outreach_platform.operations.instance import open_instance, prepare_home
from outreach_platform.operations.instance_postgres import sqlalchemy_url
from outreach_platform.settings import load_settings
from outreach_platform_tests.operations import tiny
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import (
    PasswordServer,
    execute,
    fetch,
    free_port,
    password_server,
)
from outreach_platform_tests.support.product import Product, fill_state, find_bytes, url_text

ODD_PASSWORD = "canary/with@signs: 100%7c+'x"
OPEN = """
import pathlib, sys
from outreach_platform.operations.instance import open_instance
from outreach_platform_tests.operations import tiny
with open_instance(pathlib.Path(sys.argv[1])) as instance:
    if sys.argv[2:]:
        tiny.defs.resolve_job_def("quick").execute_in_process(instance=instance)
    print(*(f"{run.job_name}:{run.status.value}" for run in instance.get_runs()))
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DAGSTER_HOME", "OUTREACH_CHOSEN_DAGSTER_HOME", "OUTREACH_EMBEDDED_ONLY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[PasswordServer]:
    with password_server() as running:
        quoted = ODD_PASSWORD.replace("'", "''")
        execute(running.url(), f"CREATE ROLE odd LOGIN PASSWORD '{quoted}'")
        execute(running.url(), 'CREATE DATABASE "dagster runs" OWNER odd')
        yield running


def runs_in(url: DatabaseUrl) -> list[tuple]:
    return fetch(url, "SELECT pipeline_name, status FROM runs ORDER BY id")


def other_process(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, str(data), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_command_is_recorded_in_the_database_and_in_no_file(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill_state(neon_url, "WV")
    text = url_text(neon_url)
    product = Product(tmp_path, {"NEON_DATABASE_URL": text, "DAGSTER_PG_URL": text})
    done = product("snapshot", "--state", "WV", "--json")
    assert done.code == 0, done.err
    assert runs_in(neon_url) == [("snapshot_job", "SUCCESS")]
    assert not list(product.data.rglob("runs.db"))
    assert not list(product.data.rglob("index.db"))
    with product.here() as instance:
        assert [run.run_id for run in instance.get_runs()] == [done.row["run_id"]]


@pytest.mark.slow
def test_two_processes_that_begin_at_once_share_the_runs(
    neon_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a data folder of its own, as two hosts have."""
    monkeypatch.setenv("DAGSTER_PG_URL", url_text(neon_url))
    both = [other_process(tmp_path / name, "run") for name in ("one", "two")]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all("quick:SUCCESS" in text for text in said)
    assert runs_in(neon_url) == [("quick", "SUCCESS")] * 2
    with open_instance(tmp_path / "three") as instance:
        assert len(instance.get_runs()) == 2


@pytest.mark.slow
def test_a_run_whose_process_is_gone_is_ended(
    neon_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", url_text(neon_url))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    tags = {**run_tags(), "outreach/pid": str(gone.pid)}
    with open_instance(tmp_path) as instance:
        job = tiny.defs.resolve_job_def("quick")
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    with ready_instance(load_settings(data_dir=tmp_path)) as instance:
        ended = instance.get_run_by_id(run.run_id)
        assert ended
        assert ended.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.slow
def test_any_password_and_database_name_work_and_stand_in_no_file(
    server: PasswordServer, tmp_path: Path
) -> None:
    """From a .env file, with what Prisma adds."""
    password = quote(ODD_PASSWORD, safe="")
    (tmp_path / ".env").write_text(
        f"DAGSTER_PG_URL=postgres://odd:{password}@127.0.0.1:{server.port}/dagster%20runs"
        "?schema=public&connection_limit=3\n"
    )
    data = tmp_path / "data"
    with open_instance(data) as instance:
        result = tiny.defs.resolve_job_def("quick").execute_in_process(instance=instance)
        assert instance.get_run_by_id(result.run_id)
    storage = yaml.safe_load((data / "dagster" / "dagster.yaml").read_text())["storage"]
    assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_PG_URL"}}}
    for secret in ("canary", password):
        assert find_bytes(data, secret) == []
    # What is started from here inherits the form that Dagster takes.
    assert other_process(data).communicate(timeout=120)[0].split() == ["quick:SUCCESS"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [("snapshot", "--state", "WV"), ("up",)])
def test_a_wrong_password_ends_a_command_with_one_sentence(
    server: PasswordServer, tmp_path: Path, command: tuple[str, ...]
) -> None:
    place = f"127.0.0.1:{server.port}/postgres"
    url = f"postgresql://{server.user}:canary-of-a-wrong-password@{place}"
    done = Product(tmp_path, {"DAGSTER_PG_URL": url})(*command)
    assert (done.code, done.out) == (1, "")
    last = done.err.strip().splitlines()[-1]
    assert f"DAGSTER_PG_URL: {place} refused the connection: the password or the user" in last
    assert "Traceback" not in done.err
    assert "canary" not in done.err
    assert find_bytes(tmp_path, "canary-of-a-wrong-password") == []


def test_a_server_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("DAGSTER_PG_URL", f"postgresql://a:canary-secret@127.0.0.1:{port}/runs")
    with pytest.raises(OutreachError) as caught, open_instance(tmp_path):
        pass
    assert str(caught.value) == (
        f"DAGSTER_PG_URL: 127.0.0.1:{port}/runs cannot be reached (connection refused); check "
        "that the server runs and that the URL is right, then run again"
    )


@pytest.mark.slow
def test_a_user_who_may_make_no_tables_is_told_so(
    server: PasswordServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(server.url(), "CREATE DATABASE closed")
    password = quote(ODD_PASSWORD, safe="")
    address = f"127.0.0.1:{server.port}/closed"
    monkeypatch.setenv("DAGSTER_PG_URL", f"postgresql://odd:{password}@{address}")
    with pytest.raises(OutreachError) as caught, open_instance(tmp_path):
        pass
    assert str(caught.value).startswith(f"DAGSTER_PG_URL: {address}: the user lacks a privilege")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["mysql://a:canary-x@h/d", "postgresql://a:canary@x@h/d", "canary-nonsense"]
)
def test_what_is_no_address_is_wrong_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", text)
    with pytest.raises(UsageError, match="DAGSTER_PG_URL is no PostgreSQL address") as caught:
        prepare_home(tmp_path)
    assert "canary" not in str(caught.value)
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_the_embedded_demo_keeps_its_runs_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", f"postgresql://a:b@127.0.0.1:{free_port()}/runs")
    monkeypatch.setenv("OUTREACH_EMBEDDED_ONLY", "1")
    with open_instance(tmp_path):
        assert (tmp_path / "dagster" / "history" / "runs.db").exists()


def test_a_dagster_yaml_of_the_users_that_does_not_ask_for_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", f"postgresql://a:b@127.0.0.1:{free_port()}/runs")
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with open_instance(tmp_path) as instance:
        assert instance.get_runs() == []


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("postgresql://a:b@h:1/d?sslmode=require", {"port": "1", "sslmode": "require"}),
        ("postgres://a:b@[::1]:5/d", {"host": "::1", "port": "5"}),
        ("postgresql://a:b@h1:1,h2:2/d", {"host": "h1,h2", "port": "1,2"}),
        ("postgresql://a:b@/d?host=/tmp/x%20y", {"host": "/tmp/x y"}),
        ("host=h user=a password='b' dbname=d options='-c work_mem=1MB'", {"host": "h"}),
    ],
)
def test_sqlalchemy_reads_what_libpq_reads(text: str, keywords: dict[str, str]) -> None:
    url = DatabaseUrl.parse(text)
    written = sqlalchemy_url(url)
    dialect = make_url(written).get_dialect()()
    _, arguments = dialect.create_connect_args(make_url(written))
    expected = {**url.params, "application_name": "outreach"}
    assert arguments == expected
    assert expected.items() >= keywords.items()
    assert make_url(written).get_driver_name() == "psycopg2"
    handed = load_settings(dagster_database_url=SecretStr(written)).instance
    assert handed, "a process that it is handed to reads it too"
    assert handed.params == expected
