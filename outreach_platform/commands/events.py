"""`outreach events`: take a window of behavioural events, export it, sync the research database."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.launch import RunOutcome, ready_instance, run_job
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import ExportManifest, SyncRecord, Window
from outreach_platform.events.summary import warnings_of
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.foundation.lake import find_record
from outreach_platform.operations.jobs import events_config
from outreach_platform.resources import EventsDatabase
from outreach_platform.settings import Settings, load_settings

EXPORTED = "exported"
FAILED = "failed"
NOT_SYNCED = "not synced"
_STAGES = {
    "events__behavioral_events": "pulling and validating events",
    "experiments": "pulling protocols and phases",
    "events__behavioral_events_export": "writing the export",
    "events__research_behavioral_events": "building the research database",
    "events__its_results": "interrupted time series",
    "events__abab_results": "ABAB comparisons",
}
_TAKEN = ("behavioral_events", "behavioral_events_export")
_SYNCED = (
    *("experiment_protocols", "phase_assignments", "research_behavioral_events"),
    *("its_results", "abab_results"),
)


def run_events(
    *,
    days: int,
    user_id: str | None,
    validation: str,
    sync: bool,
    form: str | None,
    full: bool,
    as_json: bool,
) -> int:
    """Run the job and print its row; returns the exit code.

    Raises:
        UsageError: the window is none, or the configuration is wrong.
    """
    settings = load_settings()
    _check_window(days)
    if user_id is not None and not user_id.strip():
        raise UsageError("--user-id is empty: name a user, or leave it out for all")
    # Held for this process where it is the embedded one; a wrong URL is said before a run starts.
    database = EventsDatabase()
    database.url(settings)
    if user_id is not None and sync:
        output.warning("one user's export moves neither latest nor the research database")
        sync = False
    with ready_instance(settings) as instance:
        row = export_events(
            instance,
            settings,
            config=events_config(
                days=days, validation=validation, full=full, user_id=user_id, form=form
            ),
            sync=sync,
        )
    output.result([row], as_json=as_json)
    return EXIT_FAILED if row["status"] == FAILED else EXIT_OK


def _check_window(days: int) -> None:
    Window.ending(datetime.now(UTC), days)


def export_events(
    instance: dg.DagsterInstance, settings: Settings, *, config: dict[str, Any], sync: bool
) -> dict[str, Any]:
    """Run `events_job`, without the research database where it is not asked for; one row."""
    names = (*_TAKEN, *(_SYNCED if sync else ()))
    with output.progress("events: starting") as progress:
        outcome = run_job(
            instance,
            "events_job",
            config=config if sync else _without_research(config),
            assets=[dg.AssetKey(["events", name]) for name in names],
            on_step=lambda step: progress(f"events: {_STAGES.get(step, step)}"),
        )
    return _row(EventFolder(settings.data_dir), outcome, sync=sync)


def _without_research(config: dict[str, Any]) -> dict[str, Any]:
    ops = {k: v for k, v in config["ops"].items() if "research" not in k}
    return {**config, "ops": ops}


def _row(folder: EventFolder, outcome: RunOutcome, *, sync: bool) -> dict[str, Any]:
    manifest = next((m for m in folder.exports() if m.run_id == outcome.run_id), None)
    synced = find_record(folder.synced, SyncRecord) if sync else None
    if synced is not None and synced.run_id != outcome.run_id:
        synced = None
    warnings = warnings_of(manifest) if manifest else []
    if synced is not None and synced.problem:
        warnings.append(f"the research database was not brought up to date: {synced.problem}")
    if synced is not None and synced.set_aside:
        warnings.append(f"the research database was damaged: it was moved to {synced.set_aside}")
    for sentence in warnings:
        output.warning(sentence)
    return {
        "export": "behavioral_events",
        "status": EXPORTED if outcome.success else FAILED,
        **_numbers(manifest),
        "research": (synced.form or NOT_SYNCED) if synced else NOT_SYNCED,
        "message": outcome.error or "; ".join(warnings) or "all events are valid",
        "file": str(folder.export(manifest.stamp)) if manifest else None,
        "run_id": outcome.run_id,
    }


def _numbers(manifest: ExportManifest | None) -> dict[str, Any]:
    """The summary of an export; all None without one."""
    if manifest is None:
        names = ("version", "rows", "quarantined", "users", "event_types", "first", "last", "size")
        return dict.fromkeys(names)
    return {
        "version": manifest.stamp,
        "rows": manifest.file.rows,
        "quarantined": manifest.quarantined,
        "users": manifest.users,
        "event_types": manifest.event_types,
        "first": manifest.first.isoformat(timespec="seconds") if manifest.first else None,
        "last": manifest.last.isoformat(timespec="seconds") if manifest.last else None,
        "size": manifest.file.size,
    }
