"""Ends runs that Dagster's records still show as running though their process is gone.

Dagster's default launcher cannot tell: a run whose process was killed reads STARTED for ever, and
holds the slot of its state in the queue. So each run carries the host, pid and start of its process
in tags, and every command and `up` look at them first.
"""

import logging
import os
import socket
import time

import dagster as dg
import psutil

from outreach_platform.operations.processes import is_running, process_started

HOST_TAG = "outreach/host"
PID_TAG = "outreach/pid"
STARTED_TAG = "outreach/pid_started"

# A run that our tags do not describe is judged by the pid that Dagster noted, once it is this old.
YOUNG_SECONDS = 60.0
# How far the wall clock may disagree with itself.
_CLOCK_SECONDS = 5.0
# QUEUED is not among them: such a run has no process yet, and the daemon will find it one.
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Only these are in a process of their own when Dagster launched them.
_HAS_PROCESS = {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING}

logger = logging.getLogger(__name__)


def run_tags() -> dict[str, str]:
    """The tags of a run that this process creates and executes itself."""
    pid = os.getpid()
    return {
        HOST_TAG: socket.gethostname(),
        PID_TAG: str(pid),
        STARTED_TAG: process_started(pid) or "",
    }


def tag_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Write down that this process executes a run which another process created."""
    instance.add_run_tags(run_id, run_tags())


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report runs failed (cancelled, if that was asked for) whose process on this host is gone.

    Left alone are runs of other hosts, runs that wait in the queue for a process to come, and runs
    without our tags for which Dagster noted no pid or that are younger than a minute.

    Returns:
        The ids of the runs it ended.
    """
    ended: list[str] = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        reason = _why_dead(instance, record)
        if reason is None:
            continue
        run = record.dagster_run
        if run.remote_job_origin is None:
            # Started in a terminal: the daemon could not start it again, and would only say so.
            instance.add_run_tags(run.run_id, {"dagster/max_retries": "0"})
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message=reason)
        else:
            instance.report_run_failed(run, message=reason)
        logger.warning("run %s (%s): %s", run.run_id, run.job_name, reason)
        ended.append(run.run_id)
    return ended


def _why_dead(instance: dg.DagsterInstance, record: dg.RunRecord) -> str | None:
    run = record.dagster_run
    tags = _own_tags(instance, run)
    if not tags:
        return _why_dead_by_events(instance, record)
    if tags[HOST_TAG] != socket.gethostname() or is_running(int(tags[PID_TAG]), tags[STARTED_TAG]):
        return None
    return f"{_SENTENCE.format(pid=tags[PID_TAG])} on {tags[HOST_TAG]}"


_SENTENCE = "ended because its process was killed or crashed: process {pid} is gone"


def _own_tags(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, str]:
    """Our three tags, empty when they are missing or describe the process of another run."""
    tags = {name: run.tags.get(name, "") for name in (HOST_TAG, PID_TAG, STARTED_TAG)}
    if not all(tags.values()) or not tags[PID_TAG].isdigit():
        return {}
    # A re-execution inherits the tags of its parent, the dead process among them.
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    if parent and all(parent.tags.get(name) == value for name, value in tags.items()):
        return {}
    return tags


def _why_dead_by_events(instance: dg.DagsterInstance, record: dg.RunRecord) -> str | None:
    run = record.dagster_run
    young = time.time() - record.create_timestamp.timestamp() < YOUNG_SECONDS
    if run.status not in _HAS_PROCESS or young:
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event else None
        if noted is not None and str(noted.value).isdigit():
            pid = int(str(noted.value))
            return None if _ran_at(pid, entry.timestamp) else _SENTENCE.format(pid=pid)
    return None


def _ran_at(pid: int, timestamp: float) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.create_time() <= timestamp + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
