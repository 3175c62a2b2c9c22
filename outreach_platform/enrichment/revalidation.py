"""Revalidation: completed records judged again, where they stand, by the snapshot's own rules.

Only Neon is written. What passed is noted with the hash of the content that passed, so that a
promotion takes exactly that; what failed gets its errors and waits for `settle` to bring them to
the enrichers.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import content_hash
from outreach_platform.enrichment.log import log_stage
from outreach_platform.enrichment.rows import InvalidRow, read_invalid
from outreach_platform.enrichment.rules import (
    described,
    described_warnings,
    promotion_rules_version,
)
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import clock, recordset
from outreach_platform.foundation.warehouse import quote_identifier

CHRONIC_AFTER = 3


@dataclass
class RevalidationReport:
    """How one entity's completed records were judged.

    Attributes:
        judged, passed, failed: records.
        chronic: of the failed, those that failed for the third time or more.
        reasons: failed records by reason code.
    """

    judged: int = 0
    passed: int = 0
    failed: int = 0
    chronic: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejection:
    """A record that stays invalid, and why.

    Attributes:
        reason: the reason code.
        errors: messages by column.
        warnings: likewise, what is only worth a word.
    """

    row: InvalidRow
    reason: str
    errors: dict[str, str]
    warnings: dict[str, str] | None = None


def revalidate(
    neon: Session,
    places: Places,
    judge: str,
    *,
    batch_size: int,
    run_id: str,
    on_passed: Callable[[str], None],
) -> RevalidationReport:
    """Judge what is complete, and nothing else.

    Args:
        neon: the masters' database.
        places: the entity's tables.
        judge: the statement of `judging_sql`.
        batch_size: rows a transaction.
        run_id: for the log.
        on_passed: told the key of each record that passed, once its batch is committed.

    Raises:
        SourceError: the database is away or refuses; judged batches stay judged.
    """
    report, last = RevalidationReport(), 0
    while True:
        found, part, passed = neon.run(
            lambda cursor, after=last: _batch(cursor, places, judge, after, batch_size, run_id)
        )
        if found is None:
            return report
        for key in passed:
            on_passed(key)
        report.judged += part.judged
        report.passed += part.passed
        report.failed += part.failed
        report.chronic += part.chronic
        for reason, count in part.reasons.items():
            report.reasons[reason] = report.reasons.get(reason, 0) + count
        last = found


def _batch(
    cursor: Cursor, places: Places, judge: str, after: int, size: int, run_id: str
) -> tuple[int | None, RevalidationReport, list[str]]:
    rows = read_invalid(
        cursor,
        places,
        "t.enrichment_status = 'complete' AND t.id > %s ORDER BY t.id LIMIT %s",
        [after, size],
        lock="FOR UPDATE",
    )
    if not rows:
        return None, RevalidationReport(), []
    passed, rejected = _judged(cursor, places, judge, rows)
    _note_passed(cursor, places, passed)
    chronic = reject(cursor, places, rejected)
    report = RevalidationReport(len(rows), len(passed), len(rejected), chronic, _counted(rejected))
    log_stage(
        *(cursor, places, run_id, "revalidate"),
        source=places.invalid,
        target=places.invalid,
        passed=len(passed),
        failed=len(rejected),
    )
    return rows[-1].id, report, [row.key for row, _ in passed]


def _judged(
    cursor: Cursor, places: Places, judge: str, rows: list[InvalidRow]
) -> tuple[list[tuple[InvalidRow, dict[str, str]]], list[Rejection]]:
    cursor.execute(judge, [[row.key for row in rows]])
    verdicts = {key: (errors, warnings) for key, errors, warnings in cursor.fetchall()}
    passed: list[tuple[InvalidRow, dict[str, str]]] = []
    rejected: list[Rejection] = []
    for row in rows:
        errors, warnings = verdicts[row.key]
        noted = described_warnings(places.entity, warnings)
        if not errors:
            passed.append((row, noted))
            continue
        said = described(places.entity, errors, row.content)
        rejected.append(Rejection(row, said.reason_code or "INVALID", said.errors, noted))
    return passed, rejected


def _counted(rejected: list[Rejection]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in rejected:
        counts[each.reason] = counts.get(each.reason, 0) + 1
    return counts


def _note_passed(
    cursor: Cursor, places: Places, passed: list[tuple[InvalidRow, dict[str, str]]]
) -> None:
    """Note what passed, in which state, by which rules; judging the same again is no attempt."""
    if not passed:
        return
    version = promotion_rules_version()
    rows: list[dict[str, Any]] = [
        {
            "id": row.id,
            "passed_hash": content_hash(places.columns, row.content),
            "warnings": warnings,
        }
        for row, warnings in passed
    ]
    cursor.execute(
        f"UPDATE {places.invalid} t SET validation_errors = '{{}}', "
        "validation_warnings = v.warnings, still_invalid = false, "
        f"revalidated_at = {clock(places.invalid_shape, 'revalidated_at')}, "
        "revalidation_attempts = coalesce(t.revalidation_attempts, 0) "
        "+ (t.passed_hash IS DISTINCT FROM v.passed_hash)::int, "
        f"chronic = false, passed_hash = v.passed_hash, passed_rules = %s"
        f"{_status(places, 'PASSED')} "
        f"FROM {recordset({'id': 'bigint', 'passed_hash': 'text', 'warnings': 'jsonb'})} "
        "WHERE t.id = v.id",
        [version, json.dumps(rows)],
    )


def reject(cursor: Cursor, places: Places, rejected: list[Rejection]) -> int:
    """Write why records stay invalid; returns how many of them are chronic by now."""
    if not rejected:
        return 0
    rows = [
        {
            "id": each.row.id,
            "reason": each.reason,
            "errors": each.errors,
            "warnings": each.warnings,
            "judged_hash": content_hash(places.columns, each.row.content),
        }
        for each in rejected
    ]
    types = {"id": "bigint", "reason": "text", "errors": "jsonb", "warnings": "jsonb"}
    # A content that passed was counted as an attempt then: what is held at its promotion, or falls
    # under rules that became stricter, is not counted again.
    attempts = (
        "(coalesce(t.revalidation_attempts, 0) "
        "+ (t.passed_hash IS DISTINCT FROM v.judged_hash)::int)"
    )
    cursor.execute(
        f"UPDATE {places.invalid} t SET validation_errors = v.errors, "
        "validation_warnings = coalesce(v.warnings, t.validation_warnings), "
        "reason_code = v.reason, still_invalid = true, enrichment_status = 'failed', "
        f"revalidated_at = {clock(places.invalid_shape, 'revalidated_at')}, "
        f"revalidation_attempts = {attempts}, chronic = {attempts} >= {CHRONIC_AFTER}, "
        f"passed_hash = NULL, passed_rules = NULL{_status(places, 'FAILED')} "
        f"FROM {recordset({**types, 'judged_hash': 'text'})} WHERE t.id = v.id RETURNING t.chronic",
        [json.dumps(rows)],
    )
    return sum(chronic for (chronic,) in cursor.fetchall())


def _status(places: Places, status: str) -> str:
    if "validation_status" not in places.invalid_shape:
        return ""
    return f", {quote_identifier('validation_status')} = '{status}'"
