"""Kill switches at the level of Dagster's jobs, and the four ways round a blocking check.

One database and one data folder for all of it; each state stands for one situation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.jobs import daily_snapshots
from outreach_platform.partitions import date_and_state
from outreach_platform.records.states import STATES
from outreach_platform.snapshots import assets as snapshot_assets
from outreach_platform.snapshots import checks as snapshot_checks
from outreach_platform.snapshots.gates import GateRecord, Override
from outreach_platform.snapshots.layout import TABLES, Outcome, StateFolder
from outreach_platform.snapshots.overrides import add_override
from outreach_platform_tests.support.masters import COMPANIES, company, create_masters, insert
from outreach_platform_tests.support.postgres import drop_database, execute, fresh_database
from outreach_platform_tests.support.product import (
    Product,
    asset,
    audit_rows,
    failures,
    fill_state,
    materialized,
    published_nowhere,
    run_state,
    today,
    url_text,
)

pytestmark = pytest.mark.slow

SPLIT = {"companies_raw", "people_raw", *TABLES}
OUTSIDE = {"parquet_exports", "b2_objects", "snapshots"}
OUTSIDE_KEYS = [asset(name) for name in sorted(OUTSIDE)]


@dataclass
class House:
    """One product with its database and its open instance."""

    product: Product
    url: DatabaseUrl
    instance: dg.DagsterInstance

    def run(self, state: str, *arguments, **options) -> dg.ExecuteInProcessResult:
        return run_state(self.instance, state, *arguments, **options)

    def newest(self, state: str) -> tuple[StateFolder, str]:
        folder = self.product.folder(state)
        return folder, folder.versions()[-1]

    def verdict(self, state: str) -> GateRecord:
        folder, version = self.newest(state)
        return read_record(folder.verdict(version), GateRecord)


@pytest.fixture(scope="module")
def house(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url = fresh_database(pg_server, "checks")
    create_masters(url, primary_keys=False)
    fill_state(url, "PA", good=16, bad=4)
    fill_state(url, "MD")
    product = Product(tmp_path_factory.mktemp("checks"), {"NEON_DATABASE_URL": url_text(url)})
    with product.here() as instance:
        yield House(product, url, instance)
    drop_database(pg_server, "checks")


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """What each check of a run said, by name; of nothing_lost both."""
    found: dict[str, bool] = {}
    for evaluation in result.get_asset_check_evaluations():
        found[evaluation.check_name] = found.get(evaluation.check_name, True) and evaluation.passed
    return found


def assert_stopped(
    house: House, result: dg.ExecuteInProcessResult, state: str, switch: str, check: str
) -> None:
    """The run failed on one check, nothing left the house, and it stands everywhere why."""
    assert not result.success
    assert materialized(result) == SPLIT
    said = evaluations(result)
    assert {name for name, passed in said.items() if not passed} == {check}
    assert {"k1_bad_ratio", "k2_row_delta", "k3_id_integrity", "nothing_lost"} < set(said)
    run = house.instance.get_run_by_id(result.run_id)
    assert run
    assert run.status is dg.DagsterRunStatus.FAILURE
    gates = house.verdict(state)
    assert (gates.status, gates.passed, gates.run_id) == (
        f"{switch}_TRIGGERED",
        False,
        result.run_id,
    )
    folder, version = house.newest(state)
    assert read_record(folder.outcome(version), Outcome).status == "stopped"
    (row,) = [r for r in audit_rows(house.url, state) if r["run_id"] == result.run_id]
    assert row["kill_switch_status"] == f"{switch}_TRIGGERED"
    assert row["snapshot_version"] == version
    assert f"{switch} TRIGGERED" in row["error"]


def test_k1_stops_the_run_and_nothing_goes_round_it(house: House) -> None:
    result = house.run("PA")
    assert_stopped(house, result, "PA", "K1", "k1_bad_ratio")
    assert published_nowhere(house.product, "PA")
    assert "K1 TRIGGERED: Company bad ratio 20.0% > 15.0%" in log_of(house.instance, result.run_id)


def log_of(instance: dg.DagsterInstance, run_id: str) -> str:
    return "\n".join(str(entry.to_json()) for entry in instance.all_logs(run_id))


def test_way_1_the_rest_launched_alone_in_another_run(house: House) -> None:
    """A blocking check gates its own run only; the stored verdict gates all others."""
    for name in sorted(OUTSIDE):
        result = house.run("PA", assets=[asset(name)])
        assert not result.success
        assert materialized(result) == set()
        assert "is stopped, nothing was published: K1 TRIGGERED" in failures(result)
    result = house.run("PA", assets=OUTSIDE_KEYS)
    assert materialized(result) == set()
    assert published_nowhere(house.product, "PA")


@pytest.mark.slow
def test_way_2_a_run_with_its_checks_deselected(house: House) -> None:
    result = house.run(
        "PA", assets=[asset(n) for n in sorted(SPLIT | OUTSIDE)], without_checks=True
    )
    assert not result.success
    assert materialized(result) == SPLIT
    assert evaluations(result) == {}
    assert "has not been judged, so nothing is published" in failures(result)
    assert published_nowhere(house.product, "PA")
    folder, version = house.newest("PA")
    assert not folder.verdict(version).exists()
    # What no check spoke of is audited by the next pull, which gives the version up.
    house.run("PA", assets=[asset("companies_raw"), asset("people_raw")])
    (row,) = [r for r in audit_rows(house.url, "PA") if r["run_id"] == result.run_id]
    assert (row["kill_switch_status"], row["snapshot_version"]) == ("FAILED", version)


def with_kill_switches(check: dg.AssetChecksDefinition) -> dg.Definitions:
    """The whole graph with another check in the place of the kill switches."""
    from outreach_platform.definitions import defs

    return dg.Definitions(
        assets=dg.load_assets_from_modules([snapshot_assets]),
        asset_checks=[snapshot_checks.raw_checks, check],
        jobs=defs.jobs,
        resources=defs.resources,
        executor=dg.in_process_executor,
    )


@dg.multi_asset_check(name="kill_switches", specs=list(snapshot_checks.kill_switches.check_specs))
def _says_nothing() -> Iterator[dg.AssetCheckResult]:
    yield from ()


@dg.multi_asset_check(name="kill_switches", specs=list(snapshot_checks.kill_switches.check_specs))
def _says_yes() -> Iterator[dg.AssetCheckResult]:
    for spec in snapshot_checks.kill_switches.check_specs:
        yield dg.AssetCheckResult(passed=True, asset_key=spec.asset_key, check_name=spec.name)


@pytest.mark.slow
@pytest.mark.parametrize("check", [_says_nothing, _says_yes])
def test_way_3_a_check_without_a_result_of_ours(
    house: House, check: dg.AssetChecksDefinition
) -> None:
    """Dagster lets the rest run when a blocking check yields nothing; the verdict does not."""
    result = house.run("PA", defs=with_kill_switches(check))
    assert not result.success
    assert not materialized(result) & OUTSIDE
    assert published_nowhere(house.product, "PA")


@pytest.mark.slow
def test_way_3_a_check_that_errs(house: House) -> None:
    execute(
        house.url,
        "CREATE SCHEMA IF NOT EXISTS shq; CREATE TABLE shq.kill_switch_overrides (other int)",
    )
    try:
        result = house.run("MD")
    finally:
        execute(house.url, "DROP TABLE shq.kill_switch_overrides")
    assert not result.success
    assert materialized(result) == SPLIT
    assert "shq.kill_switch_overrides" in failures(result)
    assert published_nowhere(house.product, "MD")
    (row,) = audit_rows(house.url, "MD")
    assert row["kill_switch_status"] == "FAILED"
    assert not house.run("MD", assets=OUTSIDE_KEYS).success
    assert published_nowhere(house.product, "MD")


def snapshot_job_again() -> dg.JobDefinition:
    """For Dagster, which rebuilds a job in order to execute it again."""
    from outreach_platform.definitions import defs

    return defs.resolve_job_def("snapshot_job")


@pytest.mark.slow
def test_way_4_re_execution_from_failure(house: House) -> None:
    first = house.run("PA")
    with dg.execute_job(
        dg.reconstructable(snapshot_job_again),
        house.instance,
        reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, house.instance),
        raise_on_error=False,
    ) as again:
        assert not again.success
        assert again.get_failed_step_keys() == {"kill_switches"}
    with dg.execute_job(
        dg.reconstructable(snapshot_job_again),
        house.instance,
        reexecution_options=dg.ReexecutionOptions(
            parent_run_id=first.run_id, step_selection=["outreach__parquet_exports*"]
        ),
        raise_on_error=False,
    ) as rest:
        assert not rest.success
        assert rest.get_failed_step_keys() == {"outreach__parquet_exports"}
    assert published_nowhere(house.product, "PA")


@pytest.mark.slow
@pytest.mark.parametrize("names", [sorted(OUTSIDE), sorted(SPLIT | OUTSIDE)])
@pytest.mark.parametrize("days", [1, 2])
def test_way_4_one_run_for_a_range_of_partitions(house: House, names: list[str], days: int) -> None:
    """As a backfill in one run launches it; a range of one partition is an ordinary run."""
    last = today()
    job = dg.define_asset_job("ranged", selection=[asset(name) for name in names])
    result = job.resolve(
        asset_graph=snapshot_job_again().asset_layer.asset_graph
    ).execute_in_process(
        instance=house.instance,
        tags={
            "dagster/asset_partition_range_start": f"{last - timedelta(days=days - 1)}|PA",
            "dagster/asset_partition_range_end": f"{last}|PA",
        },
        raise_on_error=False,
    )
    assert not result.success
    assert materialized(result) == (SPLIT if days == 1 and "companies_raw" in names else set())
    assert published_nowhere(house.product, "PA")


@pytest.mark.slow
def test_k2_stops_a_jump_and_what_stood_before_stays(house: House) -> None:
    fill_state(house.url, "VA", good=60)
    assert house.run("VA").success
    folder, before = house.newest("VA")
    fill_state(house.url, "VA", good=30)
    result = house.run("VA")
    assert_stopped(house, result, "VA", "K2", "k2_row_delta")
    assert folder.published_versions() == folder.exported_versions() == [before]
    assert f"50.0% > 30.0% since {before}" in house.verdict("VA").verdict("K2").message
    # The stopped version is no baseline: the same rows again are the same jump.
    assert_stopped(house, house.run("VA"), "VA", "K2", "k2_row_delta")
    (event,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "k2_row_delta"]
    assert event.metadata["baseline"].value == before
    assert event.metadata["measured"].value == 0.5
    assert event.metadata["limit"].value == 0.3


@pytest.mark.slow
def test_k3_stops_null_and_doubled_ids_and_no_override_helps(house: House) -> None:
    here = {"address_state": "DE", "state_abbrev": "DE"}
    fill_state(house.url, "DE", good=3)
    insert(house.url, COMPANIES, [company(**here, company_unique_id=None)])
    result = house.run("DE")
    assert_stopped(house, result, "DE", "K3", "k3_id_integrity")
    for switch in ("K1", "K2"):
        add_override(house.url, override("DE", switch))
    # Past the product's own refusal: a row for K3 that somebody forced into the table.
    execute(
        house.url,
        "ALTER TABLE shq.kill_switch_overrides "
        "DROP CONSTRAINT kill_switch_overrides_kill_switch_check;"
        "INSERT INTO shq.kill_switch_overrides (state, kill_switch, valid_until, reason, "
        "created_by) VALUES ('DE', 'K3', current_date + 1, 'forced', 'somebody')",
    )
    try:
        result = house.run("DE")
    finally:
        execute(house.url, "DELETE FROM shq.kill_switch_overrides WHERE kill_switch = 'K3'")
    assert not result.success
    assert not materialized(result) & OUTSIDE
    assert published_nowhere(house.product, "DE")


def override(state: str, switch: str, until: date | None = None) -> Override:
    return Override.model_validate(
        {
            "state": state,
            "switch": switch,
            "until": until or today(),
            "reason": "list bought",
            "by": "Ann Lee",
        }
    )


def evaluated(house: House, moment: datetime) -> list:
    context = dg.build_schedule_context(house.instance, scheduled_execution_time=moment)
    return list(daily_snapshots(context))  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [-3, -1, 1])
def test_a_tick_of_another_day_asks_for_nothing(house: House, days: int) -> None:
    """As when the daemon was away; every one of its runs would be refused, with an alarm each."""
    (answer,) = evaluated(house, datetime.now(UTC) + timedelta(days=days))
    assert isinstance(answer, dg.SkipReason)
    assert "is not today" in str(answer.skip_message)


@pytest.mark.slow
def test_the_schedule_asks_for_each_state_and_an_override_lets_one_pass_until_its_date(
    house: House,
) -> None:
    """What the schedule asks for is run: a stop of one state leaves the others alone."""
    requests = list(evaluated(house, datetime.now(UTC)))
    assert [r.partition_key.keys_by_dimension for r in requests] == [
        {"date": today().isoformat(), "state": state} for state in STATES
    ]
    assert len({r.run_key for r in requests}) == len(STATES)
    fill_state(house.url, "WV", good=8)
    fill_state(house.url, "OH", good=6, bad=4)
    asked = {r.tags["outreach/state"]: r for r in requests}

    def scheduled(state: str) -> dg.ExecuteInProcessResult:
        return house.run(state, date.fromisoformat(asked[state].partition_key.split("|")[0]))

    stopped = scheduled("OH")
    assert_stopped(house, stopped, "OH", "K1", "k1_bad_ratio")
    assert scheduled("WV").success

    add_override(house.url, override("OH", "K2"))
    assert not scheduled("OH").success, "an override of another switch"
    add_override(house.url, override("OH", "K1"))
    passed = scheduled("OH")
    assert passed.success
    assert materialized(passed) == SPLIT | OUTSIDE
    gates = house.verdict("OH")
    assert (gates.status, gates.passed) == ("OK", True)
    assert "overridden until" in gates.verdict("K1").message
    (row,) = [r for r in audit_rows(house.url, "OH") if r["run_id"] == passed.run_id]
    assert row["kill_switch_status"] == "OK"
    assert [(o["switch"], o["by"], o["reason"]) for o in row["overrides"]] == [
        ("K1", "Ann Lee", "list bought")
    ]
    (event,) = [e for e in passed.get_asset_check_evaluations() if e.check_name == "k1_bad_ratio"]
    assert event.passed
    assert event.metadata["override"].value["by"] == "Ann Lee"  # type: ignore[index]

    execute(
        house.url,
        "UPDATE shq.kill_switch_overrides SET valid_until = valid_until - 1 WHERE state = 'OH'",
    )
    expired = scheduled("OH")
    assert not expired.success
    assert not materialized(expired) & OUTSIDE
    assert house.verdict("OH").status == "K1_TRIGGERED"


@pytest.mark.slow
def test_no_rows_warn_loudly_and_stop_nothing(house: House) -> None:
    execute(house.url, "DELETE FROM marketing.company_master WHERE state_abbrev = 'MD'")
    result = house.run("MD")
    assert result.success
    (event,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "rows_found"]
    assert not event.passed
    assert event.severity is dg.AssetCheckSeverity.WARN
    assert "0 companies found for Maryland" in str(event.description)
    assert "'PA' 20" in str(event.description)
    assert "MD: 0 companies found" in log_of(house.instance, result.run_id)


@pytest.mark.slow
def test_evaluations_are_kept_by_partition(house: House) -> None:
    """One state's evaluation does not stand for another's."""
    key = dg.AssetCheckKey(asset("companies_bad"), "k1_bad_ratio")
    history = house.instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    seen: set[tuple[str, str]] = set()
    for record in history:
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        partition = event.asset_check_evaluation_data.partition
        if partition is None:
            continue  # Dagster stores none for a run over a range, even of one partition
        seen.add((partition, record.status.value))
    day = today().isoformat()
    # Other tests of this file ran them: Maryland always passes, Pennsylvania is dirty.
    assert {(f"{day}|MD", "SUCCEEDED"), (f"{day}|PA", "FAILED")} <= seen
    assert (f"{day}|MD", "FAILED") not in seen


def test_every_blocking_check_is_partitioned_like_its_asset() -> None:
    for definition in (snapshot_checks.raw_checks, snapshot_checks.kill_switches):
        for spec in definition.check_specs:
            assert spec.partitions_def == date_and_state, spec.name


@pytest.mark.slow
def test_a_changed_column_warns_and_one_of_another_type_stops(
    pg_server: EmbeddedServer, tmp_path: Path
) -> None:
    url = fresh_database(pg_server, "contract")
    product = Product(tmp_path, {"NEON_DATABASE_URL": url_text(url)})
    try:
        create_masters(url)
        fill_state(url, "WV", good=3)
        with product.here() as instance:
            assert run_state(instance, "WV").success
            execute(url, "ALTER TABLE marketing.company_master ADD COLUMN shoe_size int")
            grown = run_state(instance, "WV")
            assert grown.success
            (event,) = [
                e for e in grown.get_asset_check_evaluations() if e.check_name == "schema_unchanged"
            ]
            assert not event.passed
            assert "company_master.shoe_size is new" in str(event.description)
            execute(
                url,
                "ALTER TABLE marketing.company_master ALTER COLUMN website_url TYPE bytea "
                "USING website_url::bytea",
            )
            before = product.folder("WV").published_versions()
            broken = run_state(instance, "WV")
            assert not broken.success
            assert materialized(broken) == {"companies_raw", "people_raw"}
            assert not evaluations(broken)["schema_contract"]
            assert product.folder("WV").published_versions() == before
            (row,) = [r for r in audit_rows(url, "WV") if r["run_id"] == broken.run_id]
            assert row["kill_switch_status"] == "FAILED"
            assert "company_master.website_url is no text" in row["error"]
        shown = product("snapshot", "--state", "WV", "--json")
        assert shown.code == 1
        assert "company_master.website_url is no text" in shown.row["message"]
    finally:
        drop_database(pg_server, "contract")
