"""Where a backup may go, and what becomes of the folder in which it grows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from outreach_platform.embedded.layout import open_lock, try_lock
from outreach_platform.foundation.errors import BusyError, UsageError
from outreach_platform.operations.backup.target import (
    LOCK,
    check_target,
    claimed,
    partial_of,
    require_space,
)
from outreach_platform_tests.support.small_disks import small_disk as small_disk


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data/backup", "lie one in the other"),
        ("data", "lie one in the other"),
        (".", "lie one in the other"),
        ("data/../data/exports/x", "lie one in the other"),
        ("link/backup", "lie one in the other"),
        ("full", "is there and not empty"),
        ("file", "is no folder"),
        ("missing/backup", "is not there: make it, or see that its disk is mounted"),
    ],
)
def test_refused(tmp_path: Path, data: Path, name: str, said: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(data)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=said):
        check_target(tmp_path / name, data)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_whole_disk_and_one_that_cannot_be_written_are_refused(
    small_disk: Path, data: Path
) -> None:
    with pytest.raises(UsageError, match=r"is a disk of its own: name a new folder inside it"):
        check_target(small_disk, data)
    assert check_target(small_disk / "new", data)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UsageError, match=r"cannot be written: name a folder where you may write"):
        check_target(small_disk / "new", data)


def test_new_and_empty_folders_are_taken(tmp_path: Path, data: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert check_target(tmp_path / "empty", data) == tmp_path / "empty"
    assert check_target(tmp_path / "new", data) == tmp_path / "new"
    with claimed(tmp_path / "empty", "me") as partial:
        (partial / "file").touch()
        assert not any((tmp_path / "empty").iterdir())
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["file"]
    assert not partial.exists()


def test_too_little_room_is_refused_with_figures(tmp_path: Path) -> None:
    require_space(tmp_path / "x", 1)
    with pytest.raises(UsageError, match=r"takes about 10,000,000,000 MB, and the disk of"):
        require_space(tmp_path / "x", 10**16)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), claimed(tmp_path / "x", "me") as partial:
        (partial / "file").touch()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_living_one_is_refused_by_name_and_stays(tmp_path: Path) -> None:
    with claimed(tmp_path / "x", "run 7") as partial:
        (partial / "file").touch()
        with pytest.raises(BusyError, match="is busy: run 7"), claimed(tmp_path / "x", "run 8"):
            pass
        # One to another folder goes on, and leaves the living one alone.
        with claimed(tmp_path / "y", "run 9"):
            pass
        assert (partial / "file").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


@pytest.mark.parametrize("next_one", ["x", "y"])
def test_a_dead_one_is_removed_by_the_next(tmp_path: Path, next_one: str) -> None:
    dead = partial_of(tmp_path / "x")
    dead.mkdir()
    (dead / LOCK).touch()
    (dead / "half").write_bytes(b"h")
    # No backup's: it has no lock of ours.
    somebodys = tmp_path / "movie.partial"
    somebodys.mkdir()
    with claimed(tmp_path / next_one, "me") as partial:
        assert not (dead / "half").exists()
        assert partial.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([next_one, "movie.partial"])
    assert list((tmp_path / next_one).iterdir()) == []


def test_what_dead_ones_hold_counts_as_room(small_disk: Path) -> None:
    dead = partial_of(small_disk / "x")
    dead.mkdir()
    (dead / LOCK).touch()
    free = shutil.disk_usage(small_disk).free
    (dead / "half").write_bytes(b"h" * 10_000_000)
    require_space(small_disk / "y", free - 5_000_000)
    lock = open_lock(dead / LOCK)
    try:
        assert try_lock(lock)
        with pytest.raises(UsageError):
            require_space(small_disk / "y", free - 5_000_000)
    finally:
        os.close(lock)
