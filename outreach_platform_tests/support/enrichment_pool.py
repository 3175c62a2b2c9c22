"""Databases of the enrichment tests, used again where a test left their tables as they were."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    fresh_database,
)


class Pool:
    """Pairs of databases that tests use one after the other: emptied, or dropped if altered.

    Copying a template takes several times as long as emptying a few tables.
    """

    def __init__(self, server: EmbeddedServer, templates: tuple[str, str]) -> None:
        self._server = server
        self._templates = templates
        self._idle: list[tuple[Databases, tuple[str, str]]] = []

    @contextmanager
    def lend(self) -> Iterator[Databases]:
        """Two databases without rows."""
        databases, form = self._idle.pop() if self._idle else self._copied()
        try:
            yield databases
        finally:
            if self._emptied(databases, form):
                self._idle.append((databases, form))
            else:
                self._drop(databases)

    def close(self) -> None:
        """Drop all of them."""
        while self._idle:
            self._drop(self._idle.pop()[0])

    def _copied(self) -> tuple[Databases, tuple[str, str]]:
        name = f"enrich_{uuid.uuid4().hex[:12]}"
        neon = fresh_database(self._server, f"{name}_neon", self._templates[0])
        desk = fresh_database(self._server, f"{name}_desk", self._templates[1])
        return Databases(neon, desk), (_form(neon), _form(desk))

    def _emptied(self, databases: Databases, form: tuple[str, str]) -> bool:
        try:
            for url in (databases.neon, databases.workspace):
                execute(url, _EMPTY)
            return (_form(databases.neon), _form(databases.workspace)) == form
        except psycopg2.Error:  # somebody holds a lock, or dropped what is needed
            return False

    def _drop(self, databases: Databases) -> None:
        for url in (databases.neon, databases.workspace):
            drop_database(self._server, url.params["dbname"])


# No TRUNCATE: it makes new files for every table and index.
_EMPTY = """
SET lock_timeout = '1s';
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT oid::regclass::text FROM pg_class
        WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace,
            'information_schema'::regnamespace, 'pg_toast'::regnamespace)
    LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
    PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""
_FORM = """
WITH ours AS (
    SELECT oid FROM pg_class WHERE relnamespace NOT IN ('pg_catalog'::regnamespace,
        'information_schema'::regnamespace, 'pg_toast'::regnamespace)
), parts AS (
    SELECT c.oid::text || c.relname || coalesce(c.relacl::text, '') AS part
    FROM pg_class c JOIN ours USING (oid)
    UNION ALL SELECT concat_ws(' ', attrelid, attname, atttypid, atttypmod, attnotnull, atthasdef)
    FROM pg_attribute JOIN ours ON attrelid = ours.oid WHERE attnum > 0
    UNION ALL SELECT concat_ws(' ', oid, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid IN (TABLE ours)
    UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
    WHERE tgrelid IN (TABLE ours)
    UNION ALL SELECT concat_ws(' ', proname, prosrc) FROM pg_proc
    WHERE pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    UNION ALL SELECT evtname FROM pg_event_trigger
)
SELECT md5(string_agg(part, '|' ORDER BY part)) FROM parts
"""


def _form(url: DatabaseUrl) -> str:
    """What the tables, triggers and functions of a database look like, as one hash."""
    return fetch(url, _FORM)[0][0]
