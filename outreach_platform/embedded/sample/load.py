"""Puts the sample into three databases, once: what is there already is never overwritten."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2

from outreach_platform.embedded import schema
from outreach_platform.embedded.sample.companies import Company, make_companies
from outreach_platform.embedded.sample.events import make_events
from outreach_platform.embedded.sample.invalid import make_invalid_companies, make_invalid_people
from outreach_platform.embedded.sample.people import make_people
from outreach_platform.embedded.sample.rows import Row, copy_text
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError, UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

# Raise it when the same seed gives other rows; a sample that is already loaded stays as it is.
GENERATOR_VERSION = 1
# Ids are numbered below 99,999 in their regular range, which ten times the people still fit.
LARGEST_SCALE = 10.0

_log = logging.getLogger(__name__)
_LOCK_KEY = 7_304_119
_CONNECT_SECONDS = 15

Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class SampleSummary:
    """What the databases hold after `load_sample`, as it was when the sample was first loaded.

    Attributes:
        seed: the generator's seed.
        loaded: databases written by this call; empty when everything was there already.
        counts: rows by table, for example `{"marketing.company_master": 3075, …}`.
        checksums: SHA-256 of the generated rows by database.
    """

    seed: int
    loaded: tuple[str, ...]
    counts: dict[str, int]
    checksums: dict[str, str]


@dataclass(frozen=True)
class _Part:
    """One database's share of the sample.

    Attributes:
        marker: the table that says what was loaded.
        occupied: tables that must be empty or missing before anything is written.
    """

    name: str
    url: DatabaseUrl
    create: Callable[[Any], None]
    make: Callable[[], Tables]
    marker: str
    occupied: tuple[str, ...]


def load_sample(
    neon: DatabaseUrl,
    supabase: DatabaseUrl,
    events: DatabaseUrl,
    *,
    seed: int = 7,
    scale: float = 1.0,
    now: datetime | None = None,
) -> SampleSummary:
    """Create the source tables and fill them, each database in one transaction.

    A database that holds the sample is left alone, whatever has happened to its rows since, and
    so is one loaded by an older generator. The workspace (Supabase) gets its tables and no rows.

    Args:
        neon: for the five `marketing` tables.
        supabase: for the enrichers' workspace.
        events: for `"BehavioralEvent"` and its siblings.
        seed: same seed, same rows; the events also depend on the UTC day of `now`.
        scale: 1.0 is about 3,000 companies, 9,000 people, 10,000 events; up to 10. The invalid
            companies and people are always 119 and 5.
        now: the events end on the day before; the current time without it.

    Raises:
        UsageError: a database holds rows that are not the sample's, or a sample of another seed
            or scale; or the scale is out of range.
        SourceUnavailableError: a database cannot be reached.
        SourceError: a table of another shape is in the way.
    """
    if not 0 < scale <= LARGEST_SCALE:
        raise UsageError(f"the sample's scale is {scale:g}: choose one above 0 and up to 10")
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    parts = (
        _Part(
            "neon",
            neon,
            schema.create_neon,
            lambda: _master_tables(seed, scale),
            "marketing.sample_info",
            _NEON_TABLES,
        ),
        _Part(
            "supabase",
            supabase,
            schema.create_supabase,
            dict,
            "public.sample_info",
            _SUPABASE_TABLES,
        ),
        _Part(
            "events",
            events,
            schema.create_events,
            lambda: make_events(seed, scale, moment),
            "public.sample_info",
            _EVENT_TABLES,
        ),
    )
    loaded: list[str] = []
    counts: dict[str, int] = {}
    checksums: dict[str, str] = {}
    for part in parts:
        fresh, own_counts, checksums[part.name] = _load_part(part, seed, scale)
        counts |= own_counts
        if fresh:
            loaded.append(part.name)
    return SampleSummary(seed, tuple(loaded), counts, checksums)


_NEON_TABLES = tuple(
    f"marketing.{table}"
    for table in (
        *("company_master", "people_master", "company_slot"),
        *("company_invalid", "people_invalid"),
    )
)
_SUPABASE_TABLES = ("public.company_needs_enrichment", "public.people_needs_enrichment")
_EVENT_TABLES = (
    *('public."BehavioralEvent"', "public.behavioral_events", "public.experiment_protocols"),
    *("public.phase_assignments", "public.context_metadata"),
)


def _master_tables(seed: int, scale: float) -> Tables:
    companies: list[Company] = make_companies(seed, scale)
    people, slots = make_people(companies, seed, scale)
    return {
        "marketing.company_master": [company.row for company in companies],
        "marketing.people_master": people,
        "marketing.company_slot": slots,
        "marketing.company_invalid": make_invalid_companies(companies, seed),
        "marketing.people_invalid": make_invalid_people(companies, seed),
    }


def _load_part(part: _Part, seed: int, scale: float) -> tuple[bool, dict[str, int], str]:
    """Load one database, or find that it was; returns (written, rows by table, checksum)."""
    with _transaction(part.url) as cursor:
        # Two commands that start at once must not both find the tables empty.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        found = _read_marker(cursor, part, seed, scale)
        if found is not None:
            return (False, *found)
        _refuse_foreign_rows(cursor, part)
        part.create(cursor.connection)
        tables = part.make()
        digest = hashlib.sha256()
        for table, rows in tables.items():
            digest.update(_copy(cursor, table, rows))
        counts = {table: len(rows) for table, rows in tables.items()}
        _write_marker(cursor, part, seed, scale, counts, digest.hexdigest())
    _log.info("loaded the sample into %s: %s", part.url.display, counts)
    return True, counts, digest.hexdigest()


@contextmanager
def _transaction(url: DatabaseUrl) -> Iterator[Any]:
    """A cursor whose work is committed whole or not at all."""
    try:
        connection = psycopg2.connect(url.conninfo, connect_timeout=_CONNECT_SECONDS)
    except psycopg2.OperationalError as error:
        raise SourceUnavailableError(
            f"the database {url.display} cannot be reached for the sample data: "
            f"{str(error).strip()}"
        ) from None
    try:
        connection.set_client_encoding("UTF8")
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.OperationalError as error:
        raise SourceUnavailableError(
            f"the database {url.display} went away while the sample was loaded, and nothing was "
            f"kept ({type(error).__name__}): run the command again"
        ) from None
    except psycopg2.Error as error:
        reason = (error.diag.message_primary or type(error).__name__).strip()
        raise SourceError(
            f"the sample does not fit into {url.display}, and nothing was kept ({reason}): use an "
            "empty database"
        ) from None
    finally:
        connection.close()


def _read_marker(
    cursor: Any, part: _Part, seed: int, scale: float
) -> tuple[dict[str, int], str] | None:
    cursor.execute("SELECT to_regclass(%s)", (part.marker,))
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute(f"SELECT seed, scale, generator_version, counts, checksum FROM {part.marker}")
    row = cursor.fetchone()
    if row is None:
        return None
    old_seed, old_scale, version, counts, checksum = row
    if (old_seed, float(old_scale)) != (seed, scale):
        raise UsageError(
            f"{part.url.display} holds the sample of seed {old_seed} at scale {old_scale:g}, not "
            f"of seed {seed} at scale {scale:g}: use an empty database or another data folder"
        )
    if version != GENERATOR_VERSION:
        _log.info("%s keeps the sample of generator version %s", part.url.display, version)
    return dict(counts), str(checksum)


def _refuse_foreign_rows(cursor: Any, part: _Part) -> None:
    for table in part.occupied:
        cursor.execute("SELECT to_regclass(%s)", (table,))
        if cursor.fetchone()[0] is None:
            continue
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        if cursor.fetchone()[0]:
            raise UsageError(
                f"{part.url.display} already holds rows in {table} that are not the sample's: "
                "nothing was written; use an empty database for the sample"
            )


def _copy(cursor: Any, table: str, rows: list[Row]) -> bytes:
    """COPY rows into a table; returns what was sent, for the checksum."""
    if not rows:
        return b""
    columns = ", ".join(f'"{name}"' for name in rows[0])
    text = copy_text(rows)
    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(text))
    return f"{table} {columns}\n{text}".encode()


def _write_marker(
    cursor: Any, part: _Part, seed: int, scale: float, counts: dict[str, int], checksum: str
) -> None:
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {part.marker} (seed bigint NOT NULL, "
        "scale double precision NOT NULL, generator_version integer NOT NULL, "
        "counts jsonb NOT NULL, checksum text NOT NULL, loaded_at timestamptz DEFAULT now())"
    )
    cursor.execute(
        f"INSERT INTO {part.marker} (seed, scale, generator_version, counts, checksum) "
        "VALUES (%s, %s, %s, %s, %s)",
        (seed, scale, GENERATOR_VERSION, json.dumps(counts), checksum),
    )
