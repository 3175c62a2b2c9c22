"""The checks on the enrichment assets, evaluated where the assets are made.

Those between push, revalidation and promotion block: what follows does not run when they fail.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from outreach_platform.enrichment.funnel import Reconciliation
from outreach_platform.enrichment.records import StageRecord

GROUP = "enrichment"
PUSHED = dg.AssetKey([GROUP, "pushed_to_neon"])
REVALIDATION = dg.AssetKey([GROUP, "revalidation"])
PROMOTIONS = dg.AssetKey([GROUP, "promotions"])

Few = tuple[int, tuple[str, ...]]


def _spec(
    name: str, asset: dg.AssetKey, description: str, *, blocking: bool = False
) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name=name, asset=asset, description=description, blocking=blocking)


def workspace_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of one workspace table."""
    return [
        _spec("every_row_pulled", asset, "Every invalid row has its row in the workspace."),
        _spec(
            "every_row_has_a_source",
            asset,
            "Every row of the workspace is an invalid row or was promoted (warns).",
        ),
        _spec("statuses_known", asset, "Every row has one of the four statuses (warns)."),
    ]


PUSH_CHECKS = [
    _spec(
        "no_lost_edit",
        PUSHED,
        "Neon has the content of every row that is marked as pushed.",
        blocking=True,
    ),
    _spec("every_row_matched", PUSHED, "Every completed row found its row in Neon (warns)."),
]
REVALIDATION_CHECKS = [
    _spec(
        "every_row_judged",
        REVALIDATION,
        "Every completed record has a verdict in Neon.",
        blocking=True,
    )
]
PROMOTION_CHECKS = [
    _spec(
        "nothing_promoted_twice",
        PROMOTIONS,
        "No record that was promoted still stands in the invalid table.",
    ),
    _spec(
        "nothing_lost",
        PROMOTIONS,
        "Promoted, held and failed records are as many as were judged or taken.",
    ),
]


def workspace_results(
    asset: dg.AssetKey, record: StageRecord, found: Reconciliation, undefined: int
) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `workspace_specs`."""
    yield _result(
        asset, "every_row_pulled", found.not_pulled, problems=record.problems, of="not pulled"
    )
    yield _result(
        asset, "every_row_has_a_source", found.orphans, warns=True, of="without source or promotion"
    )
    yield dg.AssetCheckResult(
        asset_key=asset,
        check_name="statuses_known",
        passed=not undefined,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(record.problems) if undefined else None,
        metadata={"rows": undefined},
    )


def push_results(records: Sequence[StageRecord], lost: Few) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `PUSH_CHECKS`."""
    yield _result(PUSHED, "no_lost_edit", lost, of="rows whose content Neon lacks")
    problems = [problem for record in records for problem in record.problems]
    yield dg.AssetCheckResult(
        asset_key=PUSHED,
        check_name="every_row_matched",
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(problems[:3]) or None,
        metadata={"rows": len(problems)},
    )


def revalidation_results(unjudged: Few) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `REVALIDATION_CHECKS`."""
    yield _result(REVALIDATION, "every_row_judged", unjudged, of="complete and without a verdict")


def promotion_results(
    promoted: Sequence[StageRecord], judged: Mapping[str, StageRecord], doubled: Few
) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `PROMOTION_CHECKS`.

    Args:
        promoted: what was promoted, by entity.
        judged: what the same run judged before; empty where it judged nothing.
        doubled: promoted records that still stand in the invalid table.
    """
    yield _result(PROMOTIONS, "nothing_promoted_twice", doubled, of="promoted and still invalid")
    lost = []
    for record in promoted:
        counts = record.counts
        ended = counts["inserted"] + counts["updated"] + counts["held"]
        if ended != counts["taken"]:
            lost.append(f"{record.entity}: {counts['taken']} taken, {ended} promoted or held")
        before = judged.get(record.entity)
        # Somebody's edit in between takes a record out of the run: it comes with the next one.
        came = ended + counts["edited"] + counts["not_passed"]
        if before is not None and before.counts["passed"] > came:
            lost.append(
                f"{record.entity}: {before.counts['passed']} passed, {ended} came to an end"
            )
    yield dg.AssetCheckResult(
        asset_key=PROMOTIONS,
        check_name="nothing_lost",
        passed=not lost,
        description="; ".join(lost) or None,
        metadata={"promoted": sum(_promoted(record) for record in promoted)},
    )


def _promoted(record: StageRecord) -> int:
    return record.counts["inserted"] + record.counts["updated"]


def _result(
    asset: dg.AssetKey,
    name: str,
    found: Few,
    *,
    of: str,
    warns: bool = False,
    problems: Sequence[str] = (),
) -> dg.AssetCheckResult:
    count, keys = found
    said = [f"{count} {of}: {', '.join(keys[:5])}"] if count else []
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not count,
        severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
        description="; ".join([*said, *(problems[:3] if count else [])]) or None,
        metadata={"rows": count, "first": dg.MetadataValue.json(list(keys))},
    )
