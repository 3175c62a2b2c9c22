"""A round trip with something of everything, and what both databases say when it is over."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.enrichment import (
    Databases,
    Row,
    company_id,
    invalid_company,
    invalid_person,
)
from outreach_platform_tests.support.kill_at import Killer
from outreach_platform_tests.support.postgres import execute, fetch

STAGES = ["pull", "push", "revalidate", "promote"]
# Small, so that each stage commits several times.
BATCH_SIZE = 3
NEVER = 0
# The run that is taken back.
UNDONE = "undone-run"

# What differs between two runs that did the same: clocks, runs, numbers from sequences.
_OF_THE_RUN = {"id", "run_id", "validation_run_id", "promotion_audit_log_id", "logged_at"}
_OF_THE_RUN |= {"company_slot_unique_id", "pushed_version", "workspace_updated_at"}
_GOOD = company_id(50_001)


def build(databases: Databases, folder: Path) -> None:
    """A workspace in which every stage has something of each kind to do."""
    run = EnrichmentRun(load_settings(data_dir=folder), databases.neon, databases.workspace, "old")
    companies = databases.add_companies(12)
    people = databases.add_invalid(
        *(invalid_person(company_unique_id=_GOOD, title=title) for title in ("CEO", "Chief", "HR")),
        invalid_person(company_unique_id=_GOOD, title="Archivist"),
        invalid_person(company_unique_id=company_id(50_002)),
    )
    masters = (_GOOD, companies[0], companies[1], companies[2])
    for key in masters:
        execute(
            databases.neon,
            "INSERT INTO marketing.company_master (company_unique_id, company_name, website_url, "
            "source_system, promoted_from_intake_at, updated_at) VALUES "
            f"('{key}', 'Of the Master', {_website(key)}, 'intake', '2020-01-01', '2020-01-01')",
        )
    _came_back(databases, run, companies[11])
    run.pull(COMPANY)
    run.pull(PEOPLE)
    run.close()
    for number, key in enumerate(companies[:7]):
        databases.complete(key, website=f"https://www.mended{number}.test", company_name="Mended")
    databases.complete(*companies[7:9], website="no dot in it")
    databases.complete(*people, email="ann@mended.test")
    # Both sides changed a name: the source wins the first, which was changed last.
    databases.edit(companies[9], company_name="Of the Enricher")
    databases.change_source(companies[9], company_name="Of the Source", city="Elkins")
    databases.change_source(companies[0], company_name="Of the Source, later", zip="26241")
    databases.change_source(companies[10], industry="Mining")
    databases.add_companies(2)


def _website(key: str) -> str:
    return "'https://www.good.test'" if key == _GOOD else "NULL"


def _came_back(databases: Databases, run: EnrichmentRun, key: str) -> None:
    """Promote a record, and let it fail validation once more."""
    run.pull(COMPANY)
    databases.complete(key, website="https://www.first.test")
    for stage in STAGES[1:]:
        getattr(run, stage)(COMPANY)
    run.close()
    databases.add_invalid(invalid_company(company_unique_id=key, company_name="Back Again"))


# Copying a database takes ten times as long as giving a few tables their rows back.
_KEEP = """
CREATE SCHEMA kept;
DO $$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace IN (
        SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'marketing', 'shq'))
    LOOP EXECUTE format('CREATE TABLE kept.%I AS TABLE %s', t::oid, t); END LOOP;
END $$;
CREATE TABLE kept.numbers AS
    SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences
"""
_GIVE_BACK = """
DO $$
DECLARE t regclass; names text;
BEGIN
    FOR t IN SELECT relname::oid FROM pg_class WHERE relkind = 'r' AND relname <> 'numbers'
        AND relnamespace = 'kept'::regnamespace
    LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
        WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('DELETE FROM %s', t);
        EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM kept.%I', t, names, names, t::oid);
    END LOOP;
    PERFORM setval(name, coalesce(last_value, 1), last_value IS NOT NULL) FROM kept.numbers;
END $$
"""


@dataclass
class Scene:
    """Two databases in which processes go through stages and are killed, again and again."""

    base: Databases
    forks: Killer
    folder: Path
    stages: list[str]

    def __post_init__(self) -> None:
        for url in (self.base.neon, self.base.workspace):
            execute(url, _KEEP)

    def next(self, stages: list[str]) -> "Scene":
        """The scene that begins where this one stands."""
        for url in (self.base.neon, self.base.workspace):
            execute(url, "DROP SCHEMA kept CASCADE")
        return Scene(self.base, self.forks, self.folder, stages)

    @contextmanager
    def copy(self) -> Iterator[Databases]:
        """Both databases as they were built."""
        for url in (self.base.neon, self.base.workspace):
            execute(url, _GIVE_BACK)
        yield self.base

    def go(self, databases: Databases, run_id: str, kill: int = NEVER) -> dict[str, Any]:
        """All stages in a child, killed at a call by number."""
        return self.forks.run(
            neon=databases.neon.conninfo,
            workspace=databases.workspace.conninfo,
            data_dir=str(self.folder),
            run_id=run_id,
            batch_size=BATCH_SIZE,
            stages=self.stages,
            undone=UNDONE,
            kill=kill,
        )


def places_of_records(databases: Databases) -> dict[str, list[str]]:
    """Where each record is: invalid, or promoted (in the history and in the master)."""
    found: dict[str, list[str]] = {}
    for entity in ENTITIES:
        for (key,) in fetch(databases.neon, f"SELECT {entity.key} FROM marketing.{entity.invalid}"):
            found.setdefault(key, []).append("invalid")
        # A record that came back was promoted under another number before.
        query = (
            f"SELECT h.record_key, m.{entity.key} IS NOT NULL FROM marketing.promotion_history h "
            f"LEFT JOIN marketing.{entity.master} m ON m.{entity.key} = h.record_key "
            f"WHERE h.entity = '{entity.name}' AND h.undone_at IS NULL AND h.run_id <> 'old'"
        )
        for key, there in fetch(databases.neon, query):
            found.setdefault(key, []).append("promoted" if there else "lost")
    return found


def state_of(databases: Databases) -> dict[str, Any]:
    """Both databases without what differs from run to run.

    Tables are counted rows; the logs are sums, because a batch may be split by a kill.
    """
    state: dict[str, Any] = {}
    for part in databases.dump():
        for table, rows in part.items():
            if table.startswith("kept."):
                continue
            state[table] = Counter(_normal(json.loads(row)) for row in rows)
    for table in ("shq.audit_log", "shq_validation_log", "marketing.enrichment_conflicts"):
        state.pop(table, None)
    state["slots"] = _slots_of_people(databases)
    state["audited"] = fetch(
        databases.neon,
        "SELECT event_type, details ->> 'entity', sum((details ->> 'promoted')::int), "
        "sum((details ->> 'restored')::int) FROM shq.audit_log GROUP BY 1, 2 ORDER BY 1, 2",
    )
    state["logged"] = fetch(
        databases.neon,
        "SELECT notes, source_table, sum(passed_records) FROM shq_validation_log "
        "WHERE notes IN ('enrichment push', 'enrichment promote', 'enrichment undo') "
        "GROUP BY 1, 2 ORDER BY 1, 2",
    )
    return state


def conflicts_of(databases: Databases) -> Counter[tuple]:
    """The conflicts that were logged, each as often as it stands there."""
    return Counter(
        (row["record_key"], row["column_name"], row["workspace_value"], row["neon_value"])
        for row in databases.conflicts()
    )


def _slots_of_people(databases: Databases) -> list[tuple]:
    """Whose slot each promoted person has; the slots' numbers come from a sequence."""
    return fetch(
        databases.neon,
        "SELECT p.unique_id, s.company_unique_id, s.slot_type, s.person_unique_id "
        "FROM marketing.people_master p LEFT JOIN marketing.company_slot s "
        "USING (company_slot_unique_id) ORDER BY 1",
    )


def _normal(value: Any) -> str:
    return json.dumps(_stripped(value), sort_keys=True)


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _stripped(inner)
            for name, inner in value.items()
            if name not in _OF_THE_RUN and not (name.endswith("_at") and inner is not None)
        }
    return [_stripped(each) for each in value] if isinstance(value, list) else value


def in_two_places(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The records that are not in exactly one place."""
    return {key: where for key, where in found.items() if where not in (["invalid"], ["promoted"])}


def row_of(databases: Databases, key: str) -> Row:
    """A row of the workspace that is there."""
    row = databases.row(key)
    assert row is not None
    return row
