"""A loaded events sample to renew, in as many copies as there are tests."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from outreach_platform.embedded.sample import load_sample, renewal
from outreach_platform.embedded.sample.load import SampleSummary
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import (
    drop_database,
    fetch,
    fresh_database,
    wait_until,
)

SCALE = 0.1
NOW = datetime(2026, 5, 4, 17, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
EVENTS = 'public."BehavioralEvent"'
INSERT = (
    f'INSERT INTO {EVENTS} (id, "userId", "eventType", "eventData") '
    "VALUES ('c', 'c', 'GRAPH_VIEWED', '{}')"
)
Urls = tuple[DatabaseUrl, DatabaseUrl, DatabaseUrl]


@contextmanager
def fresh_databases(server: EmbeddedServer) -> Iterator[Urls]:
    """Three empty databases, dropped at the end."""
    names = [f"renewal_{uuid.uuid4().hex[:12]}" for _ in range(3)]
    neon, supabase, events = (fresh_database(server, name) for name in names)
    yield neon, supabase, events
    for name in names:
        drop_database(server, name)


@contextmanager
def events_copy(server: EmbeddedServer, loaded: Urls) -> Iterator[Urls]:
    """The loaded databases, but a copy of the events, which keeps every row's xmin."""
    name = f"renewal_{uuid.uuid4().hex[:12]}"
    template = fetch(loaded[2], "SELECT current_database()")[0][0]
    yield *loaded[:2], fresh_database(server, name, template)
    drop_database(server, name)


def load(urls: Urls, now: datetime = LATER, seed: int = 7) -> SampleSummary:
    return load_sample(*urls, seed=seed, scale=SCALE, now=now)


def contents(url: DatabaseUrl) -> list[list[tuple]]:
    """All rows of the four tables and the marker, with the transaction that wrote them."""
    tables = (*renewal.TABLES, "public.sample_info")
    return [sorted(fetch(url, f"SELECT t.xmin::text, t::text FROM {t} AS t")) for t in tables]


def last_day(url: DatabaseUrl) -> datetime:
    return fetch(url, f"SELECT date_trunc('day', max(timestamp)) FROM {EVENTS}")[0][0]


def eve(now: datetime) -> datetime:
    return datetime(now.year, now.month, now.day) - timedelta(days=1)


@contextmanager
def transaction(url: DatabaseUrl, statement: str) -> Iterator[Any]:
    """A session in whose open transaction `statement` has run; rolled back at the end."""
    connection = psycopg2.connect(url.conninfo)
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            yield cursor
    finally:
        connection.close()


@contextmanager
def stuck_renewal(url: DatabaseUrl) -> Iterator[Callable[[], int]]:
    """Whoever renews here stops after its DELETEs; yields what waits for that, giving its pid."""
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM public.sample_info%'"
    )

    def wait() -> int:
        wait_until(lambda: fetch(url, waiting), "the renewal waits for its marker")
        return fetch(url, waiting)[0][0]

    with transaction(url, "SELECT FROM public.sample_info FOR UPDATE"):
        yield wait
