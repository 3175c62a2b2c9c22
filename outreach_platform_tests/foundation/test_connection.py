"""Connections to real servers: what is refused or lost is said in words, without the password."""

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from psycopg2 import sql

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import OutreachError, SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.connection import connect, translate
from outreach_platform.foundation.postgres.scan import source_snapshot
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import bulk_engine
from outreach_platform_tests.support.postgres import (
    PasswordServer,
    execute,
    fetch,
    free_port,
    password_server,
    start_server,
    stop_server,
)


@pytest.fixture(scope="module")
def locked_server() -> Iterator[PasswordServer]:
    with password_server() as server:
        yield server


def open_both(url: DatabaseUrl, folder: Path) -> list[OutreachError]:
    """The errors of the two ways to a source."""
    errors = []
    with pytest.raises(OutreachError) as caught, connect(url):
        pass
    errors.append(caught.value)
    with (
        pytest.raises(OutreachError) as caught,
        bulk_engine(folder) as engine,
        source_snapshot(engine, url),
    ):
        pass
    errors.append(caught.value)
    return errors


def as_dagster_keeps_it(error: BaseException) -> str:
    return str(serializable_error_info_from_exc_info((type(error), error, error.__traceback__)))


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenacity import wait_none

    from outreach_platform.foundation.postgres import connection

    monkeypatch.setattr(connection.open_connection.retry, "wait", wait_none())  # pyright: ignore


def test_nobody_listens(tmp_path: Path) -> None:
    url = DatabaseUrl.parse(f"postgresql://u:canary-pw@127.0.0.1:{free_port()}/app")
    for error in open_both(url, tmp_path):
        assert isinstance(error, SourceUnavailableError)
        assert error.retryable
        assert "cannot be reached (connection refused)" in str(error)
        assert url.display in str(error)


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    url = DatabaseUrl.parse("postgresql://u:canary-pw@nowhere.invalid/app")
    for error in open_both(url, tmp_path):
        assert isinstance(error, SourceUnavailableError)
        assert "nowhere.invalid/app cannot be reached (could not translate host name" in str(error)


def test_a_socket_that_does_not_exist(tmp_path: Path) -> None:
    for error in open_both(DatabaseUrl.parse(f"host={tmp_path} dbname=app"), tmp_path / "spill"):
        assert isinstance(error, SourceUnavailableError)
        assert f"{tmp_path}/app cannot be reached" in str(error)


def test_transient_failures_are_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def failing(*args: object, **kwargs: object) -> None:
        tries.append(args)
        raise psycopg2.OperationalError("connection to server failed: Connection refused")

    monkeypatch.setattr(psycopg2, "connect", failing)
    with pytest.raises(SourceUnavailableError), connect(DatabaseUrl({"host": "h"})):
        pass
    assert len(tries) == 3


@pytest.mark.slow
def test_a_wrong_password_is_said_and_not_shown(
    locked_server: PasswordServer, tmp_path: Path
) -> None:
    url = locked_server.url("canary-wrong-password")
    for error in open_both(url, tmp_path):
        assert type(error) is SourceError
        assert not error.retryable
        assert str(error) == (
            f"{url.display} refused the connection: the password or the user is wrong"
        )
        assert "canary" not in as_dagster_keeps_it(error)
        assert error.__cause__ is None
        link: BaseException | None = error
        while link is not None:
            assert "canary" not in f"{link!r} {link}"
            link = link.__context__


def test_no_password_at_all(locked_server: PasswordServer, tmp_path: Path) -> None:
    params = {k: v for k, v in locked_server.url().params.items() if k != "password"}
    for error in open_both(DatabaseUrl(params), tmp_path):
        assert "the server wants a password and none is set" in str(error)


def test_the_right_password(locked_server: PasswordServer) -> None:
    with connect(locked_server.url()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_tls_where_there_is_none(locked_server: PasswordServer, tmp_path: Path) -> None:
    url = DatabaseUrl({**locked_server.url().params, "sslmode": "require"})
    for error in open_both(url, tmp_path):
        assert type(error) is SourceError
        assert "the server does not speak TLS; check sslmode" in str(error)


@pytest.mark.parametrize("part", ["dbname", "user"])
def test_a_database_or_user_that_does_not_exist(
    neon_url: DatabaseUrl, tmp_path: Path, part: str
) -> None:
    for error in open_both(DatabaseUrl({**neon_url.params, part: "nobody_here"}), tmp_path):
        assert type(error) is SourceError
        assert "the database or the user does not exist" in str(error)


def test_committed_at_the_end_and_rolled_back_on_an_error(neon_url: DatabaseUrl) -> None:
    with connect(neon_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (i int)")
    with pytest.raises(ZeroDivisionError), connect(neon_url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (1)")
        raise ZeroDivisionError
    assert connection.closed
    assert fetch(neon_url, "SELECT * FROM kept") == []


def test_readonly(neon_url: DatabaseUrl) -> None:
    execute(neon_url, "CREATE TABLE kept (i int)")
    with (
        pytest.raises(SourceError, match="cannot execute INSERT in a read-only transaction"),
        connect(neon_url, readonly=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("INSERT INTO kept VALUES (1)")


def test_a_failing_statement_shows_no_row(neon_url: DatabaseUrl) -> None:
    execute(neon_url, "CREATE TABLE people (email text PRIMARY KEY, n int)")
    execute(neon_url, "INSERT INTO people VALUES ('ann.lee@canary.example', 1)")
    for statement in (
        "INSERT INTO people VALUES ('ann.lee@canary.example', 1)",
        "SELECT email::int FROM people",
        "SELECT * FROM peopel WHERE email = 'ann.lee@canary.example'",
    ):
        with (
            pytest.raises(SourceError) as caught,
            connect(neon_url) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        assert type(caught.value) is SourceError
        assert str(caught.value).startswith(f"{neon_url.display}: ")
        assert "canary" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_statement_that_only_speaks_of_connections(neon_url: DatabaseUrl) -> None:
    """A query's own words must not make its error look like a lost or a refused server."""
    for words in ("server closed the connection", "FATAL: password authentication failed"):
        with pytest.raises(SourceError) as caught, connect(neon_url) as connection:
            connection.cursor().execute(f"SELECT '{words}'::int")
        assert type(caught.value) is SourceError
        assert "refused" not in str(caught.value)


def test_a_canceled_statement_is_no_lost_server(neon_url: DatabaseUrl) -> None:
    with (
        pytest.raises(SourceError, match="canceling statement") as caught,
        connect(neon_url) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET LOCAL statement_timeout = 20")
        cursor.execute("SELECT pg_sleep(30)")
    assert not caught.value.retryable


@pytest.fixture
def reader(neon_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A role that may connect and nothing else."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    execute(neon_url, f"CREATE TABLE rows_of_others (i int); CREATE ROLE {name} LOGIN")
    yield DatabaseUrl({**neon_url.params, "user": name})
    execute(neon_url, sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def test_a_missing_privilege_is_named(reader: DatabaseUrl, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as first, connect(reader) as connection:
        connection.cursor().execute("SELECT * FROM rows_of_others")
    with (
        pytest.raises(SourceError) as second,
        bulk_engine(tmp_path) as engine,
        source_snapshot(engine, reader) as snapshot,
    ):
        snapshot.rows("SELECT * FROM rows_of_others")
    for error in (first.value, second.value):
        assert "lacks a privilege (permission denied for table rows_of_others)" in str(error)
        assert not error.retryable


@pytest.mark.slow
def test_a_server_that_goes_away(tmp_path: Path) -> None:
    server = start_server(tmp_path / "own")
    try:
        url = server.url("postgres")
        execute(
            url,
            "CREATE TABLE many AS SELECT i, repeat('x', 200) AS t "
            "FROM generate_series(1, 300000) i",
        )
        with (
            pytest.raises(SourceUnavailableError) as first,
            connect(url) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
            os.kill(server.pid, signal.SIGKILL)
            for _ in range(1000):
                cursor.execute("SELECT pg_sleep(0.01)")
    finally:
        stop_server(server)
    assert "cannot be reached" in str(first.value)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["backend", "server"])
def test_a_server_that_goes_away_between_two_reads(tmp_path: Path, how: str) -> None:
    server = start_server(tmp_path / "own")
    try:
        url = server.url("postgres")
        execute(url, "CREATE TABLE many AS SELECT i FROM generate_series(1, 100) i")
        with (
            pytest.raises(SourceUnavailableError) as caught,
            bulk_engine(tmp_path / "spill") as engine,
            source_snapshot(engine, url) as snapshot,
        ):
            (pid,) = snapshot.rows("SELECT pg_backend_pid() AS pid")[0]
            if how == "backend":
                execute(url, f"SELECT pg_terminate_backend({pid}, 5000)")
            else:
                os.kill(server.pid, signal.SIGQUIT)
            for _ in range(1000):
                snapshot.rows("SELECT count(*), pg_sleep(0.01)::text FROM many")
    finally:
        stop_server(server)
    assert "cannot be reached" in str(caught.value)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("text", "unavailable"),
    [
        ("SSL connection has been closed unexpectedly\n", True),
        ("SSL SYSCALL error: EOF detected\n", True),
        ("server closed the connection unexpectedly\n\tThis probably means …", True),
        ('connection to server at "h" (1.2.3.4), port 5432 failed: timeout expired\n', True),
        ('connection to server at "h" failed: FATAL:  the database system is starting up\n', True),
        ('connection to server at "h" failed: FATAL:  sorry, too many clients already\n', True),
        ('connection to server at "h" failed: FATAL:  no such database: x\n', False),
        ('connection to server at "h" failed: FATAL:  role "x" does not exist\n', False),
        ('connection to server at "h" failed: SSL error: certificate verify failed\n', False),
    ],
)
def test_sentences_of_libpq(text: str, unavailable: bool) -> None:
    error = translate(psycopg2.OperationalError(text), DatabaseUrl({"host": "h", "dbname": "d"}))
    assert isinstance(error, SourceUnavailableError) is unavailable
    assert "\n" not in str(error)


def test_the_traceback_of_a_failure_is_ours(neon_url: DatabaseUrl) -> None:
    url = DatabaseUrl({**neon_url.params, "dbname": "nobody_here", "password": "canary-pw-x"})
    try:
        with connect(url):
            pass
    except SourceError:
        kept = str(serializable_error_info_from_exc_info(sys.exc_info()))
    assert "nobody_here" in kept
    assert "canary" not in kept


def test_a_server_admits_the_embedded_user(pg_server: EmbeddedServer) -> None:
    with connect(pg_server.url("postgres")) as connection:
        assert not connection.closed
