"""What `outreach status` shows first: everything that is wrong, worst on top."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from outreach_platform.commands.status import age_of
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.redaction import redact
from outreach_platform.operations.instance import CONFIG_NAME, dagster_home, open_instance
from outreach_platform.operations.monitoring.record import newest_record
from outreach_platform.operations.monitoring.survey import failed_look, live_problems
from outreach_platform.operations.problems import Problem, worst_first
from outreach_platform.settings import Settings


def problem_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row a problem: found now, or by the newest monitoring run, as `seen` says."""
    with _instance(settings) as (instance, failed):
        live = [*failed, *live_problems(settings, instance)]
    record = newest_record(settings)
    known = {problem.key for problem in live}
    recorded = [p for p in record.problems if p.key not in known] if record else []
    ages = dict.fromkeys((p.key for p in recorded), age_of(record.at) if record else "now")
    return [_row(p, ages.get(p.key, "now")) for p in worst_first([*live, *recorded])]


def _row(problem: Problem, seen: str) -> dict[str, Any]:
    return {
        "severity": str(problem.severity),
        "kind": problem.kind,
        "subject": problem.subject,
        "message": problem.message,
        "action": problem.action,
        "seen": seen if seen == "now" else f"{seen} ago",
        "run_id": problem.run_id,
    }


@contextmanager
def _instance(settings: Settings) -> Iterator[tuple[dg.DagsterInstance | None, list[Problem]]]:
    """The instance, where there is one: a look at a new folder leaves nothing in it.

    An instance that cannot be opened is a problem, and hides nothing else.
    """
    if not (dagster_home(settings.data_dir) / CONFIG_NAME).exists():
        yield None, []
        return
    try:
        instance = open_instance(settings.data_dir)
    except OutreachError as error:
        yield None, [failed_look("Dagster instance", str(error))]
        return
    except Exception as error:  # noqa: BLE001 - whatever the storage's driver raises
        said = redact(f"{type(error).__name__}, {str(error).partition(chr(10))[0]}")
        yield None, [failed_look("Dagster instance", said)]
        return
    with instance:
        yield instance, []
