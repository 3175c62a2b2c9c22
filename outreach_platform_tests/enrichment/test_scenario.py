"""The documented round trip: 119 companies and 5 people out, 85 companies pass, 34 stay."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from outreach_platform.embedded.sample import load_sample
from outreach_platform.embedded.sample.enrichers import STAND_IN, stand_in
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE, Entity
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.enrichment import Databases, Dump, Row, copied
from outreach_platform_tests.support.postgres import drop_database, execute, fresh_database

COMPANIES, MENDED, IN_MASTER, INVALID_PEOPLE = 119, 85, 114, 5
STAGES = ("pull", "push", "revalidate", "promote")
LOGS = ("shq_validation_log", "shq.audit_log")
HISTORY = "marketing.promotion_history"

Reports = dict[tuple[str, str], Any]


@pytest.fixture(scope="module")
def samples(pg_server: EmbeddedServer) -> Iterator[tuple[str, str]]:
    """Databases to copy that hold the sample."""
    names = ("scenario_neon", "scenario_desk", "scenario_events")
    load_sample(*(fresh_database(pg_server, name) for name in names))
    yield names[:2]
    for name in names:
        drop_database(pg_server, name)


@dataclass
class Story:
    """The whole way, and what stood in the databases at each point.

    Attributes:
        pulled, done: what each stage reported by (stage, entity), before and after the enrichers.
        at_first, after: both databases, before anything and at the end.
    """

    databases: Databases
    run: Callable[..., EnrichmentRun]
    completed: dict[str, dict[str, int]]
    pulled: Reports
    done: Reports
    at_first: Dump
    after: tuple[Dump, Dump]
    run_id: str

    def keys(self, entity: Entity, table: str, where: str = "true") -> list[str]:
        """The ids in a table, as often as they stand there."""
        url = self.databases.workspace if table == entity.workspace else self.databases.neon
        place = "public" if table == entity.workspace else "marketing"
        query = f"SELECT {entity.key} AS key FROM {place}.{table} WHERE {where}"
        return [row["key"] for row in self.databases.rows(url, query)]

    def promoted(self, entity: Entity) -> list[Row]:
        """The history of one entity."""
        query = f"SELECT * FROM {HISTORY} WHERE entity = %s AND undone_at IS NULL ORDER BY id"
        return self.databases.rows(self.databases.neon, query, entity.name)


def all_stages(run: EnrichmentRun) -> Reports:
    """Every stage of both entities, in the order of the command line."""
    reports = {
        (stage, entity.name): getattr(run, stage)(entity) for stage in STAGES for entity in ENTITIES
    }
    run.close()
    return reports


def tell(databases: Databases, folder: Path) -> Story:
    """Pull, let the stand-in complete everything, and bring it back."""
    settings = load_settings(data_dir=folder)

    def run(run_id: str) -> EnrichmentRun:
        return EnrichmentRun(settings, databases.neon, databases.workspace, run_id)

    at_first = databases.dump()[0]
    pulled = all_stages(run("run-of-the-pull"))
    completed = stand_in(databases.workspace, everything=True)
    done = all_stages(run("run-of-the-promotion"))
    after = databases.dump()
    return Story(
        *(databases, run, completed, pulled, done, at_first, after, "run-of-the-promotion")
    )


@pytest.fixture(scope="module")
def story(
    pg_server: EmbeddedServer,
    samples: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Story]:
    with copied(pg_server, samples) as databases:
        yield tell(databases, tmp_path_factory.mktemp("scenario"))


@pytest.mark.slow
def test_119_companies_and_5_people_go_out(story: Story) -> None:
    for entity, count in ((COMPANY, COMPANIES), (PEOPLE, INVALID_PEOPLE)):
        report = story.pulled["pull", entity.name]
        assert (report.read, report.inserted, report.problems) == (count, count, [])
        assert len(set(story.keys(entity, entity.workspace))) == count
        assert len(story.keys(entity, entity.workspace)) == count
        # Nothing is complete yet, so that nothing moves.
        for stage, counted in (("push", "read"), ("revalidate", "judged"), ("promote", "taken")):
            assert getattr(story.pulled[stage, entity.name], counted) == 0


@pytest.mark.slow
def test_the_stand_in_completes_all_of_them(story: Story) -> None:
    assert {name: counts["complete"] for name, counts in story.completed.items()} == {
        "company": COMPANIES,
        "people": INVALID_PEOPLE,
    }
    assert story.done["push", "company"].confirmed == COMPANIES
    assert story.done["push", "people"].confirmed == INVALID_PEOPLE


def test_85_companies_pass_and_are_promoted(story: Story) -> None:
    judged = story.done["revalidate", "company"]
    assert (judged.judged, judged.passed, judged.failed) == (COMPANIES, MENDED, 34)
    promoted = story.done["promote", "company"]
    assert (promoted.taken, promoted.promoted, promoted.held) == (MENDED, MENDED, 0)
    assert len(story.promoted(COMPANY)) == MENDED
    assert len(story.keys(COMPANY, COMPANY.workspace, "promoted_at IS NOT NULL")) == MENDED


def test_34_stay_with_their_reason(story: Story) -> None:
    stay = story.keys(COMPANY, COMPANY.invalid)
    assert len(stay) == COMPANIES - MENDED
    for key in stay:
        row, invalid = story.databases.row(key), story.databases.invalid(key)
        assert row is not None
        assert invalid is not None
        assert (row["enrichment_status"], row["promoted_at"]) == ("failed", None)
        assert row["reason_code"] == invalid["reason_code"] == "EMPTY_NAME"
        assert row["original_validation_errors"] == invalid["validation_errors"]
        assert set(row["original_validation_errors"]) == {"company_name"}
        assert row["revalidation_attempts"] == invalid["revalidation_attempts"] == 1
        # What the enricher found is there for the next attempt, on both sides.
        assert row["website"] == invalid["website"]
        assert "." in row["website"]
        assert row["enriched_by"] == STAND_IN
        assert invalid["still_invalid"]


def test_people_end_as_the_rules_say(story: Story) -> None:
    judged, promoted = story.done["revalidate", "people"], story.done["promote", "people"]
    assert (judged.passed, judged.reasons) == (4, {"UNKNOWN_COMPANY": 1})
    assert (promoted.promoted, promoted.reasons) == (3, {"slot_unassigned": 1})
    reasons = [story.databases.row(key) for key in story.keys(PEOPLE, PEOPLE.invalid)]
    assert sorted(row["reason_code"] for row in reasons if row) == [
        "UNKNOWN_COMPANY",
        "slot_unassigned",
    ]
    for each in story.promoted(PEOPLE):
        person = story.databases.master(each["record_key"])
        assert person is not None
        slots = story.databases.rows(
            story.databases.neon,
            "SELECT * FROM marketing.company_slot WHERE company_slot_unique_id = %s",
            person["company_slot_unique_id"],
        )
        assert [slot["company_unique_id"] for slot in slots] == [person["company_unique_id"]]
        assert person["email"] == each["invalid_row"]["email"]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_good_and_bad_are_all_and_each_is_in_one_place(story: Story, entity: Entity) -> None:
    invalid = Counter(story.keys(entity, entity.invalid))
    gone = Counter(row["record_key"] for row in story.promoted(entity))
    pulled = Counter(story.keys(entity, entity.workspace))
    masters = Counter(story.keys(entity, entity.master))
    assert invalid + gone == pulled
    assert set(pulled.values()) == {1}
    assert set(masters.values()) == {1}
    assert set(gone) <= set(masters)
    found = story.run("look").reconcile(entity)
    assert (found.not_pulled, found.orphans, found.doubled, found.lost_edits) == ((0, ()),) * 4


def test_114_were_in_the_master_and_keep_their_ids(story: Story) -> None:
    before = {row["company_unique_id"]: row for row in _rows(story.at_first, "company_master")}
    after = {row["company_unique_id"]: row for row in _rows(story.after[0], "company_master")}
    assert len(set(before) & set(story.keys(COMPANY, COMPANY.workspace))) == IN_MASTER
    gone = {row["record_key"]: row for row in story.promoted(COMPANY)}
    assert set(after) == set(before) | set(gone)
    assert story.done["promote", "company"].updated == len(set(before) & set(gone))
    for key, row in after.items():
        if key not in gone:
            assert row == before[key]
            continue
        record = gone[key]["invalid_row"]
        assert row["website_url"] == record["website"]
        assert row["source_system"] == "enrichment"
        assert row["source_record_id"] == f"company_invalid:{gone[key]['neon_id']}"
        # What an invalid row has no column for stays as it was.
        assert row["linkedin_url"] == before[key]["linkedin_url"]


def test_the_logs_say_it_once(story: Story) -> None:
    rows = {row["validation_run_id"]: row for row in _rows(story.after[0], "shq_validation_log")}
    promoted = rows[f"{story.run_id}:promote:company"]
    assert (promoted["passed_records"], promoted["failed_records"]) == (MENDED, 0)
    judged = rows[f"{story.run_id}:revalidate:company"]
    assert (judged["passed_records"], judged["failed_records"]) == (MENDED, 34)
    audited = [row["details"] for row in _rows(story.after[0], "shq.audit_log")]
    told = {
        name: sum(each["promoted"] for each in audited if each["entity"] == name)
        for name in ("company", "people")
    }
    assert told == {"company": MENDED, "people": 3}


def test_a_second_run_changes_nothing(story: Story) -> None:
    again = all_stages(story.run("second"))
    assert again["pull", "company"].unchanged == 34
    for (stage, _), report in again.items():
        names = {"pull": ("inserted", "refreshed", "reopened"), "push": ("read", "confirmed")}
        for name in names.get(stage, ()):
            assert getattr(report, name) == 0
    neon, workspace = story.databases.dump()
    for before, now in ((story.after[0], neon), (story.after[1], workspace)):
        assert {table: rows for table, rows in now.items() if table not in LOGS} == {
            table: rows for table, rows in before.items() if table not in LOGS
        }


@pytest.mark.slow
def test_undo_gives_back_what_was_there(
    pg_server: EmbeddedServer, samples: tuple[str, str], tmp_path: Path
) -> None:
    with copied(pg_server, samples) as databases:
        story = tell(databases, tmp_path)
        run = story.run("undo")
        restored = {name: report.restored for name, report in run.undo(story.run_id).items()}
        run.close()
        assert restored == {"company": MENDED, "people": 3}
        neon = databases.dump()[0]
        for table in ("company_master", "people_master", "company_slot"):
            assert _rows(neon, table) == _rows(story.at_first, table)
        for entity, count in ((COMPANY, COMPANIES), (PEOPLE, INVALID_PEOPLE)):
            assert len(set(story.keys(entity, entity.invalid))) == count
            found = story.run("look").reconcile(entity)
            assert (found.not_pulled[0], found.orphans[0], found.doubled[0]) == (0, 0, 0)


@pytest.mark.slow
def test_the_reconciliation_sees_a_record_in_two_places(
    pg_server: EmbeddedServer, samples: tuple[str, str], tmp_path: Path
) -> None:
    with copied(pg_server, samples) as databases:
        story = tell(databases, tmp_path)
        run = story.run("look")
        assert run.reconcile(COMPANY).doubled[0] == 0
        execute(
            databases.neon,
            "INSERT INTO marketing.company_invalid SELECT (jsonb_populate_record("
            "NULL::marketing.company_invalid, invalid_row)).* "
            f"FROM {HISTORY} h WHERE entity = 'company' ORDER BY h.id LIMIT 1",
        )
        first = story.promoted(COMPANY)[0]["record_key"]
        assert run.reconcile(COMPANY).doubled == (1, (first,))
        run.close()


def _rows(dump: Dump, table: str) -> list[Row]:
    names = [name for name in dump if name.rpartition(".")[2] == table.rpartition(".")[2]]
    return [json.loads(text) for text in dump[names[0]]]
