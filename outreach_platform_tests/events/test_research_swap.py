"""The research database's file: readers, writers, damage, and what somebody else keeps in it."""

import logging
import os
import shutil
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events import research
from outreach_platform.events.experiments import sibling_file
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.foundation.test_lake import small_disk  # noqa: F401
from outreach_platform_tests.support.event_rows import (
    NOW,
    ago,
    create_source,
    event,
    event_id,
    insert_events,
    new_run,
    settings_for,
    window,
)
from outreach_platform_tests.support.postgres import drop_database, fresh_database

NOWHERE = DatabaseUrl.parse("postgresql://reader@127.0.0.1:9/none")
ROWS, FEWER = 40, 20


@pytest.fixture(scope="module")
def base(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an extracted and exported week of `ROWS` events."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = fresh_database(pg_server, name)
    create_source(url)
    insert_events(
        url, [event(id=event_id(n), timestamp=ago(n % 4, minutes=n)) for n in range(ROWS)]
    )
    folder = tmp_path_factory.mktemp("research") / "base"
    run = new_run(folder, url)
    run.extract(window(7))
    run.siblings()
    run.export(window(7))
    drop_database(pg_server, name)
    yield folder


@pytest.fixture
def run(base: Path, tmp_path: Path) -> EventsRun:
    """A run over a copy of the folder; its source is gone, and nothing here needs it."""
    shutil.copytree(base, tmp_path / "data", symlinks=True)
    return new_run(tmp_path / "data", NOWHERE)


def fewer(run: EventsRun) -> str:
    """Export two days only, half of the events; returns the stamp."""
    return run.export(window(2)).stamp


def database_of(run: EventsRun) -> Path:
    return run.settings.analytics_path


@contextmanager
def writing_to(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file open for writing, as somebody's own shell; folded into the file at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(str(path))
    try:
        yield connection
    finally:
        connection.close()


def ask(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


COUNT = "SELECT count(*) FROM research.behavioral_events"


def assert_whole(run: EventsRun, rows: int = ROWS) -> None:
    """The database shows the newest export, and nothing is left beside it."""
    path = database_of(run)
    newest = run.folder.newest()
    assert newest is not None
    assert ask(path, COUNT) == [(rows,)]
    assert ask(path, "SELECT stamp FROM research.exports") == [(newest.stamp,)]
    assert not [p.name for p in path.parent.iterdir() if "partial" in p.name or "wal" in p.suffix]


def shell(code: str, path: Path) -> str:
    """What another process prints; `path` is its first argument and the database `c`'s."""
    done = subprocess.run(
        [sys.executable, "-c", f"import duckdb, os, sys\n{code}", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr).strip()


_KILLED = """
c = duckdb.connect(sys.argv[1])
c.execute("CREATE TABLE mine AS SELECT 42 AS a")
os.kill(os.getpid(), 9)
"""
_WRITER = """
try:
    duckdb.connect(sys.argv[1]).execute("CREATE TABLE intruder AS SELECT 1")
    print("wrote")
except duckdb.Error as error:
    print(error)
"""

STRANGERS = (
    "CREATE SCHEMA papers",
    "CREATE TYPE papers.grade AS ENUM ('a', 'b')",
    "CREATE SEQUENCE counter START 7",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY DEFAULT nextval('counter'), body VARCHAR, "
    "grade papers.grade)",
    "INSERT INTO notes (body, grade) SELECT md5(i::text), 'b' FROM range(20000) r(i)",
    "CREATE UNIQUE INDEX notes_body ON notes (body)",
    "CREATE TABLE research.cohort AS SELECT 1 AS member",
    'CREATE VIEW papers.scores AS SELECT avg("sessionPerformanceScore") AS mean '
    "FROM research.behavioral_events",
    "CREATE MACRO papers.twice(x) AS 2 * x",
    "CREATE TABLE behavioral_events AS SELECT 'a namesake' AS said",
)


def assert_strangers(path: Path, rows: int = 20000) -> None:
    assert ask(path, "SELECT count(*), count(DISTINCT body), min(id), max(id) FROM notes") == [
        (rows, rows, 7, rows + 6)
    ]
    query = "SELECT mean, papers.twice(21), (SELECT member FROM research.cohort), "
    query += "(SELECT said FROM main.behavioral_events) FROM papers.scores"
    assert ask(path, query) == [(75.0, 42, 1, "a namesake")]
    indexes = ask(path, "SELECT index_name FROM duckdb_indexes() WHERE table_name = 'notes'")
    assert indexes == [("notes_body",)]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["view", "table"])
def test_what_somebody_keeps_survives(run: EventsRun, form: research.Form) -> None:
    path = database_of(run)
    assert run.sync(form).problem is None
    with writing_to(path) as connection:
        for statement in STRANGERS:
            connection.execute(statement)
    sizes = []
    for n in range(5):
        if n == 2:
            fewer(run)
        assert run.sync(form).problem is None
        assert_whole(run, FEWER if n >= 2 else ROWS)
        assert_strangers(path)
        sizes.append(path.stat().st_size)
    assert sizes[-1] <= sizes[1], "the file grows from run to run"
    with writing_to(path) as connection:
        added = "INSERT INTO notes (body, grade) VALUES ('new', 'a') RETURNING id"
        assert connection.execute(added).fetchall() == [(20007,)]
        with pytest.raises(duckdb.ConstraintException):
            connection.execute(added)
        with pytest.raises(duckdb.ConversionException):
            connection.execute("INSERT INTO notes (body, grade) VALUES ('newer', 'c')")


@pytest.mark.slow
@pytest.mark.parametrize("statement", [s for s in STRANGERS if s.startswith("CREATE S")] + [
    "CREATE TABLE mine AS SELECT 1",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE MACRO mine() AS 1",
    "CREATE TYPE mine AS ENUM ('a')",
    "CREATE SEQUENCE research.exports",
    "CREATE TABLE research.mine AS SELECT 1",
])  # fmt: skip
def test_a_single_thing_of_somebodys_is_enough(run: EventsRun, statement: str) -> None:
    run.sync("view")
    with writing_to(database_of(run)) as connection:
        connection.execute(statement)
    assert run.sync("view").problem is None
    with writing_to(database_of(run)) as connection, pytest.raises(duckdb.CatalogException):
        connection.execute(statement)


@pytest.mark.slow
def test_what_is_only_ours_is_built_anew(run: EventsRun) -> None:
    """A predecessor's tables of our names are replaced, and its file's size is not inherited."""
    with writing_to(database_of(run)) as connection:
        connection.execute("CREATE SCHEMA research")
        connection.execute(
            "CREATE TABLE research.behavioral_events AS SELECT md5(i::text) FROM range(200000) r(i)"
        )
        connection.execute("CREATE TABLE research.its_daily AS SELECT 1 AS a")
    assert run.sync("view").problem is None
    assert_whole(run)
    assert database_of(run).stat().st_size < 2_000_000


@pytest.mark.slow
def test_a_database_elsewhere(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "data", symlinks=True)
    elsewhere = tmp_path / "deep" / "er" / "block.db"
    settings = settings_for(tmp_path / "data", NOWHERE).model_copy(
        update={"duckdb_db_path": elsewhere}
    )
    run = new_run(tmp_path / "data", NOWHERE, settings=settings)
    with writing_to(elsewhere) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
    assert run.sync().database == str(elsewhere)
    assert_whole(run)
    assert ask(elsewhere, "FROM mine") == [(42,)]
    assert not (tmp_path / "data" / "duckdb").exists()


@pytest.mark.slow
def test_a_link_to_a_database_stays_one(run: EventsRun, tmp_path: Path) -> None:
    real = tmp_path / "real.duckdb"
    with writing_to(real) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
    database_of(run).parent.mkdir(parents=True)
    database_of(run).symlink_to(real)
    assert run.sync().problem is None
    assert database_of(run).is_symlink()
    assert_whole(run)
    assert ask(real, "FROM mine") == [(42,)]


_READER = f"""
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for line in sys.stdin:
    print(connection.execute("{COUNT}").fetchone(), flush=True)
"""


class Reader:
    """A shell in another process that keeps the database open."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _READER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> str:
        """What it counts now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["view", "table"])
def test_a_reader_is_not_blocked_and_keeps_what_it_saw(run: EventsRun, form: research.Form) -> None:
    with writing_to(database_of(run)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
    run.sync(form)
    readers = [Reader(database_of(run))]
    try:
        assert readers[0].rows() == f"({ROWS},)"
        fewer(run)
        assert run.sync(form).problem is None
        assert_whole(run, FEWER)
        readers.append(Reader(database_of(run)))
        assert [reader.rows() for reader in readers] == [f"({ROWS},)", f"({FEWER},)"]
        assert run.sync(form).problem is None
        assert [reader.rows() for reader in readers] == [f"({ROWS},)", f"({FEWER},)"]
    finally:
        for reader in readers:
            reader.close()


_HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
def test_a_writer_is_waited_for_by_the_next_run(run: EventsRun) -> None:
    run.sync()
    stamp = run.folder.newest()
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(database_of(run))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    try:
        fewer(run)
        record = run.sync()
    finally:
        holder.communicate("\n", timeout=60)
    assert record.problem is not None
    assert "open for writing in another program" in record.problem
    assert (record.stamp, record.form, record.set_aside) == (None, None, None)
    newest = run.folder.newest()
    assert newest != stamp
    assert newest is not None
    assert newest.file.sha256 == sha256_of(run.folder.latest)
    assert ask(database_of(run), COUNT) == [(ROWS,)]
    assert run.sync().problem is None
    assert_whole(run, FEWER)
    assert ask(database_of(run), "FROM mine") == [(42,)]


@pytest.mark.slow
def test_a_connection_of_this_process(run: EventsRun) -> None:
    run.sync()
    with duckdb.connect(str(database_of(run)), read_only=True) as reader:
        fewer(run)
        assert run.sync().problem is None
        assert reader.execute(COUNT).fetchone() == (ROWS,)
    assert_whole(run, FEWER)
    with writing_to(database_of(run)):
        problem = run.sync().problem
    assert problem is not None
    assert "open for writing in another program" in problem
    assert_whole(run, FEWER)


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Do something between the copy of the present file and the swap."""
    build = research._Build.__call__

    def wrapped(self: research._Build, connection: duckdb.DuckDBPyConnection) -> None:
        build(self, connection)
        act()

    with monkeypatch.context() as patch:
        patch.setattr(research._Build, "__call__", wrapped)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("strangers", [True, False])
def test_no_writer_gets_in_while_the_new_file_is_built(
    run: EventsRun, monkeypatch: pytest.MonkeyPatch, strangers: bool
) -> None:
    """Copying must not give up DuckDB's lock, as closing any handle of the file would."""
    run.sync()
    if strangers:
        with writing_to(database_of(run)) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
    said = []
    with meanwhile(monkeypatch, lambda: said.append(shell(_WRITER, database_of(run)))):
        assert run.sync().problem is None
    assert "Could not set lock on file" in said[0]
    assert_whole(run)
    assert shell(_WRITER, database_of(run)) == "wrote"
    assert run.sync().problem is None
    assert ask(database_of(run), "FROM intruder") == [(1,)]


def rewrite(path: Path) -> None:
    """Write to a file as a program would that knows no locks."""
    aside = path.with_name("aside")
    with writing_to(aside) as connection:
        connection.execute("CREATE TABLE intruder AS SELECT 1")
    shutil.copyfile(aside, path)
    aside.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("what", ["file", "log"])
def test_what_was_written_meanwhile_is_not_overwritten(
    run: EventsRun, monkeypatch: pytest.MonkeyPatch, present: bool, what: str
) -> None:
    path = database_of(run)
    path.parent.mkdir(parents=True)
    if present:
        run.sync()
    written = path if what == "file" else path.with_name(f"{path.name}.wal")
    intrude = rewrite if what == "file" else Path.touch
    with meanwhile(monkeypatch, lambda: intrude(written)):
        record = run.sync()
    assert record.problem is not None
    assert "was written by another program meanwhile; run again" in record.problem
    if what == "file":
        assert ask(path, "FROM intruder") == [(1,)]
    assert run.sync().problem is None
    assert_whole(run)
    if what == "file":
        assert ask(path, "FROM intruder") == [(1,)]


def _random(content: bytes) -> bytes:
    return os.urandom(len(content))


def _text(content: bytes) -> bytes:
    return b"to whom it may concern"


def _empty(content: bytes) -> bytes:
    return b""


def _half_a_header(content: bytes) -> bytes:
    return content[:5000]


def _header_only(content: bytes) -> bytes:
    return content[:12288]


def _flipped_header(content: bytes) -> bytes:
    """All three header blocks fail their checksums; the message speaks of a block and location."""
    flipped = bytearray(content)
    for offset in (200, 4296, 8392):
        flipped[offset] ^= 1
    return bytes(flipped)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["data", "lock version number Corrupt"])
@pytest.mark.parametrize(
    "damage", [_random, _text, _empty, _half_a_header, _header_only, _flipped_header]
)
def test_a_damaged_file_is_set_aside(
    base: Path,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    folder: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(base, tmp_path / folder, symlinks=True)
    run = new_run(tmp_path / folder, NOWHERE)
    path = database_of(run)
    run.sync("table")
    kept = []
    for _ in range(2):
        damaged = damage(path.read_bytes())
        kept.append(damaged)
        path.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            record = run.sync("table")
        assert record.problem is None
        assert record.set_aside is not None
        assert Path(record.set_aside).read_bytes() == damaged
        assert Path(record.set_aside).name in caplog.text
        assert_whole(run)
    aside = sorted(p.read_bytes() for p in path.parent.iterdir() if "damaged" in p.name)
    assert aside == sorted(kept), "the second overwrote the first"
    assert run.sync().set_aside is None


@pytest.mark.slow
def test_a_folder_in_its_place_is_no_damage(run: EventsRun) -> None:
    path = database_of(run)
    (path / "inner").mkdir(parents=True)
    record = run.sync()
    assert record.problem == (
        f"{path} cannot be opened (it is no file): move it away, or name another file in "
        "DUCKDB_DB_PATH"
    )
    assert (path / "inner").is_dir()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    shutil.rmtree(path)
    assert run.sync().problem is None


_SIXTY_FOUR = (1 << 64) - 1


def of_a_later_duckdb(content: bytes) -> bytes:
    """The same file with a storage version of the future, and the checksum that DuckDB expects."""
    body = bytearray(content[8:4096])
    body[4:12] = struct.pack("<Q", 9999)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", body):
        checksum ^= word * 0xBF58476D1CE4E5B9 & _SIXTY_FOUR
    return struct.pack("<Q", checksum) + bytes(body) + content[4096:]


@pytest.mark.slow
def test_a_later_duckdbs_file_is_no_damage(run: EventsRun) -> None:
    run.sync()
    path = database_of(run)
    later = of_a_later_duckdb(path.read_bytes())
    path.write_bytes(later)
    record = run.sync()
    assert record.problem is not None
    assert "was written by another version of DuckDB" in record.problem
    assert path.read_bytes() == later
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_an_encrypted_file_is_no_damage(run: EventsRun) -> None:
    path = database_of(run)
    path.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        # Needs no extension; how strong the key is does not matter here.
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute(f"ATTACH '{path}' AS theirs (ENCRYPTION_KEY 'asdf')")
        connection.execute("CREATE TABLE theirs.mine AS SELECT 1 AS a")
    before = sha256_of(path)
    record = run.sync()
    assert record.problem is not None
    assert "cannot be opened (Catalog Error: Cannot open encrypted database" in record.problem
    assert sha256_of(path) == before


@pytest.mark.slow
def test_the_log_of_a_killed_writer_is_folded_in(run: EventsRun) -> None:
    run.sync()
    path = database_of(run)
    shell(_KILLED, path)
    assert path.with_name(f"{path.name}.wal").exists()
    record = run.sync()
    assert (record.problem, record.set_aside) == (None, None)
    assert_whole(run)
    assert ask(path, "FROM mine") == [(42,)]


@pytest.mark.slow
def test_a_damaged_log_is_set_aside_with_its_file(run: EventsRun) -> None:
    run.sync()
    path = database_of(run)
    log = path.with_name(f"{path.name}.wal")
    shell(_KILLED, path)
    content = bytearray(log.read_bytes())
    content[60] ^= 0xFF
    log.write_bytes(content)
    before = path.read_bytes()
    record = run.sync()
    assert record.problem is None
    assert_whole(run)
    assert record.set_aside is not None
    assert Path(record.set_aside).read_bytes() == before
    aside = Path(record.set_aside.replace("duckdb.damaged", "duckdb.wal.damaged"))
    assert aside.read_bytes() == content


@pytest.mark.slow
def test_a_torn_log_is_set_aside(run: EventsRun) -> None:
    """DuckDB passes over what a writer had begun when it was killed, and leaves it there."""
    run.sync()
    path = database_of(run)
    log = path.with_name(f"{path.name}.wal")
    shell(_KILLED, path)
    content = log.read_bytes()
    log.write_bytes(content[: len(content) // 2])
    record = run.sync()
    assert record.problem is None
    assert record.set_aside is not None
    assert Path(record.set_aside).read_bytes() == content[: len(content) // 2]
    assert_whole(run)
    assert run.sync().set_aside is None


@pytest.mark.slow
def test_a_log_without_its_file_is_not_replayed(run: EventsRun) -> None:
    """DuckDB would play the log of a file that was deleted onto the one we write."""
    run.sync()
    path = database_of(run)
    log = path.with_name(f"{path.name}.wal")
    shell(_KILLED, path)
    content = log.read_bytes()
    path.unlink()
    record = run.sync()
    assert record.problem is None
    assert record.set_aside is not None
    assert Path(record.set_aside).read_bytes() == content
    assert_whole(run)
    assert ask(path, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'mine'") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_an_export_that_is_not_what_was_written(run: EventsRun, harm: str) -> None:
    run.sync()
    before = sha256_of(database_of(run))
    stamp = fewer(run)
    path = run.folder.export(stamp)
    path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes() + b" ")
    record = run.sync()
    assert record.problem is not None
    assert f"{path} is gone or not the file that was written" in record.problem
    assert sha256_of(database_of(run)) == before
    fewer(run)
    assert run.sync().problem is None
    assert_whole(run, FEWER)


@pytest.mark.slow
def test_a_build_that_fails_keeps_the_old_database(run: EventsRun) -> None:
    run.sync()
    before = sha256_of(database_of(run))
    protocols = sibling_file(run.folder, "experiment_protocols")
    content = protocols.read_bytes()
    protocols.write_bytes(content[:-4])
    fewer(run)
    record = run.sync()
    assert record.problem is not None
    assert "experiment_protocols.parquet" in record.problem
    assert sha256_of(database_of(run)) == before
    assert [p.name for p in database_of(run).parent.iterdir()] == [database_of(run).name]
    protocols.write_bytes(content)
    assert run.sync().problem is None
    assert_whole(run, FEWER)


@pytest.mark.slow
def test_a_full_disk(base: Path, tmp_path: Path, small_disk: Path) -> None:  # noqa: F811
    shutil.copytree(base, tmp_path / "data", symlinks=True)
    path = small_disk / "analytics.duckdb"
    settings = settings_for(tmp_path / "data", NOWHERE).model_copy(update={"duckdb_db_path": path})
    run = new_run(tmp_path / "data", NOWHERE, settings=settings, now=NOW + timedelta(hours=1))
    with writing_to(path) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS a")
    before = sha256_of(path)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(b"x" * (free.f_bavail * free.f_bsize))
    record = run.sync()
    assert record.problem is not None
    assert "analytics.duckdb cannot be written: the disk is full" in record.problem
    assert sha256_of(path) == before
    assert sorted(p.name for p in small_disk.iterdir()) == ["analytics.duckdb", "filler"]
