"""Sessions: transactions that are repeated when lost, told when refused, undone in a dry run."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from outreach_platform.foundation.errors import BusyError, SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres import session as sessions
from outreach_platform.foundation.postgres.session import Session, savepoint
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import execute, fetch, wait_until


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    """A database with a small table."""
    execute(
        neon_url,
        "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n < 100), s varchar(5)); "
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')",
    )
    return neon_url


@pytest.fixture
def session(url: DatabaseUrl) -> Iterator[Session]:
    with closing(Session(url)) as session:
        yield session


@contextmanager
def holding(url: DatabaseUrl, statement: str) -> Iterator[psycopg2.extensions.cursor]:
    """Somebody else's transaction, which holds what its statement locked."""
    with closing(psycopg2.connect(url.conninfo)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield cursor


def numbers(url: DatabaseUrl) -> list[int]:
    return [n for (n,) in fetch(url, "SELECT n FROM t ORDER BY id")]


def add(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("UPDATE t SET n = n + 1")


def cut_off(cursor: psycopg2.extensions.cursor, url: DatabaseUrl) -> None:
    execute(url, f"SELECT pg_terminate_backend({cursor.connection.info.backend_pid})")


def test_a_block_is_committed_whole(session: Session, url: DatabaseUrl) -> None:
    assert session.run(lambda cursor: add(cursor) or cursor.rowcount) == 2
    assert numbers(url) == [2, 3]


def test_a_block_that_fails_leaves_nothing_and_the_session_goes_on(
    session: Session, url: DatabaseUrl
) -> None:
    def work(cursor: psycopg2.extensions.cursor) -> None:
        add(cursor)
        raise LookupError

    with pytest.raises(LookupError):
        session.run(work)
    assert numbers(url) == [1, 2]
    session.run(add)
    assert numbers(url) == [2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "in the middle"])
def test_work_is_repeated_after_a_lost_connection(
    session: Session, url: DatabaseUrl, moment: str
) -> None:
    tries = []

    def work(cursor: psycopg2.extensions.cursor) -> None:
        tries.append(cursor.connection.info.backend_pid)
        if moment == "in the middle":
            add(cursor)
        if len(tries) == 1:
            cut_off(cursor, url)
        if moment == "before":
            add(cursor)
            return
        cursor.execute("SELECT 1")

    session.run(work)
    assert len(set(tries)) == 2
    assert numbers(url) == [2, 3]


@pytest.mark.slow
def test_a_connection_that_was_lost_between_two_blocks_is_made_anew(
    session: Session, url: DatabaseUrl
) -> None:
    session.run(lambda cursor: cut_off(cursor, url) if not numbers(url) else None)
    session.run(add)
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    session.run(add)
    assert numbers(url) == [3, 4]


def test_a_server_that_stays_away_is_told_after_three_tries(
    session: Session, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_WAIT_SECONDS", 0)
    tries = []

    def work(cursor: psycopg2.extensions.cursor) -> None:
        tries.append(1)
        add(cursor)
        cut_off(cursor, url)
        cursor.execute("SELECT 1")

    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        session.run(work)
    assert len(tries) == 3
    assert numbers(url) == [1, 2]


def test_a_lost_connection_in_a_dry_run_is_told_and_not_repeated(url: DatabaseUrl) -> None:
    """What earlier blocks did in it went with the connection."""
    with closing(Session(url, dry_run=True)) as session:
        session.run(add)
        tries = []

        def work(cursor: psycopg2.extensions.cursor) -> None:
            tries.append(1)
            cut_off(cursor, url)
            add(cursor)

        with pytest.raises(SourceUnavailableError):
            session.run(work)
        assert len(tries) == 1
    assert numbers(url) == [1, 2]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_lock_that_somebody_holds_is_told(
    url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    monkeypatch.setattr(sessions, "_LOCK_TIMEOUT", "200ms")
    with closing(Session(url, dry_run=dry_run)) as session:
        with (
            holding(url, "SELECT * FROM t WHERE id = 1 FOR UPDATE"),
            pytest.raises(BusyError, match="holding a lock on these rows for 200ms; end that"),
        ):
            session.run(add)
        session.run(add)
    assert numbers(url) == ([1, 2] if dry_run else [2, 3])


@pytest.mark.slow
def test_a_deadlock_is_repeated(session: Session, url: DatabaseUrl) -> None:
    """The other one holds the second row and wants the first; the server ends one of the two."""
    execute(
        url,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 100', "
        "current_database()); END $$",
    )
    tries = []
    with closing(psycopg2.connect(url.conninfo)) as other, other.cursor() as theirs:
        theirs.execute("SET deadlock_timeout = '1min'")
        theirs.execute("UPDATE t SET n = n + 10 WHERE id = 2")
        wants = threading.Thread(
            target=lambda: theirs.execute("UPDATE t SET n = n + 10 WHERE id = 1")
        )

        def work(cursor: psycopg2.extensions.cursor) -> None:
            tries.append(1)
            cursor.execute("UPDATE t SET n = n + 1 WHERE id = 1")
            if len(tries) == 1:
                wants.start()
                wait_until(lambda: fetch(url, _WAITING) == [(1,)], "the other one waits")
            else:
                wants.join()
                other.commit()
            cursor.execute("UPDATE t SET n = n + 1 WHERE id = 2")

        def first_then_wait(cursor: psycopg2.extensions.cursor) -> None:
            if tries and wants.is_alive():
                wants.join()
            if tries:
                other.commit()
            work(cursor)

        session.run(first_then_wait)
    assert len(tries) == 2
    assert numbers(url) == [12, 13]


_WAITING = (
    "SELECT count(*)::int FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_a_dry_run_chains_its_blocks_and_leaves_nothing(url: DatabaseUrl) -> None:
    with closing(Session(url, dry_run=True)) as session:
        session.run(lambda cursor: cursor.execute("CREATE TABLE made (x int)"))
        session.run(lambda cursor: cursor.execute("INSERT INTO made SELECT n FROM t"))

        def failing(cursor: psycopg2.extensions.cursor) -> None:
            cursor.execute("DELETE FROM made")
            cursor.execute("SELECT 1 / 0")

        with pytest.raises(SourceError, match="refused a statement: division by zero"):
            session.run(failing)

        def read(cursor: psycopg2.extensions.cursor) -> list[tuple]:
            cursor.execute("SELECT x FROM made ORDER BY x")
            return cursor.fetchall()

        assert session.run(read) == [(1,), (2,)]
        assert fetch(url, "SELECT to_regclass('made')") == [(None,)]
    assert fetch(url, "SELECT to_regclass('made')") == [(None,)]
    assert session.run(lambda cursor: cursor.execute("SELECT 1")) is None
    session.close()


def test_nothing_of_a_block_stays_on_the_server(session: Session) -> None:
    """A transaction pooler gives the connection to somebody else."""

    def setting(cursor: psycopg2.extensions.cursor) -> str:
        cursor.execute("SELECT current_setting('lock_timeout')")
        return cursor.fetchall()[0][0]

    assert session.run(setting) == "30s"
    connection = session._open()
    with connection.cursor() as cursor:
        assert setting(cursor) == "0"
    connection.rollback()


def test_a_savepoint_keeps_what_was_before_it(session: Session, url: DatabaseUrl) -> None:
    def work(cursor: psycopg2.extensions.cursor) -> None:
        add(cursor)
        with pytest.raises(psycopg2.errors.NotNullViolation), savepoint(cursor):
            cursor.execute("UPDATE t SET n = 50 WHERE id = 1")
            cursor.execute("UPDATE t SET n = NULL WHERE id = 2")

    session.run(work)
    assert numbers(url) == [2, 3]


def test_a_loss_that_an_inner_session_could_not_mend_is_not_repeated_by_the_outer_one(
    session: Session, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_WAIT_SECONDS", 0)
    calls = {"outer": 0, "inner": 0}

    def lost(cursor: psycopg2.extensions.cursor) -> None:
        calls["inner"] += 1
        cut_off(cursor, url)
        add(cursor)

    with closing(Session(url)) as inner:

        def work(cursor: psycopg2.extensions.cursor) -> None:
            calls["outer"] += 1
            inner.run(lost)

        with pytest.raises(SourceUnavailableError):
            session.run(work)
    assert calls == {"outer": 1, "inner": 3}
    assert numbers(url) == [1, 2]
