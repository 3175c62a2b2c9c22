"""Old backups of the filings database go, the newest stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from outreach_platform.filings.backup import back_up
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.pruning import prune_backups
from outreach_platform.filings.schema import COLUMNS, create_sql
from outreach_platform.foundation.retention import Remover

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_old_backups_go_and_the_newest_stays(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path)
    with duckdb.connect(str(tmp_path / "filings.duckdb")) as database:
        for table in COLUMNS:
            database.execute(create_sql(table))
        made = [
            back_up(database, folder.backups, (NOW - timedelta(days=age)).replace(tzinfo=None))
            for age in (60, 60, 40, 20)
        ]
    foreign = folder.backups / "filings-of-ann.duckdb"
    foreign.touch()
    size = sum(path.stat().st_size for path in made[:3])
    told = prune_backups(folder, 30, Remover(dry_run=True), now=NOW)
    assert prune_backups(folder, 30, Remover(dry_run=False), now=NOW) == told
    assert (told.removed, told.bytes_freed, told.oldest_kept) == (3, size, "20260218T120000")
    assert sorted(folder.backups.iterdir()) == sorted([made[3], foreign])
    assert prune_backups(folder, 1, Remover(dry_run=False), now=NOW).removed == 0
