"""Records on the last stretch of their way: completed, judged, and about to be promoted."""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.promotion import PromotionReport
from outreach_platform.enrichment.revalidation import RevalidationReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform_tests.support import masters
from outreach_platform_tests.support.enrichment import (
    Databases,
    Row,
    company_id,
    entity_of,
    invalid_company,
    invalid_person,
    person_id,
)
from outreach_platform_tests.support.postgres import execute

NewRun = Callable[..., EnrichmentRun]

WEBSITE = "https://www.mended.test"
EMAIL = "adela@mended.test"
# The company that `invalid_person` names.
HOME = company_id(99_999)
LONG_AGO = "2020-01-01 00:00:00+00"
FAR_AHEAD = "2099-01-01 00:00:00+00"

# Far from the numbers of invalid records.
_numbers = itertools.count(500_000)


def complete(databases: Databases, run: EnrichmentRun, *keys: str, **edits: Any) -> None:
    """Pull, let an enricher mend the records, and push."""
    entity = entity_of(keys[0])
    run.pull(entity)
    mended = {"website": WEBSITE} if entity is COMPANY else {"email": EMAIL}
    databases.complete(*keys, **{**mended, **edits})
    pushed = run.push(entity)
    assert (pushed.confirmed, pushed.problems) == (len(keys), [])


def judge(
    databases: Databases, run: EnrichmentRun, *keys: str, **edits: Any
) -> tuple[RevalidationReport, list[str]]:
    """Complete records and judge them; returns the report and the ids that passed."""
    complete(databases, run, *keys, **edits)
    passed: list[str] = []
    return run.revalidate(entity_of(keys[0]), passed.append), passed


def passed(databases: Databases, run: EnrichmentRun, *rows: Row, **edits: Any) -> list[str]:
    """Add records that an enricher completes and that pass; they are not promoted yet."""
    keys = databases.add_invalid(*rows)
    report, ids = judge(databases, run, *keys, **edits)
    assert (report.failed, sorted(ids)) == (0, sorted(keys))
    return keys


def promoted(
    databases: Databases, run: EnrichmentRun, *rows: Row, **edits: Any
) -> tuple[list[str], PromotionReport]:
    """Add records and bring them all the way."""
    keys = passed(databases, run, *rows, **edits)
    return keys, run.promote(entity_of(keys[0]))


def a_company(**values: Any) -> Row:
    return invalid_company(**values)


def a_person(**values: Any) -> Row:
    return invalid_person(**values)


def invalid(databases: Databases, key: str) -> Row:
    """A record's row of the invalid table, which must be there."""
    return _there(databases.invalid(key))


def desk(databases: Databases, key: str) -> Row:
    """A record's row of the workspace, which must be there."""
    return _there(databases.row(key))


def master(databases: Databases, key: str) -> Row:
    """A record's row of the master, which must be there."""
    return _there(databases.master(key))


def _there(row: Row | None) -> Row:
    assert row is not None
    return row


def add_master(databases: Databases, **values: Any) -> str:
    """A company that stands in the master; an old row unless `updated_at` is given."""
    known = {"updated_at": LONG_AGO, "company_unique_id": company_id(next(_numbers))}
    row = masters.company(**{**known, **values})
    masters.insert(databases.neon, masters.COMPANIES, [row])
    return row["company_unique_id"]


def add_person_master(databases: Databases, **values: Any) -> str:
    """A person that stands in the master; an old row unless `updated_at` is given."""
    known = {"updated_at": LONG_AGO, "company_unique_id": HOME, "email": "adela@known.test"}
    known["unique_id"] = person_id(next(_numbers))
    row = masters.person(**{**known, **values})
    masters.insert(databases.neon, masters.PEOPLE, [row])
    return row["unique_id"]


def add_home(databases: Databases) -> str:
    """The good company that the people of `a_person` work for."""
    return add_master(databases, company_unique_id=HOME)


def add_slot(databases: Databases, number: int, slot_type: str = "CEO", **values: Any) -> str:
    """A slot of the people's company."""
    slot = f"04.04.05.{(number * 7) % 100:02d}.{number:05d}.{(number * 3) % 1000:03d}"
    row = {"company_slot_unique_id": slot, "company_unique_id": HOME, "slot_type": slot_type}
    masters.insert(databases.neon, "marketing.company_slot", [{**row, **values}])
    return values.get("company_slot_unique_id", slot)


def slots(databases: Databases) -> list[Row]:
    """All slots in the order of their ids."""
    query = "SELECT * FROM marketing.company_slot ORDER BY company_slot_unique_id"
    return databases.rows(databases.neon, query)


def history(databases: Databases) -> list[Row]:
    """The promotions in their order."""
    query = "SELECT * FROM marketing.promotion_history ORDER BY id"
    return databases.rows(databases.neon, query)


def audited(databases: Databases, event: str = "enrichment_promotion") -> list[Row]:
    """The details of the audit rows in their order."""
    query = "SELECT details FROM shq.audit_log WHERE event_type = %s ORDER BY id"
    return [row["details"] for row in databases.rows(databases.neon, query, event)]


def logged(databases: Databases, stage: str) -> list[tuple[int, int, int]]:
    """Total, passed and failed of a stage's rows in the validation log."""
    query = (
        "SELECT total_records t, passed_records p, failed_records f FROM shq_validation_log "
        "WHERE notes = %s ORDER BY validation_run_id"
    )
    rows = databases.rows(databases.neon, query, f"enrichment {stage}")
    return [(row["t"], row["p"], row["f"]) for row in rows]


@contextmanager
def triggered(databases: Databases, when: str, table: str, body: str) -> Iterator[None]:
    """A trigger on a table of Neon for the time of a block, for example `BEFORE INSERT`.

    Args:
        databases: in which Neon stands.
        when: the moment.
        table: with its schema.
        body: of the function, in PL/pgSQL.
    """
    name = re.sub(r"\W", "_", f"{when}_{table}").lower()
    execute(
        databases.neon,
        f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$body$ BEGIN {body} END $body$; "
        f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION public.{name}()",
    )
    try:
        yield
    finally:
        execute(databases.neon, f"DROP FUNCTION public.{name} CASCADE")
