"""The filings assets: the register, extracts, four tables, and the health of the database.

A run of `filings_job` is for a filing year or a range of them, in one run; the daily one is for all
of them. It takes every filing of these years that is registered and not done.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from outreach_platform.filings import assets_metadata, checks
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.resources import (
    ExtractConfig,
    FilingRuns,
    RegisterConfig,
    whole_range,
    years_of,
)
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.partitions import filing_year

GROUP = "filings"
OWNERS = ["team:research"]
_REGISTER = (
    "The register: which filings stand in the data folder, who filed them and when, what was "
    "refused and why."
)
_EXTRACTS = (
    "Filings read by a pool of processes: staged rows of sections, tables, footnotes and chunks, "
    "by run and filing."
)
_TABLES = {
    "sections": "Items of 10-K and 10-Q filings with their own text and HTML.",
    "tables": "Data tables with headers, captions, Markdown and JSON.",
    "footnotes": "Footnotes, tied to their table or section.",
    "chunks": "Sections cut for retrieval on three levels, with offsets.",
}


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


def _yearly(decorator: Callable[..., Any], **options: Any) -> Any:
    """An asset decorator with filing years as partitions, a range of which is one run."""
    with warnings.catch_warnings():
        # A backfill in one run is beta in 1.13, which is pinned; tests hold what we rely on.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return decorator(
            partitions_def=filing_year,
            backfill_policy=dg.BackfillPolicy.single_run(),
            **options,
        )


@_yearly(dg.asset, **_about("filings", _REGISTER, {"duckdb"}, []))
def filings(
    context: dg.AssetExecutionContext, config: RegisterConfig, filing_runs: FilingRuns
) -> dg.MaterializeResult:
    """Bring the register up to date; filings of all years, whatever the run was started for."""
    with failing_clearly():
        record = filing_runs.start(context).register(
            config.paths, ciks=config.ciks, since=config.since, download=config.download
        )
    for problem in record.problems:
        context.log.warning(problem)
    _tell_years(context, "filings", {year: {"changed": n} for year, n in record.years.items()})
    return dg.MaterializeResult(metadata=assets_metadata.registration(record))


@_yearly(dg.asset, **_about("filing_extracts", _EXTRACTS, {"python", "parquet"}, ["filings"]))
def filing_extracts(
    context: dg.AssetExecutionContext, config: ExtractConfig, filing_runs: FilingRuns
) -> dg.MaterializeResult:
    """Read what is to be read."""
    with failing_clearly():
        record = filing_runs.start(context).extract(
            mode=config.mode,
            accessions=config.accessions or None,
            years=None if whole_range(context) else years_of(context),
            workers=config.workers,
            limit=config.limit,
            force=config.force,
        )
    for filing in record.failed:
        context.log.warning(f"{filing.accession_number} failed: {filing.error}")
    by_year = {year: assets_metadata.extraction(record, year) for year in record.years}
    _tell_years(context, "filing_extracts", by_year)
    return dg.MaterializeResult(metadata=assets_metadata.extraction(record))


@_yearly(
    dg.multi_asset,
    name="merge",
    specs=[
        dg.AssetSpec(**_about(kind, _TABLES[kind], {"duckdb"}, ["filing_extracts"]))
        for kind in KINDS
    ],
)
def merge(
    context: dg.AssetExecutionContext, filing_runs: FilingRuns
) -> Iterator[dg.MaterializeResult]:
    """Merge the staged rows, each filing in one transaction."""
    with failing_clearly():
        record = filing_runs.start(context).merge()
    for filing in record.filings:
        for sentence in (*([filing.error] if filing.error else []), *filing.notices):
            context.log.warning(f"{filing.accession_number}: {sentence}")
    years = sorted({filing.year for filing in record.filings})
    for kind in KINDS:
        _tell_years(
            context, kind, {year: assets_metadata.merged(record, kind, year) for year in years}
        )
        yield dg.MaterializeResult(
            asset_key=key(kind), metadata=assets_metadata.merged(record, kind)
        )


@dg.asset(
    **_about(
        "data_health",
        "Duplicates, orphans, coverage and gaps of the filings database; the published copy that "
        "people open, with its full-text index.",
        {"duckdb"},
        ["filings", *KINDS],
    ),
    check_specs=checks.HEALTH_CHECKS,
)
def data_health(
    context: dg.AssetExecutionContext, filing_runs: FilingRuns
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Judge the database, and publish it where nothing that guards the data fails."""
    with failing_clearly():
        run = filing_runs.start(context)
        health, verdicts = run.judge()
    yield from checks.health_results(verdicts)
    with failing_clearly():
        run.publish(verdicts)
    yield dg.MaterializeResult(
        asset_key=key("data_health"),
        metadata=assets_metadata.health(health, str(run.folder.published)),
    )


def _tell_years(
    context: dg.AssetExecutionContext, name: str, metadata: dict[int, assets_metadata.Metadata]
) -> None:
    """Tell of the filing years that were worked on.

    Dagster reports each year of the run; the register takes filings of other years, too.
    """
    own = years_of(context)
    for year, told in sorted(metadata.items()):
        if year in own:
            context.add_asset_metadata(told, asset_key=key(name), partition_key=str(year))
        else:
            context.log_event(
                dg.AssetMaterialization(asset_key=key(name), partition=str(year), metadata=told)
            )
