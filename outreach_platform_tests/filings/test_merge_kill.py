"""A merge that is killed anywhere, or whose disk is full: no partial filing, and a re-run heals."""

import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import merge_filing
from outreach_platform.filings.model import KINDS, FilingMeta
from outreach_platform.filings.plan import plan
from outreach_platform.filings.publish import publish
from outreach_platform.foundation.errors import OutreachError
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import FULL, rows_of, stage
from outreach_platform_tests.support.kill_filings import filings_killer
from outreach_platform_tests.support.small_disks import small_disk as small_disk

pytestmark = pytest.mark.slow
# Every so many calls, and the last ones: all of the hundred and more take minutes.
_STEP = 7


def prepare(folder: FilingFolder) -> list[FilingMeta]:
    """Filing 1 stands and has new rows staged; filing 2 is new."""
    metas = [filing_rows.add_filing(folder, n, n=n) for n in (1, 2)]
    with writer(folder) as connection:
        filing_rows.register(connection, *metas)
        stage(folder, "old", metas[0], old(metas[0]))
        (one, _) = filing_rows.planned(*metas)
        assert merge_filing(connection, folder, "old", one).error is None
        publish(folder, connection)
        connection.execute("UPDATE filing_status SET parser_version = '0'")
    restage(folder, metas)
    return metas


def restage(folder: FilingFolder, metas: list[FilingMeta]) -> None:
    for meta in metas:
        stage(folder, "run", meta, new(meta))


def old(meta: FilingMeta) -> Any:
    return rows_of(meta.accession_number, **FULL)


def new(meta: FilingMeta) -> Any:
    return rows_of(meta.accession_number, sections=2, tables=1, footnotes=1, chunks=4, text="new")


def found(connection: duckdb.DuckDBPyConnection, meta: FilingMeta) -> dict[str, list[Any]]:
    return {
        kind: connection.execute(
            f"SELECT * FROM {kind} WHERE accession_number = ? ORDER BY ALL",
            [meta.accession_number],
        ).fetchall()
        for kind in KINDS
    }


def expected(rows: Any) -> dict[str, list[Any]]:
    return {kind: sorted((tuple(row.values()) for row in rows[kind]), key=str) for kind in KINDS}


def whole(connection: duckdb.DuckDBPyConnection, meta: FilingMeta, choices: list[Any]) -> int:
    """Which of some states a filing is in; it is in none where it is partial."""
    stands = {k: sorted(rows, key=str) for k, rows in found(connection, meta).items()}
    return [expected(rows) for rows in choices].index(stands)


NONE = {kind: [] for kind in KINDS}


def test_killed_anywhere_no_filing_is_partial(tmp_path: Path) -> None:
    states = set()
    with filings_killer() as killer:
        clean = tmp_path / "clean"
        prepare(FilingFolder(clean))
        calls = killer.run(data_dir=str(clean), run_id="run", kill=0)["calls"]
        assert calls > 50
        for kill in sorted({*range(1, calls + 1, _STEP), *range(calls - 3, calls + 1)}):
            folder = FilingFolder(tmp_path / str(kill))
            metas = prepare(folder)
            answer = killer.run(data_dir=str(folder.data_dir), run_id="run", kill=kill)
            assert answer["signal"] == 9, answer
            states.add(_judged(folder, metas, answer["last"]))
            _heal(folder, metas)
    # Before both, between them, after both.
    assert states == {(0, 0), (1, 0), (1, 1)}


def _judged(folder: FilingFolder, metas: list[FilingMeta], last: str) -> tuple[int, int]:
    with writer(folder) as connection:
        first = whole(connection, metas[0], [old(metas[0]), new(metas[0])])
        second = whole(connection, metas[1], [NONE, new(metas[1])])
        status = connection.execute(
            "SELECT count(*), count(DISTINCT kind) FROM filing_status WHERE accession_number = ?",
            [metas[1].accession_number],
        ).fetchall()
        assert status == [(4, 4) if second else (0, 0)], last
    with duckdb.connect(str(folder.published), read_only=True) as shell:
        whole(shell, metas[0], [old(metas[0]), new(metas[0])])
        assert shell.execute("SELECT duplicates, orphans FROM data_health").fetchall() == [(0, 0)]
    return first, second


def _heal(folder: FilingFolder, metas: list[FilingMeta]) -> None:
    """What is left to do is staged again by another run, merged and published."""
    with writer(folder) as connection:
        left = plan(connection, mode="missing")
        for planned in left:
            stage(folder, "next", planned.meta, new(planned.meta))
            assert merge_filing(connection, folder, "next", planned).error is None
        assert plan(connection, mode="missing") == []
        publish(folder, connection)
    with duckdb.connect(str(folder.published), read_only=True) as shell:
        for meta in metas:
            assert whole(shell, meta, [new(meta)]) == 0
    assert not list(folder.data_dir.rglob("*.partial*"))


def test_a_full_disk_stops_the_merge_and_leaves_the_filing(small_disk: Path) -> None:
    folder = FilingFolder(small_disk)
    metas = prepare(folder)
    large = new(metas[0])
    large["sections"][0]["content_html"] = os.urandom(3 << 20).hex()
    stage(folder, "run", metas[0], large)
    first, second = filing_rows.planned(*metas)
    with writer(folder) as connection:
        ballast = small_disk / "ballast"
        room = os.statvfs(small_disk)
        ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize - (1 << 20)))
        with pytest.raises(OutreachError, match="cannot be written: the disk is full"):
            merge_filing(connection, folder, "run", first)
        ballast.unlink()
    assert folder.staged("run", metas[0].accession_number).is_dir()
    with writer(folder) as connection:
        assert whole(connection, metas[0], [old(metas[0])]) == 0
        for planned in (first, second):
            assert merge_filing(connection, folder, "run", planned).error is None
        assert whole(connection, metas[0], [large]) == 0
        assert whole(connection, metas[1], [new(metas[1])]) == 0
