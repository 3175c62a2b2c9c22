"""`outreach restore`: one run of `restore_job`."""

from pathlib import Path

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance, run_job
from outreach_platform.foundation.errors import EXIT_OK, OutreachError, UsageError
from outreach_platform.operations.upkeep import recall
from outreach_platform.records.states import parse_state
from outreach_platform.resources import ObjectStorage
from outreach_platform.settings import load_settings
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.restore import Restored
from outreach_platform.snapshots.stored import require_version


def run_restore(*, state: str, version: str, to: str | None, as_json: bool) -> int:
    """Restore and print what was put back; returns the exit code.

    Raises:
        UsageError: no such state or version, or a folder that cannot be used.
        OutreachError: it could not be restored; nothing was changed.
    """
    folder_state = parse_state(state)
    settings = load_settings()
    folder = StateFolder(settings.data_dir, folder_state)
    target = Path(to).expanduser().resolve() if to is not None else None
    if target is not None and target.exists() and not target.is_dir():
        raise UsageError(f"{target} is no folder: name another one for --to")
    # Asked here too, because a run that fails over it would end with 1.
    require_version(folder, version, ObjectStorage().store(settings))
    config = {"state": folder_state, "version": version}
    if target is not None:
        config["to"] = str(target)
    head = f"{folder_state} {version}: restoring"
    with ready_instance(settings) as instance, output.progress(head):
        outcome = run_job(
            instance,
            "restore_job",
            config={"ops": {"restore_version": {"config": config}}},
            tags={"outreach/state": folder_state},
        )
    done = recall(settings.data_dir, outcome.run_id, Restored)
    if not outcome.success or done is None:
        raise OutreachError(outcome.error or "the restore ended without a result")
    for note in done.notes:
        output.warning(note)
    output.result([_row(done, outcome.run_id)], as_json=as_json)
    return EXIT_OK


def _row(done: Restored, run_id: str) -> dict[str, object]:
    return {
        "state": done.state,
        "version": done.version,
        "status": "restored" if done.put_back else "intact",
        "folder": done.folder,
        "put_back": done.put_back,
        "kept_aside": done.kept_aside,
        "message": _message(done),
        "run_id": run_id,
    }


def _message(done: Restored) -> str:
    if not done.put_back:
        return "all files were intact already"
    kept = f", {len(done.kept_aside)} damaged kept aside" if done.kept_aside else ""
    return f"{len(done.put_back)} files put back{kept}"
