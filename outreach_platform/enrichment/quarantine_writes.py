"""What quarantine writes into the invalid table: new records, and newer masters of known ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content
from outreach_platform.enrichment.quarantine_masters import MasterRow
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.postgres.session import apply_rows
from outreach_platform.foundation.postgres.shape import clock, kept, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_TIMES = ("failed_at", "updated_at")
# Given beside the columns: the time of the master.
_AT = "master_updated_at"

Row = dict[str, Any]


@dataclass(frozen=True)
class Offer:
    """What a row of the invalid table shall say.

    Attributes:
        master: the row that breaks rules.
        content: texts by the data columns that are written.
        reason: the reason code.
        errors, warnings: sentences by column.
    """

    master: MasterRow
    content: Content
    reason: str
    errors: dict[str, str]
    warnings: dict[str, str]


@dataclass(frozen=True)
class Writer:
    """Writes into one entity's invalid table.

    Attributes:
        places: the entity's tables.
        origin: the master as source_table names it.
    """

    places: Places
    origin: str

    def insert(
        self, cursor: Cursor, offers: Sequence[Offer], version: str
    ) -> tuple[int, list[str]]:
        """Insert records; one that somebody else inserted meanwhile stays as it is.

        Args:
            cursor: of the transaction.
            offers: at most one a key.
            version: of the snapshot, which becomes the batch.

        Returns:
            How many were inserted, and a sentence for each that the database refused.
        """
        about = {"batch_id": version, "source_table": self.origin}
        rows = [self._row({**_values(offered), **about}, offered) for offered in offers]
        names = [quote_identifier(name) for name in self._types(rows)]
        times = self._times()
        statement = (
            f"INSERT INTO {self.places.invalid} ({', '.join((*names, *times))}) "
            f"SELECT {', '.join((*names, *times.values()))} FROM {self._source(rows)} "
            f"ON CONFLICT ({self._key}) DO NOTHING RETURNING {self._key}"
        )
        return self._write(cursor, statement, rows)

    def refresh(self, cursor: Cursor, offers: Sequence[Offer]) -> tuple[int, list[str]]:
        """Bring newer masters into rows that stand there; their batch and origin stay.

        Returns:
            How many were refreshed, and a sentence for each that the database refused.
        """
        rows = [self._row(_values(offered), offered) for offered in offers]
        names = [quote_identifier(name) for name in self._types(rows)]
        sets = [f"{name} = v.{name}" for name in names if name != self._key]
        sets += [f"{name} = {moment}" for name, moment in self._times().items()]
        statement = (
            f"UPDATE {self.places.invalid} t SET {', '.join(sets)} FROM {self._source(rows)} "
            f"WHERE t.{self._key} = v.{self._key} RETURNING t.{self._key}"
        )
        return self._write(cursor, statement, rows)

    @property
    def _key(self) -> str:
        return quote_identifier(self.places.entity.key)

    def _row(self, values: Row, offered: Offer) -> Row:
        """What is written of a record, as far as the table has it, and the time of its master."""
        shape, at = self.places.invalid_shape, offered.master.updated_at
        row = {self.places.entity.key: offered.master.key, **values}
        there = {c: v for c, v in row.items() if c in shape and not shape[c].generated}
        return {**there, _AT: None if at is None else str(at)}

    def _types(self, rows: Sequence[Row]) -> dict[str, str]:
        """The types of the columns that are written, the same in each row."""
        columns = (name for row in rows[:1] for name in row if name != _AT)
        return types_of(self.places.invalid_shape, columns)

    def _source(self, rows: Sequence[Row]) -> str:
        return recordset({**self._types(rows), _AT: "timestamp"})

    def _times(self) -> dict[str, str]:
        """The time of the master in the form that each column keeps, else the present one."""
        shape, moments = self.places.invalid_shape, {}
        for column in (name for name in _TIMES if name in shape):
            given = kept(shape, column, f"v.{_AT}")
            moments[quote_identifier(column)] = f"coalesce({given}, {clock(shape, column)})"
        return moments

    def _write(self, cursor: Cursor, statement: str, rows: Sequence[Row]) -> tuple[int, list[str]]:
        """Write what the database takes."""
        written: list[tuple] = []

        def apply(part: Sequence[Row]) -> None:
            cursor.execute(statement, [json.dumps(part)])
            written.extend(cursor.fetchall())

        _, refused = apply_rows(cursor, rows, apply)
        return len(written), [f"{row[self.places.entity.key]}: {said}" for row, said in refused]


def _values(offered: Offer) -> Row:
    return {
        **offered.content,
        "validation_status": "FAILED",
        "reason_code": offered.reason,
        "validation_errors": offered.errors,
        "validation_warnings": offered.warnings,
    }
