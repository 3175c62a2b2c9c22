"""Kills one file operation at each of its calls: `python -m … OPERATION FOLDER`.

For n = 1, 2, … a child prepares `FOLDER/n`, runs the operation there and is killed (SIGKILL) just
before its n-th call that changes files. Ends, and prints n, with the first child that survives.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from outreach_platform.foundation import lake
from outreach_platform.foundation.lake import FileRecord, sha256_of
from outreach_platform.foundation.warehouse import publish_database, write_parquet

OLD, NEW = (
    FileRecord(path="old", rows=1, size=1, sha256="0"),
    FileRecord(path="new" * 5000, rows=2, size=2, sha256="1"),
)
_COUNTED = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile"}


def _prepare_record(folder: Path) -> None:
    lake.write_record(folder / "target", OLD)


def _record(folder: Path) -> None:
    lake.write_record(folder / "target", NEW)


def _prepare_source(folder: Path) -> None:
    (folder / "source").write_bytes(b"content" * 100_000)


def _place(folder: Path) -> None:
    lake.place(folder / "source", folder / "deep" / "target", sha256_of(folder / "source"))


def _place_copy(folder: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    os.link = refuse
    _place(folder)


def _new_folder(folder: Path) -> None:
    with lake.new_folder(folder / "target") as new:
        (new / "a").write_text("a")
        (new / "inner").mkdir()
        (new / "inner" / "b").write_text("b" * 1000)


def _database(folder: Path, value: int) -> None:
    def build(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"CREATE TABLE t AS SELECT {value} AS v, i FROM range(100000) r(i)")

    publish_database(folder / "target", build)


def _parquet(folder: Path, rows: int) -> None:
    with duckdb.connect() as connection:
        select = f"SELECT * FROM range({rows})"
        write_parquet(connection, select, folder / "target", folder)


OPERATIONS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "record": (_prepare_record, _record),
    "place": (_prepare_source, _place),
    "place_copy": (_prepare_source, _place_copy),
    "new_folder": (lambda folder: None, _new_folder),
    "database": (lambda folder: _database(folder, 1), lambda folder: _database(folder, 2)),
    "parquet": (lambda folder: _parquet(folder, 10), lambda folder: _parquet(folder, 100_000)),
}


def _kill_at(number: int) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, args: tuple) -> None:
        written = (
            event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in _COUNTED or written:
            count()

    sync = os.fsync

    def counted_sync(handle: int) -> None:
        count()
        sync(handle)

    os.fsync = counted_sync
    sys.addaudithook(hook)


def main() -> None:
    prepare, operation = OPERATIONS[sys.argv[1]]
    number = 0
    while True:
        number += 1
        folder = Path(sys.argv[2]) / str(number)
        folder.mkdir(parents=True)
        child = os.fork()
        if child == 0:
            try:
                prepare(folder)
                _kill_at(number)
                operation(folder)
            except BaseException as error:  # noqa: BLE001
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0
            print(number)
            return


if __name__ == "__main__":
    main()
