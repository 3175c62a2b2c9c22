"""Push: completed rows of the workspace back into the invalid tables.

Compare-and-set by a merge of three versions under a row lock: what was pulled, what the enricher
made of it, what Neon has by now. A row is marked as pushed only when Neon has taken it and the
enricher has not changed it since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, content_hash, merge, source_hash
from outreach_platform.enrichment.log import log_conflicts, log_stage
from outreach_platform.enrichment.pull import undefined_statuses
from outreach_platform.enrichment.rows import (
    COMPLETE,
    STILL_COMPLETE,
    InvalidRow,
    WorkspaceRow,
    changed_since_push,
    content_sql,
    read_invalid,
    version_sql,
    workspace_batches,
)
from outreach_platform.enrichment.settle import NO_SOURCE, note_problems, promotions
from outreach_platform.enrichment.tables import Places, syncing
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.postgres.shape import clock, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
_SWALLOWED = "Neon's table did not take the change: look for rules or triggers on it"
_PROMOTED = "the record was promoted before this edit, which is kept here: correct the master"


@dataclass
class PushReport:
    """What a push brought from one entity's workspace into Neon.

    Attributes:
        read: completed rows that had not been pushed, or were changed since.
        updated: rows of Neon that were changed.
        confirmed: rows that were marked as pushed; some needed no change.
        moved_on: rows that an enricher changed meanwhile; the next push takes them.
        conflicts: columns that both sides had changed.
        problems: rows that Neon did not take or does not have, a sentence each.
    """

    read: int = 0
    updated: int = 0
    confirmed: int = 0
    moved_on: int = 0
    conflicts: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Pushed:
    """A row as both sides have it after the push."""

    row: WorkspaceRow
    source: InvalidRow
    content: Content


@dataclass
class _Applied:
    confirmed: list[_Pushed]
    updated: int
    conflicts: int
    problems: list[tuple[WorkspaceRow, str]]


@dataclass(frozen=True)
class _Pusher:
    places: Places
    schema: str
    run_id: str

    def apply(self, cursor: Cursor, rows: list[WorkspaceRow]) -> _Applied:
        """Bring one batch into Neon, in its transaction."""
        key = quote_identifier(self.places.entity.key)
        found = read_invalid(
            cursor,
            self.places,
            f"t.{key} = ANY(%s) ORDER BY t.{key}",
            [[row.key for row in rows]],
            lock="FOR UPDATE",
        )
        sources = {source.key: source for source in found}
        problems = self.orphans(cursor, [row for row in rows if row.key not in sources])
        pushed: list[_Pushed] = []
        conflicts = []
        for row in rows:
            source = sources.get(row.key)
            if source is None:
                continue
            merged = self.merged(row, source)
            if problem := self.misfit(merged.content):
                problems.append((row, problem))
                continue
            pushed.append(_Pushed(row, source, merged.content))
            conflicts += [(row, source, conflict) for conflict in merged.conflicts]
        columns = self.places.columns
        fresh = [each for each in pushed if not each.source.carries(each.row, columns)]
        taken, refused = self.update(cursor, fresh)
        lost = {each.row.key for each, _ in refused}
        arrived = {each.row.key: each for each in taken}
        log_conflicts(
            *(cursor, self.places, self.schema, self.run_id),
            [each for each in conflicts if each[0].key not in lost],
        )
        log_stage(
            *(cursor, self.places, self.run_id, "push"),
            source=self.places.workspace,
            target=self.places.invalid,
            passed=len(taken),
            failed=len(refused) + len(problems),
        )
        problems += [(each.row, reason) for each, reason in refused]
        return _Applied(
            [arrived.get(each.row.key, each) for each in pushed if each.row.key not in lost],
            len(taken),
            len(conflicts),
            problems,
        )

    def merged(self, row: WorkspaceRow, source: InvalidRow):
        """The version that both sides shall have."""
        columns = self.places.columns
        if source.carries(row, columns):
            # This very edit came through before; only the mark is missing. Neon has the word.
            return merge(
                columns,
                base=row.content,
                workspace=row.content,
                source=source.content,
                workspace_wins=True,
            )
        return merge(
            columns,
            base=row.base,
            workspace=row.content,
            source=source.content,
            workspace_wins=source.updated_at is None or row.version >= source.updated_at,
            source_is_ours=source.is_as_pushed(columns),
        )

    def orphans(self, cursor: Cursor, rows: list[WorkspaceRow]) -> list[tuple[WorkspaceRow, str]]:
        """Why rows match nothing in Neon."""
        if not rows:
            return []
        promoted = promotions(cursor, self.places, self.schema, [row.key for row in rows])
        return [
            (row, _PROMOTED if row.key in promoted else NO_SOURCE)
            for row in rows
            # The very edit may be in the master already; settling stamps it.
            if row.key not in promoted or promoted[row.key].version != row.version
        ]

    def misfit(self, content: Content) -> str | None:
        """Which value Neon's column cannot hold, if any."""
        for column, value in content.items():
            bits = _INTEGERS.get(self.places.invalid_shape[column].type)
            if bits is None or value is None:
                continue
            try:
                if not -(2**bits) <= int(value) < 2**bits:
                    return f"{column} is too large a number"
            except ValueError:
                return f"{column} holds text where a whole number belongs"
        return None

    def update(
        self, cursor: Cursor, pushed: list[_Pushed]
    ) -> tuple[list[_Pushed], list[tuple[_Pushed, str]]]:
        """Write the merged rows, all in one statement, or those that the database takes."""
        if not pushed:
            return [], []
        shape, places = self.places.invalid_shape, self.places
        key = places.entity.key
        columns = [c for c in places.columns if c != key]
        about = {
            "pushed_hash": "text",
            "pushed_version": "timestamp",
            "pushed_edit": "text",
            "edited_at": shape["updated_at"].type,
            "enriched_at": shape["enriched_at"].type,
            "enriched_by": "text",
            "cleared_columns": "text[]",
        }
        source = recordset({**types_of(shape, [key, *columns]), **about})
        sets = ", ".join(f"{quote_identifier(c)} = v.{quote_identifier(c)}" for c in columns)
        statement = (
            f"UPDATE {places.invalid} t SET {sets}, enrichment_status = 'complete', "
            "enriched_at = v.enriched_at, enriched_by = v.enriched_by, "
            "pushed_hash = v.pushed_hash, pushed_version = v.pushed_version, "
            "pushed_edit = v.pushed_edit, cleared_columns = v.cleared_columns, "
            "still_invalid = false, passed_hash = NULL, "
            "updated_at = greatest(t.updated_at, v.edited_at) "
            f"FROM {source} WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
            f"RETURNING t.{quote_identifier(key)}, {content_sql(places.columns)}"
        )
        arrived: dict[str, Content] = {}

        def write(part: Sequence[_Pushed]) -> None:
            cursor.execute(statement, [json.dumps([self.values(each) for each in part])])
            arrived.update(cursor.fetchall())

        taken, refused = apply_rows(cursor, pushed, write)
        refused += [(each, _SWALLOWED) for each in taken if each.row.key not in arrived]
        # What Neon has made of it, not what we asked for: it may have triggers.
        return [
            replace(each, content=arrived[each.row.key])
            for each in taken
            if each.row.key in arrived
        ], refused

    def values(self, pushed: _Pushed) -> dict:
        """What is written into Neon of one row."""
        row, shape = pushed.row, self.places.invalid_shape
        return {
            **pushed.content,
            self.places.entity.key: row.key,
            "pushed_hash": content_hash(self.places.columns, pushed.content),
            "pushed_version": str(row.version),
            "pushed_edit": content_hash(self.places.columns, row.content),
            "edited_at": _written(row.version, shape["updated_at"].type),
            "enriched_at": _written(row.enriched_at or row.version, shape["enriched_at"].type),
            "enriched_by": row.enriched_by,
            "cleared_columns": _cleared(pushed),
        }

    def mark(self, cursor: Cursor, confirmed: list[_Pushed]) -> set[str]:
        """Mark rows as pushed that are as they were read; returns the keys of these."""
        syncing(cursor)
        places, shape = self.places, self.places.workspace_shape
        key = places.entity.key
        columns = [c for c in places.columns if c != key]
        types = {
            **types_of(shape, [key, *columns, "last_sync_hash", "pulled_content"]),
            "version": "timestamp",
            "read_content": "jsonb",
        }
        sets = ", ".join(f"{quote_identifier(c)} = v.{quote_identifier(c)}" for c in columns)
        rows = [
            {
                **each.content,
                key: each.row.key,
                "pulled_content": each.content,
                "last_sync_hash": source_hash(
                    *(places.columns, each.content, each.source.reason_code),
                    *(each.source.errors, each.source.warnings),
                ),
                "version": str(each.row.version),
                "read_content": each.row.content,
            }
            for each in confirmed
        ]
        cursor.execute(
            f"UPDATE {places.workspace} t SET {sets}, pulled_content = v.pulled_content, "
            "last_sync_hash = v.last_sync_hash, sync_problem = NULL, "
            f"pushed_to_neon_at = greatest({clock(shape, 'pushed_to_neon_at')}, t.updated_at) "
            f"FROM {recordset(types)} "
            f"WHERE t.{quote_identifier(key)} = v.{quote_identifier(key)} "
            f"AND {version_sql(places)} = v.version "
            f"AND {content_sql(places.columns)} = v.read_content AND {STILL_COMPLETE} "
            f"RETURNING t.{quote_identifier(key)}",
            [json.dumps(rows)],
        )
        return {marked for (marked,) in cursor.fetchall()}


def _cleared(pushed: _Pushed) -> list[str]:
    """Columns that were emptied on purpose: a promotion empties them in the master, too."""
    cleared = set(pushed.source.cleared)
    for column, value in pushed.content.items():
        if (value or "").strip():
            cleared.discard(column)
        elif (pushed.source.content.get(column) or "").strip():
            cleared.add(column)
    return sorted(cleared)


def _written(moment: object, type_name: str) -> str:
    """A naive UTC time as the column's type reads it."""
    return f"{moment}+00" if "with time zone" in type_name else str(moment)


def push(
    neon: Session, workspace: Session, places: Places, *, schema: str, batch_size: int, run_id: str
) -> PushReport:
    """Bring what enrichers completed into Neon; see `pull` for the arguments.

    Raises:
        SourceError: a database is away or refuses; a later push finds what was done.
    """
    pusher = _Pusher(places, schema, run_id)
    report = PushReport()
    where = f"{COMPLETE} AND {changed_since_push(places)}"
    for rows in workspace_batches(workspace, places, where, batch_size):
        applied = neon.run(lambda cursor, rows=rows: pusher.apply(cursor, rows))
        marked: set[str] = set()
        if applied.confirmed:
            confirmed = applied.confirmed
            marked = workspace.run(lambda cursor, rows=confirmed: pusher.mark(cursor, rows))
        problems = [(row.key, row.version, said) for row, said in applied.problems]
        note_problems(workspace, places, problems)
        report.read += len(rows)
        report.updated += applied.updated
        report.conflicts += applied.conflicts
        report.confirmed += len(marked)
        report.moved_on += len(applied.confirmed) - len(marked)
        report.problems += [f"{row.key}: {said}" for row, said in applied.problems]
    report.problems += undefined_statuses(workspace, places)
    return report
