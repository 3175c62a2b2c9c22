"""One run of the filings wing, step by step, as assets, scripts and benchmarks run it.

Every step finds what it needs on disk, so each can be run again, in another process, on another
day, after any crash.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from outreach_platform.filings import maintenance
from outreach_platform.filings.database import writer
from outreach_platform.filings.health import read_health
from outreach_platform.filings.health_records import Health
from outreach_platform.filings.health_verdicts import Verdict, verdicts
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import merge_filing
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.filings.pool import extract_all
from outreach_platform.filings.progress import Rate
from outreach_platform.filings.publish import publish
from outreach_platform.filings.records import (
    ExtractedFiling,
    ExtractionRecord,
    MergedFiling,
    MergeRecord,
    RegisterRecord,
)
from outreach_platform.filings.registering import fetch_and_register
from outreach_platform.filings.staging import StagedReport
from outreach_platform.filings.worklist import staged_list, work_list
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.settings import Settings

_MIB = 2**20


@dataclass
class FilingsRun:
    """One run.

    Attributes:
        settings: limits, and the data folder.
        run_id: the Dagster run, or any name for the caller.
        tell: is told of progress, a sentence at a time.
        now: the clock, for tests; aware.
    """

    settings: Settings
    run_id: str
    tell: Callable[[str], object] = field(default=lambda _sentence: None)
    now: datetime | None = None
    folder: FilingFolder = field(init=False)

    def __post_init__(self) -> None:
        self.folder = FilingFolder(self.settings.data_dir)

    @property
    def moment(self) -> datetime:
        """The time of the run's clock, naive UTC, as the database keeps it."""
        return (self.now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)

    def lock(self) -> NamedLock:
        """The lock that keeps other runs out; hold it over all steps."""
        return NamedLock(self.folder.lock, "filings")

    def register(
        self,
        paths: Sequence[str] = (),
        *,
        ciks: Sequence[str] = (),
        since: str | None = None,
        download: bool = True,
    ) -> RegisterRecord:
        """Register the given files and what lies in the data folder; fetch what is new.

        Args:
            paths: files and folders.
            ciks: companies whose filings are fetched, besides those that settings name.
            since: ISO date; what was filed earlier is not fetched.
            download: whether anything is fetched.

        Raises:
            UsageError: something is to be fetched, and nobody is named for the SEC.
        """
        record = fetch_and_register(
            self.settings,
            self.folder,
            run_id=self.run_id,
            now=self.moment,
            paths=[Path(path) for path in paths],
            ciks=[*self.settings.toml.filings.download_ciks, *ciks] if download else [],
            since=date.fromisoformat(since) if since else None,
            tell=self.tell,
        )
        write_record(self.folder.registration(self.run_id), record)
        return record

    def extract(
        self,
        *,
        mode: str = "missing",
        accessions: Sequence[str] | None = None,
        years: Sequence[int] | None = None,
        workers: int = 0,
        limit: int | None = None,
        force: bool = False,
    ) -> ExtractionRecord:
        """Read what is to be read into staged rows; see `pool.extract_all`.

        Args:
            mode: missing, no_tables or all.
            accessions: only these.
            years: only these filing years.
            workers: processes; 0: as settings say.
            limit: at most so many filings.
            force: filings that stand unchanged, too.
        """
        options = self.settings.toml.filings
        workers = workers or options.workers or os.cpu_count() or 1
        with writer(self.folder) as connection:
            found = work_list(
                connection,
                mode=mode,
                accessions=accessions,
                years=years,
                limit=limit,
                force=force,
            )
        workers = max(1, min(workers, len(found)))
        started = time.monotonic()
        rate = Rate(len(found), self.tell)
        reports: dict[str, StagedReport] = {}

        def done(report: StagedReport) -> None:
            reports[report.accession_number] = report
            rate.step(failed=report.error is not None)

        if found:
            extract_all(
                found,
                self.folder,
                self.run_id,
                workers=workers,
                time_limit=options.time_limit_seconds,
                memory_limit=options.memory_limit_mb * _MIB,
                on_done=done,
            )
        record = ExtractionRecord(
            run_id=self.run_id,
            at=self.moment,
            mode=mode,
            force=force,
            workers=workers,
            seconds=time.monotonic() - started,
            filings=[_extracted(each, reports[each.meta.accession_number]) for each in found],
        )
        for path in (self.folder.extraction(self.run_id), self.folder.newest_extraction):
            write_record(path, record)
        return record

    def merge(self) -> MergeRecord:
        """Merge what this run staged, each filing in one transaction; see `merge.merge_filing`.

        Raises:
            IntegrityError: the run staged nothing.
        """
        path = self.folder.extraction(self.run_id)
        if not path.exists():
            raise IntegrityError("this run has extracted nothing: run filing_extracts with it")
        extraction = read_record(path, ExtractionRecord)
        started = time.monotonic()
        rate = Rate(len(extraction.filings), self.tell, "merged")
        merged = []
        with writer(self.folder, threads=1) as connection:
            for planned in staged_list(connection, extraction):
                outcome = merge_filing(
                    connection, self.folder, self.run_id, planned, force=extraction.force
                )
                merged.append(
                    MergedFiling(
                        accession_number=outcome.accession_number,
                        year=outcome.year,
                        rows={**outcome.rows},
                        error=outcome.error,
                        notices=list(outcome.notices),
                    )
                )
                rate.step(failed=outcome.error is not None)
        record = MergeRecord(
            run_id=self.run_id,
            at=self.moment,
            seconds=time.monotonic() - started,
            filings=merged,
        )
        write_record(self.folder.merge(self.run_id), record)
        return record

    def judge(self) -> tuple[Health, list[Verdict]]:
        """The health of the database that runs write, and what the checks say of it."""
        with writer(self.folder):
            pass  # made where it is missing
        health = read_health(self.folder.writer)
        return health, verdicts(health, self.settings.toml.filings)

    def publish(self, judged: Sequence[Verdict], *, anew: bool = False) -> bool:
        """Publish the database; returns whether it had changed.

        Args:
            judged: what the checks say of it.
            anew: build it whatever it holds, see `publish.publish`.

        Raises:
            IntegrityError: a check that guards the data failed; what was published stays.
        """
        if wrong := [verdict for verdict in judged if verdict.blocking and not verdict.passed]:
            said = "; ".join(f"{verdict.name}: {verdict.description}" for verdict in wrong)
            raise IntegrityError(
                f"the filings database is not published, the one before stays: {said}; "
                "`outreach filings dedupe --dry-run` shows what would be cleaned"
            )
        return publish(self.folder, anew=anew)

    def maintain(
        self, *, dedupe: bool, compact: bool, foreign: Path | None
    ) -> maintenance.MaintenanceRecord:
        """Import, clean and compact; judge and publish; see `maintenance.maintain`."""
        record = maintenance.maintain(
            self.folder,
            run_id=self.run_id,
            now=self.moment,
            dedupe=dedupe,
            compact=compact,
            foreign=foreign,
        )
        write_record(self.folder.maintenance(self.run_id), record)
        changed = any(table.because for table in record.tables)
        self.publish(self.judge()[1], anew=changed)
        return record


def _extracted(planned: PlannedFiling, report: StagedReport) -> ExtractedFiling:
    return ExtractedFiling(
        accession_number=planned.meta.accession_number,
        year=planned.meta.year,
        kinds=list(planned.kinds),
        error=report.error,
        counts={**report.counts},
        seconds=report.seconds,
        peak_mb=report.peak_memory / _MIB,
    )
