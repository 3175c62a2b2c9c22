"""What each filing year still owes: filings that nobody read, and filings that failed."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from outreach_platform.filings.database import open_database
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.settings import Settings

_SQL = f"""
    WITH each AS (
        SELECT accession_number, bool_or(coalesce(s.status, 'pending') = 'pending') AS pending,
            bool_or(s.status = 'failed') AS failed
        FROM (SELECT accession_number, unnest({list(KINDS)!r}) AS kind FROM filings)
            LEFT JOIN filing_status s USING (accession_number, kind)
        GROUP BY 1
    )
    SELECT f.filing_year, count(*),
        count(*) FILTER (WHERE pending AND NOT coalesce(failed, false)
            AND coalesce(f.created_at, f.updated_at, TIMESTAMP '1970-01-01') < $before),
        count(*) FILTER (WHERE failed),
        min(f.accession_number) FILTER (WHERE failed)
    FROM filings f JOIN each USING (accession_number) WHERE f.refused IS NULL
    GROUP BY 1 ORDER BY 1"""


class FilingYear(NamedTuple):
    """One filing year.

    Attributes:
        year: None for filings whose year is not known.
        filings: registered and not refused.
        late: those that were registered before the limit and not read since.
        failed: those of which at least one kind failed.
        first_failed: an accession number, None without one.
    """

    year: int | None
    filings: int
    late: int
    failed: int
    first_failed: str | None

    @property
    def subject(self) -> str:
        """The year as a problem names it."""
        return f"filing year {self.year or 'unknown'}"


def filing_years(settings: Settings, now: datetime) -> list[FilingYear]:
    """All years in the published database, in order; none without a database.

    Raises:
        OutreachError: the database cannot be read.
    """
    path = FilingFolder(settings.data_dir).published
    if not path.exists():
        return []
    before = now.astimezone(UTC).replace(tzinfo=None) - timedelta(
        hours=settings.toml.monitoring.stale_hours
    )
    with closing(open_database(path, read_only=True)) as connection:
        return [FilingYear(*row) for row in connection.execute(_SQL, {"before": before}).fetchall()]


def late_filings(settings: Settings, now: datetime) -> list[Problem]:
    """Each year with filings that the daily run should have read and did not."""
    return [
        Problem(
            "filings_pending",
            year.subject,
            f"{year.late} of {year.filings} filings wait for more than "
            f"{settings.toml.monitoring.stale_hours:g} h to be read",
            "Run `outreach filings extract`, and see that `daily_filings` is on.",
        )
        for year in filing_years(settings, now)
        if year.late
    ]


def failed_filings(settings: Settings, now: datetime) -> list[Problem]:
    """Each year with filings that could not be read."""
    return [
        Problem(
            "filings_failed",
            year.subject,
            f"{year.failed} of {year.filings} filings could not be read, {year.first_failed} first",
            "`outreach filings health` names the reason; `outreach filings extract --mode missing` "
            "tries again.",
            Severity.WARNING,
        )
        for year in filing_years(settings, now)
        if year.failed
    ]
