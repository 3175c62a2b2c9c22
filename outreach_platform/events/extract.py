"""Events from PostgreSQL to one validated file a day, at a cost that follows what is new.

One transaction counts the days of a window and reads those that are missing, recent, judged more
weakly or changed. Every day of the window is then as the source had it in that transaction.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

import duckdb
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from outreach_platform.events import judgement
from outreach_platform.events.days import write_days
from outreach_platform.events.judgement import NOT_JUDGED, PULLED, Judgement, judge
from outreach_platform.events.layout import STAMP, EventFolder
from outreach_platform.events.plan import Request, needed_days
from outreach_platform.events.records import Extraction
from outreach_platform.events.schema import COLUMNS, NAMES
from outreach_platform.events.source import (
    DAY,
    NOTHING,
    Fingerprint,
    day_name,
    fingerprints,
    read_sql,
)
from outreach_platform.events.source_table import SourceTable, find_table
from outreach_platform.foundation.errors import (
    IntegrityError,
    OutreachError,
    SourceError,
    SourceUnavailableError,
)
from outreach_platform.foundation.lake import replacing, write_record
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.scan import source_snapshot
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import quote_identifier, quote_text, read_parquet_sql

_logger = logging.getLogger(__name__)
_ATTEMPTS = 3


class InvalidEventsError(OutreachError):
    """Events break rules and the validation is strict: nothing was taken.

    Attributes:
        extraction: what was found.
    """

    def __init__(self, message: str, extraction: Extraction) -> None:
        super().__init__(message)
        self.extraction = extraction


def extract(
    engine: duckdb.DuckDBPyConnection, folder: EventFolder, url: DatabaseUrl, request: Request
) -> Extraction:
    """Bring the days of a window up to date. Call it under the wing's lock.

    Transient errors of the database are tried three times.

    Args:
        engine: does the bulk work.
        folder: where days stand.
        url: the source.
        request: what to take.

    Returns:
        What was taken; it is also kept as the folder's newest extraction.

    Raises:
        InvalidEventsError: strict, and rows break rules; the report is written.
        SourceError: the source refuses or is of another shape.
        IntegrityError: what was read is not what was counted.
    """
    try:
        with connect(url):
            pass  # a server that is away was tried three times by now, and that is enough
        table, counted, reasons = _pull(engine, folder, url, request)
        extraction = _take(engine, folder, request, table, counted, reasons)
    except InvalidEventsError as error:
        write_record(folder.extraction, error.extraction)
        raise
    except OutreachError as error:
        write_record(folder.extraction, _failed(request, str(error)))
        raise
    write_record(folder.extraction, extraction)
    return extraction


def _failed(request: Request, problem: str) -> Extraction:
    return Extraction(
        run_id=request.run_id,
        finished_at=datetime.now(UTC),
        window=request.window,
        validation=request.mode,
        source=request.source,
        problem=problem,
    )


@retry(
    retry=retry_if_exception_type(SourceUnavailableError),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.5, max=4),
    reraise=True,
)
def _pull(
    engine: duckdb.DuckDBPyConnection, folder: EventFolder, url: DatabaseUrl, request: Request
) -> tuple[SourceTable, dict[str, Fingerprint], dict[str, str]]:
    """Fill the table `pulled` with the days that are needed, tried again while the source is away.

    Returns:
        The source's table, its days, and the days that were pulled with the reasons.
    """
    with source_snapshot(engine, url) as snapshot:
        table = find_table(snapshot, url.schema, url.display)
        counted = fingerprints(snapshot, table, request.window.start)
        reasons = needed_days(folder, table, counted, request)
        rows = sum(counted.get(day, NOTHING).rows for day in reasons)
        query = read_sql(snapshot, table, request.window.start, list(reasons), rows)
        with snapshot.translated(), _integers_in_words(table):
            engine.execute(f"CREATE OR REPLACE TABLE {PULLED} AS {query} ORDER BY {_order(table)}")
    _check_counts(engine, table, counted, reasons)
    _logger.info("pulled %s events of %s days from %s", rows, len(reasons), table.qualified)
    return table, counted, reasons


def _order(table: SourceTable) -> str:
    """Time and id, and all else where those may stand twice: equal data gives equal files."""
    first = ["timestamp", "id"]
    rest = [] if table.unique_id else [name for name in NAMES if name not in first]
    return ", ".join(quote_identifier(name) for name in [*first, *rest])


@contextmanager
def _integers_in_words(table: SourceTable) -> Iterator[None]:
    """Say which columns may hold the number that does not fit where one does not."""
    try:
        yield
    except duckdb.ConversionException:
        wide = [
            c.name for c in COLUMNS if c.kind == "integer" and table.type_of(c.name) == "bigint"
        ]
        if not wide:
            raise
        raise SourceError(
            f"{table.qualified} holds a number in {' or '.join(wide)} that 32 bits cannot hold; "
            "find it with abs(column) > 2147483647 and mend it at the source"
        ) from None


def _check_counts(
    engine: duckdb.DuckDBPyConnection,
    table: SourceTable,
    counted: dict[str, Fingerprint],
    reasons: Iterable[str],
) -> None:
    found = dict(
        engine.execute(f"SELECT {day_name()}, count(*) FROM {PULLED} GROUP BY {DAY}").fetchall()
    )
    for day in reasons:
        expected, got = counted.get(day, NOTHING).rows, found.get(day, 0)
        if expected != got:
            raise IntegrityError(
                f"{table.qualified} counted {expected} events on {day} and sent {got} in the same "
                "transaction; nothing was taken, run again"
            )


def _take(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    request: Request,
    table: SourceTable,
    counted: dict[str, Fingerprint],
    reasons: dict[str, str],
) -> Extraction:
    """Judge what was pulled and write its days."""
    beyond = request.window.beyond(counted, request.now)
    kept = [d for d in [*request.window.days, *beyond] if d not in reasons]
    found = NOT_JUDGED
    if request.mode != "none":
        found = judge(engine, request.now, _ids_of(folder, kept, table))
    extraction = Extraction(
        run_id=request.run_id,
        finished_at=datetime.now(UTC),
        window=request.window,
        validation=request.mode,
        source=request.source,
        table=table.qualified,
        pulled=reasons,
        kept=len(kept),
        source_rows=sum(counted.get(day, NOTHING).rows for day in {*kept, *reasons}),
        errors=found.errors,
        warnings=found.warnings,
        notices=list(table.notices),
    )
    if found.errors and request.mode == "strict":
        _refuse(engine, folder, request, extraction, found)
    written = write_days(engine, folder, request, table, counted, found, list(reasons))
    return extraction.model_copy(
        update={
            "rows": sum(manifest.file.rows for manifest in written),
            "quarantined": sum(manifest.quarantined for manifest in written),
        }
    )


def _ids_of(folder: EventFolder, days: list[str], table: SourceTable) -> str | None:
    """A query for the ids of days that are kept; none is needed where the source keeps ids unique.

    Kept days are, row for row, what the source holds.
    """
    if table.unique_id or not days:
        return None
    return f"SELECT id FROM {read_parquet_sql([folder.day(day) for day in days])}"


def _refuse(
    engine: duckdb.DuckDBPyConnection,
    folder: EventFolder,
    request: Request,
    extraction: Extraction,
    found: Judgement,
) -> NoReturn:
    """Write the error report, keep what was found, and say what is in it."""
    report = folder.error_report(request.now.astimezone(UTC).strftime(STAMP))
    query = judgement.violations_sql(engine)
    with replacing(report) as temporary:
        engine.execute(f"COPY ({query}) TO {quote_text(str(temporary))} (FORMAT csv, HEADER)")
    counts = ", ".join(f"{code} {rows:,}" for code, rows in found.errors.items())
    first = "; ".join(judgement.first_violations(engine, query))
    problem = (
        f"{found.bad_rows:,} of the events pulled break rules ({counts}), so nothing was taken: "
        f"{first}. All of them are in {report}; mend them at the source, or run with --non-strict "
        "to quarantine them"
    )
    where = report.relative_to(folder.data_dir).as_posix()
    update = {"problem": problem, "report": where, "quarantined": 0}
    raise InvalidEventsError(problem, extraction.model_copy(update=update))
