"""Promoters at once, and one whose COMMIT was not answered: each record is promoted once."""

import multiprocessing
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity, entity_named
from outreach_platform.enrichment.promotion import PromotionReport
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.errors import SourceUnavailableError
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings
from outreach_platform_tests.enrichment.promoting import (
    HOME,
    NewRun,
    a_company,
    a_person,
    add_home,
    add_master,
    audited,
    history,
    passed,
    slots,
)
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.postgres import execute

pytestmark = pytest.mark.slow


def at_once(*works: Callable[[], PromotionReport]) -> list[PromotionReport]:
    """Begin all works at the same moment, each in a thread of its own."""
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], PromotionReport]) -> PromotionReport:
        start.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


def assert_once(databases: Databases, keys: list[str], reports: list[PromotionReport]) -> None:
    """Each record was promoted, once, and everybody counts what they did themselves."""
    kept = Counter(row["record_key"] for row in history(databases))
    assert kept == Counter(keys)
    assert sum(report.promoted for report in reports) == len(keys)
    assert sum(report.held for report in reports) == 0
    assert all(databases.master(key) is not None for key in keys)
    assert all(databases.invalid(key) is None for key in keys)
    assert sum(details["promoted"] for details in audited(databases)) == len(keys)


@pytest.mark.parametrize("promoters", [2, 4])
def test_promoters_at_once_take_each_company_once(
    databases: Databases, enrichment: NewRun, promoters: int
):
    for _ in range(2):
        execute(databases.neon, "DELETE FROM marketing.promotion_history")
        execute(databases.neon, "DELETE FROM shq.audit_log")
        standing = [add_master(databases) for _ in range(8)]
        rows = [a_company(company_unique_id=key) for key in standing]
        keys = passed(databases, enrichment(), *rows, *(a_company() for _ in range(16)))
        runs = [enrichment(batch_size=3 + number) for number in range(promoters)]
        for run in runs:
            run.places(COMPANY)
        reports = at_once(*(lambda run=run: run.promote(COMPANY) for run in runs))
        assert_once(databases, keys, reports)
        assert sum(report.updated for report in reports) == len(standing)


def test_promoters_of_the_same_ids_take_each_once(databases: Databases, enrichment: NewRun):
    keys = passed(databases, enrichment(), *(a_company() for _ in range(20)))
    runs = [enrichment(batch_size=4), enrichment(batch_size=5)]
    orders = [keys, keys[::-1]]
    reports = at_once(
        *(
            lambda run=run, ids=ids: run.promote(COMPANY, ids)
            for run, ids in zip(runs, orders, strict=True)
        )
    )
    assert_once(databases, keys, reports)
    assert sum(report.not_passed for report in reports) == len(keys)


def test_promoters_of_people_share_slots_and_make_each_once(
    databases: Databases, enrichment: NewRun
):
    companies = [add_home(databases), *(add_master(databases) for _ in range(3))]
    titles = ("CEO", "CFO", "HR")
    people = [
        a_person(company_unique_id=company, title=title)
        for _ in range(2)
        for company in companies
        for title in titles
    ]
    keys = passed(databases, enrichment(), *people)
    runs = [enrichment(batch_size=size) for size in (3, 4, 5)]
    reports = at_once(*(lambda run=run: run.promote(PEOPLE) for run in runs))
    assert_once(databases, keys, reports)
    found = slots(databases)
    assert Counter((row["company_unique_id"], row["slot_type"]) for row in found) == Counter(
        (company, title) for company in companies for title in titles
    )
    assert all(row["person_unique_id"] in keys for row in found)
    assert len({row["person_unique_id"] for row in found}) == len(found)


def test_a_pull_beside_a_promotion_offers_nothing_again(databases: Databases, enrichment: NewRun):
    """What is being promoted must not come back into the workspace as a new record."""
    keys = passed(databases, enrichment(), *(a_company() for _ in range(20)))
    promoter, puller = enrichment(batch_size=3), enrichment(batch_size=4)
    start = threading.Barrier(2)

    def promote() -> PromotionReport:
        start.wait(30)
        return promoter.promote(COMPANY)

    def pull() -> int:
        start.wait(30)
        return sum(puller.pull(COMPANY).inserted for _ in range(5))

    with ThreadPoolExecutor(2) as pool:
        promoting, pulling = pool.submit(promote), pool.submit(pull)
        assert_once(databases, keys, [promoting.result()])
        assert pulling.result() == 0
    enrichment().pull(COMPANY)
    stamped = databases.rows(
        databases.workspace,
        "SELECT count(*) n FROM company_needs_enrichment WHERE promoted_at IS NOT NULL",
    )
    assert stamped == [{"n": len(keys)}]


def test_whole_rounds_at_once(databases: Databases, enrichment: NewRun):
    """Push, judge and promote in two processes' hands, with failures in between."""
    keys = databases.add_companies(40)
    first = enrichment()
    first.pull(COMPANY)
    databases.complete(*keys, website="https://www.mended.test")
    databases.edit(*keys[::4], website="dotless")
    runs = [enrichment(batch_size=size) for size in (3, 7, 11)]

    def round_trip(run: EnrichmentRun) -> PromotionReport:
        run.push(COMPANY)
        run.revalidate(COMPANY)
        report = run.promote(COMPANY)
        run.pull(COMPANY)
        return report

    reports = at_once(*(lambda run=run: round_trip(run) for run in runs))
    last = round_trip(enrichment())
    bad = set(keys[::4])
    assert_once(databases, [key for key in keys if key not in bad], [*reports, last])
    rows = databases.rows(databases.neon, "SELECT * FROM marketing.company_invalid")
    assert {row["company_unique_id"] for row in rows} == bad
    assert {row["revalidation_attempts"] for row in rows} == {1}
    funnel, state = first.funnel(COMPANY), first.reconcile(COMPANY)
    assert (funnel.failed, funnel.pulled, funnel.promoted) == (len(bad), len(bad), 30)
    assert (state.not_pulled[0], state.orphans[0], state.doubled[0], state.lost_edits[0]) == (
        *(0, 0, 0, 0),
    )


def test_a_commit_without_an_answer_is_counted_once(
    databases: Databases, enrichment: NewRun, monkeypatch: pytest.MonkeyPatch
):
    """The server committed, and the connection was lost before it said so."""
    run = enrichment(batch_size=3)
    standing = add_master(databases)
    keys = passed(databases, run, a_company(company_unique_id=standing), a_company(), a_company())
    lost: list[str] = []
    real = Session.transaction

    @contextmanager
    def transaction(self: Session) -> Iterator[Cursor]:
        with real(self) as cursor:
            yield cursor
        if not lost and history(databases):
            lost.append("once")
            self.close()
            raise SourceUnavailableError("the server closed the connection")

    monkeypatch.setattr(Session, "transaction", transaction)
    report = run.promote(COMPANY, keys)
    assert lost == ["once"]
    assert_once(databases, keys, [report])
    assert (report.taken, report.inserted, report.updated, report.not_passed) == (3, 2, 1, 0)


def promote_elsewhere(folder: str, neon: str, workspace: str, name: str, size: int) -> str:
    """A promoter in a process of its own; returns what it counted."""
    settings = load_settings(data_dir=Path(folder))
    urls = DatabaseUrl.parse(neon), DatabaseUrl.parse(workspace)
    run = EnrichmentRun(settings, *urls, str(uuid.uuid4()), batch_size=size)
    try:
        return str(run.promote(entity_named(name)).promoted)
    finally:
        run.close()


@pytest.mark.slow
@pytest.mark.parametrize("entity", [COMPANY, PEOPLE], ids=["companies", "people"])
def test_promoters_in_four_processes(
    databases: Databases, enrichment: NewRun, tmp_path: Path, entity: Entity
):
    add_home(databases)
    rows = [a_company() if entity is COMPANY else a_person() for _ in range(120)]
    keys = passed(databases, enrichment(), *rows)
    urls = (databases.neon.conninfo, databases.workspace.conninfo)
    arguments = [(str(tmp_path), *urls, entity.name, 5 + number) for number in range(4)]
    # Not a Pool: ending one can hang on a worker that it has just killed.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        counts = [
            int(count) for count in pool.map(promote_elsewhere, *zip(*arguments, strict=True))
        ]
    assert sum(counts) == len(keys)
    assert Counter(row["record_key"] for row in history(databases)) == Counter(keys)
    assert all(databases.invalid(key) is None for key in keys)
    if entity is PEOPLE:
        (slot,) = slots(databases)
        assert slot["company_unique_id"] == HOME and slot["person_unique_id"] in keys
