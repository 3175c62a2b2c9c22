"""What is wrong, in one form for `outreach status`, checks, alerts and the report.

A problem is found by looking at the present state, so it has no memory: the same fault found twice
has the same key, and a fault that is gone is simply not found any more. What remembers is the
alerts' book of incidents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad: an error needs somebody today, a warning needs somebody to know."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong now.

    Attributes:
        kind: the sort of fault, a public name in snake case; docs/operations.md has a section on
            each, under this name.
        subject: what has it: a state, a job, a file, `filings`. Kind and subject are the key.
        message: what is wrong, in one sentence, with figures; no secret, no personal data.
        action: what to do next, in one sentence or a command.
        severity: error or warning.
        run_id: the Dagster run that tells more, None without one.
        hides: kinds, or keys of single problems, of which nobody can say now whether they are
            there, or that are there because of this one.
    """

    kind: str
    subject: str
    message: str
    action: str
    severity: Severity = Severity.ERROR
    run_id: str | None = None
    hides: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same fault each time it is found."""
        return f"{self.kind}:{self.subject}"


def worst_first(problems: Iterable[Problem]) -> list[Problem]:
    """Errors before warnings, then by kind and subject; a fault found twice stands there once."""
    order = {Severity.ERROR: 0, Severity.WARNING: 1}
    unique = {problem.key: problem for problem in problems}
    return sorted(unique.values(), key=lambda p: (order[p.severity], p.kind, p.subject))
