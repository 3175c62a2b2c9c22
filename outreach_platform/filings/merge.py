"""The merge: the single writer takes a filing's staged rows over, in one transaction.

Per filing it checks the staged rows, deletes the standing ones, inserts, counts, and writes the
status of each kind. Killed anywhere, the filing stands as it was or as it is to be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from outreach_platform.filings import merge_checks, merge_status, staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge_checks import StagedRows
from outreach_platform.filings.merge_status import Choice
from outreach_platform.filings.model import KINDS, Kind
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.filings.staging import StagedReport
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.warehouse import read_parquet_sql

# What DuckDB says of rows that do not fit; anything else stops the run.
_UNFIT = (duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException)
# What it says when it cannot write.
_REFUSED = (
    *(duckdb.IOException, duckdb.FatalException, duckdb.TransactionException),
    duckdb.OutOfMemoryException,
)


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """What the merge of one filing did.

    Attributes:
        accession_number: of the filing.
        year: its filing year.
        rows: that stand now, by kind that was replaced.
        error: why nothing was replaced; None on success.
        notices: what was kept though the new result was empty.
    """

    accession_number: str
    year: int
    rows: dict[Kind, int] = field(default_factory=dict)
    error: str | None = None
    notices: tuple[str, ...] = ()


def merge_filing(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    run_id: str,
    planned: PlannedFiling,
    *,
    force: bool = False,
) -> MergeOutcome:
    """Replace a filing's rows by the staged ones, or say in its status why not.

    Args:
        connection: the writer's database, outside of any transaction; hold the wing's lock.
        folder: the wing's paths.
        run_id: whose staging.
        planned: the filing, and the kinds to replace; all are where its sections changed.
        force: lets an empty result replace a full one.

    Raises:
        OutreachError: the disk is full or refuses; the filing stands as it was.
    """
    accession, year = planned.meta.accession_number, planned.meta.year
    try:
        report = staging.read_report(folder, run_id, accession)
        if report.error is not None:
            raise IntegrityError(report.error)
        staged = merge_checks.read_staged(folder, run_id, planned, report)
        merge_checks.check_staged(staged, accession)
        with _transaction(connection):
            choice = _choose(connection, planned, report, staged, force)
            _replace(connection, accession, choice, staged)
            merge_status.write_done(connection, planned.meta, choice)
    except (IntegrityError, *_UNFIT) as error:
        reason = str(error) if isinstance(error, IntegrityError) else _unfit(error, accession)
        with _transaction(connection):
            merge_status.write_failed(connection, planned, reason)
        return MergeOutcome(accession, year, error=reason)
    staging.discard(folder, accession)
    rows: dict[Kind, int] = {kind: choice.after[kind] for kind in choice.kinds}
    notices = (choice.reason,) if choice.reason else ()
    return MergeOutcome(accession, year, rows, notices=notices)


def _choose(
    connection: duckdb.DuckDBPyConnection,
    planned: PlannedFiling,
    report: StagedReport,
    staged: StagedRows,
    force: bool,
) -> Choice:
    """Which kinds to replace.

    Sections that changed take everything along that refers to them, and tables their footnotes.
    Where that would empty a kind that is full, nothing of it is replaced: old tables beside new
    sections would be of another text.
    """
    accession = planned.meta.accession_number
    standing = merge_status.standing_counts(connection, accession)
    wanted: set[Kind] = set(planned.kinds)
    together: set[Kind] = set()
    if _differ(connection, accession, staged, "sections", "id", "content_hash"):
        together = set(KINDS)
    elif "tables" in wanted and _differ(connection, accession, staged, "tables", "id"):
        together = {"tables", "footnotes"}
    wanted |= together
    emptied: set[Kind] = {k for k in wanted if standing[k] and not report.counts[k]}
    kept: set[Kind] = set()
    if emptied and not force:
        kept = emptied | (together if emptied & together else set())
    said = ", ".join(f"{standing[kind]} {kind}" for kind in KINDS if kind in emptied)
    return Choice(
        kinds=tuple(kind for kind in KINDS if kind in wanted - kept),
        kept=tuple(kind for kind in KINDS if kind in kept),
        reason=f"kept what stands: {said} would have been replaced by none" if kept else None,
        before=standing,
        after={k: (report.counts if k in wanted - kept else standing)[k] for k in KINDS},
    )


def _differ(
    connection: duckdb.DuckDBPyConnection,
    accession: str,
    staged: StagedRows,
    kind: Kind,
    *columns: str,
) -> bool:
    """Whether the staged rows of a kind differ from the standing ones in some columns."""
    standing = connection.execute(
        f"SELECT {', '.join(columns)} FROM {kind} WHERE accession_number = ?", [accession]
    ).fetchall()
    return sorted(standing) != sorted(staged.rows(kind, *columns))


def _replace(
    connection: duckdb.DuckDBPyConnection, accession: str, choice: Choice, staged: StagedRows
) -> None:
    for kind in choice.kinds:
        if choice.before[kind]:
            connection.execute(f"DELETE FROM {kind} WHERE accession_number = ?", [accession])
        if choice.after[kind]:
            columns = ", ".join(COLUMNS[kind])
            source = read_parquet_sql([staged.files[kind]])
            connection.execute(f"INSERT INTO {kind} ({columns}) SELECT {columns} FROM {source}")
    mixed = choice.kinds != KINDS
    merge_checks.check_merged(connection, accession, choice.after, references=mixed)


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing.

    Raises:
        OutreachError: the disk is full or refuses.
    """
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except _REFUSED as error:
        _roll_back(connection)
        reason = str(error).splitlines()[0]
        if "No space left" in reason or "File too large" in reason:
            reason = "the disk is full; free some space and run again"
        raise OutreachError(f"the database of filings cannot be written: {reason}") from None
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # it has rolled back by itself


def _unfit(error: Exception, accession: str) -> str:
    """What DuckDB refused, without the row's contents, which its message may quote."""
    return f"the rows of {accession} do not fit their tables ({type(error).__name__})"
