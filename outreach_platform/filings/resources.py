"""The resource of the filings wing, a run with its lock, and what a run can be told."""

import dagster as dg
from pydantic import Field, PrivateAttr

from outreach_platform.filings.run import FilingsRun
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.partitions import filing_year, filing_years
from outreach_platform.resources import PlatformSettings


class FilingRuns(dg.ConfigurableResource):
    """Hands each step its `FilingsRun`, and holds the wing's lock until the run ends."""

    platform: dg.ResourceDependency[PlatformSettings]

    _lock: NamedLock | None = PrivateAttr(default=None)

    def start(self, context: dg.AssetExecutionContext | dg.OpExecutionContext) -> FilingsRun:
        """The run of the context, the wing locked for this Dagster run.

        Raises:
            BusyError: another run holds the lock for too long.
        """
        settings = self.platform.load()
        run_id = context.run.run_id
        run = FilingsRun(settings=settings, run_id=run_id, tell=context.log.info)
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


def years_of(context: dg.AssetExecutionContext) -> list[int]:
    """The filing years that a run was started for."""
    return filing_years(context.partition_keys)


def whole_range(context: dg.AssetExecutionContext) -> bool:
    """Whether a run was started for all years: then a filing of a year to come is taken, too."""
    return len(context.partition_keys) == len(filing_year.get_partition_keys())


class RegisterConfig(dg.Config):
    """What is registered besides the files in the data folder."""

    paths: list[str] = Field(default=[], description="files and folders on this machine")
    ciks: list[str] = Field(
        default=[], description="companies whose filings are fetched, besides those in settings"
    )
    since: str | None = Field(default=None, description="fetch what was filed on this day or later")
    download: bool = Field(
        default=True, description="fetch new filings of the companies that settings name"
    )


class ExtractConfig(dg.Config):
    """Which filings are read, and how."""

    mode: str = Field(default="missing", description="missing, no_tables or all")
    accessions: list[str] = Field(default=[], description="only these; empty: all")
    workers: int = Field(default=0, description="processes; 0: as settings say")
    limit: int | None = Field(default=None, description="at most so many filings")
    force: bool = Field(
        default=False, description="unchanged filings too, and an empty result replaces a full one"
    )


class MaintenanceConfig(dg.Config):
    """What a maintenance does."""

    dedupe: bool = Field(default=True, description="remove duplicates and orphans")
    compact: bool = Field(default=True, description="write the database anew and swap it in")
    foreign: str | None = Field(
        default=None, description="a predecessor's filings.duckdb, imported and cleaned"
    )
