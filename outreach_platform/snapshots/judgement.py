"""Judge a split version, keep the verdict, and let nothing pass without it.

The verdict is bound to the checksums of the files it speaks of: a file that changed afterwards has
not been judged.
"""

from datetime import UTC, datetime

from outreach_platform.foundation.errors import StoppedError
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.gates import Counts, GateRecord, Override, judge, status
from outreach_platform.snapshots.layout import PullRecord, SplitRecord, StateFolder
from outreach_platform.snapshots.records import baseline_of

FAILED = "FAILED"


def judge_version(
    folder: StateFolder,
    version: str,
    *,
    thresholds: GateThresholds,
    overrides: list[Override],
    run_id: str,
    now: datetime | None = None,
) -> GateRecord:
    """Evaluate the kill switches on a split version and store what they said.

    A published version keeps the verdict under which it was published.

    Args:
        folder: the state's paths.
        version: the version; it must have been split.
        thresholds: the state's limits.
        overrides: the state's overrides.
        run_id: who asks.
        now: the moment of the judgement, aware.
    """
    moment = now or datetime.now(UTC)
    pulled = read_record(folder.pull_record(version), PullRecord)
    split = read_record(folder.split_record(version), SplitRecord)
    judged = {name: file.sha256 for name, file in {**split.raw, **split.files}.items()}
    if folder.receipt(version).exists():
        kept = read_record(folder.verdict(version), GateRecord)
        if kept.judged == judged:
            return kept
    baseline = baseline_of(folder, version, pulled.source)
    verdicts = judge(
        Counts(
            companies=split.rows("companies_raw"),
            companies_bad=split.rows("companies_bad"),
            people=split.rows("people_raw"),
            company_ids=split.company_ids,
        ),
        baseline,
        thresholds,
        overrides,
        moment.astimezone(UTC).date(),
    )
    nothing_lost, lost_message = check_nothing_lost(split)
    gates = status(verdicts)
    record = GateRecord(
        version=version,
        state=folder.state,
        run_id=run_id,
        judged_at=moment,
        judged=judged,
        rules_version=split.rules_version,
        thresholds=thresholds,
        baseline=baseline,
        verdicts=verdicts,
        nothing_lost=nothing_lost,
        lost_message=lost_message,
        status=FAILED if gates == "OK" and not nothing_lost else gates,
        passed=gates == "OK" and nothing_lost,
    )
    write_record(folder.verdict(version), record)
    return record


def check_nothing_lost(split: SplitRecord) -> tuple[bool, str]:
    """Whether good + bad = raw for both entities and no person stands twice, and a sentence.

    Doubled company ids are K3's business.
    """
    lost = {entity: rows for entity, rows in split.lost.items() if rows}
    if lost:
        told = ", ".join(f"{entity}: raw - (good + bad) = {rows}" for entity, rows in lost.items())
        return False, f"rows were lost or doubled ({told}); report this, it is a defect"
    ids = split.people_ids
    if ids.null or ids.doubled:
        return False, (
            f"{ids.null} people have no unique_id and {ids.doubled} unique_ids stand twice; mend "
            "marketing.people_master and run again"
        )
    return True, "good + bad = raw, no person twice"


def require_pass(folder: StateFolder, version: str) -> GateRecord:
    """The stored verdict, if it is an explicit pass for the files as they are now.

    Raises:
        StoppedError: there is no verdict, it does not pass, or it speaks of something else.
    """
    name = f"{folder.state} {version}"
    try:
        gates = read_record(folder.verdict(version), GateRecord)
    except FileNotFoundError:
        raise StoppedError(
            f"{name} has not been judged, so nothing is published: run its checks, or "
            f"`outreach snapshot --state {folder.state}`"
        ) from None
    if (gates.state, gates.version) != (folder.state, version):
        raise StoppedError(
            f"{folder.verdict(version)} speaks of {gates.state} {gates.version}, so nothing is "
            "published: run the checks again"
        )
    if not gates.passed:
        raise StoppedError(stop_message(gates))
    split = read_record(folder.split_record(version), SplitRecord)
    now = {name: file.sha256 for name, file in {**split.raw, **split.files}.items()}
    if now != gates.judged:
        raise StoppedError(
            f"{name} was split again after it was judged, so nothing is published: run its checks "
            "again"
        )
    return gates


def stop_reasons(gates: GateRecord) -> list[str]:
    """What stops a version, one line each."""
    reasons = [verdict.message for verdict in gates.verdicts if verdict.stops]
    return reasons if gates.nothing_lost else [*reasons, gates.lost_message]


def stop_message(gates: GateRecord) -> str:
    """One sentence on why a version is not published."""
    return (
        f"{gates.state} {gates.version} is stopped, nothing was published: "
        f"{'; '.join(stop_reasons(gates))}. Look at companies_bad_last_run in the workbench; "
        "docs/snapshots.md tells what to do"
    )
