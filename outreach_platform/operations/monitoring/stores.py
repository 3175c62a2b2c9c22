"""Whether disk and object store hold what the manifests say, and whether there is room for more."""

import shutil

from outreach_platform.events.layout import EventFolder
from outreach_platform.foundation.objects.comparison import object_problem
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.operations.monitoring.published import newest_published
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.layout import StateFolder

_GB = 1_000_000_000
_SHOWN = 2


def snapshot_files(settings: Settings) -> list[Problem]:
    """States whose newest published files are gone or of another size, or with damaged records.

    Sizes only: `outreach verify` reads every byte.
    """
    found: list[Problem] = []
    for state in STATES:
        newest, damaged = newest_published(StateFolder(settings.data_dir, state))
        if damaged:
            found.append(
                Problem(
                    "record_damaged",
                    state,
                    _few(damaged),
                    "Fetch the record from the object store, or run the state again.",
                )
            )
        wrong = []
        for file in newest[0][0].files.values() if newest else ():
            path = settings.data_dir / file.path
            if not path.is_file():
                wrong.append(f"{file.path} is gone")
            elif (size := path.stat().st_size) != file.size:
                wrong.append(f"{file.path} has {size:,} bytes, its manifest says {file.size:,}")
        if wrong:
            version = newest[0][0].version
            found.append(
                Problem(
                    "files_differ",
                    state,
                    _few(wrong),
                    f"Run `outreach restore --state {state} --version {version}`.",
                )
            )
    return found


def event_files(settings: Settings) -> list[Problem]:
    """The newest export of events where its file or its manifest is not what it was."""
    folder = EventFolder(settings.data_dir)
    action = "Run `outreach events`: it is made anew from the days that stand."
    newest = folder.newest()
    if newest is None:
        if not folder.latest.is_symlink():
            return []
        wrong = f"the manifest of {folder.latest.readlink().name} cannot be read"
        return [Problem("record_damaged", "behavioral_events", wrong, action)]
    path = folder.export(newest.stamp)
    if path.is_file() and path.stat().st_size == newest.file.size:
        return []
    wrong = "has another size than its manifest says" if path.is_file() else "is gone"
    return [Problem("files_differ", "behavioral_events", f"{newest.file.path} {wrong}", action)]


def snapshot_objects(settings: Settings, store: ObjectStore) -> list[Problem]:
    """States whose newest published version the object store does not hold as it was confirmed.

    Raises:
        StoreError: the store cannot be reached, or refuses.
    """
    found: list[Problem] = []
    for state in STATES:
        newest, _ = newest_published(StateFolder(settings.data_dir, state))
        if not newest:
            continue
        _, receipt = newest[0]
        wrong = [
            said
            for r in receipt.objects.values()
            if (said := object_problem(store, r.key, r.sha256, r.size))
        ]
        if wrong:
            found.append(
                Problem(
                    "objects_differ",
                    state,
                    f"bucket {store.bucket}: {_few(wrong)}",
                    f"Run `outreach verify --state {state} --upload`: it sends what is gone; find "
                    "out who deleted or replaced the object.",
                )
            )
    return found


def disk_space(settings: Settings) -> list[Problem]:
    """The data folder's disk where little is left."""
    if not settings.data_dir.is_dir():
        return []
    free = shutil.disk_usage(settings.data_dir).free / _GB
    limit = settings.toml.monitoring.free_gb
    if free >= limit:
        return []
    return [
        Problem(
            "disk_space",
            "data folder",
            f"{free:.1f} GB are free on its disk, {limit:g} GB is the limit",
            "Make room: `outreach filings compact`; days under [retention] in the settings, then "
            "`outreach prune --dry-run`.",
        )
    ]


def waiting_audit_rows(settings: Settings) -> list[Problem]:
    """Audit rows that could not be written because the database was away."""
    waiting = len(list(auditing.spool_folder(settings.data_dir).glob("*.json")))
    if not waiting:
        return []
    return [
        Problem(
            "audit_waiting",
            "audit log",
            f"{waiting} audit rows wait for the database",
            "The next snapshot run writes them; see that the database can be reached.",
            Severity.WARNING,
        )
    ]


def _few(sentences: list[str]) -> str:
    more = len(sentences) - _SHOWN
    return "; ".join(sentences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
