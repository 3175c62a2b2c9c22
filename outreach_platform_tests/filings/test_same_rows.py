"""Real filings, read by one worker or by many, in any order and by any mode: the same rows."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import merge_filing
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.plan import PlannedFiling, plan
from outreach_platform.filings.pool import extract_all
from outreach_platform.filings.publish import publish
from outreach_platform.filings.registry import register
from outreach_platform_tests.support.real_data import real_data_folder

pytestmark = [pytest.mark.slow, pytest.mark.real_data, pytest.mark.timeout(900)]
_NOW = datetime(2026, 1, 2, 3, 4)
_FILINGS = 6


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Small filings, HTML and plain text."""
    data = real_data_folder()
    if data is None or not (data / "filings").is_dir():
        pytest.skip("no real filings here")
    old = [*(data / "filings_old").glob("*.txt*")]
    found = sorted((data / "filings").glob("*.htm*"), key=lambda path: path.stat().st_size)
    return [*found[: _FILINGS - 2], *sorted(old, key=lambda path: path.stat().st_size)[:2]]


def build(folder: FilingFolder, files: Sequence[Path], *modes: str, workers: int) -> None:
    """Register files, extract and merge them by some modes, one after the other, and publish."""
    with writer(folder) as connection:
        register(connection, folder, list(files), now=_NOW)
    for number, mode in enumerate(modes):
        with writer(folder) as connection:
            found = plan(connection, mode=mode, force=mode == "all")  # type: ignore[arg-type]
        reports = run(folder, f"run-{number}", found, workers)
        assert all(report.error is None for report in reports)
        with writer(folder) as connection:
            for planned in found:
                outcome = merge_filing(connection, folder, f"run-{number}", planned)
                assert outcome.error is None
    publish(folder)


def run(folder: FilingFolder, run_id: str, planned: list[PlannedFiling], workers: int) -> list[Any]:
    reports: list[Any] = []
    extract_all(
        planned,
        folder,
        run_id,
        workers=workers,
        time_limit=300,
        memory_limit=2 << 30,
        on_done=reports.append,
    )
    return reports


def dump(folder: FilingFolder) -> dict[str, list[tuple[Any, ...]]]:
    """Rows as they stand in the published file, without sorting them."""
    with duckdb.connect(str(folder.published), read_only=True) as connection:
        return {kind: connection.execute(f"FROM {kind}").fetchall() for kind in KINDS}


@pytest.fixture(scope="module")
def one_by_one(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> FilingFolder:
    """Read by one worker."""
    folder = FilingFolder(tmp_path_factory.mktemp("one"))
    build(folder, files, "all", workers=1)
    return folder


def test_there_is_something_to_compare(one_by_one: FilingFolder) -> None:
    rows = dump(one_by_one)
    assert all(rows[kind] for kind in KINDS)
    assert len({row[1] for row in rows["sections"]}) >= _FILINGS - 1


def test_eight_workers_give_the_rows_of_one(
    one_by_one: FilingFolder, files: list[Path], tmp_path: Path
) -> None:
    folder = FilingFolder(tmp_path)
    build(folder, files, "missing", workers=8)
    assert dump(folder) == dump(one_by_one)


def test_modes_in_any_order_give_the_same_rows(
    one_by_one: FilingFolder, files: list[Path], tmp_path: Path
) -> None:
    folder = FilingFolder(tmp_path)
    build(folder, files[3:], "no_tables", "missing", workers=2)
    build(folder, files[:3], "missing", "all", "no_tables", workers=2)
    assert dump(folder) == dump(one_by_one)
    with writer(folder) as connection:
        assert plan(connection, mode="all") == []
