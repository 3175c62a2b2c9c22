"""Turn a database with duplicates and orphans into one without.

Of the rows of one natural key the one of better quality stays, then the longer, then the newer.
What stood on a row that goes follows the one that stays. All in one transaction: a crash leaves
the database as it was; a second run finds nothing to do.
"""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from outreach_platform.filings.backup import back_up
from outreach_platform.filings.database import open_database
from outreach_platform.filings.dedupe_chunks import clean_chunks
from outreach_platform.filings.dedupe_footnotes import clean_footnotes
from outreach_platform.filings.dedupe_rows import Removal, begin, changed, removals
from outreach_platform.filings.dedupe_sections import clean_filings, clean_sections
from outreach_platform.filings.dedupe_tables import clean_tables
from outreach_platform.filings.health import require_tables
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import Record


class DedupeReport(Record):
    """What a clean-up did, or would do.

    Attributes:
        dry_run: nothing was changed.
        backup: the copy from before; None where nothing was changed.
        before: rows by table.
        after: rows by table.
        removed: rows that went, by table and reason.
        changed: rows that were changed, by table and what was.
        removals: the rows that went, those first whose content stands nowhere else; at most 2,000.
    """

    dry_run: bool
    backup: str | None = None
    before: dict[str, int]
    after: dict[str, int]
    removed: dict[str, int]
    changed: dict[str, int]
    removals: list[Removal] = []

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not self.removed and not self.changed


def find_duplicates(connection: duckdb.DuckDBPyConnection) -> DedupeReport:
    """Tell what `dedupe` would change in the current database; changes nothing."""
    connection.execute("BEGIN TRANSACTION")
    try:
        begin(connection, aside=False)
        return clean(connection, now=datetime.now(UTC), dry_run=True)
    finally:
        connection.execute("ROLLBACK")


def dedupe(
    database: Path | duckdb.DuckDBPyConnection,
    *,
    dry_run: bool,
    backups: Path,
    now: datetime,
) -> DedupeReport:
    """Remove duplicates and orphans.

    Args:
        database: its file, or a connection whose current database it is.
        dry_run: tell what would change; change nothing.
        backups: folder for the copy from before, written only if something changes.
        now: names the copy.

    Raises:
        BusyError: another program has the file open.
        OutreachError: it is not there or not ours, or the disk refuses; it stays as it was.
    """
    if isinstance(database, Path):
        if not database.is_file():
            raise OutreachError(f"There is no filings database at {database}: nothing to clean.")
        with closing(open_database(database)) as connection:
            require_tables(connection, database)
            return dedupe(connection, dry_run=dry_run, backups=backups, now=now)
    found = find_duplicates(database)
    if dry_run or found.nothing:
        return found.model_copy(update={"dry_run": dry_run})
    backup = back_up(database, backups, now)
    database.execute("BEGIN TRANSACTION")
    try:
        begin(database, aside=False)
        report = clean(database, now=now)
        database.execute("COMMIT")
    except BaseException:
        _roll_back(database)
        raise
    return report.model_copy(update={"backup": str(backup)})


def clean(
    connection: duckdb.DuckDBPyConnection,
    *,
    now: datetime,
    foreign: bool = False,
    dry_run: bool = False,
) -> DedupeReport:
    """Do all steps on the current database; `dedupe_rows.begin` has run.

    Args:
        connection: whose current database it is.
        now: for status rows that change.
        foreign: ids and numbers are not ours, and tell nothing.
        dry_run: for the report.
    """
    before = counts(connection)
    clean_filings(connection)
    done = clean_sections(connection, foreign=foreign)
    done |= clean_tables(connection, foreign=foreign)
    done |= clean_footnotes(connection, foreign=foreign)
    done |= clean_chunks(connection, foreign=foreign)
    done["filing_status: row count"] = 0 if foreign else _tell_status(connection, now)
    removed, rows = removals(connection)
    return DedupeReport(
        dry_run=dry_run,
        before=before,
        after=counts(connection),
        removed=removed,
        changed={what: number for what, number in done.items() if number},
        removals=rows,
    )


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of the current database by table."""
    done = connection.execute(
        " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in COLUMNS)
    )
    return dict(done.fetchall())


def _tell_status(connection: duckdb.DuckDBPyConnection, now: datetime) -> int:
    """Count the rows of kinds that lost some; a kind without rows is to be extracted again."""
    return sum(
        changed(
            connection,
            f"""UPDATE filing_status SET row_count = n.rows, updated_at = ?,
                status = if(n.rows = 0 AND status = 'done', 'pending', status),
                content_hash = if(n.rows = 0, NULL, content_hash)
            FROM (SELECT g.accession_number AS filing, (SELECT count(*) FROM {kind} k
                WHERE k.accession_number = g.accession_number) AS rows
                FROM (SELECT DISTINCT accession_number FROM gone WHERE table_name = '{kind}') g) n
            WHERE kind = '{kind}' AND accession_number = n.filing
                AND row_count IS DISTINCT FROM n.rows""",
            [now.replace(tzinfo=None)],
        )
        for kind in KINDS
    )


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # the database went away, and the transaction with it
