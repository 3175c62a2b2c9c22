"""Exports of events against disk. They have no copy in the object store."""

from collections.abc import Iterator
from pathlib import Path

from outreach_platform.events.layout import TABLE, EventFolder
from outreach_platform.events.records import ExportManifest
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.verification import VersionCheck, file_problem


def verify_exports(folder: EventFolder) -> Iterator[VersionCheck]:
    """Check every export that has a manifest, oldest first."""
    latest = folder.latest.readlink().name if folder.latest.is_symlink() else None
    for path in sorted(folder.manifests.glob(f"{TABLE}_*.json")):
        stamp = path.stem.removeprefix(f"{TABLE}_")
        found = _problems(folder, path)
        pruned = folder.pruned(stamp).exists()  # afterwards: a pruning may be at work meanwhile
        problems = [] if pruned else found
        if latest == f"{path.stem}.parquet" and not folder.latest.exists():
            problems.append(f"{folder.latest.name} leads to it")
        yield VersionCheck(
            subject="events",
            version=stamp,
            disk="damaged" if problems else "pruned" if pruned else "intact",
            store="-",
            problems=problems,
        )


def _problems(folder: EventFolder, path: Path) -> list[str]:
    try:
        manifest = read_record(path, ExportManifest)
    except FileNotFoundError:
        return []  # removed just now
    except IntegrityError as error:
        return [str(error)]
    problem = file_problem(folder.data_dir, manifest.file)
    return [f"{problem}; run `outreach events` again for a new one"] if problem else []
