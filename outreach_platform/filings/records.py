"""What runs of the filings wing leave on disk: what was planned, staged and merged."""

from datetime import datetime

from outreach_platform.filings.model import Kind
from outreach_platform.foundation.lake import Record


class RegisterRecord(Record):
    """What a registration did.

    Attributes:
        run_id: the Dagster run.
        at: when, UTC.
        new: accession numbers registered for the first time.
        updated: those whose bytes or metadata changed.
        unchanged: how many stood already as they are.
        refused: reason by accession number, or by path where no accession number is known.
        downloaded: how many files came from the SEC.
        problems: sentences: unreadable paths, sources of metadata that differ.
        years: of the new and updated filings: how many by filing year.
    """

    run_id: str
    at: datetime
    new: list[str]
    updated: list[str]
    unchanged: int
    refused: dict[str, str]
    downloaded: int = 0
    problems: list[str] = []
    years: dict[int, int] = {}


class ExtractedFiling(Record):
    """One filing of an extraction.

    Attributes:
        accession_number: of the filing.
        year: its filing year.
        kinds: what is to be replaced.
        error: why it failed; None where its rows are staged.
        counts: staged rows by kind.
        seconds: of work.
        peak_mb: of the worker, MiB.
    """

    accession_number: str
    year: int
    kinds: list[Kind]
    error: str | None = None
    counts: dict[Kind, int] = {}
    seconds: float = 0.0
    peak_mb: float = 0.0


class ExtractionRecord(Record):
    """What one run staged.

    Attributes:
        run_id: the Dagster run.
        at: when, UTC.
        mode: missing, no_tables or all.
        force: whether empty results may replace full ones.
        workers: processes.
        seconds: from the first filing to the last.
        filings: in the order of accession numbers.
    """

    run_id: str
    at: datetime
    mode: str
    force: bool
    workers: int
    seconds: float
    filings: list[ExtractedFiling]

    @property
    def years(self) -> list[int]:
        """Filing years that were worked on, in order."""
        return sorted({filing.year for filing in self.filings})

    @property
    def failed(self) -> list[ExtractedFiling]:
        """Filings without staged rows."""
        return [filing for filing in self.filings if filing.error]


class MergedFiling(Record):
    """One filing of a merge.

    Attributes:
        accession_number: of the filing.
        year: its filing year.
        rows: that stand now, by kind that was replaced.
        error: why nothing was replaced; None on success.
        notices: what was kept though the new result was empty, and the like.
    """

    accession_number: str
    year: int
    rows: dict[Kind, int] = {}
    error: str | None = None
    notices: list[str] = []


class MergeRecord(Record):
    """What one run merged.

    Attributes:
        run_id: the Dagster run.
        at: when, UTC.
        seconds: of the merge.
        filings: in the order of accession numbers.
    """

    run_id: str
    at: datetime
    seconds: float
    filings: list[MergedFiling]

    @property
    def failed(self) -> list[MergedFiling]:
        """Filings that were not replaced."""
        return [filing for filing in self.filings if filing.error]

    def rows_of(self, kind: Kind, year: int | None = None) -> int:
        """Rows of a kind that were merged, of one filing year or of all."""
        return sum(
            filing.rows.get(kind, 0)
            for filing in self.filings
            if year is None or filing.year == year
        )
