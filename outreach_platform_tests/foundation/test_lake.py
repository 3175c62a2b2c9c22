"""Files that are whole or not there, whatever ends the writer."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from outreach_platform.foundation import lake
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.lake import (
    FileRecord,
    new_folder,
    place,
    read_record,
    remove_partials,
    replacing,
    sha256_of,
    write_record,
)
from outreach_platform_tests.support.kill_lake import NEW, OLD, OPERATIONS
from outreach_platform_tests.support.postgres import ordinary_user_python, user_environment

SAMPLE = FileRecord(path="a/b.parquet", rows=3, size=10, sha256="ab")


def partials(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if "partial" in path.name]


def kill_everywhere(operation: str, folder: Path) -> list[Path]:
    """The folders of a run killed at each call; the last one's was not killed."""
    done = subprocess.run(
        [sys.executable, "-m", "outreach_platform_tests.support.kill_lake", operation, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    count = int(done.stdout)
    assert count > 3, "nothing was killed"
    return [folder / str(number) for number in range(1, count + 1)]


@pytest.mark.slow
def test_a_record_killed_anywhere_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    *killed, last = kill_everywhere("record", tmp_path)
    found = {read_record(folder / "target", FileRecord).path for folder in killed}
    assert found == {OLD.path, NEW.path}
    assert read_record(last / "target", FileRecord) == NEW
    for folder in killed:
        OPERATIONS["record"][1](folder)
        assert read_record(folder / "target", FileRecord) == NEW
        remove_partials(folder)
        assert [path.name for path in folder.iterdir()] == ["target"]


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["place", "place_copy"])
def test_a_placed_file_killed_anywhere_is_whole_or_not_there(
    tmp_path: Path, operation: str
) -> None:
    *killed, last = kill_everywhere(operation, tmp_path)
    whole = sha256_of(last / "source")
    states = set()
    for folder in killed:
        target = folder / "deep" / "target"
        states.add(target.exists())
        assert not target.exists() or sha256_of(target) == whole
        place(folder / "source", target, whole)
        assert sha256_of(target) == whole
        remove_partials(folder)
        assert partials(folder) == []
    assert states == {True, False}


@pytest.mark.slow
def test_a_new_folder_killed_anywhere_is_whole_or_not_there(tmp_path: Path) -> None:
    *killed, last = kill_everywhere("new_folder", tmp_path)
    states = set()
    for folder in (*killed, last):
        target = folder / "target"
        states.add(target.exists())
        if target.exists():
            assert (target / "a").read_text() == "a"
            assert (target / "inner" / "b").read_text() == "b" * 1000
        remove_partials(folder)
        assert partials(folder) == []
    assert states == {True, False}


@pytest.mark.slow
def test_a_database_killed_anywhere_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    values = set()
    *killed, _last = kill_everywhere("database", tmp_path)
    for folder in killed:
        with duckdb.connect(str(folder / "target"), read_only=True) as connection:
            row = connection.execute("SELECT min(v), max(v), count(*) FROM t").fetchone()
        assert row in ((1, 1, 100000), (2, 2, 100000))
        values.add(row[0])
        OPERATIONS["database"][1](folder)
        assert partials(folder) == [], "the next build removes what a killed one left"
    assert values == {1, 2}


@pytest.mark.slow
def test_a_parquet_file_killed_anywhere_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    counts = set()
    for folder in kill_everywhere("parquet", tmp_path):
        row = duckdb.execute(f"SELECT count(*) FROM read_parquet('{folder}/target')").fetchone()
        assert row is not None
        counts.add(row[0])
    assert counts == {10, 100_000}


def test_replacing(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "file"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "new"
    assert partials(tmp_path) == []


@pytest.mark.parametrize("durable", [True, False])
def test_flushing_can_be_left_to_the_system(
    tmp_path: Path, durable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    write_record(tmp_path / "record.json", SAMPLE, durable=durable)
    assert read_record(tmp_path / "record.json", FileRecord) == SAMPLE
    assert len(flushed) == (2 if durable else 0), "the file and its folder"
    write_record(tmp_path / "record.json", SAMPLE)
    assert len(flushed) == (4 if durable else 2), "flushed unless it is said"
    with (
        pytest.raises(ValueError, match="half"),
        replacing(tmp_path / "record.json", durable=durable) as temporary,
    ):
        temporary.write_text("half")
        raise ValueError("half")
    assert read_record(tmp_path / "record.json", FileRecord) == SAMPLE
    assert partials(tmp_path) == []


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file(tmp_path: Path, problem: type[BaseException]) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(problem), replacing(target) as temporary:
        temporary.write_text("half")
        raise problem
    assert target.read_text() == "old"
    assert partials(tmp_path) == []


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(target):
        pass
    assert target.read_text() == "old"


def test_threads_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "record"
    barrier = threading.Barrier(8)
    problems: list[Exception] = []

    def write(number: int) -> None:
        record = SAMPLE.model_copy(update={"path": str(number) * 100_000})
        barrier.wait()
        for _ in range(20):
            try:
                write_record(target, record)
                assert len(set(read_record(target, FileRecord).path)) == 1
            except Exception as error:  # noqa: BLE001
                problems.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert partials(tmp_path) == []


def test_new_folder(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    with new_folder(target) as new:
        (new / "a").write_text("a")
        assert not target.exists()
    assert (target / "a").read_text() == "a"
    with pytest.raises(FileExistsError), new_folder(target) as new:
        (new / "b").write_text("b")
    assert [path.name for path in target.iterdir()] == ["a"]
    with pytest.raises(ValueError, match="x"), new_folder(tmp_path / "other"):
        raise ValueError("x")
    assert not (tmp_path / "other").exists()
    assert partials(tmp_path) == []


def test_remove_partials_removes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".f.json.12-ab.partial").write_text("")
    (tmp_path / "deep" / ".v.12-ab.partial" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / ".v.12-ab.partial" / ".x.12.partial").write_text("")
    (tmp_path / "deep" / "kept.partial").write_text("")
    (tmp_path / "deep" / ".hidden").write_text("")
    removed = remove_partials(tmp_path)
    assert {path.name for path in removed} >= {".f.json.12-ab.partial", ".v.12-ab.partial"}
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"kept.partial", ".hidden"}
    assert remove_partials(tmp_path / "nowhere") == []


def test_place_links_verifies_and_does_it_once(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    source.write_bytes(b"rows")
    digest = sha256_of(source)
    place(source, target, digest)
    assert target.stat().st_ino == source.stat().st_ino
    before = target.stat().st_mtime_ns
    place(source, target, digest)
    assert target.stat().st_mtime_ns == before
    source.unlink()
    place(source, target, digest)
    assert target.read_bytes() == b"rows"


def test_place_copies_where_it_cannot_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"rows")
    place(source, target, sha256_of(source))
    assert target.read_bytes() == b"rows"
    assert target.stat().st_ino != source.stat().st_ino


def test_place_refuses_other_content(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"rows")
    target.write_bytes(b"other")
    with pytest.raises(IntegrityError, match="holds other content"):
        place(source, target, sha256_of(source))
    assert target.read_bytes() == b"other"
    target.unlink()
    with pytest.raises(IntegrityError, match="its checksum changed"):
        place(source, target, "0" * 64)
    assert not target.exists()
    source.unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        place(source, target, "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    write_record(path, SAMPLE)
    assert read_record(path, FileRecord) == SAMPLE
    path.write_text(path.read_text().replace("{", '{"added_later": [1],', 1))
    assert read_record(path, FileRecord) == SAMPLE


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "the document"),
        (b"{", "the document"),
        (b"[]", "the document"),
        (b"null", "the document"),
        (b"\xff\xfe", "the document"),
        (b'{"path": "a", "rows": 1, "size": 1}', "sha256"),
        (b'{"path": "a", "rows": "canary", "size": 1, "sha256": "x"}', "rows"),
    ],
)
def test_damaged_and_old_records(tmp_path: Path, content: bytes, where: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="is damaged or of another release") as caught:
        read_record(path, FileRecord)
    assert f"({where}: " in str(caught.value)
    assert str(path) in str(caught.value)
    assert "canary" not in str(caught.value)


def test_records_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "nowhere.json", FileRecord)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(IntegrityError, match=r"folder\.json cannot be read: Is a directory"):
        read_record(tmp_path / "folder.json", FileRecord)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB; skips the test where nobody may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    target = small_disk / "record.json"
    write_record(target, SAMPLE)
    with pytest.raises(OutreachError, match=r"record\.json cannot be written: the disk is full"):
        write_record(target, SAMPLE.model_copy(update={"path": "x" * 2_000_000}))
    assert read_record(target, FileRecord) == SAMPLE
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2_000_000))
    with pytest.raises(OutreachError, match="the disk is full"):
        place(source, small_disk / "copy", sha256_of(source))
    with (
        pytest.raises(OutreachError, match="the disk is full"),
        new_folder(small_disk / "folder") as new,
    ):
        (new / "file").write_bytes(source.read_bytes())
    assert [path.name for path in small_disk.iterdir()] == ["record.json"]


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import FileRecord, write_record
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_record(Path(sys.argv[1]), FileRecord(path="x" * 100_000, rows=1, size=1, sha256=""))
except OutreachError as error:
    print(error)
"""


def test_a_file_over_the_limit(tmp_path: Path) -> None:
    """Where no small disk can be mounted, the kernel's limit on file sizes says much the same."""
    target = tmp_path / "record.json"
    write_record(target, SAMPLE)
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(target)], capture_output=True, text=True, check=True
    )
    assert "record.json cannot be written: the disk is full" in done.stdout
    assert read_record(target, FileRecord) == SAMPLE
    assert partials(tmp_path) == []


_REFUSED = """
import sys
from pathlib import Path
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.lake import FileRecord, read_record, write_record, new_folder
from outreach_platform.foundation.locks import locked
folder = Path(sys.argv[1])
def folder_made():
    with new_folder(folder / "new"):
        pass
def lock_taken():
    with locked(folder / "a.lock", "WV", "me", 0):
        pass
record = FileRecord(path="x", rows=1, size=1, sha256="")
for work in (
    lambda: write_record(folder / "record.json", record),
    lambda: write_record(folder / "deep" / "record.json", record),
    folder_made,
    lock_taken,
    lambda: read_record(folder / "secret.json", FileRecord),
):
    try:
        work()
        print("done")
    except OutreachError as error:
        print(error)
"""


def test_a_folder_that_refuses(tmp_path_factory: pytest.TempPathFactory) -> None:
    command = ordinary_user_python()
    folder = Path("/tmp") / f"refusing-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "secret.json").write_text("{}")
        (folder / "secret.json").chmod(0o000)
        folder.chmod(0o555)
        done = subprocess.run(
            [*command, "-c", _REFUSED, str(folder)],
            env=user_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        folder.chmod(0o755)
        (folder / "secret.json").unlink()
        folder.rmdir()
    assert done.returncode == 0, done.stderr
    *written, read = done.stdout.splitlines()
    assert len(written) == 4
    assert all("cannot be written: Permission denied; check who owns" in line for line in written)
    assert "secret.json cannot be read: Permission denied" in read


def test_folders_that_cannot_be_flushed_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync
    problem = errno.EINVAL

    def refuse(handle: int) -> None:
        if os.fstat(handle).st_mode & 0o40000:
            raise OSError(problem, os.strerror(problem))
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuse)
    write_record(tmp_path / "record.json", SAMPLE)
    assert read_record(tmp_path / "record.json", FileRecord) == SAMPLE
    problem = errno.EIO
    with pytest.raises(OutreachError, match="cannot be written"):
        write_record(tmp_path / "record.json", SAMPLE)


def test_sha256_reads_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    monkeypatch.setattr(lake, "_BLOCK", 7)
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 3)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
