"""The front door: the whole asset graph as one code location.

`defs` is what Dagster loads; `build_defs` makes the same graph with other resources, for tests.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from outreach_platform.enrichment import assets as enrichment_assets
from outreach_platform.enrichment.jobs import enrichment_import_job, enrichment_undo_job
from outreach_platform.enrichment.resources import EnrichmentRuns
from outreach_platform.enrichment.sensors import enrichment_complete
from outreach_platform.events import assets as event_assets
from outreach_platform.events.resources import EventRuns
from outreach_platform.filings import assets as filing_assets
from outreach_platform.filings.jobs import maintenance_job
from outreach_platform.filings.resources import FilingRuns
from outreach_platform.operations import assets as operation_assets
from outreach_platform.operations import report_assets
from outreach_platform.operations.alerts.sensors import run_failure_alert
from outreach_platform.operations.backup_jobs import backup_job
from outreach_platform.operations.jobs import (
    daily_filings,
    daily_report,
    daily_snapshots,
    enrichment_pull_job,
    events_job,
    filings_job,
    hourly_enrichment_pull,
    hourly_monitoring,
    monitoring_job,
    nightly_events,
    promotion_job,
    report_job,
    snapshot_job,
    weekly_maintenance,
    weekly_verify,
)
from outreach_platform.operations.retention.jobs import prune_job, weekly_prune
from outreach_platform.operations.upkeep_jobs import restore_job, verify_job
from outreach_platform.resources import (
    EventsDatabase,
    NeonDatabase,
    ObjectStorage,
    PlatformSettings,
    WorkspaceDatabase,
)
from outreach_platform.snapshots import assets as snapshot_assets
from outreach_platform.snapshots import checks as snapshot_checks
from outreach_platform.snapshots.jobs import plain_snapshot_job
from outreach_platform.snapshots.resources import SnapshotRuns, WorkbenchResource


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions.

    Args:
        resource_overrides: resources by name that take the place of the configured ones:
            `platform`, `neon`, `workspace_database`, `events_database`, `storage`, `workbench`.
    """
    shared: dict[str, Any] = {
        "platform": PlatformSettings(),
        "neon": NeonDatabase(),
        "workspace_database": WorkspaceDatabase(),
        "events_database": EventsDatabase(),
        "storage": ObjectStorage(),
        "workbench": WorkbenchResource(),
        **(resource_overrides or {}),
    }
    resources = {
        **shared,
        "snapshots": SnapshotRuns(
            platform=shared["platform"], neon=shared["neon"], storage=shared["storage"]
        ),
        "events": EventRuns(platform=shared["platform"], events_database=shared["events_database"]),
        "enrichment": EnrichmentRuns(
            platform=shared["platform"],
            neon=shared["neon"],
            workspace_database=shared["workspace_database"],
        ),
        "filing_runs": FilingRuns(platform=shared["platform"]),
    }
    return dg.Definitions(
        assets=[
            *dg.load_assets_from_modules(
                [snapshot_assets, event_assets, enrichment_assets, filing_assets]
            ),
            *dg.load_assets_from_modules([operation_assets, report_assets]),
            *enrichment_assets.SOURCES,
        ],
        asset_checks=dg.load_asset_checks_from_modules([snapshot_checks]),
        jobs=[
            *(snapshot_job, plain_snapshot_job, events_job),
            *(enrichment_pull_job, promotion_job, enrichment_undo_job, enrichment_import_job),
            *(filings_job, maintenance_job, monitoring_job),
            *(verify_job, restore_job, prune_job, backup_job, report_job),
        ],
        schedules=[
            *(daily_snapshots, nightly_events, hourly_enrichment_pull),
            *(daily_filings, weekly_maintenance, hourly_monitoring),
            *(daily_report, weekly_verify, weekly_prune),
        ],
        sensors=[enrichment_complete, run_failure_alert],
        resources=resources,
        # Subprocesses a step cost seconds each; runs are what goes in parallel.
        executor=dg.in_process_executor,
    )


defs = build_defs()
