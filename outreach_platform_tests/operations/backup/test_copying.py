"""Single files copied while somebody writes, and files that are not what their name says."""

import os
import sqlite3
from pathlib import Path

import duckdb
import pytest

from outreach_platform.operations.backup.copying import Copier

NAME = Path("folder/file")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder").mkdir(parents=True)
    target.mkdir()
    return source, target


def test_a_file_keeps_its_bytes_time_and_mode(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (source / NAME).write_bytes(b"x" * 3_000_000)
    (source / NAME).chmod(0o640)
    os.utime(source / NAME, ns=(1, 1_700_000_000_123_456_789))
    done = Copier(source, target).file(NAME)
    assert done
    assert (done.size, done.problem) == (3_000_000, None)
    assert (target / NAME).read_bytes() == (source / NAME).read_bytes()
    # The local object store knows its objects by it.
    assert (target / NAME).stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert (target / NAME).stat().st_mode & 0o777 == 0o640


def test_two_names_of_a_file_stay_two_names(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (source / NAME).write_bytes(b"once")
    os.link(source / NAME, source / "folder/second")
    copier = Copier(source, target)
    sizes = [copier.file(path) for path in (NAME, Path("folder/second"))]
    assert [done.size for done in sizes if done] == [4, 0]
    assert (target / NAME).samefile(target / "folder/second")
    assert not (target / NAME).samefile(source / NAME), "a copy shares nothing with its source"


def test_what_is_gone_is_no_problem_and_what_cannot_be_read_is_named(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = folders
    assert Copier(source, target).file(NAME) is None
    # Opening a folder for reading fails for root too.
    (source / NAME).mkdir()
    done = Copier(source, target).file(NAME)
    assert done
    assert done.problem == "folder/file cannot be read: Is a directory"


def test_sqlite_is_copied_with_what_only_its_log_holds(folders: tuple[Path, Path]) -> None:
    source, target = folders
    writer = sqlite3.connect(source / NAME)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("CREATE TABLE t (n)")
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    writer.execute("INSERT INTO t VALUES (2)")  # not committed
    assert (source / "folder/file-wal").stat().st_size > 0
    done = Copier(source, target).file(NAME)
    assert done
    assert done.problem is None
    assert sqlite3.connect(target / NAME).execute("SELECT n FROM t").fetchall() == [(1,)]
    writer.commit()
    writer.close()


def test_a_damaged_sqlite_file_is_copied_as_it_is_and_named(folders: tuple[Path, Path]) -> None:
    source, target = folders
    with sqlite3.connect(source / NAME) as connection:
        connection.execute("CREATE TABLE t (text)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
    connection.close()
    content = bytearray((source / NAME).read_bytes())
    content[5000:30_000] = b"\xff" * 25_000
    (source / NAME).write_bytes(content)
    done = Copier(source, target).file(NAME)
    assert done
    assert done.problem
    assert done.problem.startswith("folder/file is damaged (")
    assert (target / NAME).read_bytes() == content


def test_duckdb_is_copied_under_a_writer_with_its_log(folders: tuple[Path, Path]) -> None:
    source, target = folders
    path = Path("folder/some.duckdb")
    with duckdb.connect(str(source / path)) as shell:
        shell.execute("SET checkpoint_threshold = '1GB'")
        shell.execute("CREATE TABLE t AS SELECT 7 AS n")
        assert (source / "folder/some.duckdb.wal").exists()
        done = Copier(source, target).file(path)
    assert done
    assert done.problem is None
    assert not (target / "folder/some.duckdb.wal").exists()
    with duckdb.connect(str(target / path), read_only=True) as copy:
        assert copy.execute("SELECT n FROM t").fetchall() == [(7,)]


def test_a_damaged_duckdb_file_is_named_without_a_folder(folders: tuple[Path, Path]) -> None:
    source, target = folders
    path = Path("folder/some.duckdb")
    (source / path).write_bytes(b"no database at all")
    done = Copier(source, target).file(path)
    assert done
    assert done.problem
    assert done.problem.startswith("folder/some.duckdb cannot be opened (")
    assert str(target) not in done.problem
    assert (target / path).read_bytes() == b"no database at all"
