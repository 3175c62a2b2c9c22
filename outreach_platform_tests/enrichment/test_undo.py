"""Undo: a run's promotions taken back to the last digit, or left alone and told."""

import pytest

from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.undo import find_run
from outreach_platform.foundation.errors import IntegrityError, SourceError, UsageError
from outreach_platform_tests.enrichment.promoting import (
    FAR_AHEAD,
    WEBSITE,
    NewRun,
    a_company,
    a_person,
    add_home,
    add_master,
    add_person_master,
    add_slot,
    audited,
    complete,
    desk,
    history,
    invalid,
    logged,
    master,
    passed,
    promoted,
    slots,
    triggered,
)
from outreach_platform_tests.support.enrichment import Databases, dump
from outreach_platform_tests.support.postgres import execute, fetch

pytestmark = pytest.mark.slow

MASTER = "marketing.company_master"
# What an undo changes on purpose in an invalid row that it brings back.
RESET = {"enrichment_status", "passed_hash", "passed_rules", "pushed_version"}
TABLES = ("marketing.company_master", "marketing.people_master", "marketing.company_slot")


def standing(databases: Databases) -> dict[str, list[str]]:
    """Masters and slots, to the last byte that the server prints."""
    everything = dump(databases.neon)
    return {table: everything[table] for table in TABLES}


def whole(databases: Databases, key: str) -> dict:
    """An invalid row as the server's texts."""
    (row,) = fetch(
        databases.neon,
        f"SELECT to_jsonb(t) FROM marketing.company_invalid t WHERE company_unique_id = '{key}'",
    )
    return row[0]


def test_inserted_companies_are_gone_and_updated_ones_as_before(
    databases: Databases, enrichment: NewRun
):
    old = add_master(databases, industry="Hats", employee_count=7)
    before = standing(databases)
    run = enrichment(batch_size=2)
    keys = passed(databases, run, a_company(company_unique_id=old), a_company(), a_company())
    rows = [whole(databases, key) for key in keys]
    assert run.promote(COMPANY).promoted == 3
    assert standing(databases) != before
    undoing = enrichment(batch_size=2)
    report = undoing.undo(run.run_id)
    assert (report["company"].restored, report["company"].problems) == (3, [])
    assert (report["people"].restored, report["people"].problems) == (0, [])
    assert standing(databases) == before
    for key, row in zip(keys, rows, strict=True):
        now = whole(databases, key)
        assert {name for name in row if now[name] != row[name]} == RESET
        assert now["enrichment_status"] == "pending"
        assert [now[name] for name in RESET - {"enrichment_status"}] == [None] * 3
        assert now["website"] == WEBSITE
    assert all(row["undone_at"] is not None for row in history(databases))
    details = audited(databases, "enrichment_undo")
    assert [(d["undone_run"], d["restored"]) for d in details] == [(run.run_id, 2), (run.run_id, 1)]
    assert {d["run_id"] for d in details} == {undoing.run_id}
    assert logged(databases, "undo") == [(3, 3, 0)]


def test_every_type_comes_back_to_the_last_digit(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f"CREATE TYPE public.tier AS ENUM ('low', 'high'); ALTER TABLE {MASTER} "
        "ADD score numeric, ADD ratio float8, ADD big bigint, ADD blob bytea, ADD doc jsonb, "
        "ADD plain json, ADD grid int[][], ADD span interval, ADD day date, ADD at timestamp, "
        'ADD tier public.tier, ADD "Growth in 100%s" numeric(8, 3), ADD place point, '
        "ADD number bigint GENERATED ALWAYS AS IDENTITY, "
        "ADD shout text GENERATED ALWAYS AS (upper(company_name)) STORED",
    )
    key = add_master(
        databases,
        keywords=["a", 'b"c', "d,e", "{}"],
        data_quality_score="12.50",
        score="12345678901234567890.123456789012345678900",
        ratio="0.1",
        big=2**62 + 1,
        blob=b"\x00\xff",
        grid=[[1, 2], [3, 4]],
        span="1 year 2 days 03:04:05.000006",
        day="0044-03-15",
        at="infinity",
        tier="high",
        place="(1.5,2)",
    )
    execute(
        databases.neon,
        f"""UPDATE {MASTER} SET "Growth in 100%s" = 1.5, doc = '{{"n": 1.10, "a": [null]}}', """
        """plain = '{"b": 1,  "a": 2.50}'""",
    )
    before = standing(databases)
    run = enrichment()
    promoted(databases, run, a_company(company_unique_id=key))
    assert enrichment().undo(run.run_id)["company"].restored == 1
    assert standing(databases) == before


def test_what_a_trigger_changed_comes_back_too(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f'ALTER TABLE {MASTER} ADD score numeric, ADD "100%s" text; '
        "ALTER TABLE marketing.company_invalid ADD \"in %\" text DEFAULT 'x'",
    )
    key = add_master(databases, score="0.10000000000000000000000000100")
    execute(databases.neon, f"UPDATE {MASTER} SET \"100%s\" = 'old'")
    before = standing(databases)
    run = enrichment()
    body = 'NEW.score := 7; NEW."100%s" := NULL; RETURN NEW;'
    with triggered(databases, "BEFORE UPDATE", MASTER, body):
        promoted(databases, run, a_company(company_unique_id=key))
    assert str(master(databases, key)["score"]) == "7"
    assert enrichment().undo(run.run_id)["company"].restored == 1
    assert standing(databases) == before


def test_it_does_not_matter_where_it_is_undone(
    databases: Databases, enrichment: NewRun, monkeypatch: pytest.MonkeyPatch
):
    """The server prints times in the session's time zone."""
    key = add_master(databases)
    before = standing(databases)
    run = enrichment()
    passed(databases, run, a_company(company_unique_id=key))
    monkeypatch.setenv("PGTZ", "America/New_York")
    enrichment(run_id=run.run_id).promote(COMPANY)
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, report.problems) == (1, [])
    monkeypatch.delenv("PGTZ")
    assert standing(databases) == before


def test_a_trigger_that_moves_times_does_not_touch_what_comes_back(
    databases: Databases, enrichment: NewRun
):
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    row = whole(databases, key)
    run.promote(COMPANY)
    body = "NEW.updated_at := '2099-01-01'; RETURN NEW;"
    with triggered(databases, "BEFORE UPDATE", "marketing.company_invalid", body):
        enrichment().undo(run.run_id)
    assert whole(databases, key)["updated_at"] == row["updated_at"]


def test_twice_is_once(databases: Databases, enrichment: NewRun):
    run = enrichment()
    promoted(databases, run, a_company())
    assert enrichment().undo(run.run_id)["company"].restored == 1
    before = databases.dump()
    again = enrichment().undo(run.run_id)
    assert {(r.restored, tuple(r.problems)) for r in again.values()} == {(0, ())}
    assert databases.dump() == before


def test_the_workspace_begins_anew_and_nothing_goes_by_itself(
    databases: Databases, enrichment: NewRun
):
    run = enrichment()
    (key,), _ = promoted(databases, run, a_company())
    enrichment().undo(run.run_id)
    row = desk(databases, key)
    assert (row["enrichment_status"], row["promoted_at"], row["website"]) == (
        *("pending", None, WEBSITE),
    )
    (earlier,) = row["edit_history"]
    assert (earlier["status"], earlier["enriched_by"]) == ("complete", "ann")
    later = enrichment()
    later.pull(COMPANY)
    assert later.push(COMPANY).read == 0
    assert later.revalidate(COMPANY).judged == 0
    assert later.promote(COMPANY).taken == 0
    assert later.promote(COMPANY, [key]).not_passed == 1
    funnel = later.funnel(COMPANY)
    assert (funnel.invalid, funnel.pending, funnel.promoted) == (1, 1, 0)
    # An enricher who says that it is complete after all, decides.
    complete(databases, later, key, city="Huntington")
    later.revalidate(COMPANY)
    assert later.promote(COMPANY).inserted == 1
    assert master(databases, key)["address_city"] == "Huntington"
    assert enrichment().undo(later.run_id)["company"].restored == 1


def test_a_run_is_found_by_the_beginning_of_its_id(databases: Databases, enrichment: NewRun):
    runs = [
        enrichment(run_id=name) for name in ("abcdefgh", "abcdefgh-1", "abcdefgh-2", "abcdefgh-3")
    ]
    for run in runs:
        promoted(databases, run, a_company())
    neon = runs[0].neon
    assert find_run(neon, "marketing", "abcdefgh") == "abcdefgh"
    assert find_run(neon, "marketing", "abcdefgh-2") == "abcdefgh-2"
    for text, said in (
        ("abcdefgh-", "several runs"),
        ("abcdefg", "too short"),
        ("", "too short"),
        ("unknown-run", "no run promoted"),
        ("abcdefg_", "no run promoted"),
        ("%%%%%%%%", "no run promoted"),
    ):
        with pytest.raises(UsageError, match=said):
            find_run(neon, "marketing", text)
    assert enrichment().undo("abcdefgh-3")["company"].restored == 1
    assert enrichment().funnel(COMPANY).promoted == 3


def test_a_master_that_was_changed_since_is_left_alone(databases: Databases, enrichment: NewRun):
    run = enrichment()
    old = add_master(databases)
    keys, _ = promoted(
        databases, run, *(a_company(**k) for k in ({"company_unique_id": old}, {}, {}, {}))
    )
    for key, change in (
        (keys[0], "industry = 'Changed'"),
        (keys[1], "description = 'Added'"),
        (keys[2], "industry = NULL"),
    ):
        execute(databases.neon, f"UPDATE {MASTER} SET {change} WHERE company_unique_id = '{key}'")
    before = standing(databases)
    report = enrichment().undo(run.run_id)["company"]
    assert report.restored == 1
    assert sorted(text.partition(":")[0] for text in report.problems) == sorted(keys[:3])
    assert all("changed after" in text for text in report.problems)
    left = {row for row in before[MASTER] if keys[3] not in row}
    assert set(standing(databases)[MASTER]) == left
    assert all(databases.invalid(key) is None for key in keys[:3])
    undone = [row["record_key"] for row in history(databases) if row["undone_at"]]
    assert undone == keys[3:]


def test_a_master_that_was_deleted_since_is_left_alone(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,), _ = promoted(databases, run, a_company())
    execute(databases.neon, f"DELETE FROM {MASTER}")
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, len(report.problems)) == (0, 1)
    assert databases.master(key) is None and databases.invalid(key) is None


def test_a_record_that_came_back_meanwhile_is_left_alone(databases: Databases, enrichment: NewRun):
    run = enrichment()
    back, other = promoted(databases, run, a_company(), a_company())[0]
    databases.add_invalid(a_company(company_unique_id=back, city="New"))
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, len(report.problems)) == (1, 1)
    assert report.problems[0].startswith(f"{back}: it failed validation again")
    assert (invalid(databases, back)["city"], master(databases, back)["website_url"]) == (
        *("New", WEBSITE),
    )
    assert databases.master(other) is None


def test_a_row_number_that_is_taken_hinders_nobody_else(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys, _ = promoted(databases, run, a_company(), a_company())
    number = history(databases)[0]["neon_id"]
    databases.add_invalid(a_company(id=number))
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, len(report.problems)) == (1, 1)
    assert databases.invalid(keys[0]) is None and databases.invalid(keys[1]) is not None


def test_what_the_database_refuses_hinders_nobody_else(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f"CREATE TABLE marketing.notes (company text REFERENCES {MASTER} (company_unique_id))",
    )
    run = enrichment()
    keys, _ = promoted(databases, run, *(a_company() for _ in range(5)))
    execute(databases.neon, f"INSERT INTO marketing.notes VALUES ('{keys[3]}')")
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, len(report.problems)) == (4, 1)
    assert report.problems[0].startswith(f"{keys[3]}: the database refused it")
    assert [databases.master(key) is None for key in keys] == [True, True, True, False, True]
    assert audited(databases, "enrichment_undo")[0]["left_alone"] == 1


def test_columns_that_came_since_do_not_hinder(databases: Databases, enrichment: NewRun):
    run = enrichment()
    old = add_master(databases)
    keys, _ = promoted(databases, run, a_company(company_unique_id=old), a_company())
    execute(
        databases.neon,
        f"ALTER TABLE {MASTER} ADD later text; "
        "ALTER TABLE marketing.company_invalid ADD later text NOT NULL DEFAULT 'given'",
    )
    report = enrichment().undo(run.run_id)["company"]
    assert (report.restored, report.problems) == (2, [])
    assert [invalid(databases, key)["later"] for key in keys] == ["given", "given"]


def test_identity_columns_of_the_invalid_table(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_invalid ALTER id DROP DEFAULT, "
        "ALTER id ADD GENERATED ALWAYS AS IDENTITY, "
        "ADD length int GENERATED ALWAYS AS (length(website)) STORED",
    )
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    number = invalid(databases, key)["id"]
    run.promote(COMPANY)
    assert enrichment().undo(run.run_id)["company"].restored == 1
    row = invalid(databases, key)
    assert (row["id"], row["length"]) == (number, len(WEBSITE))


def test_people_and_companies_of_one_run(databases: Databases, enrichment: NewRun):
    before = standing(databases)
    run = enrichment()
    (company,), _ = promoted(databases, run, a_company())
    people, _ = promoted(
        databases, run, *(a_person(company_unique_id=company, title=t) for t in ("CEO", "HR"))
    )
    report = enrichment(batch_size=1).undo(run.run_id)
    assert (report["company"].restored, report["people"].restored) == (1, 2)
    assert report["company"].problems == report["people"].problems == []
    assert standing(databases) == before
    for key in (company, *people):
        assert invalid(databases, key)["enrichment_status"] == "pending"
        assert desk(databases, key)["promoted_at"] is None


def test_a_company_of_people_stays(databases: Databases, enrichment: NewRun):
    """Another run brought its people, who would lose their company."""
    first, second = enrichment(), enrichment()
    (company, other), _ = promoted(databases, first, a_company(), a_company())
    promoted(databases, second, a_person(company_unique_id=company))
    report = enrichment().undo(first.run_id)["company"]
    assert (report.restored, len(report.problems)) == (1, 1)
    assert report.problems[0].startswith(f"{company}: people in the master")
    assert databases.master(company) is not None and databases.master(other) is None
    # Once they are taken back, it can go.
    assert enrichment().undo(second.run_id)["people"].restored == 1
    assert enrichment().undo(first.run_id)["company"].restored == 1
    assert databases.master(company) is None


def test_a_company_that_was_there_before_its_people_goes_back(
    databases: Databases, enrichment: NewRun
):
    home = add_home(databases)
    add_person_master(databases)
    before = standing(databases)
    run = enrichment()
    promoted(databases, run, a_company(company_unique_id=home))
    assert enrichment().undo(run.run_id)["company"].restored == 1
    assert standing(databases) == before


@pytest.mark.parametrize(("done_by", "undone_by"), [(2, 2), (10, 1)])
def test_slots_are_given_back(
    databases: Databases, enrichment: NewRun, done_by: int, undone_by: int
):
    add_home(databases)
    add_slot(databases, 11, "CEO", is_filled=False, confidence_score="0.50", source_system="old")
    add_slot(databases, 12, "CFO", is_filled=True, person_unique_id="04.04.02.05.00005.005")
    known = add_person_master(databases, title="Boss")
    before = standing(databases)
    run = enrichment(batch_size=done_by)
    promoted(
        databases,
        run,
        a_person(title="CEO"),
        a_person(title="CFO"),
        *(a_person(title="HR") for _ in range(6)),
        a_person(title="CEO"),
        a_person(unique_id=known, title="HR"),
    )
    assert len(slots(databases)) == 3
    report = enrichment(batch_size=undone_by).undo(run.run_id)["people"]
    assert (report.restored, report.problems) == (10, [])
    assert standing(databases) == before


def test_a_slot_that_others_need_is_not_removed(databases: Databases, enrichment: NewRun):
    add_home(databases)
    first, second, third = enrichment(), enrichment(), enrichment()
    promoted(databases, first, a_person(title="CEO"))
    (sharing,), _ = promoted(databases, second, a_person(title="CEO"))
    promoted(databases, third, a_person(title="HR"))
    somebody = "04.04.02.99.00099.099"
    execute(
        databases.neon,
        f"UPDATE marketing.company_slot SET person_unique_id = '{somebody}' WHERE slot_type = 'HR'",
    )
    assert enrichment().undo(first.run_id)["people"].restored == 1
    assert enrichment().undo(third.run_id)["people"].restored == 1
    ceo, hr = slots(databases)
    assert (ceo["person_unique_id"], ceo["is_filled"], ceo["filled_at"]) == (None, False, None)
    assert master(databases, sharing)["company_slot_unique_id"] == ceo["company_slot_unique_id"]
    assert (hr["person_unique_id"], hr["is_filled"]) == (somebody, True)
    # The next one for that place sits there.
    (key,), _ = promoted(databases, enrichment(), a_person(title="CEO"))
    assert slots(databases)[0]["person_unique_id"] == key


LOST = [
    ("BEFORE DELETE", MASTER),
    ("BEFORE UPDATE", MASTER),
    ("BEFORE INSERT", "marketing.company_invalid"),
]
FAILING = [
    *LOST,
    ("BEFORE UPDATE", "marketing.promotion_history"),
    ("BEFORE INSERT", "shq.audit_log"),
    ("BEFORE INSERT", "public.shq_validation_log"),
]


def test_a_failure_at_any_statement_takes_nothing_back(databases: Databases, enrichment: NewRun):
    run = enrichment()
    old = add_master(databases)
    promoted(databases, run, a_company(company_unique_id=old), a_company())
    before = databases.dump()
    for when, table in FAILING:
        with (
            triggered(databases, when, table, "PERFORM public.stop(); RETURN NULL;"),
            pytest.raises(SourceError, match=r"stop\(\) does not exist"),
        ):
            enrichment().undo(run.run_id)
        assert databases.dump() == before, f"{when} {table}"
    for when, table in LOST:
        with (
            triggered(databases, when, table, "RETURN NULL;"),
            pytest.raises(IntegrityError, match="taken back whole"),
        ):
            enrichment().undo(run.run_id)
        assert databases.dump() == before, f"{when} {table}"
    assert enrichment().undo(run.run_id)["company"].restored == 2


def test_a_dry_undo_changes_nothing(databases: Databases, enrichment: NewRun):
    run = enrichment()
    promoted(databases, run, a_company(), a_company())
    before = databases.dump()
    dry = enrichment(dry_run=True)
    assert dry.undo(run.run_id)["company"].restored == 2
    dry.close()
    assert databases.dump() == before


def test_an_undone_promotion_is_none_for_later_runs(databases: Databases, enrichment: NewRun):
    """What was promoted by two runs, one after the other, goes back in steps."""
    first, second = enrichment(), enrichment()
    old = add_master(databases, updated_at=FAR_AHEAD)
    before = standing(databases)
    promoted(databases, first, a_company(company_unique_id=old))
    between = standing(databases)
    promoted(databases, second, a_company(company_unique_id=old, city="Huntington"))
    report = enrichment().undo(first.run_id)["company"]
    assert (report.restored, len(report.problems)) == (0, 1)
    assert enrichment().undo(second.run_id)["company"].restored == 1
    assert standing(databases) == between
    # Its second invalid row stands there by now; without that, the first promotion goes back too.
    assert enrichment().undo(first.run_id)["company"].restored == 0
    execute(databases.neon, "DELETE FROM marketing.company_invalid")
    assert enrichment().undo(first.run_id)["company"].restored == 1
    assert standing(databases) == before


def test_both_kinds_leave_the_workspace_open(databases: Databases, enrichment: NewRun):
    add_home(databases)
    run = enrichment()
    (key,), _ = promoted(databases, run, a_person())
    assert desk(databases, key)["promoted_at"] is not None
    enrichment().undo(run.run_id)
    assert desk(databases, key)["enrichment_status"] == "pending"
    assert enrichment().promote(PEOPLE).taken == 0
    assert slots(databases) == []
