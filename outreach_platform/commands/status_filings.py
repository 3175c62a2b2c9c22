"""What `outreach status` says of SEC filings."""

from datetime import UTC, datetime
from typing import Any

from outreach_platform.commands.status import age_of
from outreach_platform.filings.health import read_health
from outreach_platform.filings.health_verdicts import problems
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.settings import Settings

_COUNTED = (
    *("total_filings", "filings_with_sections", "filings_with_tables"),
    *("filings_with_footnotes", "filings_with_chunks"),
)


def filing_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row for the filings database, read from the published copy alone."""
    folder = FilingFolder(settings.data_dir)
    row: dict[str, Any] = {
        "filings": "filings",
        "status": "never run",
        "published": None,
        **dict.fromkeys(_COUNTED),
        "problems": [],
    }
    if not folder.published.exists():
        return [row]
    written = datetime.fromtimestamp(folder.published.stat().st_mtime, UTC)
    try:
        health = read_health(folder.published)
    except OutreachError as error:
        return [{**row, "status": "failed", "problems": [str(error)]}]
    counts = health.counts()
    return [
        {
            **row,
            "status": "published",
            "published": age_of(written),
            **{name: counts[name] for name in _COUNTED},
            "problems": problems(health, settings.toml.filings),
        }
    ]
