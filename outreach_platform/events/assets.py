"""The events assets: behavioural events by day, their export, the research database, analyses.

A run of `events_job` takes a window of days that ends today; its config says which, and how rows
are judged. Started for a partition or a range of them, the first asset takes just those days.
"""

import warnings
from collections.abc import Iterator
from datetime import date
from typing import Any, cast

import dagster as dg

from outreach_platform.events import assets_metadata, checks, studies, summary
from outreach_platform.events.extract import InvalidEventsError
from outreach_platform.events.records import DayManifest, Extraction, Mode, Window
from outreach_platform.events.research import Form
from outreach_platform.events.resources import (
    FORMS,
    MODES,
    EventRuns,
    ExportConfig,
    ExtractConfig,
    ResearchConfig,
    one_of,
)
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.lake import read_record
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.partitions import event_days

GROUP = "events"
OWNERS = ["team:research"]


def key(name: str) -> dg.AssetKey:
    """The key of an asset of this wing."""
    return dg.AssetKey([GROUP, name])


def _about(name: str, description: str, kinds: set[str], deps: list[str]) -> dict[str, Any]:
    return {
        "key": key(name),
        "description": description,
        "group_name": GROUP,
        "kinds": kinds,
        "owners": OWNERS,
        "deps": [key(dep) for dep in deps],
        "code_version": "1",
    }


def _by_day():
    with warnings.catch_warnings():
        # A backfill in one run is beta in 1.13, which is pinned; tests hold what we rely on.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.asset(
            **_about(
                "behavioral_events",
                "Behavioural events from PostgreSQL, one validated Parquet file a UTC day. A day "
                "is pulled when it is missing, recent, was judged more weakly, or differs from the "
                "source.",
                {"postgres", "parquet"},
                [],
            ),
            partitions_def=event_days,
            backfill_policy=dg.BackfillPolicy.single_run(),
            check_specs=checks.EVENT_CHECKS,
        )


@_by_day()
def behavioral_events(
    context: dg.AssetExecutionContext, config: ExtractConfig, events: EventRuns
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Bring the days of the window up to date."""
    with failing_clearly():
        run = events.start(context)
        window = _window(context, config.days, run)
        mode = one_of("validation", config.validation, MODES)
        try:
            extraction = run.extract(window, cast(Mode, mode), full=config.full)
        except InvalidEventsError as error:
            yield from checks.extraction_results(error.extraction)
            raise
    for notice in extraction.notices:
        context.log.warning(notice)
    _tell_days(context, run, extraction)
    yield from checks.extraction_results(extraction)
    yield dg.MaterializeResult(
        asset_key=key("behavioral_events"), metadata=assets_metadata.extraction(extraction)
    )


def _window(context: dg.AssetExecutionContext, days: int, run: EventsRun) -> Window:
    if not _has_partitions(context):
        return Window.ending(run.moment, days)
    keys = sorted(context.partition_keys)
    return Window(start=date.fromisoformat(keys[0]), end=date.fromisoformat(keys[-1]))


def _has_partitions(context: dg.AssetExecutionContext) -> bool:
    return context.has_partition_key or context.has_partition_key_range


def _tell_days(context: dg.AssetExecutionContext, run: EventsRun, extraction: Extraction) -> None:
    """Tell of each day as a partition.

    Without partitions, of those that were pulled: the others keep what they show. A run for
    partitions has Dagster report each of them anew, so each needs its numbers.
    """
    partitions = extraction.window.days
    if _has_partitions(context):
        for name in partitions:
            metadata = _of_day(run, name, extraction)[1]
            context.add_asset_metadata(metadata, partition_key=name)
        return
    for name in sorted(set(partitions) & set(extraction.pulled)):  # not days to come
        manifest, metadata = _of_day(run, name, extraction)
        context.log_event(
            dg.AssetMaterialization(
                asset_key=key("behavioral_events"),
                partition=name,
                metadata=metadata,
                tags={"dagster/data_version": manifest.file.sha256},
            )
        )


def _of_day(
    run: EventsRun, name: str, extraction: Extraction
) -> tuple[DayManifest, assets_metadata.Metadata]:
    manifest = read_record(run.folder.manifest(name), DayManifest)
    return manifest, assets_metadata.day(manifest, extraction.pulled.get(name))


@dg.multi_asset(
    name="experiments",
    specs=[
        dg.AssetSpec(
            **_about(
                "experiment_protocols",
                "Experiment protocols, where the source keeps them: who, which design, when.",
                {"postgres", "parquet"},
                [],
            )
        ),
        dg.AssetSpec(
            **_about(
                "phase_assignments",
                "Phases of the protocols, where the source keeps them.",
                {"postgres", "parquet"},
                [],
            )
        ),
    ],
)
def experiments(
    context: dg.AssetExecutionContext, events: EventRuns
) -> Iterator[dg.MaterializeResult]:
    """Take protocols and phases under one database snapshot."""
    with failing_clearly():
        records = events.start(context).siblings()
    for record in records:
        for notice in record.notices:
            context.log.info(notice)
        yield dg.MaterializeResult(
            asset_key=key(record.name),
            metadata=assets_metadata.sibling(record),
            data_version=dg.DataVersion(record.file.sha256),
        )


@dg.asset(
    **_about(
        "behavioral_events_export",
        "A window of validated events as one versioned Parquet file, and the link to the newest.",
        {"parquet"},
        ["behavioral_events"],
    ),
    check_specs=checks.EXPORT_CHECKS,
)
def behavioral_events_export(
    context: dg.AssetExecutionContext, config: ExportConfig, events: EventRuns
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Write the export."""
    with failing_clearly():
        run = events.start(context)
        manifest = run.export(Window.ending(run.moment, config.days), config.user_id)
    known, problems = run.track(manifest)
    for problem in problems:
        context.log.warning(problem)
    expected = run.settings.toml.events.expected_columns
    warnings = summary.warnings_of(manifest)
    yield from checks.export_results(manifest, expected)
    yield dg.MaterializeResult(
        asset_key=key("behavioral_events_export"),
        metadata=assets_metadata.export(manifest, known, [*warnings, *problems]),
        data_version=dg.DataVersion(manifest.file.sha256),
    )


@dg.asset(
    **_about(
        "research_behavioral_events",
        "Schema research of the analytics database over the newest export: events, protocols, "
        "daily scores and phase observations. Built aside and swapped.",
        {"duckdb"},
        ["behavioral_events_export", "experiment_protocols", "phase_assignments"],
    ),
    check_specs=checks.RESEARCH_CHECKS,
    # Not made where it could not be brought up to date: the analyses are then skipped, not failed.
    output_required=False,
)
def research_behavioral_events(
    context: dg.AssetExecutionContext, config: ResearchConfig, events: EventRuns
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Bring the research database up to date; what goes wrong is a warning, the export stands."""
    with failing_clearly():
        form = None if config.form is None else one_of("form", config.form, FORMS)
        record = events.start(context).sync(cast(Form | None, form))
    yield from checks.sync_results(record)
    if record.problem:
        context.log.warning(f"the research database was not brought up to date: {record.problem}")
        return
    yield dg.MaterializeResult(
        asset_key=key("research_behavioral_events"), metadata=assets_metadata.research(record)
    )


@dg.asset(
    **_about(
        "its_results",
        "Interrupted time series of users whose protocol has one interruption: effect, confidence "
        "interval and p by segmented regression.",
        {"duckdb", "python"},
        ["research_behavioral_events"],
    )
)
def its_results(context: dg.AssetExecutionContext, events: EventRuns) -> dg.MaterializeResult:
    """Estimate all of them."""
    return _analysed(context, events, "its")


@dg.asset(
    **_about(
        "abab_results",
        "ABAB comparisons of users with all four phases, protocol by protocol: effect, confidence "
        "interval and p by permutation.",
        {"duckdb", "python"},
        ["research_behavioral_events"],
    )
)
def abab_results(context: dg.AssetExecutionContext, events: EventRuns) -> dg.MaterializeResult:
    """Estimate all of them."""
    return _analysed(context, events, "abab")


def _analysed(
    context: dg.AssetExecutionContext, events: EventRuns, kind: studies.Kind
) -> dg.MaterializeResult:
    with failing_clearly():
        run = events.start(context)
        analyse = studies.analyse_its if kind == "its" else studies.analyse_abab
        connection = studies.open_research(run.settings.analytics_path)
        try:
            analysed = analyse(connection)
            studies.keep_studies(run.folder, kind, connection, analysed, run.run_id)
        finally:
            connection.close()
    return dg.MaterializeResult(metadata=assets_metadata.studies(analysed))
