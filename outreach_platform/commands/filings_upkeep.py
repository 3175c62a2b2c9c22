"""`outreach filings dedupe` and `compact`: runs of `maintenance_job`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.maintenance import MaintenanceRecord, TableChange, preview
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.foundation.lake import find_record
from outreach_platform.settings import load_settings


def run_dedupe(*, file: str | None, dry_run: bool, as_json: bool) -> int:
    """Remove duplicates, or import a foreign database without them; returns the exit code.

    Raises:
        UsageError: the file does not exist, or there is no database yet.
    """
    settings = load_settings()
    folder = FilingFolder(settings.data_dir)
    foreign = Path(file).expanduser().resolve() if file else None
    if foreign is not None and not foreign.is_file():
        raise UsageError(f"{foreign} does not exist: name a filings.duckdb")
    if dry_run:
        output.result(_rows(preview(folder, foreign)), as_json=as_json)
        return EXIT_OK
    config = {"dedupe": True, "compact": False, "foreign": str(foreign) if foreign else None}
    return _maintain(config, as_json=as_json)


def run_compact(*, as_json: bool) -> int:
    """Write the database anew; returns the exit code."""
    return _maintain({"dedupe": False, "compact": True}, as_json=as_json)


def _maintain(config: Mapping[str, Any], *, as_json: bool) -> int:
    settings = load_settings()
    given = {name: value for name, value in config.items() if value is not None}
    with ready_instance(settings) as instance, output.progress("filings: maintenance"):
        outcome = run_job(
            instance,
            "maintenance_job",
            config={"ops": {"maintain_filings": {"config": given}}},
        )
    folder = FilingFolder(settings.data_dir)
    record = find_record(folder.maintenance(outcome.run_id), MaintenanceRecord)
    for problem in record.problems if record else []:
        output.warning(problem)
    output.result(
        [
            {
                "filings": "maintenance",
                "status": "done" if outcome.success else "failed",
                **(record.counts if record else {}),
                "message": outcome.error or (record.message if record else ""),
                "run_id": outcome.run_id,
            },
            *(_rows(record.tables) if record else []),
        ],
        as_json=as_json,
    )
    return EXIT_OK if outcome.success else EXIT_FAILED


def _rows(changes: Sequence[TableChange]) -> list[dict[str, Any]]:
    return [
        {
            "table": change.table,
            "before": change.before,
            "after": change.after,
            "message": change.because,
        }
        for change in changes
    ]
