"""The resource of the enrichment wing, a run with its lock, and what a run can be told."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field, PrivateAttr

from outreach_platform.enrichment.entities import ENTITIES, Entity, entity_named
from outreach_platform.enrichment.records import StageRecord
from outreach_platform.enrichment.run import BATCH_SIZE, EnrichmentRun
from outreach_platform.enrichment.webhook import Event, notify
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.resources import NeonDatabase, PlatformSettings, WorkspaceDatabase
from outreach_platform.settings import Settings

LARGEST_BATCH = 10_000


class EnrichmentRuns(dg.ConfigurableResource):
    """Hands each step its `EnrichmentRun`, and holds the wing's lock until the run ends.

    The webhook is told then, once for companies and people together.
    """

    platform: dg.ResourceDependency[PlatformSettings]
    neon: dg.ResourceDependency[NeonDatabase]
    workspace_database: dg.ResourceDependency[WorkspaceDatabase]

    _lock: NamedLock | None = PrivateAttr(default=None)
    _run: EnrichmentRun | None = PrivateAttr(default=None)
    _news: dict[Event, dict[str, int]] = PrivateAttr(default_factory=dict)

    def start(
        self,
        context: dg.AssetExecutionContext | dg.OpExecutionContext,
        batch_size: int = BATCH_SIZE,
    ) -> EnrichmentRun:
        """The run of the context, the wing locked for this Dagster run.

        Raises:
            UsageError: the configuration is wrong, or the batch size is out of range.
            BusyError: another run holds the lock for too long.
        """
        if not 1 <= batch_size <= LARGEST_BATCH:
            raise UsageError(f"the batch size is {batch_size}: choose 1 to {LARGEST_BATCH}")
        settings, neon, workspace = self.databases()
        run_id = context.run.run_id
        run = EnrichmentRun(settings, neon, workspace, run_id, batch_size=batch_size)
        if self._lock is None:
            tag_run(context.instance, run_id)
            lock = run.lock()
            lock.acquire(f"run {run_id}", settings.toml.locks.wait_seconds)
            self._lock = lock
        self._close()
        self._run = run
        return run

    def databases(self) -> tuple[Settings, DatabaseUrl, DatabaseUrl]:
        """The settings, the masters' database and the workspace.

        Raises:
            UsageError: the configuration is wrong.
        """
        settings = self.platform.load()
        workspace = self.workspace_database.url(settings)
        return settings, self.neon.url(settings), workspace

    def tell(self, event: Event, records: Sequence[StageRecord]) -> None:
        """Have the webhook told at the end of the run."""
        news = self._news.setdefault(event, {})
        for record in records:
            news |= {f"{record.entity}_{name}": n for name, n in record.counts.items()}

    def _close(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close connections, let the lock go, tell the webhook."""
        run, news, self._news = self._run, self._news, {}
        self._close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if run is None:
            return
        for event, facts in news.items():
            # One that is down never fails a run.
            warning = notify(run.settings.n8n_webhook, event, facts, run.run_id)
            if warning and context.log is not None:
                context.log.warning(warning)


class PullConfig(dg.Config):
    """How records are pulled."""

    batch_size: int = Field(default=BATCH_SIZE, description="rows a transaction")


class StageConfig(dg.Config):
    """Which records a stage takes, and how."""

    batch_size: int = Field(default=BATCH_SIZE, description="rows a transaction")
    entities: list[str] = Field(
        default=[entity.name for entity in ENTITIES], description="company, people or both"
    )

    @property
    def chosen(self) -> list[Entity]:
        """The entities, in the order in which they depend on one another.

        Raises:
            UsageError: one of them is unknown.
        """
        named = [entity_named(name) for name in self.entities]
        return [entity for entity in ENTITIES if entity in named]


class PromoteConfig(StageConfig):
    """Which records are promoted."""

    ids_file: str | None = Field(
        default=None, description="only the ids in this file, one a line; unset: all that passed"
    )
