"""The checks on the platform's health, one a group of looks; they block nothing.

What each kind of problem means, and what to do: docs/operations.md.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from outreach_platform.operations.monitoring.looks import CHECKS
from outreach_platform.operations.problems import Problem, Severity

HEALTH = dg.AssetKey(["operations", "health"])

_DESCRIPTIONS = {
    "failures": "No run failed, no kill switch stopped a state, no check failed.",
    "runs": "Jobs succeed, and end in time.",
    "freshness": "Every state, event day and filing year is there and young enough.",
    "quality": "Events pass validation, rows did not jump, needed columns are filled.",
    "workspace": "No completed row of the enrichers waits or hangs.",
    "stores": "Disk and object store hold what manifests say, and there is room for more.",
    "monitoring": "The slow looks are taken.",
}
HEALTH_CHECKS = [
    dg.AssetCheckSpec(name=name, asset=HEALTH, description=_DESCRIPTIONS.get(name), blocking=False)
    for name in CHECKS
]


def health_results(found: Mapping[str, Sequence[Problem]]) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `HEALTH_CHECKS`; an error among the problems makes it one.

    Args:
        found: problems by the name of the check.
    """
    for name in CHECKS:
        problems = found[name]
        errors = any(problem.severity == Severity.ERROR for problem in problems)
        yield dg.AssetCheckResult(
            asset_key=HEALTH,
            check_name=name,
            passed=not problems,
            severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
            description=f"{len(problems)} problems" if problems else "nothing is wrong",
            metadata={"problems": dg.MarkdownMetadataValue(problem_table(problems))},
        )


def problem_table(problems: Sequence[Problem]) -> str:
    """Problems as a Markdown table, a sentence where there are none."""
    if not problems:
        return "Nothing is wrong."
    rows = [[str(p.severity), p.kind, p.subject, p.message, p.action] for p in problems]
    lines = [["severity", "kind", "subject", "message", "what to do"], ["---"] * 5, *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
