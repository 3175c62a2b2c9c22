"""Undo: a run's promotions taken back, as far as nobody has changed the master since."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.log import log_stage
from outreach_platform.enrichment.promotion_writes import PIPELINE, in_utc
from outreach_platform.enrichment.slots import give_back
from outreach_platform.enrichment.tables import HISTORY, Places, qualified
from outreach_platform.foundation.audit import AuditEvent, insert_event
from outreach_platform.foundation.errors import IntegrityError, UsageError
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

EVENT = "enrichment_undo"
_CHANGED = "the master's row was changed after the promotion"
_BACK = "it failed validation again, and its new invalid row stands there"
_PEOPLE = "people in the master belong to this company by now: take them back first"
_SHORTEST = 8
# How a record comes back: for people to look at, so that no sensor promotes it again.
_RESET = (
    '{"enrichment_status": "pending", "passed_hash": null, "passed_rules": null, '
    '"pushed_version": null}'
)


@dataclass
class UndoReport:
    """What was taken back of one entity.

    Attributes:
        restored: records that are in the invalid table again, the master as before.
        problems: records that were left alone, a sentence each.
    """

    restored: int = 0
    problems: list[str] = field(default_factory=list)


def find_run(neon: Session, schema: str, text: str) -> str:
    """The run that promoted something and whose id begins with `text`.

    Raises:
        UsageError: there is none, or more than one.
    """

    def read(cursor: Cursor) -> list[str]:
        cursor.execute(
            f"SELECT run_id FROM {qualified(schema, HISTORY)} WHERE left(run_id, length(%s)) = %s "
            "GROUP BY run_id ORDER BY run_id <> %s LIMIT 2",
            [text, text, text],
        )
        return [run_id for (run_id,) in cursor.fetchall()]

    if len(text) < _SHORTEST:
        raise UsageError(f"{text!r} is too short for a run id: give {_SHORTEST} characters or more")
    found = neon.run(read)
    if len(found) == 1:
        return found[0]
    if text in found:
        return text
    what = "no run promoted anything under" if not found else "several runs begin with"
    raise UsageError(
        f"{what} the id {text!r}: the run's page in the UI and {schema}.{HISTORY} show whole ids"
    )


def undo(
    neon: Session,
    places: Places,
    *,
    schema: str,
    undone_run: str,
    batch_size: int,
    run_id: str,
) -> UndoReport:
    """Take back what a run promoted of one entity; doing it again does nothing more.

    The records stand in the invalid table as they were when they were promoted, to be judged by
    people: their status is pending, so that no sensor promotes them again.

    Args:
        neon: the masters' database.
        places: the entity's tables.
        schema: of the tables in Neon.
        undone_run: whose promotions.
        batch_size: rows a transaction.
        run_id: of this run, for the logs.

    Raises:
        SourceError: the database is away or refuses; finished batches stay.
        IntegrityError: a batch did not become what was intended; it was rolled back.
    """
    report = UndoReport()
    last: int | None = None
    while True:
        found, part = neon.run(
            lambda cursor, before=last: _batch(
                cursor, places, schema, undone_run, before, batch_size, run_id
            )
        )
        if found is None:
            return report
        report.restored += part.restored
        report.problems += part.problems
        last = found


def _batch(
    cursor: Cursor,
    places: Places,
    schema: str,
    undone_run: str,
    before: int | None,
    size: int,
    run_id: str,
) -> tuple[int | None, UndoReport]:
    in_utc(cursor)
    # The last first, so that a record that was promoted twice goes back step by step.
    cursor.execute(
        f"SELECT id, record_key FROM {qualified(schema, HISTORY)} WHERE run_id = %s "
        "AND entity = %s AND undone_at IS NULL AND (%s::bigint IS NULL OR id < %s) "
        "ORDER BY id DESC LIMIT %s FOR UPDATE",
        [undone_run, places.entity.name, before, before, size],
    )
    rows = cursor.fetchall()
    if not rows:
        return None, UndoReport()
    states = _states(cursor, places, schema, [number for number, _ in rows])
    good, refused = apply_rows(
        cursor,
        [number for number, _ in rows if states[number] is None],
        lambda part: _restore(cursor, places, schema, list(part)),
    )
    states |= dict(refused)
    insert_event(
        cursor.connection,
        AuditEvent(
            event_type=EVENT,
            event_source=PIPELINE,
            details={
                "run_id": run_id,
                "undone_run": undone_run,
                "entity": places.entity.name,
                "restored": len(good),
                "left_alone": len(rows) - len(good),
            },
            identity=(),
        ),
    )
    log_stage(
        *(cursor, places, run_id, "undo"),
        source=places.master,
        target=places.invalid,
        passed=len(good),
        failed=len(rows) - len(good),
    )
    problems = [f"{key}: {states[number]}" for number, key in rows if states[number]]
    return rows[-1][0], UndoReport(len(good), problems)


def _states(
    cursor: Cursor, places: Places, schema: str, numbers: Sequence[int]
) -> dict[int, str | None]:
    """Why a promotion cannot be taken back, by its number; None where it can."""
    key = quote_identifier(places.entity.key)
    history = qualified(schema, HISTORY)
    cursor.execute(
        f"SELECT 1 FROM {places.master} m WHERE m.{key} IN "
        f"(SELECT record_key FROM {history} WHERE id = ANY(%s)) ORDER BY m.{key} FOR UPDATE",
        [list(numbers)],
    )
    # A column that was added since and is empty is no change.
    unchanged = "jsonb_strip_nulls(to_jsonb(m)) = jsonb_strip_nulls(h.master_after)"
    stands = (
        f"EXISTS (SELECT FROM {places.invalid} i WHERE i.{key} = h.record_key) "
        f"OR EXISTS (SELECT FROM {places.invalid} i WHERE i.id = h.neon_id)"
    )
    cursor.execute(
        f"SELECT h.id, coalesce({unchanged}, false), {stands}, {_peopled(places, schema)} "
        f"FROM {history} h LEFT JOIN {places.master} m ON m.{key} = h.record_key "
        "WHERE h.id = ANY(%s)",
        [list(numbers)],
    )
    return {
        number: _BACK if back else _CHANGED if not same else _PEOPLE if peopled else None
        for number, same, back, peopled in cursor.fetchall()
    }


def _peopled(places: Places, schema: str) -> str:
    """The condition of companies that cannot leave the master, because people there name them."""
    if places.entity.name != COMPANY.name:
        return "false"
    return (
        f"h.master_before IS NULL AND EXISTS (SELECT FROM {qualified(schema, PEOPLE.master)} p "
        f"WHERE p.{quote_identifier(COMPANY.key)} = h.record_key)"
    )


def _restore(cursor: Cursor, places: Places, schema: str, numbers: list[int]) -> None:
    """Bring promotions back, all or none; the people of slots leave them."""
    key = quote_identifier(places.entity.key)
    history = qualified(schema, HISTORY)
    chosen: list[Any] = [numbers]
    cursor.execute(
        f"DELETE FROM {places.master} m USING {history} h WHERE h.id = ANY(%s) "
        f"AND h.master_before IS NULL AND m.{key} = h.record_key",
        chosen,
    )
    done = cursor.rowcount + _rewrite(cursor, places, history, numbers)
    # Reset before it is inserted, not after: a trigger may move the time of every change.
    row = f"invalid_row || {quote_text(_RESET)}"
    columns = _named(cursor, f"SELECT {row} FROM {history} WHERE id = ANY(%s)", numbers)
    listed = _listed(
        c for c, column in places.invalid_shape.items() if c in columns and not column.generated
    )
    cursor.execute(
        f"INSERT INTO {places.invalid} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} "
        f"FROM (SELECT r.* FROM {history} h, "
        f"jsonb_populate_record(NULL::{places.invalid}, h.{row}) r WHERE h.id = ANY(%s)) q",
        chosen,
    )
    if not done == cursor.rowcount == len(numbers):
        raise IntegrityError(
            f"{len(numbers)} {places.entity.name} promotions could not be taken back whole, so "
            "that nothing of the batch was: look for rules or triggers on the tables"
        )
    if places.entity.name == PEOPLE.name:
        give_back(cursor, schema, numbers)
    cursor.execute(f"UPDATE {history} SET undone_at = now() WHERE id = ANY(%s)", chosen)


def _rewrite(cursor: Cursor, places: Places, history: str, numbers: list[int]) -> int:
    """Give masters back what promotions changed in them; returns how many rows."""
    changed = _named(
        cursor,
        "SELECT (SELECT jsonb_object_agg(a.key, 1) FROM jsonb_each(h.master_after) a "
        "WHERE a.value IS DISTINCT FROM h.master_before -> a.key) "
        f"FROM {history} h WHERE h.id = ANY(%s) AND h.master_before IS NOT NULL",
        numbers,
    )
    shape = places.master_shape
    columns = [c for c in shape if c in changed and not shape[c].generated]
    sets = ", ".join(f"{_listed([c])} = r.{_listed([c])}" for c in columns or [places.entity.key])
    cursor.execute(
        f"UPDATE {places.master} m SET {sets} FROM {history} h, "
        f"jsonb_populate_record(NULL::{places.master}, h.master_before) r "
        f"WHERE h.id = ANY(%s) AND h.master_before IS NOT NULL AND m.{_listed([places.entity.key])}"
        " = h.record_key",
        [numbers],
    )
    return cursor.rowcount


def _named(cursor: Cursor, objects: str, numbers: list[int]) -> set[str]:
    """The keys of the JSON objects that a query gives."""
    cursor.execute(f"SELECT DISTINCT jsonb_object_keys(o) FROM ({objects}) AS q(o)", [numbers])
    return {name for (name,) in cursor.fetchall()}


def _listed(columns: Iterable[str]) -> str:
    """Column names, quoted; psycopg2 wants each literal % doubled."""
    return ", ".join(quote_identifier(name).replace("%", "%%") for name in columns)
