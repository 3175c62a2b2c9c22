"""Which filings a run works on, and over which years."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outreach_platform.filings.database import open_database, writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.worklist import preview, spans, work_list
from outreach_platform.foundation.errors import BusyError, UsageError


@pytest.mark.parametrize(
    ("years", "ranges"),
    [
        ([], []),
        ([2024], [(2024, 2024)]),
        ([2025, 2023, 2024, 2024], [(2023, 2025)]),
        ([1998, 2008], [(1998, 2008)]),
        ([1998, 2009, 2010], [(1998, 1998), (2009, 2010)]),
    ],
)
def test_years_that_are_near_share_a_run(years: list[int], ranges: list[tuple[int, int]]) -> None:
    assert spans(years) == ranges


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    folder = FilingFolder(tmp_path)
    with writer(folder) as connection:
        connection.executemany(
            "INSERT INTO filings (accession_number, form_type, filing_year, local_path, "
            "content_hash) VALUES (?, '10-K', ?, 'filings/a.htm', 'x')",
            [
                [f"0000000001-{year % 100:02d}-00000{n}", year]
                for year in (2021, 2022)
                for n in "123"
            ],
        )
    return folder


def test_a_limit_counts_over_all_years(folder: FilingFolder) -> None:
    found = preview(folder, mode="missing", years=[2021, 2022], limit=4)
    assert [each.meta.year for each in found] == [2021, 2021, 2021, 2022]
    assert len(preview(folder, mode="missing")) == 6


@pytest.mark.slow
def test_while_a_run_writes_the_published_database_tells(folder: FilingFolder) -> None:
    folder.published.parent.mkdir(parents=True)
    shutil.copyfile(folder.writer, folder.published)
    holding = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(folder.writer)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BusyError), open_database(folder.writer, read_only=True):
            pass
        assert len(preview(folder, mode="all")) == 6
        process.communicate(b"\n")


def test_an_unknown_mode_is_refused(folder: FilingFolder) -> None:
    with writer(folder) as connection, pytest.raises(UsageError, match="choose one of missing"):
        work_list(connection, mode="some")


def test_before_anything_is_registered(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="outreach filings add"):
        preview(FilingFolder(tmp_path), mode="missing")
