"""Puts the sample into three databases, once: what somebody changed is never overwritten."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg2

from outreach_platform.embedded import schema
from outreach_platform.embedded.sample.companies import Company, make_companies
from outreach_platform.embedded.sample.events import make_events
from outreach_platform.embedded.sample.invalid import make_invalid_companies, make_invalid_people
from outreach_platform.embedded.sample.marker import Marker, read_marker, write_marker
from outreach_platform.embedded.sample.people import make_people
from outreach_platform.embedded.sample.renewal import renew
from outreach_platform.embedded.sample.rows import Row, copy_text
from outreach_platform.foundation.errors import SourceError, SourceUnavailableError, UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

# Raise it when the same seed gives other rows. A sample that is already loaded stays as it is,
# but for events that nobody has touched.
GENERATOR_VERSION = 2
# Ids are numbered below 99,999 in their regular range, which ten times the people still fit.
LARGEST_SCALE = 10.0

_log = logging.getLogger(__name__)
_LOCK_KEY = 7_304_119
_CONNECT_SECONDS = 15

Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class SampleSummary:
    """What the databases hold after `load_sample`, as it was when their sample was written.

    Attributes:
        seed: the generator's seed.
        loaded: databases written by this call, a renewal of `events` too; empty when everything
            was there already.
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
        dated: whether the rows depend on the day, and those of an earlier day are renewed.
    """

    name: str
    url: DatabaseUrl
    create: Callable[[Any], None]
    make: Callable[[], Tables]
    marker: str
    occupied: tuple[str, ...]
    dated: bool = False


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
    so is one loaded by an older generator. Only events of an earlier day or an older generator
    are replaced by today's, and only while nobody has inserted, changed or deleted one of them.
    The workspace (Supabase) gets its tables and no rows.

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
            dated=True,
        ),
    )
    loaded: list[str] = []
    counts: dict[str, int] = {}
    checksums: dict[str, str] = {}
    for part in parts:
        written, marker = _load_part(part, seed, scale, moment)
        counts |= marker.counts
        checksums[part.name] = marker.checksum
        if written:
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


def _load_part(part: _Part, seed: int, scale: float, now: datetime) -> tuple[bool, Marker]:
    """Load or renew one database, or find its sample there; returns (written, its marker)."""
    with _transaction(part.url) as cursor:
        # Two commands that start at once must not both find the tables empty.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        found = _own_marker(cursor, part, seed, scale)
        fill = partial(_fill, cursor, part, seed, scale, now)
        if found is None:
            _refuse_foreign_rows(cursor, part)
            part.create(cursor.connection)
            marker = fill()
        elif part.dated and _is_outdated(found, now):
            marker = renew(cursor, part.url.display, part.marker, found.counts, fill) or found
        else:
            marker = found
    if marker is found:
        return False, marker
    _log.info("loaded the sample into %s: %s", part.url.display, marker.counts)
    return True, marker


def _is_outdated(marker: Marker, now: datetime) -> bool:
    """Whether today's events would be newer; those of a newer generator are not set back."""
    earlier = marker.day is not None and marker.day < now.date()
    return marker.version < GENERATOR_VERSION or (marker.version == GENERATOR_VERSION and earlier)


def _fill(cursor: Any, part: _Part, seed: int, scale: float, now: datetime) -> Marker:
    """Write the rows and the marker."""
    tables = part.make()
    digest = hashlib.sha256()
    for table, rows in tables.items():
        digest.update(_copy(cursor, table, rows))
    counts = {table: len(rows) for table, rows in tables.items()}
    marker = Marker(seed, scale, GENERATOR_VERSION, counts, digest.hexdigest(), now)
    write_marker(cursor, part.marker, marker)
    return marker


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
    # The rollback on a connection that is lost already hides the first error by the second class.
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
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


def _own_marker(cursor: Any, part: _Part, seed: int, scale: float) -> Marker | None:
    marker = read_marker(cursor, part.marker)
    if marker is None:
        return None
    if (marker.seed, marker.scale) != (seed, scale):
        raise UsageError(
            f"{part.url.display} holds the sample of seed {marker.seed} at scale "
            f"{marker.scale:g}, not of seed {seed} at scale {scale:g}: use an empty database or "
            "another data folder"
        )
    if marker.version != GENERATOR_VERSION:
        _log.info("%s holds the sample of generator version %s", part.url.display, marker.version)
    return marker


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
