"""The resource of the events wing: a run with its lock."""

import dagster as dg
from pydantic import PrivateAttr

from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.resources import EventsDatabase, PlatformSettings


class EventRuns(dg.ConfigurableResource):
    """Hands each step its `EventsRun`, and holds the wing's lock until the run ends."""

    platform: dg.ResourceDependency[PlatformSettings]
    events_database: dg.ResourceDependency[EventsDatabase]

    _lock: NamedLock | None = PrivateAttr(default=None)

    def start(self, context: dg.AssetExecutionContext) -> EventsRun:
        """The run of the context, the wing locked for this Dagster run.

        Raises:
            BusyError: another run holds the lock for too long.
        """
        settings = self.platform.load()
        run_id = context.run.run_id
        run = EventsRun(settings=settings, url=self.events_database.url(settings), run_id=run_id)
        if self._lock is None:
            tag_run(context.instance, run_id)
            lock = run.lock()
            lock.acquire(f"run {run_id}", settings.toml.locks.wait_seconds)
            self._lock = lock
        return run

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Let the lock go at the end of the run, or of the step under another executor."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
