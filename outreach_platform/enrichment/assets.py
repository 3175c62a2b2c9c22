"""The enrichment assets: the two workspace tables, the push, revalidation and promotions.

`enrichment_pull_job` makes the first two, `promotion_job` the last three, one after the other. The
invalid tables are Neon's own: runs observe them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import dagster as dg

from outreach_platform.enrichment import assets_metadata, checks
from outreach_platform.enrichment.entities import COMPANY, ENTITIES, PEOPLE, Entity
from outreach_platform.enrichment.funnel import FunnelRecord
from outreach_platform.enrichment.records import (
    StageRecord,
    find_stage,
    keep_stage,
    stage_record,
)
from outreach_platform.enrichment.resources import (
    EnrichmentRuns,
    PromoteConfig,
    PullConfig,
    StageConfig,
)
from outreach_platform.enrichment.run import EnrichmentRun, ids_of
from outreach_platform.operations.failures import failing_clearly

GROUP = checks.GROUP
OWNERS = ["team:enrichment"]
Results = Iterator[dg.AssetCheckResult | dg.MaterializeResult]


def key(name: str) -> dg.AssetKey:
    """The key of an asset of this wing."""
    return dg.AssetKey([GROUP, name])


def _about(name: str, description: str, deps: list[dg.AssetKey]) -> dict[str, Any]:
    return {
        "key": key(name),
        "description": description,
        "group_name": GROUP,
        "kinds": {"postgres"},
        "owners": OWNERS,
        "deps": deps,
        "code_version": "1",
    }


def _invalid(entity: Entity) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=key(entity.invalid),
        description=f"Neon's marketing.{entity.invalid}: records that failed validation. Runs "
        "observe it.",
        group_name=GROUP,
        kinds={"postgres"},
        owners=OWNERS,
        deps=[key("quarantine")],
    )


SOURCES = [_invalid(entity) for entity in ENTITIES]


@dg.asset(
    **_about(
        "quarantine",
        "Bad rows of published snapshots, offered to the invalid tables where settings say so.",
        [dg.AssetKey(["outreach", "snapshots"])],
    )
)
def quarantine(
    context: dg.AssetExecutionContext, config: StageConfig, enrichment: EnrichmentRuns
) -> dg.MaterializeResult:
    """Offer what the snapshots rejected."""
    with failing_clearly():
        run = enrichment.start(context, config.batch_size)
        if not run.settings.toml.enrichment.offer_quarantine:
            return dg.MaterializeResult(metadata={"offered": 0, "offer_quarantine": False})
        records = [
            _keep(run, "offer", entity, run.offer_quarantine(entity)) for entity in config.chosen
        ]
    _warn(context, records)
    return dg.MaterializeResult(
        metadata={**assets_metadata.stages(records), "offer_quarantine": True}
    )


def _workspace_table(entity: Entity) -> dg.AssetsDefinition:
    asset_key = key(entity.workspace)

    @dg.asset(
        **_about(
            entity.workspace,
            f"The workspace's {entity.workspace}: what people complete. Rows in progress or "
            "complete are never overwritten.",
            # Runs do not make the invalid table: it alone would not let the pull wait.
            [key(entity.invalid), key("quarantine")],
        ),
        check_specs=checks.workspace_specs(asset_key),
    )
    def table(
        context: dg.AssetExecutionContext, config: PullConfig, enrichment: EnrichmentRuns
    ) -> Results:
        """Bring the table up to date with Neon."""
        with failing_clearly():
            run = enrichment.start(context, config.batch_size)
            record = _keep(run, "pull", entity, run.pull(entity))
            enrichment.tell("enrichment_pulled", [record])
            found = run.reconcile(entity)
            funnels = run.record_funnel()
        _observe(context, run, funnels)
        _warn(context, [record])
        here = next(each for each in funnels.funnels if each.entity == entity.name)
        yield from checks.workspace_results(asset_key, record, found, here.undefined)
        yield dg.MaterializeResult(
            asset_key=asset_key,
            metadata={
                **assets_metadata.workspace(run.places(entity), record, here),
                **assets_metadata.funnel(funnels),
            },
        )

    return cast(dg.AssetsDefinition, table)


company_needs_enrichment = _workspace_table(COMPANY)
people_needs_enrichment = _workspace_table(PEOPLE)


@dg.asset(
    **_about(
        "pushed_to_neon",
        "Completed rows of the workspace in Neon's invalid tables, merged with what changed there.",
        [key(entity.workspace) for entity in ENTITIES],
    ),
    check_specs=checks.PUSH_CHECKS,
)
def pushed_to_neon(
    context: dg.AssetExecutionContext, config: StageConfig, enrichment: EnrichmentRuns
) -> Results:
    """Push what enrichers completed."""
    with failing_clearly():
        run = enrichment.start(context, config.batch_size)
        records = [_keep(run, "push", entity, run.push(entity)) for entity in config.chosen]
        lost = [run.lost_edits(entity) for entity in config.chosen]
    _warn(context, records)
    yield from checks.push_results(records, _together(lost))
    yield dg.MaterializeResult(
        asset_key=key("pushed_to_neon"), metadata=assets_metadata.stages(records)
    )


@dg.asset(
    **_about(
        "revalidation",
        "Pushed records judged again by the snapshots' rules and the rules for promotion. What "
        "fails goes back to the workspace with its errors.",
        [key("pushed_to_neon")],
    ),
    check_specs=checks.REVALIDATION_CHECKS,
)
def revalidation(
    context: dg.AssetExecutionContext, config: StageConfig, enrichment: EnrichmentRuns
) -> Results:
    """Judge what is complete."""
    with failing_clearly():
        run = enrichment.start(context, config.batch_size)
        records = []
        for entity in config.chosen:
            with run.passed_ids(entity) as write:
                report = run.revalidate(entity, write)
            records.append(_keep(run, "revalidate", entity, report))
        unjudged = [run.unjudged(entity) for entity in config.chosen]
        run.record_funnel()
    yield from checks.revalidation_results(_together(unjudged))
    yield dg.MaterializeResult(
        asset_key=key("revalidation"), metadata=assets_metadata.stages(records)
    )


@dg.asset(
    **_about(
        "promotions",
        "Records that passed, in the master tables; a copy of each is kept, so that a run can be "
        "undone.",
        [key("revalidation")],
    ),
    check_specs=checks.PROMOTION_CHECKS,
)
def promotions(
    context: dg.AssetExecutionContext, config: PromoteConfig, enrichment: EnrichmentRuns
) -> Results:
    """Promote what passed."""
    with failing_clearly():
        run = enrichment.start(context, config.batch_size)
        chosen = None if config.ids_file is None else Path(config.ids_file)
        records = []
        for entity in config.chosen:
            ids = None if chosen is None else ids_of(entity, chosen)
            records.append(_keep(run, "promote", entity, run.promote(entity, ids)))
            enrichment.tell("enrichment_promoted", records)
        doubled = [run.doubled(entity) for entity in config.chosen]
        funnels = run.record_funnel()
    judged = {
        entity.name: found
        for entity in config.chosen
        if (found := find_stage(run.folder, run.run_id, "revalidate", entity.name))
    }
    _observe(context, run, funnels)
    yield from checks.promotion_results(records, {} if chosen else judged, _together(doubled))
    yield dg.MaterializeResult(
        asset_key=key("promotions"),
        metadata={**assets_metadata.stages(records), **assets_metadata.funnel(funnels)},
    )


def _keep(run: EnrichmentRun, stage: str, entity: Entity, report: Any) -> StageRecord:
    record = stage_record(run.run_id, stage, entity.name, report)
    keep_stage(run.folder, record)
    return record


def _warn(context: dg.AssetExecutionContext, records: list[StageRecord]) -> None:
    """Log what a person should see."""
    for record in records:
        for problem in record.problems:
            context.log.warning(problem)


def _together(found: list[checks.Few]) -> checks.Few:
    """What was found of each entity as one."""
    return sum(count for count, _ in found), tuple(name for _, few in found for name in few)


def _observe(context: dg.AssetExecutionContext, run: EnrichmentRun, funnels: FunnelRecord) -> None:
    """Note in the UI how the invalid tables stand."""
    for entity, funnel in zip(ENTITIES, funnels.funnels, strict=True):
        table = run.places(entity).invalid.replace('"', "")
        context.log_event(
            dg.AssetObservation(
                asset_key=key(entity.invalid), metadata=assets_metadata.observed(funnel, table)
            )
        )
