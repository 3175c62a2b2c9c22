"""The predecessor's unversioned form: its paths, no gates, people on their own."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from outreach_platform.foundation.errors import SourceError, StoreError
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.plain import plain_snapshot
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import (
    START,
    audit_rows,
    fill,
    later,
    new_run,
    whole,
)

pytestmark = pytest.mark.slow

PATHS = {
    "companies_good": "exports/wv/companies/good/companies_good.parquet",
    "companies_bad": "exports/wv/companies/bad/companies_bad.parquet",
    "people_good": "exports/wv/people/good/people_good.parquet",
    "people_bad": "exports/wv/people/bad/people_bad.parquet",
}


@pytest.fixture
def source(neon_url: DatabaseUrl) -> DatabaseUrl:
    """Four bad companies of ten, a person each, and one person without a title."""
    create_masters(neon_url, primary_keys=False)
    rows = fill(neon_url, companies=10, bad=4, people=1)
    nameless = person(company_unique_id=rows[-1]["company_unique_id"], title="n/a")
    insert(neon_url, PEOPLE, [nameless])
    return neon_url


def test_four_files_stand_where_old_scripts_look(source: DatabaseUrl, tmp_path: Path) -> None:
    run = new_run(source, tmp_path, at=START)
    written = plain_snapshot(run)
    rows = {}
    for table, path in PATHS.items():
        assert written.files[table].path == path
        rows[table] = pq.read_metadata(tmp_path / path).num_rows
        key = path.replace("exports/", "outreach/")
        info = run.store.head(key)
        assert info is not None
        assert info.sha256 == sha256_of(tmp_path / path)
        assert info.metadata["pipeline"] == "state_duckdb_pipeline"
        assert written.urls[table] == info.url
    # No switch stops 40 %, and nobody is bad for a bad company.
    assert rows == {"companies_good": 6, "companies_bad": 4, "people_good": 10, "people_bad": 1}
    assert {t: written.files[t].rows for t in TABLES} == rows


def test_no_gate_looks_at_null_and_doubled_ids(source: DatabaseUrl, tmp_path: Path) -> None:
    insert(source, COMPANIES, [company(company_unique_id=None)])
    written = plain_snapshot(new_run(source, tmp_path, at=START))
    assert written.files["companies_good"].rows == 7


def test_people_are_not_tied_to_companies(source: DatabaseUrl, tmp_path: Path) -> None:
    execute(source, "UPDATE marketing.company_master SET website_url = NULL")
    written = plain_snapshot(new_run(source, tmp_path, at=START))
    assert written.files["companies_good"].rows == 0
    assert written.files["people_good"].rows == 10
    codes = pq.read_table(tmp_path / PATHS["people_bad"]).column("validation_errors").to_pylist()
    assert codes == [["title_missing"]]


def test_it_is_audited_under_its_own_name(source: DatabaseUrl, tmp_path: Path) -> None:
    written = plain_snapshot(new_run(source, tmp_path, at=START))
    ((event_type, event_source, details),) = audit_rows(source)
    assert (event_type, event_source) == ("outreach_validation_run", "state_duckdb_pipeline")
    assert details["state"] == "WV"
    assert {t: details[t] for t in TABLES} == {t: f.rows for t, f in written.files.items()}
    assert details["parquet_paths"] == PATHS
    assert details["b2_urls"] == written.urls
    assert written.audit_id == 1


def test_the_second_run_replaces_files_and_objects(source: DatabaseUrl, tmp_path: Path) -> None:
    plain_snapshot(new_run(source, tmp_path, run_id="a", at=START))
    insert(source, COMPANIES, [company()])
    run = new_run(source, tmp_path, run_id="b", at=later(60))
    plain_snapshot(run)
    path = tmp_path / PATHS["companies_good"]
    assert pq.read_metadata(path).num_rows == 7
    info = run.store.head("outreach/wv/companies/good/companies_good.parquet")
    assert info is not None
    assert info.sha256 == sha256_of(path)
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("exports/**/*.*"))
    assert found == sorted(PATHS.values())
    assert [d["run_id"] for _, _, d in audit_rows(source)] == ["a", "b"]


def test_nothing_of_it_counts_as_a_snapshot(source: DatabaseUrl, tmp_path: Path) -> None:
    execute(source, "UPDATE marketing.company_master SET website_url = 'https://a.example'")
    plain_snapshot(new_run(source, tmp_path, run_id="plain", at=START))
    run = new_run(source, tmp_path, run_id="next", at=later(60))
    assert run.folder.versions() == []
    done = whole(run)
    assert done.gates.baseline is None
    assert done.pulled.schema_changes == []
    assert not [p for p in (tmp_path / "lake").iterdir() if p.name.startswith(".plain")]


@pytest.mark.parametrize("why", ["source", "store"])
def test_a_failed_run_leaves_the_old_files_and_no_scratch(
    source: DatabaseUrl, tmp_path: Path, why: str
) -> None:
    plain_snapshot(new_run(source, tmp_path, run_id="a", at=START))
    before = {path: sha256_of(tmp_path / path) for path in PATHS.values()}
    run = new_run(source, tmp_path, run_id="b", at=later(60))
    if why == "source":
        execute(source, "ALTER TABLE marketing.people_master DROP COLUMN email")
        with pytest.raises(SourceError, match="lacks the column email"):
            plain_snapshot(run)
        assert {path: sha256_of(tmp_path / path) for path in PATHS.values()} == before
    else:
        (tmp_path / "file").write_text("no folder")
        run.store = LocalStore(tmp_path / "file", "svg-enrichment")
        with pytest.raises(StoreError):
            plain_snapshot(run)
        plain_snapshot(new_run(source, tmp_path, run_id="c", at=later(90)))
    assert not [p for p in (tmp_path / "lake").iterdir() if p.name.startswith(".plain")]
    assert not list((tmp_path / "exports").rglob(".*"))
