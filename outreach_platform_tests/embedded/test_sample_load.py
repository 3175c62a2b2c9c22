"""Loading the sample: once, whole or not at all, and never over somebody's rows."""

import dataclasses
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg2
import pytest

from outreach_platform.embedded import schema
from outreach_platform.embedded.sample import load_sample
from outreach_platform.embedded.sample.load import SampleSummary
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError, UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.masters import company, create_masters, insert
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    fresh_database,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow

SCALE = 0.1
NOW = datetime(2026, 5, 4, 17, 30, tzinfo=UTC)
Urls = tuple[DatabaseUrl, DatabaseUrl, DatabaseUrl]


@pytest.fixture
def urls(pg_server: EmbeddedServer) -> Iterator[Urls]:
    names = [f"sample_{uuid.uuid4().hex[:12]}" for _ in range(3)]
    neon, supabase, events = (fresh_database(pg_server, name) for name in names)
    yield neon, supabase, events
    for name in names:
        drop_database(pg_server, name)


def load(urls: Urls, seed: int = 7, scale: float = SCALE, now: datetime = NOW) -> SampleSummary:
    return load_sample(*urls, seed=seed, scale=scale, now=now)


def contents(url: DatabaseUrl, table: str) -> list[tuple]:
    return sorted(fetch(url, f"SELECT t::text FROM {table} AS t"))


def test_summary_counts_what_the_tables_hold(urls: Urls) -> None:
    summary = load(urls)
    assert summary.loaded == ("neon", "supabase", "events")
    assert len(summary.counts) == 9
    for table, count in summary.counts.items():
        url = urls[0] if table.startswith("marketing.") else urls[2]
        assert fetch(url, f"SELECT count(*) FROM {table}") == [(count,)]
    assert summary.counts["marketing.company_invalid"] == 119
    assert summary.counts["marketing.people_invalid"] == 5
    assert fetch(urls[1], "SELECT count(*) FROM company_needs_enrichment") == [(0,)]
    assert fetch(urls[1], "SELECT count(*) FROM people_needs_enrichment") == [(0,)]


def test_a_second_load_writes_nothing_even_where_rows_have_changed_since(urls: Urls) -> None:
    first = load(urls)
    execute(urls[0], "DELETE FROM marketing.company_invalid WHERE id % 2 = 0")
    execute(urls[0], "UPDATE marketing.company_master SET company_name = 'Mended'")
    execute(urls[2], "UPDATE experiment_protocols SET \"protocolName\" = 'Renamed'")
    insert(urls[1], "company_needs_enrichment", [{"company_unique_id": "x"}])
    before = contents(urls[0], "marketing.company_invalid")
    second = load(urls, now=datetime(2026, 8, 1, tzinfo=UTC))
    assert second == dataclasses.replace(first, loaded=())
    assert contents(urls[0], "marketing.company_invalid") == before
    assert fetch(urls[0], "SELECT DISTINCT company_name FROM marketing.company_master") == [
        ("Mended",)
    ]
    names = fetch(urls[2], 'SELECT DISTINCT "protocolName" FROM experiment_protocols')
    assert names == [("Renamed",)]


def test_same_seed_same_rows_on_any_day_and_other_seed_other_rows(
    urls: Urls, pg_server: EmbeddedServer
) -> None:
    summary = load(urls)
    others = {}
    for key, seed, now in (
        ("same", 7, NOW.replace(hour=2)),
        ("later", 7, datetime(2026, 5, 5, tzinfo=UTC)),
        ("seed", 8, NOW),
    ):
        names = [f"sample_{key}_{uuid.uuid4().hex[:8]}" for _ in range(3)]
        fresh = [fresh_database(pg_server, name) for name in names]
        others[key] = load((fresh[0], fresh[1], fresh[2]), seed=seed, now=now)
        if key == "later":
            for table in ("company_master", "people_master", "company_slot", "company_invalid"):
                name = f"marketing.{table}"
                assert contents(fresh[0], name) == contents(urls[0], name)
        for name in names:
            drop_database(pg_server, name)
    assert others["same"].checksums == summary.checksums
    assert others["later"].checksums["neon"] == summary.checksums["neon"]
    assert others["later"].checksums["events"] != summary.checksums["events"]
    assert others["seed"].checksums["neon"] != summary.checksums["neon"]
    assert others["seed"].checksums["events"] != summary.checksums["events"]


def test_somebody_elses_companies_are_not_touched(urls: Urls) -> None:
    create_masters(urls[0])
    insert(urls[0], "marketing.company_master", [company(company_name="Not yours")])
    with pytest.raises(UsageError, match=r"marketing\.company_master") as caught:
        load(urls)
    assert urls[0].display in str(caught.value)
    assert fetch(urls[0], "SELECT company_name FROM marketing.company_master") == [("Not yours",)]
    assert fetch(urls[0], "SELECT to_regclass('marketing.sample_info')") == [(None,)]


def test_somebody_elses_workspace_and_events_are_not_touched(urls: Urls) -> None:
    with psycopg2.connect(urls[1].conninfo) as connection:
        schema.create_supabase(connection)
    connection.close()
    insert(urls[1], "company_needs_enrichment", [{"company_unique_id": "x"}])
    execute(
        urls[2],
        "CREATE TABLE behavioral_events (id text); INSERT INTO behavioral_events VALUES ('1')",
    )
    with pytest.raises(UsageError, match="company_needs_enrichment"):
        load(urls)
    execute(urls[1], "DELETE FROM company_needs_enrichment")
    with pytest.raises(UsageError, match="behavioral_events"):
        load(urls)
    assert fetch(urls[2], "SELECT to_regclass('public.\"BehavioralEvent\"')") == [(None,)]
    execute(urls[2], "TRUNCATE behavioral_events")
    assert load(urls).loaded == ("events",)


def test_another_seed_or_scale_over_a_loaded_sample_is_refused(urls: Urls) -> None:
    load(urls)
    with pytest.raises(UsageError, match="seed 7"):
        load(urls, seed=8)
    with pytest.raises(UsageError, match=r"scale 0\.2"):
        load(urls, scale=0.2)


def test_a_sample_of_an_older_generator_is_kept(urls: Urls) -> None:
    load(urls)
    execute(urls[0], "UPDATE marketing.sample_info SET generator_version = 0, checksum = 'old'")
    assert load(urls).checksums["neon"] == "old"


def test_a_table_of_another_shape_leaves_nothing_half_loaded(urls: Urls) -> None:
    create_masters(urls[0])
    # The last table of the five, so that four have been copied when it fails.
    execute(urls[0], "ALTER TABLE marketing.people_invalid DROP COLUMN reason_code")
    with pytest.raises(SourceError, match="reason_code"):
        load(urls)
    assert fetch(urls[0], "SELECT count(*) FROM marketing.company_master") == [(0,)]
    assert fetch(urls[0], "SELECT to_regclass('marketing.sample_info')") == [(None,)]
    execute(urls[0], "ALTER TABLE marketing.people_invalid ADD COLUMN reason_code text NOT NULL")
    assert "neon" in load(urls).loaded


def test_two_loads_at_once_load_once(urls: Urls) -> None:
    with ThreadPoolExecutor(2) as pool:
        summaries = list(pool.map(lambda _: load(urls), range(2)))
    loaded = [name for summary in summaries for name in summary.loaded]
    assert sorted(loaded) == ["events", "neon", "supabase"]
    assert summaries[0].counts == summaries[1].counts
    assert fetch(urls[0], "SELECT count(*) FROM marketing.company_invalid") == [(119,)]


def test_an_unreachable_database_is_named_without_its_password(urls: Urls) -> None:
    nowhere = DatabaseUrl.parse("postgresql://ann:canary-secret-9@127.0.0.1:1/neon")
    with pytest.raises(SourceUnavailableError, match=r"127\.0\.0\.1:1/neon") as caught:
        load((nowhere, urls[1], urls[2]))
    assert "canary-secret-9" not in str(caught.value)
    assert fetch(urls[1], "SELECT to_regclass('public.sample_info')") == [(None,)]


@pytest.mark.parametrize("scale", [0, -1, 10.5, float("nan")])
def test_a_scale_out_of_range_is_refused(urls: Urls, scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        load(urls, scale=scale)


def test_a_tiny_sample_loads(urls: Urls) -> None:
    summary = load(urls, scale=0.001)
    assert summary.counts["marketing.company_invalid"] == 119
    assert summary.counts["marketing.company_master"] >= 6


def test_the_ddl_can_be_applied_twice(urls: Urls) -> None:
    creators = (schema.create_neon, schema.create_supabase, schema.create_events)
    for url, create in zip(urls, creators, strict=True):
        connection = psycopg2.connect(url.conninfo)
        with connection:
            create(connection)
            create(connection)
        connection.close()
    assert fetch(
        urls[2], "SELECT count(*) FROM pg_type WHERE typtype = 'e' AND typname = 'EventType'"
    ) == [(1,)]
