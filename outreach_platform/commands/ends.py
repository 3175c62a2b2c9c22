"""Audit rows of runs that ended without being able to write one."""

from outreach_platform.foundation.audit import spool
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import read_record
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.layout import PullRecord, StateFolder


def pull_of(folder: StateFolder, run_id: str) -> PullRecord | None:
    """What a run pulled, None where it did not come so far."""
    for version in reversed(folder.versions()):
        try:
            record = read_record(folder.pull_record(version), PullRecord)
        except (FileNotFoundError, IntegrityError):
            continue
        if record.run_id == run_id:
            return record
    return None


def note_end(folder: StateFolder, run_id: str, why: str) -> None:
    """Leave an audit row for the next run to write.

    Not where the run had pulled: the next run finds its version, and finishes or audits it.
    """
    if pull_of(folder, run_id) is None:
        event = auditing.failed_event(folder, None, run_id, why)
        spool(event, auditing.spool_folder(folder.data_dir))
