"""The merge: the single writer takes a filing's staged rows over, in one transaction.

Per filing it checks the staged rows, deletes the standing ones, inserts, counts, and writes the
status of each kind. Killed anywhere, the filing stands as it was or as it is to be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from outreach_platform.filings import merge_checks, merge_status, staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, Kind
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.filings.staging import StagedReport
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.warehouse import quote_text

# What DuckDB says of rows that do not fit; anything else stops the run.
_UNFIT = (duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException)


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
        files = merge_checks.files_of(folder, run_id, planned, report)
        merge_checks.check_staged(connection, files, accession)
        with _transaction(connection):
            choice = _choose(connection, planned, report, files, force)
            _replace(connection, accession, choice, files, report)
            merge_status.write_done(connection, planned.meta, report, choice.kinds, choice.kept)
    except (IntegrityError, *_UNFIT) as error:
        reason = str(error) if isinstance(error, IntegrityError) else _unfit(error, accession)
        with _transaction(connection):
            merge_status.write_failed(connection, planned, reason)
        return MergeOutcome(accession, year, error=reason)
    staging.discard(folder, accession)
    rows: dict[Kind, int] = {kind: report.counts[kind] for kind in choice.kinds}
    return MergeOutcome(accession, year, rows, notices=tuple(choice.kept.values()))


@dataclass(frozen=True, slots=True)
class _Choice:
    """What of a filing is replaced.

    Attributes:
        kinds: replaced by the staged rows.
        kept: why, by kind that was to be replaced and was not.
        counts: rows by kind that stand afterwards.
    """

    kinds: tuple[Kind, ...]
    kept: dict[Kind, str]
    counts: dict[Kind, int]


def _choose(
    connection: duckdb.DuckDBPyConnection,
    planned: PlannedFiling,
    report: StagedReport,
    files: dict[Kind, Path],
    force: bool,
) -> _Choice:
    """Which kinds to replace.

    Sections that changed take everything along that refers to them. Where that would empty a kind
    that is full, nothing is replaced: old tables beside new sections would be of another text.
    """
    accession = planned.meta.accession_number
    standing = merge_status.standing_counts(connection, accession)
    wanted: set[Kind] = set(planned.kinds)
    rebuilt = _differ(connection, accession, files, "sections", "id, content_hash")
    if rebuilt:
        wanted = set(KINDS)
    elif "tables" in wanted and _differ(connection, accession, files, "tables", "id"):
        wanted.add("footnotes")
    emptied: list[Kind] = [k for k in KINDS if k in wanted and standing[k] and not report.counts[k]]
    kept: dict[Kind, str] = {}
    if emptied and not force:
        named = ", ".join(f"{standing[kind]} {kind}" for kind in emptied)
        said = f"kept what stands: {named} would have been replaced by none; --force replaces them"
        held = wanted if rebuilt else set(emptied)
        kept = {kind: said for kind in KINDS if kind in held}
    kinds: tuple[Kind, ...] = tuple(k for k in KINDS if k in wanted and k not in kept)
    counts: dict[Kind, int] = {
        kind: (report.counts if kind in kinds else standing)[kind] for kind in KINDS
    }
    return _Choice(kinds, kept, counts)


def _differ(
    connection: duckdb.DuckDBPyConnection,
    accession: str,
    files: dict[Kind, Path],
    kind: Kind,
    columns: str,
) -> bool:
    """Whether the staged rows of a kind differ from the standing ones in some columns."""
    staged = f"SELECT {columns} FROM read_parquet({quote_text(str(files[kind]))})"
    stands = f"SELECT {columns} FROM {kind} WHERE accession_number = {quote_text(accession)}"
    found = connection.execute(
        f"(({staged}) EXCEPT ({stands})) UNION ALL (({stands}) EXCEPT ({staged})) LIMIT 1"
    ).fetchone()
    return found is not None


def _replace(
    connection: duckdb.DuckDBPyConnection,
    accession: str,
    choice: _Choice,
    files: dict[Kind, Path],
    report: StagedReport,
) -> None:
    for kind in choice.kinds:
        connection.execute(f"DELETE FROM {kind} WHERE accession_number = ?", [accession])
        columns = ", ".join(COLUMNS[kind])
        if report.counts[kind]:
            connection.execute(
                f"INSERT INTO {kind} ({columns}) "
                f"SELECT {columns} FROM read_parquet({quote_text(str(files[kind]))})"
            )
    merge_checks.check_merged(connection, accession, choice.counts)


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
    except (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException) as error:
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
