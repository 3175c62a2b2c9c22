"""The sensor by real ticks, on a real instance, over real databases."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.enrichment import sensors
from outreach_platform.enrichment.sensors import ATTEMPTS, BATCH_TAG
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.dead_runs import HOST_TAG, PID_TAG, STARTED_TAG, run_tags
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.enrichment_jobs import (
    PROMOTION,
    Wing,
    addresses,
    opened,
    placed,
)
from outreach_platform_tests.support.postgres import execute, free_port, wait_until
from outreach_platform_tests.support.product import Product, failures

pytestmark = pytest.mark.slow

Opened = tuple[Product, dg.DagsterInstance]
SITE = "https://good.org"
SECRET = "canary-sensor-77"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("sensor"))
    with opened(product):
        yield product


@pytest.fixture
def home(product: Product) -> Iterator[Opened]:
    """A fresh instance a test, because the sensor looks at its runs; in memory, as that is quick.

    The test of a restart, and that of `outreach up`, have one on disk.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        yield product, instance


@pytest.fixture
def wing(home: Opened, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Wing:
    return placed(home, databases, monkeypatch)


@pytest.fixture
def complete(wing: Wing) -> Callable[..., list[str]]:
    """Makes companies that enrichers have completed."""

    def make(count: int = 1, website: str = SITE) -> list[str]:
        keys = wing.databases.add_companies(count)
        wing.prepare()
        wing.databases.complete(*keys, website=website)
        return keys

    return make


def tick(wing: Wing) -> dg.RunRequest | str:
    """What the sensor asks for, or why it does not."""
    from outreach_platform.definitions import defs

    sensor = defs.resolve_sensor_def("enrichment_complete")
    resources = defs.resources or {}
    needed = {name: resources[name] for name in sensor.required_resource_keys}
    with dg.build_sensor_context(instance=wing.instance, resources=needed) as context:
        answer = sensor.evaluate_tick(context)
    assert answer.cursor is None, "it keeps nothing in mind"
    if not answer.run_requests:
        assert answer.skip_message
        return answer.skip_message
    (request,) = answer.run_requests
    return request


def asked(wing: Wing) -> dg.RunRequest:
    answer = tick(wing)
    assert isinstance(answer, dg.RunRequest), answer
    return answer


def recorded(wing: Wing, request: dg.RunRequest, **tags: str) -> dg.DagsterRun:
    """A run as the daemon makes one of a request, which has not come to its end."""
    from outreach_platform.definitions import defs

    return wing.instance.create_run_for_job(
        defs.resolve_job_def(PROMOTION),
        tags={**request.tags, **tags},
        status=dg.DagsterRunStatus.STARTED,
    )


def launched(wing: Wing, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    tags = {"dagster/run_key": str(request.run_key), **request.tags}
    return wing.run(PROMOTION, tags=tags)


def test_nothing_to_do_says_why(wing: Wing) -> None:
    wing.databases.add_companies(2)
    assert tick(wing) == "no completed row waits"
    wing.prepare()
    assert tick(wing) == "no completed row waits"


def test_a_workspace_without_tables(
    wing: Wing, neon_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Databases(wing.databases.neon, neon_url)
    placed((wing.product, wing.instance), empty, monkeypatch)
    assert tick(wing) == "the workspace has no tables yet: `outreach enrich pull` makes them"


def test_completed_rows_are_promoted_once(wing: Wing, complete: Callable) -> None:
    """The tick, its repetition, the run, and the tick after it."""
    keys = complete(2)
    request = asked(wing)
    batch = request.tags[BATCH_TAG]
    assert request.run_key == f"{batch}-1"
    assert request.tags["outreach/company"] == "2"
    assert request.tags["outreach/people"] == "0"
    assert asked(wing).run_key == request.run_key, "Dagster drops a key that it has seen"
    result = launched(wing, request)
    assert result.success, failures(result)
    assert all(wing.databases.master(key) for key in keys)
    assert tick(wing) == "no completed row waits"
    before = wing.databases.dump()
    again = wing.promotion()
    assert again.success
    assert wing.databases.dump()[1] == before[1], "a duplicated run finds nothing to do"
    (other,) = complete(1)
    assert asked(wing).run_key != request.run_key
    assert other not in keys


def test_an_edit_asks_anew(wing: Wing, complete: Callable) -> None:
    (key,) = complete(1, website="no dot")
    first = asked(wing)
    assert launched(wing, first).success
    assert tick(wing) == "no completed row waits", "it is failed now, and back with its enricher"
    wing.databases.complete(key, website=SITE)
    second = asked(wing)
    assert second.run_key != first.run_key
    assert launched(wing, second).success
    assert wing.databases.master(key)


def test_a_batch_that_fails_is_tried_three_times(wing: Wing, complete: Callable) -> None:
    complete(1)
    execute(wing.databases.neon, "ALTER TABLE marketing.company_invalid RENAME TO away")
    keys, runs = [], []
    for _ in range(ATTEMPTS):
        request = asked(wing)
        keys.append(str(request.run_key))
        result = launched(wing, request)
        assert not result.success
        runs.append(result.run_id)
    batch = keys[0].removesuffix("-1")
    assert keys == [f"{batch}-{n}" for n in range(1, ATTEMPTS + 1)]
    assert tick(wing) == (
        f"1 rows are still complete after 3 runs, the last of them {runs[-1]}: see there what is "
        "wrong, then run `outreach enrich run`; the sensor tries again within an hour"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensors, "ATTEMPTS_WITHIN", timedelta(0))
        later = asked(wing)
        assert later.run_key == f"{batch}-{ATTEMPTS + 1}", "an hour later it tries once more"
    execute(wing.databases.neon, "ALTER TABLE marketing.away RENAME TO company_invalid")
    complete(1)
    again = asked(wing)
    assert again.run_key not in keys, "another row makes another batch"
    assert launched(wing, again).success
    assert tick(wing) == "no completed row waits"


def test_it_waits_for_a_run_at_work(wing: Wing, complete: Callable) -> None:
    complete(3)
    run = recorded(wing, asked(wing), **run_tags())
    assert tick(wing) == f"run {run.run_id} is still at work; 3 rows wait"
    wing.instance.report_run_failed(run)
    assert str(asked(wing).run_key).endswith("-2")


def test_it_ends_a_run_whose_process_was_killed(wing: Wing, complete: Callable) -> None:
    complete(1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tags = {**run_tags(), PID_TAG: str(process.pid), STARTED_TAG: "1"}
        process.kill()
    request = asked(wing)
    dead = recorded(wing, request, **tags)
    again = asked(wing)
    assert again.run_key == f"{request.tags[BATCH_TAG]}-2"
    found = wing.instance.get_run_by_id(dead.run_id)
    assert found
    assert found.status is dg.DagsterRunStatus.FAILURE
    assert launched(wing, again).success


def test_it_leaves_runs_of_other_hosts_alone(wing: Wing, complete: Callable) -> None:
    complete(1)
    run = recorded(wing, asked(wing), **{**run_tags(), HOST_TAG: "elsewhere", PID_TAG: "1"})
    assert tick(wing) == f"run {run.run_id} is still at work; 1 rows wait"


def test_rows_that_hang_ask_for_nothing(wing: Wing, complete: Callable) -> None:
    gone, stays = complete(2)
    execute(
        wing.databases.neon,
        f"DELETE FROM marketing.company_invalid WHERE company_unique_id = '{gone}'",
    )
    assert launched(wing, asked(wing)).success
    row = wing.databases.row(gone)
    assert row
    assert row["sync_problem"]
    assert row["enrichment_status"] == "complete"
    assert wing.databases.master(stays)
    assert tick(wing) == "no completed row waits"
    wing.databases.edit(gone, enrichment_notes="is it there again?")
    assert asked(wing).tags["outreach/company"] == "1"


@pytest.mark.parametrize("missing", ["NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"])
def test_one_url_alone_is_said(
    wing: Wing, complete: Callable, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    complete(1)
    monkeypatch.delenv(missing)
    answer = tick(wing)
    assert isinstance(answer, str)
    assert f"{missing} is not: enrichment works between the two" in answer
    assert not (wing.product.data / "embedded").exists()


@pytest.mark.slow
def test_a_workspace_that_is_away_fails_the_tick(
    wing: Wing, complete: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not look like one where nothing waits."""
    complete(1)
    url = f"postgresql://me:{SECRET}@127.0.0.1:{free_port()}/workspace"
    monkeypatch.setenv("SUPABASE_DATABASE_URL", url)
    with pytest.raises((SourceError, dg.DagsterError)) as caught:
        tick(wing)
    chain, said = caught.value, ""
    while chain is not None:
        said += f"{chain} "
        chain = chain.__cause__
    assert "workspace cannot be reached (connection refused)" in said
    assert SECRET not in said


TICK = """
from outreach_platform.definitions import defs
from outreach_platform.operations.instance import open_instance
from outreach_platform.settings import load_settings
import dagster as dg
sensor = defs.resolve_sensor_def("enrichment_complete")
with open_instance(load_settings().data_dir) as instance:
    resources = {"enrichment": defs.resources["enrichment"]}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        answer = sensor.evaluate_tick(context)
print(*[request.run_key for request in answer.run_requests or []])
"""


@pytest.mark.slow
def test_a_restart_asks_for_the_same_run(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process with its own instance object, as after a restart of the daemon."""
    product = Product(tmp_path)
    with product.here() as instance:
        wing = placed((product, instance), databases, monkeypatch)
        keys = databases.add_companies(2)
        wing.prepare()
        databases.complete(*keys, website=SITE)
        request = asked(wing)
        variables = product.variables(**addresses(databases))

        def elsewhere() -> str:
            return subprocess.run(
                [sys.executable, "-c", TICK],
                env=variables,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()

        assert elsewhere() == request.run_key
        run = recorded(wing, request, **run_tags())
        wing.instance.report_run_failed(run)
        assert elsewhere() == f"{request.tags[BATCH_TAG]}-2", "it knows of the first attempt"
        assert launched(wing, asked(wing)).success
        assert elsewhere() == ""


@pytest.mark.slow
def test_up_promotes_what_an_enricher_completes(databases: Databases, tmp_path: Path) -> None:
    """A real daemon, code server and run worker; the enricher only marks a row as complete."""
    product = Product(tmp_path, addresses(databases))
    (key,) = databases.add_companies(1)
    assert product("enrich", "pull").code == 0
    log = tmp_path / "up.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "outreach_platform", "up", "--port", str(free_port())],
            cwd=tmp_path,
            env=product.variables(),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "the UI is at" in log.read_text(), "the UI is up", seconds=180)
        databases.complete(key, website=SITE)
        wait_until(lambda: databases.master(key), "the row is promoted", seconds=150)

        def stamped() -> bool:
            row = databases.row(key)
            return bool(row and row["promoted_at"])

        wait_until(stamped, "the workspace is told", seconds=30)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    with product.here() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name=PROMOTION))
    assert len(runs) == 1
    assert runs[0].tags["dagster/sensor_name"] == "enrichment_complete"
    assert runs[0].tags["dagster/run_key"] == f"{runs[0].tags[BATCH_TAG]}-1"
