"""The files of a data folder, copied in the order that `survey` gives."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import BusyError
from outreach_platform.foundation.locks import locked
from outreach_platform.operations.backup.copying import Copier, fingerprint
from outreach_platform.operations.backup.records import PartRecord
from outreach_platform.operations.backup.survey import (
    PRUNED,
    RECORDS,
    RUNS_FIRST,
    Found,
    is_record,
    walk,
)

RUNS = "dagster"
_TOP = "top level"
_ROUNDS = 5
_TELL_SECONDS = 5.0
_WRITER_SECONDS = 2.0
_MB = 1_000_000
_WRITER_BUSY = (
    "a filings run is writing its own database: the published one stands for it, and the next "
    "`outreach filings extract` on the copy reads what was not published yet"
)


@dataclass
class _Sum:
    files: int = 0
    size: int = 0


@dataclass
class FileCopy:
    """The files of one backup.

    Attributes:
        source: the data folder.
        target: the copy, under the name it has for now.
        tell: told what is being done.
        problems: what could not be copied whole, a sentence each.
        notes: what was left out on purpose, by part.
    """

    source: Path
    target: Path
    tell: Callable[[str], None]
    problems: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._copier = Copier(self.source, self.target)
        self._sums: dict[str, _Sum] = {}
        self._done: set[Path] = set()
        self._told = time.monotonic()
        self._copier.top()

    def folder(self, path: Path) -> None:
        """Make a folder (relative) with the source's owner and mode."""
        self._copier.folder(path)

    def runs(self) -> None:
        """Dagster's files: ticks, then runs, then the events of runs."""
        self.tell("runs")
        for name in RUNS_FIRST:
            if (self.source / RUNS / name).is_file():
                self._file(Path(RUNS, name))
        found = walk(self.source, Path(RUNS), self.problems)
        self._all(each for each in found if each.path not in self._done)

    def records(self) -> None:
        """Receipts, manifests and the like, the last written first."""
        self.tell("records")
        for pattern in RECORDS:
            for path in sorted(self.source.glob(pattern)):
                relative = path.relative_to(self.source)
                if path.is_symlink():
                    self._copier.link(relative, str(path.readlink()))
                    self._done.add(relative)
                else:
                    self._file(relative)

    def rest(self) -> None:
        """All other files, as they stand now; records that came meanwhile are not listed."""
        listed = [
            found
            for found in walk(self.source, unreadable=self.problems)
            if found.path not in self._done
            and found.path.parts[0] != RUNS
            and not is_record(found.path)
        ]
        self._all(listed)
        self._replaced(listed)
        self._withdrawn()
        self._pruned()

    def parts(self) -> list[PartRecord]:
        """What was copied, a part a folder at the top."""
        return [
            PartRecord(
                part=part, status="copied", files=s.files, size=s.size, message=self.notes.get(part)
            )
            for part, s in sorted(self._sums.items())
        ]

    def _all(self, found: Iterable[Found]) -> None:
        part = ""
        for each in found:
            if each.path.parts[0] != part:
                part = each.path.parts[0]
                self.tell(part)
            if each.leads_to is not None:
                self._copier.link(each.path, each.leads_to)
            elif self.source / each.path == FilingFolder(self.source).writer:
                self._writer(each.path)
            else:
                self._file(each.path)

    def _file(self, path: Path) -> None:
        done = self._copier.file(path)
        self._done.add(path)
        if done is None:
            return
        if done.problem:
            self.problems.append(done.problem)
        part = path.parts[0] if len(path.parts) > 1 else _TOP
        total = self._sums.setdefault(part, _Sum())
        total.files += 1
        total.size += done.size
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            size = sum(each.size for each in self._sums.values())
            self.tell(f"{part}: {size / _MB:,.0f} MB in all so far")

    def _writer(self, path: Path) -> None:
        """The filings' private database, in a moment in which no run writes it."""
        folder = FilingFolder(self.source)
        try:
            with locked(folder.lock, "filings", "a backup", _WRITER_SECONDS):
                self._file(path)
        except BusyError:
            self._done.add(path)
            self.notes["lake"] = _WRITER_BUSY

    def _replaced(self, listed: list[Found]) -> None:
        """Copy folders anew whose Parquet files were replaced: their records may name either.

        These are days of events that were pulled again, and versions that are being split.
        """
        seen = {f.path: f.seen for f in listed if f.path.suffix == ".parquet" and not f.leads_to}
        for _ in range(_ROUNDS):
            changed = {
                path.parent for path, was in seen.items() if fingerprint(self.source / path) != was
            }
            if not changed:
                return
            for folder in sorted(changed):
                seen = {path: was for path, was in seen.items() if path.parent != folder}
                for path in (self.target / folder).iterdir():
                    if path.suffix in (".parquet", ".json") and not path.is_symlink():
                        path.unlink()
                # Records first, as ever.
                present = sorted(walk(self.source, folder), key=lambda f: f.path.suffix != ".json")
                for found in present:
                    if found.path.suffix == ".json":
                        self._file(found.path)
                    elif found.path.suffix == ".parquet" and found.leads_to is None:
                        seen[found.path] = found.seen
                        self._file(found.path)

    def _pruned(self) -> None:
        """Copy the marks of what was pruned meanwhile: its files may be missing in the copy."""
        for pattern in PRUNED:
            for path in sorted(self.source.glob(pattern)):
                if (relative := path.relative_to(self.source)) not in self._done:
                    self._file(relative)

    def _withdrawn(self) -> None:
        """Take back manifests that were withdrawn meanwhile, and bring what a new one waits for."""
        for pattern in ("exports/*/manifests/*.json", "raw/manifests/*.json"):
            for path in self.target.glob(pattern):
                relative = path.relative_to(self.target)
                if not (self.source / relative).exists():
                    path.unlink()
                elif relative.parts[0] == "raw":
                    # Written a moment before its file takes its name.
                    export = Path("raw", f"{path.stem}.parquet")
                    if export not in self._done and (self.source / export).is_file():
                        self._file(export)
