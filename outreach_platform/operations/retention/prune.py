"""One pruning over everything that settings give days to, each part under the lock of its owner."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from outreach_platform.events import pruning as events
from outreach_platform.events.layout import EventFolder
from outreach_platform.filings import pruning as filings
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import BusyError, OutreachError
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.retention import PruneLine, Pruning, Remover
from outreach_platform.operations.retention.runs import prune_runs, runs_in_use
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots import workbench
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.pruning import FILES, LAKE, InUse, StatePruning
from outreach_platform.snapshots.verify import StoreWatch


@dataclass
class Prune:
    """What one pruning works with.

    Attributes:
        settings: the days, and the data folder.
        store: the bucket that published versions went to.
        instance: where runs are recorded.
        run_id: who prunes.
        dry_run: remove nothing, take no lock, and tell the same.
        now: the clock, aware; for tests.
    """

    settings: Settings
    store: ObjectStore
    instance: dg.DagsterInstance
    run_id: str
    dry_run: bool = False
    now: datetime | None = None

    def __post_init__(self) -> None:
        self._moment = self.now or datetime.now(UTC)
        self._limits = self.settings.toml.retention
        self._remover = Remover(dry_run=self.dry_run)
        self._watch = StoreWatch(self.store)

    def run(self, tell: Callable[[str], None] = lambda _: None) -> Pruning:
        """Prune what is set; what cannot be removed is told, and the rest goes on.

        Files that nobody has to be asked about come first: on a full disk they make room for the
        records that the others begin with.

        Args:
            tell: told what is looked at.
        """
        lines = []
        for name, part in (
            ("filings", self._filings),
            ("events", self._events),
            ("snapshots", self._snapshots),
            ("runs", self._runs),
        ):
            tell(f"pruning: {name}")
            lines += part()
        return Pruning(run_id=self.run_id, at=datetime.now(UTC), lines=lines)

    def _filings(self) -> Iterator[PruneLine]:
        folder, days = FilingFolder(self.settings.data_dir), self._limits.filings_backup_days
        if days is None or not folder.backups.is_dir():
            return

        def prune() -> list[PruneLine]:
            return [filings.prune_backups(folder, days, self._remover, now=self._moment)]

        yield from self._guarded(folder.lock, "filings", filings.BACKUPS, "-", prune)

    def _events(self) -> Iterator[PruneLine]:
        folder, limits = EventFolder(self.settings.data_dir), self._limits
        exports, reports = limits.event_export_days, limits.event_report_days

        def prune() -> list[PruneLine]:
            now, remover, lines = self._moment, self._remover, []
            if reports is not None:
                lines.append(events.prune_reports(folder, reports, remover, now=now))
            if exports is not None:
                own = self.run_id
                lines.append(events.prune_exports(folder, exports, remover, run_id=own, now=now))
            return lines

        if folder.lake.is_dir() and (exports is not None or reports is not None):
            what = events.REPORTS if exports is None else events.EXPORTS
            yield from self._guarded(folder.lock, "events", what, "-", prune)

    def _snapshots(self) -> Iterator[PruneLine]:
        if self._limits.snapshot_days is None and self._limits.lake_days is None:
            return
        in_use = runs_in_use(self.instance)
        lines: list[PruneLine] = []
        for state in STATES:
            lines += self._state(StateFolder(self.settings.data_dir, state), in_use[state])
        if not self.dry_run and any(line.removed for line in lines):
            lines += self._views()
        yield from lines

    def _state(self, folder: StateFolder, in_use: InUse) -> Iterator[PruneLine]:
        if not (folder.lake.is_dir() or folder.exports.is_dir()):
            return
        pruning = StatePruning(
            folder=folder,
            watch=self._watch,
            limits=self._limits,
            remover=self._remover,
            in_use=in_use,
            run_id=self.run_id,
            now=self._moment,
        )
        what = LAKE if self._limits.snapshot_days is None else FILES
        yield from self._guarded(folder.lock, folder.state, what, folder.state, pruning.lines)

    def _views(self) -> Iterator[PruneLine]:
        """The workbench anew: since its last rebuild it may have read what is gone now."""
        try:
            workbench.rebuild(self.settings.data_dir, self.run_id)
        except OutreachError as error:
            yield PruneLine(what="workbench", problems=[f"the workbench is not rebuilt: {error}"])

    def _runs(self) -> Iterator[PruneLine]:
        if (days := self._limits.run_days) is not None:
            yield prune_runs(
                self.instance, days, run_id=self.run_id, now=self._moment, dry_run=self.dry_run
            )

    def _guarded(
        self,
        lock: Path,
        name: str,
        what: str,
        subject: str,
        prune: Callable[[], list[PruneLine]],
    ) -> list[PruneLine]:
        """Prune under a lock; where somebody holds it, or the disk refuses, the rest goes on."""
        try:
            with self._lock(lock, name):
                return prune()
        except BusyError as error:
            return [PruneLine(what=what, subject=subject, problems=[f"nothing removed: {error}"])]
        except OutreachError as error:
            return [PruneLine(what=what, subject=subject, problems=[str(error)])]

    def _lock(self, lock: Path, name: str) -> AbstractContextManager[object]:
        if self.dry_run:
            return nullcontext()
        return locked(lock, name, f"run {self.run_id}", self.settings.toml.locks.wait_seconds)
