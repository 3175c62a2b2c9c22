"""What waits for a promotion, in one quick look at the workspace."""

import hashlib
from dataclasses import dataclass

import psycopg2.errors

from outreach_platform.enrichment.entities import ENTITIES, Entity
from outreach_platform.enrichment.rows import COMPLETE
from outreach_platform.enrichment.tables import WORKSPACE_SCHEMA, one, qualified
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import quote_identifier


@dataclass(frozen=True)
class Batch:
    """Completed rows that were not promoted and are not known to hang.

    Attributes:
        counts: rows by entity.
        fingerprint: names exactly these rows in exactly these versions.
    """

    counts: dict[str, int]
    fingerprint: str

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def waiting_batch(url: DatabaseUrl) -> Batch | None:
    """The rows that a promotion would take now; None where nothing was ever pulled.

    Raises:
        SourceUnavailableError: the workspace cannot be reached.
        SourceError: it refuses.
    """
    counts: dict[str, int] = {}
    digest = hashlib.sha256()
    with connect(url, readonly=True) as connection, connection.cursor() as cursor:
        try:
            for entity in ENTITIES:
                cursor.execute(_sql(entity))
                count, total = one(cursor)
                counts[entity.name] = count
                digest.update(f"{entity.name} {count} {total};".encode())
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn):
            connection.rollback()
            return None
    return Batch(counts, digest.hexdigest()[:16])


def _sql(entity: Entity) -> str:
    """Count the rows, and add up a hash of each with its version as the seed."""
    version = "coalesce((extract(epoch FROM t.updated_at) * 1000000)::bigint, 0)"
    return (
        f"SELECT count(*), sum(hashtextextended(t.{quote_identifier(entity.key)}, {version})) "
        f"FROM {qualified(WORKSPACE_SCHEMA, entity.workspace)} t "
        f"WHERE {COMPLETE} AND t.sync_problem IS NULL"
    )
