"""Jobs and schedules over the asset graph, one a wing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from outreach_platform.foundation.errors import UsageError
from outreach_platform.partitions import date_and_state, filing_year_range, partition_key
from outreach_platform.records.states import STATES
from outreach_platform.settings import load_settings

# The queue lets one run of a wing through where the wing has one writer.
WING_TAG = "outreach/wing"
NIGHTLY_DAYS = 365

snapshot_job = dg.define_asset_job(
    "snapshot_job",
    selection=dg.AssetSelection.groups("outreach"),
    partitions_def=date_and_state,
    description="Pull, split, judge, publish and record one state's companies and people.",
)

events_job = dg.define_asset_job(
    "events_job",
    selection=dg.AssetSelection.groups("events"),
    tags={WING_TAG: "events"},
    description="Take behavioural events, export a window, build the research database, analyse.",
)

# One run of the wing at a time: the databases would bear more, but people read the reports.
_ENRICHMENT = {WING_TAG: "enrichment"}

enrichment_pull_job = dg.define_asset_job(
    "enrichment_pull_job",
    selection=dg.AssetSelection.assets(
        *(
            ["enrichment", name]
            for name in ("quarantine", "company_needs_enrichment", "people_needs_enrichment")
        )
    ),
    tags=_ENRICHMENT,
    description="Bring records that failed validation into the enrichers' workspace.",
)

promotion_job = dg.define_asset_job(
    "promotion_job",
    selection=dg.AssetSelection.assets(
        *(["enrichment", name] for name in ("pushed_to_neon", "revalidation", "promotions"))
    ),
    tags=_ENRICHMENT,
    description="Push completed records, judge them again, promote those that pass.",
)

# One writer a database file.
filings_job = dg.define_asset_job(
    "filings_job",
    selection=dg.AssetSelection.groups("filings"),
    tags={WING_TAG: "filings"},
    description="Register filings, read them, merge their rows, judge and publish the database.",
)

monitoring_job = dg.define_asset_job(
    "monitoring_job",
    selection=dg.AssetSelection.assets(["operations", "health"]),
    description="Look at everything that may be stale, missing or wrong, and report it.",
)

report_job = dg.define_asset_job(
    "report_job",
    selection=dg.AssetSelection.assets(["operations", "report"]),
    description="Write the page that shows how everything stands.",
)


def run_of_the_day(context: dg.ScheduleEvaluationContext, **options: Any) -> dg.RunRequest:
    """Ask for the one run of a tick's UTC day; Dagster drops a day that was asked for before.

    Args:
        context: of the tick.
        options: further fields of the request.
    """
    day = context.scheduled_execution_time.astimezone(UTC).date()
    return dg.RunRequest(run_key=day.isoformat(), **options)


@dg.schedule(
    name="daily_snapshots",
    job=snapshot_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="One run a state, so that one state's kill switch never stops another's.",
)
def daily_snapshots(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for today's partition of every state."""
    day = context.scheduled_execution_time.astimezone(UTC).date()
    if day != datetime.now(UTC).date():
        # A daemon that was away catches up on its last tick, whose day may be over.
        yield dg.SkipReason(
            f"{day} is not today, and only today's rows can be pulled: the next tick asks for its "
            "own day"
        )
        return
    for state in STATES:
        yield dg.RunRequest(
            run_key=f"{day.isoformat()}-{state}",
            partition_key=partition_key(day, state),
            tags={"outreach/state": state},
        )


def events_config(
    *,
    days: int,
    validation: str = "strict",
    full: bool = False,
    user_id: str | None = None,
    form: str | None = None,
) -> dict[str, Any]:
    """Run config of `events_job`: the same window for extraction and export.

    Args:
        days: UTC days up to today.
        validation: strict, non_strict or none.
        full: pull every day again.
        user_id: export this user only.
        form: of the research database: auto, view or table; None as settings say.
    """
    parts = {
        "behavioral_events": {"days": days, "validation": validation, "full": full},
        "behavioral_events_export": {"days": days, "user_id": user_id},
        "research_behavioral_events": {"form": form},
    }
    return {
        "ops": {
            f"events__{name}": {"config": {k: v for k, v in config.items() if v is not None}}
            for name, config in parts.items()
        }
    }


@dg.schedule(
    name="nightly_events",
    job=events_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A year of events; days that stand as the source has them cost nothing.",
)
def nightly_events(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the window that ends today."""
    settings = load_settings()
    if settings.events is None and settings.neon is not None:
        # The embedded database stands in for all of the services or for none.
        return dg.SkipReason("DATABASE_URL is not set, though NEON_DATABASE_URL is: no events")
    return run_of_the_day(context, run_config=events_config(days=NIGHTLY_DAYS))


def enrichment_config(
    assets: Sequence[str], *, batch_size: int, entities: Sequence[str], ids_file: str | None = None
) -> dict[str, Any]:
    """Run config of the enrichment jobs.

    Args:
        assets: the assets that run, by the last part of their keys.
        batch_size: rows a transaction.
        entities: company, people or both.
        ids_file: promote only the ids in this file, one a line.
    """
    ops: dict[str, Any] = {}
    for name in assets:
        config: dict[str, Any] = {"batch_size": batch_size}
        if not name.endswith("_needs_enrichment"):
            config["entities"] = list(entities)
        if name == "promotions" and ids_file is not None:
            config["ids_file"] = ids_file
        ops[f"enrichment__{name}"] = {"config": config}
    return {"ops": ops}


@dg.schedule(
    name="hourly_enrichment_pull",
    job=enrichment_pull_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="What failed validation since, into the workspace; the same rows cost nothing.",
)
def hourly_enrichment_pull(
    context: dg.ScheduleEvaluationContext,
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a pull."""
    try:
        load_settings().workspace  # noqa: B018
    except UsageError as error:
        return dg.SkipReason(str(error))
    hour = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=hour.isoformat(timespec="minutes"))


@dg.schedule(
    name="daily_filings",
    job=filings_job,
    cron_schedule="0 9 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="What is registered and not done; new filings of the companies in settings.",
)
def daily_filings(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for a run over all filing years."""
    return run_of_the_day(context, tags=filing_year_range())


@dg.schedule(
    name="weekly_verify",
    job_name="verify_job",
    cron_schedule="0 3 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On Sundays before anything is removed: all versions against disk and store.",
)
def weekly_verify(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for one verification; where something disagrees the run fails, which is told."""
    return run_of_the_day(context)


@dg.schedule(
    name="weekly_maintenance",
    job_name="maintenance_job",
    cron_schedule="0 4 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On Sundays, the filings database cleaned and compacted.",
)
def weekly_maintenance(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for one maintenance."""
    return run_of_the_day(context)


def filings_config(
    *,
    register: Mapping[str, Any] | None = None,
    extract: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run config of `filings_job`.

    Args:
        register: fields of `RegisterConfig`; None where the asset is not part of the run.
        extract: fields of `ExtractConfig`; None likewise.
    """
    given = {"filings__filings": register, "filings__filing_extracts": extract}
    return {"ops": {op: {"config": dict(c)} for op, c in given.items() if c is not None}}


@dg.schedule(
    name="hourly_monitoring",
    job=monitoring_job,
    cron_schedule="45 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="What is stale, missing or wrong, once an hour, beside the other schedules.",
)
def hourly_monitoring(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for one look at everything."""
    hour = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=hour.isoformat(timespec="minutes"))


@dg.schedule(
    name="daily_report",
    job=report_job,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After the night's runs, the page for the morning.",
)
def daily_report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for today's page."""
    return run_of_the_day(context)
