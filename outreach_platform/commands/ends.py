"""Audit rows of runs that ended without being able to write one."""

from outreach_platform.foundation.audit import spool
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.pull import pull_of


def note_end(folder: StateFolder, run_id: str, why: str) -> None:
    """Leave an audit row for the next run to write.

    Not where the run had pulled: the next run finds its version, and finishes or audits it.
    """
    if pull_of(folder, run_id) is None:
        event = auditing.failed_event(folder, None, run_id, why)
        spool(event, auditing.spool_folder(folder.data_dir))
