"""Databases that go away at any stage, poolers, and people who get in one another's way."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import BusyError, SourceUnavailableError
from outreach_platform.foundation.postgres import session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_person,
    make_templates,
)
from outreach_platform_tests.support.pooler import transaction_pooler
from outreach_platform_tests.support.postgres import (
    execute,
    fetch,
    free_port,
    password_server,
    start_server,
    stop_server,
)

STAGES = ("pull", "push", "revalidate", "promote")
ROWS = 6
NewRuns = Callable[..., EnrichmentRun]

# Ends its own connection in the midst of a statement, as often as `times` says: numbers of a
# sequence are not rolled back.
_CUT = """
CREATE SEQUENCE public.cuts;
CREATE FUNCTION public.cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('public.cuts') <= {times} THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER cut BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.cut()
"""
DESK = "public.company_needs_enrichment"
# Where a connection may be lost: the stage, the database, what it is doing there.
CUTS = [
    ("pull", "workspace", "INSERT", DESK),
    ("pull", "neon", "INSERT", "public.shq_validation_log"),
    ("push", "neon", "UPDATE", "marketing.company_invalid"),
    ("push", "workspace", "UPDATE", DESK),
    ("revalidate", "neon", "UPDATE", "marketing.company_invalid"),
    ("revalidate", "workspace", "UPDATE", DESK),
    ("promote", "neon", "INSERT", "marketing.company_master"),
    ("promote", "neon", "INSERT", "marketing.promotion_history"),
    ("promote", "neon", "DELETE", "marketing.company_invalid"),
    ("promote", "neon", "UPDATE", "shq.audit_log"),
    ("promote", "workspace", "UPDATE", DESK),
]


def prepared(databases: Databases, run: EnrichmentRun, stage: str) -> list[str]:
    """Records that wait for a stage: one of them has a fault that nobody mended."""
    keys = databases.add_companies(ROWS)
    for each in STAGES[: STAGES.index(stage)]:
        if each == "push":
            databases.complete(*keys[1:], website="https://www.mended.test")
            databases.complete(keys[0], website="no dot")
        getattr(run, each)(COMPANY)
    if stage == "push":
        databases.complete(*keys[1:], website="https://www.mended.test")
        databases.complete(keys[0], website="no dot")
    run.promote(COMPANY, ids=[])  # makes the audit log
    return keys


def finish(databases: Databases, run: EnrichmentRun, keys: list[str]) -> None:
    """The rest of the round trip; every record ends where it belongs, once."""
    run.pull(COMPANY)
    if (databases.row(keys[0]) or {})["enrichment_status"] == "pending":
        databases.complete(*keys[1:], website="https://www.mended.test")
        databases.complete(keys[0], website="no dot")
    for stage in STAGES[1:]:
        getattr(run, stage)(COMPANY)
    history = databases.rows(
        databases.neon, "SELECT record_key FROM marketing.promotion_history ORDER BY 1"
    )
    assert [row["record_key"] for row in history] == sorted(keys[1:])
    assert [key for key in keys if databases.invalid(key)] == keys[:1]
    for key in keys[1:]:
        row, master = databases.row(key), databases.master(key)
        assert row is not None
        assert row["promoted_at"] is not None
        assert master is not None
        assert master["website_url"] == "https://www.mended.test"
    left, invalid = databases.row(keys[0]), databases.invalid(keys[0])
    assert left is not None
    assert invalid is not None
    assert (left["enrichment_status"], left["website"]) == ("failed", "no dot")
    assert (left["revalidation_attempts"], invalid["revalidation_attempts"]) == (1, 1)
    audited = databases.rows(
        databases.neon, "SELECT sum((details ->> 'promoted')::int) AS n FROM shq.audit_log"
    )
    assert audited[0]["n"] == len(keys) - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "cut", CUTS, ids=lambda cut: f"{cut[0]}-{cut[2]}-{cut[3].rpartition('.')[2]}"
)
def test_a_connection_lost_in_mid_batch_is_opened_again(
    databases: Databases,
    enrichment: NewRuns,
    monkeypatch: pytest.MonkeyPatch,
    cut: tuple[str, str, str, str],
) -> None:
    stage, where, event, table = cut
    monkeypatch.setattr(session, "_WAIT_SECONDS", 0.01)
    run = enrichment(batch_size=4)
    keys = prepared(databases, run, stage)
    url = getattr(databases, where)
    execute(url, _CUT.format(times=1, event=event, table=table))
    getattr(run, stage)(COMPANY)
    assert fetch(url, "SELECT last_value > 1 FROM public.cuts") == [(True,)]
    finish(databases, run, keys)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cut", CUTS[::3], ids=lambda cut: f"{cut[0]}-{cut[2]}-{cut[3].rpartition('.')[2]}"
)
def test_a_connection_lost_for_good_loses_nothing(
    databases: Databases,
    enrichment: NewRuns,
    monkeypatch: pytest.MonkeyPatch,
    cut: tuple[str, str, str, str],
) -> None:
    stage, where, event, table = cut
    monkeypatch.setattr(session, "_WAIT_SECONDS", 0.01)
    run = enrichment(batch_size=4)
    keys = prepared(databases, run, stage)
    url = getattr(databases, where)
    execute(url, _CUT.format(times=1_000_000, event=event, table=table))
    with pytest.raises(SourceUnavailableError, match=r"cannot be reached .* run again"):
        getattr(run, stage)(COMPANY)
    execute(url, f"DROP TRIGGER cut ON {table}")
    finish(databases, enrichment(batch_size=4), keys)


def away() -> DatabaseUrl:
    """Where nobody listens."""
    return DatabaseUrl.parse(f"postgresql://ann:secret-of-ann@127.0.0.1:{free_port()}/gone")


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("where", ["neon", "workspace"])
def test_a_database_that_is_down_is_told_in_a_sentence_and_loses_nothing(
    databases: Databases, enrichment: NewRuns, tmp_path: Path, stage: str, where: str
) -> None:
    keys = prepared(databases, enrichment(), stage)
    before = databases.dump()
    urls = {"neon": databases.neon, "workspace": databases.workspace, where: away()}
    run = EnrichmentRun(
        load_settings(data_dir=tmp_path), urls["neon"], urls["workspace"], "while-it-is-down"
    )
    begun = time.monotonic()
    with pytest.raises(SourceUnavailableError) as failure:
        getattr(run, stage)(COMPANY)
    assert time.monotonic() - begun < 30
    said = str(failure.value)
    assert "gone" in said
    assert "check that the server runs" in said
    assert "secret-of-ann" not in said
    assert databases.dump() == before
    finish(databases, enrichment(), keys)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_workspace_that_stops_in_the_middle_is_gone_on_with(
    databases: Databases, enrichment: NewRuns, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """The half in Neon is done when the workspace goes away."""
    keys = prepared(databases, enrichment(), stage)
    run = enrichment()
    run.places(COMPANY)
    good, calls = run.workspace.run, []

    def goes_away(work: Callable[[Any], Any]) -> Any:
        calls.append(work)
        if len(calls) > 1:
            run.workspace.close()
            run.workspace.url = away()
        return good(work)

    monkeypatch.setattr(session, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(run.workspace, "run", goes_away)
    begun = time.monotonic()
    with pytest.raises(SourceUnavailableError, match="gone"):
        getattr(run, stage)(COMPANY)
    assert time.monotonic() - begun < 30
    finish(databases, enrichment(), keys)


@pytest.mark.slow
def test_a_server_that_is_restarted_is_found_again(databases: Databases, tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    server = start_server(folder)
    try:
        _, desk = make_templates(server, "restarted")
        moved = Databases(databases.neon, server.url(desk))
        run = EnrichmentRun(
            load_settings(data_dir=tmp_path), moved.neon, moved.workspace, "restarted"
        )
        keys = prepared(moved, run, "push")
        stop_server(server)
        with pytest.raises(SourceUnavailableError, match=desk):
            run.push(COMPANY)
        server = start_server(folder)
        moved = Databases(databases.neon, server.url(desk))
        run.close()
        again = EnrichmentRun(
            load_settings(data_dir=tmp_path), moved.neon, moved.workspace, "again"
        )
        finish(moved, again, keys)
        again.close()
    finally:
        stop_server(server)


def test_connections_that_were_ended_between_stages_are_opened_again(
    databases: Databases, enrichment: NewRuns
) -> None:
    run = enrichment()
    keys = prepared(databases, run, "push")
    for stage in STAGES[1:]:
        for url in (databases.neon, databases.workspace):
            ended = fetch(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            assert ended
        getattr(run, stage)(COMPANY)
    finish(databases, run, keys)


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
    from outreach_platform.embedded import schema

    for url, create in (
        (databases.neon, schema.create_neon),
        (databases.workspace, schema.create_supabase),
    ):
        with closing(psycopg2.connect(url.conninfo)) as connection, connection:
            create(connection)


@contextmanager
def at_work(url: DatabaseUrl) -> Iterator[Any]:
    """An enricher's connection with an open transaction."""
    with closing(psycopg2.connect(url.conninfo)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.commit()


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
