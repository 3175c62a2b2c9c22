"""Where the records are: counts by stage, and whether the two databases agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import STATUSES
from outreach_platform.enrichment.rows import COMPLETE, read_invalid, workspace_batches
from outreach_platform.enrichment.tables import HISTORY, Places, one, qualified
from outreach_platform.foundation.lake import Record
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.warehouse import quote_identifier

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
    missing, strangers = _Few(), _Few()
    invalid = _keys(neon, places.invalid, places.entity.key, "true")
    known = _keys(workspace, places.workspace, places.entity.key, "true")
    left, right = next(invalid, None), next(known, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left < right):
            missing.add(left or "")
            left = next(invalid, None)
        elif left is None or right < left:
            strangers.add(right)
            right = next(known, None)
        else:
            left, right = next(invalid, None), next(known, None)
    orphans = _Few()
    for key in _not_promoted(neon, places, schema, strangers.all):
        orphans.add(key)
    return Reconciliation(
        missing.found,
        orphans.found,
        doubled(neon, places, schema=schema),
        lost_edits(neon, workspace, places),
    )


class _Few:
    """A count, and the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.all: list[str] = []

    def add(self, key: str) -> None:
        self.count += 1
        self.all.append(key)

    @property
    def found(self) -> tuple[int, tuple[str, ...]]:
        return self.count, tuple(self.all[:_SHOWN])


def _keys(session: Session, table: str, key: str, where: str) -> Iterator[str]:
    """The keys of a table in the order of their bytes, whatever the database's collation."""
    name = f't.{quote_identifier(key)} COLLATE "C"'
    after = ""

    def read(cursor: Cursor, last: str) -> list[tuple[str]]:
        cursor.execute(
            f"SELECT t.{quote_identifier(key)} FROM {table} t WHERE {where} AND {name} > %s "
            f"ORDER BY {name} LIMIT %s",
            [last, _SIZE],
        )
        return cursor.fetchall()

    while rows := session.run(lambda cursor, last=after: read(cursor, last)):
        for (found,) in rows:
            yield found
        after = rows[-1][0]


def _not_promoted(neon: Session, places: Places, schema: str, keys: list[str]) -> Iterator[str]:
    def read(cursor: Cursor, part: list[str]) -> set[str]:
        cursor.execute(
            f"SELECT record_key FROM {qualified(schema, HISTORY)} "
            "WHERE entity = %s AND undone_at IS NULL AND record_key = ANY(%s)",
            [places.entity.name, part],
        )
        return {key for (key,) in cursor.fetchall()}

    for start in range(0, len(keys), _SIZE):
        part = keys[start : start + _SIZE]
        promoted = neon.run(lambda cursor, part=part: read(cursor, part))
        yield from (key for key in part if key not in promoted)


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


def lost_edits(neon: Session, workspace: Session, places: Places) -> tuple[int, tuple[str, ...]]:
    """Completed rows that are marked as pushed and whose content Neon does not have."""
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
            if source is not None and source.content != row.content:
                lost.add(row.key)
    return lost.found
