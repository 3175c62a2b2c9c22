"""Compaction takes dead space and nothing else; whatever stops it, a whole file stands."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings import compact as compact_module
from outreach_platform.filings.compact import compact
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import BusyError, IntegrityError, OutreachError
from outreach_platform_tests.filings.whole import whole_database

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def bloated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of which most is dead space, with a table and a view of others beside ours."""
    path = whole_database(tmp_path_factory.mktemp("bloated") / "filings.duckdb")
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("CREATE TABLE extra AS SELECT range AS n FROM range(10)")
        connection.execute("CREATE TABLE dead AS SELECT hash(range) AS h FROM range(2_000_000)")
        connection.execute("CHECKPOINT")
        connection.execute("DROP TABLE dead")
    return path


@pytest.fixture
def path(bloated: Path, tmp_path: Path) -> Path:
    return shutil.copy(bloated, tmp_path / "filings.duckdb")


def content(path: Path) -> dict[str, list]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        tables = [*COLUMNS, "extra"]
        found = {table: connection.execute(f"FROM {table}").fetchall() for table in tables}
        counted = connection.execute("SELECT * EXCLUDE db_size FROM data_health").fetchall()
        columns = connection.execute("SELECT table_name, column_name, data_type, is_nullable "
                                     "FROM duckdb_columns() ORDER BY ALL").fetchall()  # fmt: skip
        return {**found, "data_health": counted, "columns": columns}


def test_dead_space_goes_and_every_row_stays_in_its_order(path: Path) -> None:
    before, size = content(path), path.stat().st_size
    report = compact(path, now=NOW)
    assert content(path) == before
    assert (report.before, report.after) == (size, path.stat().st_size)
    assert report.after * 3 < report.before
    assert report.rows == {t: len(rows) for t, rows in before.items() if t in report.rows}
    assert set(report.rows) == {*COLUMNS, "extra"}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_what_stands_in_the_log_alone_is_kept(path: Path) -> None:
    code = (
        f"import duckdb, os; c = duckdb.connect({str(path)!r})\n"
        "c.execute('INSERT INTO extra VALUES (99)'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    log = path.with_name(f"{path.name}.wal")
    assert log.exists()
    compact(path, now=NOW)
    assert (99,) in content(path)["extra"]
    assert not log.exists()


@pytest.mark.slow
def test_a_second_run_gains_nothing(path: Path) -> None:
    first = compact(path, now=NOW)
    second = compact(path, now=NOW)
    assert second.after == first.after


def test_a_copy_with_other_rows_is_not_swapped_in(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    honest = compact_module._verified

    def spoiled(connection: duckdb.DuckDBPyConnection, new: str, of: Path) -> dict[str, int]:
        connection.execute("UPDATE sections SET section_title = 'x' WHERE rowid = 0")
        return honest(connection, new, of)

    monkeypatch.setattr(compact_module, "_verified", spoiled)
    with pytest.raises(IntegrityError, match="other rows of sections"):
        compact(path, now=NOW)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_missing_and_a_torn_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(OutreachError, match="no filings database"):
        compact(tmp_path / "none.duckdb", now=NOW)
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(b"no database at all")
    with pytest.raises(OutreachError, match="cannot be opened"):
        compact(torn, now=NOW)
    assert torn.read_bytes() == b"no database at all"


_CALL = """
import sys, resource
from datetime import datetime
from pathlib import Path
from outreach_platform.filings.compact import compact
{before}
try:
    compact(Path({path!r}), now=datetime(2026, 1, 1))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))"
    done = subprocess.run(
        [sys.executable, "-c", _CALL.format(before=limit, path=str(path))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("OutreachError"), done.stderr
    assert "cannot be written" in done.stdout
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_file_that_another_process_writes_is_refused(path: Path) -> None:
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(BusyError, match="open in another program"):
            compact(path, now=NOW)
    finally:
        process.communicate("\n")
    compact(path, now=NOW)


@pytest.mark.slow
def test_killed_at_any_moment_a_whole_file_stands(path: Path, bloated: Path) -> None:
    whole = content(path)
    for delay in (0.0, 0.02, 0.05, 0.08, 0.12, 0.2, 0.3):
        shutil.copy(bloated, path)
        process = subprocess.Popen(
            [sys.executable, "-c",
             _CALL.format(before="print('ready', flush=True)", path=str(path))],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert content(path) == whole
    compact(path, now=NOW)
    assert content(path) == whole
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
