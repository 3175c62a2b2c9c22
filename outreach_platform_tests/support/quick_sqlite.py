"""Dagster's SQLite files at a third of the cost: what is the same each time is made once.

Dagster makes a SQLAlchemy engine for each event that it stores, which compiles each statement anew,
and reads all of its migrations whenever it opens an instance or begins a run. Here both are kept,
and commits do not wait for the disk. What is stored, and by which statements, stays the same;
commands in processes of their own have none of this.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool


def install() -> None:
    """Change this process; once is enough."""
    _keep_migrations()
    _keep_engines()
    event.listen(Engine, "connect", _do_not_wait_for_the_disk)


def _keep_migrations() -> None:
    read: Callable[[Config], ScriptDirectory] = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in known:
            known[place] = read(config)
        return known[place]

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]


def _keep_engines() -> None:
    make = sqlite_event_log.create_engine
    known: dict[str, Engine] = {}

    def create_engine(address: str, **options: Any) -> Engine:
        # Without a pool an engine holds no connection, so any thread may share it.
        assert options["poolclass"] is NullPool
        if address not in known:
            if len(known) > 500:
                known.clear()
            known[address] = make(address, **options)
        return known[address]

    sqlite_event_log.create_engine = create_engine


def _do_not_wait_for_the_disk(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
