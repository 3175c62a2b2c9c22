"""The address of a PostgreSQL database: read once, printed never with its password."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.redaction import redact, register_secret

# Prisma writes these into the URL; libpq refuses them.
_PRISMA_ONLY = frozenset(
    {
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "schema",
        "socket_timeout",
        "statement_cache_size",
    }
)


@dataclass(frozen=True)
class DatabaseUrl:
    """A PostgreSQL address.

    Attributes:
        params: libpq keywords and values, the password among them; not part of `repr`.
        schema: what Prisma's `?schema=` named, None without one.
    """

    params: dict[str, str] = field(repr=False)
    schema: str | None = None

    @classmethod
    def parse(cls, text: str, name: str = "the database URL") -> "DatabaseUrl":
        """Read a `postgresql://` URL or a `key=value` connection string.

        Args:
            text: the address; raw spaces in the database name are accepted.
            name: what to call it in an error, for example the environment variable.

        Raises:
            UsageError: the text is no PostgreSQL address.
        """
        url, schema = text.strip(), None
        if "://" in url:
            url, schema = _without_prisma(url, name)
        try:
            params = parse_dsn(url)
        except psycopg2.ProgrammingError:
            # libpq's own message quotes the string, password and all.
            raise UsageError(
                f"{name} is no PostgreSQL address: write it as .env.example shows, with special "
                "characters of the password percent-encoded"
            ) from None
        register_secret(params.get("password"))
        return cls({key: str(value) for key, value in params.items()}, schema)

    @classmethod
    def from_parts(cls, *, host: str, dbname: str, user: str, password: str) -> "DatabaseUrl":
        """Build a TLS address from its parts; the database name may hold a space."""
        register_secret(password)
        host, _, port = host.partition(":")
        params = {"host": host, "dbname": dbname, "user": user, "password": password}
        if port:
            params["port"] = port
        if host not in ("localhost", "127.0.0.1", "::1") and not host.startswith("/"):
            params["sslmode"] = "require"
        return cls(params)

    @property
    def conninfo(self) -> str:
        """The libpq connection string, password included: never print it."""
        return make_dsn(**{"application_name": "outreach", **self.params})

    @property
    def display(self) -> str:
        """Host and database, for messages."""
        host = self.params.get("host", "localhost")
        port = f":{self.params['port']}" if "port" in self.params else ""
        return redact(f"{host}{port}/{self.params.get('dbname', '')}")

    def with_database(self, dbname: str) -> "DatabaseUrl":
        """The same server, another database."""
        return DatabaseUrl({**self.params, "dbname": dbname}, self.schema)


def _without_prisma(url: str, name: str) -> tuple[str, str | None]:
    scheme = url.partition("://")[0]
    if scheme not in ("postgres", "postgresql"):
        raise UsageError(f"{name} is no PostgreSQL address: it starts with {scheme}://")
    base, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    schema = next((value for key, value in pairs if key == "schema" and value), None)
    kept = urlencode(
        [(key, value) for key, value in pairs if key not in _PRISMA_ONLY], quote_via=quote
    )
    return f"{base.replace(' ', '%20')}{'?' if kept else ''}{kept}", schema
