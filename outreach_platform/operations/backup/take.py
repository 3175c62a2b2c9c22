"""One backup from its start to its end."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform import __version__
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import write_record
from outreach_platform.operations import place
from outreach_platform.operations.backup import databases, elsewhere, runs, survey
from outreach_platform.operations.backup.files import RUNS, FileCopy
from outreach_platform.operations.backup.records import NAME, BackupRecord, PartRecord
from outreach_platform.operations.backup.target import (
    check_target,
    claimed,
    give_to_owner,
    require_space,
)
from outreach_platform.operations.backup.verify import copy_problems
from outreach_platform.resources import embedded_folder
from outreach_platform.settings import Settings

Tell = Callable[[str], None]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = ("No space left", "disk is full", "disk quota")
_FULL_BYTES = 1_000_000


def refuse(settings: Settings, target: Path) -> Path:
    """Refuse a target that cannot take a backup, before anything is written.

    Returns:
        It, absolute.

    Raises:
        UsageError: see `target.check_target` and `target.require_space`.
    """
    path = check_target(target, settings.data_dir)
    require_space(path, needed(settings))
    return path


def needed(settings: Settings) -> int:
    """About how many bytes a backup takes."""
    size = sum(found.size for found in survey.walk(settings.data_dir))
    if databases.exists(embedded_folder(settings.data_dir)) and len(
        elsewhere.databases(settings)
    ) < len(databases.ORDER):
        folder = embedded_folder(settings.data_dir)
        for parent, _, names in os.walk(folder):
            size += sum(_size(Path(parent, name)) for name in names)
    return size


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # PostgreSQL removes files all the time


def take(settings: Settings, target: Path, run_id: str, tell: Tell) -> BackupRecord:
    """Copy all state into a new data folder.

    What cannot be copied whole is named in the record and stops nothing else: a backup of the rest
    is worth more than none.

    Args:
        settings: of the data folder.
        target: the new folder.
        run_id: of the run that does it.
        tell: told what is being done.

    Raises:
        UsageError: the target cannot take it.
        BusyError: another backup to it is under way.
        OutreachError: its disk is full or refuses; nothing is left of the copy.
    """
    started = datetime.now(UTC)
    path = refuse(settings, target)
    try:
        with claimed(path, f"run {run_id}") as partial, _noticing_full_disk(partial, path):
            parts, problems = _fill(settings, partial, path, tell)
            tell("verifying the copy")
            problems += _compared(settings, partial)
            record = BackupRecord(
                started_at=started,
                finished_at=datetime.now(UTC),
                release=__version__,
                run_id=run_id,
                source=str(settings.data_dir),
                target=str(path),
                parts=parts,
                problems=problems,
            )
            write_record(partial / NAME, record)
            tell("writing to disk")
            os.sync()
    except OSError as error:
        raise OutreachError(_refused(path, error.strerror or str(error))) from None
    tell("making views for the new place")
    moved = place.settle(_settings_of(settings, path), f"run {run_id}")
    derived = [PartRecord(part="workbench", status="rebuilt", message=_rebuilt(settings, path))]
    done = record.model_copy(
        update={
            "finished_at": datetime.now(UTC),
            "parts": [*parts, *derived],
            "problems": [*problems, *moved],
        }
    )
    write_record(path / NAME, done)
    give_to_owner(path, settings.data_dir)
    return done


def _refused(path: Path, reason: str) -> str:
    return f"{path} cannot be written ({reason}): nothing is left of the copy; run again"


def _fill(
    settings: Settings, partial: Path, final: Path, tell: Tell
) -> tuple[list[PartRecord], list[str]]:
    """Copy everything, in the order that `survey` and `databases` explain."""
    files = FileCopy(settings.data_dir, partial, tell)
    files.runs()
    files.records()
    apart, problems = _databases(settings, partial, files, tell)
    files.rest()
    apart.insert(0, _runs(settings, partial, final, files))
    place.write_place(partial, settings.data_dir)
    folders = [part for part in files.parts() if part.part != RUNS]
    parts = [*_marked(folders, files.problems), *apart, *elsewhere.others(settings)]
    return parts, [*files.problems, *problems]


@contextmanager
def _noticing_full_disk(partial: Path, final: Path) -> Iterator[None]:
    """Turn what any of the many writers says of a full disk into one sentence.

    Raises:
        OutreachError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        if _is_full(error, partial):
            raise OutreachError(
                f"the disk of {final} is full: nothing is left of the copy; free some space, or "
                "name a folder on another disk, and run again"
            ) from None
        raise


def _is_full(error: Exception, partial: Path) -> bool:
    """Whether the disk was full, whoever of the many writers noticed."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if any(word in str(error) for word in _FULL_WORDS):
        return True
    status = os.statvfs(partial)
    return status.f_bavail * status.f_frsize < _FULL_BYTES


def _databases(
    settings: Settings, partial: Path, files: FileCopy, tell: Tell
) -> tuple[list[PartRecord], list[str]]:
    outside = elsewhere.databases(settings)
    parts = [
        PartRecord(part=f"database {name}", status="outside", message=elsewhere.said(variable))
        for name, variable in outside.items()
    ]
    inside = [name for name in databases.ORDER if name not in outside]
    source = embedded_folder(settings.data_dir)
    if not inside:
        return parts, []
    if not databases.exists(source):
        none = "no embedded database was ever started"
        return [
            *parts,
            *(PartRecord(part=f"database {n}", status="none", message=none) for n in inside),
        ], []
    files.folder(source.relative_to(settings.data_dir))
    try:
        copies = databases.copy_databases(source, embedded_folder(partial), list(outside), tell)
    except OutreachError as error:
        if _is_full(error, partial):
            raise
        problem = f"databases: {error}"
        return [
            *parts,
            *(PartRecord(part=f"database {n}", status="damaged") for n in inside),
        ], [problem]
    for copy in copies:
        if copy.problem and _is_full(OutreachError(copy.problem), partial):
            raise OutreachError(copy.problem)
        parts.append(
            PartRecord(
                part=f"database {copy.name}",
                status="damaged" if copy.problem else "copied",
                rows=copy.rows,
                message=copy.problem or f"{copy.tables} tables",
            )
        )
    return parts, [copy.problem for copy in copies if copy.problem]


def _runs(settings: Settings, partial: Path, final: Path, files: FileCopy) -> PartRecord:
    """Dagster's records made the copy's own."""
    outside = elsewhere.runs(settings)
    copied = next((part for part in files.parts() if part.part == RUNS), None)
    if copied is None:
        return PartRecord(part="runs", status="outside" if outside else "none", message=outside)
    database = settings.instance is not None
    own = runs.write_config(partial / RUNS, final / RUNS, postgres=database)
    count = runs.end_copied_runs(partial / RUNS)
    return PartRecord(
        part="runs",
        status="outside" if outside else "copied",
        files=copied.files,
        size=copied.size,
        rows=None if outside else count,
        message=outside or own,
    )


def _marked(parts: list[PartRecord], problems: Sequence[str]) -> list[PartRecord]:
    """Folders with a problem, marked as damaged."""
    tops = {problem.partition("/")[0] for problem in problems}
    return [
        p.model_copy(update={"status": "damaged", "message": "see the problems"})
        if p.part in tops
        else p
        for p in parts
    ]


def _compared(settings: Settings, partial: Path) -> list[str]:
    """What of the copy disagrees with its records, and whether the source does too."""
    bucket = None if elsewhere.object_store(settings) else settings.bucket
    found = list(copy_problems(partial, bucket))
    if not found:
        return []
    before = set(copy_problems(settings.data_dir, bucket))
    return [
        f"{problem} (so it is in {settings.data_dir})" if problem in before else problem
        for problem in found
    ]


def _settings_of(settings: Settings, target: Path) -> Settings:
    """The settings as they will be for the copy."""
    update: dict[str, Path] = {"data_dir": target}
    research = settings.analytics_path
    if research.is_relative_to(settings.data_dir):
        update["duckdb_db_path"] = target / research.relative_to(settings.data_dir)
    return settings.model_copy(update=update)


def _rebuilt(settings: Settings, target: Path) -> str | None:
    research = _settings_of(settings, target).analytics_path
    both = research.is_relative_to(target) and research.exists()
    return "and the research database, over the copy's own files" if both else None
