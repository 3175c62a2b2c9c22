"""Connections that are cut in the midst of every stage, and databases that are down."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import SourceUnavailableError
from outreach_platform.foundation.postgres import session
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.settings import load_settings
from outreach_platform_tests.enrichment.faulty import DESK, STAGES, away, finish, prepared
from outreach_platform_tests.support.enrichment import (
    Databases,
    make_templates,
)
from outreach_platform_tests.support.postgres import (
    execute,
    fetch,
    start_server,
    stop_server,
)

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize("stage", STAGES)
def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    databases: Databases, enrichment: NewRuns, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Every third transaction is committed, and nobody is told."""
    monkeypatch.setattr(session, "_WAIT_SECONDS", 0.01)
    run = enrichment(batch_size=4)
    keys = prepared(databases, run, stage)
    begun, turns = Session._begun, itertools.count(1)

    @contextmanager
    def without_answer(self: Session) -> Iterator[Cursor]:
        with begun(self) as cursor:
            yield cursor
        if next(turns) % 3 == 1:
            self.close()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "_begun", without_answer)
        getattr(run, stage)(COMPANY)
    assert next(turns) > 4
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
    databases: Databases, enrichment: NewRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_WAIT_SECONDS", 0.01)
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
