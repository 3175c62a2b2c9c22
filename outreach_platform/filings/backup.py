"""A copy of the database from before a clean-up, that opens and holds the same rows."""

from datetime import datetime
from pathlib import Path

import duckdb

from outreach_platform.filings.database import STORAGE
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.lake import replacing
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

_COPY = "backup_copy"
_STATEMENT = "COPY FROM DATABASE {source} TO {copy}"


def back_up(connection: duckdb.DuckDBPyConnection, backups: Path, now: datetime) -> Path:
    """Copy the connection's current database into a file of its own.

    Args:
        connection: outside of a transaction.
        backups: the folder; it is made.
        now: names the file.

    Returns:
        The copy, `filings-{UTC}.duckdb`.

    Raises:
        IntegrityError: the copy does not hold the same rows.
        OutreachError: the disk is full, or the folder refuses.
    """
    target = _free_name(backups, now)
    source = _current(connection)
    with replacing(target) as temporary:
        try:
            _copy(connection, source, temporary)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise OutreachError(
                f"{target} cannot be written ({reason}): nothing was changed; free some space, or "
                "see who owns the folder, and run again"
            ) from None
        finally:
            temporary.with_name(f"{temporary.name}.wal").unlink(missing_ok=True)
    return target


def _copy(connection: duckdb.DuckDBPyConnection, source: str, temporary: Path) -> None:
    connection.execute(
        f"ATTACH {quote_text(str(temporary))} AS {_COPY} (STORAGE_VERSION '{STORAGE}')"
    )
    try:
        connection.execute(_STATEMENT.format(source=quote_identifier(source), copy=_COPY))
        connection.execute(f"CHECKPOINT {_COPY}")
    finally:
        connection.execute(f"DETACH {_COPY}")
    # What is verified is the file, as it is opened again.
    connection.execute(f"ATTACH {quote_text(str(temporary))} AS {_COPY} (READ_ONLY)")
    try:
        for table in COLUMNS:
            rows, copied = (
                _count(connection, f"{name}.{table}") for name in (quote_identifier(source), _COPY)
            )
            if rows != copied:
                raise IntegrityError(
                    f"the backup holds {copied} rows of {table} instead of {rows}: nothing was "
                    "changed; check the disk and run again"
                )
    finally:
        connection.execute(f"DETACH {_COPY}")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return row[0] if row else 0


def _current(connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("SELECT current_database()").fetchone()
    return row[0] if row else ""


def _free_name(backups: Path, now: datetime) -> Path:
    stem = f"filings-{now:%Y%m%dT%H%M%S}"
    number, target = 1, backups / f"{stem}.duckdb"
    while target.exists():
        number += 1
        target = backups / f"{stem}-{number}.duckdb"
    return target
