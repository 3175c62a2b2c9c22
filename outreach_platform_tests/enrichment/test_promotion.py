"""Promotion of companies: what passed, in that very state, into the master."""

from datetime import UTC, datetime

import pytest

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.foundation.errors import BusyError, IntegrityError, SourceError
from outreach_platform.foundation.postgres import session
from outreach_platform_tests.enrichment.promoting import (
    FAR_AHEAD,
    WEBSITE,
    NewRun,
    a_company,
    add_master,
    audited,
    desk,
    history,
    invalid,
    logged,
    master,
    passed,
    promoted,
    triggered,
)
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.postgres import execute

MASTER = "marketing.company_master"


def test_a_new_company_gets_every_column(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,), report = promoted(
        databases,
        run,
        a_company(company_unique_id="04.04.01.33.123456.007", state="West Virginia"),
    )
    assert (report.taken, report.inserted, report.updated, report.held) == (1, 1, 0, 0)
    row = master(databases, key)
    kept = history(databases)[0]
    (audit_id,) = databases.rows(databases.neon, "SELECT id FROM shq.audit_log")[0].values()
    assert {name: row[name] for name in row if row[name] is not None} == {
        "company_unique_id": "04.04.01.33.123456.007",
        "company_name": row["company_name"],
        "website_url": WEBSITE,
        "industry": "Manufacturing",
        "employee_count": 25,
        "company_phone": "(304) 555-0123",
        "address_street": kept["invalid_row"]["address"],
        "address_city": "Charleston",
        "address_state": "West Virginia",
        "state_abbrev": "WV",
        "address_zip": "25301",
        "import_batch_id": "batch-1",
        "source_system": "enrichment",
        "source_record_id": f"company_invalid:{kept['neon_id']}",
        "promotion_audit_log_id": audit_id,
        "validated_by": "outreach_platform",
        **{
            name: row[name]
            for name in ("promoted_from_intake_at", "created_at", "updated_at", "validated_at")
        },
    }
    for name in ("promoted_from_intake_at", "created_at", "updated_at", "validated_at"):
        assert abs((row[name] - datetime.now(UTC)).total_seconds()) < 60
    assert databases.invalid(key) is None
    assert desk(databases, key)["promoted_at"] is not None


def test_a_company_that_is_there_is_updated(databases: Databases, enrichment: NewRun):
    key = add_master(
        databases,
        industry="Hats",
        company_phone=None,
        keywords=["a", "b"],
        description="stays",
        address_city="York",
    )
    before = master(databases, key)
    _, report = promoted(
        databases, enrichment(), a_company(company_unique_id=key, city=None, industry="Tools")
    )
    assert (report.taken, report.inserted, report.updated) == (1, 0, 1)
    after = master(databases, key)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        *("company_name", "website_url", "industry", "company_phone", "address_street"),
        *("address_zip", "source_system", "source_record_id", "promotion_audit_log_id"),
        *("updated_at", "import_batch_id", "validated_at", "validated_by"),
    }
    assert (after["industry"], after["address_city"]) == ("Tools", "York")
    assert after["company_phone"] == "(304) 555-0123"
    assert after["promoted_from_intake_at"] == before["promoted_from_intake_at"]


def test_a_newer_master_keeps_its_values(databases: Databases, enrichment: NewRun):
    key = add_master(databases, industry="Hats", company_phone=" ", updated_at=FAR_AHEAD)
    before = master(databases, key)
    promoted(databases, enrichment(), a_company(company_unique_id=key, industry="Tools"))
    after = master(databases, key)
    assert (after["industry"], after["website_url"]) == ("Hats", before["website_url"])
    assert after["company_phone"] == "(304) 555-0123"


def test_a_newer_master_that_is_bad_takes_what_is_judged(databases: Databases, enrichment: NewRun):
    key = add_master(databases, website_url="dotless", industry="Hats", updated_at=FAR_AHEAD)
    promoted(
        databases,
        enrichment(),
        a_company(company_unique_id=key, company_name="Told", industry="Tools"),
    )
    after = master(databases, key)
    assert (after["company_name"], after["website_url"]) == ("Told", WEBSITE)
    assert after["industry"] == "Hats"


@pytest.mark.parametrize("side", ["master", "record"])
def test_a_side_without_a_time_is_the_older_one(
    databases: Databases, enrichment: NewRun, side: str
):
    run = enrichment()
    key = add_master(databases, industry="Hats", updated_at=None if side == "master" else FAR_AHEAD)
    passed(databases, run, a_company(company_unique_id=key, industry="Tools"))
    if side == "record":
        execute(databases.neon, "UPDATE marketing.company_invalid SET updated_at = NULL")
    assert run.promote(COMPANY).updated == 1
    assert master(databases, key)["industry"] == ("Tools" if side == "master" else "Hats")


def test_a_value_emptied_by_the_enricher_is_emptied(databases: Databases, enrichment: NewRun):
    keys = [add_master(databases, company_phone="1", industry="Hats") for _ in range(2)]
    rows = [
        a_company(company_unique_id=keys[0], phone="2"),
        a_company(company_unique_id=keys[1], phone=None),
    ]
    promoted(databases, enrichment(), *rows, phone=None)
    assert master(databases, keys[0])["company_phone"] is None
    assert master(databases, keys[1])["company_phone"] == "1"


def test_an_edit_in_neon_after_the_pass_is_not_promoted(databases: Databases, enrichment: NewRun):
    run = enrichment()
    edited, other = passed(databases, run, a_company(), a_company())
    databases.change_source(edited, city="Huntington")
    report = run.promote(COMPANY)
    assert (report.taken, report.inserted, report.not_passed) == (1, 1, 1)
    assert databases.master(edited) is None and databases.master(other) is not None
    assert invalid(databases, edited)["city"] == "Huntington"
    # Judged again in its new state, it goes.
    run.revalidate(COMPANY)
    assert run.promote(COMPANY).inserted == 1
    assert master(databases, edited)["address_city"] == "Huntington"


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [
        {"city": "Huntington"},
        {"enrichment_status": "in_progress"},
        {"enrichment_status": None},
        {"enrichment_notes": "wait"},
    ],
    ids=str,
)
def test_an_edit_in_the_workspace_waits_for_the_next_round(
    databases: Databases, enrichment: NewRun, edit: dict
):
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment "
        "DROP CONSTRAINT IF EXISTS company_needs_enrichment_enrichment_status_check",
    )
    run = enrichment()
    edited, _ = passed(databases, run, a_company(), a_company())
    databases.edit(edited, **edit)
    report = run.promote(COMPANY)
    assert (report.taken, report.inserted, report.edited, report.not_passed) == (1, 1, 1, 0)
    assert databases.master(edited) is None
    databases.complete(edited)
    run.push(COMPANY)
    run.revalidate(COMPANY)
    assert run.promote(COMPANY).inserted == 1
    assert master(databases, edited)["address_city"] == edit.get("city", "Charleston")
    assert desk(databases, edited)["promoted_at"] is not None


def test_a_deleted_workspace_row_does_not_hinder(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    execute(databases.workspace, "DELETE FROM company_needs_enrichment")
    assert run.promote(COMPANY).inserted == 1
    assert databases.master(key) is not None


def test_what_was_held_or_failed_is_not_promoted(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = passed(databases, run, *(a_company() for _ in range(5)))
    faults = [
        *("still_invalid = true", "passed_hash = NULL", "passed_rules = NULL"),
        "enrichment_status = 'pending'",
    ]
    for key, fault in zip(keys, faults, strict=False):
        execute(
            databases.neon,
            f"UPDATE marketing.company_invalid SET {fault} WHERE company_unique_id = '{key}'",
        )
    report = run.promote(COMPANY, keys)
    assert (report.taken, report.inserted, report.not_passed) == (1, 1, 4)
    assert [databases.master(key) is not None for key in keys] == [*[False] * 4, True]


def test_ids_that_were_asked_for(databases: Databases, enrichment: NewRun):
    run = enrichment(batch_size=2)
    keys = passed(databases, run, *(a_company() for _ in range(3)))
    (waiting,) = databases.add_companies(1)
    strange = ["04.04.01.00.99998.000", "'; DROP TABLE x; --", "", "100%", "04.04.02.01.00001.001"]
    asked = [keys[0], *strange, keys[1], keys[0], waiting, keys[1]]
    report = run.promote(COMPANY, iter(asked))
    assert (report.taken, report.inserted, report.held) == (2, 2, 0)
    assert report.not_passed == len(strange) + 1
    assert databases.master(keys[2]) is None
    again = run.promote(COMPANY, [])
    assert (again.taken, again.promoted, again.not_passed) == (0, 0, 0)


def test_ids_of_another_runs_promotion_did_not_pass(databases: Databases, enrichment: NewRun):
    keys, _ = promoted(databases, enrichment(), a_company())
    report = enrichment().promote(COMPANY, keys)
    assert (report.taken, report.inserted, report.not_passed) == (0, 0, 1)


def test_a_master_of_other_columns(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f"ALTER TABLE {MASTER} DROP COLUMN address_zip, DROP COLUMN state_abbrev, "
        "DROP COLUMN validated_at, DROP COLUMN import_batch_id, DROP COLUMN updated_at, "
        "ALTER company_name SET NOT NULL, ALTER website_url SET NOT NULL, "
        "ALTER employee_count TYPE text, ALTER created_at TYPE timestamp, "
        "ADD \"Größe in 100%\" numeric, ADD tier text NOT NULL DEFAULT 'basic', "
        "ADD name_length int GENERATED ALWAYS AS (length(company_name)) STORED, "
        "ALTER industry SET DEFAULT 'Unsorted', "
        "ALTER address_city SET DEFAULT 'Nowhere'",
    )
    run = enrichment()
    keys, report = promoted(
        databases, run, a_company(company_name="Four"), a_company(industry=None, city=" ")
    )
    assert (report.inserted, report.held) == (2, 0)
    first, second = (master(databases, key) for key in keys)
    assert (first["employee_count"], first["tier"], first["name_length"]) == ("25", "basic", 4)
    assert (first["industry"], second["industry"]) == ("Manufacturing", "Unsorted")
    assert (first["address_city"], second["address_city"]) == ("Charleston", "Nowhere")


@pytest.mark.slow
def test_a_master_without_a_needed_column_is_refused(databases: Databases, enrichment: NewRun):
    run = enrichment()
    passed(databases, run, a_company())
    execute(databases.neon, f"ALTER TABLE {MASTER} DROP COLUMN website_url")
    with pytest.raises(SourceError, match=r"company_master lacks website_url"):
        enrichment().promote(COMPANY)


def test_a_master_without_a_key_is_refused(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    execute(databases.neon, f"ALTER TABLE {MASTER} DROP CONSTRAINT company_master_pkey")
    with pytest.raises(SourceError, match=r"company_master has no UNIQUE \(company_unique_id\)"):
        run.promote(COMPANY)
    # A company that stands there twice is not overwritten twice either.
    for _ in range(2):
        add_master(databases, company_unique_id=key)
    with pytest.raises(IntegrityError, match="history"):
        run.promote(COMPANY)
    assert databases.invalid(key) is not None


def test_a_master_that_is_a_view(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f"ALTER TABLE {MASTER} RENAME TO companies; "
        f"CREATE VIEW {MASTER} AS SELECT * FROM marketing.companies",
    )
    run = enrichment()
    key = add_master(databases)
    keys, report = promoted(databases, run, a_company(company_unique_id=key), a_company())
    assert (report.inserted, report.updated, report.held) == (1, 1, 0)
    assert all(databases.invalid(each) is None for each in keys)
    undone = enrichment().undo(run.run_id)
    assert (undone["company"].restored, undone["company"].problems) == (2, [])


def test_text_in_a_number_column_is_held(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_invalid ALTER employee_count TYPE text",
    )
    execute(
        databases.workspace,
        "ALTER TABLE company_needs_enrichment ALTER employee_count TYPE text",
    )
    keys, report = promoted(
        databases,
        enrichment(),
        a_company(employee_count="about 50"),
        a_company(employee_count=" 50 "),
        a_company(employee_count="5e1"),
    )
    assert (report.taken, report.inserted, report.held) == (3, 1, 2)
    assert report.reasons == {"PROMOTION_REFUSED": 2}
    assert master(databases, keys[1])["employee_count"] == 50
    assert "about 50" not in str(invalid(databases, keys[0])["validation_errors"])


@pytest.mark.slow
def test_poisonous_rows_are_held_and_the_others_go_on(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        f"ALTER TABLE {MASTER} ALTER company_name TYPE varchar(20), "
        "ADD CHECK (address_city <> 'Atlantis')",
    )
    rows = [a_company() for _ in range(9)]
    rows[2]["company_name"] = "A name of more than twenty letters"
    rows[5]["city"] = "Atlantis"
    rows[8]["industry"] = "Piracy"
    no_pirates = (
        "IF NEW.industry = 'Piracy' THEN RAISE 'no pirates' USING ERRCODE = '28000'; END IF; "
        "RETURN NEW;"
    )
    with triggered(databases, "BEFORE INSERT", MASTER, no_pirates):
        keys, report = promoted(databases, enrichment(batch_size=9), *rows)
    assert (report.taken, report.inserted, report.held) == (9, 6, 3)
    assert report.reasons == {"PROMOTION_REFUSED": 3}
    for number, key in enumerate(keys):
        assert (databases.master(key) is None) == (number in (2, 5, 8))
        assert (databases.invalid(key) is None) == (number not in (2, 5, 8))
    row, workspace = invalid(databases, keys[2]), desk(databases, keys[2])
    assert (row["reason_code"], row["still_invalid"]) == ("PROMOTION_REFUSED", True)
    assert "value too long" in row["validation_errors"]["record"]
    assert "A name of" not in str(row["validation_errors"])
    assert (row["revalidation_attempts"], row["passed_hash"]) == (1, None)
    assert workspace["enrichment_status"] == "failed"
    assert workspace["reason_code"] == "PROMOTION_REFUSED"
    assert logged(databases, "promote") == [(9, 6, 3)]
    assert [audit["held"] for audit in audited(databases)] == [3]
    # Nothing of them is left, and nothing takes them along.
    assert enrichment().promote(COMPANY).taken == 0


def test_everything_is_told_in_the_same_transaction(databases: Databases, enrichment: NewRun):
    run = enrichment(batch_size=2)
    key = add_master(databases)
    keys, report = promoted(
        databases, run, a_company(company_unique_id=key), a_company(), a_company()
    )
    assert report.promoted == 3
    kept = {row["record_key"]: row for row in history(databases)}
    assert set(kept) == set(keys)
    for each in keys:
        row = kept[each]
        assert (row["run_id"], row["entity"], row["undone_at"]) == (run.run_id, "company", None)
        assert row["invalid_row"]["website"] == WEBSITE
        assert (row["master_before"] is None) == (each != key)
        assert row["master_after"]["website_url"] == WEBSITE
    details = audited(databases)
    assert [(d["inserted"], d["updated"], d["held"]) for d in details] == [(1, 1, 0), (1, 0, 0)]
    assert {d["run_id"] for d in details} == {run.run_id}
    assert logged(databases, "promote") == [(3, 3, 0)]


def test_a_run_without_anything_to_promote_says_nothing(databases: Databases, enrichment: NewRun):
    databases.add_companies(2)
    run = enrichment()
    run.pull(COMPANY)
    report = run.promote(COMPANY)
    assert (report.taken, report.promoted, report.held) == (0, 0, 0)
    assert (audited(databases), logged(databases, "promote")) == ([], [])


FAILING = [
    ("BEFORE INSERT", MASTER),
    ("BEFORE UPDATE", MASTER),
    ("BEFORE INSERT", "marketing.promotion_history"),
    ("BEFORE DELETE", "marketing.company_invalid"),
    ("BEFORE INSERT", "shq.audit_log"),
    ("BEFORE UPDATE", "shq.audit_log"),
    ("BEFORE INSERT", "public.shq_validation_log"),
]


def test_a_failure_at_any_statement_leaves_nothing(databases: Databases, enrichment: NewRun):
    run = enrichment()
    old = add_master(databases)
    keys = passed(databases, run, a_company(company_unique_id=old), a_company())
    before = databases.dump()
    for when, table in FAILING:
        with (
            triggered(databases, when, table, "PERFORM public.stop(); RETURN NULL;"),
            pytest.raises(SourceError, match=r"stop\(\) does not exist"),
        ):
            run.promote(COMPANY)
        assert databases.dump() == before, f"{when} {table}"
    assert run.promote(COMPANY).promoted == 2
    assert all(databases.invalid(key) is None for key in keys)


LOST = [
    ("BEFORE INSERT", MASTER),
    ("BEFORE UPDATE", MASTER),
    ("BEFORE INSERT", "marketing.promotion_history"),
    ("BEFORE DELETE", "marketing.company_invalid"),
]


def test_rows_that_silently_get_lost_stop_the_batch(databases: Databases, enrichment: NewRun):
    run = enrichment()
    old = add_master(databases)
    passed(databases, run, a_company(company_unique_id=old), a_company())
    before = databases.dump()
    for when, table in LOST:
        with (
            triggered(databases, when, table, "RETURN NULL;"),
            pytest.raises(IntegrityError, match="rules or triggers"),
        ):
            run.promote(COMPANY)
        assert databases.dump() == before, f"{when} {table}"


def test_earlier_batches_stay_when_a_later_one_fails(databases: Databases, enrichment: NewRun):
    run = enrichment(batch_size=2)
    keys = passed(databases, run, *(a_company() for _ in range(5)))
    lose = f"IF OLD.company_unique_id = '{keys[2]}' THEN RETURN NULL; END IF; RETURN OLD;"
    with (
        triggered(databases, "BEFORE DELETE", "marketing.company_invalid", lose),
        pytest.raises(IntegrityError),
    ):
        run.promote(COMPANY)
    assert [databases.invalid(key) is None for key in keys] == [True, True, False, False, False]
    assert [databases.master(key) is None for key in keys] == [False, False, True, True, True]
    assert len(history(databases)) == 2


def test_a_locked_master_row_stops_the_run_for_a_while(
    databases: Databases, enrichment: NewRun, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "_LOCK_TIMEOUT", "200ms")
    run = enrichment()
    key = add_master(databases)
    passed(databases, run, a_company(company_unique_id=key))
    with session.Session(databases.neon).transaction() as somebody:
        somebody.execute(f"SELECT 1 FROM {MASTER} FOR UPDATE")
        with pytest.raises(BusyError, match="lock"):
            run.promote(COMPANY)
    assert databases.invalid(key) is not None
    assert run.promote(COMPANY).updated == 1


def test_a_master_row_that_appears_meanwhile_is_not_taken_for_lost(
    databases: Databases, enrichment: NewRun
):
    """Between our look and our insert another program inserts the same company."""
    run = enrichment()
    (key,) = passed(databases, run, a_company())
    meanwhile = (
        f"INSERT INTO {MASTER} (company_unique_id, source_system, promoted_from_intake_at) "
        f"VALUES ('{key}', 'other', now()) ON CONFLICT DO NOTHING; RETURN NEW;"
    )
    with (
        triggered(databases, "BEFORE INSERT", "shq.audit_log", meanwhile),
        pytest.raises(BusyError, match="again"),
    ):
        run.promote(COMPANY)
    assert databases.invalid(key) is not None
    add_master(databases, company_unique_id=key)
    assert run.promote(COMPANY).updated == 1


def test_266_records_stay_266_companies(databases: Databases, enrichment: NewRun):
    """The predecessor gave 266 records one id, overwrote one company and deleted the sources."""
    keys = databases.add_companies(266)
    run = enrichment()
    run.pull(COMPANY)
    execute(
        databases.workspace,
        "UPDATE company_needs_enrichment SET enrichment_status = 'complete', "
        "website = 'https://www.company-' || id || '.test'",
    )
    run.push(COMPANY)
    run.revalidate(COMPANY)
    report = run.promote(COMPANY)
    assert (report.taken, report.inserted, report.updated) == (266, 266, 0)
    rows = databases.rows(databases.neon, f"SELECT * FROM {MASTER}")
    assert sorted(row["company_unique_id"] for row in rows) == sorted(keys)
    assert len({row["website_url"] for row in rows}) == 266
    assert len({row["company_name"] for row in rows}) == 266
    assert databases.rows(databases.neon, "SELECT 1 FROM marketing.company_invalid") == []


def test_a_dry_run_promotes_and_changes_nothing(databases: Databases, enrichment: NewRun):
    run = enrichment()
    key = add_master(databases)
    passed(databases, run, a_company(company_unique_id=key), a_company())
    before = databases.dump()
    dry = enrichment(dry_run=True)
    report = dry.promote(COMPANY)
    assert (report.inserted, report.updated) == (1, 1)
    assert dry.funnel(COMPANY).promoted == 2
    dry.close()
    assert databases.dump() == before
