"""What `outreach status` says of the events' export and the research database."""

from datetime import UTC, datetime
from typing import Any

from outreach_platform.commands.status import age_of
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import ExportManifest, Extraction, SyncRecord
from outreach_platform.events.summary import warnings_of
from outreach_platform.foundation.lake import find_record
from outreach_platform.settings import Settings


def event_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row for the export of behavioural events, read from disk alone."""
    folder = EventFolder(settings.data_dir)
    newest = folder.newest()
    extraction = find_record(folder.extraction, Extraction)
    synced = find_record(folder.synced, SyncRecord)
    problems = warnings_of(newest) if newest else []
    if newest is not None and not folder.export(newest.stamp).exists():
        problems.append(f"{newest.file.path} is gone from disk")
    status = "exported" if newest else "never run"
    if extraction is not None and extraction.problem:
        problems.append(extraction.problem)
        status = "failed"
    problems += _research_problems(newest, synced)
    return [
        {
            "export": "behavioral_events",
            "status": status,
            "last_export": newest.stamp if newest else None,
            "age": age_of(newest.created_at) if newest else None,
            "rows": newest.file.rows if newest else None,
            "users": newest.users if newest else None,
            "quarantined": newest.quarantined if newest else None,
            "window": f"{newest.window.start} to {newest.window.end}" if newest else None,
            "exports": len(folder.exports()),
            "research": synced.form if synced else None,
            "problems": problems,
        }
    ]


def _research_problems(newest: ExportManifest | None, synced: SyncRecord | None) -> list[str]:
    if synced is None:
        return []
    if synced.problem:
        return [f"the research database was not brought up to date: {synced.problem}"]
    if newest is not None and synced.stamp != newest.stamp:
        behind = (datetime.now(UTC) - synced.synced_at).days
        return [
            f"the research database shows {synced.stamp}, {behind} d old: "
            "`outreach events --sync-duckdb` brings it up to date"
        ]
    return []
