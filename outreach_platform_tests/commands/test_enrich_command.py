"""`outreach enrich pull, push, revalidate, promote, run`, as people and scripts use them."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.enrichment import (
    Databases,
    copied,
    invalid_person,
    make_templates,
    prepare,
)
from outreach_platform_tests.support.enrichment_jobs import addresses
from outreach_platform_tests.support.postgres import execute, free_port, wait_until
from outreach_platform_tests.support.product import Finished, Inside, Product

pytestmark = pytest.mark.slow

SITE = "https://good.org"
SNAKE = re.compile(r"[a-z][a-z0-9_]*")
STAGES = ("pull", "push", "revalidate", "promote", "run")


@pytest.fixture(scope="module")
def templates(pg_server: EmbeddedServer) -> tuple[str, str]:
    names = make_templates(pg_server, "enrich_command")
    prepare(Databases(pg_server.url(names[0]), pg_server.url(names[1])))
    return names


@pytest.fixture
def databases(pg_server: EmbeddedServer, templates: tuple[str, str]) -> Iterator[Databases]:
    with copied(pg_server, templates) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enrich_command")


@pytest.fixture
def product(folder: Path, databases: Databases) -> Product:
    return Product(folder, addresses(databases))


@pytest.fixture
def enrich(product: Product, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    inside = Inside(product, capsys)
    return lambda *arguments, **more: inside("enrich", *arguments, **more)


def complete_round(databases: Databases, enrich: Callable[..., Finished]) -> list[str]:
    """Two that pass, one that does not, one that is still open, and a person; all pulled."""
    keys = databases.add_companies(4)
    keys += databases.add_invalid(invalid_person(company_unique_id=keys[0]))
    assert enrich("pull").code == 0
    databases.complete(*keys[:2], website=SITE)
    databases.complete(keys[2], website="no dot")
    databases.complete(keys[4], email="adela@good.org", title="Archivist")
    return keys


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what tells a dry run from a real one."""
    return [{k: v for k, v in row.items() if k not in ("status", "run_id")} for row in rows]


def assert_names_are_snake_case(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert all(SNAKE.fullmatch(name) for name in row), row


@pytest.mark.slow
def test_a_whole_round(databases: Databases, enrich: Callable[..., Finished]) -> None:
    keys = complete_round(databases, enrich)
    before = databases.dump()
    dry = enrich("run", "--dry-run", "--json")
    assert (dry.code, dry.err) == (0, "")
    assert databases.dump() == before
    assert {row["status"] for row in dry.rows} == {"dry run"}
    done = enrich("run", "--json")
    assert done.code == 0
    assert_names_are_snake_case(done.rows)
    assert told(dry.rows) == told(done.rows), "a dry run tells exactly what the real one does"
    stages = [(row["stage"], row["entity"], row["status"]) for row in done.rows]
    assert stages == [(s, e, "done") for s in STAGES[:4] for e in ("company", "people")]
    pull, _, push, _, judged, _, promoted, held = done.rows
    assert (pull["read"], pull["inserted"], pull["refreshed"]) == (4, 0, 0)
    assert (push["read"], push["confirmed"]) == (3, 3)
    assert (judged["passed"], judged["failed"]) == (2, 1)
    assert judged["reasons"] == {"INVALID_WEBSITE": 1}
    assert (promoted["inserted"], promoted["held"]) == (2, 0)
    assert held["stage"] == "promote"
    assert len({row["run_id"] for row in done.rows}) == 2, "a pull, and what follows it"
    assert databases.master(keys[0])
    assert databases.master(keys[1])
    assert "enrichment: pushing what is complete" in done.err
    table = enrich("run")
    assert table.code == 0
    assert "moved on" in table.out
    again = enrich("run", "--json").rows
    assert again[0]["unchanged"] == 2
    assert all(row.get("confirmed", 0) == row.get("inserted", 0) == 0 for row in again)


@pytest.mark.parametrize(
    "stage", [pytest.param(s, marks=() if s == "run" else pytest.mark.slow) for s in STAGES]
)
def test_each_dry_run_changes_nothing_and_tells_what_comes(
    databases: Databases, enrich: Callable[..., Finished], stage: str
) -> None:
    complete_round(databases, enrich)
    for earlier in ("push", "revalidate"):
        if STAGES.index(earlier) < STAGES.index(stage) < STAGES.index("run"):
            assert enrich(earlier).code == 0
    before = databases.dump()
    dry = enrich(stage, "--dry-run", "--json", "--batch-size", "2")
    assert dry.code == 0
    assert databases.dump() == before
    done = enrich(stage, "--json", "--batch-size", "2")
    assert done.code == 0
    assert told(dry.rows) == told(done.rows)
    assert databases.dump() != before or stage == "pull"


def test_a_dry_run_on_databases_that_nobody_has_prepared(
    pg_server: EmbeddedServer, product: Product, enrich: Callable[..., Finished]
) -> None:
    """It makes no table, no column, and no file."""
    names = make_templates(pg_server, "enrich_bare")
    files = {path for path in product.data.rglob("*") if "dagster" not in path.parts}
    with copied(pg_server, names) as bare:
        bare.add_companies(2)
        before = bare.dump()
        done = enrich("run", "--dry-run", "--json", **addresses(bare))
        assert done.code == 0, done.err
        assert done.rows[0]["inserted"] == 2
        assert bare.dump() == before
    new = {path for path in product.data.rglob("*") if "dagster" not in path.parts} - files
    assert {path.relative_to(product.data).parts[0] for path in new} <= {"locks", "logs"}


@pytest.mark.slow
def test_one_entity_alone(databases: Databases, enrich: Callable[..., Finished]) -> None:
    databases.add_companies(1)
    databases.add_invalid(invalid_person())
    done = enrich("pull", "--entity", "people", "--json")
    assert [(row["entity"], row["inserted"]) for row in done.rows] == [("people", 1)]
    assert databases.rows(databases.workspace, "SELECT * FROM company_needs_enrichment") == []


@pytest.mark.slow
def test_ids_go_from_revalidate_to_promote(
    databases: Databases,
    enrich: Callable[..., Finished],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only ids on stdout; a file, and standard input."""
    keys = complete_round(databases, enrich)
    assert enrich("push").code == 0
    dry = enrich("revalidate", "--dry-run")
    assert dry.code == 0
    done = enrich("revalidate")
    assert done.code == 0
    assert dry.out == done.out
    passed = {keys[0]: "company", keys[1]: "company", keys[4]: "people"}
    assert done.out.splitlines() == list(passed)
    assert "judged: 3, passed: 2, failed: 1" in done.err
    assert "reasons: INVALID_WEBSITE 1" in done.err
    as_json = enrich("revalidate", "--json")
    assert as_json.rows == [{"entity": kind, "id": key} for key, kind in passed.items()]

    ids = tmp_path / "ids.txt"
    ids.write_text(f"{keys[0]}\n{keys[3]}\n")
    dry = enrich("promote", "--passed-ids-file", str(ids), "--dry-run", "--json")
    done = enrich("promote", "--passed-ids-file", str(ids), "--json")
    assert done.code == 0
    assert told(dry.rows) == told(done.rows)
    company, people = done.rows
    assert (company["inserted"], company["not_passed"]) == (1, 1), "the other one is still open"
    assert (people["taken"], people["not_passed"]) == (0, 0)
    assert databases.master(keys[1]) is None
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{keys[1]}\n"))
    assert enrich("promote", "--passed-ids-file", "-").code == 0
    assert databases.master(keys[1])


@pytest.mark.slow
def test_a_pipe(databases: Databases, product: Product, enrich: Callable[..., Finished]) -> None:
    keys = complete_round(databases, enrich)
    assert enrich("push").code == 0
    outreach = f"{sys.executable} -m outreach_platform enrich"
    done = subprocess.run(
        [
            *("bash", "-o", "pipefail", "-c"),
            f"{outreach} revalidate | {outreach} promote --passed-ids-file - --json",
        ],
        env=product.variables(),
        cwd=product.home,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = Finished(done.returncode, done.stdout, done.stderr).rows
    assert done.returncode == 0, done.stderr
    assert (rows[0]["inserted"], rows[0]["not_passed"]) == (2, 0)
    assert databases.master(keys[0])


@pytest.mark.slow
def test_a_stage_that_fails_ends_the_round(
    databases: Databases, enrich: Callable[..., Finished]
) -> None:
    """What was reached is shown, the failure too, and the exit code is 1."""
    keys = complete_round(databases, enrich)
    execute(
        databases.neon,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM 1 FROM nowhere; RETURN NEW; END $$; "
        "CREATE TRIGGER theirs BEFORE INSERT ON marketing.company_master "
        "FOR EACH ROW EXECUTE FUNCTION theirs()",
    )
    done = enrich("run", "--json")
    assert done.code == 1
    *reached, failed = done.rows
    assert [row["stage"] for row in reached] == [
        *("pull", "pull", "push", "push", "revalidate", "revalidate")
    ]
    assert (failed["stage"], failed["status"], failed["entity"]) == ("promote", "failed", "both")
    assert 'relation "nowhere" does not exist' in failed["message"]
    assert "Traceback" not in done.err
    assert_names_are_snake_case(done.rows)
    dry = enrich("promote", "--dry-run")
    assert (dry.code, dry.out) == (1, ""), "a dry run meets the same failure"
    assert 'relation "nowhere" does not exist' in dry.err
    execute(databases.neon, "DROP FUNCTION theirs CASCADE")
    assert enrich("run").code == 0
    assert databases.master(keys[0])


@pytest.mark.slow
def test_a_check_that_blocks_is_the_stage_it_stands_behind(
    databases: Databases, enrich: Callable[..., Finished]
) -> None:
    keys = complete_round(databases, enrich)
    execute(
        databases.neon,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE "
        "marketing.company_invalid SET website = OLD.website WHERE id = NEW.id; RETURN NULL; "
        "END $$; CREATE TRIGGER theirs AFTER UPDATE ON marketing.company_invalid FOR EACH ROW "
        "WHEN (NEW.pushed_hash IS DISTINCT FROM OLD.pushed_hash) EXECUTE FUNCTION theirs()",
    )
    done = enrich("promote", "--json")
    assert done.code == 0, "nothing was pushed"
    done = enrich("run", "--json")
    assert done.code == 1
    failed = done.rows[-1]
    assert (failed["stage"], failed["status"]) == ("push", "failed")
    assert failed["message"].startswith("3 rows whose content Neon lacks: ")
    assert databases.master(keys[0]) is None


@pytest.mark.slow
def test_problems_are_told_and_are_no_failure(
    databases: Databases, enrich: Callable[..., Finished]
) -> None:
    keys = complete_round(databases, enrich)
    execute(databases.neon, "DELETE FROM marketing.company_invalid WHERE website IS NULL")
    said = enrich("push")
    assert said.code == 0
    assert said.err.count("warning: ") == 3
    assert f"warning: {keys[0]}: Neon has no invalid row of this id" in said.err
    databases.edit(*keys[:3], enrichment_notes="again")
    as_json = enrich("push", "--json")
    assert len(as_json.rows[0]["problems"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"])
def test_a_database_that_is_down_is_one_sentence(
    databases: Databases, enrich: Callable[..., Finished], name: str
) -> None:
    away = f"postgresql://somebody:canary-9@127.0.0.1:{free_port()}/records"
    before = databases.dump()
    done = enrich("run", "--json", **{name: away})
    assert done.code == 1
    (failed,) = done.rows
    assert (failed["stage"], failed["status"]) == ("pull", "failed")
    assert "/records cannot be reached (connection refused); check" in failed["message"]
    dry = enrich("run", "--dry-run", **{name: away})
    assert (dry.code, dry.out) == (1, "")
    assert dry.err.startswith("error: ")
    assert "/records cannot be reached (connection refused)" in dry.err
    assert len(dry.err.splitlines()) == 1
    assert "canary-9" not in done.out + done.err + dry.err
    assert databases.dump() == before


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_ctrl_c_while_a_database_keeps_it_waiting(
    databases: Databases, product: Product, options: list[str]
) -> None:
    """130 within seconds, nothing half done, and the next run goes on."""
    databases.add_companies(3)
    before = databases.dump()
    with closing(psycopg2.connect(databases.workspace.conninfo)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE company_needs_enrichment IN ACCESS EXCLUSIVE MODE")
        with product.start("enrich", "pull", *options) as process:
            wait_until(lambda: _waits_for_a_lock(databases), "the pull waits for the lock")
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "interrupted; the next run finishes or removes what was left" in err
    assert "Traceback" not in err
    assert databases.dump() == before
    assert product("enrich", "pull").code == 0
    assert len(databases.rows(databases.workspace, "TABLE company_needs_enrichment")) == 3


def _waits_for_a_lock(databases: Databases) -> bool:
    query = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    return bool(databases.rows(databases.workspace, query))
