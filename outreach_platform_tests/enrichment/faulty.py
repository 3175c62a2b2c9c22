"""A round trip that something interrupts, and how it has to end all the same."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.postgres import free_port

STAGES = ("pull", "push", "revalidate", "promote")
ROWS = 6
DESK = "public.company_needs_enrichment"


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


def away() -> DatabaseUrl:
    """Where nobody listens."""
    return DatabaseUrl.parse(f"postgresql://ann:secret-of-ann@127.0.0.1:{free_port()}/gone")


@contextmanager
def at_work(url: DatabaseUrl) -> Iterator[Any]:
    """An enricher's connection with an open transaction."""
    with closing(psycopg2.connect(url.conninfo)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.commit()
