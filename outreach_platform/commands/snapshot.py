"""`outreach snapshot`: one run a state, every state tried, and what came of each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.ends import note_end
from outreach_platform.commands.launch import RunOutcome, run_job
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, EXIT_STOPPED
from outreach_platform.foundation.lake import find_record
from outreach_platform.partitions import partition_key
from outreach_platform.settings import Settings
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.judgement import FAILED, stop_reasons
from outreach_platform.snapshots.layout import TABLES, SplitRecord, StateFolder
from outreach_platform.snapshots.plain import plain_path
from outreach_platform.snapshots.pull import pull_of, zero_rows_warning

PUBLISHED = "published"
STOPPED = "stopped"
FAILED_STATUS = "failed"

_STAGES = {
    "pull": "pulling from PostgreSQL",
    "raw_checks": "checking the columns",
    "split": "splitting into good and bad",
    "kill_switches": "asking the kill switches",
    "outreach__parquet_exports": "writing Parquet",
    "outreach__b2_objects": "uploading",
    "outreach__snapshots": "recording",
    "plain_snapshot": "pulling, splitting, uploading",
}


def snapshot_states(
    instance: dg.DagsterInstance, settings: Settings, states: Sequence[str]
) -> list[dict[str, Any]]:
    """Run today's partition of every state, one after the other; one row a state."""
    rows = []
    for position, state in enumerate(states, start=1):
        head = f"{state} ({position} of {len(states)})"
        folder = StateFolder(settings.data_dir, state)
        with output.progress(f"{head}: starting") as progress:
            outcome = run_job(
                instance,
                "snapshot_job",
                partition_key=partition_key(datetime.now(UTC).date(), state),
                tags={"outreach/state": state},
                on_step=lambda step, head=head: progress(f"{head}: {_STAGES.get(step, step)}"),
                on_interrupt=partial(note_end, folder, why="interrupted in the terminal"),
            )
        rows.append(_row(folder, outcome))
    return rows


def plain_states(
    instance: dg.DagsterInstance, settings: Settings, states: Sequence[str]
) -> list[dict[str, Any]]:
    """Run the legacy job for every state; one row a state."""
    rows = []
    for state in states:
        with output.progress(f"{state}: {_STAGES['plain_snapshot']}"):
            outcome = run_job(
                instance,
                "plain_snapshot_job",
                config={"ops": {"plain_snapshot": {"config": {"state": state}}}},
                tags={"outreach/state": state},
            )
        folder = plain_path(settings.data_dir, state, TABLES[0]).parents[2]
        rows.append(
            {
                "state": state,
                "status": "written" if outcome.success else FAILED_STATUS,
                "folder": str(folder) if outcome.success else None,
                "message": outcome.error or "four unversioned files, no kill switches",
                "run_id": outcome.run_id,
            }
        )
    return rows


def exit_code(rows: Sequence[dict[str, Any]]) -> int:
    """1 if any state failed, else 3 if any was stopped, else 0."""
    found = {row["status"] for row in rows}
    if FAILED_STATUS in found:
        return EXIT_FAILED
    return EXIT_STOPPED if STOPPED in found else EXIT_OK


def _row(folder: StateFolder, outcome: RunOutcome) -> dict[str, Any]:
    pulled = pull_of(folder, outcome.run_id)
    version = pulled.version if pulled else None
    split = find_record(folder.split_record(version), SplitRecord) if version else None
    gates = find_record(folder.verdict(version), GateRecord) if version else None
    if pulled is not None and (sentence := zero_rows_warning(pulled)):
        output.warning(sentence)
    status, text = _status(outcome, gates)
    return {
        "state": folder.state,
        "status": status,
        "version": version,
        **{table: split.rows(table) if split else None for table in TABLES},
        "kill_switches": gates.status if gates else None,
        "message": text,
        "run_id": outcome.run_id,
    }


def _status(outcome: RunOutcome, gates: GateRecord | None) -> tuple[str, str]:
    if outcome.success and gates is not None:
        notes = [v.message for v in gates.verdicts if v.override or v.measured is None]
        return PUBLISHED, "; ".join(notes) or "all kill switches passed"
    if gates is not None and not gates.passed:
        status = FAILED_STATUS if gates.status == FAILED else STOPPED
        return status, f"nothing was published: {'; '.join(stop_reasons(gates))}"
    return FAILED_STATUS, outcome.error or "failed"
