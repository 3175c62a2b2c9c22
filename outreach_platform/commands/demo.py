"""`outreach demo` and `outreach up`: the embedded default, sample data, and the web UI."""

import os
from collections.abc import Callable
from pathlib import Path

from outreach_platform.commands import output
from outreach_platform.commands.demo_enrichment import enrich_sample
from outreach_platform.commands.demo_filings import read_sample_filings, refuse_real_filings
from outreach_platform.commands.events import export_events
from outreach_platform.commands.launch import ready_instance
from outreach_platform.commands.snapshot import STOPPED, exit_code, snapshot_states
from outreach_platform.commands.status import status_rows
from outreach_platform.embedded.sample import DIRTY_STATE, load_sample, write_filings
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.enrichment.funnel import FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.events.layout import EventFolder
from outreach_platform.foundation.errors import EXIT_OK, UsageError
from outreach_platform.foundation.lake import find_record
from outreach_platform.operations.jobs import events_config
from outreach_platform.operations.serving import serve
from outreach_platform.records.states import STATES
from outreach_platform.resources import embedded_folder
from outreach_platform.settings import Settings, load_settings
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.records import EMBEDDED, published

# The sample's events lie within.
EVENT_DAYS = 90
# Where the UI listens unless told otherwise: this machine only.
LOCAL = "127.0.0.1"


def demo(*, serve_ui: bool, port: int | None, as_json: bool) -> int:
    """Load sample data, run the whole graph once, show what came out, and serve the UI.

    Returns:
        The exit code: 0 though the deliberately dirty state is stopped.
    """
    configured = load_settings().configured_services
    if configured:
        output.message(
            f"demo ignores {', '.join(configured)} and works on embedded databases; "
            "`outreach up` uses what is configured"
        )
    # Run workers and the web server inherit it, so that nothing of the demo reaches a service.
    os.environ["OUTREACH_EMBEDDED_ONLY"] = "1"
    settings = load_settings()
    _refuse_real_data(settings)
    server = start_embedded(settings)
    with output.progress("loading sample data"):
        load_sample(server.url("neon"), server.url("supabase"), server.url("events"))
        write_filings(settings.data_dir / "filings")
    with ready_instance(settings) as instance:
        rows = snapshot_states(instance, settings, list(STATES))
        events = export_events(instance, settings, config=events_config(days=EVENT_DAYS), sync=True)
        funnel = enrich_sample(instance, settings, server)
        filings = read_sample_filings(instance, settings)
    shown = [*rows, events, *funnel, *filings]
    output.result(shown, as_json=as_json)
    code = exit_code([row for row in shown if not _expected_stop(row)])
    if any(_expected_stop(row) for row in rows):
        output.message(
            f"{DIRTY_STATE} is dirty on purpose: K1 stopped it, nothing of it was published, and "
            "the stop was audited"
        )
    _tell_where(settings)
    if not serve_ui or code != EXIT_OK:
        return code
    return _serve(settings, port)


def up(*, port: int | None, host: str = LOCAL) -> int:
    """Serve UI, schedules and sensors on the configured databases until Ctrl-C."""
    settings = load_settings()
    if host not in (LOCAL, "localhost"):
        output.warning(
            f"the UI listens on {host} and asks nobody for a password: whoever reaches it can "
            "launch runs"
        )
    if settings.neon is None:
        start_embedded(settings)
        if all(row["status"] == "never run" for row in status_rows(settings)):
            output.message(
                "NEON_DATABASE_URL is not set: using the embedded database in "
                f"{embedded_folder(settings.data_dir)}; `outreach demo` fills it with sample data"
            )
    with ready_instance(settings):
        pass  # dead runs are ended before the queue looks at them
    return _serve(settings, port, host)


def start_embedded(settings: Settings) -> EmbeddedServer:
    """Start or join the embedded PostgreSQL for this process's life."""
    with output.progress("starting the embedded PostgreSQL"):
        return ensure_running(embedded_folder(settings.data_dir))


def _serve(settings: Settings, port: int | None, host: str = LOCAL) -> int:
    os.environ["OUTREACH_DATA_DIR"] = str(settings.data_dir)
    output.message("starting the web UI")
    ready: Callable[[str], None] = lambda url: output.message(  # noqa: E731
        f"the UI is at {url} (Ctrl-C ends it)", "bold"
    )
    return serve(settings.data_dir, port=port, host=host, on_ready=ready)


def _expected_stop(row: dict) -> bool:
    return row.get("state") == DIRTY_STATE and row["status"] == STOPPED


def _refuse_real_data(settings: Settings) -> None:
    refuse_real_filings(settings)
    funnel = find_record(EnrichmentFolder(settings.data_dir).funnel, FunnelRecord)
    if funnel is not None and funnel.source != EMBEDDED:
        raise UsageError(
            f"{settings.data_dir} tells of enrichment in {funnel.source}: the demo would mix "
            "sample data into it; set OUTREACH_DATA_DIR to another folder"
        )
    export = EventFolder(settings.data_dir).newest()
    if export is not None and export.source != EMBEDDED:
        raise UsageError(
            f"{settings.data_dir} holds events of {export.source}: the demo would mix sample data "
            "into them; set OUTREACH_DATA_DIR to another folder"
        )
    for state in STATES:
        real = [m for m in published(StateFolder(settings.data_dir, state)) if m.source != EMBEDDED]
        if real:
            raise UsageError(
                f"{settings.data_dir} holds snapshots of {real[-1].source}: the demo would mix "
                "sample data into them; set OUTREACH_DATA_DIR to another folder"
            )


def _tell_where(settings: Settings) -> None:
    here = Path.cwd()
    data = settings.data_dir
    shown = data.relative_to(here) if data.is_relative_to(here) else data
    output.message(
        f"files: {shown}/exports, {shown}/raw   objects: {shown}/objects   "
        f"DuckDB: {shown}/duckdb/ (outreach_workbench, analytics, filings)"
    )
    output.message(
        "the enrichers' workspace: `outreach enrich export open.csv` writes what is still open, "
        "`outreach enrich import open.csv` brings it back"
    )
