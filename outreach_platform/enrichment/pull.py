"""Pull: records that failed validation, from Neon into the enrichers' workspace.

A row is inserted once and refreshed when the source has changed since. What an enricher works on or
has completed is never overwritten; what one edited without saying so is merged.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Conflict, Content, errors_by_column, merge
from outreach_platform.enrichment.entities import STATUSES
from outreach_platform.enrichment.log import log_conflicts, log_stage
from outreach_platform.enrichment.pull_statements import archived, statement_of
from outreach_platform.enrichment.records import add_up
from outreach_platform.enrichment.rows import (
    InvalidRow,
    WorkspaceRow,
    read_invalid,
    read_workspace,
)
from outreach_platform.enrichment.settle import WITHOUT_SOURCE
from outreach_platform.enrichment.tables import Places, syncing
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.postgres.shape import recordset
from outreach_platform.foundation.warehouse import quote_identifier

_REFRESHED = ("pending", "failed")
# FOR SHARE: a record that is being promoted must not be offered again while it goes.
_LOCK = "FOR SHARE"


@dataclass
class PullReport:
    """What a pull did to one entity's workspace.

    Attributes:
        read: rows of the invalid table.
        inserted, refreshed, reopened, unchanged: what became of them.
        protected: rows that differ from the source and are being worked on or completed.
        conflicts: columns that both an enricher and the source had changed.
        problems: rows that the workspace did not take, a sentence each.
    """

    read: int = 0
    inserted: int = 0
    refreshed: int = 0
    reopened: int = 0
    unchanged: int = 0
    protected: int = 0
    conflicts: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Puller:
    neon: Session
    workspace: Session
    places: Places
    schema: str
    run_id: str

    def batch(self, cursor: Cursor, after: int, size: int) -> tuple[int | None, PullReport]:
        """Bring one batch over; returns the last id, None when there is none."""
        where = "t.id > %s ORDER BY t.id LIMIT %s"
        rows = read_invalid(cursor, self.places, where, [after, size], lock=_LOCK)
        if not rows:
            return None, PullReport()
        done, conflicts = self.workspace.run(lambda workspace: self.bring(workspace, rows))
        log_conflicts(cursor, self.places, self.schema, self.run_id, conflicts)
        log_stage(
            cursor,
            self.places,
            self.run_id,
            "pull",
            source=self.places.invalid,
            target=self.places.workspace,
            passed=done.inserted + done.refreshed + done.reopened,
            failed=len(done.problems),
        )
        return rows[-1].id, done

    def bring(
        self, cursor: Cursor, rows: list[InvalidRow]
    ) -> tuple[PullReport, list[tuple[WorkspaceRow, InvalidRow, Conflict]]]:
        """Write one batch into the workspace."""
        syncing(cursor)
        key = quote_identifier(self.places.entity.key)
        present = {
            row.key: row
            for row in read_workspace(
                cursor,
                self.places,
                f"t.{key} = ANY(%s) ORDER BY t.{key}",
                [[row.key for row in rows]],
                lock="FOR UPDATE",
            )
        }
        report = PullReport(read=len(rows))
        conflicts: list[tuple[WorkspaceRow, InvalidRow, Conflict]] = []
        plans: dict[str, list[dict]] = {"insert": [], "refresh": [], "reopen": []}
        self.welcome_back(cursor, rows, present)
        for row in rows:
            plan = _plan(row, present.get(row.key), self.places.columns)
            if plan in ("unchanged", "protected"):
                setattr(report, plan, getattr(report, plan) + 1)
            else:
                values, found = self.values(row, present.get(row.key), plan)
                plans[plan].append(values)
                conflicts += found
        report.conflicts = len(conflicts)
        for plan, counter in (
            ("insert", "inserted"),
            ("refresh", "refreshed"),
            ("reopen", "reopened"),
        ):
            statement = statement_of(self.places, plan)
            taken, refused = apply_rows(
                cursor, plans[plan], lambda part, s=statement: cursor.execute(s, [json.dumps(part)])
            )
            setattr(report, counter, len(taken))
            key_name = self.places.entity.key
            report.problems += [f"{values[key_name]}: {reason}" for values, reason in refused]
        return report, conflicts

    def welcome_back(
        self, cursor: Cursor, rows: list[InvalidRow], present: dict[str, WorkspaceRow]
    ) -> None:
        """Take back what was noted of records while they were not invalid.

        One that an enricher works on is no longer promoted; one that had no source has one; an
        edit that was pushed onto a row that is gone is archived, because its successor may take it
        back, and pushed again.
        """
        key = quote_identifier(self.places.entity.key)
        here = [row.key for row in rows if row.key in present]
        cursor.execute(
            f"UPDATE {self.places.workspace} SET sync_problem = NULL "
            f"WHERE {key} = ANY(%s) AND sync_problem = ANY(%s)",
            [here, list(WITHOUT_SOURCE)],
        )
        anew = [
            {"key": row.key, "id": row.id}
            for row in rows
            if (known := present.get(row.key))
            and known.neon_id != row.id
            and not _can_reopen(known)
        ]
        if anew:
            cursor.execute(
                f"UPDATE {self.places.workspace} t SET neon_id = v.id, pushed_to_neon_at = NULL, "
                "edit_history = CASE WHEN t.pushed_to_neon_at IS NULL THEN t.edit_history "
                f"ELSE {archived(self.places)} END "
                f"FROM {recordset({'key': 'text', 'id': 'bigint'})} WHERE t.{key} = v.key "
                "AND t.enrichment_status <> ALL(%s)",
                [json.dumps(anew), list(_REFRESHED)],
            )
        promoted = [
            name for name in here if present[name].promoted_at and not _can_reopen(present[name])
        ]
        if promoted:
            cursor.execute(
                f"UPDATE {self.places.workspace} SET promoted_at = NULL WHERE {key} = ANY(%s)",
                [promoted],
            )

    def values(
        self, row: InvalidRow, present: WorkspaceRow | None, plan: str
    ) -> tuple[dict, list[tuple[WorkspaceRow, InvalidRow, Conflict]]]:
        """What is written of one row, and the columns that both sides had changed."""
        content, found = row.content, []
        if plan == "refresh" and present is not None:
            merged = merge(
                self.places.columns,
                base=present.base,
                workspace=present.content,
                source=row.content,
                workspace_wins=row.updated_at is None or present.version >= row.updated_at,
                source_is_ours=row.is_as_pushed(self.places.columns),
            )
            content = merged.content
            found = [(present, row, conflict) for conflict in merged.conflicts]
        return {
            **content,
            self.places.entity.key: row.key,
            "neon_id": row.id,
            "source_batch_id": row.batch_id,
            "reason_code": row.reason_code,
            "original_validation_errors": errors_by_column(row.errors),
            "original_validation_warnings": errors_by_column(row.warnings),
            "last_sync_hash": row.synced_as(self.places.columns),
            "pulled_content": row.content,
            "overruled": present is not None and _is_overruled(row, present, content, found),
        }, found


def _is_overruled(
    row: InvalidRow,
    present: WorkspaceRow,
    content: Content,
    found: Sequence[tuple[WorkspaceRow, InvalidRow, Conflict]],
) -> bool:
    """Whether an enricher's values go: to a newer source, or with the row they were pushed onto."""
    replaced = present.neon_id != row.id and content != present.content
    return replaced or any(conflict.winner == "source" for _, _, conflict in found)


def _can_reopen(present: WorkspaceRow) -> bool:
    """Whether it was promoted, and nobody has begun to work on it since."""
    begun = present.status == "in_progress" or present.status not in STATUSES
    return present.promoted_at is not None and not begun


def _plan(row: InvalidRow, present: WorkspaceRow | None, columns: tuple[str, ...]) -> str:
    if present is None:
        return "insert"
    if _can_reopen(present):
        return "reopen"
    if present.synced_as == row.synced_as(columns) and present.neon_id == row.id:
        return "unchanged"
    return "refresh" if present.status in _REFRESHED else "protected"


def pull(
    neon: Session, workspace: Session, places: Places, *, schema: str, batch_size: int, run_id: str
) -> PullReport:
    """Bring the workspace of one entity up to date with the invalid table.

    Args:
        neon: the masters' database.
        workspace: the enrichers'.
        places: the entity's tables.
        schema: of the tables in Neon.
        batch_size: rows a transaction.
        run_id: for the logs.

    Raises:
        SourceError: a database is away or refuses; what was brought over stays.
    """
    puller = _Puller(neon, workspace, places, schema, run_id)
    report, last = PullReport(), 0
    while True:
        found, done = neon.run(lambda cursor, after=last: puller.batch(cursor, after, batch_size))
        if found is None:
            break
        add_up(report, done)
        last = found
    report.problems += undefined_statuses(workspace, places)
    return report


def undefined_statuses(workspace: Session, places: Places) -> list[str]:
    """A sentence for each status in the workspace that nobody defined; such rows are left alone."""

    def read(cursor: Cursor) -> list[tuple[str | None, int]]:
        cursor.execute(
            f"SELECT t.enrichment_status, count(*) FROM {places.workspace} t "
            "WHERE t.enrichment_status IS NULL OR t.enrichment_status <> ALL(%s) "
            "GROUP BY 1 ORDER BY 1",
            [list(STATUSES)],
        )
        return cursor.fetchall()

    return [
        f"{count} rows of {places.entity.workspace} have the status {status!r}, which nobody "
        f"defined, and are left alone: set one of {', '.join(STATUSES)}"
        for status, count in workspace.run(read)
    ]
