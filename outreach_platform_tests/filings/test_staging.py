"""Staged rows: whole or not there, refused where the parser's rows are none of the table's."""

import os
from pathlib import Path

import pytest
from pyarrow import parquet

from outreach_platform.filings import staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, Extract, FilingMeta
from outreach_platform.filings.schema import arrow_schema
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import FULL, rows_of, stage
from outreach_platform_tests.support.small_disks import small_disk as small_disk


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path)


@pytest.fixture
def meta(folder: FilingFolder) -> FilingMeta:
    return filing_rows.add_filing(folder, 1)


def test_rows_keep_their_types_also_where_there_are_none(
    folder: FilingFolder, meta: FilingMeta
) -> None:
    stage(folder, "run", meta, rows_of(meta.accession_number, **{**FULL, "footnotes": 0}))
    report = staging.read_report(folder, "run", meta.accession_number)
    assert report.counts == {**FULL, "footnotes": 0}
    assert (report.content_hash, report.error) == (meta.content_hash, None)
    for kind in KINDS:
        table = parquet.read_table(staging.staged_file(folder, "run", meta.accession_number, kind))
        assert table.schema.equals(arrow_schema(kind))
        assert table.num_rows == report.counts[kind]


def test_the_same_rows_give_the_same_bytes(folder: FilingFolder, meta: FilingMeta) -> None:
    for run in ("one", "two"):
        stage(folder, run, meta, rows_of(meta.accession_number, **FULL))
    one, two = (staging.read_report(folder, run, meta.accession_number) for run in ("one", "two"))
    assert one.sha256 == two.sha256


def test_no_report_is_not_staged(folder: FilingFolder, meta: FilingMeta) -> None:
    staging.begin(folder, "run", meta.accession_number)
    rows = Extract(meta.accession_number, rows_of(meta.accession_number, **FULL))
    staging.write_rows(folder, "run", meta, rows)
    with pytest.raises(IntegrityError, match="nothing is staged of 0000320193-21-000001 in run"):
        staging.read_report(folder, "run", meta.accession_number)


def test_a_filing_begins_with_an_empty_folder(folder: FilingFolder, meta: FilingMeta) -> None:
    stage(folder, "run", meta, rows_of(meta.accession_number, **FULL))
    staging.begin(folder, "run", meta.accession_number)
    assert list(folder.staged("run", meta.accession_number).iterdir()) == []


def test_what_the_parser_forgot_is_told(folder: FilingFolder, meta: FilingMeta) -> None:
    staging.begin(folder, "run", meta.accession_number)
    rows = rows_of(meta.accession_number, **FULL)
    rows["tables"][1].pop("headers")
    rows["tables"][1]["header"] = "[]"
    extract = Extract(meta.accession_number, rows)
    with pytest.raises(IntegrityError, match=r"tables have other columns.*: header, headers"):
        staging.write_rows(folder, "run", meta, extract)
    del rows["tables"]
    with pytest.raises(IntegrityError, match="no list of tables"):
        staging.write_rows(folder, "run", meta, extract)


def test_only_the_filings_own_staging_is_discarded(
    folder: FilingFolder, meta: FilingMeta, tmp_path: Path
) -> None:
    other = filing_rows.add_filing(folder, 2)
    stage(folder, "one", meta, rows_of(meta.accession_number, **FULL))
    stage(folder, "two", meta, rows_of(meta.accession_number, **FULL))
    stage(folder, "two", other, rows_of(other.accession_number, **FULL))
    staging.discard(folder, meta.accession_number)
    assert [path.name for path in folder.staging.iterdir()] == ["two"]
    staging.discard(folder, "..")
    staging.discard(folder, "*")
    assert staging.read_report(folder, "two", other.accession_number).counts == FULL
    staging.discard(folder, other.accession_number)
    assert list(folder.staging.iterdir()) == []
    assert list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_full_disk_is_told_and_nothing_counts_as_staged(small_disk: Path) -> None:
    folder = FilingFolder(small_disk)
    meta = filing_rows.add_filing(folder, 1)
    rows = rows_of(meta.accession_number, **FULL)
    rows["sections"][0]["content_html"] = os.urandom(30 << 20).hex()
    with pytest.raises(OutreachError, match=r"sections\.parquet cannot be written: the disk is"):
        stage(folder, "run", meta, rows)
    with pytest.raises(IntegrityError, match="nothing is staged"):
        staging.read_report(folder, "run", meta.accession_number)
