"""Rows that a database refuses: found among the others, and told without their values."""

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import execute, fetch


@pytest.fixture
def session(neon_url: DatabaseUrl) -> Iterator[Session]:
    """A database with a small table."""
    execute(
        neon_url,
        "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n < 100), s varchar(5)); "
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')",
    )
    with closing(Session(neon_url)) as session:
        yield session


def numbers(session: Session) -> list[int]:
    return [n for (n,) in fetch(session.url, "SELECT n FROM t ORDER BY id")]


def add(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("UPDATE t SET n = n + 1")


@pytest.mark.parametrize("guilty", [set(), {0}, {6}, {2, 3}, {0, 1, 2, 3, 4, 5, 6}])
def test_the_guilty_rows_are_found_and_the_others_applied(
    session: Session, guilty: set[int]
) -> None:
    rows = [(10 + i, 1000 + i if i in guilty else i) for i in range(7)]
    calls = []

    def work(cursor: psycopg2.extensions.cursor) -> tuple[list, list]:
        def apply(part) -> None:
            calls.append(len(part))
            for row in part:
                cursor.execute("INSERT INTO t VALUES (%s, %s)", row)

        return apply_rows(cursor, rows, apply)

    taken, refused = session.run(work)
    assert taken == [row for i, row in enumerate(rows) if i not in guilty]
    assert [row for row, _ in refused] == [row for i, row in enumerate(rows) if i in guilty]
    assert len(numbers(session)) == 2 + len(taken)
    assert calls[0] == 7
    if not guilty:
        assert calls == [7]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("INSERT INTO t VALUES (9, 'secret'::text::int)", "invalid input syntax for type integer"),
        ("INSERT INTO t VALUES (9, 9, 'secret word')", "value too long for type"),
        ("INSERT INTO t VALUES (9, 4711)", 'violates check constraint "t_n_check"'),
        ("INSERT INTO t VALUES (1, 4)", "duplicate key value violates unique constraint"),
        ("INSERT INTO t VALUES (9, NULL)", "violates not-null constraint"),
        ("INSERT INTO t VALUES (9, '4711471147114711')", "… is out of range for type integer"),
        ("INSERT INTO t VALUES (9, 'secret \"4711\" x'::text::int)", "syntax for type integer"),
        ("DO $$ BEGIN RAISE 'secret of ann@example.com: 4711'; END $$", "a trigger on its table"),
        ("DO $$ BEGIN RAISE 'secret' USING ERRCODE = 'AB123'; END $$", "a trigger on its table"),
        ("DO $$ BEGIN RAISE 'secret' USING ERRCODE = '23514'; END $$", "a trigger on its table"),
    ],
)
def test_a_refusal_says_why_and_quotes_no_value(
    session: Session, statement: str, said: str
) -> None:
    def work(cursor: psycopg2.extensions.cursor) -> tuple[list, list]:
        return apply_rows(cursor, ["row"], lambda _: cursor.execute(statement))

    taken, refused = session.run(work)
    ((row, reason),) = refused
    assert (taken, row) == ([], "row")
    assert reason.startswith("the database refused it: ")
    assert said in reason
    for word in ("secret", "4711", "ann@", "(1)"):
        assert word not in reason
    if "trigger" not in said:  # what a trigger says of a whole statement is its owner's
        with pytest.raises(SourceError, match=re.escape(said)) as whole:
            session.run(lambda cursor: cursor.execute(statement))
        for word in ("secret", "4711", "(1)"):
            assert word not in str(whole.value)


def test_a_fault_of_the_statement_is_no_rows_fault(session: Session) -> None:
    def work(cursor: psycopg2.extensions.cursor) -> tuple[list, list]:
        add(cursor)
        return apply_rows(cursor, [1, 2], lambda _: cursor.execute("SELECT no_such_column FROM t"))

    with pytest.raises(SourceError, match='column "no_such_column" does not exist'):
        session.run(work)
    assert numbers(session) == [1, 2]
