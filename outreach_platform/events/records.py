"""The records of the events wing: what was asked for, what was taken, exported and synced."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import Field

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import FileRecord, Record

Mode = Literal["strict", "non_strict", "none"]
# The first partition of the asset; nothing before it is asked for.
FIRST_DAY = date(2020, 1, 1)


class Window(Record):
    """Whole UTC days, both ends included."""

    start: date
    end: date

    @classmethod
    def ending(cls, now: datetime, days: int) -> "Window":
        """The `days` UTC days that end with the day of `now` (aware).

        Raises:
            UsageError: no day, or more than the platform keeps.
        """
        today = now.astimezone(UTC).date()
        most = (today - FIRST_DAY).days + 1
        if not 1 <= days <= most:
            raise UsageError(
                f"a window of {days} days cannot be exported: choose 1 to {most} (events are kept "
                f"from {FIRST_DAY} on)"
            )
        return cls(start=today - timedelta(days=days - 1), end=today)

    @property
    def days(self) -> list[str]:
        """All days in ISO form, in order."""
        length = (self.end - self.start).days + 1
        return [(self.start + timedelta(days=n)).isoformat() for n in range(length)]

    def beyond(self, days: Iterable[str], now: datetime) -> list[str]:
        """Those days that have not come yet, in order; none for a window that ends in the past.

        Args:
            days: ISO dates, or the name for events without a date, which counts as not come.
            now: aware.
        """
        today = now.astimezone(UTC).date()
        return sorted({d for d in days if d > today.isoformat()}) if self.end >= today else []


class DayManifest(Record):
    """One day as it was taken.

    Attributes:
        day: ISO date, or the name for events without a date.
        file: the validated events.
        quarantine: the rows that failed, with their codes; None where there are none.
        source: the database, as records call it.
        table: schema and name at the source.
        source_rows: rows of the day at the source, in the transaction of the pull.
        source_changes: sum of their versions.
        columns: which source columns were read, as a digest.
        validation: how the rows were judged.
        rules_version: by which rules; empty where they were not.
        compression: of the file.
        nulls: null values by column, before validation.
        errors: rows by violated rule.
        warnings: rows by warning.
        pulled_at: when.
        run_id: by which run.
        code_version: by which release.
    """

    day: str
    file: FileRecord
    quarantine: FileRecord | None
    source: str
    table: str
    source_rows: int
    source_changes: str
    columns: str
    validation: Mode
    rules_version: str
    compression: str
    nulls: dict[str, int]
    errors: dict[str, int]
    warnings: dict[str, int]
    pulled_at: datetime
    run_id: str
    code_version: str

    @property
    def quarantined(self) -> int:
        """Rows that failed."""
        return self.quarantine.rows if self.quarantine else 0


class Extraction(Record):
    """What a run found and took; the newest one is kept.

    Attributes:
        run_id: the run.
        finished_at: when it ended.
        window: what was asked for.
        validation: how rows were judged.
        source: the database.
        table: the table, empty where it was not found.
        pulled: day and why it was pulled.
        kept: days of the window that stood and are as the source has them.
        rows: good rows of the days pulled.
        quarantined: rows of the days pulled that failed.
        source_rows: rows of the whole window at the source.
        errors: rows of the days pulled by violated rule.
        warnings: rows of the days pulled by warning.
        notices: what a user should know, one sentence each.
        problem: why nothing was taken, None where all went well.
        report: the error report, relative to the data folder.
    """

    run_id: str
    finished_at: datetime
    window: Window
    validation: Mode
    source: str
    table: str = ""
    pulled: dict[str, str] = Field(default_factory=dict)
    kept: int = 0
    rows: int = 0
    quarantined: int = 0
    source_rows: int = 0
    errors: dict[str, int] = Field(default_factory=dict)
    warnings: dict[str, int] = Field(default_factory=dict)
    notices: list[str] = Field(default_factory=list)
    problem: str | None = None
    report: str | None = None


class ExportedDay(Record):
    """One day as it went into an export."""

    sha256: str
    rows: int
    quarantined: int
    source_rows: int


class ExportManifest(Record):
    """One export.

    Attributes:
        stamp: UTC second, unique.
        file: the Parquet file.
        window: its days.
        user_id: the only user in it, None for all.
        validation: the weakest judgement among its days.
        rules_version: of its days, several joined by a comma.
        source: the databases of its days, several joined by a comma.
        days: what it was made of.
        users: distinct users.
        event_types: distinct event types.
        first: time of the first event, naive UTC.
        last: time of the last event.
        null_rates: share of nulls by column before validation, all users.
        null_phases: share of its rows without an experiment phase.
        previous: stamp of the export that was the latest before.
        row_delta: change of rows against it, as a fraction; None where they do not compare
            because there is none or an empty one, their windows differ in length, or this one
            has a filter.
        compression: of the file.
        seconds: how long the export took.
        created_at: when.
        run_id: by which run.
        code_version: by which release.
    """

    stamp: str
    file: FileRecord
    window: Window
    user_id: str | None
    validation: Mode
    rules_version: str
    source: str
    days: dict[str, ExportedDay]
    users: int
    event_types: int
    first: datetime | None
    last: datetime | None
    null_rates: dict[str, float]
    null_phases: float
    previous: str | None
    row_delta: float | None
    compression: str
    seconds: float
    created_at: datetime
    run_id: str
    code_version: str

    @property
    def quarantined(self) -> int:
        """Rows of its days that failed and are not in it."""
        return sum(day.quarantined for day in self.days.values())


class SyncRecord(Record):
    """The newest attempt to bring the research database up to date.

    Attributes:
        stamp: the export it shows, None where it failed.
        form: `view` or `table`.
        database: absolute path.
        problem: why it failed, None where it did not.
        slowest_ms: p95 of the slowest standing query on the view, in milliseconds.
        set_aside: where a damaged database was moved, None where it was whole.
        synced_at: when.
        run_id: by which run.
    """

    stamp: str | None
    form: Literal["view", "table"] | None
    database: str
    problem: str | None
    slowest_ms: float | None
    set_aside: str | None = None
    synced_at: datetime
    run_id: str
