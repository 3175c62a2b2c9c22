"""The embedded databases, dumped out of one moment while they are in use, loaded into a new server.

The server writes no log that a file copy could be replayed from (`wal_level` is minimal), hence the
dump. All databases are seen as they were within milliseconds of one another, the workspace first
and Neon after it. Enrichment writes to Neon first and marks it in the workspace afterwards, so the
copy is what a crash at that moment would have left: an edit that came through may lack its mark,
which the next push recognises and sets; a mark without what it stands for cannot be in it.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from outreach_platform.embedded.binaries import find_binaries
from outreach_platform.embedded.cluster import create_databases, server_environment
from outreach_platform.embedded.layout import SUPERUSER, Layout, open_lock, wait_lock
from outreach_platform.embedded.privileges import Identity
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.postgres.connection import open_connection, translate
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.redaction import mask_emails_in
from outreach_platform.foundation.warehouse import quote_identifier

# The order in which they are looked at; see above.
ORDER = ("supabase", "neon", "events")
_STOP_SECONDS = 90.0
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""


@dataclass
class DatabaseCopy:
    """One database in the copy.

    Attributes:
        name: of the database.
        rows: of all tables together.
        tables: how many.
        problem: why it is not whole, None where it is.
    """

    name: str
    rows: int = 0
    tables: int = 0
    problem: str | None = None


@dataclass
class _Moment:
    """A database at one moment, held by an open transaction."""

    name: str
    url: DatabaseUrl
    connection: Any
    snapshot: str
    rows: dict[str, int] = field(default_factory=dict)


def exists(folder: Path) -> bool:
    """Whether an embedded server was ever started in a folder."""
    return (Layout(folder).cluster / "PG_VERSION").exists()


def copy_databases(
    source: Path, target: Path, left_out: Sequence[str], tell: Callable[[str], None]
) -> list[DatabaseCopy]:
    """Copy the databases of one embedded server into a new one, which is stopped at the end.

    Args:
        source: the folder of a server that was started before.
        target: the folder of the new one; made.
        left_out: databases that are not copied.
        tell: told what is being done.

    Returns:
        What became of each; one that could not be copied does not stop the others.

    Raises:
        OutreachError: one of the servers does not come up.
    """
    running = ensure_running(source)
    names = _names(running, left_out)
    with ExitStack() as stack:
        moments = [stack.enter_context(_moment(running, name)) for name in names]
        # Synced as a whole when the backup is complete.
        with _new_server(target) as server:
            create_databases(server.url("postgres").conninfo, tuple(names))
            _copy_roles(running, server)
            return [_copy(moment, server, tell) for moment in moments]


def _names(server: EmbeddedServer, left_out: Sequence[str]) -> list[str]:
    """The databases, those that somebody added last."""
    with open_connection(server.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
            "AND datname <> 'postgres' ORDER BY 1"
        )
        found = [name for (name,) in cursor.fetchall() if name not in left_out]
    connection.close()
    return sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


@contextmanager
def _moment(server: EmbeddedServer, name: str) -> Iterator[_Moment]:
    """Hold what a database is now, for dump and counts to see the same."""
    url = server.url(name)
    connection = open_connection(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL lock_timeout = '60s'")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone() or ("",)
        yield _Moment(name, url, connection, snapshot)
    finally:
        connection.close()


@contextmanager
def _new_server(folder: Path) -> Iterator[EmbeddedServer]:
    """A server for the time of a block; it is down before anything is moved or removed."""
    server = ensure_running(folder, durable=False)
    lock = open_lock(Layout(folder).supervisor_lock)
    try:
        yield server
    finally:
        server.release()
        with suppress(ProcessLookupError):
            os.kill(server.supervisor_pid, signal.SIGTERM)
        stopped = wait_lock(lock, _STOP_SECONDS)
        os.close(lock)
        if not stopped:
            raise OutreachError(
                f"the database server of the copy (process {server.supervisor_pid}) does not end: "
                "end it, and run the backup again"
            )


def _copy_roles(source: EmbeddedServer, target: EmbeddedServer) -> None:
    """Make the roles that somebody added, so that their rights can be loaded."""
    with open_connection(source.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> %s", [SUPERUSER]
        )
        (others,) = cursor.fetchone() or (0,)
    connection.close()
    if others:
        # Our own role stands already; psql says so and goes on.
        _pipe(
            ["pg_dumpall", "--roles-only", "--dbname", source.url("postgres").conninfo],
            ["psql", "--no-psqlrc", "--quiet", target.url("postgres").conninfo],
        )


def _copy(moment: _Moment, target: EmbeddedServer, tell: Callable[[str], None]) -> DatabaseCopy:
    tell(f"database {moment.name}")
    done = DatabaseCopy(moment.name)
    url = target.url(moment.name)
    try:
        # The dump waits for locked tables, for a minute, and can be interrupted meanwhile.
        dump = ["pg_dump", "--format=custom", "--compress=0", "--lock-wait-timeout=60s"]
        dump += [f"--snapshot={moment.snapshot}", f"--dbname={moment.url.conninfo}"]
        done.problem = _pipe(dump, ["pg_restore", "--exit-on-error", f"--dbname={url.conninfo}"])
        if done.problem is None:
            expected = _counts(moment.connection)
            done.tables, done.rows = len(expected), sum(expected.values())
            connection = open_connection(url)
            try:
                done.problem = _difference(expected, _counts(connection))
            finally:
                connection.close()
    except psycopg2.Error as error:
        done.problem = str(translate(error, moment.url))
    except OutreachError as error:
        done.problem = str(error)
    if done.problem is not None:
        done.problem = f"database {moment.name}: {done.problem}"
    return done


def _counts(connection: Any) -> dict[str, int]:
    """Rows by table."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for schema, table in cursor.fetchall():
            name = f"{quote_identifier(schema)}.{quote_identifier(table)}"
            cursor.execute(f"SELECT count(*) FROM ONLY {name}")
            (found[f"{schema}.{table}"],) = cursor.fetchone()
    return found


def _difference(expected: dict[str, int], found: dict[str, int]) -> str | None:
    for table, rows in expected.items():
        if found.get(table) != rows:
            return f"{table} has {rows} rows, its copy {found.get(table, 'none')}"
    return None


def _pipe(first: list[str], second: list[str]) -> str | None:
    """Run two of PostgreSQL's programs, the first into the second; returns what went wrong."""
    programs = find_binaries()[0].bin
    # They end with this process, however it ends.
    options: dict[str, Any] = {
        "env": server_environment(),
        "cwd": "/",
        "preexec_fn": Identity().preexec(signal.SIGTERM),
    }
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as answered:
        source = subprocess.Popen(
            [str(programs / first[0]), *first[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            **options,
        )
        sink = None
        try:
            sink = subprocess.Popen(
                [str(programs / second[0]), *second[1:]],
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                stderr=answered,
                **options,
            )
            if source.stdout is not None:
                source.stdout.close()  # so that the first notices when the second ends
            codes = [(sink.wait(), answered), (source.wait(), said)]
        finally:
            for process in (source, sink):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
        # The first program's error is the cause where both failed, but for a broken pipe.
        for code, stream in codes:
            if code != 0:
                return _first_line(stream)
    return None


def _first_line(stream: Any) -> str:
    """What a program says went wrong, without what follows, which may quote rows."""
    stream.seek(0)
    lines = stream.read(20_000).decode("utf-8", "replace").splitlines()
    said = next((line.partition("error: ")[2] for line in lines if "error: " in line), None)
    return mask_emails_in(said or " ".join(lines[-1:]) or "it ended without a word")
