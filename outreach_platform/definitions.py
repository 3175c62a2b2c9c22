"""The front door: the whole asset graph as one code location.

`defs` is what Dagster loads; `build_defs` makes the same graph with other resources, for tests.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from outreach_platform.events import assets as event_assets
from outreach_platform.events.resources import EventRuns
from outreach_platform.operations.jobs import (
    daily_snapshots,
    events_job,
    nightly_events,
    snapshot_job,
)
from outreach_platform.resources import (
    EventsDatabase,
    NeonDatabase,
    ObjectStorage,
    PlatformSettings,
)
from outreach_platform.snapshots import assets as snapshot_assets
from outreach_platform.snapshots import checks as snapshot_checks
from outreach_platform.snapshots.jobs import plain_snapshot_job
from outreach_platform.snapshots.resources import SnapshotRuns, WorkbenchResource


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions.

    Args:
        resource_overrides: resources by name that take the place of the configured ones:
            `platform`, `neon`, `events_database`, `storage`, `workbench`.
    """
    shared: dict[str, Any] = {
        "platform": PlatformSettings(),
        "neon": NeonDatabase(),
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
    }
    return dg.Definitions(
        assets=dg.load_assets_from_modules([snapshot_assets, event_assets]),
        asset_checks=dg.load_asset_checks_from_modules([snapshot_checks]),
        jobs=[snapshot_job, plain_snapshot_job, events_job],
        schedules=[daily_snapshots, nightly_events],
        resources=resources,
        # Subprocesses a step cost seconds each; runs are what goes in parallel.
        executor=dg.in_process_executor,
    )


defs = build_defs()
