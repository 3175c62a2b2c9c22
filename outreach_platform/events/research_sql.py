"""The objects of schema `research`, and the standing questions that researchers ask of them."""

from pathlib import Path

from outreach_platform.events.schema import BASELINES, INTERVENTIONS, NAMES
from outreach_platform.foundation.warehouse import quote_text

SCHEMA = "research"
EVENTS = f"{SCHEMA}.behavioral_events"
EXPORTS = f"{SCHEMA}.exports"
# What the platform makes and replaces; everything else in the database is somebody's own.
OURS = frozenset(
    {
        "behavioral_events",
        "exports",
        "experiment_protocols",
        "phase_assignments",
        "its_daily",
        "abab_observations",
    }
)

ITS_DAILY = f"""
CREATE VIEW {SCHEMA}.its_daily AS
SELECT "userId",
       CAST("timestamp" AS DATE) AS day,
       avg("sessionPerformanceScore") AS mean_score,
       CAST(dayofweek(min("timestamp")) AS INTEGER) AS day_of_week,
       avg(hour("timestamp")) AS mean_hour,
       count(*) AS observations
FROM {EVENTS}
WHERE "eventType" = 'SESSION_ENDED' AND "sessionPerformanceScore" IS NOT NULL
GROUP BY ALL
"""

# An event belongs to the protocol of its user that was running then. Under a protocol of another
# design it is no ABAB observation; under none it is one, because many studies keep no protocols.
ABAB_OBSERVATIONS = f"""
CREATE VIEW {SCHEMA}.abab_observations AS
SELECT e."userId", p.id AS "protocolId", e."timestamp", e."experimentPhase" AS phase,
       e."sessionPerformanceScore" AS score
FROM {EVENTS} e
LEFT JOIN {SCHEMA}.experiment_protocols p
       ON p."userId" = e."userId" AND e."timestamp" >= p."startDate"
      AND (p."endDate" IS NULL OR e."timestamp" < p."endDate")
WHERE e."experimentPhase" IN ({", ".join(map(quote_text, (*BASELINES, *INTERVENTIONS)))})
  AND e."sessionPerformanceScore" IS NOT NULL
  AND (p.id IS NULL OR p."designType" = 'ABAB')
"""

INDEXES = (
    f'CREATE INDEX behavioral_events_user_time ON {EVENTS} ("userId", "timestamp")',
    f'CREATE INDEX behavioral_events_type ON {EVENTS} ("eventType")',
    f'CREATE INDEX behavioral_events_phase ON {EVENTS} ("experimentPhase")',
)

# Each takes one user id, `$1`, or none.
STANDING_QUERIES = {
    "daily scores of a user": (
        f'SELECT * EXCLUDE ("userId") FROM {SCHEMA}.its_daily WHERE "userId" = $1 ORDER BY day'
    ),
    "phase observations of a user": (
        f'SELECT "timestamp", phase, score FROM {SCHEMA}.abab_observations '
        'WHERE "userId" = $1 ORDER BY "timestamp"'
    ),
    "a user's events": (
        f'SELECT "timestamp", "eventType", "eventData" FROM {EVENTS} '
        'WHERE "userId" = $1 ORDER BY "timestamp"'
    ),
    "events by day and type": (
        f'SELECT CAST("timestamp" AS DATE) AS day, "eventType", count(*) AS events FROM {EVENTS} '
        "GROUP BY ALL ORDER BY ALL"
    ),
    "scores by phase": (
        f'SELECT "experimentPhase", count(*) AS scores, avg("sessionPerformanceScore") AS mean '
        f'FROM {EVENTS} WHERE "sessionPerformanceScore" IS NOT NULL GROUP BY ALL ORDER BY ALL'
    ),
}


def events_view(export: Path) -> str:
    """The statement that shows an export's file as the events."""
    listed = ", ".join(f'"{name}"' for name in NAMES)
    return f"CREATE VIEW {EVENTS} AS SELECT {listed} FROM read_parquet({quote_text(str(export))})"


def events_table(export: Path) -> str:
    """The statement that copies an export's rows, which stand sorted by time, into a table."""
    listed = ", ".join(f'"{name}"' for name in NAMES)
    return f"CREATE TABLE {EVENTS} AS SELECT {listed} FROM read_parquet({quote_text(str(export))})"
