"""What waits for a promotion: which rows count, and when a batch is another one."""

from collections.abc import Callable

import pytest

from outreach_platform.enrichment.entities import ENTITIES
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.enrichment.waiting import Batch, waiting_batch
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import Databases, invalid_company, invalid_person
from outreach_platform_tests.support.postgres import execute, free_port

SITE = "https://good.org"


def looked(databases: Databases) -> Batch:
    batch = waiting_batch(databases.workspace)
    assert batch is not None
    return batch


@pytest.fixture
def pulled(databases: Databases, enrichment: Callable[..., EnrichmentRun]) -> list[str]:
    """Three companies and a person in the workspace, pending."""
    keys = databases.add_invalid(*(invalid_company() for _ in range(3)), invalid_person())
    run = enrichment()
    for entity in ENTITIES:
        run.pull(entity)
    return keys


def test_without_tables_there_is_nothing_to_look_at(neon_url: DatabaseUrl) -> None:
    assert waiting_batch(neon_url) is None


@pytest.mark.slow
def test_a_workspace_of_the_predecessor_was_never_pulled_into(bare_databases: Databases) -> None:
    """Its tables lack our columns; the first pull adds them."""
    execute(
        bare_databases.workspace,
        "CREATE TABLE IF NOT EXISTS company_needs_enrichment (id bigserial PRIMARY KEY, "
        "company_unique_id text UNIQUE, enrichment_status text, updated_at timestamp)",
    )
    assert waiting_batch(bare_databases.workspace) is None


def test_only_complete_rows_wait(databases: Databases, pulled: list[str]) -> None:
    one, other, third, person = pulled
    nothing = looked(databases)
    assert (nothing.counts, nothing.rows) == ({"company": 0, "people": 0}, 0)
    databases.edit(other, enrichment_status="in_progress")
    databases.edit(third, enrichment_status="failed")
    assert looked(databases).rows == 0
    databases.complete(one, website=SITE)
    databases.complete(person, email="a@good.org")
    assert looked(databases).counts == {"company": 1, "people": 1}


def test_the_same_rows_are_the_same_batch(databases: Databases, pulled: list[str]) -> None:
    databases.complete(*pulled[:3], website=SITE)
    first = looked(databases)
    assert looked(databases) == first
    # Another order on the disk is no other batch.
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment DISABLE TRIGGER USER; "
        f"UPDATE company_needs_enrichment SET city = city WHERE company_unique_id = '{pulled[0]}'",
    )
    assert looked(databases) == first


@pytest.mark.slow
def test_every_edit_and_every_row_makes_another_batch(
    databases: Databases, pulled: list[str]
) -> None:
    one, other, _, person = pulled
    seen = [looked(databases).fingerprint]
    databases.complete(one, website=SITE)
    seen.append(looked(databases).fingerprint)
    databases.edit(one, website="https://better.org")
    seen.append(looked(databases).fingerprint)
    databases.complete(other, website=SITE)
    seen.append(looked(databases).fingerprint)
    databases.edit(one, enrichment_status="pending")
    seen.append(looked(databases).fingerprint)
    databases.complete(person, email="a@good.org")
    seen.append(looked(databases).fingerprint)
    assert len(set(seen)) == len(seen)


def test_what_hangs_and_what_was_promoted_does_not_wait(
    databases: Databases, pulled: list[str]
) -> None:
    one, other, third, _ = pulled
    databases.complete(one, other, third, website=SITE)
    execute(
        databases.workspace,
        "SET outreach.syncing = 'on'; "
        "UPDATE company_needs_enrichment SET sync_problem = 'no source' "
        f"WHERE company_unique_id = '{one}'; "
        "UPDATE company_needs_enrichment SET promoted_at = now() "
        f"WHERE company_unique_id = '{other}'",
    )
    assert looked(databases).counts["company"] == 1
    databases.edit(one, website="https://another-try.org")
    assert looked(databases).counts["company"] == 2, "an edit is another try"


def test_a_workspace_that_is_away_is_not_an_empty_one() -> None:
    url = DatabaseUrl.from_parts(
        host=f"127.0.0.1:{free_port()}", dbname="workspace", user="somebody", password="x"
    )
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        waiting_batch(url)


def test_a_workspace_that_refuses_is_not_an_empty_one(databases: Databases) -> None:
    execute(
        databases.workspace,
        "DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    url = DatabaseUrl({**databases.workspace.params, "user": "stranger"})
    with pytest.raises(SourceError, match="lacks a privilege"):
        waiting_batch(url)


@pytest.mark.slow
def test_a_look_counts_a_hundred_thousand_rows(databases: Databases) -> None:
    """On a table whose statistics are as old as it gets; the benchmark says how long it takes."""
    execute(
        databases.workspace,
        "INSERT INTO company_needs_enrichment (company_unique_id, company_name, website, "
        "enrichment_status, enrichment_notes) SELECT i::text, 'Company ' || i, 'https://c.org', "
        "CASE WHEN i % 2 = 0 THEN 'complete' ELSE 'pending' END, repeat('note ', 20) "
        "FROM generate_series(1, 200000) i",
    )
    first = looked(databases)
    assert first.counts["company"] == 100_000
    assert looked(databases) == first
