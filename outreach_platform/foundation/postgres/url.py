"""The address of a PostgreSQL database: read once, printed never with its password."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.redaction import redact, register_secret

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PORT = re.compile(r"[0-9]*")
_PORTS = re.compile(r"[0-9]*(,[0-9]*)*")
_LOCAL = ("localhost", "127.0.0.1", "::1")
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
        url, schema = _unquoted(text.strip()), None
        if _SCHEME.match(url):
            url, schema = _without_prisma(url, name)
        try:
            params = {key: str(value) for key, value in parse_dsn(url).items()}
        except (psycopg2.Error, ValueError):
            # libpq's own message quotes the string, password and all.
            raise _no_address(name) from None
        if not params or not _PORTS.fullmatch(params.get("port", "")):
            raise _no_address(name)
        register_secret(params.get("password"))
        return cls(params, schema)

    @classmethod
    def from_parts(cls, *, host: str, dbname: str, user: str, password: str) -> "DatabaseUrl":
        """Build a TLS address from its parts; the database name may hold a space.

        Args:
            host: a name or an address, `:port` behind it if need be, an IPv6 address in brackets
                then; or the folder of a unix socket.
            dbname: the database.
            user: the role.
            password: as it is, not percent-encoded.

        Raises:
            UsageError: the host is none.
        """
        register_secret(password)
        name, port = _host_and_port(host.strip())
        params = {"host": name, "dbname": dbname, "user": user, "password": password}
        if port:
            params["port"] = port
        if name not in _LOCAL and not name.startswith("/"):
            params["sslmode"] = "require"
        return cls(params)

    @property
    def conninfo(self) -> str:
        """The libpq connection string, password included: never print it."""
        return make_dsn(**{"application_name": "outreach", **self.params})

    @property
    def display(self) -> str:
        """Host and database, for messages."""
        host = self.params.get("host") or self.params.get("hostaddr") or "localhost"
        port = f":{self.params['port']}" if "port" in self.params else ""
        return redact(f"{host}{port}/{self.params.get('dbname', '')}")

    def with_database(self, dbname: str) -> "DatabaseUrl":
        """The same server, another database."""
        return DatabaseUrl({**self.params, "dbname": dbname}, self.schema)


def _no_address(name: str) -> UsageError:
    return UsageError(
        f"{name} is no PostgreSQL address: write it as .env.example shows, with special "
        "characters of the password percent-encoded"
    )


def _unquoted(text: str) -> str:
    """Without the quotes around it that some tools copy along from a shell or a file."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1].strip() if quoted else text


def _host_and_port(host: str) -> tuple[str, str]:
    if host.startswith("/"):
        return host, ""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    elif host.count(":") > 1:
        name, colon, port = host, "", ""
    else:
        name, colon, port = host.partition(":")
    if not name or set(name) & set("/@ ") or colon not in ("", ":") or not _PORT.fullmatch(port):
        # Not quoted: somebody may have put a whole address there.
        raise UsageError(
            "the database's host is no host name: write one like db.example.org, with or without "
            ":port, into NEON_HOST and nothing else"
        )
    return name, port


def _without_prisma(url: str, name: str) -> tuple[str, str | None]:
    """The URL as libpq takes it, and Prisma's schema.

    Raises:
        UsageError: another scheme, or a password whose `@` or `/` libpq would take for the end of
            the password, so that its rest would be shown as the host or the database.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql"):
        raise UsageError(f"{name} is no PostgreSQL address: it starts with {scheme}://")
    base, _, query = rest.partition("?")
    authority, _, path = base.partition("/")
    if authority.count("@") > 1 or "@" in path or ("@" in query and "@" not in authority):
        raise _no_address(name)
    # Not parsed and written anew: libpq reads a plus sign as a plus sign.
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    schema = next((unquote(value) for key, _, value in pairs if key == "schema" and value), None)
    kept = "&".join("".join(pair) for pair in pairs if pair[0] not in _PRISMA_ONLY)
    return f"{scheme}://{base.replace(' ', '%20')}{'?' if kept else ''}{kept}", schema
