"""Connections to PostgreSQL, and its errors in words a user can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.url import DatabaseUrl

CONNECT_SECONDS = 10
_ATTEMPTS = 3

# libpq has no code for a connection that was refused, only sentences.
_FINAL = {
    "password authentication failed": "the password or the user is wrong",
    "no password supplied": "the server wants a password and none is set",
    "does not exist": "the database or the user does not exist",
    "no pg_hba.conf entry": "the server does not admit this user from here",
    "SSL": "the server and we do not agree on TLS; check sslmode in the URL",
}


@contextmanager
def connect(url: DatabaseUrl, *, readonly: bool = False) -> Iterator[Connection]:
    """One connection and one transaction: committed at the end, rolled back on an error.

    Transient failures to connect are tried three times. Nothing is set on the session, so that it
    works through a transaction pooler.

    Raises:
        SourceUnavailableError: the server could not be reached.
        SourceError: it refused, or a statement failed.
    """
    connection = _open(url)
    try:
        with connection:
            if readonly:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
            yield connection
    except psycopg2.Error as error:
        raise translate(error, url) from None
    finally:
        connection.close()


@retry(
    retry=retry_if_exception_type(SourceUnavailableError),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.5, max=4),
    reraise=True,
)
def _open(url: DatabaseUrl) -> Connection:
    try:
        return psycopg2.connect(url.conninfo, connect_timeout=CONNECT_SECONDS)
    except psycopg2.Error as error:
        raise translate(error, url) from None


def translate(error: Exception, url: DatabaseUrl) -> SourceError:
    """Turn a driver's error into one sentence without row values and secrets.

    Args:
        error: from psycopg2 or from DuckDB's scanner.
        url: the database it came from.
    """
    text = str(error).strip()
    for sign, meaning in _FINAL.items():
        if sign in text and ("FATAL" in text or "SSL" in sign) and "connection" in text.lower():
            return SourceError(f"{url.display} refused the connection: {meaning}")
    if isinstance(error, psycopg2.errors.InsufficientPrivilege) or "permission denied" in text:
        return SourceError(
            f"{url.display}: the user lacks a privilege ({_first_line(text)}); grant it and run "
            "again"
        )
    if isinstance(error, psycopg2.OperationalError) or "Unable to connect" in text:
        return SourceUnavailableError(
            f"{url.display} cannot be reached ({_reason(text)}); check that the server runs and "
            "that the URL is right, then run again"
        )
    return SourceError(f"{url.display}: {_first_line(text)}")


def _first_line(text: str) -> str:
    # The lines after the first quote row values (DETAIL) and statements.
    return text.splitlines()[0].strip().rstrip(".") if text else "no message"


def _reason(text: str) -> str:
    for reason in ("Connection refused", "timeout expired", "could not translate host name"):
        if reason in text:
            return reason.lower()
    return _first_line(text.split("failed:")[-1])
