"""`outreach events` as scripts meet it: exit codes, stdout, stderr, files, the run in the UI."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import Extraction, SyncRecord
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.jobs import WING_TAG
from outreach_platform_tests.support.event_rows import (
    create_source,
    event,
    event_id,
    in_phase,
    insert_events,
)
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    free_port,
    fresh_database,
)
from outreach_platform_tests.support.product import Inside, Product, url_text

pytestmark = pytest.mark.slow

KEYS = [
    *("export", "status", "version", "rows", "quarantined", "users", "event_types", "first"),
    *("last", "size", "research", "message", "file", "run_id"),
]
DAYS = ("--days", "6")
STAGES = [
    "events: pulling and validating events",
    "events: pulling protocols and phases",
    "events: writing the export",
    "events: building the research database",
]
USER = event_id(1, "w")
CANARY = "canary-8d20c3-a-password"


def now() -> datetime:
    """Naive UTC, as the source keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    url = fresh_database(pg_server, "events_command")
    create_source(url)
    rows = [
        in_phase("baseline_1", timestamp=now() - timedelta(days=n % 5), userId=event_id(n % 6, "w"))
        for n in range(30)
    ]
    insert_events(url, rows)
    yield url
    drop_database(pg_server, "events_command")


@pytest.fixture(scope="module")
def product(url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """As Prisma writes the address; the server asks local users for no password."""
    address = f"{url_text(url)}&schema=public"
    return Product(tmp_path_factory.mktemp("events_command"), {"DATABASE_URL": address})


@pytest.fixture(scope="module")
def folder(product: Product) -> EventFolder:
    return EventFolder(product.data)


@pytest.fixture
def inside(product: Product, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(product, capsys)


@pytest.fixture(scope="module")
def first(product: Product) -> dict:
    """The row of the first run, in a process of its own; tests of one export begin with it."""
    done = product("events", *DAYS, "--sync-duckdb", "--json")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert lines[:4] == STAGES
    assert not [line for line in lines if "warning" in line or "Traceback" in line]
    return done.row


def extraction(folder: EventFolder) -> Extraction:
    return read_record(folder.extraction, Extraction)


def research(product: Product, query: str, path: Path | None = None) -> list[tuple]:
    database = path or product.data / "duckdb" / "analytics.duckdb"
    with duckdb.connect(str(database), read_only=True) as shell:
        return shell.execute(query).fetchall()


@pytest.mark.parametrize(
    ("arguments", "more", "says"),
    [
        (("--days", "0"), {}, "a window of 0 days cannot be exported: choose 1 to"),
        (("--days", "-3"), {}, "a window of -3 days"),
        (("--days", "100000"), {}, "a window of 100000 days"),
        (("--days", "9" * 400), {}, "cannot be exported"),
        (("--days", "abc"), {}, "'abc' is not a valid integer"),
        (("--user-id", " "), {}, "--user-id is empty"),
        (("--strict",), {}, "No such option"),
        (("more",), {}, "unexpected extra argument"),
        ((), {"DATABASE_URL": "nonsense"}, "DATABASE_URL is no PostgreSQL address"),
        ((), {"DATABASE_URL": f"mysql://u:{CANARY}@host/x"}, "DATABASE_URL"),
        ((), {"LOG_LEVEL": "CHATTY"}, "LOG_LEVEL"),
        ((), {"OUTREACH_SETTINGS": "nowhere.toml"}, "nowhere.toml, which cannot be read"),
    ],
)
def test_wrong_usage_is_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    more: dict[str, str],
    says: str,
) -> None:
    product = Product(tmp_path, {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"})
    done = Inside(product, capsys)("events", *arguments, "--json", **more)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert CANARY not in done.err
    assert "Traceback" not in done.err
    assert not EventFolder(product.data).lake.exists(), "nothing is begun"


@pytest.mark.slow
def test_the_first_run_pulls_exports_and_syncs(
    first: dict, product: Product, folder: EventFolder
) -> None:
    assert list(first) == KEYS
    assert (first["status"], first["rows"], first["users"]) == ("exported", 30, 6)
    assert (first["research"], first["message"]) == ("view", "all events are valid")
    file = Path(first["file"])
    assert file.stat().st_size == first["size"]
    assert file.name == f"behavioral_events_{first['version']}.parquet"
    manifest = json.loads((folder.manifests / f"{file.stem}.json").read_text())
    assert manifest["run_id"] == first["run_id"]
    assert tuple(pq.read_schema(file).names) == NAMES
    assert research(product, "SELECT count(*) FROM research.behavioral_events") == [(30,)]
    assert research(product, "SELECT sum(observations) FROM research.its_daily") == [(30,)]
    assert research(product, "SELECT count(*) FROM research.abab_observations") == [(30,)]
    log = (product.data / "logs" / "outreach.log").read_text()
    assert "pulled 30 events of 6 days" in log
    with product.here() as instance:
        run = instance.get_run_by_id(first["run_id"])
        assert run
        assert (run.job_name, run.status) == ("events_job", dg.DagsterRunStatus.SUCCESS)
        assert run.tags[WING_TAG] == "events"
        key = dg.AssetKey(["events", "behavioral_events"])
        assert len(instance.get_materialized_partitions(key)) == 6
        checks = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        assert len(checks) == 10


@pytest.mark.slow
def test_the_next_run_pulls_the_lookback_alone(
    first: dict, inside: Inside, folder: EventFolder
) -> None:
    synced = read_record(folder.synced, SyncRecord)
    done = inside("events", *DAYS, "--validate", LOG_LEVEL="ERROR")
    assert done.code == 0, done.err
    assert done.err.splitlines() == [STAGES[0], STAGES[2]]
    assert "research     not synced" in done.out
    found = extraction(folder)
    assert (len(found.pulled), found.kept) == (3, 3)
    assert set(found.pulled.values()) == {"recent"}
    newest = folder.newest()
    assert newest
    assert newest.stamp > first["version"]
    assert read_record(folder.synced, SyncRecord) == synced, "it was not asked for"
    full = inside("events", *DAYS, "--full", "--json")
    assert full.code == 0, full.err
    assert len(extraction(folder).pulled) == 6
    log = (inside.product.data / "logs" / "outreach.log").read_text()
    assert log.count("of 3 days from") == 0, "LOG_LEVEL was ERROR in that run"
    assert log.count("of 6 days from") == 2


@pytest.mark.slow
def test_a_violation_stops_a_strict_run(
    first: dict, inside: Inside, folder: EventFolder, url: DatabaseUrl, product: Product
) -> None:
    latest = folder.latest.readlink()
    synced = folder.synced.read_text()
    bad = event(timestamp=now(), sessionPerformanceScore=300)
    insert_events(url, [bad])
    try:
        done = inside("events", *DAYS, "--sync-duckdb", "--json")
        assert done.code == 1
        assert list(done.row) == KEYS
        assert (done.row["status"], done.row["research"]) == ("failed", "not synced")
        assert (done.row["file"], done.row["rows"]) == (None, None)
        assert STAGES[2] not in done.err
        assert "Traceback" not in done.err + done.row["message"]
        (report,) = folder.quarantine.glob("behavioral_events_errors_*.csv")
        assert str(report) in done.row["message"]
        assert "session_performance_score_out_of_range 1" in done.row["message"]
        with report.open(newline="") as file:
            (line,) = csv.DictReader(file)
        assert line == {
            "rule": "session_performance_score_out_of_range",
            "column": "sessionPerformanceScore",
            "value": "300",
            "row_id": bad["id"],
        }
        assert folder.latest.readlink() == latest
        assert folder.synced.read_text() == synced
        with product.here() as instance:
            run = instance.get_run_by_id(done.row["run_id"])
            assert run
            assert run.status is dg.DagsterRunStatus.FAILURE
            key = dg.AssetCheckKey(dg.AssetKey(["events", "behavioral_events"]), "schema_contract")
            history = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
            assert (history[0].run_id, history[0].status.value) == (run.run_id, "FAILED")

        lenient = inside("events", *DAYS, "--non-strict", "--json")
        assert lenient.code == 0, lenient.err
        assert (lenient.row["rows"], lenient.row["quarantined"]) == (30, 1)
        assert "warning: in quarantine and not in the export: 1" in lenient.err
        blind = inside("events", *DAYS, "--no-validate", "--json")
        assert blind.code == 0, blind.err
        assert (blind.row["rows"], blind.row["quarantined"]) == (31, 0)
        assert "not validated" in blind.row["message"]
        newest = folder.newest()
        assert newest
        assert newest.validation == "none"
    finally:
        execute(url, 'DELETE FROM "BehavioralEvent" WHERE "sessionPerformanceScore" = 300')
    mended = inside("events", *DAYS, "--json")
    assert (mended.code, mended.row["rows"]) == (0, 30), mended.err


@pytest.mark.slow
def test_one_users_export_moves_nothing_else(
    first: dict, inside: Inside, folder: EventFolder, product: Product
) -> None:
    latest, synced = folder.latest.readlink(), folder.synced.read_text()
    columns = pq.read_schema(first["file"])
    known = inside("events", *DAYS, "--user-id", USER, "--sync-duckdb", "--json")
    assert known.code == 0, known.err
    assert (known.row["rows"], known.row["users"]) == (5, 1)
    assert known.row["research"] == "not synced"
    assert known.err.startswith("warning: one user's export moves neither latest nor the research")
    assert pq.read_table(known.row["file"])["userId"].unique().to_pylist() == [USER]
    for stranger in (event_id(99, "w"), "o'neil\"; --"):
        done = inside("events", *DAYS, "--user-id", stranger, "--json")
        assert (done.code, done.row["rows"]) == (0, 0), done.err
        assert "no events of this user" in done.row["message"]
        assert pq.read_schema(done.row["file"]).equals(columns), "empty, and typed all the same"
    assert (folder.latest.readlink(), folder.synced.read_text()) == (latest, synced)


@pytest.mark.slow
def test_no_table_then_no_events(
    neon_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product(tmp_path, {"DATABASE_URL": url_text(neon_url)})
    inside = Inside(product, capsys)
    missing = inside("events", *DAYS, "--json")
    assert missing.code == 1
    assert "has no table BehavioralEvent or behavioral_events" in missing.row["message"]
    create_source(neon_url)
    done = inside("events", *DAYS, "--sync-duckdb", "--as-table", "--json")
    assert done.code == 0, done.err
    assert (done.row["rows"], done.row["research"]) == (0, "table")
    assert "no events from" in done.row["message"]
    table = pq.read_table(done.row["file"])
    assert (table.num_rows, tuple(table.column_names)) == (0, NAMES)
    for name in ("behavioral_events", "its_daily", "abab_observations"):
        assert research(product, f"SELECT count(*) FROM research.{name}") == [(0,)]


@pytest.mark.slow
def test_a_server_that_is_away_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"postgresql://u:{CANARY}@127.0.0.1:{free_port()}/x"
    product = Product(tmp_path, {"DATABASE_URL": address})
    done = Inside(product, capsys)("events", *DAYS, "--json")
    assert (done.code, done.row["status"]) == (1, "failed")
    assert "cannot be reached" in done.row["message"]
    assert CANARY not in done.out + done.err
    assert CANARY not in (product.data / "logs" / "outreach.log").read_text()


@contextmanager
def open_for_writing(database: Path) -> Iterator[None]:
    """Another program at work in the file."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate("\n")


@pytest.mark.slow
def test_a_research_database_that_is_in_the_way_only_warns(
    first: dict, inside: Inside, tmp_path: Path, product: Product
) -> None:
    """Locked, then damaged, in a place of its own: the export stands, the next run repairs."""
    database = tmp_path / "else where" / "mine.duckdb"

    def run() -> dict:
        done = inside("events", *DAYS, "--sync-duckdb", "--json", DUCKDB_DB_PATH=str(database))
        assert done.code == 0, done.err
        assert Path(done.row["file"]).exists()
        assert done.row["status"] == "exported"
        return {**done.row, "err": done.err}

    assert run()["research"] == "view"
    with open_for_writing(database):
        locked = run()
        assert locked["research"] == "not synced"
        assert f"{database} is open for writing in another program" in locked["message"]
        assert "warning: the research database was not brought up to date" in locked["err"]
        assert "ABAB" not in locked["err"], "there is nothing new to analyse"
        (status,) = [row for row in inside("status", "--json").rows if "export" in row]
        assert (status["status"], status["research"]) == ("exported", None)
        assert "open for writing" in status["problems"][-1]
    with product.here() as instance:
        stored = instance.get_run_by_id(locked["run_id"])
        assert stored
        assert stored.status is dg.DagsterRunStatus.SUCCESS
        (check,) = [
            entry.dagster_event.asset_check_evaluation_data
            for entry in instance.all_logs(
                stored.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
            if entry.dagster_event
            and entry.dagster_event.asset_check_evaluation_data.check_name == "synced"
        ]
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    database.write_bytes(b"no database " * 500)
    damaged = run()
    assert damaged["research"] == "view"
    assert "the research database was damaged: it was moved to " in damaged["message"]
    (kept,) = database.parent.glob("mine.duckdb.damaged-*")
    assert kept.read_bytes() == b"no database " * 500
    assert research(product, "SELECT count(*) FROM research.behavioral_events", database) == [(30,)]


@pytest.mark.slow
def test_a_second_command_waits_or_says_who_is_at_work(
    first: dict, inside: Inside, folder: EventFolder, product: Product
) -> None:
    impatient = product.home / "impatient.toml"
    impatient.write_text("[events]\ndvc = false\nmlflow = false\n[locks]\nwait_seconds = 0\n")
    lock = NamedLock(folder.lock, "events")
    lock.acquire("run of somebody", 0)
    try:
        refused = inside("events", *DAYS, "--json", OUTREACH_SETTINGS=str(impatient))
        assert (refused.code, refused.row["status"]) == (1, "failed")
        assert "events is busy: run of somebody (process" in refused.row["message"]
        with product.start("events", *DAYS, "--json") as waiting:
            assert waiting.stderr
            assert waiting.stderr.readline().strip() == STAGES[0]
            assert waiting.poll() is None
            lock.release()
            out, err = waiting.communicate(timeout=120)
    finally:
        lock.release()
    assert waiting.returncode == 0, err
    (row,) = json.loads(out)["results"]
    assert row["status"] == "exported"


@pytest.mark.slow
def test_dvc_and_mlflow_keep_an_export_where_they_are_installed(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    pytest.importorskip("dvc")
    mlflow = pytest.importorskip("mlflow")
    product = Product(tmp_path, {"DATABASE_URL": url_text(url)}, trackers=True)
    done = product("events", *DAYS, "--json")
    assert (done.code, done.row["message"]) == (0, "all events are valid"), done.err
    note = Path(f"{done.row['file']}.dvc").read_text()
    assert f"size: {done.row['size']}" in note
    store = f"sqlite:///{product.data / 'mlflow' / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [e.experiment_id for e in client.search_experiments()]
    (run,) = client.search_runs(experiments)
    assert run.data.metrics["export_rows"] == 30
    assert run.data.metrics["validation_passed"] == 1
    with product.here() as instance:
        key = dg.AssetKey(["events", "behavioral_events_export"])
        shown = instance.get_latest_materialization_event(key)
        assert shown
        assert shown.asset_materialization
        metadata = shown.asset_materialization.metadata
    assert metadata["mlflow_run_id"].value == run.info.run_id
    assert str(metadata["dvc_md5"].value) in note
