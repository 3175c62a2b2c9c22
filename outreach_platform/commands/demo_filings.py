"""The filings part of the demo: the generated filings registered, read, merged and published."""

from pathlib import Path
from typing import Any

import dagster as dg

from outreach_platform.commands.filings import FAILED, extract_filings, register_filings
from outreach_platform.commands.status_filings import filing_rows
from outreach_platform.embedded.sample.filings import SAMPLE_FILERS
from outreach_platform.filings.database import open_database
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import UsageError
from outreach_platform.settings import Settings


def refuse_real_filings(settings: Settings) -> None:
    """Keep generated filings out of a folder with real ones.

    Raises:
        UsageError: the published database holds filings of other companies.
    """
    published = FilingFolder(settings.data_dir).published
    if published.exists() and _filers(published) - SAMPLE_FILERS:
        raise UsageError(
            f"{settings.data_dir} holds real filings: the demo would mix generated ones into them; "
            "set OUTREACH_DATA_DIR to another folder"
        )


def _filers(published: Path) -> set[str | None]:
    with open_database(published, read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT cik FROM filings WHERE refused IS NULL")
        return {cik for (cik,) in found.fetchall()}


def read_sample_filings(instance: dg.DagsterInstance, settings: Settings) -> list[dict[str, Any]]:
    """Register and read the sample's filings; the rows that `status` shows of them."""
    registered = register_filings(instance, settings, {"download": False})
    if registered["status"] == FAILED:
        return [registered]
    rows = extract_filings(instance, settings, {"mode": "missing"})
    if failed := [row for row in rows if row["status"] == FAILED]:
        return failed
    return filing_rows(settings)
