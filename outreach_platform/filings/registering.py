"""The register's step of a run: fetch what is new, register what lies there."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from outreach_platform.filings.database import writer
from outreach_platform.filings.download import download_new
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.progress import Rate
from outreach_platform.filings.records import RegisterRecord
from outreach_platform.filings.registry import register
from outreach_platform.foundation.errors import UsageError
from outreach_platform.settings import Settings


def fetch_and_register(
    settings: Settings,
    folder: FilingFolder,
    *,
    run_id: str,
    now: datetime,
    paths: Sequence[Path],
    ciks: Sequence[str],
    since: date | None,
    tell: Callable[[str], object],
) -> RegisterRecord:
    """Fetch the companies' filings, then register the data folder's and the given files.

    Args:
        settings: who asks the SEC.
        folder: the wing's paths; hold its lock.
        run_id: for the record.
        now: naive UTC.
        paths: files and folders besides the data folder's.
        ciks: companies; none fetches nothing.
        since: what was filed earlier is not fetched.
        tell: is told of progress.

    Raises:
        UsageError: something is to be fetched, and nobody is named for the SEC.
    """
    problems: list[str] = []
    downloaded = 0
    if ciks:
        agent = settings.sec_user_agent
        if not agent:
            raise UsageError(
                "SEC_API_USER_AGENT is not set: the SEC asks for a name and an address; or leave "
                "download_ciks in the settings empty"
            )
        fetched = download_new(ciks, user_agent=agent, folder=folder, since=since, tell=tell)
        downloaded = len(fetched.downloaded)
        problems += fetched.problems
    folder.raw.mkdir(parents=True, exist_ok=True)
    rates: list[Rate] = []

    def read(_number: int, total: int) -> None:
        if not rates:
            rates.append(Rate(total, tell, "looked at"))
        rates[0].step(failed=False)

    with writer(folder) as connection:
        report = register(connection, folder, [folder.raw, *paths], now=now, progress=read)
    return RegisterRecord(
        run_id=run_id,
        at=now,
        new=report.new,
        updated=report.updated,
        unchanged=len(report.unchanged),
        refused=report.refused,
        downloaded=downloaded,
        problems=[*problems, *report.problems],
        years=report.years,
    )
