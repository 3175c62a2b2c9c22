"""Ctrl-C and kill -9 on the real command in mid-run: prompt, orderly, and the next run works."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import psycopg2
import pytest

from outreach_platform.commands.interrupts import obeying_interrupts
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import (
    alive,
    drop_database,
    fetch,
    fresh_database,
    wait_until,
)
from outreach_platform_tests.support.product import Product, audit_rows, fill_state, url_text


@pytest.fixture(scope="module")
def url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    url = fresh_database(pg_server, "interrupts")
    create_masters(url)
    fill_state(url, "WV", good=5)
    yield url
    drop_database(pg_server, "interrupts")


@pytest.fixture
def product(url: DatabaseUrl, tmp_path: Path) -> Product:
    return Product(tmp_path, {"NEON_DATABASE_URL": url_text(url)})


@contextmanager
def locked_table(url: DatabaseUrl) -> Iterator[None]:
    """Nobody can read the companies inside the block: a run hangs inside its driver."""
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE marketing.company_master IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        connection.close()


def start_and_hang(product: Product, url: DatabaseUrl) -> subprocess.Popen[str]:
    """A run of two states that waits for the table, in the first of them."""
    process = product.start("snapshot", "--state", "WV", "--state", "PA", "--json")
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        f"AND datname = '{url.params['dbname']}'"
    )
    wait_until(lambda: fetch(url.with_database("postgres"), waiting), "the run hangs")
    return process


def statuses(product: Product) -> list[str]:
    with product.here() as instance:
        return [run.status.value for run in instance.get_runs()]


def holders(product: Product) -> list[psutil.Process]:
    """Processes that have a file of the data folder open."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(f.path.startswith(str(product.data)) for f in process.open_files()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_driver_hangs(
    product: Product, url: DatabaseUrl, number: signal.Signals
) -> None:
    before = len(audit_rows(url, "WV"))
    with locked_table(url):
        process = start_and_hang(product, url)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        # The table stays locked: the command must not wait for it.
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("interrupted;")
    assert "PA" not in err, "the next state is not begun"
    assert "Traceback" not in err
    assert statuses(product) == ["CANCELED"]
    assert not any(alive(child.pid) for child in children)
    assert holders(product) == []

    done = product("snapshot", "--state", "WV", "--json")
    assert (done.code, done.row["status"]) == (0, "published")
    interrupted, published = audit_rows(url, "WV")[before:]
    assert interrupted["kill_switch_status"] == "FAILED"
    assert interrupted["error"] == "interrupted in the terminal"
    assert published["kill_switch_status"] == "OK"


@pytest.mark.slow
def test_a_killed_run_releases_its_state_and_ends_in_the_records(
    product: Product, url: DatabaseUrl
) -> None:
    with locked_table(url):
        process = start_and_hang(product, url)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert statuses(product) == ["STARTED"]
    assert list((product.data / "locks").glob("WV.holder.json")), "it could not clear up"
    done = product("snapshot", "--state", "WV", "--json")
    assert (done.code, done.row["status"]) == (0, "published")
    assert statuses(product) == ["SUCCESS", "FAILURE"]
    with product.here() as instance:
        killed = instance.get_runs()[1]
        said = [entry.to_json() for entry in instance.all_logs(killed.run_id)]
    assert any(f"process {process.pid} is gone" in text for text in said)
    (row,) = [r for r in audit_rows(url, "WV") if r["run_id"] == killed.run_id]
    assert row["kill_switch_status"] == "FAILED"
    assert row["error"] == "its process was killed or crashed"


@pytest.mark.slow
def test_an_interrupt_between_steps_of_python(product: Product, url: DatabaseUrl) -> None:
    """Where Python is at work Dagster ends the run itself, and the loop must not go on."""
    process = product.start("snapshot", "--all-states", "--json")
    assert process.stderr
    for line in process.stderr:
        if "asking the kill switches" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "interrupted;" in err
    assert "(6 of 6)" not in err
    with product.here() as instance:
        runs = instance.get_runs()
    assert all(run.is_finished for run in runs)
    assert 1 <= len(runs) < 6


def test_the_watch_hears_a_signal_and_goes(tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError("it had ended in time")

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt), obeying_interrupts(never) as came:
        assert not came.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert came.wait(10)
    assert came.is_set()
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(-1) == -1


def test_outside_the_main_thread_nothing_is_watched() -> None:
    found: list[bool] = []

    def elsewhere() -> None:
        with obeying_interrupts(lambda: None) as came:
            found.append(came.is_set())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.slow
def test_dagster_still_loses_interrupts() -> None:
    """Why the watch is needed: the day this fails, it may go."""

    @dg.op
    def interrupted_op() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    @dg.job
    def interrupted_job() -> None:
        interrupted_op()

    result = interrupted_job.execute_in_process(raise_on_error=False)
    assert not result.success
