"""`outreach prune`: one run of `prune_job`, or the same told without removing anything."""

from outreach_platform.commands import output
from outreach_platform.commands.interrupts import obeying_interrupts
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, OutreachError
from outreach_platform.foundation.retention import Pruning
from outreach_platform.operations.retention.jobs import NOTHING_SET
from outreach_platform.operations.retention.prune import Prune
from outreach_platform.operations.upkeep import recall
from outreach_platform.resources import ObjectStorage
from outreach_platform.settings import Settings, load_settings


def run_prune(*, dry_run: bool, as_json: bool) -> int:
    """Prune and print a row a kind and state; returns the exit code, 1 where anything is left.

    Raises:
        UsageError: a store that is configured by halves.
        OutreachError: the run ended before it could say anything.
    """
    settings = load_settings()
    ObjectStorage().store(settings)  # wrong configuration is exit 2, which a run cannot give
    if settings.toml.retention.keeps_everything:
        output.message(NOTHING_SET)
        if as_json:
            output.result([], as_json=True)
        return EXIT_OK
    done = _told(settings) if dry_run else _pruned(settings)
    for line in done.lines:
        for said in (*line.problems, *line.notes):
            output.warning(said)
    if not done.lines and not as_json:
        output.message("there is nothing yet that could be removed")
    output.result(
        [
            {
                "what": line.what,
                "subject": line.subject,
                "status": "failed" if line.problems else "dry run" if dry_run else "pruned",
                "removed": line.removed,
                "bytes_freed": line.bytes_freed,
                "oldest_kept": line.oldest_kept,
                "problems": line.problems,
            }
            for line in done.lines
        ],
        as_json=as_json,
    )
    return EXIT_OK if done.complete else EXIT_FAILED


def _told(settings: Settings) -> Pruning:
    store = ObjectStorage().store(settings)
    with (
        ready_instance(settings) as instance,
        output.progress("pruning: dry run") as progress,
        obeying_interrupts(output.interrupted),
    ):
        return Prune(settings, store, instance, "dry-run", dry_run=True).run(progress)


def _pruned(settings: Settings) -> Pruning:
    with ready_instance(settings) as instance, output.progress("pruning") as progress:
        outcome = run_job(instance, "prune_job", on_message=progress)
    done = recall(settings.data_dir, outcome.run_id, Pruning)
    if done is None:
        raise OutreachError(outcome.error or "the pruning ended without a result")
    return done
