"""209,029 real rows through the wing; what is expected is counted by pandas, by none of our rules.

The clock stands in 2011, in the afternoon of the file's last day.
"""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.extract import InvalidEventsError
from outreach_platform.events.records import DayManifest, ExportManifest, Extraction, Window
from outreach_platform.events.run import EventsRun
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.lake import read_record, sha256_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.events import retail
from outreach_platform_tests.events.retail import Source, by_day, counts, days_of, rows_where
from outreach_platform_tests.support.event_rows import new_run
from outreach_platform_tests.support.postgres import drop_database, execute, fresh_database
from outreach_platform_tests.support.real_data import real_data_folder

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(real_data_folder() is None, reason="no real data"),
]

FIRST, LAST = date(2010, 12, 1), date(2011, 5, 31)
NOW = datetime(2011, 5, 31, 15, 30, tzinfo=UTC)
WINDOW = Window(start=FIRST, end=LAST)
NIGHT = datetime(2011, 6, 1, 21, 0, tzinfo=UTC)
SPRING = Window(start=date(2011, 4, 1), end=NIGHT.date())


@dataclass(frozen=True)
class Taken:
    """What one non-strict run left."""

    run: EventsRun
    extraction: Extraction
    export: ExportManifest


@pytest.fixture(scope="module")
def source(pg_server: EmbeddedServer) -> Iterator[Source]:
    events = retail.to_events(retail.read_lines()).sort_values(["timestamp", "id"])
    events = events.reset_index(drop=True)
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = fresh_database(pg_server, name)
    retail.create_table(url)
    retail.copy_in(url, events)
    yield Source(url, name, events, retail.violations(events, NOW))
    drop_database(pg_server, name)


@pytest.fixture(scope="module")
def taken(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    run = new_run(tmp_path_factory.mktemp("data"), source.url, NOW)
    extraction = run.extract(WINDOW, "non_strict")
    run.siblings()
    export = run.export(WINDOW)
    assert run.sync().problem is None
    return Taken(run, extraction, export)


@pytest.fixture
def copied(source: Source, pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    """The source once more, to be changed."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield fresh_database(pg_server, name, source.name)
    drop_database(pg_server, name)


def manifests(run: EventsRun, window: Window = WINDOW) -> dict[str, DayManifest]:
    return {day: read_record(run.folder.manifest(day), DayManifest) for day in window.days}


def test_the_file_is_as_dirty_as_it_is_said_to_be(source: Source) -> None:
    found = counts(source.broken)
    assert len(source.events) == 209_029
    assert len(found) == 8
    assert found["user_id_missing"] == 59_976
    assert found["id_not_unique"] == 3_364
    assert len(set(WINDOW.days) - set(by_day(source.events))) == 41
    assert 0.6 < len(source.good) / len(source.events) < 0.7


def test_strict_takes_nothing_and_reports_every_violation(source: Source, tmp_path: Path) -> None:
    run = new_run(tmp_path, source.url, NOW)
    with pytest.raises(InvalidEventsError) as stopped:
        run.extract(WINDOW)
    found = stopped.value.extraction
    assert found.errors == counts(source.broken)
    assert found.source_rows == len(source.events)
    assert f"{len(source.bad):,} of the events pulled break rules" in str(stopped.value)
    assert str(stopped.value).count("(") >= 6  # the counts, and the first five
    assert run.folder.standing_days() == []
    assert not run.folder.latest.exists()
    assert found.report is not None
    report = pd.read_csv(tmp_path / found.report, dtype=str, keep_default_na=False)
    assert list(report.columns) == ["rule", "column", "value", "row_id"]
    assert report["rule"].value_counts().to_dict() == counts(source.broken)
    # Every violation stands under the id of its row, with the value that is wrong.
    scores = report[report["rule"] == "session_performance_score_out_of_range"]
    expected = rows_where(source.events, source.broken["session_performance_score_out_of_range"])
    assert sorted(zip(scores["row_id"], scores["value"].astype(int), strict=True)) == sorted(
        zip(expected["id"], expected["sessionPerformanceScore"], strict=True)
    )


def test_good_and_quarantined_are_the_rows_of_every_day(source: Source, taken: Taken) -> None:
    good, bad = by_day(source.good), by_day(source.bad)
    for day, manifest in manifests(taken.run).items():
        assert manifest.file.rows == good.get(day, 0), day
        assert manifest.quarantined == bad.get(day, 0), day
        assert manifest.source_rows == good.get(day, 0) + bad.get(day, 0), day
    assert taken.extraction.rows == len(source.good)
    assert taken.extraction.rows + taken.extraction.quarantined == len(source.events)
    assert taken.extraction.errors == counts(source.broken)
    irish = source.events["difficultyLevel"] == "EIRE"
    assert taken.extraction.warnings == {"day_of_week_mismatch": np.count_nonzero(irish)}


def test_each_quarantined_row_carries_all_of_its_codes(source: Source, taken: Taken) -> None:
    files = sorted(taken.run.folder.quarantined("x").parent.glob("*.parquet"))
    rows = pd.concat([pq.read_table(path).to_pandas() for path in files])
    found = sorted(zip(rows["id"], map(sorted, rows["validation_errors"]), strict=True))
    broken = rows_where(source.broken, source.broken.any(axis=1))
    codes = [
        sorted(code for code, wrong in row.items() if wrong)
        for row in broken.to_dict(orient="records")
    ]
    assert found == sorted(zip(source.bad["id"], codes, strict=True))


def test_days_without_events_are_empty_typed_files(source: Source, taken: Taken) -> None:
    missing = sorted(set(WINDOW.days) - set(by_day(source.events)))
    full = pq.read_schema(taken.run.folder.day(LAST.isoformat()))
    for day in missing:
        table = pq.ParquetFile(taken.run.folder.day(day)).read()
        assert table.num_rows == 0
        assert table.schema.equals(full), day
    assert "2010-12-25" in missing


def test_the_export_is_the_good_rows(source: Source, taken: Taken) -> None:
    assert taken.export.file.rows == len(source.good)
    assert taken.export.quarantined == len(source.events) - len(source.good)
    assert taken.export.users == source.good["userId"].nunique()
    assert (taken.export.first, taken.export.last) == (
        source.good["timestamp"].min(),
        source.good["timestamp"].max(),
    )
    found = pq.read_table(taken.run.folder.latest).to_pandas()
    assert list(found.columns) == list(NAMES)
    for name in NAMES:
        ours, theirs = found[name], source.good[name]
        if name == "eventData":
            assert list(map(json.loads, ours)) == list(map(json.loads, theirs))
        else:
            same = (ours.to_numpy() == theirs.to_numpy()) | (
                ours.isna().to_numpy() & theirs.isna().to_numpy()
            )
            assert same.all(), name


def test_nulls_are_counted_before_validation(source: Source, taken: Taken) -> None:
    expected = source.events.isna().mean()
    assert taken.export.null_rates == pytest.approx({name: expected[name] for name in NAMES})
    assert taken.export.null_rates["userId"] > 0.25


def test_research_counts_what_pandas_groups(source: Source, taken: Taken) -> None:
    good = source.good
    database = str(taken.run.settings.analytics_path)
    with duckdb.connect(database, read_only=True) as connection:
        daily = connection.execute(
            'SELECT "userId", day, observations, mean_score, mean_hour, day_of_week '
            "FROM research.its_daily ORDER BY 1, 2"
        ).fetchall()
        phases = connection.execute(
            'SELECT "userId", phase, count(*), sum(score) FROM research.abab_observations '
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    ended = rows_where(good, good["eventType"] == "SESSION_ENDED")
    groups = ended.groupby(["userId", ended["timestamp"].dt.date])
    expected = groups.agg(
        observations=("id", "size"),
        score=("sessionPerformanceScore", "mean"),
        hour=("timeOfDay", "mean"),
    ).reset_index()
    assert [row[:3] for row in daily] == [
        tuple(row) for row in expected[["userId", "timestamp", "observations"]].to_numpy()
    ]
    assert [row[3] for row in daily] == pytest.approx(expected["score"].tolist())
    assert [row[4] for row in daily] == pytest.approx(expected["hour"].tolist())
    assert [row[5] for row in daily] == [row[1].isoweekday() % 7 for row in daily]
    scored = good.dropna(subset=["experimentPhase"]).groupby(["userId", "experimentPhase"])
    sums = scored["sessionPerformanceScore"].agg(["size", "sum"]).reset_index()
    assert phases == [tuple(row) for row in sums.to_numpy()]
    assert len(phases) > 400


def test_a_rerun_changes_no_byte(taken: Taken) -> None:
    before = manifests(taken.run)
    again = taken.run.extract(WINDOW, "non_strict")
    # A day with quarantined rows is judged anew each time; all but the empty ones have some.
    reasons = set(again.pulled.values())
    assert reasons == {"recent", "has quarantined rows"}
    assert again.errors == taken.extraction.errors
    after = manifests(taken.run)
    for day, manifest in before.items():
        assert (after[day].file, after[day].quarantine) == (manifest.file, manifest.quarantine)
        assert sha256_of(taken.run.folder.day(day)) == manifest.file.sha256
    assert taken.run.export(WINDOW).file.sha256 == taken.export.file.sha256


def spring(events: pd.DataFrame) -> pd.DataFrame:
    return rows_where(events, days_of(events) >= SPRING.start.isoformat())


def next_day(source: Source) -> pd.DataFrame:
    """Good rows of the 26th of May as if they had happened on the 1st of June."""
    rows = rows_where(source.good, days_of(source.good) == "2011-05-26").copy()
    rows["id"] = rows["id"].map(retail.cuid)
    rows["timestamp"] += timedelta(days=6)
    rows["dayOfWeek"] = (rows["timestamp"].dt.day_of_week + 1) % 7
    assert len(rows) > 500
    return rows


def test_a_night_on_a_mended_source_pulls_only_the_lookback(
    source: Source, copied: DatabaseUrl, tmp_path: Path
) -> None:
    good, new = spring(source.good), next_day(source)
    execute(copied, "TRUNCATE public.behavioral_events")
    retail.copy_in(copied, good)
    run = new_run(tmp_path, copied, NOW)
    assert run.extract(Window(start=SPRING.start, end=LAST)).rows == len(good)
    first = manifests(run, Window(start=SPRING.start, end=LAST))
    retail.copy_in(copied, new)
    night = new_run(tmp_path, copied, NIGHT, run_id="night")
    pulled = night.extract(SPRING)
    assert list(pulled.pulled) == ["2011-05-30", "2011-05-31", "2011-06-01"]
    assert pulled.kept == len(SPRING.days) - 3
    assert pulled.source_rows == len(good) + len(new)
    for day, manifest in manifests(night, SPRING).items():
        if day not in pulled.pulled:
            assert manifest == first[day]
    assert night.export(SPRING).file.rows == len(good) + len(new)
    # An id that stands on a day which is not pulled again.
    twin = new.head(1).assign(id=good["id"].iloc[0])
    retail.copy_in(copied, twin)
    with pytest.raises(InvalidEventsError) as stopped:
        night.extract(SPRING)
    assert stopped.value.extraction.errors == {"id_not_unique": 1}


def test_a_night_on_the_dirty_source_judges_its_days_anew(
    source: Source, taken: Taken, copied: DatabaseUrl, tmp_path: Path
) -> None:
    shutil.copytree(taken.run.folder.data_dir, tmp_path, dirs_exist_ok=True, symlinks=True)
    good, new = spring(source.good), next_day(source)
    new = pd.concat([new.head(1).assign(id=good["id"].iloc[0]), new.tail(-1)])
    retail.copy_in(copied, new)
    night = new_run(tmp_path, copied, NIGHT, run_id="night")
    found = night.extract(SPRING, "non_strict")
    everything = pd.concat([spring(source.events), new])
    broken = retail.violations(everything, NIGHT)
    assert found.errors == counts(broken)
    # What lay in the future has come by now; the id that came again is wrong on both days.
    assert "timestamp_not_future" not in found.errors
    doubled = set(everything["id"][broken["id_not_unique"]])
    assert doubled - set(spring(source.bad)["id"]) == {good["id"].iloc[0]}
    rows = by_day(rows_where(everything, ~broken.any(axis=1)))
    for day, manifest in manifests(night, SPRING).items():
        assert manifest.file.rows == rows.get(day, 0), day
