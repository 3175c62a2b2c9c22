"""The tables of the three source databases, as the systems this platform reads really have them.

The DDL stands in `schema/*.sql`. It only creates what is missing and never changes a table that
is there. What the platform itself adds to a source (audit log, enrichment columns, sequences) is
not here: it has to be added to real databases too.
"""

from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("schema")


def create_neon(connection: Any) -> None:
    """Create schema `marketing` with its five tables where missing.

    Args:
        connection: an open psycopg2 connection; the caller commits.
    """
    _run(connection, "neon")


def create_supabase(connection: Any) -> None:
    """Create the two workspace tables and their indexes where missing.

    Args:
        connection: an open psycopg2 connection; the caller commits.
    """
    _run(connection, "supabase")


def create_events(connection: Any) -> None:
    """Create `"BehavioralEvent"`, its enums and its three sibling tables where missing.

    Args:
        connection: an open psycopg2 connection; the caller commits.
    """
    _run(connection, "events")


def _run(connection: Any, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute((_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
