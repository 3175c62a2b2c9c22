"""`outreach verify`: one run of `verify_job`, a row a version."""

from collections.abc import Sequence

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, OutreachError
from outreach_platform.foundation.verification import Verification
from outreach_platform.operations.upkeep import recall
from outreach_platform.records.states import parse_states
from outreach_platform.resources import ObjectStorage
from outreach_platform.settings import load_settings


def run_verify(*, states: Sequence[str], upload: bool, as_json: bool) -> int:
    """Verify and print a row a version; returns the exit code, 1 where anything disagrees.

    Args:
        states: only these; none for all, and exports of events.
        upload: send what the store lacks again; rows then say which objects.
        as_json: one JSON object instead of a table.

    Raises:
        UsageError: no such state, or a store that is configured by halves.
        OutreachError: the run ended before it could say anything.
    """
    chosen = parse_states(states)
    settings = load_settings()
    ObjectStorage().store(settings)  # wrong configuration is exit 2, which a run cannot give
    with ready_instance(settings) as instance, output.progress("verifying") as progress:
        outcome = run_job(
            instance,
            "verify_job",
            config={"ops": {"verify_versions": {"config": {"states": chosen, "upload": upload}}}},
            on_message=progress,
        )
    done = recall(settings.data_dir, outcome.run_id, Verification)
    if done is None:
        raise OutreachError(outcome.error or "the verification ended without a result")
    if done.store_problem:
        output.warning(f"only disk was verified: {done.store_problem}")
    if not done.checks and not as_json:
        output.message("no version is published yet: there is nothing to verify")
    rows = [
        {
            "subject": check.subject,
            "version": check.version,
            "status": "damaged" if check.problems else check.disk,
            "disk": check.disk,
            "store": check.store,
            **({"sent": check.sent} if upload else {}),
            "problems": check.problems,
        }
        for check in done.checks
    ]
    output.result(rows, as_json=as_json)
    return EXIT_OK if outcome.success and done.agrees else EXIT_FAILED
