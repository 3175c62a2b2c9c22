"""`shq.kill_switch_overrides`: leave to pass K1 or K2, for a state, until a date."""

from datetime import UTC, date, datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from outreach_platform.foundation.errors import SourceError, UsageError
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.gates import OVERRIDABLE, Override

_DDL = """
CREATE TABLE shq.kill_switch_overrides (
    id serial PRIMARY KEY,
    state varchar(2) NOT NULL,
    kill_switch varchar(2) NOT NULL CHECK (kill_switch IN ('K1', 'K2')),
    valid_until date NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""
_COLUMNS = ("id", "state", "kill_switch", "valid_until", "reason", "created_by")


def check_override(override: Override, today: date | None = None) -> None:
    """Refuse an override that cannot hold.

    Raises:
        UsageError: K3, a past date, or no reason or name.
    """
    if override.switch not in OVERRIDABLE:
        raise UsageError(
            f"{override.switch} cannot be overridden, only {' and '.join(OVERRIDABLE)}: null or "
            "doubled company ids must be mended at the source"
        )
    if not override.reason.strip() or not override.by.strip():
        raise UsageError("an override needs a --reason and a name (--by)")
    if override.until < (today or datetime.now(UTC).date()):
        raise UsageError(f"--until {override.until} is past: give today or a later day")


def add_override(url: DatabaseUrl, override: Override) -> Override:
    """Store an override; the same one twice is one.

    Raises:
        UsageError: see `check_override`.
        SourceError: the database refuses.
    """
    check_override(override)
    values = (override.state, override.switch, override.until, override.reason, override.by)
    with connect(url) as connection:
        _ensure_table(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM shq.kill_switch_overrides WHERE (state, kill_switch, valid_until, "
                "reason, created_by) = (%s, %s, %s, %s, %s)",
                values,
            )
            row = cursor.fetchone()
            if row is None:
                cursor.execute(
                    "INSERT INTO shq.kill_switch_overrides (state, kill_switch, valid_until, "
                    "reason, created_by) VALUES (%s, %s, %s, %s, %s) RETURNING id",
                    values,
                )
                row = cursor.fetchone()
    return override.model_copy(update={"id": row[0] if row else None})


def active_overrides(url: DatabaseUrl, state: str, today: date) -> list[Override]:
    """The state's overrides that hold on `today`; none where the table was never made."""
    with connect(url, readonly=True) as connection, connection.cursor() as cursor:
        if not _table_stands(cursor):
            return []
        cursor.execute(
            "SELECT id, state, kill_switch, valid_until, reason, created_by "
            "FROM shq.kill_switch_overrides WHERE state = %s AND valid_until >= %s ORDER BY id",
            (state, today),
        )
        return [
            Override(id=i, state=s, switch=k, until=u, reason=r, by=b)
            for i, s, k, u, r, b in cursor.fetchall()
        ]


def _ensure_table(connection: Connection) -> None:
    with connection.cursor() as cursor:
        if _table_stands(cursor):
            return
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('shq.kill_switch_overrides'))")
        if _table_stands(cursor):
            return
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'shq'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE SCHEMA shq")
        cursor.execute(_DDL)


def _table_stands(cursor: Cursor) -> bool:
    """Whether the table is there.

    Raises:
        SourceError: a table of another shape is.
    """
    cursor.execute(
        "SELECT attname::text FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
        "AND attrelid = to_regclass('shq.kill_switch_overrides')"
    )
    found = {name for (name,) in cursor.fetchall()}
    missing = [name for name in _COLUMNS if name not in found]
    if found and missing:
        raise SourceError(
            f"shq.kill_switch_overrides exists with another shape: it lacks {', '.join(missing)}; "
            "rename that table or alter it"
        )
    return bool(found)
