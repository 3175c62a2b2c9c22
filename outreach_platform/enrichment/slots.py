"""The slots of promoted people: the place of a company's CEO, CFO or HR that a person takes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2.errors
from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.masters import SOURCE_SYSTEM
from outreach_platform.enrichment.tables import HISTORY, one, qualified
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.warehouse import quote_text
from outreach_platform.records.barton import slot_id

SEQUENCE = "company_slot_number"


@dataclass(frozen=True)
class Seat:
    """The slot that a person gets.

    Attributes:
        slot_id: its id.
        before: the slot's row as JSON before, None where it was made.
        after: likewise after.
    """

    slot_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]


def assign(cursor: Cursor, schema: str, people: Sequence[tuple[str, str, str]]) -> dict[str, Seat]:
    """Find or make a slot for each person.

    An empty slot is filled. Where somebody else sits, the id is shared and that person stays.

    Args:
        cursor: of the promotion's transaction.
        schema: where company_slot stands.
        people: (person's id, company's id, CEO, CFO or HR).

    Returns:
        Seats by the person's id.
    """
    if not people:
        return {}
    companies = sorted({company for _, company, _ in people})
    before = _read(cursor, schema, companies)
    missing = dict.fromkeys((c, k) for _, c, k in people if (c, k) not in before)
    _make(cursor, schema, sorted(missing))
    _fill(cursor, schema, people)
    after = _read(cursor, schema, companies)
    return {
        person: Seat(
            after[company, kind]["company_slot_unique_id"],
            before.get((company, kind)),
            after[company, kind],
        )
        for person, company, kind in people
    }


def _read(
    cursor: Cursor, schema: str, companies: list[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    cursor.execute(
        f"SELECT s.company_unique_id, s.slot_type, to_jsonb(s) "
        f"FROM {qualified(schema, 'company_slot')} s WHERE s.company_unique_id = ANY(%s) "
        "ORDER BY s.company_slot_unique_id FOR UPDATE",
        [companies],
    )
    return {(company, kind): row for company, kind, row in cursor.fetchall()}


def _make(cursor: Cursor, schema: str, missing: Sequence[tuple[str, str]]) -> None:
    for company, kind in missing:
        insert_new(
            *(cursor, "company_slot", "company_unique_id, slot_type"),
            f"INSERT INTO {qualified(schema, 'company_slot')} (company_slot_unique_id, "
            "company_unique_id, slot_type, is_filled, created_at, source_system) "
            "VALUES (%s, %s, %s, false, now(), %s) "
            "ON CONFLICT (company_unique_id, slot_type) DO NOTHING",
            [_unused_id(cursor, schema), company, kind, SOURCE_SYSTEM],
        )


def insert_new(
    cursor: Cursor, table: str, unique: str, statement: str, parameters: Sequence[Any]
) -> None:
    """Run an INSERT … ON CONFLICT.

    Args:
        cursor: of the transaction.
        table: its name, for the message.
        unique: the columns of ON CONFLICT.
        statement: with placeholders.
        parameters: for these.

    Raises:
        SourceError: nothing keeps these columns unique, so that a record could stand there twice.
    """
    try:
        cursor.execute(statement, parameters)
    except psycopg2.errors.InvalidColumnReference:
        raise SourceError(
            f"{table} has no UNIQUE ({unique}), so that a record could be promoted into it twice: "
            "remove doubled rows, add the constraint and run again"
        ) from None


def _unused_id(cursor: Cursor, schema: str) -> str:
    """A new id from the sequence; older ids were numbered by other hands."""
    while True:
        cursor.execute(f"SELECT nextval({quote_text(qualified(schema, SEQUENCE))})")
        name = slot_id(one(cursor)[0])
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {qualified(schema, 'company_slot')} "
            "WHERE company_slot_unique_id = %s)",
            [name],
        )
        if not one(cursor)[0]:
            return name


def _fill(cursor: Cursor, schema: str, people: Sequence[tuple[str, str, str]]) -> None:
    """Seat people in slots that are empty; of several for one slot, the first."""
    first: dict[tuple[str, str], str] = {}
    for person, company, kind in people:
        first.setdefault((company, kind), person)
    rows = [{"p": person, "c": c, "k": k} for (c, k), person in first.items()]
    cursor.execute(
        f"UPDATE {qualified(schema, 'company_slot')} s SET person_unique_id = v.p, "
        "is_filled = true, filled_at = now(), filled_by = %s "
        "FROM jsonb_to_recordset(%s::jsonb) AS v(p text, c text, k text) "
        "WHERE s.company_unique_id = v.c AND s.slot_type = v.k "
        "AND coalesce(s.is_filled, false) = false AND s.person_unique_id IS NULL",
        [SOURCE_SYSTEM, json.dumps(rows)],
    )


def give_back(cursor: Cursor, schema: str, numbers: Sequence[int]) -> None:
    """Empty the slots that undone promotions filled, and remove those that they made.

    A slot that somebody else sits in by now, or whose id other people share, is left or emptied.

    Args:
        cursor: of the undo's transaction; the people are out of the master already.
        schema: where company_slot stands.
        numbers: rows of the history.
    """
    slots = qualified(schema, "company_slot")
    seats = (
        f"SELECT h.record_key AS person, h.slot_after ->> 'company_slot_unique_id' AS slot, "
        f"h.slot_before FROM {qualified(schema, HISTORY)} h WHERE h.id = ANY(%s) "
        "AND h.slot_after ->> 'person_unique_id' = h.record_key "
        "AND h.slot_before ->> 'person_unique_id' IS DISTINCT FROM h.record_key"
    )
    cursor.execute(
        f"UPDATE {slots} s SET person_unique_id = NULL, "
        "is_filled = CASE WHEN h.slot_before IS NULL THEN false "
        "ELSE (h.slot_before ->> 'is_filled')::boolean END, "
        "filled_at = (h.slot_before ->> 'filled_at')::timestamptz, "
        f"filled_by = h.slot_before ->> 'filled_by' FROM ({seats}) h "
        "WHERE s.company_slot_unique_id = h.slot AND s.person_unique_id = h.person",
        [list(numbers)],
    )
    cursor.execute(
        f"DELETE FROM {slots} s USING ({seats}) h WHERE s.company_slot_unique_id = h.slot "
        "AND h.slot_before IS NULL AND s.person_unique_id IS NULL AND NOT EXISTS ("
        f"SELECT FROM {qualified(schema, 'people_master')} p "
        "WHERE p.company_slot_unique_id = s.company_slot_unique_id)",
        [list(numbers)],
    )
