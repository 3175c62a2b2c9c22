"""The one row that says which sample a database holds, written in the transaction of its rows."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any


@dataclass(frozen=True)
class Marker:
    """What was loaded.

    Attributes:
        seed: the generator's seed.
        scale: the sample's size; 1.0 is the usual one.
        version: the generator's.
        counts: rows by table.
        checksum: SHA-256 of the generated rows.
        loaded_at: the moment the rows were made for; None in a row that somebody changed.
    """

    seed: int
    scale: float
    version: int
    counts: dict[str, int]
    checksum: str
    loaded_at: datetime | None

    @property
    def day(self) -> date | None:
        """The UTC day on whose eve the sample's events end."""
        return None if self.loaded_at is None else self.loaded_at.astimezone(UTC).date()


def read_marker(cursor: Any, table: str) -> Marker | None:
    """The marker, or None where the table is missing or empty."""
    cursor.execute("SELECT to_regclass(%s)", (table,))
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute(
        f"SELECT seed, scale, generator_version, counts, checksum, loaded_at FROM {table}"
    )
    row = cursor.fetchone()
    return None if row is None else Marker(*row)


def write_marker(cursor: Any, table: str, marker: Marker) -> None:
    """Add the row, and the table where it is missing."""
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {table} (seed bigint NOT NULL, "
        "scale double precision NOT NULL, generator_version integer NOT NULL, "
        "counts jsonb NOT NULL, checksum text NOT NULL, loaded_at timestamptz DEFAULT now())"
    )
    cursor.execute(
        f"INSERT INTO {table} (seed, scale, generator_version, counts, checksum, loaded_at) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        (
            *(marker.seed, marker.scale, marker.version, json.dumps(marker.counts)),
            *(marker.checksum, marker.loaded_at),
        ),
    )
