"""The instance on PostgreSQL: its address as Dagster takes it, and its first tables.

Dagster reads the address from the environment, never from a file: `dagster.yaml` names the variable
only. What libpq and Prisma write differently is evened out here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import dagster as dg
import psycopg2
from psycopg2.extensions import parse_dsn

from outreach_platform.foundation.errors import OutreachError, SourceError
from outreach_platform.foundation.postgres.connection import connect, translate
from outreach_platform.foundation.postgres.url import DatabaseUrl

ENVIRONMENT_NAME = "DAGSTER_PG_URL"
# The key is ours alone; a lock of one transaction holds through a pooler as well.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('outreach/dagster-tables'))"
# The storages make theirs one after the other, and this is the last.
_TABLES_STAND = "SELECT to_regclass('instigators') IS NOT NULL"


def sqlalchemy_url(url: DatabaseUrl) -> str:
    """The address as SQLAlchemy and libpq both read it, password included: never print it.

    Host and port stand in the query, where sockets, IPv6 and lists of hosts need no brackets. The
    driver is named because dagster-postgres ends the connections of SQLAlchemy's newer default.
    """
    params = {key: str(value) for key, value in parse_dsn(url.conninfo).items()}
    user, password = params.pop("user", ""), params.pop("password", "")
    database = quote(params.pop("dbname", ""), safe="")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    return f"postgresql+psycopg2://{login}/{database}?{urlencode(params, quote_via=quote)}"


def open_on(url: DatabaseUrl) -> dg.DagsterInstance:
    """Open the instance of DAGSTER_HOME, whose storage is this database.

    Raises:
        OutreachError: the server cannot be reached, or refuses the user or the tables.
    """
    try:
        with _one_maker(url):
            return dg.DagsterInstance.get()
    except SourceError as error:
        raise OutreachError(f"{ENVIRONMENT_NAME}: {error}") from None
    except Exception as error:
        cause = _driver_error(error)
        if cause is None:
            raise
        raise OutreachError(f"{ENVIRONMENT_NAME}: {translate(cause, url)}") from None


@contextmanager
def _one_maker(url: DatabaseUrl) -> Iterator[None]:
    """Let one process at a time make the tables of a new database.

    It is also the first look at the server: Dagster itself tries five times, and then shows pages.
    """
    with connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute(_TABLES_STAND)
            if cursor.fetchone() != (True,):
                cursor.execute(_LOCK)
        yield


def _driver_error(error: BaseException | None) -> psycopg2.Error | None:
    """The database's own error below those of Dagster and SQLAlchemy."""
    while error is not None:
        if isinstance(error, psycopg2.Error):
            return error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return None
