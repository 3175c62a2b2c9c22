"""Old copies of the database from before clean-ups are removed, but the newest."""

import re
from datetime import datetime

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.retention import PruneLine, Remover, is_older, stamped

BACKUPS = "filings backups"
_NAME = re.compile(r"filings-([0-9]{8}T[0-9]{6})(-[0-9]+)?")


def prune_backups(folder: FilingFolder, days: int, remover: Remover, *, now: datetime) -> PruneLine:
    """Remove old backups; call it under the wing's lock.

    Args:
        folder: where they stand.
        days: how long they are kept.
        remover: of the whole pruning.
        now: aware.
    """
    ours = [
        (moment, path)
        for path in folder.backups.glob("filings-*.duckdb")
        if (name := _NAME.fullmatch(path.stem))
        and (moment := stamped(name.group(1), "%Y%m%dT%H%M%S"))
    ]
    ours.sort(key=lambda pair: (pair[0], len(pair[1].name), pair[1].name))
    due = [(m, path) for m, path in ours[:-1] if is_older(m, days, now)]
    freed, problems = remover.remove(path for _, path in due)
    kept = [pair for pair in ours if pair not in due]
    return PruneLine(
        what=BACKUPS,
        removed=len(due) - len(problems),
        bytes_freed=freed,
        oldest_kept=kept[0][0].strftime("%Y%m%dT%H%M%S") if kept else None,
        problems=problems,
    )
