"""Replaces the events sample of an earlier day, as long as nobody has touched its rows."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2

# Phases before protocols, because of their foreign key.
TABLES = (
    *('public."BehavioralEvent"', "public.phase_assignments"),
    *("public.experiment_protocols", "public.context_metadata"),
)

_log = logging.getLogger(__name__)
# Longer than PostgreSQL's deadlock_timeout of one second, after which an autovacuum gives way.
_LOCK_WAIT = "5s"
Filled = TypeVar("Filled")


def renew(
    cursor: Any, place: str, marker: str, counts: dict[str, int], fill: Callable[[], Filled]
) -> Filled | None:
    """Replace the rows and their marker, or leave both as they are and log why.

    Readers see the old rows until the caller commits, and the new ones from then on: DELETE, not
    TRUNCATE, which would show an empty table to a snapshot taken before. Whoever writes to the
    tables waits. A renewal that fails is undone alone, and the old sample stays.

    Args:
        cursor: in the transaction that holds the sample's advisory lock; the caller commits.
        place: the database's name in messages.
        marker: the table whose one row was written in the transaction of the sample's rows.
        counts: rows by table, as the marker has them.
        fill: writes the new rows and the new marker.

    Returns:
        What `fill` returns; None where the old sample stays.

    Raises:
        psycopg2.Error: the connection is lost.
    """
    cursor.execute("SAVEPOINT renewal")
    try:
        reason = _clear(cursor, marker, counts)
        if reason is None:
            return fill()
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT renewal")
        _log.warning(
            "%s keeps its older events sample, which could not be renewed: %s",
            place,
            (error.diag.message_primary or type(error).__name__).strip(),
        )
        return None
    # The tables' lock goes with it: nobody waits for what the caller still does.
    cursor.execute("ROLLBACK TO SAVEPOINT renewal")
    _log.info("%s keeps its older events sample: %s", place, reason)
    return None


def _clear(cursor: Any, marker: str, counts: dict[str, int]) -> str | None:
    """Delete the rows and the marker's if they are untouched; otherwise say what is not."""
    # Between the look and the DELETE nobody may write, or the DELETE would take that along.
    cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
    cursor.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
    cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    reason = _foreign_parts(cursor) or _changed_rows(cursor, marker, counts)
    if reason is None:
        for table in (*TABLES, marker):
            cursor.execute(f"DELETE FROM {table}")
    return reason


def _foreign_parts(cursor: Any) -> str | None:
    """Keys and triggers by which a DELETE here would reach somebody's own rows."""
    cursor.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
        "AND confrelid = ANY(%(ours)s::regclass[]) AND NOT conrelid = ANY(%(ours)s::regclass[]) "
        "UNION ALL SELECT tgname FROM pg_trigger "
        "WHERE tgrelid = ANY(%(ours)s::regclass[]) AND NOT tgisinternal LIMIT 1",
        {"ours": list(TABLES)},
    )
    found = cursor.fetchone()
    return f"{found[0]} has been attached to it" if found else None


def _changed_rows(cursor: Any, marker: str, counts: dict[str, int]) -> str | None:
    """The table that lacks rows, or has some that another transaction wrote than the marker's.

    Neither VACUUM nor freezing changes `xmin`; INSERT and UPDATE do, and DELETE shows in counts.
    """
    for table in TABLES:
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE t.xmin = (SELECT m.xmin FROM {marker} AS m)) "
            f"FROM {table} AS t"
        )
        if cursor.fetchone() != (counts.get(table),) * 2:
            return f"rows of {table} have changed since it was loaded"
    return None
