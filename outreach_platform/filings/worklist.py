"""Which filings a run works on, over one filing year, several, or all."""

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from typing import Any, cast

import duckdb

from outreach_platform.filings.database import open_database
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.plan import MODES, Mode, PlannedFiling, plan
from outreach_platform.filings.records import ExtractionRecord
from outreach_platform.filings.registry import registered
from outreach_platform.foundation.errors import BusyError, UsageError

_APART = 10


def work_list(
    connection: duckdb.DuckDBPyConnection,
    *,
    mode: str,
    accessions: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
    limit: int | None = None,
    force: bool = False,
) -> list[PlannedFiling]:
    """`plan.plan` over several filing years; None for all of them.

    Raises:
        UsageError: the mode is unknown, or an accession number cannot be extracted.
    """
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}: choose one of {', '.join(MODES)}")
    found: list[PlannedFiling] = []
    for year in [None] if years is None else years:
        found += plan(
            connection,
            mode=cast(Mode, mode),
            accessions=accessions,
            year=year,
            limit=None if limit is None else limit - len(found),
            force=force,
        )
    return found


def preview(folder: FilingFolder, **options: Any) -> list[PlannedFiling]:
    """The work list of a run that would begin now; nothing is written, and nobody is waited for.

    Args:
        folder: the wing's paths.
        options: those of `work_list`.

    Raises:
        UsageError: nothing is registered yet.
    """
    for path in (folder.writer, folder.published):
        # While a run writes, the published database tells what stood before it.
        with suppress(BusyError):
            if path.exists():
                with closing(open_database(path, read_only=True)) as connection:
                    return work_list(connection, **options)
    raise UsageError("no filing is registered: `outreach filings add FOLDER` comes first")


def spans(years: Iterable[int]) -> list[tuple[int, int]]:
    """Years as few ranges, first and last: a run reports each year of its range.

    A run costs as much as reporting some ten years; so far apart, years are of two runs.
    """
    found: list[tuple[int, int]] = []
    for year in sorted(set(years)):
        if found and year - found[-1][1] <= _APART:
            found[-1] = (found[-1][0], year)
        else:
            found.append((year, year))
    return found


def staged_list(
    connection: duckdb.DuckDBPyConnection, extraction: ExtractionRecord
) -> list[PlannedFiling]:
    """The filings of an extraction, as they are to be merged."""
    kinds = {filing.accession_number: tuple(filing.kinds) for filing in extraction.filings}
    metas = registered(connection, accessions=list(kinds)) if kinds else []
    return [PlannedFiling(meta, kinds[meta.accession_number]) for meta in metas]
