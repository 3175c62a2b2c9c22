"""The outreach assets: companies and people from PostgreSQL to published, recorded snapshots.

One run works on one day and one state. Each asset is a thin shell over `SnapshotRun`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb

from outreach_platform.operations.failures import failing_clearly
from outreach_platform.partitions import date_and_state, day_and_state
from outreach_platform.settings import Settings
from outreach_platform.snapshots import assets_metadata, display
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.pull import zero_rows_warning
from outreach_platform.snapshots.resources import SnapshotRuns, WorkbenchResource

GROUP = "outreach"
OWNERS = ["team:outreach"]


def key(name: str) -> dg.AssetKey:
    """The key of an asset of this wing."""
    return dg.AssetKey([GROUP, name])


def _about(name: str, description: str, kinds: set[str], deps: list[str]) -> dict[str, Any]:
    """What `AssetSpec` and `@asset` are both told."""
    return {
        "key": key(name),
        "description": description,
        "group_name": GROUP,
        "kinds": kinds,
        "owners": OWNERS,
        "deps": [key(dep) for dep in deps],
        "partitions_def": date_and_state,
        "code_version": "1",
    }


def _spec(name: str, description: str, kinds: set[str], deps: list[str]) -> dg.AssetSpec:
    return dg.AssetSpec(**_about(name, description, kinds, deps))


def _asset(name: str, description: str, kinds: set[str], deps: list[str]):
    return dg.asset(**_about(name, description, kinds, deps))


@dg.multi_asset(
    name="pull",
    specs=[
        _spec(
            "companies_raw",
            "Companies of one state as they stood in marketing.company_master at the pull, all "
            "columns and types kept. A past day is never pulled anew.",
            {"postgres", "parquet"},
            [],
        ),
        _spec(
            "people_raw",
            "People of those companies from marketing.people_master, under the same database "
            "snapshot.",
            {"postgres", "parquet"},
            [],
        ),
    ],
)
def pull(
    context: dg.AssetExecutionContext, snapshots: SnapshotRuns
) -> Iterator[dg.MaterializeResult]:
    """Pull one state's raw rows."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        record = snapshots.start(context).pull(day)
    for sentence in filter(None, [zero_rows_warning(record), *record.schema_changes]):
        context.log.warning(sentence)
    for name, file, columns in (
        ("companies_raw", record.companies, record.company_columns),
        ("people_raw", record.people, record.people_columns),
    ):
        yield dg.MaterializeResult(
            asset_key=key(name),
            metadata=assets_metadata.raw(record, file, columns),
            data_version=dg.DataVersion(file.sha256),
        )


@dg.multi_asset(
    name="split",
    specs=[
        _spec(
            "companies_good",
            "Companies that break no rule.",
            {"duckdb", "parquet"},
            ["companies_raw"],
        ),
        _spec(
            "companies_bad",
            "Companies that break a rule, with all of their codes in validation_errors.",
            {"duckdb", "parquet"},
            ["companies_raw"],
        ),
        _spec(
            "people_good",
            "People that break no rule and whose company is good.",
            {"duckdb", "parquet"},
            ["companies_raw", "people_raw"],
        ),
        _spec(
            "people_bad",
            "People that break a rule, with all of their codes in validation_errors.",
            {"duckdb", "parquet"},
            ["companies_raw", "people_raw"],
        ),
    ],
)
def split(
    context: dg.AssetExecutionContext, snapshots: SnapshotRuns
) -> Iterator[dg.MaterializeResult]:
    """Score the raw rows and split them into good and bad."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        record = run.split(run.select_version(day))
    for table in TABLES:
        yield dg.MaterializeResult(
            asset_key=key(table),
            metadata=assets_metadata.split(run.folder, record, table),
            data_version=dg.DataVersion(record.files[table].sha256),
        )


@_asset(
    "parquet_exports",
    "The four published Parquet files of a version and their manifest. Refused unless the stored "
    "verdict of the kill switches is a pass.",
    {"parquet"},
    list(TABLES),
)
def parquet_exports(
    context: dg.AssetExecutionContext, snapshots: SnapshotRuns
) -> dg.MaterializeResult:
    """Place the files and write the manifest."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        manifest = run.export(run.select_version(day))
    return dg.MaterializeResult(
        metadata=assets_metadata.exports(manifest),
        data_version=dg.DataVersion(manifest.version),
    )


@_asset(
    "b2_objects",
    "The same files and the manifest in the object store (Backblaze B2, S3 or the local folder), "
    "each verified by checksum.",
    {"b2"},
    ["parquet_exports"],
)
def b2_objects(context: dg.AssetExecutionContext, snapshots: SnapshotRuns) -> dg.MaterializeResult:
    """Upload and verify."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        objects = run.upload(run.select_version(day))
    return dg.MaterializeResult(metadata=assets_metadata.objects(objects))


@_asset(
    "snapshots",
    "The snapshot's row in the workbench and its row in shq.audit_log. From here on the version is "
    "published and is the baseline of K2.",
    {"duckdb"},
    ["b2_objects"],
)
def snapshots_table(
    context: dg.AssetExecutionContext, snapshots: SnapshotRuns, workbench: WorkbenchResource
) -> dg.MaterializeResult:
    """Audit, write the receipt and rebuild the workbench."""
    day, state = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        receipt, problems = run.record(run.select_version(day))
    for problem in problems:
        context.log.warning(problem)
    history = _history(context, workbench, run.settings, state)
    return dg.MaterializeResult(metadata=assets_metadata.snapshot(receipt, history))


def _history(
    context: dg.AssetExecutionContext, workbench: WorkbenchResource, settings: Settings, state: str
) -> list[display.HistoryRow]:
    """The last snapshots for the picture; without them the version is no less published."""
    try:
        with workbench.reading(settings) as connection:
            return display.history(connection, state)
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        context.log.warning(f"the picture is left out: the workbench cannot be read ({reason})")
        return []
