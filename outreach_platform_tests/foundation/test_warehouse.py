"""DuckDB: limits and spill, files that are whole, databases that readers keep open."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.warehouse import (
    FORMAT_2,
    bulk_engine,
    file_reader,
    publish_database,
    quote_identifier,
    quote_text,
    read_parquet_sql,
    same_rows,
    write_parquet,
)
from outreach_platform_tests.foundation.test_lake import small_disk  # noqa: F401


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, name: str, select: str) -> Path:
    duckdb.execute(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
    return folder / name


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with bulk_engine(tmp_path / "spill") as connection:
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("problem", [None, ValueError, KeyboardInterrupt])
def test_the_spill_folder_is_cleaned(tmp_path: Path, problem: type[BaseException] | None) -> None:
    spill = tmp_path / "deep" / "spill"
    try:
        with bulk_engine(spill, memory_limit="100MB") as connection:
            (own,) = names(spill)
            assert own.startswith(f"duckdb-{os.getpid()}-")
            connection.execute(
                "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 8) AS s FROM range(1500000) r(i)"
            )
            assert any((spill / own).iterdir()), "nothing was spilled"
            if problem:
                raise problem
    except (ValueError, KeyboardInterrupt):
        pass
    assert names(spill) == []


def test_spill_of_killed_processes_is_removed_and_of_living_ones_kept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"duckdb-{ended.pid}-x", f"duckdb-{os.getppid()}-x", "duckdb-old", "else"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "block").write_text("")
    with bulk_engine(tmp_path):
        pass
    assert names(tmp_path) == sorted([f"duckdb-{os.getppid()}-x", "duckdb-old", "else"])


def test_the_engine_never_installs_anything(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    setting = "SELECT current_setting('autoinstall_known_extensions'), current_setting('TimeZone')"
    assert engine.execute(setting).fetchone() == (False, "UTC")

    def build(connection: duckdb.DuckDBPyConnection) -> None:
        assert connection.execute(setting).fetchone() == (False, "UTC")

    publish_database(tmp_path / "db.duckdb", build)


_SORT = """
import resource, sys
from pathlib import Path
from outreach_platform.foundation.warehouse import bulk_engine, write_parquet
folder = Path(sys.argv[1])
with bulk_engine(folder / "spill", memory_limit="400MB") as engine:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    select = ("SELECT md5(i::text) AS a, md5((i + 1)::text) AS b, repeat(md5((i + 2)::text), 4) "
              "AS c FROM range(6000000) r(i) ORDER BY a")
    print(write_parquet(engine, select, folder / "sorted.parquet", folder).rows)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_large_sort_stays_near_its_memory_limit(tmp_path: Path) -> None:
    """1.2 GB of rows under a limit of 400 MB; DuckDB's limit leaves out some of its buffers."""
    done = subprocess.run(
        [sys.executable, "-c", _SORT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, mebibytes = map(int, done.stdout.split())
    assert rows == 6_000_000
    assert mebibytes < 700


def test_many_threads_look_at_files_at_once(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(engine, "SELECT range AS a FROM range(1000)", path, tmp_path)
    query = f"SELECT sum(a) FROM read_parquet({quote_text(str(path))})"

    def look(number: int) -> object:
        with file_reader() as reader:
            reader.execute(f"CREATE TEMP VIEW same_name AS SELECT {number} AS n")
            return reader.execute(f"SELECT n, ({query}) FROM same_name").fetchall()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(40))) == [[(n, 499_500)] for n in range(40)]


def test_a_look_sees_a_file_that_was_replaced_and_leaves_nothing(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    for value in (1, 2):
        write_parquet(engine, f"SELECT {value} AS a", path, tmp_path)
        with file_reader() as reader:
            assert reader.sql(f"FROM read_parquet({quote_text(str(path))})").fetchall() == [
                (value,)
            ]
            reader.execute("CREATE TEMP TABLE left_behind AS SELECT 1")
    with file_reader() as reader:
        assert reader.sql("SHOW ALL TABLES").fetchall() == []
        assert str(reader.sql("SELECT now()::timestamptz").types[0]) == "TIMESTAMP WITH TIME ZONE"
        assert reader.sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_a_forked_process_has_a_reader_of_its_own() -> None:
    with file_reader() as reader:
        assert reader.sql("SELECT 1").fetchall() == [(1,)]
    child = os.fork()
    if child == 0:
        with file_reader() as reader:
            os._exit(reader.sql("SELECT 7").fetchall()[0][0])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.slow
def test_too_low_a_memory_limit_is_said(tmp_path: Path) -> None:
    select = "SELECT list(md5(i::text)) AS l FROM range(3000000) r(i)"
    with (
        pytest.raises(OutreachError, match=r"takes more memory than allowed; raise memory_limit"),
        bulk_engine(tmp_path / "spill", memory_limit="50MB") as engine,
    ):
        write_parquet(engine, select, tmp_path / "out.parquet", tmp_path)
    assert names(tmp_path) == ["spill"]


NASTY = ["plain", 'q"q', "a'b", "semi;colon", "--", "new\nline", "\\", "%s", "naïve", "$1", ""]


@pytest.mark.parametrize("text", NASTY)
def test_quoting(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert engine.execute(f"SELECT {quote_text(text)}").fetchone() == (text,)
    if text:
        found = engine.execute(f"SELECT 1 AS {quote_identifier(text)}")
        assert found.description is not None
        assert found.description[0][0] == text


def test_write_parquet(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *folder*"
    record = write_parquet(
        engine, "SELECT 1 AS a, ['x', NULL] AS l", folder / "deep" / "t.parquet", folder
    )
    assert (record.path, record.rows) == ("deep/t.parquet", 1)
    assert record.sha256 == sha256_of(folder / record.path)
    assert record.size == (folder / record.path).stat().st_size
    assert names(folder / "deep") == ["t.parquet"]
    compression = engine.execute(
        "SELECT DISTINCT compression FROM parquet_metadata("
        f"{quote_text(str(folder / record.path))})"
    ).fetchall()
    assert compression == [("SNAPPY",)]
    paths = [folder / record.path, write(tmp_path, "b.parquet", "SELECT 'z' AS z, 2 AS a")]
    united = engine.execute(f"SELECT a, z FROM {read_parquet_sql(paths)} ORDER BY a").fetchall()
    assert united == [(1, None), (2, "z")]


def test_no_rows_keep_their_types(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    select = "SELECT 1::DECIMAL(5,2) AS d, []::VARCHAR[] AS l, now() AS t WHERE false"
    record = write_parquet(engine, select, tmp_path / "t.parquet", tmp_path)
    described = engine.execute(f"DESCRIBE FROM '{tmp_path}/t.parquet'").fetchall()
    assert record.rows == 0
    assert [row[1] for row in described] == [
        "DECIMAL(5,2)",
        "VARCHAR[]",
        "TIMESTAMP WITH TIME ZONE",
    ]


def test_a_failing_query_keeps_the_old_file(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    target = write(tmp_path, "t.parquet", "SELECT 1 AS a")
    before = sha256_of(target)
    with pytest.raises(duckdb.ConversionException):
        write_parquet(engine, "SELECT 'x'::INT AS a", target, tmp_path)
    with pytest.raises(duckdb.IOException, match="gone"):
        write_parquet(engine, f"FROM read_parquet('{tmp_path}/gone.parquet')", target, tmp_path)
    assert sha256_of(target) == before
    assert names(tmp_path) == ["spill", "t.parquet"]


def test_a_full_disk(engine: duckdb.DuckDBPyConnection, small_disk: Path) -> None:  # noqa: F811
    select = "SELECT md5(i::text) AS a FROM range(200000) r(i)"
    with pytest.raises(OutreachError, match=r"t\.parquet cannot be written: the disk is full"):
        write_parquet(engine, select, small_disk / "t.parquet", small_disk)

    def build(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"CREATE TABLE t AS {select}")

    with pytest.raises(OutreachError, match=r"t\.duckdb cannot be written: the disk is full"):
        publish_database(small_disk / "t.duckdb", build)
    assert names(small_disk) == []


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("SELECT 1 AS a", "SELECT 1 AS a", True),
        ("FROM (VALUES (1), (2)) t(a)", "FROM (VALUES (2), (1)) t(a)", True),
        ("FROM (VALUES (1), (1)) t(a)", "FROM (VALUES (1)) t(a)", False),
        ("FROM (VALUES (1), (1), (2)) t(a)", "FROM (VALUES (1), (2), (2)) t(a)", False),
        ("SELECT NULL::INT AS a", "SELECT NULL::INT AS a", True),
        ("SELECT NULL::INT AS a", "SELECT 0 AS a", False),
        ("SELECT ['x', NULL] AS a", "SELECT ['x', NULL] AS a", True),
        ("SELECT ['x', NULL] AS a", "SELECT [NULL, 'x'] AS a", False),
        ("SELECT []::VARCHAR[] AS a", "SELECT NULL::VARCHAR[] AS a", False),
        ("SELECT 'nan'::DOUBLE AS a", "SELECT 'nan'::DOUBLE AS a", True),
        ("SELECT '' AS a", "SELECT ' ' AS a", False),
        ("SELECT 1 AS a", "SELECT 1 AS b", False),
        ("SELECT 1 AS a", "SELECT 1::BIGINT AS a", False),
        ("SELECT 1 AS a, 2 AS b", "SELECT 2 AS b, 1 AS a", False),
        ("SELECT 1 AS a", "SELECT 1 AS a, 2 AS b", False),
        ("SELECT 1 AS a WHERE false", "SELECT 1 AS a WHERE false", True),
        ("SELECT 1 AS a WHERE false", "SELECT 1 AS a", False),
        ("SELECT 1 AS a WHERE false", "SELECT 1 AS b WHERE false", False),
    ],
)
def test_same_rows(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, left: str, right: str, same: bool
) -> None:
    a, b = write(tmp_path, "a.parquet", left), write(tmp_path, "b.parquet", right)
    assert same_rows(engine, a, b) is same
    assert same_rows(engine, b, a) is same


_READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for line in sys.stdin:
    print(connection.execute("SELECT v, (SELECT count(*) FROM more) FROM t").fetchone(), flush=True)
"""


def fill(value: int, rows: int = 1000) -> Callable[[duckdb.DuckDBPyConnection], None]:
    def build(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"CREATE TABLE t AS SELECT {value} AS v")
        connection.execute(f"CREATE TABLE more AS SELECT md5(i::text) FROM range({rows}) r(i)")

    return build


@pytest.mark.slow
def test_a_reader_keeps_the_old_database_and_blocks_nobody(tmp_path: Path) -> None:
    target = tmp_path / "db.duckdb"
    publish_database(target, fill(1, 300_000))
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    try:
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == "(1, 300000)"
        publish_database(target, fill(2))
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == "(1, 300000)"
        with duckdb.connect(str(target), read_only=True) as connection:
            assert connection.execute("SELECT v FROM t").fetchone() == (2,)
    finally:
        reader.stdin.close()
        reader.wait(60)
        reader.stdout.close()
    assert names(tmp_path) == ["db.duckdb"]


def test_a_failing_build_keeps_the_old_database(tmp_path: Path) -> None:
    target = tmp_path / "db.duckdb"
    publish_database(target, fill(1))
    before = sha256_of(target)

    def half(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("CREATE TABLE t AS SELECT 2 AS v")
        connection.execute("SELECT * FROM nowhere")

    def left_open(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("BEGIN; CREATE TABLE t AS SELECT 3 AS v")

    for build in (half, left_open):
        with pytest.raises(duckdb.Error):
            publish_database(target, build)
        assert sha256_of(target) == before
        assert names(tmp_path) == ["db.duckdb"]


def test_views_over_files(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.parquet", "SELECT 1 AS a")

    def build(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"CREATE VIEW v AS FROM {read_parquet_sql([path])}")

    publish_database(tmp_path / "db.duckdb", build)
    with duckdb.connect(str(tmp_path / "db.duckdb"), read_only=True) as connection:
        assert connection.execute("FROM v").fetchone() == (1,)


def test_settings_of_a_parquet_file(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    said = {"plain": "a", "quoted": """it's "q" {}""", "naïve": "李"}
    path = tmp_path / "t.parquet"
    select = "SELECT i, md5(i::text) AS s FROM range(5000) r(i)"
    write_parquet(engine, select, path, tmp_path, compression="zstd", metadata=said)
    found = engine.execute(
        f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')"
    ).fetchall()
    assert dict(found) == said
    chunks = f"SELECT DISTINCT compression, encodings FROM parquet_metadata('{path}')"
    assert {row[0] for row in engine.execute(chunks).fetchall()} == {"ZSTD"}
    first = sha256_of(path)
    backwards = dict(reversed(said.items()))
    write_parquet(engine, select, path, tmp_path, compression="zstd", metadata=backwards)
    assert sha256_of(path) == first
    assert not any("DELTA" in row[1] for row in engine.execute(chunks).fetchall())
    write_parquet(engine, select, path, tmp_path, options=FORMAT_2, metadata=said)
    assert any("DELTA" in row[1] for row in engine.execute(chunks).fetchall())
    kept = engine.execute(f"SELECT count(*), sum(i) FROM '{path}'").fetchone()
    assert kept == (5000, 4999 * 2500)


@pytest.mark.parametrize("durable", [True, False])
def test_flushing_can_be_left_to_the_system(
    engine: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    durable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    record = write_parquet(
        engine, "SELECT 1 AS a", tmp_path / "t.parquet", tmp_path, durable=durable
    )
    assert record.sha256 == sha256_of(tmp_path / "t.parquet")
    assert len(flushed) == (2 if durable else 0), "the file and its folder"


def test_a_database_can_begin_with_another(tmp_path: Path) -> None:
    target = tmp_path / "db.duckdb"
    publish_database(target, fill(1))

    def add(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("UPDATE t SET v = v + 1")

    with target.open("rb") as file:
        publish_database(target, add, start_from=file)
        assert not file.closed
    with duckdb.connect(str(target), read_only=True) as connection:
        assert connection.execute("FROM t").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (1000,)
    assert names(tmp_path) == ["db.duckdb"]


_WRITER = """
import sys, duckdb
try:
    duckdb.connect(sys.argv[1]).execute("CREATE TABLE intruder AS SELECT 1 AS a")
    print("wrote")
except duckdb.Error as error:
    print(error)
"""


def test_copying_a_database_keeps_its_lock(tmp_path: Path) -> None:
    """POSIX locks of a process end with the first handle of the file that it closes."""
    target = tmp_path / "db.duckdb"
    publish_database(target, fill(1))
    said = []

    def ask_to_write(connection: duckdb.DuckDBPyConnection) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _WRITER, str(target)], capture_output=True, text=True, check=True
        )
        said.append(done.stdout)

    with duckdb.connect(str(target), read_only=True), target.open("rb") as file:
        publish_database(target, ask_to_write, start_from=file)
    assert "Could not set lock on file" in said[0]
    # The red side: a handle that is closed takes the lock with it.
    with duckdb.connect(str(target), read_only=True):
        target.open("rb").close()
        publish_database(tmp_path / "other.duckdb", ask_to_write)
    assert said[1] == "wrote\n"
