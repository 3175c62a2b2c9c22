"""Run a job of the code location in this process, on the instance that the UI shows."""

import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.ends import note_end
from outreach_platform.commands.interrupts import obeying_interrupts
from outreach_platform.foundation.redaction import redact
from outreach_platform.operations.dead_runs import end_dead_runs, run_tags
from outreach_platform.operations.instance import open_instance
from outreach_platform.operations.place import settle
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots.layout import StateFolder

# Set by Dagster on every run of a partition with a state.
STATE_TAG = "dagster/partition/state"
_logger = logging.getLogger(__name__)
# The run's events are kept by the instance; the terminal shows stages and a table.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        run_id: the Dagster run.
        success: whether all steps and blocking checks passed.
        error: the first failure in one sentence, None on success.
        failed_step: the step that failed first; None on success, and where none had begun.
    """

    run_id: str
    success: bool
    error: str | None
    failed_step: str | None = None


@contextmanager
def ready_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance, rid of runs whose process is gone; a folder that was moved is put in order."""
    with open_instance(settings.data_dir) as instance:
        settle(settings, f"process {os.getpid()}")
        for run_id in end_dead_runs(instance):
            _logger.warning("run %s was reported failed: its process is gone", run_id)
            run = instance.get_run_by_id(run_id)
            state = run.tags.get(STATE_TAG) if run else None
            if state in STATES:
                folder = StateFolder(settings.data_dir, state)
                note_end(folder, run_id, "its process was killed or crashed")
        yield instance


def run_job(
    instance: dg.DagsterInstance,
    job_name: str,
    *,
    partition_key: str | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    on_step: Callable[[str], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    on_interrupt: Callable[[str], None] | None = None,
) -> RunOutcome:
    """Run one job to its end.

    Args:
        instance: where the run is recorded.
        job_name: a job of `outreach_platform.definitions`.
        partition_key: its partition, for partitioned jobs.
        assets: only these of its assets.
        config: run config.
        tags: more tags for the run.
        on_step: told the name of each step as it starts.
        on_message: told what steps say of their progress.
        on_interrupt: told the run's id when an interrupt ended it; it may come from another thread.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run is over.
    """
    from outreach_platform.definitions import defs

    run_id = str(uuid.uuid4())
    if on_step is not None:
        instance.add_event_listener(run_id, _step_listener(on_step))
    if on_message is not None:
        instance.add_event_listener(run_id, _message_listener(on_message))

    def interrupted() -> None:
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, message="interrupted in the terminal")
        if on_interrupt is not None:
            on_interrupt(run_id)

    def last_words() -> None:
        interrupted()
        output.interrupted()

    with obeying_interrupts(last_words) as came:
        result = defs.resolve_job_def(job_name).execute_in_process(
            instance=instance,
            partition_key=partition_key,
            asset_selection=assets,
            run_config={**_QUIET, **(config or {})},
            tags={**run_tags(), **(tags or {})},
            run_id=run_id,
            raise_on_error=False,
        )
    if came.is_set():
        interrupted()
        raise KeyboardInterrupt
    if result.success:
        return RunOutcome(run_id, success=True, error=None)
    failed = (event.step_key for event in result.all_events if event.is_step_failure)
    return RunOutcome(run_id, False, _first_error(result), next(failed, None))


def _step_listener(on_step: Callable[[str], None]) -> Callable[[dg.EventLogEntry], None]:
    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.is_step_start and event.step_key:
            on_step(event.step_key)

    return listen


def _message_listener(on_message: Callable[[str], None]) -> Callable[[dg.EventLogEntry], None]:
    def listen(entry: dg.EventLogEntry) -> None:
        if entry.dagster_event is None and entry.level == logging.INFO and entry.user_message:
            on_message(redact(entry.user_message))

    return listen


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    """The sentence of the first failure; its traceback goes to the log.

    Of blocking checks it is what they say: Dagster's own error only names them.
    """
    if told := _failed_checks(result):
        return redact("; ".join(told))
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.error is not None:
            _logger.error("step %s failed: %s", event.step_key, data.error.to_string())
        if data.user_failure_data is not None and data.user_failure_data.description:
            return redact(data.user_failure_data.description)
        if data.error is not None:
            innermost = data.error
            while innermost.cause is not None:
                innermost = innermost.cause
            return redact(innermost.message.strip().splitlines()[0])
    return "the run ended without saying why; its page in the UI has the events"


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        evaluation.description or evaluation.check_name
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.blocking
        and not evaluation.passed
        and evaluation.severity is dg.AssetCheckSeverity.ERROR
    ]
