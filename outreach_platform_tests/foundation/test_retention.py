"""What a removal frees is counted by the names of a file, and one that stays stops nothing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outreach_platform.foundation.retention import Remover, is_older, size_of, stamped

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_is_freed_with_its_last_name(tmp_path: Path, dry_run: bool) -> None:
    one, other, third, lone = (tmp_path / name for name in ("one", "other", "third", "lone"))
    one.write_bytes(b"12345")
    lone.write_bytes(b"123")
    os.link(one, other)
    os.link(one, third)
    remover = Remover(dry_run=dry_run)
    assert remover.remove([one, lone, tmp_path / "never there"]) == (3, [])
    assert remover.remove([other]) == (0, [])
    assert remover.remove([third]) == (5, [])
    assert [path.exists() for path in (one, other, third, lone)] == [dry_run] * 4


def test_a_file_that_stays_is_told_and_the_others_go(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    (folder / "inside").mkdir(parents=True)
    file.write_bytes(b"123")
    freed, (problem,) = Remover(dry_run=False).remove([folder, file])
    assert (freed, file.exists()) == (3, False)
    assert problem.startswith(f"{folder} cannot be removed: ")
    assert size_of([file, tmp_path / "never there"]) == 0


def test_age_counts_whole_days_from_a_moment() -> None:
    assert not is_older(NOW - timedelta(days=7), 7, NOW)
    assert is_older(NOW - timedelta(days=7, seconds=1), 7, NOW)
    assert stamped("20260310_120000", "%Y%m%d_%H%M%S") == NOW
    assert stamped("latest", "%Y%m%d_%H%M%S") is None
