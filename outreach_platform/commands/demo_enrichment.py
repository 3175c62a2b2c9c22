"""The enrichment part of the demo: a pull, a stand-in for the enrichers, what the sensor asks for.

The daemon would ask for the same run within half a minute; here its tick is evaluated at once, so
that the numbers are there when the command has ended.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.enrich import FAILED
from outreach_platform.commands.launch import RunOutcome, run_job
from outreach_platform.commands.status_enrichment import enrichment_rows
from outreach_platform.embedded.sample import stand_in
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.settings import Settings

SENSOR = "enrichment_complete"


def enrich_sample(
    instance: dg.DagsterInstance, settings: Settings, server: EmbeddedServer
) -> list[dict[str, Any]]:
    """Let the sample's invalid records make their round; the funnel's rows."""
    with output.progress("enrichment: pulling") as progress:
        outcome = run_job(instance, "enrichment_pull_job")
        if outcome.success:
            progress("enrichment: a stand-in completes part of the records")
            stand_in(server.url("supabase"))
            progress("enrichment: asking the sensor")
            outcome = _as_the_sensor_asks(instance) or outcome
    if not outcome.success:
        return [{"workspace": "both", "status": FAILED, "message": outcome.error}]
    return enrichment_rows(settings)


def _as_the_sensor_asks(instance: dg.DagsterInstance) -> RunOutcome | None:
    """Run what the sensor asks for; None when it asks for nothing."""
    from outreach_platform.definitions import defs

    sensor = defs.resolve_sensor_def(SENSOR)
    resources: Mapping[str, Any] = defs.resources or {}
    needed = {name: resources[name] for name in sensor.required_resource_keys}
    with dg.build_sensor_context(instance=instance, resources=needed) as context:
        requests = sensor.evaluate_tick(context).run_requests
    if not requests:
        return None
    request = requests[0]
    # As the daemon would tag it, so that it knows the request for done.
    tags = {"dagster/sensor_name": SENSOR, "dagster/run_key": str(request.run_key), **request.tags}
    return run_job(instance, "promotion_job", tags=tags)
