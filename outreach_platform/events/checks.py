"""The checks on the events' assets, evaluated where the assets are made.

A strict extraction that finds a violation fails after its checks were reported, so nothing
downstream runs; in the other modes the same violations warn.
"""

from collections.abc import Iterator

import dagster as dg

from outreach_platform.events import schema
from outreach_platform.events.records import ExportManifest, Extraction, SyncRecord
from outreach_platform.events.summary import NULL_RATE, ROW_DELTA

EVENTS = dg.AssetKey(["events", "behavioral_events"])
EXPORT = dg.AssetKey(["events", "behavioral_events_export"])
RESEARCH = dg.AssetKey(["events", "research_behavioral_events"])

_BY_CODE = {
    "unique_ids": (schema.ID_NOT_UNIQUE, "No id stands twice, in a day or across days."),
    "timestamp_not_future": (schema.NOT_FUTURE, "No event lies after now (UTC, small skew)."),
    "timestamp_reasonable": (schema.REASONABLE, "No event is older than five years."),
    "experiment_phase_requires_metadata": (
        schema.NEEDS_METADATA,
        "An event of an experiment phase names its context metadata.",
    ),
}
_CONTRACT = "schema_contract"
_WEEKDAY = "day_of_week_matches"


def _spec(name: str, asset: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name=name, asset=asset, description=description)


EVENT_CHECKS = [
    _spec(
        _CONTRACT,
        EVENTS,
        "Needed columns are there and filled, ids are CUIDs, enums, ranges and JSON are as agreed.",
    ),
    *(_spec(name, EVENTS, says) for name, (_, says) in _BY_CODE.items()),
    _spec(_WEEKDAY, EVENTS, "dayOfWeek is the timestamp's, 0 for Sunday (warns)."),
]
EXPORT_CHECKS = [
    _spec(
        "counts_equal_source",
        EXPORT,
        "Exported and quarantined events of each day are as many as the source counted.",
    ),
    _spec("row_delta", EXPORT, "Rows did not jump by over 50 % since the last export (warns)."),
    _spec(
        "null_rate",
        EXPORT,
        "Columns expected to be filled are null in at most 10 %, before validation (warns).",
    ),
]
RESEARCH_CHECKS = [
    _spec("synced", RESEARCH, "The research database shows the newest export (warns).")
]


def extraction_results(extraction: Extraction) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `EVENT_CHECKS`."""
    strict = extraction.validation == "strict"
    severity = dg.AssetCheckSeverity.ERROR if strict else dg.AssetCheckSeverity.WARN
    judged = extraction.validation != "none"
    named = {code for code, _ in _BY_CODE.values()}
    groups = {name: [code] for name, (code, _) in _BY_CODE.items()}
    groups[_CONTRACT] = [code for code in extraction.errors if code not in named]
    groups[_WEEKDAY] = [schema.DAY_MISMATCH]
    found = {**extraction.errors, **extraction.warnings}
    for name, codes in groups.items():
        counts = {code: found[code] for code in codes if code in found}
        description = ", ".join(f"{code}: {rows:,} rows" for code, rows in counts.items())
        yield dg.AssetCheckResult(
            asset_key=EVENTS,
            check_name=name,
            passed=judged and not counts,
            severity=dg.AssetCheckSeverity.WARN if name == _WEEKDAY else severity,
            description=description or (None if judged else "not validated"),
            metadata=_judged(extraction, sum(counts.values())),
        )


def _judged(extraction: Extraction, violations: int) -> dict[str, dg.MetadataValue]:
    days = 0 if extraction.validation == "none" else len(extraction.pulled)
    found: dict[str, dg.MetadataValue] = {
        "violations": dg.MetadataValue.int(violations),
        "days_judged": dg.MetadataValue.int(days),
    }
    if violations and extraction.report:
        found["report"] = dg.MetadataValue.path(extraction.report)
    return found


def export_results(
    manifest: ExportManifest, expected: tuple[str, ...]
) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `EXPORT_CHECKS`.

    Args:
        manifest: the export.
        expected: columns that are expected to be filled.
    """
    off = [day for day, d in manifest.days.items() if d.rows + d.quarantined != d.source_rows]
    yield dg.AssetCheckResult(
        asset_key=EXPORT,
        check_name="counts_equal_source",
        passed=not off,
        description=f"differs on {', '.join(off[:5])}" if off else None,
        metadata={"rows": sum(day.source_rows for day in manifest.days.values())},
    )
    delta = manifest.row_delta
    yield dg.AssetCheckResult(
        asset_key=EXPORT,
        check_name="row_delta",
        passed=delta is None or abs(delta) <= ROW_DELTA,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            "nothing to compare with" if delta is None else f"{delta:+.1%} to {manifest.previous}"
        ),
    )
    high = {c: r for c, r in manifest.null_rates.items() if c in expected and r > NULL_RATE}
    yield dg.AssetCheckResult(
        asset_key=EXPORT,
        check_name="null_rate",
        passed=not high,
        severity=dg.AssetCheckSeverity.WARN,
        description=", ".join(f"{column} {rate:.1%}" for column, rate in high.items()) or None,
        metadata={"null_rates": dg.MetadataValue.json(manifest.null_rates)},
    )


def sync_results(record: SyncRecord) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `RESEARCH_CHECKS`."""
    yield dg.AssetCheckResult(
        asset_key=RESEARCH,
        check_name="synced",
        passed=record.problem is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=record.problem,
    )
