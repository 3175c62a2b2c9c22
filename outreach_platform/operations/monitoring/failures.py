"""Failed runs, kill switches and failed checks, each found in what stands there now.

A fault is over when a later run, version or evaluation of the same thing went well. What one state
did says nothing of another's, and of a state only the newest day counts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import dagster as dg

from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.redaction import MASK, mask_emails_in, redact
from outreach_platform.operations.problems import Problem
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.judgement import stop_reasons
from outreach_platform.snapshots.layout import Outcome, StateFolder

SWITCH_CHECKS = ("k1_bad_ratio", "k2_row_delta", "k3_id_integrity")
# So many failures are looked through for those that nothing has healed, and so many evaluations of
# a check for each partition's newest: a tick stays short on an instance of years.
_FAILURES, _SUCCESSES, _EVALUATIONS = 200, 20, 200
_LONGEST = 400
_PARTITION, _STATE_PARTITION = "dagster/partition", "dagster/partition/state"
# Dagster starts such a run again by itself; only what comes of that counts.
_WILL_RETRY = "dagster/will_retry"
_AD_HOC = "__ASSET_JOB"
_BLOCKED = "DagsterAssetCheckFailedError"
_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b")


def told(text: str, longest: int = _LONGEST) -> str:
    """One line of at most `longest` characters without secrets, e-mail addresses and phones."""
    line = " ".join(mask_emails_in(redact(text)).split())
    line = _PHONE.sub(MASK, line)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def failed_runs(instance: dg.DagsterInstance) -> list[Problem]:
    """Jobs whose newest finished run failed, each state or partition by itself.

    A run that only a blocking check stopped is left out: the check, or the kill switch, is told.
    """
    failures: dict[tuple[str, ...], dg.RunRecord] = {}
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=_FAILURES
    ):
        if record.dagster_run.tags.get(_WILL_RETRY) != "true":
            failures.setdefault(_group(record.dagster_run), record)
    found = [_failed_run(instance, r) for r in failures.values() if not _healed(instance, r)]
    return [problem for problem in found if problem is not None]


def _group(run: dg.DagsterRun) -> tuple[str, ...]:
    """What a run stands for: its job, state or partition, and its assets if not all."""
    return (run.job_name, _part(run), *sorted(k.to_user_string() for k in _assets(run)))


def _assets(run: dg.DagsterRun) -> frozenset[dg.AssetKey]:
    """The assets that the run was narrowed to; none of a whole job."""
    return frozenset(run.asset_selection or ())


def _part(run: dg.DagsterRun) -> str:
    return run.tags.get(_STATE_PARTITION) or run.tags.get(_PARTITION) or ""


def _healed(instance: dg.DagsterInstance, failure: dg.RunRecord) -> bool:
    run = failure.dagster_run
    # The tag of a partition names the day as well, and a later day heals a state.
    tag = _STATE_PARTITION if _STATE_PARTITION in run.tags else _PARTITION
    successes = instance.get_run_records(
        dg.RunsFilter(
            job_name=run.job_name,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            tags={tag: run.tags[tag]} if tag in run.tags else {},
        ),
        limit=_SUCCESSES,
    )
    if any(s.storage_id > failure.storage_id and _covers(s.dagster_run, run) for s in successes):
        return True
    return run.job_name == _AD_HOC and _made_since(instance, failure)


def _covers(success: dg.DagsterRun, failure: dg.DagsterRun) -> bool:
    """Whether a run did all that another one tried."""
    whole = not _assets(success)
    part = bool(_assets(failure)) and _assets(success) >= _assets(failure)
    return _part(success) == _part(failure) and (whole or part)


def _made_since(instance: dg.DagsterInstance, failure: dg.RunRecord) -> bool:
    """Whether every asset of an ad-hoc run was materialized later, by whatever job."""
    run = failure.dagster_run
    for key in _assets(run):
        event = instance.get_latest_materialization_event(key)
        if event is None or event.run_id == run.run_id or event.timestamp < (failure.end_time or 0):
            return False
        partition = event.dagster_event.partition if event.dagster_event else None
        if _part(run) and _state_of(partition or "") != _part(run):
            return False
    return bool(_assets(run))


def _failed_run(instance: dg.DagsterInstance, record: dg.RunRecord) -> Problem | None:
    run = record.dagster_run
    steps = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    events = [entry.dagster_event for entry in steps if entry.dagster_event is not None]
    if events and all(_is_blocked(event) for event in events):
        return None
    reason = next((_reason(event) for event in events if not _is_blocked(event)), None)
    job, part, *assets = _group(run)
    name = f"materialization of {', '.join(assets)}" if job == _AD_HOC else job
    return Problem(
        kind="run_failed",
        subject=told(" ".join(filter(None, [name, part])), 150),
        message=reason or "the run ended without saying why: its process was killed or lost",
        action="see the run's page for the step and its log, mend what it names and run it again; "
        "it is over when a later run succeeds",
        run_id=run.run_id,
    )


def _is_blocked(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == _BLOCKED


def _reason(event: dg.DagsterEvent) -> str:
    """Our own sentence; of any other error its class, since its words may quote rows."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return told(f"{event.step_key}: {data.user_failure_data.description}")
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    kind = error.cls_name if error is not None and error.cls_name else "an error"
    return told(f"{event.step_key}: {kind}; the log of the run says more")


def kill_switch_stops(settings: Settings) -> list[Problem]:
    """States whose newest version since the last published one is stopped by a kill switch."""
    stops = (_stop(StateFolder(settings.data_dir, state)) for state in STATES)
    return [problem for problem in stops if problem is not None]


def _stop(folder: StateFolder) -> Problem | None:
    published = folder.published_versions()
    since = published[-1] if published else ""
    for version in reversed(folder.versions()):
        if version <= since:
            return None
        outcome = find_record(folder.outcome(version), Outcome)
        gates = find_record(folder.verdict(version), GateRecord)
        # A run that is about to be stopped has its verdict first and its outcome a moment later.
        if gates is None or outcome is None or outcome.status != "stopped":
            continue
        if not any(verdict.stops for verdict in gates.verdicts):
            continue  # rows were lost: `nothing_lost` is a check like others
        return Problem(
            kind="kill_switch",
            subject=folder.state,
            message=told(f"{version} is not published: {'; '.join(stop_reasons(gates))}"),
            action="look at companies_bad_last_run in the workbench, mend the rows or override "
            f"the switch, then `outreach snapshot --state {folder.state}`; docs/snapshots.md "
            "tells how",
            run_id=outcome.run_id,
            # It is the reason why nothing newer is published; one message is enough.
            hides=(f"state_stale:{folder.state}", f"state_unpublished:{folder.state}"),
        )
    return None


@dataclass(frozen=True)
class _Failure:
    """The newest evaluation of one check of one state or partition, failed with an error."""

    run_id: str
    description: str
    part: str


def failed_checks(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey] | None = None
) -> list[Problem]:
    """Checks whose newest evaluation failed with severity ERROR; kill switches are not among them.

    Args:
        instance: where the evaluations are.
        keys: which checks; by default all of the platform's.
    """
    asked = [
        key
        for key in (platform_checks() if keys is None else keys)
        if key.name not in SWITCH_CHECKS
    ]
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(asked)
    return [
        Problem(
            kind="check_failed",
            subject=" ".join(
                filter(None, [f"{key.asset_key.to_user_string()}:{key.name}", failure.part])
            ),
            message=told(failure.description or "the check says no more than that it failed"),
            action="see the asset's checks tab, mend what the check names and run the job again; "
            "it is over when the check passes",
            run_id=failure.run_id or None,
        )
        for key, record in newest.items()
        for failure in _failures_of(instance, record)
    ]


def _failures_of(instance: dg.DagsterInstance, newest: Any) -> Iterator[_Failure]:
    """The failures of one check, from its newest record, whose class has no public name."""
    records = [newest]
    if newest.partition is not None or newest.status.value == "PLANNED":
        history = partial(instance.event_log_storage.get_asset_check_execution_history, newest.key)
        status = type(newest.status)
        # Most checks never failed, and are done with here.
        if not history(limit=1, status={status.FAILED}):
            return
        records = history(limit=_EVALUATIONS, status={status.FAILED, status.SUCCEEDED})
    seen: set[str] = set()
    for record in records:
        part = _state_of(record.partition or "")
        evaluation = record.evaluation
        if part in seen or evaluation is None:
            continue
        seen.add(part)
        if not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR:
            yield _Failure(record.run_id, evaluation.description or "", part)


def _state_of(partition: str) -> str:
    """`date|state` stands for its state; any other partition for itself."""
    return partition.rpartition("|")[2]


@cache
def platform_checks() -> tuple[dg.AssetCheckKey, ...]:
    """All checks of the wings; those on the platform's health only repeat what is found here."""
    from outreach_platform.definitions import defs

    apart = [spec for check in defs.asset_checks or [] for spec in check.check_specs]
    made = [a for a in defs.assets or [] if isinstance(a, dg.AssetsDefinition)]
    specs = [*apart, *(spec for asset in made for spec in asset.check_specs)]
    keys = {spec.key for spec in specs if spec.key.asset_key.path[0] != "operations"}
    return tuple(sorted(keys, key=lambda k: (k.asset_key, k.name)))
