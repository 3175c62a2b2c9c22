"""A renewal beside readers, writers and other renewals, and one that does not come to its end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from outreach_platform.embedded.sample import renewal
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import SourceUnavailableError
from outreach_platform_tests.support.postgres import execute, fetch, wait_until
from outreach_platform_tests.support.renewals import (
    EVENTS,
    INSERT,
    LATER,
    NOW,
    SCALE,
    Urls,
    contents,
    eve,
    events_copy,
    fresh_databases,
    last_day,
    load,
    stuck_renewal,
    transaction,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(pg_server: EmbeddedServer) -> Iterator[Urls]:
    with fresh_databases(pg_server) as urls:
        load(urls, NOW)
        yield urls


@pytest.fixture
def urls(pg_server: EmbeddedServer, loaded: Urls) -> Iterator[Urls]:
    with events_copy(pg_server, loaded) as found:
        yield found


def test_a_snapshot_taken_before_still_sees_the_old_events(urls: Urls) -> None:
    look = f"SELECT count(*), max(timestamp)::date::text FROM {EVENTS}"
    with transaction(urls[2], "SELECT 1") as cursor:
        assert load(urls).loaded == ("events",)
        cursor.execute(look)
        assert cursor.fetchall() == [(1000, f"{eve(NOW):%Y-%m-%d}")]
    assert fetch(urls[2], look) == [(1000, f"{eve(LATER):%Y-%m-%d}")]


def test_readers_see_the_old_events_while_they_are_renewed(urls: Urls) -> None:
    before = contents(urls[2])
    with ThreadPoolExecutor(1) as pool:
        with stuck_renewal(urls[2]) as wait:
            summary = pool.submit(load, urls)
            wait()
            assert contents(urls[2]) == before
        assert summary.result().loaded == ("events",)
    assert last_day(urls[2]) == eve(LATER)


def test_a_killed_renewal_leaves_the_old_events_and_the_next_one_renews(urls: Urls) -> None:
    before = contents(urls[2])
    script = (
        "import sys; from datetime import datetime; "
        "from outreach_platform.embedded.sample import load_sample; "
        "from outreach_platform.foundation.postgres.url import DatabaseUrl; "
        "load_sample(*map(DatabaseUrl.parse, sys.argv[1:4]), scale=float(sys.argv[4]), "
        "now=datetime.fromisoformat(sys.argv[5]))"
    )
    arguments = [*(url.conninfo for url in urls), str(SCALE), LATER.isoformat()]
    with stuck_renewal(urls[2]) as wait:
        child = subprocess.Popen([sys.executable, "-c", script, *arguments])
        wait()
        child.kill()
        assert child.wait() == -signal.SIGKILL
    assert contents(urls[2]) == before
    assert load(urls).loaded == ("events",)
    assert last_day(urls[2]) == eve(LATER)


def test_a_lost_connection_leaves_the_old_events(urls: Urls) -> None:
    before = contents(urls[2])
    with ThreadPoolExecutor(1) as pool, stuck_renewal(urls[2]) as wait:
        summary = pool.submit(load, urls)
        execute(urls[2], f"SELECT pg_terminate_backend({wait()})")
        with pytest.raises(SourceUnavailableError, match="nothing was kept"):
            summary.result()
    assert contents(urls[2]) == before


def test_a_renewal_that_fails_midway_leaves_the_old_events(
    urls: Urls, caplog: pytest.LogCaptureFixture
) -> None:
    execute(
        urls[2],
        f"ALTER TABLE {EVENTS} ADD CONSTRAINT closed CHECK (timestamp < '{NOW:%Y-%m-%d}')",
    )
    before = contents(urls[2])
    assert load(urls).loaded == ()
    assert contents(urls[2]) == before
    assert "could not be renewed" in caplog.text
    assert "closed" in caplog.text


def test_events_that_somebody_is_writing_are_left_alone(
    urls: Urls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(renewal, "_LOCK_WAIT", "100ms")
    before = contents(urls[2])
    with transaction(urls[2], INSERT):
        assert load(urls).loaded == ()
        assert "lock timeout" in caplog.text
    assert contents(urls[2]) == before
    assert load(urls).loaded == ("events",), "the row was never committed"


def test_a_writer_waits_for_a_renewal_and_loses_nothing(urls: Urls) -> None:
    with ThreadPoolExecutor(2) as pool:
        with stuck_renewal(urls[2]) as wait:
            summary = pool.submit(load, urls)
            wait()
            writer = pool.submit(execute, urls[2], INSERT)
            wait_until(
                lambda: fetch(
                    urls[2],
                    "SELECT FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'",
                ),
                "the writer waits",
            )
        assert summary.result().loaded == ("events",)
        writer.result()
    assert fetch(urls[2], f"SELECT id FROM {EVENTS} WHERE id = 'c'") == [("c",)]
    assert load(urls, LATER + timedelta(days=1)).loaded == ()


def test_two_renewals_at_once_renew_once(urls: Urls) -> None:
    with ThreadPoolExecutor(2) as pool:
        summaries = list(pool.map(lambda _: load(urls), range(2)))
    assert sorted(summary.loaded for summary in summaries) == [(), ("events",)]
    assert summaries[0].checksums == summaries[1].checksums
    assert fetch(urls[2], f"SELECT count(*) FROM {EVENTS}") == [(1000,)]
