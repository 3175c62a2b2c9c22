"""What hangs between the enrichers' workspace and Neon."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.entities import ENTITIES, Entity
from outreach_platform.enrichment.funnel import FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.rows import COMPLETE
from outreach_platform.enrichment.tables import WORKSPACE_SCHEMA, one, qualified
from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.shape import naive_utc, shape_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.settings import Settings

_NEEDED = {"enrichment_status", "promoted_at", "pushed_to_neon_at", "updated_at"}


def funnel_problems(settings: Settings) -> list[Problem]:
    """What the newest run of the wing counted and somebody should know of."""
    record = find_record(EnrichmentFolder(settings.data_dir).funnel, FunnelRecord)
    if record is None:
        return []
    found = []
    for funnel in record.funnels:
        for kind, count, says, action in (
            (
                "rows_hang",
                funnel.problems,
                "rows cannot be pushed or promoted",
                "The column sync_problem beside them in the workspace says why.",
            ),
            (
                "rows_chronic",
                funnel.chronic,
                "records failed three times or more",
                "Look at them by hand: still_invalid and validation_errors are beside them.",
            ),
            (
                "status_undefined",
                funnel.undefined,
                "rows have a status that nobody defined",
                "Set enrichment_status to pending, in_progress, complete or failed.",
            ),
        ):
            if count:
                message = f"{count:,} {says}"
                found.append(
                    Problem(kind, funnel.entity, message, action, Severity.WARNING, record.run_id)
                )
    return found


def unpushed_rows(
    settings: Settings, workspace: Callable[[Settings], DatabaseUrl], now: datetime
) -> list[Problem]:
    """Completed rows that wait for a push for too long.

    The mark of the last push stands in the workspace, so Neon is not asked. That Neon has the
    content of each pushed row is a check on every promotion run.

    Args:
        settings: the thresholds, and whether the wing was ever used.
        workspace: gives the workspace's address; only called where the wing was used, because an
            embedded server starts for it.
        now: aware.

    Raises:
        SourceError: the workspace cannot be reached, or refuses.
    """
    if not EnrichmentFolder(settings.data_dir).funnel.exists():
        return []
    hours = settings.toml.monitoring.unpushed_hours
    before = now.astimezone(UTC).replace(tzinfo=None) - timedelta(hours=hours)
    url = workspace(settings)
    with connect(url, readonly=True) as connection, connection.cursor() as cursor:
        counted = list(_counted(cursor, before))
    return [
        Problem(
            "rows_unpushed",
            entity.name,
            f"{count:,} completed rows wait for more than {hours:g} h for their push to Neon",
            "Run `outreach enrich run`, and see that the sensor `enrichment_complete` is on.",
        )
        for entity, count in counted
        if count
    ]


def _counted(cursor: Cursor, before: datetime) -> Iterator[tuple[Entity, int]]:
    for entity in ENTITIES:
        shape = shape_of(cursor, WORKSPACE_SCHEMA, entity.workspace)
        if not shape.keys() >= _NEEDED:
            continue  # nothing was ever pulled into it
        updated, pushed = (naive_utc(shape, c, "t") for c in ("updated_at", "pushed_to_neon_at"))
        cursor.execute(
            f"SELECT count(*) FROM {qualified(WORKSPACE_SCHEMA, entity.workspace)} t "
            f"WHERE {COMPLETE} AND NOT coalesce({pushed} >= {updated}, false) "
            f"AND coalesce({updated}, '-infinity') < %s",
            [before],
        )
        yield entity, one(cursor)[0]
