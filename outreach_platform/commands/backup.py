"""`outreach backup`: one run of `backup_job`, a row a part."""

from pathlib import Path

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, OutreachError
from outreach_platform.operations.backup.records import BackupRecord
from outreach_platform.operations.backup.take import refuse
from outreach_platform.operations.upkeep import recall
from outreach_platform.settings import load_settings


def run_backup(*, target: Path, as_json: bool) -> int:
    """Copy all state and print a row a part; returns the exit code, 1 where anything is damaged.

    Raises:
        UsageError: the target cannot take a backup; nothing was written.
        OutreachError: there is no backup; the message says why.
    """
    settings = load_settings()
    path = refuse(settings, target)  # wrong usage is exit 2, which a run cannot give
    with ready_instance(settings) as instance, output.progress("backup") as progress:
        outcome = run_job(
            instance,
            "backup_job",
            config={"ops": {"take_backup": {"config": {"target": str(path)}}}},
            on_message=progress,
        )
    done = recall(settings.data_dir, outcome.run_id, BackupRecord)
    if done is None:
        raise OutreachError(outcome.error or "the backup ended without a result")
    output.result([part.model_dump() for part in done.parts], as_json=as_json)
    for problem in done.problems:
        output.message(f"error: {problem}", "red")
    output.message(f"the backup stands in {done.target}")
    return EXIT_OK if outcome.success and not done.problems else EXIT_FAILED
