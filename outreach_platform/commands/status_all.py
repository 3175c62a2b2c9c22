"""The command `outreach status`: problems first, then a table a wing."""

from outreach_platform.commands import output
from outreach_platform.commands.status import status_rows
from outreach_platform.commands.status_enrichment import enrichment_rows
from outreach_platform.commands.status_events import event_rows
from outreach_platform.commands.status_filings import filing_rows
from outreach_platform.commands.status_problems import problem_rows
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK
from outreach_platform.operations.problems import Severity
from outreach_platform.settings import load_settings


def show_status(*, as_json: bool) -> int:
    """Print it; returns 1 where a problem is an error, else 0."""
    settings = load_settings()
    problems = problem_rows(settings)
    wings = [
        *(*status_rows(settings), *event_rows(settings)),
        *(*enrichment_rows(settings), *filing_rows(settings)),
    ]
    # Who reads the table has no use for the run's id, which `--json` gives to programs.
    shown = [*problems] if as_json else [_shown(row) for row in problems]
    output.result([*shown, *wings], as_json=as_json)
    return EXIT_FAILED if any(row["severity"] == Severity.ERROR for row in problems) else EXIT_OK


def _shown(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "run_id"}
