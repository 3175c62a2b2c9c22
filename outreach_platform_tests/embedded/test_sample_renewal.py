"""Renewing the events sample: today's rows for untouched ones, and nothing else ever."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from outreach_platform.embedded.sample import load as loading
from outreach_platform.embedded.sample import user_ids
from outreach_platform.embedded.sample.load import SampleSummary
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support.postgres import execute, fetch
from outreach_platform_tests.support.renewals import (
    EVENTS,
    INSERT,
    LATER,
    NOW,
    Urls,
    contents,
    eve,
    events_copy,
    fresh_databases,
    last_day,
    load,
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


def test_untouched_events_of_an_earlier_day_are_renewed_again_and_again(
    urls: Urls, pg_server: EmbeddedServer
) -> None:
    first = load(urls, NOW)
    assert first.loaded == ()
    assert last_day(urls[2]) == eve(NOW)
    renewed = load(urls)
    assert renewed.loaded == ("events",)
    assert last_day(urls[2]) == eve(LATER)
    rows = [[text for _, text in table] for table in contents(urls[2])]
    with fresh_databases(pg_server) as (_, _, fresh):
        assert load((urls[0], urls[1], fresh)) == renewed, "what a first load writes"
        assert rows == [[text for _, text in table] for table in contents(fresh)]
    writers = {row[0] for table in contents(urls[2]) for row in table}
    assert len(writers) == 1, "one transaction for rows and marker"
    assert load(urls) == SampleSummary(7, (), renewed.counts, renewed.checksums)
    assert load(urls, LATER + timedelta(days=1)).loaded == ("events",)


def test_renewed_events_have_new_ids_and_the_same_users(urls: Urls) -> None:
    users = f'SELECT DISTINCT "userId" FROM {EVENTS}'
    before = set(fetch(urls[2], f"SELECT id FROM {EVENTS}")), set(fetch(urls[2], users))
    load(urls)
    assert before[0].isdisjoint(fetch(urls[2], f"SELECT id FROM {EVENTS}"))
    assert before[1] == set(fetch(urls[2], users))


@pytest.mark.parametrize(
    ("now", "renewed"),
    [
        (NOW.replace(hour=23, minute=59), False),
        (datetime(2026, 5, 5, 1, 0, tzinfo=timezone(timedelta(hours=2))), False),
        (NOW - timedelta(days=3), False),
        (datetime(2026, 5, 5, tzinfo=UTC), True),
        (datetime(2026, 5, 4, 20, 0, tzinfo=timezone(-timedelta(hours=5))), True),
    ],
    ids=["same day", "same day elsewhere", "clock set back", "midnight", "midnight elsewhere"],
)
def test_the_utc_day_decides(urls: Urls, now: datetime, renewed: bool) -> None:
    before = contents(urls[2])
    assert load(urls, now).loaded == (("events",) if renewed else ())
    assert (contents(urls[2]) != before) == renewed


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_the_utc_day_decides_whatever_the_servers_time_zone(urls: Urls, zone: str) -> None:
    database = fetch(urls[2], "SELECT current_database()")[0][0]
    execute(urls[2], f"ALTER DATABASE {database} SET timezone = '{zone}'")
    for hours, renewed in ((6, False), (7, True), (14, False), (30, False), (31, True)):
        now = NOW + timedelta(hours=hours)
        assert load(urls, now).loaded == (("events",) if renewed else ()), hours


ANY_EVENT = f"(SELECT min(id) FROM {EVENTS})"
TOUCHED = {
    "insert": INSERT,
    "update": f"UPDATE {EVENTS} SET \"contentType\" = 'mine' WHERE id = {ANY_EVENT}",
    "update to the same": f'UPDATE {EVENTS} SET "userId" = "userId" WHERE id = {ANY_EVENT}',
    "delete": f"DELETE FROM {EVENTS} WHERE id = {ANY_EVENT}",
    "delete all": f"TRUNCATE {EVENTS}",
    "delete and insert": f"WITH gone AS (DELETE FROM {EVENTS} WHERE id = {ANY_EVENT} RETURNING *) "
    f'INSERT INTO {EVENTS} SELECT \'c\', * FROM (SELECT "userId", "eventType", "eventData" '
    "FROM gone) AS rest",
    "protocol": "UPDATE experiment_protocols SET \"protocolName\" = 'mine'",
    "phase": "DELETE FROM phase_assignments WHERE id = (SELECT min(id) FROM phase_assignments)",
    "context": "INSERT INTO context_metadata (id, \"userId\") VALUES ('c', 'c')",
    "marker": "UPDATE sample_info SET loaded_at = loaded_at - interval '1 day'",
    "notes that go with an event": "CREATE TABLE notes "
    f"(event text REFERENCES {EVENTS} ON DELETE CASCADE); "
    f"INSERT INTO notes SELECT id FROM {EVENTS} LIMIT 5",
    "trigger": "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN OLD; END $$; "
    f"CREATE TRIGGER mine AFTER DELETE ON {EVENTS} FOR EACH ROW EXECUTE FUNCTION mine()",
    "renamed": f"ALTER TABLE {EVENTS} RENAME TO behavioral_events",
}


@pytest.mark.parametrize("statement", TOUCHED.values(), ids=TOUCHED)
def test_touched_events_are_left_alone(
    urls: Urls, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(urls[2], statement)
    tables = fetch(
        urls[2], "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    rows = [f'SELECT t.xmin::text, t::text FROM "{name}" AS t ORDER BY 2' for (name,) in tables]
    before = [fetch(urls[2], query) for query in rows]
    with caplog.at_level(logging.INFO):
        assert load(urls).loaded == ()
    assert [fetch(urls[2], query) for query in rows] == before
    assert "keeps its older events sample" in caplog.text


def test_events_whose_day_is_not_known_are_left_alone(urls: Urls) -> None:
    execute(urls[2], "UPDATE sample_info SET loaded_at = NULL")
    assert load(urls).loaded == ()
    assert last_day(urls[2]) == eve(NOW)


UNTOUCHED = {
    "vacuum": f"VACUUM (FREEZE, FULL) {EVENTS}",
    "freeze": "VACUUM (FREEZE, ANALYZE)",
    "index": f'CREATE INDEX ON {EVENTS} ("eventType")',
    "column": f"ALTER TABLE {EVENTS} ADD COLUMN note text",
    "view": f"CREATE VIEW mine AS SELECT * FROM {EVENTS}",
    "taken back": f"BEGIN; DELETE FROM {EVENTS}; ROLLBACK",
    "row lock": f"BEGIN; SELECT FROM {EVENTS} FOR UPDATE; COMMIT",
}


@pytest.mark.parametrize("statement", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_changes_no_row_does_not_stop_a_renewal(urls: Urls, statement: str) -> None:
    execute(urls[2], statement)
    assert load(urls).loaded == ("events",)
    assert last_day(urls[2]) == eve(LATER)


@pytest.mark.parametrize(("newer", "renewed"), [(-1, False), (0, False), (1, True)])
def test_an_older_generators_events_are_renewed_on_the_same_day(
    urls: Urls, monkeypatch: pytest.MonkeyPatch, newer: int, renewed: bool
) -> None:
    version = loading.GENERATOR_VERSION
    monkeypatch.setattr(loading, "GENERATOR_VERSION", version + newer)
    assert load(urls, NOW).loaded == (("events",) if renewed else ())
    versions = [
        fetch(u, f"SELECT generator_version FROM {s}.sample_info")[0][0]
        for u, s in zip(urls, ("marketing", "public", "public"), strict=True)
    ]
    assert versions == [version, version, version + renewed], "others are never renewed"


def test_a_newer_generators_events_are_kept_on_a_later_day(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "GENERATOR_VERSION", loading.GENERATOR_VERSION - 1)
    assert load(urls).loaded == ()
    assert last_day(urls[2]) == eve(NOW)


def test_an_older_generators_touched_events_are_kept(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(urls[2], TOUCHED["update"])
    before = contents(urls[2])
    monkeypatch.setattr(loading, "GENERATOR_VERSION", loading.GENERATOR_VERSION + 1)
    assert load(urls, NOW).loaded == ()
    assert contents(urls[2]) == before


def test_events_of_another_seed_are_refused_and_not_renewed(urls: Urls) -> None:
    before = contents(urls[2])
    with pytest.raises(UsageError, match="seed 7"):
        load(urls, seed=8)
    assert contents(urls[2]) == before


def test_companies_are_never_renewed(urls: Urls) -> None:
    tables = ("company_master", "people_master", "company_invalid", "sample_info")
    query = "SELECT md5(string_agg(t.xmin || t::text, '' ORDER BY t::text)) FROM marketing.{} AS t"
    before = [fetch(urls[0], query.format(table)) for table in tables]
    load(urls)
    assert [fetch(urls[0], query.format(table)) for table in tables] == before


def test_another_seeds_events_are_renewed_with_its_own_users(pg_server: EmbeddedServer) -> None:
    with fresh_databases(pg_server) as urls:
        load(urls, NOW, seed=8)
        assert load(urls, seed=8).loaded == ("events",)
        protocols = set(fetch(urls[2], 'SELECT "userId" FROM experiment_protocols'))
    assert protocols == {(user,) for group in user_ids(8).values() for user in group}
