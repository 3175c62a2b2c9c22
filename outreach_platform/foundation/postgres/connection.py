"""Connections to PostgreSQL, and its errors in words a user can act on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.redaction import mask_emails_in

CONNECT_SECONDS = 10
_ATTEMPTS = 3

# libpq has no code for a connection that was refused, only sentences; so have poolers.
_FINAL = {
    "password authentication failed": "the password or the user is wrong",
    "no password supplied": "the server wants a password and none is set",
    "does not support SSL": "the server does not speak TLS; check sslmode in the URL",
    "certificate": "the server's TLS certificate is not accepted; check sslmode in the URL",
    "no pg_hba.conf entry": "the server does not admit this user from here",
    "no such database": "the database does not exist",
    "no such user": "the user does not exist",
    "invalid connection option": "the URL names an option that does not exist",
}
_NOT_THERE = re.compile(r'FATAL: +(database|role) ".*" does not exist')
# What both drivers say of a server that ended or went away while it was working for us.
_LOST = (
    "Unable to connect",
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "could not connect to server",
    "connection already closed",
    "connection not open",
    "no connection to the server",
    "connection has been closed",
    "SSL SYSCALL error",
    "could not receive data from server",
    "could not send data to server",
    "lost synchronization with server",
    "the database system is",
    "remaining connection slots",
    "too many clients",
    "too many connections",
    "server conn crashed",
    "query_wait_timeout",
)
# SQLSTATE: connection exceptions, shutdowns and crashes, too many connections.
_LOST_CODES = ("08", "57P", "53300")


@contextmanager
def connect(url: DatabaseUrl, *, readonly: bool = False) -> Iterator[Connection]:
    """One connection and one transaction: committed at the end, rolled back on an error.

    Transient failures to connect are tried three times. Nothing is set on the session, so that it
    works through a transaction pooler.

    Raises:
        SourceUnavailableError: the server could not be reached.
        SourceError: it refused, or a statement failed.
    """
    connection = open_connection(url)
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
def open_connection(url: DatabaseUrl) -> Connection:
    """A connection for the caller to close; transient failures are tried three times.

    Raises:
        SourceUnavailableError: the server could not be reached.
        SourceError: it refused.
    """
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
    if reason := _refusal(error, text):
        return SourceError(f"{url.display} refused the connection: {reason}")
    if isinstance(error, psycopg2.errors.InsufficientPrivilege) or "permission denied" in text:
        return SourceError(
            f"{url.display}: the user lacks a privilege ({_message(text)}); grant it and run again"
        )
    if _is_lost(error, text):
        return SourceUnavailableError(
            f"{url.display} cannot be reached ({_reason(text)}); check that the server runs and "
            "that the URL is right, then run again"
        )
    return SourceError(f"{url.display}: {_message(text)}")


def _refusal(error: Exception, text: str) -> str | None:
    if getattr(error, "pgcode", None) or "ERROR:  " in text:
        return None  # a statement's error, which may quote any words
    if _NOT_THERE.search(text):
        return "the database or the user does not exist"
    return next((meaning for sign, meaning in _FINAL.items() if sign in text), None)


def _is_lost(error: Exception, text: str) -> bool:
    code = getattr(error, "pgcode", None)
    if code:
        return code.startswith(_LOST_CODES)
    if isinstance(error, psycopg2.OperationalError):
        return True
    # A statement's error quotes the statement; only what was said before it or without it counts.
    return "ERROR:  " not in text and any(sign in text for sign in _LOST)


def _message(text: str) -> str:
    """The server's own sentence: without what DuckDB puts around it, statements and row values."""
    said = text.rpartition("ERROR:  ")[2] if "ERROR:  " in text else text
    # The lines after the first quote row values (DETAIL) and statements.
    first = said.strip().splitlines()[0] if said.strip() else "no message"
    return mask_emails_in(first.strip().rstrip("."))


def _reason(text: str) -> str:
    for reason in ("Connection refused", "timeout expired", "could not translate host name"):
        if reason in text:
            return reason.lower()
    for sign in ("FATAL:  ", "failed: "):
        if sign in text:
            return _message(text.rpartition(sign)[2])
    return _message(text)
