"""Rows of the workspace and of the invalid tables, read in one form from either database.

All data columns are read as text, so that a number in one table and the same number as text in
another are equal. Times are naive and in UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, content_hash, source_hash
from outreach_platform.enrichment.tables import Places, content_sql, rows_as_dicts
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import Shape, naive_utc
from outreach_platform.foundation.warehouse import quote_identifier

# Rows that an enricher completed and that were not promoted yet.
COMPLETE = "t.enrichment_status = 'complete' AND t.promoted_at IS NULL"
# The same where rows are found by their keys. Written so that no index on the status fits: after a
# bulk edit the statistics say that hardly any row is complete, and each batch would read them all.
STILL_COMPLETE = "coalesce(t.enrichment_status, '') = 'complete' AND t.promoted_at IS NULL"


@dataclass(frozen=True)
class InvalidRow:
    """A record that failed validation, as Neon has it."""

    id: int
    key: str
    content: Content
    reason_code: str | None
    errors: Any
    warnings: Any
    batch_id: str | None
    updated_at: datetime | None
    status: str | None
    still_invalid: bool | None
    attempts: int
    chronic: bool
    pushed_hash: str | None
    pushed_version: datetime | None
    pushed_edit: str | None
    passed_hash: str | None
    passed_rules: str | None
    cleared: list[str]

    def synced_as(self, columns: Sequence[str]) -> str:
        """The hash by which the workspace knows this version."""
        return source_hash(columns, self.content, self.reason_code, self.errors, self.warnings)

    def carries(self, row: "WorkspaceRow", columns: Sequence[str]) -> bool:
        """Whether our last push brought this very edit.

        The version alone does not tell: an edit that goes past the trigger leaves it as it was.
        """
        edits = (self.pushed_edit, self.pushed_hash)
        return self.pushed_version == row.version and content_hash(columns, row.content) in edits

    def is_as_pushed(self, columns: Sequence[str]) -> bool:
        """Whether nobody has changed it since our last push."""
        return self.pushed_hash is not None and self.pushed_hash == content_hash(
            columns, self.content
        )


@dataclass(frozen=True)
class WorkspaceRow:
    """A record in the workspace; `version` changes with every edit of an enricher's."""

    id: int
    key: str
    content: Content
    base: Content | None
    status: str | None
    notes: str | None
    enriched_by: str | None
    enriched_at: datetime | None
    version: datetime
    neon_id: int | None
    synced_as: str | None
    pushed_at: datetime | None
    promoted_at: datetime | None


def read_invalid(
    cursor: Cursor, places: Places, where: str, parameters: Sequence[Any], *, lock: str = ""
) -> list[InvalidRow]:
    """Rows of the invalid table.

    Args:
        cursor: of a transaction on Neon.
        places: whose table.
        where: condition, order and limit; the table is `t`.
        parameters: of the condition.
        lock: a locking clause, such as `FOR UPDATE`.
    """
    shape = places.invalid_shape
    cursor.execute(
        f"SELECT t.id, t.{quote_identifier(places.entity.key)} AS key, "
        f"{_values_sql(places.columns)} AS content, t.reason_code, "
        "t.validation_errors AS errors, t.validation_warnings AS warnings, "
        f"{_optional(shape, 'batch_id')} AS batch_id, "
        f"{naive_utc(shape, 'updated_at', 't')} AS updated_at, t.enrichment_status AS status, "
        "t.still_invalid, coalesce(t.revalidation_attempts, 0) AS attempts, "
        "coalesce(t.chronic, false) AS chronic, t.pushed_hash, t.pushed_version, "
        "t.pushed_edit, t.passed_hash, t.passed_rules, "
        "coalesce(t.cleared_columns, '{}') AS cleared "
        f"FROM {places.invalid} t WHERE {where} {lock}",
        list(parameters),
    )
    return [InvalidRow(**row) for row in _with_content(cursor, places.columns)]


def read_workspace(
    cursor: Cursor, places: Places, where: str, parameters: Sequence[Any], *, lock: str = ""
) -> list[WorkspaceRow]:
    """Rows of the workspace; see `read_invalid`."""
    shape = places.workspace_shape
    cursor.execute(
        f"SELECT t.id, t.{quote_identifier(places.entity.key)} AS key, "
        f"{_values_sql(places.columns)} AS content, t.pulled_content AS base, "
        "t.enrichment_status AS status, t.enrichment_notes AS notes, t.enriched_by, "
        f"{naive_utc(shape, 'enriched_at', 't')} AS enriched_at, "
        f"{version_sql(places)} AS version, t.neon_id, "
        f"t.last_sync_hash AS synced_as, {naive_utc(shape, 'pushed_to_neon_at', 't')} AS pushed_at,"
        f" {naive_utc(shape, 'promoted_at', 't')} AS promoted_at "
        f"FROM {places.workspace} t WHERE {where} {lock}",
        list(parameters),
    )
    return [WorkspaceRow(**row) for row in _with_content(cursor, places.columns)]


def _values_sql(columns: Sequence[str]) -> str:
    """The data columns as one array, which is read several times as fast as a JSON object."""
    return f"ARRAY[{', '.join(f't.{quote_identifier(c)}::text' for c in columns)}]::text[]"


def _with_content(cursor: Cursor, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in rows_as_dicts(cursor):
        yield {**row, "content": dict(zip(columns, row["content"], strict=True))}


def version_sql(places: Places) -> str:
    """The time that names a row's version: it moves with every edit of an enricher's.

    Rows of other hands may have none; the first edit gives them one.
    """
    updated = naive_utc(places.workspace_shape, "updated_at", "t")
    return f"coalesce({updated}, timestamp '1970-01-01')"


def changed_since_push(places: Places) -> str:
    """The condition under which an enricher has changed a row since its last push.

    By time or by content: the clock of a server may run behind.
    """
    updated, pushed = (
        naive_utc(places.workspace_shape, column, "t")
        for column in ("updated_at", "pushed_to_neon_at")
    )
    return (
        f"(t.pushed_to_neon_at IS NULL OR {updated} > {pushed} "
        f"OR t.pulled_content IS DISTINCT FROM {content_sql(places.columns)})"
    )


def workspace_batches(
    session: Session, places: Places, where: str, size: int
) -> Iterator[list[WorkspaceRow]]:
    """Rows of the workspace in the order of their ids, a batch at a time."""
    last = 0
    while True:
        after = last
        rows = session.run(
            lambda cursor, after=after: read_workspace(
                cursor, places, f"{where} AND t.id > %s ORDER BY t.id LIMIT %s", [after, size]
            )
        )
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _optional(shape: Shape, column: str) -> str:
    return f"t.{quote_identifier(column)}" if column in shape else "NULL"
