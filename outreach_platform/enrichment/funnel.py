"""Where the records are: counts by stage, and whether the two databases agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import STATUSES
from outreach_platform.enrichment.rows import (
    COMPLETE,
    InvalidRow,
    WorkspaceRow,
    read_invalid,
    workspace_batches,
)
from outreach_platform.enrichment.tables import HISTORY, Places, one, qualified
from outreach_platform.foundation.lake import Record
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

_SIZE = 1000
_SHOWN = 20


class Funnel(Record):
    """How many records of one entity are where.

    Attributes:
        entity: company or people.
        invalid: rows of the invalid table.
        pulled: rows of the workspace that are not promoted.
        pending, in_progress, complete, failed: these by status.
        pushed: completed rows that Neon has.
        passed: records that passed and were not promoted yet.
        promoted: records in the master, undone ones not counted.
        still_invalid: records that were judged again and failed.
        chronic: of these, the ones that failed three times or more.
        waiting: completed rows that a promotion run would take.
        problems: completed rows that hang, with the reason beside them.
        undefined: rows with a status that nobody defined.
    """

    entity: str
    invalid: int
    pulled: int
    pending: int
    in_progress: int
    complete: int
    failed: int
    pushed: int
    passed: int
    promoted: int
    still_invalid: int
    chronic: int
    waiting: int
    problems: int
    undefined: int


class FunnelRecord(Record):
    """The funnel as it was after a run.

    Attributes:
        run_id: the run.
        at: when, aware.
        source: the masters' database, for display.
        funnels: one an entity.
    """

    run_id: str
    at: datetime
    source: str
    funnels: list[Funnel]


def funnel(neon: Session, workspace: Session, places: Places, *, schema: str) -> Funnel:
    """Count one entity's records; a statement a database."""
    here = workspace.run(lambda cursor: _in_workspace(cursor, places))
    there = neon.run(lambda cursor: _in_neon(cursor, places, schema))
    return Funnel(entity=places.entity.name, **here, **there)


def _in_workspace(cursor: Cursor, places: Places) -> dict[str, int]:
    known = ", ".join(f"'{status}'" for status in STATUSES)
    open_rows = "t.promoted_at IS NULL"
    filters = {
        "pulled": open_rows,
        **{status: f"{open_rows} AND t.enrichment_status = '{status}'" for status in STATUSES},
        "pushed": f"{COMPLETE} AND t.pushed_to_neon_at >= t.updated_at",
        "waiting": f"{COMPLETE} AND t.sync_problem IS NULL",
        "problems": f"{open_rows} AND t.sync_problem IS NOT NULL",
        "undefined": f"t.enrichment_status IS NULL OR t.enrichment_status NOT IN ({known})",
    }
    return _counts(cursor, f"{places.workspace} t", filters)


def _in_neon(cursor: Cursor, places: Places, schema: str) -> dict[str, int]:
    filters = {
        "invalid": "true",
        "passed": "t.enrichment_status = 'complete' AND t.passed_hash IS NOT NULL",
        "still_invalid": "t.still_invalid",
        "chronic": "t.chronic",
    }
    counts = _counts(cursor, f"{places.invalid} t", filters)
    cursor.execute(
        f"SELECT count(DISTINCT record_key) FROM {qualified(schema, HISTORY)} "
        "WHERE entity = %s AND undone_at IS NULL",
        [places.entity.name],
    )
    return {**counts, "promoted": one(cursor)[0]}


def _counts(cursor: Cursor, table: str, filters: dict[str, str]) -> dict[str, int]:
    listed = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in filters.values())
    cursor.execute(f"SELECT {listed} FROM {table}")
    return dict(zip(filters, one(cursor), strict=True))


@dataclass(frozen=True)
class Reconciliation:
    """Whether every record is in exactly one place.

    Attributes:
        not_pulled: invalid rows without a row in the workspace, and how many.
        orphans: rows of the workspace whose record is neither invalid nor promoted.
        doubled: records that were promoted and still stand in the invalid table.
        lost_edits: pushed rows whose content Neon does not have.
    """

    not_pulled: tuple[int, tuple[str, ...]]
    orphans: tuple[int, tuple[str, ...]]
    doubled: tuple[int, tuple[str, ...]]
    lost_edits: tuple[int, tuple[str, ...]]


def reconcile(neon: Session, workspace: Session, places: Places, *, schema: str) -> Reconciliation:
    """Compare the two databases key by key; memory does not grow with the tables."""
    missing, orphans = neon.run(
        lambda there: workspace.run(lambda here: _walk(there, here, places, schema))
    )
    return Reconciliation(
        missing.found,
        orphans.found,
        doubled(neon, places, schema=schema),
        lost_edits(neon, workspace, places),
    )


def _walk(there: Cursor, here: Cursor, places: Places, schema: str) -> tuple["_Few", "_Few"]:
    """Go through the keys of both sides at once: what was not pulled, and what has no source."""
    missing, orphans = _Few(), _Few()
    key = f"t.{quote_identifier(places.entity.key)}::text"
    sources = _in_order(
        there,
        f"SELECT k, bool_or(invalid) FROM (SELECT {key}, true FROM {places.invalid} t UNION ALL "
        f"SELECT record_key, false FROM {qualified(schema, HISTORY)} "
        f"WHERE entity = {quote_text(places.entity.name)} AND undone_at IS NULL) "
        "AS known(k, invalid) GROUP BY k",
    )
    pulled = _in_order(here, f"SELECT {key} AS k, true FROM {places.workspace} t")
    left, right = next(sources, None), next(pulled, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            # What was promoted may be gone from the workspace; what is invalid may not.
            if left is not None and left[1]:
                missing.add(left[0])
            left = next(sources, None)
        elif left is None or right[0] < left[0]:
            orphans.add(right[0])
            right = next(pulled, None)
        else:
            left, right = next(sources, None), next(pulled, None)
    return missing, orphans


class _Few:
    """A count, and the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(key)

    @property
    def found(self) -> tuple[int, tuple[str, ...]]:
        return self.count, tuple(self.first)


def _in_order(cursor: Cursor, query: str) -> Iterator[tuple[str, bool]]:
    """Rows of `k` and a flag in the order of the bytes of `k`, whatever the database's collation.

    Sorted once and read through the server's cursor: pages of a sorted query would each sort anew.
    """
    with cursor.connection.cursor(name="keys_in_order") as reader:
        reader.itersize = _SIZE
        reader.execute(f'SELECT * FROM ({query}) AS q ORDER BY k COLLATE "C"')
        yield from reader


def doubled(neon: Session, places: Places, *, schema: str) -> tuple[int, tuple[str, ...]]:
    """Records that were promoted and still stand in the invalid table."""

    def read(cursor: Cursor) -> list[str]:
        cursor.execute(
            f"SELECT h.record_key FROM {qualified(schema, HISTORY)} h JOIN {places.invalid} t "
            f"ON t.{quote_identifier(places.entity.key)} = h.record_key AND t.id = h.neon_id "
            "WHERE h.entity = %s AND h.undone_at IS NULL ORDER BY 1",
            [places.entity.name],
        )
        return [key for (key,) in cursor.fetchall()]

    found = neon.run(read)
    return len(found), tuple(found[:_SHOWN])


def unjudged(neon: Session, places: Places) -> tuple[int, tuple[str, ...]]:
    """Completed records without a verdict: a revalidation leaves none."""

    def read(cursor: Cursor) -> tuple[int, list[str]]:
        key = f"t.{quote_identifier(places.entity.key)}"
        cursor.execute(
            f"SELECT {key}, count(*) OVER () FROM {places.invalid} t "
            f"WHERE t.enrichment_status = 'complete' AND t.passed_hash IS NULL "
            f"ORDER BY t.id LIMIT {_SHOWN}"
        )
        rows = cursor.fetchall()
        return rows[0][1] if rows else 0, [name for name, _ in rows]

    count, first = neon.run(read)
    return count, tuple(first)


def _is_newer(source: InvalidRow, row: WorkspaceRow) -> bool:
    """Whether Neon has the row's last push, and a later change on top."""
    return (
        source.pushed_version == row.version
        and source.updated_at is not None
        and source.updated_at > row.version
    )


def lost_edits(neon: Session, workspace: Session, places: Places) -> tuple[int, tuple[str, ...]]:
    """Completed rows that are marked as pushed and whose content Neon does not have.

    Where somebody changed the row in Neon later, his is the newer version, and nothing is lost.
    """
    lost = _Few()
    key = quote_identifier(places.entity.key)
    where = f"{COMPLETE} AND t.pushed_to_neon_at >= t.updated_at"
    for rows in workspace_batches(workspace, places, where, _SIZE):
        found = neon.run(
            lambda cursor, keys=[row.key for row in rows]: read_invalid(
                cursor, places, f"t.{key} = ANY(%s)", [keys]
            )
        )
        sources = {row.key: row for row in found}
        for row in rows:
            source = sources.get(row.key)
            if source is not None and source.content != row.content and not _is_newer(source, row):
                lost.add(row.key)
    return lost.found
