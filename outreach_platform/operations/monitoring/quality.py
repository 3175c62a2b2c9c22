"""Whether what was published is as good as it should be.

The share of bad companies is K1's to judge; here are events, the change between two snapshots, and
columns that ran empty.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import Extraction, SyncRecord
from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.warehouse import bulk_engine, quote_identifier, quote_text
from outreach_platform.operations.monitoring.published import newest_published
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.settings_toml import MonitoringSettings
from outreach_platform.snapshots.layout import StateFolder

_EXPORT = "behavioral_events"


def event_quality(settings: Settings) -> list[Problem]:
    """Whether the newest events were taken, passed, and reached the research database."""
    folder = EventFolder(settings.data_dir)
    found: list[Problem] = []
    extraction = find_record(folder.extraction, Extraction)
    if extraction is not None and extraction.problem:
        found.append(
            Problem(
                "events_stopped",
                _EXPORT,
                f"the newest run took nothing: {extraction.problem}",
                "Mend the rows at the source, or run `outreach events --non-strict`, which "
                "quarantines them.",
                run_id=extraction.run_id,
            )
        )
    found += _quarantined(folder, settings.toml.monitoring)
    synced = find_record(folder.synced, SyncRecord)
    if synced is not None and synced.problem:
        found.append(
            Problem(
                "research_behind",
                _EXPORT,
                f"the research database was not brought up to date: {synced.problem}",
                "Run `outreach events --sync-duckdb`.",
                Severity.WARNING,
                synced.run_id,
            )
        )
    return found


def _quarantined(folder: EventFolder, limits: MonitoringSettings) -> list[Problem]:
    newest = folder.newest()
    if newest is None or not newest.quarantined:
        return []
    rows = sum(day.rows + day.quarantined for day in newest.days.values())
    rate = 1 - newest.quarantined / rows
    if rate >= limits.pass_rate:
        return []
    return [
        Problem(
            "events_quarantined",
            _EXPORT,
            f"{newest.quarantined:,} of {rows:,} events did not pass validation and are not in the "
            f"export: {_floored(rate)} passed, {limits.pass_rate:.0%} is the limit",
            "The files under quarantine/behavioral_events/ say which rule each row breaks; mend "
            "them at the source.",
            Severity.WARNING,
            newest.run_id,
        )
    ]


def _floored(rate: float) -> str:
    """A share as per cent, never rounded up to 100 %."""
    return f"{int(rate * 10_000) / 100:.2f} %"


def row_deltas(settings: Settings) -> list[Problem]:
    """States whose two newest published versions differ too much in their raw rows."""
    limit = settings.toml.monitoring.row_delta
    found: list[Problem] = []
    for state in STATES:
        newest, _ = newest_published(StateFolder(settings.data_dir, state), 2)
        if len(newest) < 2:
            continue
        (now, _), (before, _) = newest
        changes = [
            f"{entity} {old:,} to {new:,}"
            for entity in ("companies", "people")
            if (old := before.counts[f"{entity}_raw"])
            and abs((new := now.counts[f"{entity}_raw"]) - old) / old > limit
        ]
        if changes:
            found.append(
                Problem(
                    "row_delta",
                    state,
                    f"rows changed by more than {limit:.0%} from {before.version} to "
                    f"{now.version}: {', '.join(changes)}",
                    "See whether the source was loaded anew on purpose; the version stays "
                    "published.",
                    Severity.WARNING,
                    now.run_id,
                )
            )
    return found


def null_rates(settings: Settings) -> list[Problem]:
    """Named columns of the newest published good rows that are null too often."""
    limits = settings.toml.monitoring
    named = {"companies_good": limits.company_columns, "people_good": limits.people_columns}
    found: list[Problem] = []
    with bulk_engine(settings.data_dir / "operations" / ".spill", threads=1) as engine:
        for state in STATES:
            folder = StateFolder(settings.data_dir, state)
            newest, _ = newest_published(folder)
            for table, columns in named.items():
                path = folder.export(newest[0][0].version, table) if newest else None
                # A file that is gone is the stores' look's to report.
                if path is None or not path.is_file():
                    continue
                found += [
                    _too_empty(f"{state} {table}.{column}", nulls, rows, limits)
                    for column, nulls, rows in _nulls(engine, path, columns)
                    if nulls / rows > limits.null_rate
                ]
    return found


def _nulls(
    engine: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[str]
) -> Iterator[tuple[str, int, int]]:
    """(column, nulls, rows) of the named columns that a file has; nothing of an empty file."""
    source = f"read_parquet({quote_text(str(path))})"
    there = {row[0] for row in engine.execute(f"DESCRIBE FROM {source}").fetchall()}
    counted = [column for column in columns if column in there]
    listed = "".join(f", count({quote_identifier(column)})" for column in counted)
    rows, *filled = engine.execute(f"SELECT count(*){listed} FROM {source}").fetchall()[0]
    if rows:
        yield from ((c, rows - n, rows) for c, n in zip(counted, filled, strict=True))


def _too_empty(subject: str, nulls: int, rows: int, limits: MonitoringSettings) -> Problem:
    return Problem(
        "null_rate",
        subject,
        f"{nulls:,} of {rows:,} good rows have none: {nulls / rows:.0%} are null, "
        f"{limits.null_rate:.0%} is the limit",
        "Ask whoever fills the source; or take the column out of [monitoring] in the settings.",
        Severity.WARNING,
    )
