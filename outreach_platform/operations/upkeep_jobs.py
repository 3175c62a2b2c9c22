"""Jobs that look after what the wings wrote: verify everything, bring a version back."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.verify import verify_exports
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.verification import Verification, VersionCheck
from outreach_platform.operations.dead_runs import tag_run
from outreach_platform.operations.failures import failing_clearly
from outreach_platform.operations.upkeep import keep
from outreach_platform.records.states import STATES, parse_state, parse_states
from outreach_platform.resources import ObjectStorage, PlatformSettings
from outreach_platform.settings import Settings
from outreach_platform.snapshots import workbench
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.resend import send_missing
from outreach_platform.snapshots.restore import Restored, restore, restore_to
from outreach_platform.snapshots.verify import StoreWatch, verify_state, verify_version

_SHOWN = 5


class VerifyConfig(dg.Config):
    """What is verified."""

    states: list[str] = Field(default=[], description="only these; empty: all, and events")
    upload: bool = Field(default=False, description="send objects that the store lacks again")


class RestoreConfig(dg.Config):
    """What is restored."""

    state: str
    version: str
    to: str | None = Field(default=None, description="another folder; unset: where it belongs")


@dg.op(name="verify_versions")
def verify_versions_op(
    context: dg.OpExecutionContext,
    config: VerifyConfig,
    platform: PlatformSettings,
    storage: ObjectStorage,
) -> int:
    """Check every published version; returns how many agree, fails where one does not."""
    with failing_clearly():
        settings = platform.load()
        tag_run(context.instance, context.run.run_id)
        done = _verification(context, settings, storage, parse_states(config.states), config.upload)
        keep(settings.data_dir, context.run.run_id, done)
        if not done.agrees:
            raise IntegrityError(_summary(done))
    return len(done.checks)


def _verification(
    context: dg.OpExecutionContext,
    settings: Settings,
    storage: ObjectStorage,
    states: list[str],
    upload: bool,
) -> Verification:
    watch = StoreWatch(storage.store(settings))
    checks = []
    for state in states or STATES:
        context.log.info(f"{state}: verifying")
        folder = StateFolder(settings.data_dir, state)
        for check in verify_state(folder, watch):
            lacking = upload and check.store == "damaged"
            checks.append(_sent(context, settings, folder, check, watch) if lacking else check)
    if not states:
        context.log.info("events: verifying")
        checks += verify_exports(EventFolder(settings.data_dir))
    for check in checks:
        for problem in check.problems:
            context.log.warning(f"{check.subject} {check.version}: {problem}")
    return Verification(
        run_id=context.run.run_id, at=datetime.now(UTC), checks=checks, store_problem=watch.problem
    )


def _sent(
    context: dg.OpExecutionContext,
    settings: Settings,
    folder: StateFolder,
    check: VersionCheck,
    watch: StoreWatch,
) -> VersionCheck:
    """A version verified once more, after what the store lacked was sent."""
    limits = settings.toml
    run = f"run {context.run.run_id}"
    with locked(folder.lock, folder.state, run, limits.locks.wait_seconds):
        sent = send_missing(folder, check.version, watch.store, attempts=limits.objects.attempts)
    for key in sent:
        context.log.warning(f"{key} was gone from the object store and is sent again")
    again = verify_version(folder, check.version, watch)
    return again.model_copy(update={"sent": sent})


def _summary(done: Verification) -> str:
    parts = []
    if damaged := [f"{c.subject} {c.version}" for c in done.checks if c.problems]:
        more = f" and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
        parts.append(f"{', '.join(damaged[:_SHOWN])}{more} disagree with their manifests")
    if done.store_problem:
        parts.append(f"only disk was verified: {done.store_problem}")
    return "; ".join(parts)


@dg.job(
    name="verify_job",
    description="Every manifest of every published version against disk and object store.",
)
def verify_job() -> None:
    """Manifests against disk and store."""
    verify_versions_op()


@dg.op(name="restore_version")
def restore_version_op(
    context: dg.OpExecutionContext,
    config: RestoreConfig,
    platform: PlatformSettings,
    storage: ObjectStorage,
) -> dict[str, list[str]]:
    """Bring a version back; returns what was put back and what was kept aside."""
    with failing_clearly():
        settings = platform.load()
        run_id = context.run.run_id
        tag_run(context.instance, run_id)
        folder = StateFolder(settings.data_dir, parse_state(config.state))
        store = storage.store(settings)
        if config.to is not None:
            done = restore_to(folder, config.version, store, Path(config.to))
        else:
            wait = settings.toml.locks.wait_seconds
            with locked(folder.lock, folder.state, f"run {run_id}", wait):
                done = restore(folder, config.version, store, run_id)
            done = _with_views(settings, done, run_id)
        keep(settings.data_dir, run_id, done)
    for note in done.notes:
        context.log.warning(note)
    return {"put_back": done.put_back, "kept_aside": done.kept_aside}


def _with_views(settings: Settings, done: Restored, run_id: str) -> Restored:
    """The workbench rebuilt over what stands now, and what it says of other versions noted."""
    problems = workbench.rebuild(settings.data_dir, run_id)
    return done.model_copy(update={"notes": [*done.notes, *problems]})


@dg.job(
    name="restore_job",
    description="One published version back from the object store, verified.",
)
def restore_job() -> None:
    """One version back from the store."""
    restore_version_op()
