"""`outreach snapshot` and `status` as scripts meet them: exit codes, stdout, stderr."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from outreach_platform import cli
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.plain import plain_path
from outreach_platform_tests.support.masters import COMPANIES, company, create_masters, insert
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    free_port,
    fresh_database,
    ordinary_user_python,
    user_environment,
)
from outreach_platform_tests.support.product import (
    Finished,
    Inside,
    Product,
    audit_rows,
    fill_state,
    published_nowhere,
    today,
    url_text,
)

pytestmark = pytest.mark.slow

COLUMNS = [
    "state",
    "status",
    "version",
    *TABLES,
    "kill_switches",
    "message",
    "run_id",
]


@pytest.fixture(scope="module")
def url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    """WV, VA and OH are good; PA has too many bad ones, MD a null id, DE nobody."""
    url = fresh_database(pg_server, "commands")
    create_masters(url, primary_keys=False)
    for state in ("WV", "VA", "OH"):
        fill_state(url, state, good=6)
    fill_state(url, "PA", good=6, bad=4)
    here = {"address_state": "MD", "state_abbrev": "MD"}
    insert(url, COMPANIES, [company(**here), company(**here, company_unique_id=None)])
    yield url
    drop_database(pg_server, "commands")


@pytest.fixture(scope="module")
def product(url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Product:
    return Product(tmp_path_factory.mktemp("commands"), {"NEON_DATABASE_URL": url_text(url)})


@pytest.fixture
def inside(product: Product, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(product, capsys)


OVERRIDE = ("--override", "K1", "--reason", "list bought", "--by", "Ann Lee", "--until")
LATER = (today() + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give --state (WV, PA, VA, MD, OH, DE) or --all-states"),
        (("--state", "WV", "--all-states"), "not both"),
        (("--state", "ZZ"), "ZZ"),
        (("--state", "WV", "--state", "Texas"), "Texas"),
        (("--state", "WV'; DROP TABLE marketing.company_master; --"), "DROP TABLE"),
        (("--state", ""), "choose from WV, PA, VA, MD, OH, DE"),
        (("--all-states", "--override", "K1"), "--override needs --reason, --by and --until"),
        (
            ("--state", "PA", "--override", "K1", "--reason", "r", "--by", "b"),
            "--override needs --reason, --by and --until",
        ),
        (("--state", "PA", "--reason", "r"), "belong to --override"),
        (("--state", "PA", *OVERRIDE, "2020-02-29"), "--until 2020-02-29 is past"),
        (("--state", "PA", *OVERRIDE, "tomorrow"), "'tomorrow' is no date"),
        (("--state", "PA", *OVERRIDE, LATER, "--plain"), "--plain has no kill switches"),
        (
            ("--state", "PA", "--override", "K3", "--reason", "r", "--by", "b", "--until", LATER),
            "K3 cannot be overridden",
        ),
        (
            ("--state", "PA", "--override", "K1", "--reason", " ", "--by", "b", "--until", LATER),
            "needs a --reason and a name",
        ),
        (("--state", "PA", "--override", "K4"), "K4"),
        (("--states", "PA"), "No such option"),
        (("--state",), "--state"),
    ],
)
def test_wrong_usage_is_2_says_why_and_touches_nothing(
    inside: Inside, url: DatabaseUrl, arguments: tuple[str, ...], says: str
) -> None:
    done = inside("snapshot", "--json", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not inside.product.folder("PA").versions()
    assert fetch(url, "SELECT to_regclass('shq.kill_switch_overrides')") == [(None,)]


@pytest.mark.parametrize("arguments", [("snapshots",), ("up", "--port", "0"), ("--nonsense",)])
def test_an_unknown_command_or_option_is_2(inside: Inside, arguments: tuple[str, ...]) -> None:
    done = inside(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: outreach" in done.err


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"B2_KEY_ID": "0012"}, "B2_APPLICATION_KEY is not: set both"),
        ({"NEON_DATABASE_URL": "", "NEON_HOST": "db.example"}, "NEON_DATABASE, NEON_USER"),
        ({"NEON_DATABASE_URL": "mysql://u:p@h/d"}, "starts with mysql://"),
        ({"OUTREACH_SETTINGS": "nowhere.toml"}, "nowhere.toml, which cannot be read"),
        ({"OUTREACH_SETTINGS": "corrupt.toml"}, "corrupt.toml is no valid TOML"),
        ({"OUTREACH_SETTINGS": "unknown.toml"}, "unknown.toml: gates.bad_ration"),
        ({"LOG_LEVEL": "LOUD"}, "LOUD"),
    ],
)
def test_wrong_configuration_is_2_before_anything_runs(
    inside: Inside, variables: dict[str, str], says: str
) -> None:
    home = inside.product.home
    (home / "corrupt.toml").write_text("[gates\nbad_ratio =")
    (home / "unknown.toml").write_text("[gates]\nbad_ration = 0.5\n")
    done = inside("snapshot", "--state", "VA", "--json", **variables)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert not inside.product.folder("VA").versions()
    with inside.product.here() as instance:
        assert not instance.get_runs(), "no run was launched"


@pytest.mark.slow
def test_every_state_is_tried_and_stdout_is_json_beside_a_live_display(
    product: Product, url: DatabaseUrl
) -> None:
    """Stderr is a terminal here, so that the live display is on."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "outreach_platform", "snapshot", "--all-states", "--json"],
        cwd=product.home,
        env=product.variables(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
        assert process.stdout
        done = Finished(process.wait(240), process.stdout.read(), shown.decode())
    os.close(ours)
    assert done.code == 3
    assert [list(row) for row in done.rows] == [COLUMNS] * 6
    assert [row["state"] for row in done.rows] == list(STATES)
    found = {row["state"]: (row["status"], row["kill_switches"]) for row in done.rows}
    assert found == {
        "WV": ("published", "OK"),
        "PA": ("stopped", "K1_TRIGGERED"),
        "VA": ("published", "OK"),
        "MD": ("stopped", "K3_TRIGGERED"),
        "OH": ("published", "OK"),
        "DE": ("published", "OK"),
    }
    rows = {row["state"]: row for row in done.rows}
    assert [rows["PA"][t] for t in TABLES] == [6, 4, 6, 4]
    assert rows["PA"]["message"] == (
        "nothing was published: K1 TRIGGERED: Company bad ratio 40.0% > 15.0%"
    )
    assert "warning: DE: 0 companies found for Delaware" in done.err
    assert "PA (2 of 6): asking the kill switches" in done.err
    assert published_nowhere(product, "PA")
    assert published_nowhere(product, "MD")
    for state, row in rows.items():
        (audited,) = audit_rows(url, state)
        assert audited["run_id"] == row["run_id"]
        assert audited["kill_switch_status"] == row["kill_switches"]
        assert audited["snapshot_version"] == row["version"]
        verdict = read_record(product.folder(state).verdict(row["version"]), GateRecord)
        assert verdict.passed is (row["status"] == "published")
    with product.here() as instance:
        runs = {
            run.tags["dagster/partition/state"]: run.status.value for run in instance.get_runs()
        }
    assert runs == {s: "FAILURE" if s in ("PA", "MD") else "SUCCESS" for s in STATES}


@pytest.mark.slow
def test_one_failed_beats_three_stopped_and_a_busy_state_says_who_holds_it(
    product: Product, url: DatabaseUrl
) -> None:
    settings = product.home / "short.toml"
    settings.write_text("[locks]\nwait_seconds = 0.5\n")
    lock = NamedLock(product.folder("WV").lock, "WV")
    lock.acquire("run of this test", 1)
    try:
        done = product(
            *("snapshot", "--state", "wv", "--state", "Pennsylvania", "--state", "WV", "--json"),
            OUTREACH_SETTINGS=str(settings),
        )
    finally:
        lock.release()
    assert done.code == 1
    assert [(r["state"], r["status"]) for r in done.rows] == [("WV", "failed"), ("PA", "stopped")]
    assert f"WV is busy: run of this test (process {os.getpid()})" in done.rows[0]["message"]
    assert done.rows[0]["version"] is None
    failed = audit_rows(url, "WV")[-1]
    assert (failed["kill_switch_status"], failed["run_id"]) == ("FAILED", done.rows[0]["run_id"])


@pytest.mark.slow
def test_an_override_lets_the_state_pass_and_k3_does_not(inside: Inside, url: DatabaseUrl) -> None:
    done = inside("snapshot", "--state", "PA", *OVERRIDE, today().isoformat(), "--json")
    assert (done.code, done.row["status"], done.row["kill_switches"]) == (0, "published", "OK")
    assert "overridden until" in done.row["message"]
    assert "by Ann Lee: list bought" in done.row["message"]
    assert "PA: K1 may pass until" in done.err
    inside("snapshot", "--state", "PA", *OVERRIDE, today().isoformat(), "--json")
    rows = fetch(
        url, "SELECT state, kill_switch, reason, created_by FROM shq.kill_switch_overrides"
    )
    assert rows == [("PA", "K1", "list bought", "Ann Lee")], "the same one twice is one"
    again = inside("snapshot", "--state", "PA", "--json")
    assert again.code == 0, "it holds for those who do not name it"
    execute(url, "UPDATE shq.kill_switch_overrides SET valid_until = valid_until - 1")
    assert inside("snapshot", "--state", "PA", "--json").code == 3


@pytest.mark.slow  # needs the run of all states
def test_status_before_and_after(inside: Inside, tmp_path: Path) -> None:
    nothing = inside("status", "--json", OUTREACH_DATA_DIR=str(tmp_path / "new"))
    assert nothing.code == 0
    *states, events, companies, people, filings = nothing.rows
    assert (filings["filings"], filings["status"]) == ("filings", "never run")
    assert [(r["state"], r["status"]) for r in states] == [(s, "never run") for s in STATES]
    assert (events["export"], events["status"]) == ("behavioral_events", "never run")
    assert [companies["status"], people["status"]] == ["never run", "never run"]
    seen = inside("status", "--json")
    assert seen.code == 1, "MD was never published"
    assert seen.rows[0]["severity"] == "error"
    assert ("state_unpublished", "MD") in {(r.get("kind"), r.get("subject")) for r in seen.rows}
    after = {row.get("state"): row for row in seen.rows}
    assert list(after["WV"]) == [
        *("state", "status", "last_published", "age"),
        *TABLES,
        *("snapshots", "problems"),
    ]
    assert after["WV"]["status"] == "published"
    assert after["WV"]["companies_good"] == 6
    assert after["MD"]["status"] == "stopped"
    assert "K3 TRIGGERED" in after["MD"]["problems"][0]
    assert after["MD"]["last_published"] is None
    table = inside("status")
    assert table.code == 1
    said = [
        table.out.index(text) for text in ("kill_switch", "state_unpublished", "companies good")
    ]
    assert said == sorted(said), "what is wrong stands above the counts"
    assert not table.err


def test_plain_writes_the_old_files_without_kill_switches(inside: Inside, url: DatabaseUrl) -> None:
    done = inside("snapshot", "--state", "MD", "--plain", "--json")
    assert (done.code, done.row["status"]) == (0, "written")
    for table in TABLES:
        assert plain_path(inside.product.data, "MD", table).is_file()
    (row,) = [r for r in audit_rows(url, "MD") if r["event_type"] == "outreach_validation_run"]
    assert row["run_id"] == done.row["run_id"]
    assert not inside.product.folder("MD").published_versions()


@pytest.mark.slow
def test_the_demo_refuses_a_folder_with_real_snapshots(inside: Inside) -> None:
    """It would mix sample data into them, and K2 would compare the two."""
    before = inside.product.folder("WV").versions()
    assert before
    done = inside("demo", "--no-serve", "--json", OUTREACH_EMBEDDED_ONLY="")
    assert (done.code, done.out) == (2, "")
    assert "/commands: the demo would mix sample data into them" in done.err
    assert "set OUTREACH_DATA_DIR to another folder" in done.err
    assert inside.product.folder("WV").versions() == before
    assert not (inside.product.data / "embedded").exists()


@pytest.fixture
def bare(pg_server: EmbeddedServer, tmp_path: Path) -> Iterator[tuple[DatabaseUrl, Product]]:
    url = fresh_database(pg_server, "bare")
    yield url, Product(tmp_path, {"NEON_DATABASE_URL": url_text(url)})
    drop_database(pg_server, "bare")


@pytest.mark.slow
def test_a_missing_table_column_or_audit_table_of_another_shape(
    bare: tuple[DatabaseUrl, Product], capsys: pytest.CaptureFixture[str]
) -> None:
    url, product = bare
    inside = Inside(product, capsys)
    missing = inside("snapshot", "--state", "WV", "--json")
    assert missing.code == 1
    assert "has no table marketing.company_master" in missing.row["message"]
    create_masters(url, company_columns={"website_url": None})
    fill_columns = {"address_state": "WV", "state_abbrev": "WV"}
    row = company(**fill_columns)
    del row["website_url"]
    insert(url, COMPANIES, [row])
    column = inside("snapshot", "--state", "WV", "--json")
    assert column.code == 1
    assert "lacks the column website_url" in column.row["message"]
    errors = [r["error"] for r in audit_rows(url, "WV")]
    assert len(errors) == 2
    execute(url, "ALTER TABLE marketing.company_master ADD COLUMN website_url text DEFAULT 'a.b'")
    execute(url, "DROP TABLE shq.audit_log; CREATE TABLE shq.audit_log (id serial)")
    shape = inside("snapshot", "--state", "WV", "--json")
    assert shape.code == 1
    assert "shq.audit_log exists with another shape" in shape.row["message"]
    assert not product.folder("WV").published_versions()


@pytest.mark.slow
def test_an_unreachable_database_is_1_and_its_audit_row_waits(tmp_path: Path) -> None:
    product = Product(
        tmp_path,
        {"NEON_DATABASE_URL": f"postgresql://u:canary-of-url@127.0.0.1:{free_port()}/neon"},
    )
    done = product("snapshot", "--state", "WV", "--json")
    assert (done.code, done.row["status"]) == (1, "failed")
    assert "cannot be reached (connection refused)" in done.row["message"]
    assert "canary-of-url" not in done.out + done.err
    seen = product("status", "--json")
    assert "audit_waiting" in {row.get("kind") for row in seen.rows}
    status = next(row for row in seen.rows if row.get("state") == "WV")
    assert status["problems"] == ["1 audit rows wait for the database; the next run writes them"]


@pytest.mark.slow
def test_a_read_only_data_folder_is_2(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As an ordinary user: nothing is read-only to root."""
    python = ordinary_user_python()
    home = Path("/tmp") / f"read-only-{os.getpid()}"
    home.mkdir()
    try:
        home.chmod(0o555)
        done = subprocess.run(
            [*python, "-m", "outreach_platform", "snapshot", "--state", "WV", "--json"],
            cwd="/",
            env={
                **user_environment(),
                "OUTREACH_DATA_DIR": str(home / "data"),
                "NEON_DATABASE_URL": "postgresql://u@127.0.0.1:1/x",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        home.rmdir()
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert str(home) in done.stderr
    assert "OUTREACH_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


HELP = """
import sys
from outreach_platform import cli
for words in (["--help"], ["--version"], *([name, "-h"] for name in cli.cli.commands)):
    assert cli.run(words) == 0, words
heavy = ["dagster", "duckdb", "ibis", "pandas", "pyarrow", "matplotlib", "boto3", "b2sdk",
         "psycopg2", "sqlalchemy"]
print([name for name in heavy if name in sys.modules])
"""


def test_help_is_worth_reading_and_imports_nothing_heavy(tmp_path: Path) -> None:
    product = Product(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        cwd=tmp_path,
        env=product.variables(OUTREACH_SETTINGS="nowhere.toml"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *pages, last = done.stdout.splitlines()
    assert last == "[]"
    text = "\n".join(pages)
    for command in cli.cli.commands:
        assert f"outreach {command}" in text
    for word in (
        "Exit codes",
        "130 interrupted",
        "outreach snapshot --state PA --override K1",
        "--no-serve",
        "K3",
        "Legacy",
    ):
        assert word in text
    assert list(tmp_path.iterdir()) == [], "help leaves nothing behind"
