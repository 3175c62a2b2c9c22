"""The whole graph as text, which a reviewer can read, and what loading it may not do.

`OUTREACH_UPDATE_GRAPH=1 pytest outreach_platform_tests/test_definitions.py` writes graph.txt anew.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from outreach_platform.definitions import build_defs, defs
from outreach_platform.resources import PlatformSettings
from outreach_platform.settings import Settings
from outreach_platform.snapshots.layout import TABLES
from outreach_platform_tests.support.postgres import ROOT

GRAPH = Path(__file__).with_name("graph.txt")
UPDATE = "OUTREACH_UPDATE_GRAPH"


def described(definitions: dg.Definitions) -> str:
    """Everything of the graph that users and schedules rely on, a fact a line."""
    return "\n".join(
        [
            *_assets(definitions),
            *_checks(definitions),
            *_jobs(definitions),
            *_schedules(definitions),
            *_sensors(definitions),
            *_resources(definitions),
            "",
        ]
    )


def _assets(definitions: dg.Definitions) -> Iterator[str]:
    for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda s: s.key):
        yield f"asset {spec.key.to_user_string()}"
        yield f"  group: {spec.group_name}"
        yield f"  deps: {_names(dep.asset_key.to_user_string() for dep in spec.deps)}"
        yield f"  kinds: {_names(spec.kinds)}"
        yield f"  owners: {_names(spec.owners)}"
        yield f"  code version: {spec.code_version}"
        yield f"  partitions: {_partitions(spec.partitions_def)}"
        yield f"  description: {spec.description}"


def _checks(definitions: dg.Definitions) -> Iterator[str]:
    apart = [spec for check in definitions.asset_checks or [] for spec in check.check_specs]
    made = [a for a in definitions.assets or [] if isinstance(a, dg.AssetsDefinition)]
    specs = [*apart, *(spec for asset in made for spec in asset.check_specs)]
    for spec in sorted(specs, key=lambda s: (s.asset_key, s.name)):
        yield f"check {spec.asset_key.to_user_string()}: {spec.name}"
        yield f"  blocking: {'yes' if spec.blocking else 'no'}"
        yield f"  partitions: {_partitions(spec.partitions_def)}"
        yield f"  description: {spec.description}"


def _jobs(definitions: dg.Definitions) -> Iterator[str]:
    for found in sorted(definitions.jobs or [], key=lambda job: job.name):
        job = definitions.resolve_job_def(found.name)
        yield f"job {job.name}"
        yield f"  executor: {job.executor_def.name}"
        yield f"  partitions: {_partitions(job.partitions_def)}"
        yield f"  steps: {_names(node.name for node in job.nodes)}"
        yield f"  description: {job.description}"


def _schedules(definitions: dg.Definitions) -> Iterator[str]:
    for found in sorted(definitions.schedules or [], key=lambda schedule: schedule.name):
        schedule = definitions.resolve_schedule_def(found.name)
        yield f"schedule {schedule.name}"
        yield f"  job: {schedule.job_name}"
        yield f"  cron: {schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"  status: {schedule.default_status.value}"
        yield f"  description: {schedule.description}"


def _sensors(definitions: dg.Definitions) -> Iterator[str]:
    for found in sorted(definitions.sensors or [], key=lambda sensor: sensor.name):
        sensor = definitions.resolve_sensor_def(found.name)
        yield f"sensor {sensor.name}"
        yield f"  job: {_names(job.name for job in (sensor.jobs if sensor.has_jobs else ()))}"
        yield f"  every: {sensor.minimum_interval_seconds} s"
        yield f"  status: {sensor.default_status.value}"
        yield f"  description: {sensor.description}"


def _resources(definitions: dg.Definitions) -> Iterator[str]:
    for name, resource in sorted((definitions.resources or {}).items()):
        yield f"resource {name}: {type(resource).__name__}"


def _names(values) -> str:
    return ", ".join(sorted(values)) or "-"


def _partitions(definition: dg.PartitionsDefinition | None) -> str:
    if definition is None:
        return "-"
    if isinstance(definition, dg.MultiPartitionsDefinition):
        parts = definition.partitions_defs
        return " x ".join(f"{p.name} ({_partitions(p.partitions_def)})" for p in parts)
    if isinstance(definition, dg.TimeWindowPartitionsDefinition):
        often = {"0 0 * * *": "daily", "0 0 1 1 *": "yearly"}[definition.cron_schedule]
        return (
            f"{often} from {definition.start:%Y-%m-%d} {definition.timezone}, "
            f"end offset {definition.end_offset}"
        )
    return ", ".join(definition.get_partition_keys())


def test_the_graph_is_the_one_in_the_file() -> None:
    """A change of the graph is a change of this file, which somebody reads."""
    text = described(defs)
    if os.environ.get(UPDATE):
        GRAPH.write_text(text, encoding="utf-8")
    assert text == GRAPH.read_text(encoding="utf-8"), f"run it with {UPDATE}=1 if that is meant"


def test_every_contract_asset_is_there() -> None:
    outreach = (
        *("companies_raw", "people_raw", *TABLES),
        *("parquet_exports", "b2_objects", "snapshots"),
    )
    events = ("behavioral_events", "behavioral_events_export", "research_behavioral_events")
    siblings = ("experiment_protocols", "phase_assignments", "its_results", "abab_results")
    enrichment = (
        *("company_invalid", "people_invalid", "company_needs_enrichment"),
        *("people_needs_enrichment", "pushed_to_neon", "revalidation", "promotions"),
    )
    filings = (
        *("filings", "filing_extracts", "sections", "tables", "footnotes", "chunks"),
        "data_health",
    )
    # Not in the contract: how what a snapshot rejected comes into the invalid tables.
    ours = ("quarantine",)
    keys = {spec.key for spec in defs.resolve_all_asset_specs()}
    assert keys == {
        *(dg.AssetKey(["outreach", name]) for name in outreach),
        *(dg.AssetKey(["events", name]) for name in (*events, *siblings)),
        *(dg.AssetKey(["enrichment", name]) for name in (*enrichment, *ours)),
        *(dg.AssetKey(["filings", name]) for name in filings),
        dg.AssetKey(["operations", "health"]),
        dg.AssetKey(["operations", "report"]),
    }


def test_every_step_after_the_split_waits_for_every_blocking_check() -> None:
    """Without the edge a blocking check would hold nothing back."""
    graph = defs.resolve_job_def("snapshot_job").dependencies
    waits_for = {node.name: set() for node in graph}
    for node, inputs in graph.items():
        for found in inputs.values():
            waits_for[node.name] |= {edge.node for edge in found.get_node_dependencies()}
    assert "raw_checks" in waits_for["split"]
    assert "kill_switches" in waits_for["outreach__parquet_exports"]
    assert waits_for["outreach__b2_objects"] >= {"outreach__parquet_exports"}
    assert waits_for["outreach__snapshots"] >= {"outreach__b2_objects"}


def test_promotion_waits_for_revalidation_and_that_for_the_push() -> None:
    graph = defs.resolve_job_def("promotion_job").dependencies
    waits = {
        node.name: {
            edge.node for found in inputs.values() for edge in found.get_node_dependencies()
        }
        for node, inputs in graph.items()
    }
    assert waits["enrichment__revalidation"] == {"enrichment__pushed_to_neon"}
    assert waits["enrichment__promotions"] == {"enrichment__revalidation"}


def test_definitions_are_valid_and_their_resources_can_be_exchanged() -> None:
    class Other(PlatformSettings):
        def load(self) -> Settings:
            raise NotImplementedError

    dg.Definitions.validate_loadable(defs)
    changed = build_defs({"platform": Other()})
    dg.Definitions.validate_loadable(changed)
    assert changed.resources
    assert isinstance(changed.resources["platform"], Other)
    assert changed.resources["snapshots"].platform is changed.resources["platform"]


LOAD = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError(f"network: {arguments}")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from outreach_platform.definitions import defs
import dagster as dg
dg.Definitions.validate_loadable(defs)
heavy = ["boto3", "botocore", "b2sdk", "ibis", "matplotlib", "pandas", "pandera", "pyarrow",
         "dagster_aws", "numpy", "scipy", "statsmodels", "dvc", "mlflow",
         "outreach_platform.embedded.sample.load"]
print([name for name in heavy if name in sys.modules])
"""


def test_loading_needs_no_environment_network_or_folder_and_imports_nothing_heavy(
    tmp_path: Path,
) -> None:
    """What a definition imports, every run and every `--help` of Dagster's waits for."""
    before = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path,
        # A value that would not pass: definitions must not even look.
        env={**before, "NEON_DATABASE_URL": "nonsense", "OUTREACH_SETTINGS": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert list(tmp_path.iterdir()) == []
