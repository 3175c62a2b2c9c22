"""The resource of the events wing, a run with its lock, and what a run can be told."""

from typing import get_args

import dagster as dg
from pydantic import Field, PrivateAttr

from outreach_platform.events.records import Mode
from outreach_platform.events.research import Form
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.resources import EventsDatabase, PlatformSettings

DAYS = 90
MODES = get_args(Mode)
FORMS = get_args(Form)


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


class ExtractConfig(dg.Config):
    """What is taken, and how rows are judged."""

    days: int = Field(default=DAYS, description="UTC days up to today; a partition run ignores it")
    validation: str = Field(default="strict", description="strict, non_strict or none")
    full: bool = Field(default=False, description="pull every day again")


class ExportConfig(dg.Config):
    """Which events go into the file."""

    days: int = Field(default=DAYS, description="UTC days up to today")
    user_id: str | None = Field(default=None, description="only this user; moves no latest")


class ResearchConfig(dg.Config):
    """How the research database shows the export."""

    form: str | None = Field(
        default=None, description="auto, view or table; unset: as settings say"
    )


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """The value, where it is known.

    Raises:
        UsageError: it is not.
    """
    if value not in known:
        raise UsageError(f"{name} is {value!r}: choose one of {', '.join(known)}")
    return value
