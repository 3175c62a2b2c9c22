"""The published database: ordered, compact, indexed, and built only when something changed."""

import os
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.database import tables_of, writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import merge_filing
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.publish import publish
from outreach_platform.filings.schema import COLUMNS, KEYS
from outreach_platform.foundation.errors import OutreachError
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import FULL, rows_of, stage
from outreach_platform_tests.support.small_disks import small_disk as small_disk


def fill(folder: FilingFolder, numbers: list[int], **rows: int) -> None:
    with writer(folder) as connection:
        for number in numbers:
            meta = filing_rows.add_filing(folder, number)
            filing_rows.register(connection, meta)
            stage(folder, "run", meta, rows_of(meta.accession_number, **{**FULL, **rows}))
            (one,) = filing_rows.planned(meta)
            assert merge_filing(connection, folder, "run", one).error is None


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path / "data")


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = {table: connection.execute(f"FROM {table}").fetchall() for table in KINDS}
        return {**tables, "health": connection.execute("FROM data_health").fetchall()}


def test_the_published_rows_are_ordered_and_complete(folder: FilingFolder) -> None:
    fill(folder, [3, 1, 2])
    assert publish(folder)
    with duckdb.connect(str(folder.published), read_only=True) as connection:
        for table, columns in COLUMNS.items():
            found = connection.execute(f"FROM {table}").fetchall()
            assert len(found) == 3 * {"filings": 1, "filing_status": 4, **FULL}[table]
            ordered = f"SELECT * FROM {table} ORDER BY {', '.join(KEYS[table])}"
            assert connection.execute(ordered).fetchall() == found
            assert tables_of(connection, "filings")[table] == columns
        health = connection.execute("SELECT duplicates, orphans, total_filings FROM data_health")
        assert health.fetchall() == [(0, 0, 3)]


@pytest.mark.slow
def test_filings_merged_in_another_order_are_published_alike(
    folder: FilingFolder, tmp_path: Path
) -> None:
    other = FilingFolder(tmp_path / "other")
    fill(folder, [1, 2, 3])
    fill(other, [3])
    fill(other, [2, 1, 2])
    publish(folder)
    publish(other)
    mine, theirs = dump(folder.published), dump(other.published)
    assert [mine[kind] for kind in KINDS] == [theirs[kind] for kind in KINDS]


@pytest.mark.slow
def test_nothing_is_done_where_nothing_changed(folder: FilingFolder) -> None:
    fill(folder, [1])
    assert publish(folder)
    before = folder.published.stat().st_ino
    assert not publish(folder)
    assert folder.published.stat().st_ino == before
    fill(folder, [1])  # the same rows, but merged anew
    assert publish(folder)
    folder.published.unlink()
    assert publish(folder)
    folder.published.write_bytes(folder.published.read_bytes())
    assert publish(folder)


@pytest.mark.slow
def test_it_publishes_through_the_open_connection(folder: FilingFolder) -> None:
    fill(folder, [1])
    with writer(folder) as connection:
        connection.execute("UPDATE filings SET company_name = 'Renamed'")
        assert publish(folder, connection)
        assert not publish(folder, connection)
    with duckdb.connect(str(folder.published), read_only=True) as connection:
        assert connection.execute("SELECT company_name FROM filings").fetchall() == [("Renamed",)]


@pytest.mark.slow
def test_whoever_reads_the_old_file_reads_on(folder: FilingFolder) -> None:
    fill(folder, [1])
    publish(folder)
    with duckdb.connect(str(folder.published), read_only=True) as shell:
        assert shell.execute("SELECT count(*) FROM filings").fetchall() == [(1,)]
        fill(folder, [2])
        assert publish(folder)
        assert shell.execute("SELECT count(*) FROM chunks").fetchall() == [(5,)]
    assert len(dump(folder.published)["chunks"]) == 10


@pytest.mark.slow
@pytest.mark.parametrize("what", ["table", "predecessor", "damaged"])
def test_what_is_not_ours_is_kept_beside(folder: FilingFolder, what: str) -> None:
    fill(folder, [1])
    folder.published.parent.mkdir(parents=True)
    if what == "damaged":
        folder.published.write_bytes(b"not a database" * 1000)
    else:
        with duckdb.connect(str(folder.published)) as connection:
            name = "mine" if what == "table" else "sections"
            connection.execute(f"CREATE TABLE {name} AS SELECT 42 AS answer")
    raw = folder.published.read_bytes()
    assert publish(folder)
    (kept,) = folder.published.parent.glob("filings.duckdb.kept-*")
    assert kept.read_bytes() == raw
    assert len(dump(folder.published)["chunks"]) == 5
    fill(folder, [2])
    assert publish(folder)
    assert [*folder.published.parent.glob("filings.duckdb.kept-*")] == [kept]


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    folder = FilingFolder(small_disk)
    fill(folder, [1])
    publish(folder)
    old = folder.published.read_bytes()
    with writer(folder) as connection:
        (small_disk / "ballast").write_bytes(b"x" * _room(small_disk, 1 << 18))
        connection.execute("UPDATE filings SET company_name = 'Renamed'")
        with pytest.raises(OutreachError, match="the disk is full"):
            publish(folder, connection)
        assert folder.published.read_bytes() == old
        (small_disk / "ballast").unlink()
        assert publish(folder, connection)
    assert [path.name for path in folder.published.parent.iterdir()] == ["filings.duckdb"]


def _room(folder: Path, left: int) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize - left
