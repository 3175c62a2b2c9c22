"""`outreach report`: the page that shows how everything stands."""

from pathlib import Path

import click

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK
from outreach_platform.operations.report.write import check_target, report_path
from outreach_platform.settings import load_settings


def run_report(*, to: Path | None, as_json: bool) -> int:
    """Run `report_job` and print where the page stands; returns the exit code.

    Raises:
        UsageError: `to` is a folder, or the configuration is wrong.
    """
    settings = load_settings()
    path = (to or report_path(settings)).expanduser().absolute()
    check_target(path)
    with ready_instance(settings) as instance, output.progress("report: writing"):
        outcome = run_job(
            instance,
            "report_job",
            config={"ops": {"operations__report": {"config": {"to": str(path)}}}},
        )
    row = {
        "report": str(path) if outcome.success else None,
        "status": "written" if outcome.success else "failed",
        "size": path.stat().st_size if outcome.success else None,
        "message": outcome.error,
        "run_id": outcome.run_id,
    }
    if as_json:
        output.result([row], as_json=True)
    elif outcome.success:
        click.echo(path)
    else:
        output.message(f"error: {outcome.error}", "red")
    return EXIT_OK if outcome.success else EXIT_FAILED
