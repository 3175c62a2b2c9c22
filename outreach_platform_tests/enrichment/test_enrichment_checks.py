"""Each check fails when the databases give it a reason, and what blocks stops what follows."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from outreach_platform.enrichment.checks import promotion_results
from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.promotion import PromotionReport
from outreach_platform.enrichment.push import PushReport
from outreach_platform.enrichment.records import stage_record
from outreach_platform.enrichment.revalidation import RevalidationReport
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_person,
)
from outreach_platform_tests.support.enrichment_jobs import (
    Wing,
    checks,
    opened,
    placed,
    steps,
    verdicts,
)
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.product import Product, failures, materialized

pytestmark = pytest.mark.slow

Opened = tuple[Product, dg.DagsterInstance]
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Events are kept in memory: what a check says is the same, and it takes half the time."""
    product = Product(tmp_path_factory.mktemp("enrichment_checks"))
    with opened(product), dg.DagsterInstance.ephemeral() as instance:
        yield product, instance


@pytest.fixture
def wing(home: Opened, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Wing:
    return placed(home, databases, monkeypatch)


def trigger(on: str, condition: str, body: str, event: str = "BEFORE UPDATE") -> str:
    """A trigger of somebody else's, as deployments have them."""
    return (
        f"CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; "
        f"CREATE TRIGGER theirs {event} ON {on} FOR EACH ROW WHEN ({condition}) "
        "EXECUTE FUNCTION theirs()"
    )


def completed(wing: Wing, count: int = 2) -> list[str]:
    """Companies in the workspace that pass, complete."""
    keys = wing.databases.add_companies(count)
    wing.prepare()
    wing.databases.complete(*keys, website="https://good.org")
    return keys


def failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {name for name, passed in verdicts(result).items() if not passed}


def test_an_edit_that_neon_lost_stops_revalidation_and_promotion(wing: Wing) -> None:
    """A trigger of theirs takes the value back, and leaves the clock as it is."""
    lost, arrived = completed(wing)
    take_back = "UPDATE marketing.company_invalid SET website = OLD.website WHERE id = NEW.id;"
    execute(
        wing.databases.neon,
        trigger(
            "marketing.company_invalid",
            f"NEW.company_unique_id = '{lost}' AND NEW.pushed_hash IS DISTINCT FROM "
            "OLD.pushed_hash",
            f"{take_back} RETURN NULL;",
            event="AFTER UPDATE",
        ),
    )
    result = wing.promotion()
    assert not result.success
    assert failed(result) == {"pushed_to_neon.no_lost_edit"}
    check = checks(result)["pushed_to_neon.no_lost_edit"]
    assert (check.blocking, check.severity) == (True, ERROR)
    assert check.description == f"1 rows whose content Neon lacks: {lost}"
    assert check.metadata["first"].value == [lost]
    assert steps(result) == ["pushed_to_neon"], "nothing was judged or promoted"
    assert wing.databases.master(arrived) is None
    execute(wing.databases.neon, "DROP FUNCTION theirs CASCADE")
    assert not wing.promotion().success, "the row is marked as pushed, and Neon still lacks it"
    wing.databases.edit(lost, website="https://typed-again.org")
    mended = wing.promotion()
    assert mended.success, failures(mended)
    assert wing.databases.master(lost)
    assert wing.databases.master(arrived)


def test_an_edit_that_neon_swallowed_is_told_and_waits(wing: Wing) -> None:
    """It is not marked as pushed; once the trigger is gone it goes on as it was."""
    lost, arrived = completed(wing)
    execute(
        wing.databases.neon,
        trigger(
            "marketing.company_invalid",
            f"NEW.company_unique_id = '{lost}' AND NEW.pushed_hash IS NOT NULL",
            "RETURN NULL;",
        ),
    )
    result = wing.promotion()
    assert result.success, failures(result)
    assert failed(result) == {"pushed_to_neon.every_row_matched"}
    said = f"{lost}: Neon's table did not take the change: look for rules or triggers on it"
    assert checks(result)["pushed_to_neon.every_row_matched"].description == said
    assert wing.databases.master(arrived)
    row = wing.databases.row(lost)
    assert row
    assert row["pushed_to_neon_at"] is None
    assert (row["website"], row["sync_problem"]) == ("https://good.org", said.partition(": ")[2])
    execute(wing.databases.neon, "DROP FUNCTION theirs CASCADE")
    assert wing.promotion().success
    master = wing.databases.master(lost)
    assert master
    assert master["website_url"] == "https://good.org"


def test_what_neons_own_triggers_make_of_an_edit_is_no_lost_edit(wing: Wing) -> None:
    (key,) = wing.databases.add_companies(1)
    wing.prepare()
    wing.databases.complete(key, website="HTTPS://Good.ORG")
    execute(
        wing.databases.neon,
        trigger(
            "marketing.company_invalid",
            "NEW.website IS NOT NULL",
            "NEW.website := lower(NEW.website); RETURN NEW;",
        ),
    )
    result = wing.promotion()
    assert result.success, failures(result)
    assert failed(result) == set()
    master, row = wing.databases.master(key), wing.databases.row(key)
    assert master
    assert row
    assert master["website_url"] == row["website"] == "https://good.org"


def test_a_later_change_in_neon_is_no_lost_edit(wing: Wing) -> None:
    (key,) = completed(wing, 1)
    assert wing.run(assets=["pushed_to_neon"]).success
    wing.databases.change_source(key, website="https://newer.org")
    result = wing.promotion()
    assert result.success, failures(result)
    master = wing.databases.master(key)
    assert master
    assert master["website_url"] == "https://newer.org"


def test_a_row_without_its_source_warns_and_the_others_go_on(wing: Wing) -> None:
    gone, stays = completed(wing)
    execute(
        wing.databases.neon,
        f"DELETE FROM marketing.company_invalid WHERE company_unique_id = '{gone}'",
    )
    result = wing.promotion()
    assert result.success, failures(result)
    assert failed(result) == {"pushed_to_neon.every_row_matched"}
    check = checks(result)["pushed_to_neon.every_row_matched"]
    assert (check.severity, check.metadata["rows"].value) == (WARN, 1)
    assert (check.description or "").startswith(f"{gone}: Neon has no invalid row of this id")
    assert wing.databases.master(stays)
    assert any(gone in said for said in wing.warnings(result))


@pytest.mark.parametrize(
    ("website", "swallowed"),
    [("https://good.org", "NEW.passed_hash IS NOT NULL"), ("", "NEW.still_invalid")],
)
def test_a_verdict_that_neon_swallowed_stops_promotion(
    wing: Wing, website: str, swallowed: str
) -> None:
    silent, other = completed(wing)
    wing.databases.complete(silent, website=website)
    execute(
        wing.databases.neon,
        trigger(
            "marketing.company_invalid",
            f"NEW.company_unique_id = '{silent}' AND {swallowed}",
            "RETURN NULL;",
        ),
    )
    result = wing.promotion()
    assert not result.success
    assert failed(result) == {"revalidation.every_row_judged"}
    check = checks(result)["revalidation.every_row_judged"]
    assert check.blocking
    assert check.description == f"1 complete and without a verdict: {silent}"
    assert steps(result) == ["pushed_to_neon", "revalidation"]
    assert wing.databases.master(other) is None
    execute(wing.databases.neon, "DROP FUNCTION theirs CASCADE")
    assert wing.promotion().success
    assert wing.databases.master(other)


def test_a_promoted_record_that_stands_among_the_invalid_ones_again(wing: Wing) -> None:
    """A restored backup, for example."""
    (key,) = completed(wing, 1)
    execute(
        wing.databases.neon,
        "CREATE TABLE backup AS TABLE marketing.company_invalid",
    )
    assert wing.promotion().success
    execute(wing.databases.neon, "INSERT INTO marketing.company_invalid TABLE backup")
    result = wing.promotion()
    assert "promotions.nothing_promoted_twice" in failed(result)
    check = checks(result)["promotions.nothing_promoted_twice"]
    assert check.description == f"1 promoted and still invalid: {key}"
    assert check.severity is ERROR


def test_a_record_that_passed_and_vanished(wing: Wing) -> None:
    """Somebody deletes it between revalidation and promotion."""
    gone, stays = completed(wing)
    delete = f"DELETE FROM marketing.company_invalid WHERE company_unique_id = '{gone}';"
    execute(
        wing.databases.neon,
        trigger(
            "shq_validation_log",
            "NEW.validation_run_id LIKE '%:revalidate:company'",
            f"{delete} RETURN NULL;",
            event="AFTER INSERT",
        ),
    )
    result = wing.promotion()
    assert failed(result) == {"promotions.nothing_lost"}
    check = checks(result)["promotions.nothing_lost"]
    assert check.description == "company: 2 passed, 1 came to an end"
    assert check.metadata["promoted"].value == 1
    assert wing.databases.master(stays)


def test_a_record_that_changed_after_it_passed_is_not_lost(wing: Wing) -> None:
    """It stays, and is judged again by the next run."""
    changed, stays = completed(wing)
    change = (
        "UPDATE marketing.company_invalid SET city = 'Elsewhere', "
        "updated_at = clock_timestamp() AT TIME ZONE 'UTC' "
        f"WHERE company_unique_id = '{changed}';"
    )
    execute(
        wing.databases.neon,
        trigger(
            "shq_validation_log",
            "NEW.validation_run_id LIKE '%:revalidate:company'",
            f"{change} RETURN NULL;",
            event="AFTER INSERT",
        ),
    )
    result = wing.promotion()
    assert result.success, failures(result)
    assert failed(result) == set()
    assert wing.databases.master(changed) is None
    assert wing.databases.master(stays)
    execute(wing.databases.neon, "DROP FUNCTION theirs CASCADE")
    assert wing.promotion().success
    master = wing.databases.master(changed)
    assert master
    assert master["address_city"] == "Elsewhere"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"taken": 5, "inserted": 2, "updated": 2, "held": 1}, None),
        ({"taken": 6, "inserted": 3, "updated": 2}, "company: 6 taken, 5 promoted or held"),
        ({"taken": 4, "inserted": 4}, "company: 5 passed, 4 came to an end"),
        ({"taken": 4, "inserted": 4, "edited": 1}, None),
        ({"taken": 4, "inserted": 4, "not_passed": 1}, None),
        ({"taken": 7, "inserted": 7}, None),
    ],
)
def test_what_came_in_came_out(counts: dict[str, Any], said: str | None) -> None:
    """Records that an earlier run had judged may come on top."""
    promoted = stage_record("run", "promote", "company", PromotionReport(**counts))
    judged = stage_record("run", "revalidate", "company", RevalidationReport(judged=5, passed=5))
    results = list(promotion_results([promoted], {"company": judged}, (0, ())))
    assert [(each.passed, each.description) for each in results] == [
        (True, None),
        (said is None, said),
    ]
    alone = list(promotion_results([promoted], {}, (0, ())))[1]
    assert alone.passed is (said is None or "passed," in said)


def test_a_row_that_the_workspace_swallowed_was_not_pulled(wing: Wing) -> None:
    lost, _ = wing.databases.add_companies(2)
    execute(
        wing.databases.workspace,
        trigger(
            "company_needs_enrichment",
            f"NEW.company_unique_id = '{lost}'",
            "RETURN NULL;",
            event="BEFORE INSERT",
        ),
    )
    result = wing.pull()
    assert failed(result) == {"company_needs_enrichment.every_row_pulled"}
    check = checks(result)["company_needs_enrichment.every_row_pulled"]
    assert check.description == f"1 not pulled: {lost}"
    assert check.severity is ERROR
    assert "people_needs_enrichment" in materialized(result), "the others go on"
    execute(wing.databases.workspace, "DROP FUNCTION theirs CASCADE")
    assert failed(wing.pull()) == set()


def test_a_row_without_source_or_promotion_warns(wing: Wing) -> None:
    (gone,) = wing.databases.add_companies(1)
    wing.prepare()
    execute(wing.databases.neon, "DELETE FROM marketing.company_invalid")
    result = wing.pull()
    assert result.success
    assert failed(result) == {"company_needs_enrichment.every_row_has_a_source"}
    check = checks(result)["company_needs_enrichment.every_row_has_a_source"]
    assert check.description == f"1 without source or promotion: {gone}"
    assert check.severity is WARN


def test_a_promoted_row_needs_no_source(wing: Wing) -> None:
    completed(wing)
    assert wing.promotion().success
    assert failed(wing.pull()) == set()


def test_a_status_that_nobody_defined_warns(wing: Wing) -> None:
    (key,) = wing.databases.add_invalid(invalid_person(company_unique_id=company_id(99_999)))
    wing.prepare()
    execute(
        wing.databases.workspace,
        "ALTER TABLE people_needs_enrichment "
        "DROP CONSTRAINT people_needs_enrichment_enrichment_status_check",
    )
    wing.databases.edit(key, enrichment_status="COMPLETED")
    result = wing.pull()
    assert result.success
    assert failed(result) == {"people_needs_enrichment.statuses_known"}
    check = checks(result)["people_needs_enrichment.statuses_known"]
    assert (check.severity, check.metadata["rows"].value) == (WARN, 1)
    assert "'COMPLETED', which nobody defined" in (check.description or "")
    assert wing.promotion().success
    assert wing.databases.master(key) is None


def test_a_hundred_problems_are_shown_and_the_rest_counted() -> None:
    report = PushReport(problems=[f"{company_id(n)}: away" for n in range(250)])
    record = stage_record("run", "push", COMPANY.name, report)
    assert len(record.problems) == 101
    assert record.problems[99:] == [f"{company_id(99)}: away", "and 150 more"]
