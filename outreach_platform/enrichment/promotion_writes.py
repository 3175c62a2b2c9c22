"""The writes of a promotion: master, slots, history, deletion, and the two logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.masters import SOURCE_SYSTEM, VALIDATED_BY, Target
from outreach_platform.enrichment.slots import Seat, assign, insert_new
from outreach_platform.enrichment.tables import HISTORY, Places, one, qualified
from outreach_platform.foundation.audit import AuditEvent, insert_event
from outreach_platform.foundation.errors import BusyError, IntegrityError
from outreach_platform.foundation.postgres.shape import clock, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier, quote_text
from outreach_platform.records.slots import slot_of_title

EVENT = "enrichment_promotion"
PIPELINE = "enrichment_pipeline"
_SLOT = "company_slot_unique_id"


def in_utc(cursor: Cursor) -> None:
    """Write times into the history in UTC, so that an undo from anywhere reads the same texts."""
    cursor.execute("SELECT set_config('TimeZone', 'UTC', true)")


@dataclass(frozen=True)
class Promoter:
    """Writes batches of one entity for one run."""

    places: Places
    schema: str
    run_id: str

    def announce(self, cursor: Cursor) -> int | None:
        """Begin the audit row of a batch; masters name it."""
        event = AuditEvent(
            event_type=EVENT,
            event_source=PIPELINE,
            details={"run_id": self.run_id, "entity": self.places.entity.name},
            identity=(),
        )
        return insert_event(cursor.connection, event)

    def conclude(
        self, cursor: Cursor, audit_id: int | None, *, inserted: int, updated: int, held: int
    ) -> None:
        """Complete the audit row with the numbers of the batch's records."""
        details = {
            "run_id": self.run_id,
            "entity": self.places.entity.name,
            "promoted": inserted + updated,
            "inserted": inserted,
            "updated": updated,
            "held": held,
        }
        cursor.execute(
            "UPDATE shq.audit_log SET details = %s WHERE id = %s", [json.dumps(details), audit_id]
        )

    def promoted_before(self, cursor: Cursor, keys: set[str]) -> tuple[int, int]:
        """How many of these records this run has inserted, and updated, in the master."""
        if not keys:
            return 0, 0
        cursor.execute(
            "SELECT count(*) FILTER (WHERE master_before IS NULL), "
            "count(*) FILTER (WHERE master_before IS NOT NULL) "
            f"FROM {qualified(self.schema, HISTORY)} WHERE run_id = %s AND entity = %s "
            "AND undone_at IS NULL AND record_key = ANY(%s)",
            [self.run_id, self.places.entity.name, sorted(keys)],
        )
        inserted, updated = one(cursor)
        return inserted, updated

    def keep_companies(self, cursor: Cursor, keys: set[str | None]) -> None:
        """See that companies stay in the master until the people are in, who need them."""
        key = quote_identifier(COMPANY.key)
        cursor.execute(
            f"SELECT 1 FROM {qualified(self.schema, COMPANY.master)} c WHERE c.{key} = ANY(%s) "
            f"ORDER BY c.{key} FOR KEY SHARE",
            [sorted(filter(None, keys))],
        )

    def write(self, cursor: Cursor, targets: Sequence[Target], audit_id: int | None) -> None:
        """Bring records into the master and take them out of the invalid table, all or none.

        Raises:
            BusyError: somebody put one of the records into the master at this moment.
            IntegrityError: something is not as it was intended to be.
        """
        seats = self.seats(cursor, targets)
        rows = [self.values(each, seats.get(each.row.key), audit_id) for each in targets]
        new = [row for row, each in zip(rows, targets, strict=True) if each.before is None]
        old = [row for row, each in zip(rows, targets, strict=True) if each.before is not None]
        keys = {each.row.key for each in targets}
        inserted, updated = self.insert(cursor, new), self.update(cursor, old)
        if lost := keys - inserted - updated:
            self.refuse_race(cursor, lost & {row[self.places.entity.key] for row in new})
            raise IntegrityError(
                f"{len(lost)} of {len(keys)} records did not arrive in "
                f"{self.places.entity.master}, so that the batch was rolled back: look for rules "
                "or triggers on that table, then run `outreach enrich promote` again"
            )
        self.keep(cursor, targets, seats)
        self.delete(cursor, keys)

    def refuse_race(self, cursor: Cursor, absent: set[str]) -> None:
        """Tell records that another program inserted at this moment from those that got lost."""
        key = quote_identifier(self.places.entity.key)
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {self.places.master} m WHERE m.{key} = ANY(%s))",
            [sorted(absent)],
        )
        if one(cursor)[0]:
            raise BusyError(
                f"another program put a record of this batch into {self.places.entity.master} at "
                "this moment, so that the batch was rolled back: run `outreach enrich promote` "
                "again"
            )

    def seats(self, cursor: Cursor, targets: Sequence[Target]) -> dict[str, Seat]:
        """The slots of people."""
        if self.places.entity.name != PEOPLE.name:
            return {}
        wanted = [
            (each.row.key, str(_of(each, "company_unique_id")), slot)
            for each in targets
            if (slot := slot_of_title(_of(each, "title")))
        ]
        return assign(cursor, self.schema, wanted)

    def values(self, each: Target, seat: Seat | None, audit_id: int | None) -> dict:
        """One row of the master as JSON, with what every promotion sets."""
        key = self.places.entity.key
        values: dict = {
            **each.values,
            key: each.row.key,
            "source_system": SOURCE_SYSTEM,
            "source_record_id": f"{self.places.entity.invalid}:{each.row.id}",
            "validated_by": VALIDATED_BY,
            "promotion_audit_log_id": audit_id,
        }
        if each.row.batch_id and self.places.entity.name != PEOPLE.name:
            values["import_batch_id"] = each.row.batch_id
        if seat is not None:
            values[_SLOT] = seat.slot_id
        return values

    def insert(self, cursor: Cursor, rows: Sequence[dict]) -> set[str]:
        """New rows of the master; returns their keys.

        A column with a default is named only for the rows that have a value, so that the others
        get the default and not a null.
        """
        shape = self.places.master_shape
        alike: dict[frozenset[str], list[dict]] = {}
        for row in rows:
            filled = frozenset(name for name in row if name in shape and shape[name].default)
            alike.setdefault(filled, []).append(row)
        return {name for part in alike.values() for name in self.insert_alike(cursor, part)}

    def insert_alike(self, cursor: Cursor, rows: Sequence[dict]) -> set[str]:
        """New rows of the master that name the same of its columns with a default."""
        shape, key = self.places.master_shape, quote_identifier(self.places.entity.key)
        columns = self.columns(rows)
        moments = {
            name: clock(shape, name)
            for name in ("promoted_from_intake_at", "created_at", "updated_at", "validated_at")
            if name in shape
        }
        names = [quote_identifier(name) for name in columns]
        insert_new(
            *(cursor, self.places.entity.master, self.places.entity.key),
            f"INSERT INTO {self.places.master} ({', '.join([*names, *moments])}) "
            f"SELECT {', '.join([*names, *moments.values()])} "
            f"FROM {recordset(types_of(shape, columns))} "
            f"ON CONFLICT ({key}) DO NOTHING RETURNING {key}",
            [json.dumps(rows)],
        )
        return {name for (name,) in cursor.fetchall()}

    def update(self, cursor: Cursor, rows: Sequence[dict]) -> set[str]:
        """Rows that the master has; a column that a row does not name keeps its value."""
        if not rows:
            return set()
        shape, key = self.places.master_shape, self.places.entity.key
        columns = self.columns(rows)
        sets = [
            f"{quote_identifier(c)} = CASE WHEN v.named ? {quote_text(c)} "
            f"THEN v.{quote_identifier(c)} ELSE m.{quote_identifier(c)} END"
            for c in columns
            if c != key
        ]
        sets += [f"{c} = {clock(shape, c)}" for c in ("updated_at", "validated_at") if c in shape]
        named = [{**row, "named": dict.fromkeys(row, 1)} for row in rows]
        types = {**types_of(shape, columns), "named": "jsonb"}
        cursor.execute(
            f"UPDATE {self.places.master} m SET {', '.join(sets)} FROM {recordset(types)} "
            f"WHERE m.{quote_identifier(key)} = v.{quote_identifier(key)} "
            f"RETURNING m.{quote_identifier(key)}",
            [json.dumps(named)],
        )
        return {name for (name,) in cursor.fetchall()}

    def columns(self, rows: Sequence[dict]) -> list[str]:
        """The columns that rows name and that the master has and does not compute."""
        shape = self.places.master_shape
        named = dict.fromkeys(name for row in rows for name in row)
        return [name for name in named if name in shape and not shape[name].generated]

    def keep(self, cursor: Cursor, targets: Sequence[Target], seats: dict[str, Seat]) -> None:
        """Copy the invalid rows, and both states of the master, into the history.

        In the order in which people took seats, so that an undo empties shared ones last.
        """
        key = quote_identifier(self.places.entity.key)
        rows = [
            {
                "n": number,
                "id": each.row.id,
                "before": each.before_text,
                "slot_before": seat.before if (seat := seats.get(each.row.key)) else None,
                "slot_after": seat.after if seat else None,
            }
            for number, each in enumerate(targets)
        ]
        types = {"id": "bigint", "before": "text", "slot_before": "jsonb", "slot_after": "jsonb"}
        cursor.execute(
            f"INSERT INTO {qualified(self.schema, HISTORY)} (run_id, entity, record_key, neon_id, "
            "invalid_row, master_before, master_after, slot_before, slot_after) "
            f"SELECT %s, %s, i.{key}, i.id, to_jsonb(i), v.before::jsonb, to_jsonb(m), "
            f"v.slot_before, v.slot_after FROM {recordset({**types, 'n': 'int'})} "
            f"JOIN {self.places.invalid} i ON i.id = v.id "
            f"JOIN {self.places.master} m ON m.{key} = i.{key} ORDER BY v.n",
            [self.run_id, self.places.entity.name, json.dumps(rows)],
        )
        self.count(cursor.rowcount, len(targets), "kept in the history")

    def delete(self, cursor: Cursor, keys: set[str]) -> None:
        """Take the records out of the invalid table."""
        key = quote_identifier(self.places.entity.key)
        cursor.execute(f"DELETE FROM {self.places.invalid} WHERE {key} = ANY(%s)", [sorted(keys)])
        self.count(cursor.rowcount, len(keys), "deleted from the invalid table")

    def count(self, done: int, wanted: int, what: str) -> None:
        """Hold a statement to what it was to do."""
        if done != wanted:
            raise IntegrityError(
                f"{done} instead of {wanted} {self.places.entity.name} records were {what}, so "
                "that the batch was rolled back: look for rules or triggers on the tables"
            )


def _of(each: Target, column: str) -> str | None:
    """The value that a column of the master will have."""
    if column in each.values:
        return each.values[column]
    return None if each.before is None else each.before.get(column)
