"""One run of the events wing, step by step, as assets, scripts and benchmarks run it.

Every step finds what it needs on disk, so each can be run again, in another process, on another
day.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

import duckdb

from outreach_platform.events import experiments, research, tracking
from outreach_platform.events.export import export
from outreach_platform.events.extract import extract
from outreach_platform.events.layout import EMBEDDED, EventFolder
from outreach_platform.events.plan import Request
from outreach_platform.events.records import ExportManifest, Extraction, Mode, SyncRecord, Window
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import remove_partials
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import bulk_engine
from outreach_platform.settings import Settings

_logger = logging.getLogger(__name__)


@dataclass
class EventsRun:
    """One run.

    Attributes:
        settings: limits, and the data folder.
        url: the source database.
        run_id: the Dagster run, or any name for the caller.
        now: the clock, for tests; aware.
    """

    settings: Settings
    url: DatabaseUrl
    run_id: str
    now: datetime | None = None
    folder: EventFolder = field(init=False)

    def __post_init__(self) -> None:
        self.folder = EventFolder(self.settings.data_dir)

    @property
    def moment(self) -> datetime:
        """The time of the run's clock, UTC."""
        return (self.now or datetime.now(UTC)).astimezone(UTC)

    @property
    def source(self) -> str:
        """What the source is called in records."""
        return EMBEDDED if self.settings.events is None else self.url.display

    def lock(self) -> NamedLock:
        """The lock that keeps other runs out; hold it over all steps."""
        return NamedLock(self.folder.lock, "events")

    def sweep(self) -> None:
        """Remove the temporary files of interrupted runs. Call it under the lock."""
        siblings = [experiments.sibling_file(self.folder, t).parent for t in experiments.TABLES]
        folder = self.folder
        for place in (folder.lake, *siblings, folder.raw, folder.quarantine):
            for path in remove_partials(place):
                _logger.warning("removed %s, which an interrupted run had left", path)

    def extract(self, window: Window, mode: Mode = "strict", *, full: bool = False) -> Extraction:
        """Bring the days of a window up to date; see `extract.extract`."""
        self.sweep()
        options = self.settings.toml.events
        request = Request(
            window=window,
            mode=mode,
            full=full,
            lookback=options.lookback_days,
            compression=options.compression,
            source=self.source,
            run_id=self.run_id,
            now=self.moment,
        )
        with self._engine() as engine:
            return extract(engine, self.folder, self.url, request)

    def siblings(self) -> Sequence[experiments.SiblingRecord]:
        """Take protocols and phase assignments; see `experiments.pull_siblings`."""
        with self._engine() as engine:
            return experiments.pull_siblings(
                engine, self.folder, self.url, source=self.source, run_id=self.run_id
            )

    def export(self, window: Window, user_id: str | None = None) -> ExportManifest:
        """Write the export of a window; see `export.export`."""
        with self._engine() as engine:
            return export(
                engine,
                self.folder,
                window,
                user_id=user_id,
                compression=self.settings.toml.events.compression,
                run_id=self.run_id,
                now=self.moment,
            )

    def sync(self, form: research.Form | None = None) -> SyncRecord:
        """Let the research database show the newest export; see `research.sync`."""
        return sync_research(self.settings, self.run_id, form)

    def track(self, manifest: ExportManifest) -> tuple[dict[str, str], list[str]]:
        """Hand an export to the trackers that are installed and on.

        Returns:
            What each of them knows it by, and warnings; a tracker never harms an export.
        """
        options = self.settings.toml.events
        known: dict[str, str] = {}
        problems: list[str] = []
        for tracker in tracking.available_trackers():
            if not getattr(options, tracker):
                continue
            try:
                known[tracker] = self._track_with(tracker, manifest)
            except OutreachError as error:
                problems.append(str(error))
        return known, problems

    def _track_with(self, tracker: tracking.Tracker, manifest: ExportManifest) -> str:
        data_dir = self.settings.data_dir
        if tracker == "dvc":
            remote = self.settings.toml.events.dvc_remote
            path = self.folder.export(manifest.stamp)
            return tracking.track_with_dvc(data_dir, path, remote=remote).md5
        facts = _facts(self.folder, manifest)
        uri = self.settings.mlflow_uri
        return tracking.log_to_mlflow(data_dir, facts, tracking_uri=uri).mlflow_run_id

    def _engine(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        limits = self.settings.toml.pull
        return bulk_engine(
            self.folder.spill, memory_limit=limits.memory_limit, threads=limits.threads
        )


def _facts(folder: EventFolder, manifest: ExportManifest) -> tracking.ExportFacts:
    return tracking.ExportFacts(
        stamp=manifest.stamp,
        run_id=manifest.run_id,
        finished_at=manifest.created_at,
        duration_seconds=manifest.seconds,
        rows=manifest.file.rows,
        size=manifest.file.size,
        sha256=manifest.file.sha256,
        window_start=datetime.combine(manifest.window.start, time.min, UTC),
        window_end=datetime.combine(manifest.window.end, time.max, UTC),
        user_filtered=manifest.user_id is not None,
        validation_mode=manifest.validation,
        validation_passed=None if manifest.validation == "none" else not manifest.quarantined,
        rules_version=manifest.rules_version,
        manifest=folder.export_manifest(manifest.stamp),
    )


def sync_research(settings: Settings, run_id: str, form: research.Form | None = None) -> SyncRecord:
    """Let the research database of these settings show the newest export; see `research.sync`.

    Args:
        settings: of the data folder.
        run_id: who asks.
        form: view or table; None for the one in the settings.
    """
    options = settings.toml.events
    return research.sync(
        EventFolder(settings.data_dir),
        settings.analytics_path,
        form=form or options.research,
        slow_query_ms=options.slow_query_ms,
        memory_limit=options.research_memory_limit,
        threads=settings.toml.pull.threads,
        run_id=run_id,
    )
