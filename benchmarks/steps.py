"""One state's whole run in Dagster, against an empty graph of as many steps plus the bare work."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from benchmarks.measure import in_turns, show
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.embedded.sample import load_sample
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.partitions import date_and_state, partition_key
from outreach_platform.settings import Settings, load_settings
from outreach_platform.snapshots.run import SnapshotRun

OURS = "one state through snapshot_job"
BASE = "the same graph doing nothing, plus the bare work"
_ASSET_STEPS = ("pull", "split", "parquet_exports", "b2_objects", "snapshots_table")
_CHECK_STEPS = ("raw_checks", "kill_switches")
_STATE = "WV"


def run(server: EmbeddedServer, folder: Path, *, rounds: int) -> None:
    """Measure on sample data and print.

    Args:
        server: an embedded server of the benchmark's own.
        folder: scratch.
        rounds: how often each way is measured.
    """
    url = server.url("supabase")
    load_sample(url, server.url("postgres"), server.url("events"))
    os.environ["OUTREACH_DATA_DIR"] = str(folder / "steps")
    os.environ["NEON_DATABASE_URL"] = url.conninfo
    settings = load_settings()
    empty = _empty_graph()
    with ready_instance(settings.data_dir) as instance:
        key = partition_key(datetime.now(UTC).date(), _STATE)

        def ours() -> None:
            if not run_job(instance, "snapshot_job", partition_key=key).success:
                raise RuntimeError("the run failed; the benchmark means nothing")

        def base() -> None:
            empty.execute_in_process(
                instance=instance,
                partition_key=key,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            bare_work(settings.model_copy(update={"data_dir": folder / "bare"}), url)

        ours()  # imports and first tables are nobody's steady state
        base()
        timings = in_turns({OURS: ours, BASE: base}, rounds)
    show("a run's overhead, sample data", timings, OURS, {BASE: 1.3})


def bare_work(settings: Settings, url: DatabaseUrl) -> None:
    """What the run does, without Dagster."""
    store = LocalStore(settings.data_dir / "objects", "benchmark")
    step = SnapshotRun(settings, _STATE, url, store, run_id="benchmark")
    version = step.pull().version
    step.split(version)
    step.judge(version)
    step.export(version)
    step.upload(version)
    step.record(version)


def _empty_graph() -> dg.JobDefinition:
    """The same assets and checks in the same steps, each doing nothing."""
    from outreach_platform.snapshots import assets, checks

    definitions = [
        *(_empty_assets(getattr(assets, name)) for name in _ASSET_STEPS),
        *(_empty_checks(getattr(checks, name)) for name in _CHECK_STEPS),
    ]
    return dg.Definitions(
        assets=definitions[: len(_ASSET_STEPS)],
        asset_checks=definitions[len(_ASSET_STEPS) :],
        jobs=[dg.define_asset_job("empty", partitions_def=date_and_state)],
        executor=dg.in_process_executor,
    ).resolve_job_def("empty")


def _empty_assets(original: dg.AssetsDefinition) -> dg.AssetsDefinition:
    specs = list(original.specs)

    @dg.multi_asset(name=f"empty_{original.op.name}", specs=specs)
    def nothing() -> Iterator[dg.MaterializeResult]:
        for spec in specs:
            yield dg.MaterializeResult(asset_key=spec.key)

    return nothing


def _empty_checks(original: dg.AssetChecksDefinition) -> dg.AssetChecksDefinition:
    specs = list(original.check_specs)

    @dg.multi_asset_check(name=f"empty_{original.op.name}", specs=specs)
    def nothing() -> Iterator[dg.AssetCheckResult]:
        for spec in specs:
            yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True)

    return nothing
