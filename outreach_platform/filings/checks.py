"""The checks on the filings database, evaluated before it is published.

What guards the data (no duplicates, no orphans, ids that are what they should be) stops the
publication: the database that people open stays the one before. The rest warns.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from outreach_platform.filings.health_verdicts import Verdict

DATA_HEALTH = dg.AssetKey(["filings", "data_health"])

_DESCRIPTIONS = {
    "no_duplicates": "No natural key stands twice in any table.",
    "referential_integrity": "Every row's filing, section, table and parent chunk exist.",
    "completeness": "Every registered filing has sections, tables, footnotes and chunks, or a "
    "reason why not (warns).",
    "coverage": "Chunks cover their sections, and citations resolve to the very text.",
    "footnote_ceiling": "No filing has more footnotes than a parser in order would find (warns).",
    "stable_ids": "Every id is the hash of its natural key.",
}
# Those whose verdicts keep the database from being published.
_BLOCKING = frozenset(("no_duplicates", "referential_integrity", "coverage", "stable_ids"))
HEALTH_CHECKS = [
    dg.AssetCheckSpec(
        name=name, asset=DATA_HEALTH, description=description, blocking=name in _BLOCKING
    )
    for name, description in _DESCRIPTIONS.items()
]


def health_results(verdicts: Sequence[Verdict]) -> Iterator[dg.AssetCheckResult]:
    """One result for each of `HEALTH_CHECKS`."""
    for verdict in verdicts:
        yield dg.AssetCheckResult(
            asset_key=DATA_HEALTH,
            check_name=verdict.name,
            passed=verdict.passed,
            severity=(
                dg.AssetCheckSeverity.ERROR if verdict.blocking else dg.AssetCheckSeverity.WARN
            ),
            description=verdict.description,
            metadata=dict(verdict.numbers),
        )
