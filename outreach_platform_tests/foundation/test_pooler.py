"""Through a transaction pooler, where statements of one client may run on several servers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from outreach_platform.foundation.audit import AuditEvent, write_event
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.scan import source_snapshot
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import bulk_engine, write_parquet
from outreach_platform_tests.support.pooler import transaction_pooler
from outreach_platform_tests.support.postgres import execute, fetch, password_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pooled() -> Iterator[tuple[DatabaseUrl, DatabaseUrl]]:
    """A database, directly and through a pooler that has two connections to it."""
    with password_server() as server:
        execute(server.url(), "CREATE DATABASE pooled")
        direct = server.url().with_database("pooled")
        execute(
            direct,
            "CREATE TABLE a AS SELECT i, 'text ' || i AS t, array['x', null] AS l, "
            "i::numeric(9,2) AS d FROM generate_series(1, 20000) i",
        )
        execute(direct, "CREATE TABLE b AS SELECT * FROM a")
        with transaction_pooler(server, pool_size=2) as pooler:
            yield direct, pooler.url("pooled")


def event(number: int) -> AuditEvent:
    return AuditEvent(
        event_type="test", event_source="pooler", details={"n": number}, identity=("n",)
    )


def pull(url: DatabaseUrl, folder: Path) -> list[int]:
    with bulk_engine(folder / "spill") as engine, source_snapshot(engine, url) as snapshot:
        assert [column.name for column in snapshot.columns("public", "a")] == ["i", "t", "l", "d"]
        return [
            write_parquet(
                engine,
                f"SELECT * FROM {snapshot.relation(f'SELECT * FROM {table}')}",
                folder / f"{table}.parquet",
                folder,
            ).rows
            for table in ("a", "b")
        ]


def test_connections_and_read_only_transactions(pooled: tuple[DatabaseUrl, DatabaseUrl]) -> None:
    _, url = pooled
    with connect(url, readonly=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM a")
        assert cursor.fetchone() == (20000,)
    with pytest.raises(SourceError, match="read-only"), connect(url, readonly=True) as connection:
        connection.cursor().execute("DELETE FROM a")
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",), "the pooled session kept a setting"


def test_a_pull(pooled: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path) -> None:
    assert pull(pooled[1], tmp_path) == [20000, 20000]


def test_both_reads_see_one_moment(pooled: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path) -> None:
    direct, url = pooled
    execute(direct, "CREATE TABLE moment (i int)")
    with bulk_engine(tmp_path) as engine, source_snapshot(engine, url) as snapshot:
        count = "SELECT count(*) AS n FROM moment"
        assert snapshot.rows(count) == [(0,)]
        execute(direct, "INSERT INTO moment VALUES (1)")
        assert snapshot.rows(count) == [(0,)]
    assert fetch(url, count) == [(1,)]


def test_pulls_and_audits_share_two_connections(
    pooled: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path
) -> None:
    direct, url = pooled

    def audit(number: int) -> set[int | None]:
        return {write_event(url, event(number)) for _ in range(3)}

    def one_pull(number: int) -> list[int]:
        folder = tmp_path / str(number)
        folder.mkdir()
        return pull(url, folder)

    with ThreadPoolExecutor(10) as pool:
        audits = [pool.submit(audit, number) for number in range(6)]
        pulls = [pool.submit(one_pull, number) for number in range(4)]
    assert [done.result() for done in pulls] == [[20000, 20000]] * 4
    ids = [done.result() for done in audits]
    assert all(len(found) == 1 for found in ids)
    assert len(set.union(*ids)) == 6
    assert fetch(direct, "SELECT count(*) FROM shq.audit_log WHERE event_source = 'pooler'") == [
        (6,)
    ]


def test_a_database_the_pooler_does_not_find(pooled: tuple[DatabaseUrl, DatabaseUrl]) -> None:
    with (
        pytest.raises(SourceError, match="the database or the user does not exist"),
        connect(pooled[1].with_database("nowhere")),
    ):
        pass
