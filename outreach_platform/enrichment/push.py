"""Push: completed rows of the workspace back into the invalid tables.

Compare-and-set by a merge of three versions under a row lock: what was pulled, what the enricher
made of it, what Neon has by now. A row is marked as pushed only when Neon has taken it and the
enricher has not changed it since.
"""

import re
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, merge
from outreach_platform.enrichment.log import log_conflicts, log_stage
from outreach_platform.enrichment.pull import undefined_statuses
from outreach_platform.enrichment.push_writes import Pushed, mark, update
from outreach_platform.enrichment.rows import (
    COMPLETE,
    InvalidRow,
    WorkspaceRow,
    changed_since_push,
    read_invalid,
    read_workspace,
    workspace_batches,
)
from outreach_platform.enrichment.settle import NO_SOURCE, note_problems, promotions
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import INTEGER_BITS
from outreach_platform.foundation.warehouse import quote_identifier

_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_LONGEST = 100
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


@dataclass
class _Applied:
    confirmed: list[Pushed]
    outdated: int
    updated: int
    conflicts: int
    problems: list[tuple[WorkspaceRow, str]]


@dataclass(frozen=True)
class _Pusher:
    workspace: Session
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
        outdated = self.outdated(rows, sources)
        pushed: list[Pushed] = []
        conflicts = []
        for row in rows:
            source = sources.get(row.key)
            if source is None or row.key in outdated:
                continue
            merged = self.merged(row, source)
            if problem := self.misfit(merged.content):
                problems.append((row, problem))
                continue
            pushed.append(Pushed(row, source, merged.content))
            conflicts += [(row, source, conflict) for conflict in merged.conflicts]
        columns = self.places.columns
        fresh = [each for each in pushed if not each.source.carries(each.row, columns)]
        taken, refused = update(cursor, self.places, fresh)
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
            len(outdated),
            len(taken),
            len(conflicts),
            problems,
        )

    def outdated(self, rows: list[WorkspaceRow], sources: dict[str, InvalidRow]) -> set[str]:
        """Rows of which somebody else, on another host, pushed a newer edit since they were read.

        The rows of Neon are locked by now, so that no more can come. Where the clock of a new
        workspace is behind, a pushed time that is later proves nothing: the row itself tells.
        """
        pushed = {key: source.pushed_version for key, source in sources.items()}
        doubtful = [row for row in rows if (at := pushed.get(row.key)) and at > row.version]
        if not doubtful:
            return set()
        where = f"t.{quote_identifier(self.places.entity.key)} = ANY(%s)"
        keys = [row.key for row in doubtful]
        found = self.workspace.run(
            lambda cursor: read_workspace(cursor, self.places, where, [keys])
        )
        present = {row.key: row.version for row in found}
        return {row.key for row in doubtful if present.get(row.key) != row.version}

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
            bits = INTEGER_BITS.get(self.places.invalid_shape[column].type)
            if bits is None or value is None:
                continue
            if not _WHOLE.fullmatch(value):
                return f"{column} holds text where a whole number belongs"
            # Python refuses to read thousands of digits, after having taken its time.
            if len(value) > _LONGEST or not -(2**bits) <= int(value) < 2**bits:
                return f"{column} is too large a number"
        return None


def push(
    neon: Session, workspace: Session, places: Places, *, schema: str, batch_size: int, run_id: str
) -> PushReport:
    """Bring what enrichers completed into Neon; see `pull` for the arguments.

    Raises:
        SourceError: a database is away or refuses; a later push finds what was done.
    """
    pusher = _Pusher(workspace, places, schema, run_id)
    report = PushReport()
    where = f"{COMPLETE} AND {changed_since_push(places)}"
    for rows in workspace_batches(workspace, places, where, batch_size):
        applied = neon.run(lambda cursor, rows=rows: pusher.apply(cursor, rows))
        marked, refused = workspace.run(
            lambda cursor, rows=applied.confirmed: mark(cursor, places, rows)
        )
        problems = [*applied.problems, *((each.row, said) for each, said in refused)]
        note_problems(workspace, places, [(row.key, row.version, said) for row, said in problems])
        report.read += len(rows)
        report.updated += applied.updated
        report.conflicts += applied.conflicts
        report.confirmed += len(marked)
        report.moved_on += len(applied.confirmed) - len(marked) - len(refused) + applied.outdated
        report.problems += [f"{row.key}: {said}" for row, said in problems]
    report.problems += undefined_statuses(workspace, places)
    return report
