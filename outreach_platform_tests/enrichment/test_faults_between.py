"""A pooler between the platform and its databases, and people who get in one another's way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from outreach_platform.embedded import schema
from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import BusyError
from outreach_platform.foundation.postgres import session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings
from outreach_platform_tests.enrichment.faulty import (
    DESK,
    ROWS,
    STAGES,
    at_work,
    finish,
    prepared,
)
from outreach_platform_tests.support.enrichment import Databases, company_id, invalid_person
from outreach_platform_tests.support.pooler import transaction_pooler
from outreach_platform_tests.support.postgres import execute, password_server

pytestmark = pytest.mark.slow

NewRuns = Callable[..., EnrichmentRun]


@pytest.mark.slow
def test_the_whole_round_trip_goes_through_a_transaction_pooler(tmp_path: Path) -> None:
    with password_server() as server, transaction_pooler(server, pool_size=1) as pooler:
        for name in ("pooled_neon", "pooled_desk"):
            execute(server.url(), f"CREATE DATABASE {name}")
        direct = Databases(
            *(
                DatabaseUrl.from_parts(
                    host=f"127.0.0.1:{server.port}",
                    dbname=name,
                    user=server.user,
                    password=server.password,
                )
                for name in ("pooled_neon", "pooled_desk")
            )
        )
        _make_tables(direct)
        run = EnrichmentRun(
            load_settings(data_dir=tmp_path),
            pooler.url("pooled_neon"),
            pooler.url("pooled_desk"),
            "pooled-run",
            batch_size=2,
        )
        keys = prepared(direct, run, "pull")
        finish(direct, run, keys)
        person = direct.add_invalid(invalid_person(company_unique_id=keys[1]))[0]
        run.pull(PEOPLE)
        direct.complete(person, email="ann@mended.test")
        for stage in STAGES[1:]:
            getattr(run, stage)(PEOPLE)
        assert direct.master(person) is not None
        restored = {name: report.restored for name, report in run.undo("pooled-run").items()}
        assert restored == {"company": ROWS - 1, "people": 1}
        for entity in ENTITIES:
            found = run.reconcile(entity)
            assert (found.orphans[0], found.doubled[0], found.lost_edits[0]) == (0, 0, 0)
        run.close()


def _make_tables(databases: Databases) -> None:
    for url, create in (
        (databases.neon, schema.create_neon),
        (databases.workspace, schema.create_supabase),
    ):
        with closing(psycopg2.connect(url.conninfo)) as connection, connection:
            create(connection)


def test_two_enrichers_on_one_row_both_have_their_say(
    databases: Databases, enrichment: NewRuns
) -> None:
    (key,) = databases.add_companies(1)
    enrichment().pull(COMPANY)
    databases.edit(key, website="https://www.of-ann.test", enriched_by="ann")
    databases.complete(key, website="https://www.of-bea.test", enriched_by="bea")
    row = databases.row(key)
    assert row is not None
    assert row["website"] == "https://www.of-bea.test"
    assert [(each["content"]["website"], each["enriched_by"]) for each in row["edit_history"]] == [
        ("https://www.of-ann.test", "ann")
    ]
    run = enrichment()
    for stage in STAGES[1:]:
        getattr(run, stage)(COMPANY)
    master = databases.master(key)
    assert master is not None
    assert master["website_url"] == "https://www.of-bea.test"


def test_who_edits_on_after_completing_is_not_promoted_before_that(
    databases: Databases, enrichment: NewRuns
) -> None:
    (key,) = databases.add_companies(1)
    run = enrichment()
    run.pull(COMPANY)
    databases.complete(key, website="https://www.first.test")
    run.push(COMPANY)
    run.revalidate(COMPANY)
    databases.edit(key, website="https://www.second.test", enrichment_status="in_progress")
    assert run.promote(COMPANY).edited == 1
    assert databases.master(key) is None
    databases.complete(key)
    for stage in STAGES[1:]:
        getattr(run, stage)(COMPANY)
    master = databases.master(key)
    assert master is not None
    assert master["website_url"] == "https://www.second.test"


@pytest.mark.parametrize("where", ["neon", "workspace"])
def test_a_row_that_somebody_holds_is_waited_for_and_then_told(
    databases: Databases, enrichment: NewRuns, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(session, "_LOCK_TIMEOUT", "100ms")
    run = enrichment()
    keys = prepared(databases, run, "push")
    table = DESK if where == "workspace" else "marketing.company_invalid"
    with at_work(getattr(databases, where)) as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE company_unique_id = %s FOR UPDATE", [keys[1]])
        with pytest.raises(BusyError, match="holding a lock"):
            run.push(COMPANY)
    finish(databases, run, keys)


def test_a_person_whose_company_is_nowhere_waits_for_it(
    databases: Databases, enrichment: NewRuns
) -> None:
    (person,) = databases.add_invalid(invalid_person(company_unique_id=company_id(77_777)))
    run = enrichment()
    run.pull(PEOPLE)
    databases.complete(person, email="ann@mended.test")
    for stage in STAGES[1:]:
        getattr(run, stage)(PEOPLE)
    row = databases.row(person)
    assert row is not None
    assert (row["enrichment_status"], row["reason_code"]) == ("failed", "UNKNOWN_COMPANY")


@pytest.mark.slow
def test_runs_on_several_hosts_at_once_do_everything_once(
    databases: Databases, tmp_path: Path
) -> None:
    """The lock of the wing is a file: it does not hold another host."""
    keys = databases.add_companies(24)
    rounds, settings = 4, load_settings(data_dir=tmp_path)

    def on_host(name: str) -> None:
        for number in range(rounds):
            run = EnrichmentRun(
                settings, databases.neon, databases.workspace, f"{name}-{number}", batch_size=5
            )
            for stage in STAGES:
                getattr(run, stage)(COMPANY)
            run.close()

    on_host("first")
    with ThreadPoolExecutor(4) as pool:
        hosts = [pool.submit(on_host, name) for name in ("a", "b", "c")]
        for number, key in enumerate(keys):
            website = f"https://www.mended{number}.test" if number % 4 else "no dot"
            databases.complete(key, website=website)
        for host in hosts:
            host.result()
    on_host("last")
    history = databases.rows(databases.neon, "SELECT * FROM marketing.promotion_history")
    good = {key for number, key in enumerate(keys) if number % 4}
    assert sorted(row["record_key"] for row in history) == sorted(good)
    for number, key in enumerate(keys):
        row, invalid, master = databases.row(key), databases.invalid(key), databases.master(key)
        assert row is not None
        if key in good:
            assert invalid is None
            assert master is not None
            assert master["website_url"] == row["website"] == f"https://www.mended{number}.test"
            assert row["promoted_at"] is not None
        else:
            assert master is None
            assert invalid is not None
            assert (row["enrichment_status"], invalid["revalidation_attempts"]) == ("failed", 1)
