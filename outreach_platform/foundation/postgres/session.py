"""One transaction after the other on one database: retried when lost, rolled back in a dry run."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from outreach_platform.foundation.errors import BusyError, SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.connection import open_connection, translate
from outreach_platform.foundation.postgres.url import DatabaseUrl

_ATTEMPTS = 3
_WAIT_SECONDS = 0.5
# Longer than any batch of ours holds a row; somebody else's lock must not stop a run for ever.
_LOCK_TIMEOUT = "30s"
_COLLIDED = (psycopg2.errors.DeadlockDetected, psycopg2.errors.SerializationFailure)
# What one row can be guilty of; anything else is the statement's, the server's or ours.
_ROW_FAULTS = (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.errors.RaiseException)
# The server's function that raises what a trigger wants raised, with whatever SQLSTATE it chose.
_RAISED = "exec_stmt_raise"
_FUNCTION = re.compile(r"PL/pgSQL function ([\w.]+\()")
# To the last mark: a value may hold some itself.
_QUOTED = re.compile(r'".*"', re.DOTALL)

T = TypeVar("T")
Row = TypeVar("Row")


class Session:
    """Transactions on one database over one connection, which is opened when first needed.

    Nothing outlives a transaction on the server, so that it works through a transaction pooler.

    Args:
        url: the database.
        dry_run: every transaction is a savepoint in one that `close` rolls back: later blocks see
            what earlier ones did, and nothing of it stays. Sequences move all the same.
    """

    def __init__(self, url: DatabaseUrl, *, dry_run: bool = False) -> None:
        self.url = url
        self.dry_run = dry_run
        self._connection: Connection | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Do `work` in one transaction; after a lost connection or a deadlock, do it again.

        The work has to bear being done twice: a connection that is lost during COMMIT does not
        tell whether it happened.

        Raises:
            SourceUnavailableError: the database stays away.
            BusyError: somebody holds a lock on its rows for too long.
            SourceError: it refuses.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.transaction() as cursor:
                    return work(cursor)
            except _Collision as error:
                if attempt == _ATTEMPTS or self.dry_run:
                    raise error.said from None
            except SourceUnavailableError as error:
                # A loss that another session, used inside the work, has tried to mend already.
                if attempt == _ATTEMPTS or self.dry_run or error.retried:
                    error.retried = True
                    raise
            time.sleep(_WAIT_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor whose work is committed at the end of the block, whole or not at all."""
        try:
            with self._begun() as cursor:
                yield cursor
        except psycopg2.errors.LockNotAvailable:
            raise BusyError(
                f"{self.url.display}: somebody has been holding a lock on these rows for "
                f"{_LOCK_TIMEOUT}; end that transaction, or run again later"
            ) from None
        except _COLLIDED as error:
            raise _Collision(translate(error, self.url)) from None
        except psycopg2.DataError as error:
            raise SourceError(f"{self.url.display} refused a statement: {_reason(error)}") from None
        except psycopg2.Error as error:
            if self._connection is not None and self._connection.closed:
                self._connection = None
            raise translate(error, self.url) from None

    @contextmanager
    def _begun(self) -> Iterator[Cursor]:
        connection = self._open()
        if self.dry_run:
            with connection.cursor() as cursor, savepoint(cursor):
                yield cursor
            return
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            yield cursor

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(self.url)
            if self.dry_run:
                with self._connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        return self._connection

    def close(self) -> None:
        """Give the connection up; in a dry run, with all that was done."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg2.Error):
                connection.rollback()
            with suppress(psycopg2.Error):
                connection.close()


class _Collision(Exception):
    """Two transactions wanted each other's rows; the server ended this one."""

    def __init__(self, said: Exception) -> None:
        super().__init__(str(said))
        self.said = said


@contextmanager
def savepoint(cursor: Cursor) -> Iterator[None]:
    """A block that leaves nothing in the transaction when it fails."""
    cursor.execute("SAVEPOINT block")
    try:
        yield
    except BaseException:
        with suppress(psycopg2.Error):  # the connection may be what failed
            cursor.execute("ROLLBACK TO SAVEPOINT block")
            cursor.execute("RELEASE SAVEPOINT block")
        raise
    cursor.execute("RELEASE SAVEPOINT block")


def apply_rows(
    cursor: Cursor, rows: Sequence[Row], apply: Callable[[Sequence[Row]], None]
) -> tuple[list[Row], list[tuple[Row, str]]]:
    """Apply a statement to many rows; one that the database refuses does not stop the others.

    Args:
        cursor: of the transaction.
        rows: what to apply; halved until the guilty ones are found.
        apply: brings rows into the database with `cursor`, all or none.

    Returns:
        The rows that were taken, and those that were refused, each with the reason.
    """
    if not rows:
        return [], []
    try:
        with savepoint(cursor):
            apply(rows)
    except psycopg2.Error as error:
        if not isinstance(error, _ROW_FAULTS) and error.diag.source_function != _RAISED:
            raise
        if len(rows) == 1:
            return [], [(rows[0], f"the database refused it: {_reason(error)}")]
        middle = len(rows) // 2
        first = apply_rows(cursor, rows[:middle], apply)
        second = apply_rows(cursor, rows[middle:], apply)
        return first[0] + second[0], first[1] + second[1]
    return list(rows), []


def _reason(error: psycopg2.Error) -> str:
    """The server's sentence without the values that it quotes."""
    if error.diag.source_function == _RAISED:
        found = _FUNCTION.search(error.diag.context or "")
        return f"a trigger on its table{f' ({found[1]}))' if found else ''}"
    said = (error.diag.message_primary or type(error).__name__).strip()
    if isinstance(error, psycopg2.DataError):
        said = _QUOTED.sub("…", said.partition(': "')[0])
    return said
