"""Old versions of a state lose their bulk files; their records stay, and so does the last good one.

A version is marked before its first file goes, so that a pruning that was killed is completed by
the next one and never looks like damage. Call everything here under the state's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import find_record, remove_partials, write_record
from outreach_platform.foundation.retention import Pruned, PruneLine, Remover, is_older, size_of
from outreach_platform.settings_toml import RetentionSettings
from outreach_platform.snapshots.layout import TABLES, SplitRecord, StateFolder, moment_of
from outreach_platform.snapshots.pruned import BroughtBack, is_pruned
from outreach_platform.snapshots.pull import pulls
from outreach_platform.snapshots.records import EMBEDDED, Manifest, Receipt, survey
from outreach_platform.snapshots.verify import StoreWatch

FILES = "published files"
LAKE = "raw and split rows"


@dataclass(frozen=True)
class InUse:
    """What unfinished runs of the state refer to.

    Attributes:
        days: partitions that they work on, or will.
        run_ids: the runs.
    """

    days: frozenset[date] = frozenset()
    run_ids: frozenset[str] = frozenset()


@dataclass
class StatePruning:
    """One pruning of one state.

    Attributes:
        folder: the state.
        watch: the object store.
        limits: how many days are kept of what.
        remover: of the whole pruning.
        in_use: what unfinished runs refer to.
        run_id: who prunes.
        now: aware.
    """

    folder: StateFolder
    watch: StoreWatch
    limits: RetentionSettings
    remover: Remover
    in_use: InUse
    run_id: str
    now: datetime

    def lines(self) -> list[PruneLine]:
        """Prune what is set, and tell; nothing of a state that was never run."""
        folder = self.folder
        pairs, _ = survey(folder)
        if not self.remover.dry_run:
            remove_partials(folder.exports)
            remove_partials(folder.lake)
        kept = kept_versions(folder, pairs, self.in_use, self.now.date())
        lines = []
        if self.limits.snapshot_days is not None and folder.published_versions():
            lines.append(self._prune_files(pairs, kept, self.limits.snapshot_days))
        if self.limits.lake_days is not None and folder.versions():
            lines.append(self._prune_lake(pairs, kept, self.limits.lake_days))
        return lines

    def _prune_files(
        self, pairs: Sequence[tuple[Manifest, Receipt]], kept: set[str], days: int
    ) -> PruneLine:
        done = _Tally(FILES, self.folder.state)
        for manifest, receipt in pairs:
            version, mark = manifest.version, self.folder.pruned(manifest.version)
            paths = [path for t in TABLES if (path := self.folder.export(version, t)).exists()]
            if mark.exists() and not paths:
                continue
            old = mark.exists() or is_older(self._since(version), days, self.now)
            if version in kept or not old:
                done.keep(version)
            elif problem := self._not_stored(manifest, receipt):
                done.fail(version, problem)
            else:
                done.add(version, *self._remove(version, mark, paths))
        return done.line()

    def _prune_lake(
        self, pairs: Sequence[tuple[Manifest, Receipt]], kept: set[str], days: int
    ) -> PruneLine:
        done, published = _Tally(LAKE, self.folder.state), {m.version: (m, r) for m, r in pairs}
        damaged = {*self.folder.published_versions()} - set(published)
        for version in self.folder.versions():
            paths = sorted(self.folder.version(version).glob("*.parquet"))
            if not paths:
                continue
            mark = self.folder.lake_pruned(version)
            old = mark.exists() or is_older(moment_of(version), days, self.now)
            # Of a published version whose records are damaged nobody knows what else there is.
            if version in kept or version in damaged or not old:
                done.keep(version)
            elif problem := self._last_copy(*published.get(version, (None, None))):
                done.fail(version, problem)
            else:
                done.add(version, *self._remove(version, mark, paths))
        return done.line()

    def _since(self, version: str) -> datetime:
        back = find_record(self.folder.restored(version), BroughtBack)
        return max(moment_of(version), back.at) if back is not None else moment_of(version)

    def _last_copy(self, manifest: Manifest | None, receipt: Receipt | None) -> str | None:
        """Why the lake's rows of a version cannot go: they may be all that is left of it."""
        if manifest is None or receipt is None or files_stand(self.folder, manifest):
            return None
        return self._not_stored(manifest, receipt)

    def _not_stored(self, manifest: Manifest, receipt: Receipt) -> str | None:
        """Why the store is not known to hold all of a version, None where it holds it."""
        confirmed = {name: record.sha256 for name, record in receipt.objects.items()}
        if any(confirmed.get(t) != manifest.files[t].sha256 for t in TABLES):
            return "kept, its receipt confirms other files than its manifest names"
        for record in receipt.objects.values():
            wrong = self.watch.problems(record.key, record.sha256, record.size)
            if self.watch.problem is not None:
                return f"kept, the object store cannot be asked ({self.watch.problem})"
            if wrong:
                return f"kept, {wrong[0]}; `outreach verify --upload` sends what is gone"
        return None

    def _remove(self, version: str, mark: Path, paths: Sequence[Path]) -> tuple[int, list[str]]:
        if not (self.remover.dry_run or mark.exists()):
            root = self.folder.data_dir
            record = Pruned(
                version=version,
                files=[path.relative_to(root).as_posix() for path in paths],
                size=size_of(paths),
                at=self.now,
                run_id=self.run_id,
            )
            try:
                write_record(mark, record)
            except OutreachError as error:
                return 0, [str(error)]
        return self.remover.remove(paths)


@dataclass
class _Tally:
    """A line while it is counted."""

    what: str
    state: str

    def __post_init__(self) -> None:
        self._removed, self._freed = 0, 0
        self._kept: list[str] = []
        self._problems: dict[str, list[str]] = {}

    def keep(self, version: str) -> None:
        self._kept.append(version)

    def fail(self, version: str, problem: str) -> None:
        """Keep a version that was due; the same reason is told once for all of them."""
        self._kept.append(version)
        self._problems.setdefault(problem, []).append(version)

    def add(self, version: str, freed: int, problems: list[str]) -> None:
        self._freed += freed
        for problem in problems:
            self.fail(version, problem)
        self._removed += not problems

    def line(self) -> PruneLine:
        return PruneLine(
            what=self.what,
            subject=self.state,
            removed=self._removed,
            bytes_freed=self._freed,
            oldest_kept=min(self._kept, default=None),
            problems=[
                f"{self.state} {versions[0]}"
                + (f" and {len(versions) - 1} more" if len(versions) > 1 else "")
                + f": {problem}"
                for problem, versions in self._problems.items()
            ],
        )


def kept_versions(
    folder: StateFolder,
    pairs: Sequence[tuple[Manifest, Receipt]],
    in_use: InUse,
    today: date,
) -> set[str]:
    """Versions that nothing removes, whatever the settings say.

    Args:
        folder: the state.
        pairs: records of its published versions, oldest first.
        in_use: what unfinished runs refer to.
        today: the UTC day.
    """
    manifests = [manifest for manifest, _ in pairs]
    published, pulled = folder.published_versions(), folder.versions()
    kept = {*published[-1:], *pulled[-1:], *_newest_split(folder, pulled)}
    for sample in (True, False):
        # Either may be a baseline of K2: sample data is none for a configured database.
        own = [m for m in reversed(manifests) if (m.source == EMBEDDED) == sample]
        whole = (m for m in own if not is_pruned(folder, m.version) and files_stand(folder, m))
        kept |= {m.version for m in (*own[:1], next(whole, None)) if m is not None}
    # Unfinished ones: exported, or pulled, and neither published nor given up.
    kept |= {*folder.exported_versions()} - {*published}
    kept |= {v for v in pulled if v not in published and not folder.outcome(v).exists()}
    kept |= {m.version for m in manifests if any(o.until >= today for o in m.overrides)}
    return kept | {
        record.version
        for record in (*manifests, *pulls(folder))
        if record.partition in in_use.days or record.run_id in in_use.run_ids
    }


def _newest_split(folder: StateFolder, pulled: Sequence[str]) -> list[str]:
    """The run that the views of the last run read."""
    splits = (
        find_record(folder.split_record(version), SplitRecord) for version in reversed(pulled)
    )
    return [split.version for split in [next(filter(None, splits), None)] if split is not None]


def files_stand(folder: StateFolder, manifest: Manifest) -> bool:
    """Whether the four published files are there, by their sizes."""
    for record in manifest.files.values():
        path = folder.data_dir / record.path
        if not path.is_file() or path.stat().st_size != record.size:
            return False
    return True
