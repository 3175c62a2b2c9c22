"""Ctrl-C at every stage of `outreach events` and kill -9 in mid-run: the next run is whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import psycopg2
import pyarrow.parquet as pq
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.layout import EventFolder
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import create_source, event, event_id, insert_events
from outreach_platform_tests.support.postgres import (
    drop_database,
    fetch,
    fresh_database,
    wait_until,
)
from outreach_platform_tests.support.product import Inside, Product, url_text

ARGUMENTS = ("events", "--days", "4", "--full", "--sync-duckdb", "--json")
STAGES = [
    "pulling protocols and phases",
    "writing the export",
    "building the research database",
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    url = fresh_database(pg_server, "events_interrupts")
    create_source(url)
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        event(timestamp=now - timedelta(days=n % 3), userId=event_id(n % 6, "w")) for n in range(20)
    ]
    insert_events(url, rows)
    yield url
    drop_database(pg_server, "events_interrupts")


@pytest.fixture
def product(url: DatabaseUrl, tmp_path: Path) -> Product:
    return Product(tmp_path, {"DATABASE_URL": url_text(url)})


@contextmanager
def locked_table(url: DatabaseUrl) -> Iterator[None]:
    """Nobody can read the events inside the block: a run hangs inside its driver."""
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute('LOCK TABLE "BehavioralEvent" IN ACCESS EXCLUSIVE MODE')
        yield
    finally:
        connection.close()


def wait_for_lock(url: DatabaseUrl) -> None:
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        f"AND datname = '{url.params['dbname']}'"
    )
    wait_until(lambda: fetch(url.with_database("postgres"), waiting), "the run hangs")


def statuses(product: Product) -> list[str]:
    with product.here() as instance:
        return [run.status.value for run in instance.get_runs()]


def assert_whole(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    """The next run ends well, and nothing of those before is left."""
    done = Inside(product, capsys)(*ARGUMENTS)
    assert done.code == 0, done.err
    assert (done.row["rows"], done.row["research"]) == (20, "view")
    folder = EventFolder(product.data)
    assert folder.latest.resolve() == Path(done.row["file"])
    manifests = {path.stem for path in folder.manifests.glob("*.json")}
    exports = {path.stem for path in folder.raw.glob("*.parquet") if not path.is_symlink()}
    assert manifests == exports
    for export in folder.exports():
        assert pq.read_metadata(folder.export(export.stamp)).num_rows == 20
    leftovers = [p for p in product.data.rglob("*") if ".partial" in p.name or ".tmp" in p.name]
    assert leftovers == []
    database = product.data / "duckdb" / "analytics.duckdb"
    with duckdb.connect(str(database), read_only=True) as shell:
        asked = "SELECT max(stamp) FROM research.exports"
        assert shell.execute(asked).fetchall() == [(done.row["version"],)]
    assert all(run.is_finished for run in _runs(product))


def _runs(product: Product) -> list[dg.DagsterRun]:
    with product.here() as instance:
        return list(instance.get_runs())


def test_ctrl_c_at_every_stage(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in STAGES:
        with product.start(*ARGUMENTS) as process:
            assert process.stderr
            for line in process.stderr:
                if stage in line:
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, ""), stage
        assert err.splitlines()[-1].startswith("interrupted;"), stage
        assert "Traceback" not in err
    assert all(run.is_finished for run in _runs(product))
    assert "SUCCESS" not in statuses(product)
    assert_whole(product, capsys)


def test_ctrl_c_while_a_driver_hangs(
    product: Product, url: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked_table(url), product.start(*ARGUMENTS) as process:
        wait_for_lock(url)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("interrupted;")
    assert statuses(product) == ["CANCELED"]
    assert EventFolder(product.data).newest() is None
    assert_whole(product, capsys)


def test_a_killed_run_is_ended_by_the_next(
    product: Product, url: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked_table(url), product.start(*ARGUMENTS) as process:
        wait_for_lock(url)
        process.kill()
        process.communicate()
    assert statuses(product) == ["STARTED"]
    assert_whole(product, capsys)
    assert statuses(product) == ["SUCCESS", "FAILURE"]
    with product.here() as instance:
        said = [entry.to_json() for entry in instance.all_logs(instance.get_runs()[1].run_id)]
    assert any(f"process {process.pid} is gone" in text for text in said)
