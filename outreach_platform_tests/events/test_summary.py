"""What an export holds, how it compares with the one before, and what is worth a warning."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outreach_platform.events import summary
from outreach_platform.events.records import DayManifest, ExportManifest, Window
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.lake import FileRecord

WEEK = Window(start=date(2026, 3, 4), end=date(2026, 3, 10))
NEXT_WEEK = Window(start=date(2026, 3, 11), end=date(2026, 3, 17))
DAY = Window(start=date(2026, 3, 10), end=date(2026, 3, 10))
MOMENT = datetime(2026, 3, 10, tzinfo=UTC)


def file_of(rows: int) -> FileRecord:
    return FileRecord(path="raw/x.parquet", rows=rows, size=1, sha256="0")


def manifest(rows: int = 100, **over: Any) -> ExportManifest:
    """An export that is worth no warning."""
    known = {
        "stamp": "20260310_120000",
        "file": file_of(rows),
        "window": WEEK,
        "user_id": None,
        "validation": "strict",
        "rules_version": "1",
        "source": "embedded",
        "days": {},
        "users": 5,
        "event_types": 1,
        "first": None,
        "last": None,
        "null_rates": {},
        "null_phases": 0.9,
        "previous": "20260309_120000",
        "row_delta": 0.5,
        "compression": "snappy",
        "seconds": 1.0,
        "created_at": MOMENT,
        "run_id": "r",
        "code_version": "0",
    }
    return ExportManifest.model_validate({**known, **over})


def day(source_rows: int, **nulls: int) -> DayManifest:
    return DayManifest(
        day="2026-03-10",
        file=file_of(source_rows),
        quarantine=None,
        source="embedded",
        table="t",
        source_rows=source_rows,
        source_changes="1",
        columns="c",
        validation="strict",
        rules_version="1",
        compression="snappy",
        nulls=nulls,
        errors={},
        warnings={},
        pulled_at=MOMENT,
        run_id="r",
        code_version="0",
    )


QUARANTINED = {
    "2026-03-10": {"sha256": "0", "rows": 1, "quarantined": 1234, "source_rows": 1235},
}


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, []),
        ({"users": 4}, ["few users for any analysis: 4"]),
        ({"users": 1, "user_id": "c1"}, []),
        ({"null_phases": 0.91}, ["experimentPhase is null in 91% of the rows"]),
        ({"row_delta": 0.51}, ["rows changed by +51% since 20260309_120000"]),
        ({"row_delta": -0.6}, ["rows changed by -60% since 20260309_120000"]),
        ({"row_delta": -0.5}, []),
        ({"row_delta": None}, []),
        ({"validation": "none"}, ["not validated"]),
        ({"validation": "non_strict"}, []),
        ({"days": QUARANTINED}, ["in quarantine and not in the export: 1,234"]),
        ({"rows": 0}, ["no events from 2026-03-04 to 2026-03-10: the file is empty"]),
        (
            {"rows": 0, "user_id": "c1"},
            ["no events of this user from 2026-03-04 to 2026-03-10: the file is empty"],
        ),
        (
            {"rows": 0, "users": 0, "null_phases": 0.0, "days": QUARANTINED},
            [
                "no events from 2026-03-04 to 2026-03-10: the file is empty",
                "in quarantine and not in the export: 1,234",
            ],
        ),
        (
            {"rows": 0, "users": 0, "null_phases": 0.0, "row_delta": -1.0},
            [
                "no events from 2026-03-04 to 2026-03-10: the file is empty",
                "rows changed by -100% since 20260309_120000",
            ],
        ),
    ],
)
def test_warnings(over: dict[str, Any], expected: list[str]) -> None:
    assert summary.warnings_of(manifest(**over)) == expected


@pytest.mark.parametrize(
    ("previous", "window", "rows", "user_id", "delta"),
    [
        (manifest(100), WEEK, 150, None, 0.5),
        (manifest(100), NEXT_WEEK, 50, None, -0.5),
        (manifest(100), NEXT_WEEK, 0, None, -1.0),
        (manifest(100), WEEK, 100, None, 0.0),
        (manifest(100), DAY, 50, None, None),
        (manifest(100), WEEK, 50, "c1", None),
        (manifest(0), WEEK, 50, None, None),
    ],
)
def test_compared(
    previous: ExportManifest, window: Window, rows: int, user_id: str | None, delta: float | None
) -> None:
    found = summary.compared(previous, window, rows, user_id)
    assert found == {"previous": previous.stamp, "row_delta": delta}
    nothing = {"previous": None, "row_delta": None}
    assert summary.compared(None, window, rows, user_id) == nothing


def test_null_rates() -> None:
    rates = summary.null_rates([day(10, timeOfDay=5), day(30, timeOfDay=5, dayOfWeek=40), day(0)])
    assert tuple(rates) == NAMES
    assert {name: rate for name, rate in rates.items() if rate} == {
        "timeOfDay": 0.25,
        "dayOfWeek": 1.0,
    }
    assert summary.null_rates([day(0)]) == summary.null_rates([]) == dict.fromkeys(NAMES, 0.0)


def test_content(tmp_path: Path) -> None:
    early, late = datetime(2026, 3, 1), datetime(2026, 3, 9, 12)
    table = pa.table(
        {
            "userId": ["a", "b", "a", None],
            "eventType": ["x", "x", "y", "x"],
            "timestamp": pa.array([late, early, early, None], pa.timestamp("us")),
            "experimentPhase": pa.array(["baseline_1", None, None, None], pa.string()),
        }
    )
    path = tmp_path / "it's.parquet"
    pq.write_table(table, path)
    with duckdb.connect() as engine:
        found = summary.content(engine, path)
        assert found == {
            "users": 2,
            "event_types": 2,
            "first": early,
            "last": late,
            "null_phases": 0.75,
        }
        pq.write_table(table.slice(0, 0), path)
        assert summary.content(engine, path) == {
            "users": 0,
            "event_types": 0,
            "first": None,
            "last": None,
            "null_phases": 0.0,
        }
