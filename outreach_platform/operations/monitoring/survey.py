"""Takes the looks: live, or by the hourly record.

A look that itself fails is a problem like any other, so that it hides nothing the others find.
"""

import logging
from collections.abc import Iterable, Sequence

import dagster as dg

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import write_record
from outreach_platform.operations.monitoring.looks import CHECKS, LIVE, SLOW, Look, Surroundings
from outreach_platform.operations.monitoring.record import (
    MonitoringRecord,
    newest_record,
    record_path,
)
from outreach_platform.operations.problems import Problem, worst_first
from outreach_platform.settings import Settings

_logger = logging.getLogger(__name__)


def live_problems(settings: Settings, instance: dg.DagsterInstance | None) -> list[Problem]:
    """What the cheap looks find now, worst first."""
    return _all(look_at(LIVE, Surroundings(settings, instance)))


def known_problems(settings: Settings, instance: dg.DagsterInstance | None) -> list[Problem]:
    """What the cheap looks find now and the slow ones found last, worst first."""
    return worst_first([*live_problems(settings, instance), *recorded_problems(settings)])


def recorded_problems(settings: Settings) -> list[Problem]:
    """What the slow looks of the newest monitoring run found, worst first; none without a run."""
    record = newest_record(settings)
    return worst_first(record.problems) if record else []


def look_at(looks: Iterable[Look], around: Surroundings) -> dict[str, list[Problem]]:
    """Take looks.

    Returns:
        What was found, by the name of the check.
    """
    found: dict[str, list[Problem]] = {}
    for look in looks:
        found.setdefault(look.check, []).extend(_take(look, around))
    return found


def take_all(around: Surroundings, run_id: str) -> dict[str, list[Problem]]:
    """Take every look, and write down what the slow ones found.

    Returns:
        What was found, by the name of the check; each of `CHECKS` is there.

    Raises:
        OutreachError: the record cannot be written.
    """
    found: dict[str, list[Problem]] = {check: [] for check in CHECKS}
    slow = look_at(SLOW, around)
    record = MonitoringRecord(at=around.now, run_id=run_id, problems=_all(slow))
    write_record(record_path(around.settings.data_dir), record)
    for part in (slow, look_at(LIVE, around)):
        for check, problems in part.items():
            found[check] += problems
    return {check: worst_first(problems) for check, problems in found.items()}


def _all(found: dict[str, list[Problem]]) -> list[Problem]:
    return worst_first(problem for problems in found.values() for problem in problems)


def _take(look: Look, around: Surroundings) -> Sequence[Problem]:
    try:
        return look.find(around)
    except OutreachError as error:
        return [failed_look(look.name, str(error), look.kinds)]
    except Exception as error:
        # The words of a foreign error may quote rows or addresses; the log is redacted.
        _logger.exception("the look at %s failed", look.name)
        return [failed_look(look.name, f"{type(error).__name__}, see the log", look.kinds)]


def failed_look(name: str, reason: str, hides: tuple[str, ...] = ()) -> Problem:
    """The problem that a look could not be taken, by which kinds of problems are hidden."""
    return Problem(
        "look_failed",
        name,
        f"could not be looked at: {reason}",
        "Mend what the message names; until then nobody knows whether all is well there.",
        hides=hides,
    )
