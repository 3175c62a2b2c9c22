"""One state's snapshot from pull to record, step by step, as assets, scripts and benchmarks run it.

Every step finds what it needs on disk, so each can be run again, in another process, on another
day. Every outcome is audited: published, stopped by a switch, or failed.
"""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb

from outreach_platform.foundation.audit import flush_spool, spool, write_event, write_or_spool
from outreach_platform.foundation.errors import (
    IntegrityError,
    OutreachError,
    SourceUnavailableError,
    StoppedError,
    StoreError,
    UsageError,
)
from outreach_platform.foundation.lake import find_record, write_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import bulk_engine
from outreach_platform.settings import Settings
from outreach_platform.snapshots import auditing, publish, workbench
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.judgement import judge_version, stop_message
from outreach_platform.snapshots.layout import Outcome, PullRecord, SplitRecord, StateFolder
from outreach_platform.snapshots.leftovers import spill_folder, sweep
from outreach_platform.snapshots.overrides import active_overrides
from outreach_platform.snapshots.pruned import refuse_pruned
from outreach_platform.snapshots.pull import pull, pull_of, pulls
from outreach_platform.snapshots.records import EMBEDDED, Manifest, ObjectRecord, Receipt
from outreach_platform.snapshots.split import split, verify

_logger = logging.getLogger(__name__)


@dataclass
class SnapshotRun:
    """One run on one state.

    Attributes:
        settings: thresholds, limits, and the data folder.
        state: two-letter code.
        url: the source database, which holds the audit log too.
        store: where objects go.
        run_id: the Dagster run, or any name for the caller.
        now: the clock, for tests.
    """

    settings: Settings
    state: str
    url: DatabaseUrl
    store: ObjectStore
    run_id: str
    now: datetime | None = None
    folder: StateFolder = field(init=False)

    def __post_init__(self) -> None:
        self.folder = StateFolder(self.settings.data_dir, self.state)

    @property
    def source(self) -> str:
        """What the source is called in records."""
        return EMBEDDED if self.settings.neon is None else self.url.display

    def pull(self, partition: date | None = None) -> PullRecord:
        """Pull today's raw rows, or return the stored ones of a past day.

        What an interrupted run left is finished or removed first.

        Args:
            partition: the UTC day asked for; today by default.

        Raises:
            UsageError: a day to come, or a past one without stored raw rows or that was pruned.
            OutreachError: see `pull.pull`.
        """
        moment = self.now or datetime.now(UTC)
        today = moment.astimezone(UTC).date()
        day = partition or today
        with self.audited(None):
            if day > today:
                raise UsageError(f"{self.state} {day}: that day has not come yet")
            if day < today:
                return self._stored(day)
            self.recover()
            with self._engine() as engine:
                return pull(
                    engine,
                    self.folder,
                    self.url,
                    run_id=self.run_id,
                    source=self.source,
                    schema=self.settings.toml.pull.schema_name,
                    now=self.now,
                )

    def lock(self) -> NamedLock:
        """The lock that keeps other runs of the state out; hold it over all steps."""
        return NamedLock(self.folder.lock, self.state)

    def split(self, version: str) -> SplitRecord:
        """Split a version into good and bad."""
        self._require(self.folder.pull_record(version), version, "was never pulled")
        with self.audited(version), self._engine() as engine:
            return split(engine, self.folder, version)

    def judge(self, version: str) -> GateRecord:
        """Evaluate the kill switches, keep the verdict, and audit a stop."""
        self._require(self.folder.split_record(version), version, "was not split")
        with self.audited(version):
            today = (self.now or datetime.now(UTC)).astimezone(UTC).date()
            gates = judge_version(
                self.folder,
                version,
                thresholds=self.settings.gate_thresholds(self.state),
                overrides=active_overrides(self.url, self.state, today),
                run_id=self.run_id,
                now=self.now,
            )
        if not gates.passed:
            self._stop(gates)
            workbench.rebuild(self.settings.data_dir, self.run_id)
        return gates

    def export(self, version: str) -> Manifest:
        """Place the four files and write the manifest."""
        with self.audited(version):
            return publish.export(self.folder, version, self.run_id)

    def upload(self, version: str) -> dict[str, ObjectRecord]:
        """Send files and manifest to the object store, verified."""
        with self.audited(version):
            return self._upload(version)

    def record(self, version: str) -> tuple[Receipt, list[str]]:
        """Audit, write the receipt, rebuild the workbench.

        The objects are verified once more, so that a version is never published on the word of an
        earlier process.

        Returns:
            The receipt, and the workbench's warnings.
        """
        with self.audited(version):
            receipt = self._record(version)
        # Outside: the version is published, whatever becomes of the workbench now.
        return receipt, workbench.rebuild(self.settings.data_dir, self.run_id)

    def recover(self) -> list[str]:
        """Finish or remove what interrupted runs of this state left; returns what was done.

        Call it under the state's lock.
        """
        done = [f"removed {path.name}" for path in sweep(self.folder)]
        flush_spool(self.url, self._spool)
        published = set(self.folder.published_versions())
        for version in self.folder.exported_versions():
            if version not in published:
                done.append(self._finish(version))
        exported = {*published, *self.folder.exported_versions()}
        for version in self.folder.versions():
            if version not in exported and not self.folder.outcome(version).exists():
                done.append(self._close(version))
        for sentence in done:
            _logger.warning("%s: %s", self.state, sentence)
        return done

    def select_version(self, partition: date) -> str:
        """The version that a downstream step works on: this run's pull, else the day's newest.

        Raises:
            UsageError: nothing was pulled on that day, or what was is pruned.
        """
        record = pull_of(self.folder, self.run_id) or self._pull_on(partition)
        if record is None:
            raise UsageError(
                f"{self.state} {partition}: no raw rows are stored for that day, so there is "
                "nothing to work on; materialize companies_raw and people_raw first"
            )
        refuse_pruned(self.folder, record.version)
        return record.version

    @contextmanager
    def audited(self, version: str | None) -> Iterator[None]:
        """Audit an error inside the block as FAILED, once, and pass it on.

        A stop is no failure: it was audited when the verdict was given.
        """
        try:
            yield
        except StoppedError:
            raise
        except Exception as error:
            message = str(error) if isinstance(error, OutreachError) else type(error).__name__
            event = auditing.failed_event(self.folder, version, self.run_id, message)
            away = isinstance(error, SourceUnavailableError)
            (spool if away else partial(write_or_spool, self.url))(event, self._spool)
            if version is not None:
                self._settle(version, "failed", message)
            raise

    @property
    def _spool(self) -> Path:
        return auditing.spool_folder(self.settings.data_dir)

    def _engine(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        limits = self.settings.toml.pull
        return bulk_engine(
            spill_folder(self.settings.data_dir, self.state),
            memory_limit=limits.memory_limit,
            threads=limits.threads,
        )

    def _stored(self, day: date) -> PullRecord:
        record = self._pull_on(day)
        if record is None:
            raise UsageError(
                f"{self.state} {day}: no raw rows are stored for that day and the source has moved "
                "on, so it cannot be pulled any more; run today's partition"
            )
        refuse_pruned(self.folder, record.version)
        verify(self.settings.data_dir, record.companies)
        verify(self.settings.data_dir, record.people)
        return record

    def _pull_on(self, day: date) -> PullRecord | None:
        return next((record for record in pulls(self.folder) if record.partition == day), None)

    def _upload(self, version: str) -> dict[str, ObjectRecord]:
        return publish.upload(
            self.folder, version, self.store, attempts=self.settings.toml.objects.attempts
        )

    def _record(self, version: str) -> Receipt:
        objects = self._upload(version)
        event = auditing.published_event(self.folder, version, objects)
        return publish.confirm(self.folder, version, objects, write_event(self.url, event))

    def _require(self, path: Path, version: str, what: str) -> None:
        if not path.exists():
            raise UsageError(
                f"{self.state} {version} {what}; run the steps in order, or "
                f"`outreach snapshot --state {self.state}`"
            )

    def _finish(self, version: str) -> str:
        """Publish a version whose manifest stands, or withdraw it where that cannot be done.

        The run that calls audits what else goes wrong; the version then waits for the next one.
        """
        try:
            publish.export(self.folder, version, self.run_id)
            self._record(version)
        except (IntegrityError, StoppedError, FileNotFoundError) as error:
            return self._remove(version, str(error))
        except StoreError as error:
            # Waiting helps where a bucket is missing or read-only, not where it is taken.
            if publish.taken_keys(self.folder, version, self.store):
                return self._remove(version, str(error))
            raise
        workbench.rebuild(self.settings.data_dir, self.run_id)
        return f"finished {version}, which an interrupted run had exported"

    def _close(self, version: str) -> str:
        """Record how a version ended whose run ended before it could."""
        gates = find_record(self.folder.verdict(version), GateRecord)
        if gates is not None and not gates.passed:
            self._stop(gates)
            return f"recorded that {version} was stopped"
        return self._remove(version, "the run ended before it was published")

    def _stop(self, gates: GateRecord) -> None:
        message = stop_message(gates)
        event = auditing.stopped_event(self.folder, gates, message)
        write_or_spool(self.url, event, self._spool)
        self._settle(gates.version, "stopped", message)

    def _remove(self, version: str, why: str) -> str:
        publish.withdraw(self.folder, version)
        event = auditing.failed_event(self.folder, version, self._owner(version), why)
        write_or_spool(self.url, event, self._spool)
        self._settle(version, "failed", why)
        return f"gave up {version}: {why}"

    def _owner(self, version: str) -> str:
        record = find_record(self.folder.pull_record(version), PullRecord)
        return record.run_id if record is not None else self.run_id

    def _settle(self, version: str, status: str, message: str) -> None:
        """Write how a version ended, unless it is published or was never pulled."""
        published = self.folder.receipt(version).exists()
        if published or not self.folder.version(version).is_dir():
            return
        write_record(
            self.folder.outcome(version),
            Outcome(
                version=version,
                state=self.state,
                status=status,
                message=message,
                at=datetime.now(UTC),
                run_id=self.run_id,
            ),
        )
