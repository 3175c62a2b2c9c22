"""Promotion of people: names, phones, companies, and a slot for each."""

import psycopg2.errors
import pytest

from outreach_platform.enrichment import promotion
from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.promotion_writes import Promoter
from outreach_platform.foundation.errors import SourceError
from outreach_platform_tests.enrichment.promoting import (
    EMAIL,
    FAR_AHEAD,
    HOME,
    NewRun,
    a_company,
    a_person,
    add_home,
    add_master,
    add_person_master,
    add_slot,
    desk,
    history,
    invalid,
    master,
    passed,
    promoted,
    slots,
    triggered,
)
from outreach_platform_tests.support.enrichment import Databases, company_id, person_id
from outreach_platform_tests.support.postgres import execute

pytestmark = pytest.mark.slow

MASTER = "marketing.people_master"


@pytest.fixture
def home(databases: Databases) -> str:
    return add_home(databases)


@pytest.mark.usefixtures("home")
def test_a_new_person_gets_every_column_and_a_slot(databases: Databases, enrichment: NewRun):
    (key,), report = promoted(
        databases,
        enrichment(),
        a_person(first_name="Ann", last_name="Lee", linkedin_url="https://linkedin.com/in/ann"),
    )
    assert (report.taken, report.inserted, report.held) == (1, 1, 0)
    row, (slot,) = master(databases, key), slots(databases)
    filled = {name: row[name] for name in row if row[name] is not None}
    times = ("promoted_from_intake_at", "created_at", "updated_at")
    assert {name: value for name, value in filled.items() if name not in times} == {
        "unique_id": key,
        "company_unique_id": HOME,
        "company_slot_unique_id": slot["company_slot_unique_id"],
        "first_name": "Ann",
        "last_name": "Lee",
        "full_name": "Ann Lee",
        "title": "CEO",
        "email": EMAIL,
        "work_phone_e164": "+13045550123",
        "linkedin_url": "https://linkedin.com/in/ann",
        "source_system": "enrichment",
        "source_record_id": f"people_invalid:{history(databases)[0]['neon_id']}",
        "promotion_audit_log_id": row["promotion_audit_log_id"],
    }
    assert row["promotion_audit_log_id"] is not None
    assert (slot["company_unique_id"], slot["slot_type"]) == (HOME, "CEO")
    assert (slot["person_unique_id"], slot["is_filled"]) == (key, True)
    assert (slot["filled_by"], slot["source_system"]) == ("enrichment", "enrichment")
    assert slot["filled_at"] is not None
    assert databases.invalid(key) is None


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("state", [False, None])
def test_an_empty_slot_is_filled(databases: Databases, enrichment: NewRun, state: bool | None):
    slot = add_slot(databases, 4711, is_filled=state, confidence_score="0.55")
    other = add_slot(databases, 4712, "CFO", is_filled=False)
    (key,), _ = promoted(databases, enrichment(), a_person(title="Chief Executive Officer"))
    found = {row["company_slot_unique_id"]: row for row in slots(databases)}
    assert set(found) == {slot, other}
    assert (found[slot]["person_unique_id"], found[slot]["is_filled"]) == (key, True)
    assert str(found[slot]["confidence_score"]) == "0.55"
    assert (found[other]["person_unique_id"], found[other]["is_filled"]) == (None, False)
    assert master(databases, key)["company_slot_unique_id"] == slot


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "seated",
    [
        {"is_filled": True, "person_unique_id": person_id(5)},
        {"is_filled": True, "person_unique_id": None},
        {"is_filled": False, "person_unique_id": person_id(5)},
    ],
    ids=str,
)
def test_a_filled_slot_is_shared_and_its_person_stays(
    databases: Databases, enrichment: NewRun, seated: dict
):
    slot = add_slot(databases, 4711, filled_by="somebody", **seated)
    before = slots(databases)
    (key,), report = promoted(databases, enrichment(), a_person())
    assert report.inserted == 1
    assert slots(databases) == before
    assert master(databases, key)["company_slot_unique_id"] == slot


def test_new_slots_are_numbered_behind_all_that_stand(bare_databases: Databases, new_run: NewRun):
    """The highest number counts, as a number and not as a text; six digits are real."""
    add_home(bare_databases)
    for number in (9, 123_456, 99_999):
        add_slot(bare_databases, number, company_unique_id=company_id(number // 2))
    keys, _ = promoted(
        bare_databases, new_run(bare_databases), *(a_person(title=t) for t in ("CEO", "CFO", "HR"))
    )
    made = [row for row in slots(bare_databases) if row["company_unique_id"] == HOME]
    assert [row["company_slot_unique_id"] for row in made] == [
        "04.04.05.57.123457.457",
        "04.04.05.58.123458.458",
        "04.04.05.59.123459.459",
    ]
    assert {row["person_unique_id"] for row in made} == set(keys)


@pytest.mark.usefixtures("home")
def test_an_id_that_stands_is_never_given(databases: Databases, enrichment: NewRun):
    """Somebody numbered slots by hand after the sequence was made."""
    taken = [f"04.04.05.0{n}.0000{n}.00{n}" for n in (1, 2, 4)]
    for number, slot in enumerate(taken):
        add_slot(
            databases, 1, company_slot_unique_id=slot, company_unique_id=company_id(number + 50)
        )
    promoted(databases, enrichment(), a_person(title="CEO"), a_person(title="CFO"))
    made = [row["company_slot_unique_id"] for row in slots(databases)]
    assert sorted(set(made) - set(taken)) == ["04.04.05.03.00003.003", "04.04.05.05.00005.005"]


def test_slot_table_and_sequence_are_made_if_missing(bare_databases: Databases, new_run: NewRun):
    execute(bare_databases.neon, "DROP TABLE marketing.company_slot")
    add_home(bare_databases)
    (key,), report = promoted(bare_databases, new_run(bare_databases), a_person())
    assert report.inserted == 1
    (slot,) = slots(bare_databases)
    assert slot["company_slot_unique_id"] == "04.04.05.01.00001.001"
    assert slot["person_unique_id"] == key
    # Both are there now; a second run makes nothing anew.
    promoted(bare_databases, new_run(bare_databases), a_person(title="HR"))
    assert [row["company_slot_unique_id"] for row in slots(bare_databases)] == [
        "04.04.05.01.00001.001",
        "04.04.05.02.00002.002",
    ]


@pytest.mark.usefixtures("home")
def test_slots_without_a_key_are_refused(databases: Databases, enrichment: NewRun):
    execute(
        databases.neon,
        "ALTER TABLE marketing.company_slot "
        "DROP CONSTRAINT company_slot_company_unique_id_slot_type_key",
    )
    run = enrichment()
    (key,) = passed(databases, run, a_person())
    with pytest.raises(SourceError, match=r"no UNIQUE \(company_unique_id, slot_type\)"):
        run.promote(PEOPLE)
    assert databases.master(key) is None


@pytest.mark.usefixtures("home")
def test_a_title_that_names_no_slot_is_held(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = passed(databases, run, a_person(title="Archivist"), a_person(title="HR Manager"))
    report = run.promote(PEOPLE)
    assert (report.taken, report.inserted, report.held) == (2, 1, 1)
    assert report.reasons == {"slot_unassigned": 1}
    row, workspace = invalid(databases, keys[0]), desk(databases, keys[0])
    assert (row["reason_code"], row["still_invalid"]) == ("slot_unassigned", True)
    assert set(row["validation_errors"]) == {"title"}
    assert (workspace["enrichment_status"], workspace["reason_code"]) == (
        "failed",
        "slot_unassigned",
    )
    assert row["revalidation_attempts"] == 1
    # The enricher finds the right title, and the person goes.
    databases.complete(keys[0], title="Chief Financial Officer")
    run.push(PEOPLE)
    run.revalidate(PEOPLE)
    assert run.promote(PEOPLE).inserted == 1
    assert [row["slot_type"] for row in slots(databases)] == ["HR", "CFO"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("loss", ["gone", "bad"])
def test_a_company_lost_between_pass_and_promotion(
    databases: Databases, enrichment: NewRun, loss: str
):
    other = add_master(databases)
    run = enrichment()
    stays, goes = passed(databases, run, a_person(), a_person(company_unique_id=other))
    where = f"WHERE company_unique_id = '{HOME}'"
    execute(
        databases.neon,
        f"DELETE FROM marketing.company_master {where}"
        if loss == "gone"
        else f"UPDATE marketing.company_master SET website_url = NULL {where}",
    )
    report = run.promote(PEOPLE)
    assert (report.taken, report.inserted, report.held) == (2, 1, 1)
    assert report.reasons == {"UNKNOWN_COMPANY": 1}
    row = invalid(databases, stays)
    assert row["reason_code"] == desk(databases, stays)["reason_code"] == "UNKNOWN_COMPANY"
    assert set(row["validation_errors"]) == {"company_unique_id"}
    assert databases.master(stays) is None and databases.master(goes) is not None
    assert [slot["company_unique_id"] for slot in slots(databases)] == [other]


@pytest.mark.usefixtures("home")
def test_a_company_cannot_go_while_its_people_come(databases: Databases, enrichment: NewRun):
    run = enrichment()
    keys = passed(databases, run, a_person())
    promoter = Promoter(run.places(PEOPLE), run.schema, run.run_id)
    delete = "SET lock_timeout = '200ms'; DELETE FROM marketing.company_master"
    with run.neon.transaction() as cursor:
        assert promotion._batch(cursor, promoter, run._judges(PEOPLE), keys).inserted == 1
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            execute(databases.neon, delete)
    execute(databases.neon, delete)
    assert databases.master(keys[0]) is not None


def test_a_person_whose_company_is_promoted_before(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (company,), _ = promoted(databases, run, a_company())
    (key,), report = promoted(databases, run, a_person(company_unique_id=company))
    assert report.inserted == 1
    assert master(databases, key)["company_unique_id"] == company


@pytest.mark.usefixtures("home")
def test_names_are_split_or_the_person_is_held(databases: Databases, enrichment: NewRun):
    nameless = {"first_name": None, "last_name": None}
    keys, report = promoted(
        databases,
        enrichment(),
        a_person(**nameless, full_name="Dr. Ludwig van der Berg Jr."),
        a_person(**nameless, full_name="Lee, Ann"),
        a_person(**nameless, full_name="Ann and Bob Lee"),
        a_person(first_name="n/a", last_name="Lee", full_name="Cleo Lee"),
    )
    assert (report.inserted, report.held, report.reasons) == (3, 1, {"EMPTY_NAME": 1})
    names = [
        (row["first_name"], row["last_name"]) if (row := databases.master(key)) else None
        for key in keys
    ]
    assert names == [("Ludwig", "van der Berg"), ("Ann", "Lee"), None, ("Cleo", "Lee")]
    assert set(invalid(databases, keys[2])["validation_errors"]) == {"full_name"}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("phone", ["(304) 555-0199 or (304) 555-0198", "call reception"])
def test_a_phone_that_is_no_number_is_kept_in_the_history(
    databases: Databases, enrichment: NewRun, phone: str
):
    known = add_person_master(databases, work_phone_e164="+13045550111")
    keys, report = promoted(
        databases, enrichment(), a_person(unique_id=known, phone=phone), a_person(phone=phone)
    )
    assert (report.inserted, report.updated) == (1, 1)
    numbers = [master(databases, key)["work_phone_e164"] for key in keys]
    assert numbers == ["+13045550111", None]
    assert [row["invalid_row"]["phone"] for row in history(databases)] == [phone, phone]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("size", [1, 3])
def test_several_people_for_one_slot(databases: Databases, enrichment: NewRun, size: int):
    run = enrichment(batch_size=size)
    keys, report = promoted(databases, run, *(a_person() for _ in range(3)))
    assert report.inserted == 3
    (slot,) = slots(databases)
    assert slot["person_unique_id"] == keys[0]
    shared = {master(databases, key)["company_slot_unique_id"] for key in keys}
    assert shared == {slot["company_slot_unique_id"]}


@pytest.mark.usefixtures("home")
def test_a_person_in_the_master_keeps_what_it_has(databases: Databases, enrichment: NewRun):
    key = add_person_master(
        databases,
        seniority="C-level",
        skills=["a", "b"],
        email_verified=True,
        email="old@blueridge.test",
        title="CEO",
    )
    slot = add_slot(
        databases,
        4711,
        company_slot_unique_id=master(databases, key)["company_slot_unique_id"],
        person_unique_id=key,
        is_filled=True,
    )
    before = master(databases, key)
    _, report = promoted(databases, enrichment(), a_person(unique_id=key, linkedin_url=None))
    assert (report.inserted, report.updated) == (0, 1)
    after = master(databases, key)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        *("last_name", "full_name", "email", "updated_at"),
        *("source_system", "source_record_id", "promotion_audit_log_id"),
    }
    assert [row["company_slot_unique_id"] for row in slots(databases)] == [slot]


@pytest.mark.usefixtures("home")
def test_a_newer_person_without_a_slots_title_keeps_its_slot(
    databases: Databases, enrichment: NewRun
):
    key = add_person_master(databases, title="Archivist", updated_at=FAR_AHEAD)
    before = master(databases, key)
    promoted(databases, enrichment(), a_person(unique_id=key, title="CEO"))
    after = master(databases, key)
    assert (after["title"], after["email"]) == ("Archivist", before["email"])
    assert after["company_slot_unique_id"] == before["company_slot_unique_id"]
    assert slots(databases) == []


@pytest.mark.usefixtures("home")
def test_a_newer_person_of_a_lost_company_gets_the_records_company(
    databases: Databases, enrichment: NewRun
):
    lost = company_id(31)
    key = add_person_master(databases, company_unique_id=lost, updated_at=FAR_AHEAD)
    other = add_person_master(
        databases, company_unique_id=add_master(databases), updated_at=FAR_AHEAD
    )
    stays = master(databases, other)["company_unique_id"]
    promoted(databases, enrichment(), a_person(unique_id=key), a_person(unique_id=other))
    assert master(databases, key)["company_unique_id"] == HOME
    assert master(databases, other)["company_unique_id"] == stays
    assert {slot["company_unique_id"] for slot in slots(databases)} == {HOME, stays}


@pytest.mark.usefixtures("home")
def test_a_refused_person_takes_no_slot(databases: Databases, enrichment: NewRun):
    empty = add_slot(databases, 4711, "CFO", is_filled=False)
    execute(databases.neon, f"ALTER TABLE {MASTER} ADD CHECK (last_name <> 'Poison')")
    keys, report = promoted(
        databases,
        enrichment(),
        a_person(last_name="Poison", title="CFO"),
        a_person(last_name="Poison", title="HR"),
        a_person(title="CEO"),
    )
    assert (report.inserted, report.held) == (1, 2)
    found = {row["slot_type"]: row for row in slots(databases)}
    assert set(found) == {"CEO", "CFO"}
    assert found["CEO"]["person_unique_id"] == keys[2]
    assert found["CFO"]["company_slot_unique_id"] == empty
    assert found["CFO"]["person_unique_id"] is None


@pytest.mark.usefixtures("home")
def test_a_failure_at_the_slot_leaves_nothing(databases: Databases, enrichment: NewRun):
    run = enrichment()
    passed(databases, run, a_person())
    before = databases.dump()
    for when in ("BEFORE INSERT", "BEFORE UPDATE"):
        with (
            triggered(databases, when, "marketing.company_slot", "PERFORM public.stop();"),
            pytest.raises(SourceError, match=r"stop\(\) does not exist"),
        ):
            run.promote(PEOPLE)
        assert databases.dump() == before, when


@pytest.mark.usefixtures("home")
def test_people_and_companies_do_not_mix_in_ids(databases: Databases, enrichment: NewRun):
    run = enrichment()
    (person,) = passed(databases, run, a_person())
    report = run.promote(COMPANY, [person])
    assert (report.taken, report.not_passed) == (0, 1)
    assert run.promote(PEOPLE, [person]).inserted == 1
