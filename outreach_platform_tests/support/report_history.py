"""The records of many versions of a state, without their Parquet files: what the report reads."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from outreach_platform.foundation.lake import FileRecord, sha256_of, write_record
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.gates import GateRecord, Override, Verdict
from outreach_platform.snapshots.layout import IdCounts, Outcome, SplitRecord, StateFolder
from outreach_platform.snapshots.records import Manifest, Receipt

START = datetime(2026, 3, 2, 2, 0, 7, tzinfo=UTC)
ERRORS = {"companies": {"website_url_missing": 7}, "people": {"email_invalid": 11}}


def override(reason: str, until: date = date(2026, 12, 31), by: str = "Ann Lee") -> Override:
    """An override of K1."""
    return Override(id=1, state="WV", switch="K1", until=until, reason=reason, by=by)


def verdict(share: float, given: Override | None = None) -> Verdict:
    """What K1 says of a share of bad companies."""
    return Verdict(
        switch="K1",
        measured=share,
        limit=0.15,
        triggered=share > 0.15,
        override=given,
        message=f"K1: {share:.1%}",
    )


def counts(good: int, bad: int, people_good: int = 200, people_bad: int = 40) -> dict[str, int]:
    """Rows of all six tables."""
    return {
        "companies_raw": good + bad,
        "people_raw": people_good + people_bad,
        "companies_good": good,
        "companies_bad": bad,
        "people_good": people_good,
        "people_bad": people_bad,
    }


def publish_records(
    data: Path,
    rows: dict[str, int],
    *,
    at: datetime = START,
    state: str = "WV",
    verdicts: list[Verdict] | None = None,
    errors: dict[str, dict[str, int]] | None = None,
    number: int = 1,
) -> str:
    """Write manifest and receipt of a published version; returns its name."""
    folder, version = StateFolder(data, state), at.strftime("%Y%m%d%H%M%S")
    given: dict[str, Any] = {"version": version, "state": state, "snapshot_id": number}
    said = verdicts or [verdict(0.05)]
    manifest = Manifest(
        **given,
        partition=at.date(),
        run_id="run-1",
        source="embedded",
        created_at=at,
        pulled_at=at,
        counts=rows,
        files={},
        raw={},
        errors=errors or ERRORS,
        verdicts=said,
        overrides=[v.override for v in said if v.override],
        thresholds=GateThresholds(),
        rules_version="r1",
        code_version="0",
    )
    path = folder.manifest(version)
    write_record(path, manifest, durable=False)
    receipt = Receipt(
        **given,
        source="embedded",
        published_at=at + timedelta(minutes=1),
        audit_id=1,
        manifest_sha256=sha256_of(path),
        objects={},
    )
    write_record(folder.receipt(version), receipt, durable=False)
    return version


def stop_records(
    data: Path, rows: dict[str, int], *, at: datetime, share: float, state: str = "WV"
) -> str:
    """Write split, verdict and outcome of a version that K1 stopped; returns its name."""
    folder, version = StateFolder(data, state), at.strftime("%Y%m%d%H%M%S")
    given: dict[str, Any] = {"version": version, "state": state}
    files = {
        table: FileRecord(path=f"{table}.parquet", rows=n, size=1, sha256="0")
        for table, n in rows.items()
    }
    ids = IdCounts(null=0, doubled=0, malformed=0)
    split = SplitRecord(
        **given,
        rules_version="r1",
        code_version="0",
        raw={k: v for k, v in files.items() if k.endswith("_raw")},
        files={k: v for k, v in files.items() if not k.endswith("_raw")},
        company_ids=ids,
        people_ids=ids,
        errors=ERRORS,
        warnings={},
    )
    write_record(folder.split_record(version), split, durable=False)
    gates = GateRecord(
        **given,
        run_id="run-2",
        judged_at=at,
        judged={},
        rules_version="r1",
        thresholds=GateThresholds(),
        baseline=None,
        verdicts=[verdict(share)],
        nothing_lost=True,
        lost_message="",
        status="K1_TRIGGERED",
        passed=False,
    )
    write_record(folder.verdict(version), gates, durable=False)
    ended = Outcome(**given, status="stopped", message="K1 TRIGGERED", at=at, run_id="run-2")
    write_record(folder.outcome(version), ended, durable=False)
    return version
