"""Millions of behavioural events, made inside PostgreSQL: valid, of realistic width, in time order.

Nothing is random: every value comes from PostgreSQL's hashes of the row's number and the seed, so
equal calls give equal tables.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from outreach_platform.embedded import schema
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl

_TABLE = 'public."BehavioralEvent"'
_MARKER = "public.bulk_events_info"


def _cuid(text: str) -> str:
    """An SQL expression for an id: md5's hex digits would compress better than real ids do."""
    digest = f"encode(sha256(({text})::bytea), 'base64')"
    return f"'c' || left(lower(translate({digest}, '+/=', '017')), 24)"


_USER = _cuid("'user ' || %(seed)s || ' ' || u")
_KNOWN_USER = _cuid("'user ' || %(seed)s || ' ' || (%(users)s - 1)")
_CONTEXT = _cuid("'context ' || %(seed)s || ' ' || u")
_PROTOCOL = _cuid("'protocol ' || %(seed)s || ' ' || u")
# Every eighth user, and the last one, whose scored session opens each day, are under an experiment.
_IN_EXPERIMENT = "(u %% 8 = 1 OR u = %(users)s - 1)"
_PHASES = "ARRAY['baseline_1', 'intervention_A_1', 'baseline_2', 'intervention_A_2']"

# OFFSET 0 keeps the planner from writing out each draw wherever it is used.
# A twentieth of the rows is up to ten minutes older than its place: it was committed late.
# Activity is seven times as dense at noon as at midnight; users' shares fall as 1 / sqrt(rank).
_EVENTS = f"""
INSERT INTO {_TABLE} (
    "id", "userId", "eventType", "eventData", "timestamp", "completionQuality", "contentType",
    "difficultyLevel", "dayOfWeek", "engagementLevel", "sessionPerformanceScore", "timeOfDay",
    "experimentPhase", "randomizationSeed", "contextMetadataId")
SELECT
    {_cuid("'event ' || %(seed)s || ' ' || n")},
    {_USER},
    (enum_range(NULL::public."EventType"))[1 + kind],
    CASE
        WHEN kind IN (4, 5) THEN format(
            '{{"minutes": %%s, "cards": %%s, "client": {{"app": "web", "version": "2.4.%%s"}}%%s}}',
            3 + a %% 117, b %% 60, a %% 4,
            CASE WHEN b %% 2 = 0 THEN ', "resumed": true' ELSE '' END)
        WHEN kind = 7 THEN format(
            '{{"query": "%%s %%s", "hits": %%s, "filters": ["%%s"], "page": %%s}}',
            (ARRAY['renal clearance', 'café', 'quote \\"x\\"', 'heart 心'])[1 + a %% 4],
            b %% 9000, b %% 40, (ARRAY['lectures', 'cards', 'past exams'])[1 + b %% 3], a %% 5)
        WHEN kind >= 9 THEN format(
            '{{"recommendation": "%%s", "rank": %%s, "reason": %%s}}', item, 1 + a %% 9,
            CASE WHEN b %% 3 = 0 THEN 'null' ELSE '"due since ' || b %% 30 || ' days"' END)
        ELSE format(
            '{{"item": "%%s", "correct": %%s, "milliseconds": %%s, "tags": [%%s]}}', item,
            CASE WHEN a %% 10 < 7 THEN 'true' ELSE 'false' END, 400 + b %% 60000,
            (ARRAY['', '"a"', '"exam", "a"'])[1 + a %% 3])
    END::jsonb,
    t,
    CASE WHEN a %% 25 > 0 THEN
        (ARRAY['RUSHED', 'NORMAL', 'NORMAL', 'THOROUGH'])[1 + b %% 4]::public."CompletionQuality"
        END,
    CASE WHEN a %% 25 <> 1 THEN (ARRAY['lecture', 'card deck', 'mock exam'])[1 + b %% 3] END,
    CASE WHEN a %% 25 <> 2 THEN (ARRAY['easy', 'medium', 'hard'])[1 + a %% 3] END,
    CASE WHEN a %% 25 <> 3 THEN extract(dow FROM t)::int END,
    CASE WHEN a %% 25 <> 4 THEN
        (enum_range(NULL::public."EngagementLevel"))[1 + b %% 3] END,
    CASE WHEN kind = 5 AND (opens OR a %% 10 > 0) THEN
        -- Near 70, near 85 in interventions.
        64 + b %% 13 + CASE WHEN {_IN_EXPERIMENT} AND phase %% 2 = 1 THEN 15 ELSE 0 END END,
    CASE WHEN a %% 25 <> 5 THEN extract(hour FROM t)::int END,
    CASE WHEN {_IN_EXPERIMENT} THEN ({_PHASES})[1 + phase] END,
    CASE WHEN {_IN_EXPERIMENT} THEN 1000 + u END,
    CASE WHEN {_IN_EXPERIMENT} THEN {_CONTEXT} END
FROM (
    SELECT n, opens, a, b, least(day * 4 / %(days)s, 3) AS phase,
        CASE WHEN opens THEN 5 ELSE width_bucket(a / 1000 %% 100,
            ARRAY[8, 15, 40, 48, 60, 72, 74, 82, 87, 93, 96, 98]) END AS kind,
        CASE WHEN opens THEN %(users)s - 1
             ELSE floor(%(users)s * power((b / 1000 %% 1000003) / 1000003.0::float8, 2))::int
             END AS u,
        {_cuid("'item ' || a %% 9000")} AS item,
        greatest(%(start)s, date_trunc('milliseconds', %(start)s
            + (day + part + 0.12 * sin(2 * pi() * part)) * interval '1 day'
            - CASE WHEN NOT opens AND a %% 20 = 0 THEN b %% 600000 ELSE 0 END
              * interval '1 millisecond')) AS t
    FROM (
        SELECT n, floor(place)::int AS day, place - floor(place) AS part,
            floor(place) <> floor((n - 2) / %(per_day)s::float8) AS opens,
            hashint8extended(n, %(seed)s) & 4611686018427387903 AS a,
            hashint8extended(n, %(seed)s + 99) & 4611686018427387903 AS b
        FROM (
            SELECT n, (n - 1) / %(per_day)s::float8 AS place
            FROM generate_series(%(first)s::bigint, %(last)s) AS n
        ) AS numbers
        OFFSET 0
    ) AS places
    OFFSET 0
) AS draws
"""
_SIBLINGS = f"""
INSERT INTO public.context_metadata ("id", "userId", "deviceType", "details", "createdAt")
SELECT {_CONTEXT}, {_USER}, 'laptop', '{{"noise": 2}}', %(start)s
FROM generate_series(0, %(users)s - 1) AS u WHERE {_IN_EXPERIMENT};
INSERT INTO public.experiment_protocols (
    "id", "userId", "protocolName", "designType", "startDate", "endDate", "createdAt")
SELECT {_PROTOCOL}, {_USER}, 'Spaced review ' || u, 'ABAB', %(start)s,
    %(start)s + %(days)s * interval '1 day', %(start)s
FROM generate_series(0, %(users)s - 1) AS u WHERE {_IN_EXPERIMENT};
INSERT INTO public.phase_assignments (
    "id", "protocolId", "phaseLabel", "phaseType", "startDate", "endDate")
SELECT {_cuid("'phase ' || %(seed)s || ' ' || u || ' ' || p")}, {_PROTOCOL}, ({_PHASES})[p],
    (ARRAY['BASELINE', 'INTERVENTION_A', 'WITHDRAWAL', 'INTERVENTION_A'])[p]::public."PhaseType",
    %(start)s + (p - 1) * %(days)s / 4.0 * interval '1 day',
    %(start)s + p * %(days)s / 4.0 * interval '1 day'
FROM generate_series(0, %(users)s - 1) AS u, generate_series(1, 4) AS p WHERE {_IN_EXPERIMENT};
"""


@dataclass(frozen=True)
class BulkEvents:
    """What a database holds.

    Attributes:
        events: rows.
        end: midnight after the last day, naive UTC.
        known_user: has a scored session on every day and, over 60 days and more, all four phases
            with 15 of them each.
    """

    events: int
    end: datetime
    known_user: str

    @property
    def now(self) -> datetime:
        """The last millisecond of the last day, aware: what a run is to take for the present."""
        return self.end.replace(tzinfo=UTC) - timedelta(milliseconds=1)


def fresh_database(server: EmbeddedServer, name: str) -> DatabaseUrl:
    """Create an empty database on the server; one of that name is dropped first."""
    connection = psycopg2.connect(server.url("postgres").conninfo)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()
    return server.url(name)


def load_bulk_events(
    url: DatabaseUrl,
    events: int = 1_000_000,
    days: int = 90,
    users: int = 400,
    seed: int = 7,
    now: datetime | None = None,
) -> BulkEvents:
    """Fill an empty database's event tables, with keys, indexes and statistics.

    Args:
        url: the database; its server may be the embedded one.
        events: rows, spread evenly over the days.
        days: whole UTC days, the last of them the one before `now`.
        users: with shares that fall with their rank; an eighth are under an ABAB protocol.
        seed: decides all values.
        now: aware; the clock by default.

    Raises:
        UsageError: the table holds rows.
    """
    midnight = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    end = midnight.replace(hour=0, minute=0, second=0, microsecond=0)
    given = {
        "start": end - timedelta(days=days),
        "days": days,
        "per_day": events / days,
        "users": users,
        "seed": seed,
    }
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            schema.create_events(connection)
            _refuse_rows(cursor, url)
            _drop_indexes(cursor)
            cursor.execute(_EVENTS, given | {"first": 1, "last": events})
            cursor.execute(_SIBLINGS, given)
            cursor.execute(
                f"SET LOCAL maintenance_work_mem = '256MB'; ALTER TABLE {_TABLE} "
                'ADD PRIMARY KEY ("id")'
            )
            schema.create_events(connection)  # the two other indexes again
            cursor.execute(
                f"CREATE TABLE {_MARKER} AS SELECT %(events)s::bigint AS events, %(start)s AS "
                "start, %(days)s AS days, %(per_day)s::float8 AS per_day, %(users)s AS users, "
                f"%(seed)s AS seed, {_KNOWN_USER} AS known_user",
                given | {"events": events},
            )
    finally:
        connection.close()
    _analyze(url)
    return held(url)


def add_day(url: DatabaseUrl) -> BulkEvents:
    """Add the day after the last one, as busy as the others, as the nightly run finds it."""
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            names = ("events", "start", "days", "per_day", "users", "seed")
            cursor.execute(f"SELECT {', '.join(names)} FROM {_MARKER}")
            given: dict[str, Any] = dict(zip(names, cursor.fetchone() or (), strict=True))
            last = round((given["days"] + 1) * given["per_day"])
            cursor.execute(_EVENTS, given | {"first": given["events"] + 1, "last": last})
            cursor.execute(f"UPDATE {_MARKER} SET events = %s, days = days + 1", (last,))
    finally:
        connection.close()
    _analyze(url)
    return held(url)


def held(url: DatabaseUrl) -> BulkEvents:
    """What `load_bulk_events` and `add_day` have put there."""
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT events, start + days * interval '1 day', known_user FROM {_MARKER}"
            )
            return BulkEvents(*(cursor.fetchone() or ()))
    finally:
        connection.close()


def _refuse_rows(cursor: Any, url: DatabaseUrl) -> None:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {_TABLE})")
    if cursor.fetchone()[0]:
        raise UsageError(f"{url.display} already holds rows in {_TABLE}: use an empty database")


def _drop_indexes(cursor: Any) -> None:
    """For the time of the load, half of which they would cost."""
    cursor.execute(
        f'ALTER TABLE {_TABLE} DROP CONSTRAINT "BehavioralEvent_pkey"; '
        'DROP INDEX public."BehavioralEvent_userId_timestamp_idx", '
        'public."BehavioralEvent_timestamp_idx"'
    )


def _analyze(url: DatabaseUrl) -> None:
    """Statistics and the visibility map, as a long-lived table would have them."""
    connection = psycopg2.connect(url.conninfo)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM (ANALYZE) {_TABLE}")
    finally:
        connection.close()
