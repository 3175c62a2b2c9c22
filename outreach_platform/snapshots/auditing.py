"""What the audit log says of each outcome of a snapshot: published, stopped or failed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outreach_platform.foundation.audit import AuditEvent
from outreach_platform.foundation.lake import find_record, read_record, sha256_of
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.judgement import FAILED
from outreach_platform.snapshots.layout import PullRecord, SplitRecord, StateFolder
from outreach_platform.snapshots.publish import PIPELINE
from outreach_platform.snapshots.records import Manifest, ObjectRecord

EVENT_TYPE = "outreach_snapshot"
_IDENTITY = ("state", "snapshot_version", "kill_switch_status", "run_id")


def spool_folder(data_dir: Path) -> Path:
    """Where audit rows wait while the database is away."""
    return data_dir / "logs" / "audit_spool"


def published_event(
    folder: StateFolder, version: str, objects: dict[str, ObjectRecord]
) -> AuditEvent:
    """The row of a version whose objects are verified and whose receipt comes next.

    Its identity leaves the run out: whoever finishes an interrupted version writes the same row.
    """
    manifest = read_record(folder.manifest(version), Manifest)
    details = {
        **_numbers(folder, version),
        "kill_switch_status": "OK",
        "snapshot_id": manifest.snapshot_id,
        "parquet_paths": {table: file.path for table, file in manifest.files.items()},
        "b2_urls": {table: record.url for table, record in objects.items()},
        "manifest_checksum": sha256_of(folder.manifest(version)),
        "run_id": manifest.run_id,
        "end_time": _now(),
    }
    return AuditEvent(
        event_type=EVENT_TYPE,
        event_source=PIPELINE,
        details=details,
        identity=("state", "snapshot_version", "kill_switch_status"),
    )


def stopped_event(folder: StateFolder, gates: GateRecord, message: str) -> AuditEvent:
    """The row of a version that a kill switch, or lost rows, stopped."""
    details = {
        **_numbers(folder, gates.version),
        "kill_switch_status": gates.status,
        "run_id": gates.run_id,
        "error": message,
        "end_time": _now(),
    }
    return _event(details)


def failed_event(folder: StateFolder, version: str | None, run_id: str, error: str) -> AuditEvent:
    """The row of a run that failed; `version` is None when it failed before it had one."""
    details = {
        **({"state": folder.state} if version is None else _numbers(folder, version)),
        "snapshot_version": version,
        "kill_switch_status": FAILED,
        "run_id": run_id,
        "error": error,
        "end_time": _now(),
    }
    return _event(details)


def _event(details: dict[str, Any]) -> AuditEvent:
    return AuditEvent(
        event_type=EVENT_TYPE, event_source=PIPELINE, details=details, identity=_IDENTITY
    )


def _numbers(folder: StateFolder, version: str) -> dict[str, Any]:
    """Everything that the records of a version tell, as far as they stand."""
    details: dict[str, Any] = {"state": folder.state, "snapshot_version": version}
    pulled = find_record(folder.pull_record(version), PullRecord)
    if pulled is not None:
        details["start_time"] = pulled.pulled_at.isoformat()
        details["source"] = pulled.source
        details["companies_raw"] = pulled.companies.rows
        details["people_raw"] = pulled.people.rows
    split = find_record(folder.split_record(version), SplitRecord)
    if split is not None:
        details.update({table: file.rows for table, file in split.files.items()})
        details["rules_version"] = split.rules_version
    gates = find_record(folder.verdict(version), GateRecord)
    if gates is not None:
        details["row_delta"] = gates.verdict("K2").measured
        details["thresholds"] = gates.thresholds.model_dump()
        details["verdicts"] = [verdict.message for verdict in gates.verdicts]
        if gates.overrides:
            details["overrides"] = [o.model_dump(mode="json") for o in gates.overrides]
    return details


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
