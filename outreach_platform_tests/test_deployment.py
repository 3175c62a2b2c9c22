"""deploy/: its names, ports, variables, commands and grants are those of the code."""

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from outreach_platform.embedded import schema
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.serving import DEFAULT_PORTS
from outreach_platform.settings import SECRETS_DIR, Settings
from outreach_platform_tests.support.enrichment import (
    Databases,
    copied,
    invalid_person,
    make_templates,
    prepare,
)
from outreach_platform_tests.support.enrichment_jobs import addresses
from outreach_platform_tests.support.pages import parse
from outreach_platform_tests.support.postgres import ROOT, drop_database, execute, fetch
from outreach_platform_tests.support.product import Inside, Product, fill_state, url_text

DEPLOY = ROOT / "deploy"
PORT = str(DEFAULT_PORTS[0])
# Read by Dagster's side of the house, not by Settings.
OTHERS = {SECRETS_DIR, "DAGSTER_HOME"}
SYSTEM = {"HOME", "TMPDIR"}
# Set by the demo for its own children.
INTERNAL = {"OUTREACH_EMBEDDED_ONLY"}
ROLES = ("outreach_snapshots", "outreach_platform", "outreach_enrichers", "outreach_events")
LOGINS = ("taker", "mover")


def known_variables() -> set[str]:
    """Every variable that Settings read."""
    return {str(field.alias) for field in Settings.model_fields.values() if field.alias}


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip())
        for word, _, rest in (x.partition(" ") for x in joined.split("\n"))
        if word
    ]


def dockerfile(word: str) -> list[str]:
    """The arguments of one kind of instruction."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return [rest for found, rest in instructions(text) if found == word]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "outreach.service", encoding="utf-8")
    return parser


def unit_environment() -> dict[str, str]:
    words = shlex.split(unit()["Service"]["Environment"])
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def test_the_image_copies_what_exists_and_its_context_holds_it() -> None:
    sources = [source for copy in dockerfile("COPY") for source in copy.split()[:-1]]
    assert "requirements/lock.txt" in sources
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in allowed, source


def test_the_image_is_pinned_by_hashes_and_runs_as_nobody_special() -> None:
    assert dockerfile("FROM") == ["python:3.11-slim"]
    third_party = [run for run in dockerfile("RUN") if "requirements/" in run]
    assert third_party
    for run in third_party:
        assert run.count("--require-hashes") == run.count("-r requirements/")
    assert dockerfile("USER") == ["outreach"]
    assert dockerfile("HEALTHCHECK")
    assert dockerfile("EXPOSE") == [PORT]


def test_image_and_services_run_commands_that_exist() -> None:
    entry = json.loads(dockerfile("ENTRYPOINT")[0])
    for words in (json.loads(dockerfile("CMD")[0]), compose()["services"]["outreach"]["command"]):
        context = parse(shlex.join([*entry, *words]))
        assert context.params == {"port": int(PORT), "host": "0.0.0.0"}
    start = unit()["Service"]["ExecStart"]
    program, _, rest = start.partition(" ")
    assert Path(program).name == "outreach"
    assert parse(f"outreach {rest}").params == {"port": int(PORT), "host": "127.0.0.1"}


def test_the_health_check_asks_the_port_that_is_served() -> None:
    (check,) = dockerfile("HEALTHCHECK")
    words = json.loads(check[check.index("CMD ") + 4 :])
    assert words[:2] == ["python", "-c"]
    assert f"http://127.0.0.1:{PORT}/server_info" in words[2]
    compile(words[2], "HEALTHCHECK", "exec")


def test_only_this_machine_reaches_the_ui() -> None:
    assert compose()["services"]["outreach"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert "ports" not in compose()["services"]["instance"]


def test_compose_names_what_is_there() -> None:
    whole = compose()
    service = whole["services"]["outreach"]
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).is_file()
    assert set(service["depends_on"]) <= set(whole["services"])
    for other in whole["services"].values():
        assert {volume.split(":")[0] for volume in other["volumes"]} <= set(whole["volumes"])
    # The dead are told from the living by host and pid.
    assert service["hostname"]
    assert service["init"] is True
    data = service["environment"]["OUTREACH_DATA_DIR"]
    assert f"data:{data}" in service["volumes"]
    assert dockerfile("VOLUME") == [data]
    instance = whole["services"]["instance"]["environment"]
    url = service["environment"]["DAGSTER_PG_URL"]
    assert url.startswith(f"postgresql://{instance['POSTGRES_USER']}:")
    assert url.endswith(f"@instance:5432/{instance['POSTGRES_DB']}")


def test_no_password_stands_in_a_file() -> None:
    for path in DEPLOY.iterdir():
        if path.name in (".env", "outreach.env"):
            continue  # the operator's own
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"postgres(?:ql)?://[^:\s]+:([^@\s]+)@", text):
            assert found.startswith("${"), f"{path.name}: {found}"


def test_variables_of_the_files_are_known() -> None:
    known = known_variables() | OTHERS | SYSTEM
    named = set(compose()["services"]["outreach"]["environment"])
    named |= set(
        re.findall(r"\b((?:OUTREACH|NEON|SUPABASE|B2|S3)_[A-Z_]+)=", " ".join(dockerfile("ENV")))
    )
    named |= set(unit_environment())
    assert "OUTREACH_DATA_DIR" in named
    assert named <= known


def test_the_example_lists_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert known_variables() - INTERNAL <= listed
    assert listed <= known_variables() | OTHERS


def test_the_unit_gives_no_more_than_is_needed() -> None:
    service = unit()["Service"]
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["User"] != "root"
    # The only places it writes to are those that systemd opens for it.
    assert unit_environment() == {
        "OUTREACH_DATA_DIR": f"/var/lib/{service['StateDirectory']}/data",
        "TMPDIR": f"/run/{service['RuntimeDirectory']}",
    }
    assert service["SuccessExitStatus"] == "130"
    assert service["RestartPreventExitStatus"] == "2"


def grants(name: str) -> str:
    return (DEPLOY / f"grants_{name}.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def templates(pg_server: EmbeddedServer) -> Iterator[tuple[str, str]]:
    names = make_templates(pg_server, "deploy_grants")
    yield names
    for name in names:
        drop_database(pg_server, name)


@pytest.fixture
def owned(pg_server: EmbeddedServer, templates: tuple[str, str]) -> Iterator[Databases]:
    """Both databases as their owner has them after a first pull, and the files executed on them."""
    with copied(pg_server, templates) as databases:
        execute(databases.neon, grants("neon"))  # as before the first pull
        prepare(databases)
        for _ in range(2):  # again at any time
            execute(databases.neon, grants("neon"))
            execute(databases.workspace, grants("supabase"))
        execute(
            databases.neon,
            "CREATE ROLE taker LOGIN IN ROLE outreach_snapshots;"
            "CREATE ROLE mover LOGIN IN ROLE outreach_platform",
        )
        try:
            yield databases
        finally:
            for url in (databases.neon, databases.workspace):
                for role in (*LOGINS, *ROLES[:3]):
                    execute(url, f"DROP OWNED BY {role}")
            for role in (*LOGINS, *ROLES[:3]):
                execute(pg_server.url("postgres"), f"DROP ROLE {role}")


def as_user(url: DatabaseUrl, user: str) -> DatabaseUrl:
    return DatabaseUrl({**url.params, "user": user})


@pytest.mark.slow
def test_the_snapshots_role_takes_snapshots_and_cannot_write_masters(
    owned: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = replace(owned, neon=as_user(owned.neon, "taker"))
    fill_state(owned.neon, "WV", good=5, bad=5)
    inside = Inside(Product(tmp_path, addresses(theirs)), capsys)
    assert inside("snapshot", "--state", "WV").code == 3
    override = ("--override", "K1", "--reason", "test", "--by", "Ann", "--until", "2199-12-31")
    assert inside("snapshot", "--state", "WV", *override).code == 0
    statuses = fetch(
        owned.neon, "SELECT details->>'kill_switch_status' FROM shq.audit_log ORDER BY id"
    )
    assert statuses[0] == ("K1_TRIGGERED",)
    assert len(statuses) == 2
    for statement in (
        "DELETE FROM marketing.company_master",
        "UPDATE marketing.people_master SET title = 'x'",
        "INSERT INTO marketing.company_master (company_unique_id) VALUES ('x')",
        "DELETE FROM shq.audit_log",
        "UPDATE shq.kill_switch_overrides SET valid_until = '2199-12-31'",
        "SELECT * FROM marketing.people_invalid",
        "CREATE TABLE marketing.own (id int)",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(theirs.neon, statement)


@pytest.mark.slow
def test_the_platform_role_brings_records_round(
    owned: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Databases(as_user(owned.neon, "mover"), as_user(owned.workspace, "mover"))
    inside = Inside(Product(tmp_path, addresses(theirs)), capsys)
    keys = owned.add_companies(1)
    keys += owned.add_invalid(invalid_person(company_unique_id=keys[0]))
    assert inside("enrich", "pull").code == 0
    owned.complete(keys[0], website="https://good.org")
    owned.complete(keys[1], email="adela@good.org")
    done = inside("enrich", "run", "--json")
    assert done.code == 0, done.err
    assert all(owned.master(key) for key in keys)
    assert fetch(owned.neon, "SELECT count(*) > 0 FROM shq.audit_log") == [(True,)]
    for url, statement in (
        (theirs.neon, "DELETE FROM shq.audit_log"),
        (theirs.neon, "DELETE FROM marketing.promotion_history"),
        (theirs.workspace, "DELETE FROM company_needs_enrichment"),
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(url, statement)


@pytest.fixture
def events_source(neon_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """An empty source of events with the file executed on it, as its owner."""
    connection = psycopg2.connect(neon_url.conninfo)
    with connection:
        schema.create_events(connection)
    connection.close()
    execute(neon_url, grants("events"))
    execute(neon_url, "CREATE ROLE listener LOGIN IN ROLE outreach_events")
    yield neon_url
    for role in ("listener", "outreach_events"):
        execute(neon_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
def test_the_events_role_reads_and_nothing_else(
    events_source: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = as_user(events_source, "listener")
    inside = Inside(Product(tmp_path, {"DATABASE_URL": url_text(theirs)}), capsys)
    assert inside("events", "--days", "3", "--sync-duckdb").code == 0
    for table in ('"BehavioralEvent"', "experiment_protocols", "phase_assignments"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(theirs, f"DELETE FROM {table}")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        fetch(theirs, "SELECT * FROM context_metadata")
