"""The events assets as UI and schedule run them: whole, by partition, by range, alone."""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from PIL import Image

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, Extraction, SyncRecord
from outreach_platform.events.schema import NAMES, PHASES
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    create_source,
    event,
    event_id,
    in_phase,
    insert_events,
)
from outreach_platform_tests.support.postgres import drop_database, execute, fresh_database
from outreach_platform_tests.support.product import (
    Product,
    failures,
    materialized,
    run_events,
    url_text,
)

DAYS = 12
SUBJECT = "c" + "s" * 24
ALL = {
    *("behavioral_events", "behavioral_events_export", "experiment_protocols"),
    *("phase_assignments", "research_behavioral_events", "its_results", "abab_results"),
}
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass
class Wing:
    """One product with its database and its open instance; its clock stands at the start."""

    product: Product
    url: DatabaseUrl
    instance: dg.DagsterInstance
    now: datetime

    @property
    def folder(self) -> EventFolder:
        return EventFolder(self.product.data)

    def day(self, ago: int) -> str:
        return (self.now - timedelta(days=ago)).date().isoformat()

    def extraction(self) -> Extraction:
        return read_record(self.folder.extraction, Extraction)

    def pulled_at(self, ago: int) -> datetime:
        return read_record(self.folder.manifest(self.day(ago)), DayManifest).pulled_at


def subject_events(now: datetime) -> list[dict]:
    """Fifteen scores a phase, two days a phase; interventions are 15 points above baselines."""
    return [
        in_phase(
            phase,
            userId=SUBJECT,
            timestamp=now - timedelta(days=10 - 2 * place + n % 2, minutes=n),
            sessionPerformanceScore=(85 if "intervention" in phase else 70) + n % 5 - 2,
        )
        for place, phase in enumerate(PHASES)
        for n in range(15)
    ]


PROTOCOLS = f"""
INSERT INTO experiment_protocols ("id", "userId", "protocolName", "designType", "startDate")
VALUES ('{event_id(1, "p")}', '{event_id(1, "w")}', 'Goals **daily', 'MULTIPLE_BASELINE',
        now() - interval '10 days');
INSERT INTO phase_assignments ("id", "protocolId", "phaseLabel", "phaseType", "startDate") VALUES
('{event_id(1, "q")}', '{event_id(1, "p")}', 'A', 'BASELINE', now() - interval '10 days'),
('{event_id(2, "q")}', '{event_id(1, "p")}', 'B', 'INTERVENTION_A', now() - interval '5 days');
"""


@pytest.fixture(scope="module")
def wing(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wing]:
    url = fresh_database(pg_server, "event_assets")
    create_source(url)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    everyday = [
        event(timestamp=now - timedelta(days=n % 8), userId=event_id(n % 6, "w")) for n in range(40)
    ]
    insert_events(url, [*subject_events(now), *everyday])
    execute(url, PROTOCOLS)
    product = Product(tmp_path_factory.mktemp("event_assets"), {"DATABASE_URL": url_text(url)})
    with product.here() as instance:
        yield Wing(product, url, instance, now)
    drop_database(pg_server, "event_assets")


WINDOW = {"behavioral_events": {"days": DAYS}, "behavioral_events_export": {"days": DAYS}}


@pytest.fixture(scope="module")
def whole(wing: Wing) -> dg.ExecuteInProcessResult:
    result = run_events(wing.instance, config=WINDOW)
    assert result.success, failures(result)
    return result


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, dg.MetadataValue]]:
    """By asset; of behavioral_events what it says as a whole."""
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.partition is None
    }


def days_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, dg.MetadataValue]]:
    """Metadata of the days that a run reported as partitions."""
    return {
        event.partition: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.partition is not None
    }


pytestmark = pytest.mark.slow


def test_a_run_without_partitions_reports_each_pulled_day(
    whole: dg.ExecuteInProcessResult, wing: Wing
) -> None:
    assert materialized(whole) == ALL
    days = days_of(whole)
    assert list(days) == [wing.day(ago) for ago in reversed(range(DAYS))]
    key = dg.AssetKey(["events", "behavioral_events"])
    assert wing.instance.get_materialized_partitions(key) == set(days)
    rows = {day: m["dagster/partition_row_count"].value for day, m in days.items()}
    assert sum(rows.values()) == 100
    assert rows[wing.day(11)] == 7, "the second day of the first phase"
    reasons = {m["pulled_because"].value for m in days.values()}
    assert reasons == {"missing", "recent"}
    for entry in whole.get_asset_materialization_events():
        if entry.partition is not None:
            manifest = read_record(wing.folder.manifest(entry.partition), DayManifest)
            tags = entry.materialization.tags or {}
            assert tags["dagster/data_version"] == manifest.file.sha256
    together = metadata_of(whole)["behavioral_events"]
    assert together["days_pulled"].value == DAYS
    assert together["rows_pulled"].value == 100


def test_every_check_is_evaluated_and_passes(whole: dg.ExecuteInProcessResult) -> None:
    found = whole.get_asset_check_evaluations()
    assert len(found) == 10
    assert [e.check_name for e in found if not e.passed] == []


def test_the_export_says_what_it_holds(whole: dg.ExecuteInProcessResult, wing: Wing) -> None:
    metadata = metadata_of(whole)["behavioral_events_export"]
    newest = wing.folder.newest()
    assert newest
    assert newest.run_id == whole.run_id
    assert metadata["dagster/row_count"].value == 100
    assert metadata["file"].value == newest.file.path
    assert (metadata["users"].value, metadata["event_types"].value) == (7, 1)
    assert metadata["window"].value == f"{wing.day(DAYS - 1)} to {wing.day(0)}"
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert tuple(column.name for column in schema.columns) == NAMES
    described = {column.name: column.description for column in schema.columns}
    assert described["dayOfWeek"] == "0 to 6, 0 is Sunday"
    assert described["engagementLevel"] == "LOW, MEDIUM, HIGH"
    lineage = metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["id"][0].asset_key.path[-1] == "behavioral_events"
    assert "dvc_md5" not in metadata, "trackers are off here"


def test_the_research_database_tells_its_queries(
    whole: dg.ExecuteInProcessResult, wing: Wing
) -> None:
    metadata = metadata_of(whole)["research_behavioral_events"]
    assert metadata["form"].value == "view"
    assert "problem" not in metadata
    queries = re.findall(r"```sql\n(.*?)\n```", str(metadata["standing_queries"].value), re.S)
    assert len(queries) == 5
    path = str(metadata["database"].value)
    with duckdb.connect(path, read_only=True) as shell:
        for query in queries:
            given = [SUBJECT] if "$1" in query else []
            assert shell.execute(query, given).fetchall(), query


def test_analyses_show_a_sentence_and_a_picture(whole: dg.ExecuteInProcessResult) -> None:
    abab = metadata_of(whole)["abab_results"]
    assert (abab["dagster/row_count"].value, abab["estimated"].value) == (1, 1)
    assert f"* **{SUBJECT}**, no protocol: effect +15.0 points" in str(abab["results"].value)
    pictures = str(abab["pictures"].value)
    assert pictures.startswith(f"**{SUBJECT}**, no protocol")
    found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)\)", pictures)
    assert found
    image = Image.open(io.BytesIO(base64.b64decode(found.group(1))))
    image.load()
    assert image.format == "PNG"
    assert image.width > 400
    its = metadata_of(whole)["its_results"]
    assert (its["dagster/row_count"].value, its["estimated"].value) == (1, 0)
    assert "pictures" not in its
    (line,) = str(its["results"].value).splitlines()
    assert "Goals \\*\\*daily" in line, "a name must not be taken for Markdown"
    assert "too few" in line


def test_the_next_run_reports_the_lookback_alone(
    whole: dg.ExecuteInProcessResult, wing: Wing
) -> None:
    """Days that stand keep the materialization they have."""
    result = run_events(
        wing.instance, ["behavioral_events"], config={"behavioral_events": {"days": DAYS}}
    )
    assert result.success, failures(result)
    days = days_of(result)
    assert list(days) == [wing.day(ago) for ago in (2, 1, 0)]
    assert metadata_of(result)["behavioral_events"]["days_kept"].value == DAYS - 3


def test_a_partition_takes_its_day_alone(whole: dg.ExecuteInProcessResult, wing: Wing) -> None:
    latest = wing.folder.latest.readlink()
    insert_events(
        wing.url,
        [event(timestamp=wing.now - timedelta(days=n), userId=event_id(1, "w")) for n in (4, 5)],
    )
    before = {ago: wing.pulled_at(ago) for ago in (0, 4, 5)}
    result = run_events(wing.instance, ["behavioral_events"], partition=wing.day(5))
    assert result.success, failures(result)
    (shown,) = days_of(result).items()
    assert shown[0] == wing.day(5)
    manifest = read_record(wing.folder.manifest(wing.day(5)), DayManifest)
    assert shown[1]["dagster/partition_row_count"].value == manifest.file.rows
    assert shown[1]["pulled_because"].value == "changed at the source"
    assert wing.pulled_at(5) > before[5]
    assert {ago: wing.pulled_at(ago) for ago in (0, 4)} == {ago: before[ago] for ago in (0, 4)}
    assert wing.folder.latest.readlink() == latest
    assert {e.check_name for e in result.get_asset_check_evaluations() if not e.passed} == set()


def test_a_range_takes_its_days_and_describes_each(
    whole: dg.ExecuteInProcessResult, wing: Wing
) -> None:
    latest = wing.folder.latest.readlink()
    insert_events(
        wing.url, [event(timestamp=wing.now - timedelta(days=6), userId=event_id(1, "w"))]
    )
    before = wing.pulled_at(0)
    result = run_events(
        wing.instance,
        ["behavioral_events"],
        tags=dict(zip(RANGE, (wing.day(8), wing.day(6)), strict=True)),
    )
    assert result.success, failures(result)
    days = days_of(result)
    assert list(days) == [wing.day(ago) for ago in (8, 7, 6)]
    for day, metadata in days.items():
        manifest = read_record(wing.folder.manifest(day), DayManifest)
        assert metadata["dagster/partition_row_count"].value == manifest.file.rows
    assert days[wing.day(6)]["pulled_because"].value == "changed at the source"
    assert str(days[wing.day(8)]["pulled_because"].value).startswith("not pulled")
    assert wing.pulled_at(0) == before
    assert wing.folder.latest.readlink() == latest


def test_each_asset_runs_alone_on_what_stands(whole: dg.ExecuteInProcessResult, wing: Wing) -> None:
    stale = wing.folder.latest.readlink()
    export = run_events(
        wing.instance,
        ["behavioral_events_export"],
        config={"behavioral_events_export": {"days": DAYS}},
    )
    assert export.success, failures(export)
    assert materialized(export) == {"behavioral_events_export"}
    assert wing.folder.latest.readlink() != stale
    assert read_record(wing.folder.synced, SyncRecord).run_id == whole.run_id
    research = run_events(
        wing.instance,
        ["research_behavioral_events"],
        config={"research_behavioral_events": {"form": "table"}},
    )
    assert research.success, failures(research)
    assert metadata_of(research)["research_behavioral_events"]["form"].value == "table"
    synced = read_record(wing.folder.synced, SyncRecord)
    assert (synced.run_id, synced.form) == (research.run_id, "table")
    analyses = run_events(wing.instance, ["its_results", "abab_results"])
    assert analyses.success, failures(analyses)
    assert "+15.0 points" in str(metadata_of(analyses)["abab_results"]["results"].value)


@pytest.mark.parametrize(
    ("name", "config", "says"),
    [
        ("behavioral_events", {"days": 0}, "a window of 0 days cannot be exported: choose 1 to"),
        ("behavioral_events", {"validation": "lax"}, "choose one of strict, non_strict, none"),
        ("behavioral_events_export", {"days": -3}, "a window of -3 days cannot be exported"),
        ("research_behavioral_events", {"form": "cube"}, "choose one of auto, view, table"),
    ],
)
def test_bad_config_is_named(wing: Wing, name: str, config: dict, says: str) -> None:
    result = run_events(wing.instance, [name], config={name: config})
    assert not result.success
    assert says in failures(result)


def test_nothing_to_work_on_is_said(tmp_path: Path) -> None:
    """Before the first extraction; the database is not asked, so that none is needed."""
    database = tmp_path / "mine.duckdb"
    product = Product(
        tmp_path,
        {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x", "DUCKDB_DB_PATH": str(database)},
    )
    with product.here() as instance:
        export = run_events(instance, ["behavioral_events_export"])
        assert "90 of the 90 days" in failures(export)
        assert "materialize events/behavioral_events for them" in failures(export)
        research = run_events(instance, ["research_behavioral_events"])
        assert "run `outreach events` first" in failures(research)
        missing = run_events(instance, ["abab_results"])
        assert "there is no research database" in failures(missing)
        duckdb.connect(str(database)).close()
        other = run_events(instance, ["its_results"])
        assert "the research database cannot answer" in failures(other)
        assert "run `outreach events --sync-duckdb`" in failures(other)
    assert not any(result.success for result in (export, research, missing, other))
