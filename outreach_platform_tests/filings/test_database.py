"""The writer's database: made, mended, begun from the published copy, refused."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.database import open_database, tables_of, writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import BusyError, OutreachError, UsageError
from outreach_platform_tests.support import filing_rows


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path)


def test_all_tables_are_made_and_made_only_once(folder: FilingFolder) -> None:
    for _ in range(2):
        with writer(folder) as connection:
            assert tables_of(connection, "writer") == COLUMNS
            connection.execute(
                "INSERT INTO filings (accession_number, form_type) VALUES ('a', '10-K')"
            )
    with writer(folder) as connection:
        found = connection.execute("SELECT count(*), current_setting('TimeZone') FROM filings")
        assert found.fetchall() == [(2, "UTC")]


def test_columns_that_are_missing_are_added(folder: FilingFolder) -> None:
    with writer(folder) as connection:
        connection.execute("ALTER TABLE filings DROP COLUMN warnings")
        connection.execute("ALTER TABLE chunks ADD COLUMN mine VARCHAR")
        connection.execute("DROP TABLE footnotes")
    with writer(folder) as connection:
        tables = tables_of(connection, "writer")
    assert tables["filings"] == COLUMNS["filings"]
    assert tables["footnotes"] == COLUMNS["footnotes"]
    assert tables["chunks"] == {**COLUMNS["chunks"], "mine": "VARCHAR"}


def test_a_column_of_another_type_is_refused(folder: FilingFolder) -> None:
    with writer(folder) as connection:
        connection.execute("ALTER TABLE chunks ALTER chunk_index TYPE VARCHAR")
    with (
        pytest.raises(OutreachError, match=r"chunks\.chunk_index is VARCHAR instead of INTEGER"),
        writer(folder),
    ):
        pass


@pytest.mark.parametrize("raw", [b"", b"a text file\n" * 1000])
def test_a_file_that_is_no_database(folder: FilingFolder, raw: bytes) -> None:
    folder.work.mkdir(parents=True)
    folder.writer.write_bytes(raw)
    with (
        pytest.raises(OutreachError, match=r"writer\.duckdb cannot be opened .* move it away"),
        writer(folder),
    ):
        pass
    assert folder.writer.read_bytes() == raw


def test_a_damaged_database(folder: FilingFolder) -> None:
    with writer(folder) as connection:
        connection.execute("CREATE TABLE mine AS SELECT range AS n FROM range(1000)")
    raw = bytearray(folder.writer.read_bytes())
    raw[0x1000:0x3000] = b"\x07" * 0x2000
    folder.writer.write_bytes(raw)
    with pytest.raises(OutreachError, match="move it away"), writer(folder):
        pass


@pytest.mark.slow
def test_a_lost_file_begins_with_the_published_rows(folder: FilingFolder) -> None:
    with writer(folder) as connection:
        filing_rows.register(connection, filing_rows.add_filing(folder, 1))
        publish(folder, connection)
        rows = connection.execute("FROM filings").fetchall()
    folder.writer.unlink()
    log = folder.writer.with_name("writer.duckdb.wal")
    log.write_bytes(b"what a killed writer left")
    with writer(folder) as connection:
        assert connection.execute("FROM filings").fetchall() == rows
        assert tables_of(connection, "writer") == COLUMNS
        assert not connection.execute("FROM duckdb_views() WHERE NOT internal").fetchall()
    assert log.with_name("writer.duckdb.wal.lost").exists()


def test_the_predecessors_database_is_not_taken_in_silence(folder: FilingFolder) -> None:
    folder.published.parent.mkdir(parents=True)
    with duckdb.connect(str(folder.published)) as connection:
        connection.execute("CREATE TABLE filings (accession_number VARCHAR, form_type VARCHAR)")
        connection.execute("CREATE TABLE sections (id VARCHAR)")
    raw = folder.published.read_bytes()
    with pytest.raises(UsageError, match=r"`outreach filings dedupe .*` takes it"), writer(folder):
        pass
    assert not folder.writer.exists()
    assert folder.published.read_bytes() == raw
    with writer(folder, begin_empty=True) as connection:
        assert connection.execute("SELECT count(*) FROM filings").fetchall() == [(0,)]


def test_a_published_file_that_is_damaged_is_told_of(folder: FilingFolder) -> None:
    folder.published.parent.mkdir(parents=True)
    folder.published.write_bytes(b"no database" * 1000)
    with pytest.raises(OutreachError, match=r"filings\.duckdb cannot be opened"), writer(folder):
        pass
    assert not folder.writer.exists()


_HOLD = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as connection:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_database_that_is_open_elsewhere(folder: FilingFolder) -> None:
    with writer(folder):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder.writer)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(BusyError, match=r"writer\.duckdb is open in another"), writer(folder):
            pass
    finally:
        holder.communicate()
    with writer(folder):
        pass


def test_long_texts_are_packed(folder: FilingFolder) -> None:
    """A filing's HTML is a fifth of its size; DuckDB's oldest format stores it as it is."""
    with writer(folder) as connection:
        connection.execute(
            "INSERT INTO sections (id, accession_number, section_type, section_part, "
            "content_text, content_hash) SELECT range, 'a', 'item_1', 'part_i', "
            "repeat(md5(range::VARCHAR) || '<td>', 200), '' FROM range(1000)"
        )
    assert folder.writer.stat().st_size < 3_000_000
    with open_database(folder.writer, read_only=True) as connection:
        found = connection.execute("SELECT sum(len(content_text)) FROM sections").fetchall()
    assert found == [(1000 * 200 * 36,)]
