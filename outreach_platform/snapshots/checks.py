"""The checks on outreach assets. Blocking ones hold back everything after the split.

They gate one run only; what has an effect outside reads the stored verdict as well and refuses
without an explicit pass. Every check yields exactly one result on every path.
"""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import dagster as dg

from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import read_record
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.partitions import date_and_state, day_and_state
from outreach_platform.records.columns import ENTITIES
from outreach_platform.records.contract import contract_problems
from outreach_platform.snapshots.assets import key
from outreach_platform.snapshots.gates import GateRecord, Switch
from outreach_platform.snapshots.layout import PullRecord
from outreach_platform.snapshots.pull import zero_rows_warning
from outreach_platform.snapshots.resources import SnapshotRuns

_SWITCHES: dict[Switch, tuple[str, str, str]] = {
    "K1": (
        "k1_bad_ratio",
        "companies_bad",
        "K1: the share of bad companies is not above the state's limit.",
    ),
    "K2": (
        "k2_row_delta",
        "companies_good",
        "K2: the number of rows did not jump since the last published snapshot.",
    ),
    "K3": (
        "k3_id_integrity",
        "companies_good",
        "K3: no company id is null or stands twice. Cannot be overridden.",
    ),
}


def _check(name: str, asset: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Partitioned checks are a preview in 1.13, which is pinned; tests hold what we rely on.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name=name,
            asset=key(asset),
            description=description,
            blocking=blocking,
            partitions_def=date_and_state,
        )


@dg.multi_asset_check(
    name="raw_checks",
    specs=[
        *(
            _check(
                "schema_contract",
                f"{entity.name}_raw",
                "The needed columns are there with types that the rules can read (Pandera).",
                blocking=True,
            )
            for entity in ENTITIES
        ),
        _check(
            "schema_unchanged",
            "companies_raw",
            "No source column came, went or changed its type since the last pull (warns).",
            blocking=False,
        ),
        _check(
            "rows_found",
            "companies_raw",
            "The state has companies under some spelling (warns).",
            blocking=False,
        ),
    ],
)
def raw_checks(
    context: dg.AssetCheckExecutionContext, snapshots: SnapshotRuns
) -> Iterator[dg.AssetCheckResult]:
    """Hold the raw rows against the contract at the edge."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        version = run.select_version(day)
        with run.audited(version):
            record = read_record(run.folder.pull_record(version), PullRecord)
            problems = {
                entity.name: contract_problems(
                    entity, run.folder.table(version, f"{entity.name}_raw")
                )
                for entity in ENTITIES
            }
    told = [sentence for sentences in problems.values() for sentence in sentences]
    # No step will follow that could audit this end of the run.
    if told:
        with suppress(SourceError), run.audited(version):
            raise SourceError("; ".join(told))
    for entity in ENTITIES:
        yield dg.AssetCheckResult(
            asset_key=key(f"{entity.name}_raw"),
            check_name="schema_contract",
            passed=not problems[entity.name],
            description="; ".join(problems[entity.name]) or "as agreed",
        )
    yield _warning("schema_unchanged", "; ".join(record.schema_changes))
    yield _warning("rows_found", zero_rows_warning(record))


def _warning(name: str, sentence: str | None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key("companies_raw"),
        check_name=name,
        passed=not sentence,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence or "as expected",
    )


@dg.multi_asset_check(
    name="kill_switches",
    specs=[
        *(_check(name, asset, text, blocking=True) for name, asset, text in _SWITCHES.values()),
        *(
            _check(
                "nothing_lost",
                f"{entity.name}_good",
                "good + bad = raw, and no person's id stands twice.",
                blocking=True,
            )
            for entity in ENTITIES
        ),
    ],
)
def kill_switches(
    context: dg.AssetCheckExecutionContext, snapshots: SnapshotRuns
) -> Iterator[dg.AssetCheckResult]:
    """Judge the split, store the verdict, and show all of it."""
    day, _ = day_and_state(context.partition_key)
    with failing_clearly():
        run = snapshots.start(context)
        gates = run.judge(run.select_version(day))
    for verdict in gates.verdicts:
        log = context.log.error if verdict.stops else context.log.info
        log(verdict.message)
    yield from (_switch_result(gates, switch) for switch in _SWITCHES)
    for entity in ENTITIES:
        yield dg.AssetCheckResult(
            asset_key=key(f"{entity.name}_good"),
            check_name="nothing_lost",
            passed=gates.nothing_lost,
            description=gates.lost_message,
        )


def _switch_result(gates: GateRecord, switch: Switch) -> dg.AssetCheckResult:
    name, asset, _ = _SWITCHES[switch]
    verdict = gates.verdict(switch)
    metadata: dict[str, Any] = {
        "message": verdict.message,
        "limit": verdict.limit,
        "version": gates.version,
    }
    if verdict.measured is not None:
        metadata["measured"] = verdict.measured
    if gates.baseline is not None and switch == "K2":
        metadata["baseline"] = gates.baseline.version
    if verdict.override is not None:
        metadata["override"] = dg.MetadataValue.json(verdict.override.model_dump(mode="json"))
    if verdict.warnings:
        metadata["warnings"] = "; ".join(verdict.warnings)
    return dg.AssetCheckResult(
        asset_key=key(asset),
        check_name=name,
        passed=not verdict.stops,
        description=verdict.message,
        metadata=metadata,
    )
