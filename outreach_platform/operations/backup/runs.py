"""Dagster's records in the copy: a dagster.yaml of its own, and no run that seems to be running.

Records are all that is changed. A run that was running when it was copied belongs to a process that
works on the other folder, maybe on this very machine: here it is cancelled in the records, so that
nothing waits for it, judges it or ends its process.
"""

from pathlib import Path

import dagster as dg

from outreach_platform.operations.dead_runs import UNFINISHED
from outreach_platform.operations.instance import CONFIG_NAME, is_ours, render_config

_WORKING = ".backup.yaml"
MESSAGE = (
    "it was running when this folder was copied by `outreach backup`, and went on in the folder "
    "that the copy was made of"
)


def end_copied_runs(home: Path) -> int:
    """Cancel the unfinished runs in the records of a copied instance; returns how many runs it has.

    Args:
        home: `dagster` in the copy, whose records are SQLite files.
    """
    if not (home / "history" / "runs.db").is_file():
        return 0
    # Not its dagster.yaml, which may be somebody's own and name a database in use.
    working = home / _WORKING
    working.write_text(render_config(home), encoding="utf-8")
    try:
        with dg.DagsterInstance.from_config(str(home), _WORKING) as instance:
            for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
                instance.add_run_tags(run.run_id, {"dagster/max_retries": "0"})
                instance.report_run_canceled(run, message=MESSAGE)
            return instance.get_runs_count()
    finally:
        working.unlink(missing_ok=True)


def write_config(home: Path, final: Path, *, postgres: bool) -> str | None:
    """Let the copy's dagster.yaml name the folder that it will have.

    Args:
        home: `dagster` in the copy.
        final: its path once the copy has its name.
        postgres: whether the source keeps its runs in PostgreSQL.

    Returns:
        A sentence where the file is somebody's own, which stays as it is.
    """
    config = home / CONFIG_NAME
    if config.exists() and not is_ours(config.read_text(encoding="utf-8", errors="replace")):
        return f"{CONFIG_NAME} is your own and was copied as it is: see which folders it names"
    config.write_text(render_config(final, postgres=postgres), encoding="utf-8")
    return None
