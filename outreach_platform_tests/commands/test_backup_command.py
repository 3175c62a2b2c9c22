"""`outreach backup` on a folder in use, and the copy as the only thing that is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import psutil
import psycopg2
import pytest

from outreach_platform.embedded.sample import load_sample, write_filings
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.operations.backup.target import partial_of
from outreach_platform.operations.dead_runs import end_dead_runs, run_tags
from outreach_platform.resources import embedded_folder
from outreach_platform_tests.operations import tiny
from outreach_platform_tests.support.postgres import (
    alive,
    execute,
    fetch,
    start_server,
    stop_server,
    wait_until,
)
from outreach_platform_tests.support.product import Inside, Product, find_bytes

pytestmark = pytest.mark.slow

SCALE = 0.1


@dataclass
class Used:
    """A product with a state published, events exported, records pulled and a filing read."""

    product: Product
    server: EmbeddedServer

    def copy(self, name: str) -> Product:
        """The product on a copy, whose folder is not there yet."""
        home = self.product.home / name
        home.mkdir()
        return Product(home)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    product = Product(tmp_path_factory.mktemp("used"))
    server = start_server(embedded_folder(product.data))
    load_sample(*(server.url(name) for name in ("neon", "supabase", "events")), scale=SCALE)
    write_filings(product.data / "filings")
    for path in (product.data / "filings").glob("*.htm"):
        path.unlink()
    with product.here() as instance:
        from outreach_platform.commands import events, filings
        from outreach_platform.commands.launch import run_job
        from outreach_platform.commands.snapshot import snapshot_states
        from outreach_platform.operations.jobs import events_config
        from outreach_platform.settings import load_settings

        settings = load_settings()
        (row,) = snapshot_states(instance, settings, ["WV"])
        assert row["status"] == "published"
        row = events.export_events(instance, settings, config=events_config(days=20), sync=True)
        assert row["status"] == "exported"
        assert run_job(instance, "enrichment_pull_job").success
        filings.register_filings(instance, settings, {"download": False})
        filings.extract_filings(instance, settings, {"mode": "missing"})
    found = Used(product, server)
    yield found
    stop_server(found.server)
    shutil.rmtree(product.home, ignore_errors=True)


def count(database: Path, table: str) -> int:
    with duckdb.connect(str(database), read_only=True) as connection:
        return (connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,))[0]


def told(outreach: Inside) -> list[dict]:
    """What `status` says, without what depends on the moment."""
    rows = outreach("status", "--json").rows
    moments = ("age", "seen", "run_id", "published", "updated")
    return [{k: v for k, v in row.items() if k not in moments} for row in rows]


def test_a_copy_taken_in_use_is_the_whole_platform(
    used: Used, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    product, copy = used.product, used.copy("whole")
    target = copy.data
    outreach = Inside(product, capsys)
    before = told(outreach)
    workbench = product.data / "duckdb" / "outreach_workbench.duckdb"
    # A shell looks at the workbench, another writes into the research database, somebody has not
    # committed, a run goes on in a process that lives.
    shell = duckdb.connect(str(workbench), read_only=True)
    research = subprocess.Popen(
        [sys.executable, "-c", SHELL, str(product.data / "duckdb" / "analytics.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert research.stdout and research.stdout.readline() == "open\n"
    writer = psycopg2.connect(used.server.url("neon").conninfo)
    writer.cursor().execute("UPDATE marketing.company_master SET company_name = 'half done'")
    with product.here() as instance:
        job = tiny.defs.resolve_job_def("sleeping")
        running = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags=run_tags()
        ).run_id
    (product.data / "dagster" / "up.json").write_text(json.dumps({"folder": "/outreach-up-x"}))

    done = outreach("backup", str(target), "--json")
    assert done.code == 0, done.err
    writer.close()
    shell.close()
    research.communicate("\n")
    (product.data / "dagster" / "up.json").unlink()

    parts = {row["part"]: row for row in done.rows}
    assert {row["status"] for row in done.rows} == {"copied", "rebuilt", "left out"}
    assert parts["database neon"]["rows"] > 300
    assert parts["runs"]["rows"] >= 6
    assert "backup: database events" in done.err
    assert list(copy.home.iterdir()) == [target]
    record = json.loads((target / "backup.json").read_text())
    assert (record["problems"], record["parts"]) == ([], done.rows)

    # What runs in the source goes on there, untouched; in the copy nothing runs.
    with product.here() as instance:
        assert instance.get_run_by_id(running).status == dg.DagsterRunStatus.STARTED
        assert end_dead_runs(instance) == []
        instance.report_run_canceled(instance.get_run_by_id(running))
        runs = {run.run_id for run in instance.get_runs()}

    away = product.home / "away"
    stop_server(used.server)
    product.data.rename(away)
    try:
        outreach = Inside(copy, capsys)
        assert told(outreach) == before
        assert outreach("verify").code == 0
        with copy.here() as instance:
            statuses = {run.run_id: run.status.value for run in instance.get_runs()}
            assert runs < set(statuses), "and the verification"
            assert statuses[running] == statuses[record["run_id"]] == "CANCELED"
        assert alive(os.getpid())
        assert not (target / "dagster" / "up.json").exists()

        assert count(target / "duckdb" / "outreach_workbench.duckdb", "companies_good") > 10
        analytics = target / "duckdb" / "analytics.duckdb"
        exported = parts_of_export(target)
        assert count(analytics, "research.behavioral_events") == exported
        assert count(analytics, "mine") == 3
        assert count(target / "duckdb" / "filings.duckdb", "sections") > 0
        assert count(FilingFolder(target).writer, "sections") > 0
        for name in ("duckdb", "dagster/dagster.yaml", "operations"):
            assert find_bytes(target / name, f"{product.data}/") == []
        assert (target / "raw" / "behavioral_events_latest.parquet").resolve().parent == (
            target / "raw"
        )

        again = outreach("snapshot", "--state", "WV", "--json")
        assert (again.code, again.row["status"]) == (0, "published")
        server = ensure_running(embedded_folder(target))
        names = fetch(
            server.url("neon"),
            "SELECT count(*) FROM marketing.company_master WHERE company_name = 'half done'",
        )
        assert names == [(0,)], "what was never committed"
        # Sequences go on where they stood: both audit rows are there.
        assert fetch(server.url("neon"), "SELECT count(*) FROM shq.audit_log") == [(2,)]
        assert outreach("enrich", "pull").code == 0
        stop_server(server)
    finally:
        away.rename(product.data)
        used.server = start_server(embedded_folder(product.data))
        shutil.rmtree(target, ignore_errors=True)


# A DuckDB shell that somebody left open after writing a table of their own: it stands in the log.
SHELL = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("SET checkpoint_threshold = '1GB'")
connection.execute("CREATE TABLE mine AS SELECT * FROM range(3)")
print("open", flush=True)
sys.stdin.read()
"""


def parts_of_export(data: Path) -> int:
    (manifest,) = (data / "raw" / "manifests").glob("*.json")
    return json.loads(manifest.read_text())["file"]["rows"]


def test_a_filings_run_in_progress_and_a_damaged_file(
    used: Used, capsys: pytest.CaptureFixture[str]
) -> None:
    product, copy = used.product, used.copy("partly")
    target = copy.data
    outreach = Inside(product, capsys)
    refused = outreach("backup", str(product.data / "inside"))
    assert (refused.code, refused.out) == (2, "")
    assert "lie one in the other" in refused.err
    (version,) = product.folder("WV").published_versions()
    export = product.folder("WV").export(version, "people_bad")
    whole = export.read_bytes()
    export.unlink()
    export.write_bytes(whole[:-9])
    busy = NamedLock(FilingFolder(product.data).lock, "filings")
    busy.acquire("a long run", 1)
    try:
        done = outreach("backup", str(target), "--json")
    finally:
        busy.release()
        export.write_bytes(whole)
    assert done.code == 1
    assert f"WV {version}: exports/WV/people/bad/people_bad_{version}.parquet holds" in done.err
    assert f"(so it is in {product.data})" in done.err
    parts = {row["part"]: row for row in done.rows}
    assert "the published one stands for it" in parts["lake"]["message"]
    assert parts["database neon"]["status"] == "copied"
    assert json.loads((target / "backup.json").read_text())["problems"]

    # The published database is where the writer's begins.
    assert not FilingFolder(target).writer.exists()
    assert Inside(copy, capsys)("filings", "extract").code == 0
    assert count(FilingFolder(target).writer, "sections") == count(
        target / "duckdb" / "filings.duckdb", "sections"
    )
    shutil.rmtree(target)


def begun(used: Used, target: Path, line: str) -> subprocess.Popen[str]:
    """A backup in a process of its own, once it has said something."""
    process = used.product.start("backup", str(target))
    assert process.stderr
    for said in process.stderr:
        if line in said:
            return process
    raise AssertionError("it ended before")


def servers_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_interrupted_killed_and_twice_at_once(
    used: Used, capsys: pytest.CaptureFixture[str]
) -> None:
    outreach, backups = Inside(used.product, capsys), used.copy("backups").home
    stopped, killed = backups / "stopped", backups / "killed"
    execute(used.server.url("events"), "CREATE TABLE locked (n int)")
    holder = psycopg2.connect(used.server.url("events").conninfo)
    holder.cursor().execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
    try:
        # Ctrl-C: 130, and nothing is left.
        process = begun(used, stopped, "database events")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert list(backups.iterdir()) == []
        assert servers_of(partial_of(stopped)) == []

        # While one is under way, another one to the same place is refused by name.
        process = begun(used, killed, "database events")
        second = outreach("backup", str(killed))
        assert second.code == 1
        assert "is busy: run " in second.err
        assert partial_of(killed).is_dir()

        # kill -9: the partial folder stays, no process does.
        process.kill()
        process.wait(60)
        wait_until(lambda: not servers_of(partial_of(killed)), "its server ends")
        assert [path.name for path in backups.iterdir()] == ["killed.partial"]
    finally:
        holder.close()
        execute(used.server.url("events"), "DROP TABLE locked")

    # The next one, to another place, removes what the killed one left.
    done = outreach("backup", str(backups / "next"))
    assert done.code == 0, done.err
    assert [path.name for path in backups.iterdir()] == ["next"]
    assert "the backup stands in" in done.err
    with used.product.here() as instance:
        ended = [r.status.value for r in instance.get_runs() if r.job_name == "backup_job"]
    # Newest first: whole, refused, killed; the interrupted one is before them.
    assert ended[:3] == ["SUCCESS", "FAILURE", "FAILURE"]
