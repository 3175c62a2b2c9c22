"""Resources of the snapshots wing: a run of one state with its lock, and the workbench."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import PrivateAttr

from outreach_platform.foundation.audit import write_or_spool
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.partitions import day_and_state
from outreach_platform.resources import NeonDatabase, ObjectStorage, PlatformSettings
from outreach_platform.settings import Settings
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.run import SnapshotRun
from outreach_platform.snapshots.workbench import workbench_path

_Context = dg.OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class WorkbenchResource(DuckDBResource):
    """Reads the workbench; unlike its base it opens read-only and never leaks a connection."""

    database: str = ""

    @contextmanager
    def reading(self, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection, closed at the end whatever happens."""
        path = self.database or str(workbench_path(settings.data_dir))
        connection = duckdb.connect(path, read_only=True, config=self.connection_config)
        try:
            yield connection
        finally:
            connection.close()


class SnapshotRuns(dg.ConfigurableResource):
    """Hands each step its `SnapshotRun`, and holds the state's lock until the run ends."""

    platform: dg.ResourceDependency[PlatformSettings]
    neon: dg.ResourceDependency[NeonDatabase]
    storage: dg.ResourceDependency[ObjectStorage]

    _locks: dict[str, NamedLock] = PrivateAttr(default_factory=dict)

    def start(
        self, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext
    ) -> SnapshotRun:
        """The run of the context's partition, its state locked for this Dagster run.

        Raises:
            BusyError: another run of the state holds the lock for too long.
        """
        return self.start_state(context, day_and_state(context.partition_key)[1])

    def start_state(self, context: _Context, state: str) -> SnapshotRun:
        """The run of one state, locked for this Dagster run."""
        settings = self.platform.load()
        run_id = context.run.run_id
        url = self.neon.url(settings)
        run = SnapshotRun(
            settings=settings,
            state=state,
            url=url,
            store=self._store(settings, state, url, run_id),
            run_id=run_id,
        )
        if state not in self._locks:
            tag_run(context.instance, run_id)
            lock = run.lock()
            with run.audited(None):
                lock.acquire(f"run {run_id}", settings.toml.locks.wait_seconds)
            self._locks[state] = lock
        return run

    def _store(self, settings: Settings, state: str, url: DatabaseUrl, run_id: str) -> ObjectStore:
        try:
            return self.storage.store(settings)
        except OutreachError as error:
            # There is no SnapshotRun yet that could audit it.
            event = auditing.failed_event(
                StateFolder(settings.data_dir, state), None, run_id, str(error)
            )
            write_or_spool(url, event, auditing.spool_folder(settings.data_dir))
            raise

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Let the locks go at the end of the run, or of the step under another executor."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()
