"""Publishing to a local folder, B2 and S3, and stores that fail in the middle."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tenacity import wait_none

from outreach_platform.foundation.errors import StoreError, StoreUnavailableError
from outreach_platform.foundation.objects import upload
from outreach_platform.foundation.objects.b2 import B2Store
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.records import baseline_of
from outreach_platform.snapshots.workbench import rebuild
from outreach_platform_tests.support.b2_server import B2Server, b2_server
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.s3_server import S3Server, s3_server
from outreach_platform_tests.support.snapshot_runs import (
    START,
    audit_rows,
    fill,
    later,
    new_run,
    pull_to_judge,
    statuses,
    whole,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow

BUCKET = "svg-enrichment"
LATE = "20990101000000"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_WAIT", wait_none())


@pytest.fixture
def b2() -> Iterator[B2Server]:
    with b2_server(BUCKET) as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server(BUCKET) as server:
        yield server


@pytest.fixture
def source(neon_url: DatabaseUrl) -> DatabaseUrl:
    create_masters(neon_url)
    fill(neon_url)
    return neon_url


def b2_store(server: B2Server, key: tuple[str, str] | None = None, bucket: str = BUCKET) -> B2Store:
    key_id, secret = key or (server.key_id, server.application_key)
    return B2Store(key_id, secret, bucket, realm=server.realm)


def assert_five_objects(store: ObjectStore, version: str, data_dir: Path) -> None:
    """All five stand under the contract's keys with the contract's metadata and right bytes."""
    folder = new_run(DatabaseUrl({}), data_dir).folder
    paths = {folder.object_key(version, t): folder.export(version, t) for t in TABLES}
    paths[folder.manifest_key(version)] = folder.manifest(version)
    assert {info.key for info in store.list("outreach/WV/")} >= set(paths)
    assert f"outreach/WV/companies/good/companies_good_{version}.parquet" in paths
    assert f"outreach/WV/manifests/{version}.json" in paths
    for key, path in paths.items():
        info = store.head(key)
        assert info is not None
        assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert set(info.metadata) == {
            "snapshot-version",
            "state",
            "table_name",
            "upload_timestamp",
            "pipeline",
        }
        assert info.metadata["snapshot-version"] == version
        assert info.metadata["pipeline"] == "state_duckdb_pipeline"


def test_b2_holds_what_was_published(source: DatabaseUrl, tmp_path: Path, b2: B2Server) -> None:
    store = b2_store(b2)
    done = whole(new_run(source, tmp_path, store=store, at=START))
    assert_five_objects(store, done.version, tmp_path)
    uploads = b2.calls.count("b2_upload_file")
    assert uploads == 5
    again = new_run(source, tmp_path, store=store, run_id="again", at=later(5))
    again.upload(done.version)
    again.record(done.version)
    assert b2.calls.count("b2_upload_file") == uploads
    urls = audit_rows(source)[-1][2]["b2_urls"]
    assert all(url.startswith(b2.realm) for url in urls.values())


@pytest.mark.slow
def test_s3_holds_what_was_published(source: DatabaseUrl, tmp_path: Path, s3: S3Server) -> None:
    store = S3Store(s3.client, s3.bucket)
    done = whole(new_run(source, tmp_path, store=store, at=START))
    assert_five_objects(store, done.version, tmp_path)
    urls = audit_rows(source)[-1][2]["b2_urls"]
    assert urls["manifest"] == f"s3://{BUCKET}/outreach/WV/manifests/{done.version}.json"


@pytest.mark.parametrize("after", [0, 2, 4])
@pytest.mark.parametrize("kind", [503, "drop", "drop_after"])
def test_regression_4_an_upload_that_fails_midway_is_completed_by_the_next_run(
    source: DatabaseUrl, tmp_path: Path, b2: B2Server, after: int, kind: int | str
) -> None:
    store = b2_store(b2)
    run = new_run(source, tmp_path, store=store, run_id="first", at=START)
    pulled, _, _ = pull_to_judge(run)
    manifest = run.export(pulled.version)
    sent = store.put
    puts = []

    def fails_from_then_on(*args: object, **kwargs: object) -> object:
        puts.append(args)
        if len(puts) > after:
            b2.fail_next(1000, kind)
        return sent(*args, **kwargs)

    store.put = fails_from_then_on
    with pytest.raises(StoreUnavailableError):
        run.upload(pulled.version)
    assert run.folder.published_versions() == []
    assert baseline_of(run.folder, LATE, "embedded") is None
    assert statuses(source) == [(pulled.version, "FAILED")]
    b2.faults.clear()
    done = whole(new_run(source, tmp_path, store=b2_store(b2), run_id="second", at=later(60)))
    assert run.folder.published_versions() == [pulled.version, done.version]
    assert_five_objects(b2_store(b2), pulled.version, tmp_path)
    assert manifest.snapshot_id + 1 == done.manifest.snapshot_id
    assert statuses(source) == [
        (pulled.version, "FAILED"),
        (pulled.version, "OK"),
        (done.version, "OK"),
    ]
    names = [version.name for version in b2.versions if version.action == "upload"]
    if kind != "drop_after":
        assert len(names) == len(set(names))


@pytest.mark.parametrize("what", ["missing bucket", "read-only"])
def test_a_store_that_refuses_leaves_the_version_for_the_next_run(
    source: DatabaseUrl, tmp_path: Path, b2: B2Server, what: str
) -> None:
    refusing = (
        b2_store(b2, bucket="no-such-bucket")
        if what == "missing bucket"
        else b2_store(b2, b2.read_only_key())
    )
    run = new_run(source, tmp_path, store=refusing, run_id="first", at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    with pytest.raises(StoreError, match="no-such-bucket" if "missing" in what else "writeFiles"):
        run.upload(pulled.version)
    with pytest.raises(StoreError):
        run.record(pulled.version)
    assert run.folder.published_versions() == []
    assert rebuild(tmp_path, "test") == []
    second = new_run(source, tmp_path, store=refusing, run_id="second", at=later(30))
    with pytest.raises(StoreError):
        second.pull()
    assert run.folder.exported_versions() == [pulled.version]
    done = whole(new_run(source, tmp_path, store=b2_store(b2), run_id="third", at=later(60)))
    assert run.folder.published_versions() == [pulled.version, done.version]
    ok = [version for version, said in statuses(source) if said == "OK"]
    assert ok == [pulled.version, done.version]


def test_an_upload_damaged_on_its_way_is_not_confirmed(
    source: DatabaseUrl, tmp_path: Path, b2: B2Server
) -> None:
    run = new_run(source, tmp_path, store=b2_store(b2), at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    b2.fail_next(1, "corrupt", call="b2_upload_file")
    with pytest.raises(StoreUnavailableError):
        run.upload(pulled.version)
    assert b2.visible() == {}
    run.upload(pulled.version)
    assert_five_objects(run.store, pulled.version, tmp_path)


def test_an_object_that_vanished_before_the_record_is_sent_again(
    source: DatabaseUrl, tmp_path: Path, b2: B2Server
) -> None:
    run = new_run(source, tmp_path, store=b2_store(b2), at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    run.upload(pulled.version)
    b2.hide(run.folder.object_key(pulled.version, "people_good"))
    run.record(pulled.version)
    assert_five_objects(run.store, pulled.version, tmp_path)


def test_a_published_version_moves_to_another_store(
    source: DatabaseUrl, tmp_path: Path, b2: B2Server
) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    elsewhere = new_run(source, tmp_path, store=b2_store(b2), run_id="again", at=later(5))
    elsewhere.upload(done.version)
    assert_five_objects(elsewhere.store, done.version, tmp_path)
    receipt, _ = elsewhere.record(done.version)
    assert receipt == done.receipt
    assert len(audit_rows(source)) == 1
