"""Old exports of events and old error reports are removed. Call it under the wing's lock.

An export is no last copy: the days that it was made of stay, and so does its manifest. Quarantined
rows stay as well: they are judged anew with their day.
"""

from datetime import datetime

from outreach_platform.events.layout import STAMP, TABLE, EventFolder
from outreach_platform.events.records import Extraction, SyncRecord
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import find_record, remove_partials, write_record
from outreach_platform.foundation.retention import Pruned, PruneLine, Remover, is_older, stamped

EXPORTS = "event exports"
REPORTS = "event error reports"
_BEHIND = (
    "events: old exports are kept, because the research database is behind and may read one of "
    "them; `outreach events --sync-duckdb` brings it up to date"
)


def prune_exports(
    folder: EventFolder, days: int, remover: Remover, *, run_id: str, now: datetime
) -> PruneLine:
    """Remove the files of old exports that have a manifest; never what somebody reads by name.

    Args:
        folder: where exports stand.
        days: how long they are kept.
        remover: of the whole pruning.
        run_id: who prunes.
        now: aware.
    """
    if not remover.dry_run:
        remove_partials(folder.manifests / "pruned")
    exports = folder.exports()
    read, unknown = _read_by_somebody(folder)
    removed, freed, problems, kept, spared = 0, 0, [], [], False
    for export in exports:
        stamp, mark = export.stamp, folder.pruned(export.stamp)
        moment = stamped(stamp, STAMP)
        old = mark.exists() or (moment is not None and is_older(moment, days, now))
        # The newest as well: an export of all users may wait for its link.
        if not old or stamp in read or export is exports[-1] or unknown:
            spared = spared or (old and unknown)
            kept.append(stamp)
            continue
        path = folder.export(stamp)
        record = Pruned(
            version=stamp, files=[export.file.path], size=export.file.size, at=now, run_id=run_id
        )
        try:
            if not (remover.dry_run or mark.exists()):
                write_record(mark, record)
            gained, wrong = remover.remove([path])
        except OutreachError as error:
            gained, wrong = 0, [str(error)]
        if wrong:
            kept.append(stamp)
        freed, problems, removed = freed + gained, problems + wrong, removed + (not wrong)
    return PruneLine(
        what=EXPORTS,
        removed=removed,
        bytes_freed=freed,
        oldest_kept=min(kept, default=None),
        problems=problems,
        notes=[_BEHIND] if spared else [],
    )


def _read_by_somebody(folder: EventFolder) -> tuple[set[str], bool]:
    """Stamps that `latest` and the research database read, and whether the latter is unknown."""
    read = set()
    if folder.latest.is_symlink():
        read.add(folder.latest.readlink().stem.removeprefix(f"{TABLE}_"))
    if not folder.synced.exists():
        return read, False
    synced = find_record(folder.synced, SyncRecord)
    if synced is None or synced.stamp is None:
        return read, True
    return {*read, synced.stamp}, False


def prune_reports(folder: EventFolder, days: int, remover: Remover, *, now: datetime) -> PruneLine:
    """Remove old error reports of strict runs, but that of the newest run.

    Args:
        folder: where they stand.
        days: how long they are kept.
        remover: of the whole pruning.
        now: aware.
    """
    newest = find_record(folder.extraction, Extraction)
    told = newest.report if newest is not None else None
    prefix = f"{TABLE}_errors_"
    due, kept = [], []
    for path in sorted(folder.quarantine.glob(f"{prefix}*.csv")):
        stamp = path.stem.removeprefix(prefix)
        moment = stamped(stamp, STAMP)
        if moment is None:
            continue  # none of ours
        fresh = not is_older(moment, days, now)
        if fresh or path.relative_to(folder.data_dir).as_posix() == told:
            kept.append(stamp)
        else:
            due.append(path)
    freed, problems = remover.remove(due)
    return PruneLine(
        what=REPORTS,
        removed=len(due) - len(problems),
        bytes_freed=freed,
        oldest_kept=min(kept, default=None),
        problems=problems,
    )
