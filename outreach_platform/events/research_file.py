"""The research database's present file: held while a new one is built, set aside where damaged.

The file may hold tables of somebody's own, so nothing here deletes or overwrites any of it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import duckdb

from outreach_platform.events.layout import STAMP
from outreach_platform.events.research_sql import OURS, SCHEMA
from outreach_platform.foundation.errors import BusyError, OutreachError
from outreach_platform.foundation.warehouse import quote_text

_logger = logging.getLogger(__name__)
# What DuckDB says, see `_Refusal`.
_OPEN_ELSEWHERE = ("Could not set lock on file", "different configuration", "already open")
_DAMAGED = (
    "not a valid DuckDB database",
    "Corrupt",
    "Could not read enough bytes",
    "Failure while replaying WAL",
    "Failed to deserialize",
)
_BROKEN = (duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
_State = tuple[int, int, int] | None


@dataclass(frozen=True)
class Present:
    """The file as it stands.

    Attributes:
        start_from: the file, open, where somebody keeps something of their own in it; None where a
            new one can begin empty.
        set_aside: where a damaged file, or a log that belongs to no file, was moved; or None.
        require_unchanged: raises BusyError when somebody has written to the file since.
    """

    start_from: BinaryIO | None
    set_aside: Path | None
    require_unchanged: Callable[[], None]


@contextmanager
def held(database: Path) -> Iterator[Present]:
    """Hold the present file for the time of a block, so that no writer opens it meanwhile.

    Readers come and go. A damaged file is moved away first, together with its log.

    Args:
        database: the file; it need not be there.

    Raises:
        BusyError: another program has it open for writing.
        OutreachError: it is no file, cannot be read, or is of another DuckDB.
    """
    aside = _fold_log(database)
    connection = None
    if database.exists():
        connection, moved = _open(database, read_only=True)
        aside = moved or aside
    seen = _state(database)

    def require_unchanged() -> None:
        if _state(database) != seen or _log(database).exists():
            raise BusyError(f"{database} was written by another program meanwhile; run again")

    if connection is None:
        yield Present(None, aside, require_unchanged)
        return
    # Closing any handle of a file gives up all of the process's locks on it (POSIX), DuckDB's too:
    # so the file is opened once for copying, and closed at the end.
    with closing(connection), database.open("rb") as file:
        start_from = file if has_strangers(connection) else None
        yield Present(start_from, aside, require_unchanged)


def has_strangers(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether somebody keeps something of their own in the database."""
    ours = ", ".join(map(quote_text, sorted(OURS)))
    (found,) = connection.execute(
        "SELECT count(*) FROM ("
        "SELECT schema_name, table_name AS name FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal) "
        f"WHERE schema_name <> {quote_text(SCHEMA)} OR name NOT IN ({ours})"
    ).fetchone() or (0,)
    (others,) = connection.execute(
        "SELECT (SELECT count(*) FROM duckdb_sequences()) "
        "+ (SELECT count(*) FROM duckdb_functions() WHERE NOT internal) "
        "+ (SELECT count(*) FROM duckdb_types() WHERE NOT internal) "
        "+ (SELECT count(*) FROM duckdb_schemas() WHERE NOT internal "
        f"AND schema_name NOT IN ('main', {quote_text(SCHEMA)}))"
    ).fetchone() or (0,)
    return bool(found or others)


def _fold_log(database: Path) -> Path | None:
    """Write a log that a killed writer left into the file: it would be replayed on the new one.

    Returns:
        Where a damaged file, or a log of no use, was moved; else None.
    """
    left = _state(_log(database))
    if left is None:
        return None
    if not database.exists():
        return _move_away([_log(database)], "no database stands beside it")
    connection, aside = _open(database, read_only=False)
    if connection is not None:
        with closing(connection):
            connection.execute("CHECKPOINT")
        # Where nothing in it is whole, DuckDB passes over it in silence and leaves it there.
        if _state(_log(database)) == left:
            aside = _move_away([_log(database)], "its writer was stopped in the middle")
    return aside


def _open(
    database: Path, *, read_only: bool
) -> tuple[duckdb.DuckDBPyConnection | None, Path | None]:
    """Open the file, or move it away where it is damaged.

    Returns:
        The connection or None, and where the damaged file was moved or None.
    """
    try:
        return duckdb.connect(str(database), read_only=read_only), None
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        # The path is somebody's own choice and may hold any word.
        said = reason.replace(str(database), "")
        if isinstance(error, _BROKEN) or any(sign in said for sign in _DAMAGED):
            # The log first: alone, the file would be taken for a whole one.
            return None, _move_away([_log(database), database], reason)
        raise _refusal(database, reason, said) from None


def _refusal(database: Path, reason: str, said: str) -> OutreachError:
    """Why a file that is not damaged cannot be opened, in one sentence."""
    if any(sign in said for sign in _OPEN_ELSEWHERE):
        return BusyError(
            f"{database} is open for writing in another program: close it there, and the next run "
            "brings it up to date"
        )
    if "version number" in said:
        reason = "it was written by another version of DuckDB"
    elif not database.is_file():
        reason = "it is no file"
    return OutreachError(
        f"{database} cannot be opened ({reason}): move it away, or name another file in "
        "DUCKDB_DB_PATH"
    )


def _move_away(paths: list[Path], reason: str) -> Path:
    """Move those files that are there under names that are free; returns the last one's."""
    stamp = datetime.now(UTC).strftime(STAMP)
    files = [path for path in paths if path.exists()]
    names = (f"damaged-{stamp}" + (f"-{n}" if n else "") for n in range(1 << 16))
    name = next(n for n in names if not any(_renamed(path, n).exists() for path in files))
    for path in files:
        path.rename(_renamed(path, name))
        _logger.warning("moved %s to %s: %s", path, _renamed(path, name).name, reason)
    return _renamed(files[-1], name)


def _renamed(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}.{name}")


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def _state(path: Path) -> _State:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
