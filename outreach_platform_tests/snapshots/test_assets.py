"""Whole runs of one state through `snapshot_job`, on the product's own instance."""

import base64
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from PIL import Image

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES, PullRecord
from outreach_platform.snapshots.workbench import workbench_path
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import drop_database, fetch, fresh_database
from outreach_platform_tests.support.product import (
    Product,
    asset,
    audit_rows,
    failures,
    fill_state,
    materialized,
    run_state,
    today,
    url_text,
)

pytestmark = pytest.mark.slow

ALL = {"companies_raw", "people_raw", *TABLES, "parquet_exports", "b2_objects", "snapshots"}
PEOPLE_OF_WV = [
    {"email": "marked.local@first-domain.example.org", "work_phone_e164": "+13049990001"},
    {"email": "marked.and.bad(at)second-domain", "work_phone_e164": "304 999 0002"},
    {"email": " Marked.Upper@THIRD-DOMAIN.example ", "work_phone_e164": "call 3049990003"},
    {
        "email": "marked@fourth-domain.example",
        "personal_phone_e164": "+13049990004",
        "title": "CEO, marked.title@fifth-domain.example",
        "bio": "marked bio of somebody",
        "first_name": "Markedfirst",
        "last_name": "Markedlast",
    },
]
PERSONAL = re.compile(rb"marked|(first|second|third|fourth|fifth)-domain|304.?999.?000", re.I)


@pytest.fixture(scope="module")
def url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    url = fresh_database(pg_server, "assets")
    create_masters(url)
    here = {"address_state": "WV", "state_abbrev": "WV"}
    companies = [company(**here) for _ in range(9)]
    # What stands in a company's field by mistake is a person's all the same.
    companies.append(company(**here, website_url="marked.web@first-domain.example.org"))
    companies.append(company(**here, company_name="marked@first-domain.example", website_url=None))
    insert(url, COMPANIES, companies)
    ids = [c["company_unique_id"] for c in companies]
    insert(
        url,
        PEOPLE,
        [
            person(**{"company_unique_id": ids[i], **fields})
            for i, fields in enumerate(PEOPLE_OF_WV)
        ],
    )
    yield url
    drop_database(pg_server, "assets")


@pytest.fixture(scope="module")
def product(url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Product:
    return Product(tmp_path_factory.mktemp("assets"), {"NEON_DATABASE_URL": url_text(url)})


@pytest.fixture(scope="module")
def instance(product: Product) -> Iterator[dg.DagsterInstance]:
    with product.here() as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    result = run_state(instance, "WV")
    assert result.success, failures(result)
    return result


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, dg.MetadataValue]]:
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
    }


def test_a_run_materializes_all_nine_for_its_partition(
    whole: dg.ExecuteInProcessResult, instance: dg.DagsterInstance
) -> None:
    assert materialized(whole) == ALL
    key = f"{today()}|WV"
    for name in ALL:
        assert instance.get_materialized_partitions(asset(name)) == {key}
    (version,) = {m["version"].value for m in metadata_of(whole).values() if "version" in m}
    assert re.fullmatch(r"\d{14}", str(version))


def test_row_counts_and_column_schemas(
    whole: dg.ExecuteInProcessResult, product: Product, url: DatabaseUrl
) -> None:
    metadata = metadata_of(whole)
    rows = {name: m["dagster/row_count"].value for name, m in metadata.items() if name in TABLES}
    assert rows == {"companies_good": 10, "companies_bad": 1, "people_good": 3, "people_bad": 1}
    assert metadata["companies_raw"]["dagster/row_count"].value == 11
    assert metadata["people_raw"]["dagster/row_count"].value == 4
    assert metadata["parquet_exports"]["dagster/row_count"].value == 15
    source = fetch(
        url,
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'company_master' ORDER BY ordinal_position",
    )
    names = [name for (name,) in source]
    for table in ("companies_raw", "companies_good", "companies_bad"):
        schema = metadata[table]["dagster/column_schema"].value
        assert isinstance(schema, dg.TableSchema)
        shown = [c.name for c in schema.columns]
        more = [] if table.endswith("raw") else ["validation_errors", "validation_warnings"]
        assert shown == [*names, *more]
    lineage = metadata["people_bad"]["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["email"][0].asset_key == asset("people_raw")
    assert "validation_errors" not in lineage.deps_by_column


def test_the_error_breakdown_is_a_table(whole: dg.ExecuteInProcessResult) -> None:
    metadata = metadata_of(whole)
    lines = str(metadata["companies_bad"]["errors"].value).splitlines()
    assert lines[0] == "| code | rows | share | the row is bad because |"
    assert lines[2].startswith("| website_url_missing | 1 | 9.1% | ")
    assert metadata["companies_bad"]["bad_ratio"].value == pytest.approx(1 / 11)
    assert "| email_invalid | 1 | 25.0% |" in str(metadata["people_bad"]["errors"].value)


def test_nobodys_mail_or_phone_is_in_any_event_or_log(
    whole: dg.ExecuteInProcessResult, instance: dg.DagsterInstance, product: Product
) -> None:
    """Not in the records of the run, and in no file but those that are made of rows."""
    events = [entry.to_json() for entry in instance.all_logs(whole.run_id)]
    assert len(events) > 50
    for event in events:
        assert not PERSONAL.search(event.encode()), event
    sample = str(metadata_of(whole)["people_good"]["sample"].value)
    assert "m***@f***.org" in sample
    assert "***01" in sample
    assert sample.count("\n") == 4
    holders = {
        path.suffix
        for path in product.data.rglob("*")
        if path.is_file() and PERSONAL.search(path.read_bytes())
    }
    assert holders <= {".parquet"}
    assert holders == {".parquet"}, "the search itself must be able to find something"


def test_the_picture_is_a_picture(whole: dg.ExecuteInProcessResult) -> None:
    history = str(metadata_of(whole)["snapshots"]["history"].value)
    found = re.fullmatch(r"!\[[^]]*]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", history)
    assert found
    image = Image.open(io.BytesIO(base64.b64decode(found.group(1))))
    image.load()
    assert image.format == "PNG"
    assert image.width > 400
    colours = image.convert("RGB").getcolors(1 << 24)
    assert colours
    shown = {colour for _, colour in colours}
    assert {(0x2F, 0x7D, 0x5B), (0xC9, 0x55, 0x3D)} <= shown, "good and bad bars"


def test_every_check_is_evaluated_for_the_partition(
    whole: dg.ExecuteInProcessResult, instance: dg.DagsterInstance
) -> None:
    found = whole.get_asset_check_evaluations()
    assert len(found) == 9
    assert {e.partition for e in found} == {f"{today()}|WV"}
    assert all(e.passed for e in found)


@pytest.mark.slow
def test_data_versions_follow_the_content(
    whole: dg.ExecuteInProcessResult, instance: dg.DagsterInstance
) -> None:
    def versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
        return {
            e.asset_key.path[-1]: str((e.materialization.tags or {})["dagster/data_version"])
            for e in result.get_asset_materialization_events()
        }

    again = run_state(instance, "WV")
    assert again.success
    before, after = versions(whole), versions(again)
    for name in ("companies_raw", "people_raw", *TABLES):
        assert before[name] == after[name], name
    assert before["parquet_exports"] != after["parquet_exports"]


@pytest.mark.slow
def test_a_past_day_is_rebuilt_from_stored_rows_and_refused_without(
    whole: dg.ExecuteInProcessResult,
    instance: dg.DagsterInstance,
    product: Product,
    url: DatabaseUrl,
) -> None:
    fill_state(url, "PA", good=7)
    yesterday = today() - timedelta(days=1)
    refused = run_state(instance, "PA", yesterday)
    assert not refused.success
    assert materialized(refused) == set()
    assert "the source has moved on" in failures(refused)
    alone = run_state(instance, "PA", yesterday, assets=[asset(t) for t in TABLES])
    assert "no raw rows are stored for that day" in failures(alone)
    assert [r["kill_switch_status"] for r in audit_rows(url, "PA")][:1] == ["FAILED"]

    # The pull alone, as if it had been made yesterday.
    assert run_state(instance, "PA", assets=[asset("companies_raw"), asset("people_raw")]).success
    folder = product.folder("PA")
    (version,) = folder.versions()
    record = read_record(folder.pull_record(version), PullRecord)
    write_record(folder.pull_record(version), record.model_copy(update={"partition": yesterday}))
    fill_state(url, "PA", good=5)  # the source moves on

    rebuilt = run_state(instance, "PA", yesterday)
    assert rebuilt.success, failures(rebuilt)
    assert materialized(rebuilt) == ALL
    assert folder.published_versions() == [version]
    assert metadata_of(rebuilt)["companies_good"]["dagster/row_count"].value == 7
    names = sorted(ALL - {"companies_raw", "people_raw"})
    again = run_state(instance, "PA", yesterday, assets=[asset(name) for name in names])
    assert again.success, "a published version rebuilt with the same result is a no-op"
    assert folder.published_versions() == folder.exported_versions() == [version]
    stored = [r for r in audit_rows(url, "PA") if r["kill_switch_status"] == "OK"]
    assert len(stored) == 1


def test_a_day_to_come_is_no_partition(instance: dg.DagsterInstance) -> None:
    with pytest.raises(dg.DagsterUnknownPartitionError):
        run_state(instance, "WV", today() + timedelta(days=1))


def test_stored_rows_that_changed_are_refused(
    instance: dg.DagsterInstance, product: Product, url: DatabaseUrl
) -> None:
    fill_state(url, "DE", good=3)
    raw = [asset("companies_raw"), asset("people_raw")]
    assert run_state(instance, "DE", assets=raw).success
    folder = product.folder("DE")
    (version,) = folder.versions()
    record = read_record(folder.pull_record(version), PullRecord)
    day = today() - timedelta(days=2)
    write_record(folder.pull_record(version), record.model_copy(update={"partition": day}))
    with folder.table(version, "companies_raw").open("ab") as file:
        file.write(b"more")
    refused = run_state(instance, "DE", day)
    assert not refused.success
    assert materialized(refused) == set()
    assert not folder.published_versions()


@pytest.mark.slow
def test_a_busy_state_is_refused_in_words_and_audited(
    instance: dg.DagsterInstance,
    product: Product,
    url: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[locks]\nwait_seconds = 0.3\n")
    monkeypatch.setenv("OUTREACH_SETTINGS", str(settings))
    lock = NamedLock(product.folder("OH").lock, "OH")
    lock.acquire("run of somebody else", 1)
    try:
        result = run_state(instance, "OH")
    finally:
        lock.release()
    assert not result.success
    assert materialized(result) == set()
    assert re.search(r"OH is busy: run of somebody else \(process \d+\)", failures(result))
    (row,) = audit_rows(url, "OH")
    assert (row["kill_switch_status"], row["run_id"]) == ("FAILED", result.run_id)
    assert "OH is busy" in row["error"]
    fill_state(url, "OH", good=3)
    assert run_state(instance, "OH").success, "the lock is free again"


def test_half_a_key_of_the_store_is_refused_in_words_and_audited(
    instance: dg.DagsterInstance, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("B2_KEY_ID", "0123")
    result = run_state(instance, "VA")
    assert not result.success
    assert "B2_APPLICATION_KEY is not: set both" in failures(result)
    (row,) = audit_rows(url, "VA")
    assert (row["kill_switch_status"], row["run_id"]) == ("FAILED", result.run_id)


def test_a_data_folder_that_refuses_is_named(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder should be; the instance is elsewhere and takes the run."""
    (tmp_path / "data").write_text("a file")
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "data"))
    result = run_state(instance, "WV")
    assert not result.success
    assert f"{tmp_path / 'data'} cannot be written (" in failures(result)
    assert "OUTREACH_DATA_DIR" in failures(result)


@pytest.mark.slow
def test_a_workbench_that_cannot_be_read_takes_the_picture_alone(
    whole: dg.ExecuteInProcessResult, instance: dg.DagsterInstance, product: Product, tmp_path: Path
) -> None:
    """The version is published by then; a run that fails over a picture would say otherwise."""
    from outreach_platform.definitions import build_defs
    from outreach_platform.snapshots.resources import WorkbenchResource

    broken = tmp_path / "no.duckdb"
    broken.write_text("this is no database")
    defs = build_defs({"workbench": WorkbenchResource(database=str(broken))})
    result = run_state(instance, "WV", defs=defs)
    assert result.success, failures(result)
    metadata = metadata_of(result)["snapshots"]
    assert "history" not in metadata
    warnings = [e for e in instance.all_logs(result.run_id) if e.level == 30]
    assert any("the picture" in e.user_message for e in warnings)


def test_the_workbench_in_a_plain_shell(whole: dg.ExecuteInProcessResult, product: Product) -> None:
    with duckdb.connect(str(workbench_path(product.data)), read_only=True) as shell:
        errors = shell.sql(
            "SELECT validation_errors, COUNT(*) FROM companies_bad WHERE snapshot_state = 'WV' "
            "GROUP BY 1"
        ).fetchall()
        assert errors == [(["website_url_missing"], 1)]


def test_nothing_is_left_behind(whole: dg.ExecuteInProcessResult, product: Product) -> None:
    """Locks are free, and no partial file stands anywhere."""
    assert not list((product.data / "locks").glob("*.holder.json"))
    assert not list(product.data.rglob("*.partial"))
