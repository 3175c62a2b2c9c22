"""Promotion: what passed goes into the master, in the state in which it passed, exactly once.

Insert or update, verification, deletion of the invalid row, its copy in `promotion_history` and
both logs are one transaction a batch. Rows are locked and looked at again there, so that two
promoters at once take each record once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import content_hash
from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.log import log_stage
from outreach_platform.enrichment.masters import Target, names_of, target
from outreach_platform.enrichment.promotion_writes import Promoter, in_utc
from outreach_platform.enrichment.revalidation import Rejection, reject
from outreach_platform.enrichment.rows import (
    COMPLETE,
    InvalidRow,
    changed_since_push,
    read_invalid,
)
from outreach_platform.enrichment.rules import promotion_rules_version
from outreach_platform.enrichment.tables import Places, qualified
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.postgres.shape import naive_utc
from outreach_platform.foundation.warehouse import quote_identifier
from outreach_platform.records.slots import slot_of_title

UNASSIGNED = "slot_unassigned"
REFUSED = "PROMOTION_REFUSED"
_PASSED = (
    "t.enrichment_status = 'complete' AND t.passed_hash IS NOT NULL AND t.still_invalid IS NOT TRUE"
)


@dataclass
class PromotionReport:
    """What became of one entity's records that had passed.

    Attributes:
        taken: records that were to be promoted.
        inserted, updated: what they became in the master.
        held: records that passed and stay, with the reason written on them.
        not_passed: ids that were asked for and have not passed in their present state.
        edited: records that passed and that an enricher is changing again.
        reasons: held records by reason.
    """

    taken: int = 0
    inserted: int = 0
    updated: int = 0
    held: int = 0
    not_passed: int = 0
    edited: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def promoted(self) -> int:
        """Records that are in the master now."""
        return self.inserted + self.updated


@dataclass(frozen=True)
class Judges:
    """The statements that judge records, and rows of the master."""

    records: str
    masters: str


def promote(
    neon: Session,
    workspace: Session,
    promoter: Promoter,
    judges: Judges,
    *,
    batch_size: int,
    ids: Iterable[str] | None = None,
) -> PromotionReport:
    """Promote what passed.

    Args:
        neon: the masters' database.
        workspace: the enrichers'; asked only who edits his record again.
        promoter: writes a batch.
        judges: for people, whose company may have changed, and for masters that are newer.
        batch_size: rows a transaction.
        ids: only these records; None for all that passed.

    Raises:
        SourceError: a database is away or refuses; promoted batches stay promoted.
        IntegrityError: a batch did not become what was intended; it was rolled back.
    """
    report = PromotionReport()
    places = promoter.places
    batches = _passed(neon, places, batch_size) if ids is None else _chunks(ids, batch_size)
    for keys in batches:
        edited = workspace.run(lambda cursor, keys=keys: _edited(cursor, places, keys))
        if ids is not None and edited:
            edited = neon.run(lambda cursor, keys=edited: _that_passed(cursor, places, keys))
        wanted = [key for key in keys if key not in edited]
        part = neon.run(lambda cursor, keys=wanted: _batch(cursor, promoter, judges, keys))
        part.edited = len(keys) - len(wanted)
        part.not_passed += 0 if ids is None else len(wanted) - part.taken - part.not_passed
        _add(report, part)
    return report


def _add(total: PromotionReport, part: PromotionReport) -> None:
    for name in ("taken", "inserted", "updated", "held", "not_passed", "edited"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for reason, count in part.reasons.items():
        total.reasons[reason] = total.reasons.get(reason, 0) + count


def _passed(neon: Session, places: Places, size: int) -> Iterator[list[str]]:
    """The keys of all that passed, in the order of their ids."""
    last = 0
    key = quote_identifier(places.entity.key)

    def read(cursor: Cursor, after: int) -> list[tuple[int, str]]:
        cursor.execute(
            f"SELECT t.id, t.{key} FROM {places.invalid} t WHERE {_PASSED} AND t.id > %s "
            "ORDER BY t.id LIMIT %s",
            [after, size],
        )
        return cursor.fetchall()

    while rows := neon.run(lambda cursor, after=last: read(cursor, after)):
        yield [name for _, name in rows]
        last = rows[-1][0]


def _chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    part: list[str] = []
    for each in dict.fromkeys(ids):
        part.append(each)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _edited(cursor: Cursor, places: Places, keys: Sequence[str]) -> set[str]:
    """Records whose enricher has gone on since the push: their time has not come."""
    key = quote_identifier(places.entity.key)
    cursor.execute(
        f"SELECT t.{key} FROM {places.workspace} t "
        f"WHERE t.{key} = ANY(%s) AND t.promoted_at IS NULL "
        f"AND ({COMPLETE} AND NOT {changed_since_push(places)}) IS NOT TRUE",
        [list(keys)],
    )
    return {name for (name,) in cursor.fetchall()}


def _that_passed(cursor: Cursor, places: Places, keys: set[str]) -> set[str]:
    key = quote_identifier(places.entity.key)
    cursor.execute(
        f"SELECT t.{key} FROM {places.invalid} t WHERE {_PASSED} AND t.{key} = ANY(%s)",
        [sorted(keys)],
    )
    return {name for (name,) in cursor.fetchall()}


def _batch(
    cursor: Cursor, promoter: Promoter, judges: Judges, keys: Sequence[str]
) -> PromotionReport:
    places = promoter.places
    in_utc(cursor)
    key = quote_identifier(places.entity.key)
    where = f"t.{key} = ANY(%s) ORDER BY t.{key}"
    rows = read_invalid(cursor, places, where, [list(keys)], lock="FOR UPDATE")
    as_passed = [row for row in rows if _is_as_passed(row, places)]
    report = PromotionReport(not_passed=len(rows) - len(as_passed))
    # A connection that was lost during COMMIT did not tell that the batch is in.
    gone = set(keys) - {row.key for row in rows}
    report.inserted, report.updated = promoter.promoted_before(cursor, gone)
    report.taken = report.promoted + len(as_passed)
    if not as_passed:
        return report
    kept, held = _admitted(cursor, promoter, judges, as_passed)
    targets = _targets(cursor, promoter, judges, kept)
    audit_id = promoter.announce(cursor)
    taken, refused = apply_rows(
        cursor, targets, lambda part: promoter.write(cursor, part, audit_id)
    )
    held += [Rejection(each.row, REFUSED, {"record": reason}) for each, reason in refused]
    reject(cursor, places, held)
    updated = sum(each.before is not None for each in taken)
    inserted = len(taken) - updated
    promoter.conclude(cursor, audit_id, inserted=inserted, updated=updated, held=len(held))
    report.updated += updated
    report.inserted += inserted
    report.held = len(held)
    for each in held:
        report.reasons[each.reason] = report.reasons.get(each.reason, 0) + 1
    log_stage(
        *(cursor, places, promoter.run_id, "promote"),
        source=places.invalid,
        target=places.master,
        passed=len(taken),
        failed=len(held),
    )
    return report


def _is_as_passed(row: InvalidRow, places: Places) -> bool:
    return (
        row.status == "complete"
        and not row.still_invalid
        and row.passed_hash == content_hash(places.columns, row.content)
        and row.passed_rules == promotion_rules_version()
    )


def _admitted(
    cursor: Cursor, promoter: Promoter, judges: Judges, rows: list[InvalidRow]
) -> tuple[list[InvalidRow], list[Rejection]]:
    """Hold people whom the master cannot take though they passed."""
    if promoter.places.entity.name != PEOPLE.name:
        return rows, []
    promoter.keep_companies(cursor, {row.content[COMPANY.key] for row in rows})
    cursor.execute(judges.records, [[row.key for row in rows]])
    errors = {key: codes for key, codes, _ in cursor.fetchall()}
    held = [found for row in rows if (found := _hold(row, errors[row.key]))]
    stays = {each.row.key for each in held}
    return [row for row in rows if row.key not in stays], held


def _hold(row: InvalidRow, errors: Sequence[str]) -> Rejection | None:
    """Why a person that passed cannot go into the master, if so."""
    if errors:
        said = "the company is not in the master any more, or not a good one"
        return Rejection(row, "UNKNOWN_COMPANY", {"company_unique_id": said})
    if names_of(row) is None:
        said = "first and last name cannot be told from it: fill first_name and last_name"
        return Rejection(row, "EMPTY_NAME", {"full_name": said})
    if slot_of_title(row.content.get("title")) is None:
        said = f"{UNASSIGNED}: the title names none of CEO, CFO and HR"
        return Rejection(row, UNASSIGNED, {"title": said})
    return None


def _targets(
    cursor: Cursor, promoter: Promoter, judges: Judges, rows: list[InvalidRow]
) -> list[Target]:
    """What each record shall be in the master, whose rows are locked."""
    places = promoter.places
    shape, key = places.master_shape, quote_identifier(places.entity.key)
    updated = naive_utc(shape, "updated_at", "m") if "updated_at" in shape else "NULL::timestamp"
    cursor.execute(
        f"SELECT m.{key}, to_jsonb(m)::text, {updated} FROM {places.master} m "
        f"WHERE m.{key} = ANY(%s) ORDER BY m.{key} FOR UPDATE",
        [[row.key for row in rows]],
    )
    found = {name: (text, moment) for name, text, moment in cursor.fetchall()}
    newer = [
        row.key
        for row in rows
        if (master := found.get(row.key))
        and master[1]
        and not (row.updated_at and row.updated_at >= master[1])
    ]
    bad = _bad_masters(cursor, promoter, judges, newer)
    return [
        target(
            places.entity,
            row,
            found[row.key][0] if row.key in found else None,
            record_newer=row.key not in newer,
            master_is_bad=row.key in bad,
        )
        for row in rows
    ]


def _bad_masters(
    cursor: Cursor, promoter: Promoter, judges: Judges, keys: Sequence[str]
) -> set[str]:
    """Masters that break a rule, and people there whose company is not in the master."""
    if not keys:
        return set()
    cursor.execute(judges.masters, [list(keys)])
    bad = {name for (name,) in cursor.fetchall()}
    if promoter.places.entity.name == PEOPLE.name:
        company = quote_identifier(COMPANY.key)
        cursor.execute(
            f"SELECT m.{quote_identifier(PEOPLE.key)} FROM {promoter.places.master} m "
            f"WHERE m.{quote_identifier(PEOPLE.key)} = ANY(%s) AND NOT EXISTS (SELECT FROM "
            f"{qualified(promoter.schema, COMPANY.master)} c WHERE c.{company} = m.{company})",
            [list(keys)],
        )
        bad |= {name for (name,) in cursor.fetchall()}
    return bad
