"""SIGKILL before every call that changes something, and what the next run makes of it."""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform.snapshots.records import baseline_of, survey
from outreach_platform.snapshots.workbench import workbench_path
from outreach_platform_tests.support.kill_at import Killer, killer
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import (
    START,
    fill,
    later,
    new_run,
    statuses,
    whole,
)

# All 200 calls take some minutes; by default every sixth is hit, OUTREACH_KILL_STEP=1 hits all.
STEP = int(os.environ.get("OUTREACH_KILL_STEP", "6"))
SHARDS = 4  # for pytest-xdist
_NEVER = 0


@pytest.fixture(scope="module")
def forks() -> Iterator[Killer]:
    """The process that forks runs."""
    with killer() as process:
        yield process


def assert_nothing_half_is_published(data_dir: Path, url: DatabaseUrl) -> None:
    """What counts as published is whole in every place, right after a kill."""
    folder = StateFolder(data_dir, "WV")
    pairs, problems = survey(folder)
    assert problems == []
    store = LocalStore(data_dir / "objects", "svg-enrichment")
    for manifest, receipt in pairs:
        for record in manifest.files.values():
            assert sha256_of(data_dir / record.path) == record.sha256
        assert set(receipt.objects) == {*TABLES, "manifest"}
        for sent in receipt.objects.values():
            standing = store.head(sent.key)
            assert standing is not None
            assert standing.sha256 == sent.sha256
        assert statuses(url).count((manifest.version, "OK")) == 1
    published = {manifest.version for manifest, _ in pairs}
    baseline = baseline_of(folder, "20990101000000", "embedded")
    assert baseline is not None
    assert baseline.version == max(published)
    with duckdb.connect(str(workbench_path(data_dir)), read_only=True) as connection:
        rows = connection.execute("SELECT snapshot_version FROM snapshots").fetchall()
        shown = connection.execute("SELECT DISTINCT snapshot_version FROM people_good").fetchall()
    assert {row[0] for row in rows} <= published
    assert {row[0] for row in shown} <= published


def assert_all_is_settled(data_dir: Path, url: DatabaseUrl, newest: str, ending: str) -> None:
    """After the next run: one row a version, no leftovers, no doubled id."""
    folder = StateFolder(data_dir, "WV")
    published = folder.published_versions()
    assert published == folder.exported_versions()
    found = dict(statuses(url))
    assert len(found) == len(statuses(url))
    assert set(found) == set(folder.versions())
    assert found[newest] == ending
    assert {version for version, said in found.items() if said == "OK"} == set(published)
    assert set(found.values()) <= {"OK", "FAILED", ending}
    exported = {path.name for path in folder.exports.rglob("*.parquet")}
    assert exported == {f"{table}_{version}.parquet" for version in published for table in TABLES}
    left = [p for p in data_dir.rglob("*") if ".incoming" not in p.parts and _is_leftover(p)]
    assert left == []
    with duckdb.connect(str(workbench_path(data_dir)), read_only=True) as connection:
        rows = connection.execute(
            "SELECT id, snapshot_version FROM snapshots ORDER BY snapshot_version"
        ).fetchall()
    assert [version for _, version in rows] == published
    assert len({number for number, _ in rows}) == len(rows)


def _is_leftover(path: Path) -> bool:
    name = path.name
    return ".partial" in name or ".new." in name or name.startswith((".plain", "duckdb-"))


def start_over(url: DatabaseUrl, base: Path, data_dir: Path) -> None:
    """The state after one published version."""
    shutil.rmtree(data_dir, ignore_errors=True)
    shutil.copytree(base, data_dir)
    execute(url, "DELETE FROM shq.audit_log WHERE id > 1")


@pytest.fixture
def base(neon_url: DatabaseUrl, tmp_path: Path) -> Path:
    """A data folder with one published version."""
    create_masters(neon_url)
    fill(neon_url)
    folder = tmp_path / "base"
    whole(new_run(neon_url, folder, run_id="first", at=START))
    return folder


def kill_everywhere(
    url: DatabaseUrl, base: Path, data_dir: Path, forks: Killer, *, first: int, step: int, end: str
) -> list[str]:
    """Kill at each `step`th call from `first` on until a run completes; returns what was hit."""
    seen = []
    for kill in itertools.count(first, step):
        start_over(url, base, data_dir)
        common = {"conninfo": url.conninfo, "data_dir": str(data_dir)}
        killed = forks.run(**common, run_id="killed", at=later(60).isoformat(), kill=kill)
        if killed["signal"] == 0:
            assert killed["error"] is None
            assert kill > killed["calls"]
            break
        assert killed["signal"] == signal.SIGKILL
        seen.append(killed["last"])
        assert_nothing_half_is_published(data_dir, url)
        after = forks.run(**common, run_id="next", at=later(120).isoformat(), kill=_NEVER)
        assert (after["signal"], after["error"]) == (0, None), killed
        assert_all_is_settled(data_dir, url, later(120).strftime("%Y%m%d%H%M%S"), end)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_run_is_completed_or_given_up_by_the_next(
    neon_url: DatabaseUrl, base: Path, tmp_path: Path, forks: Killer, shard: int
) -> None:
    first, step = 1 + shard * STEP, SHARDS * STEP
    seen = kill_everywhere(
        neon_url, base, tmp_path / "data", forks, first=first, step=step, end="OK"
    )
    assert len(seen) >= 150 // step


@pytest.mark.slow
def test_a_killed_run_that_is_stopped_is_audited_once(
    neon_url: DatabaseUrl, base: Path, tmp_path: Path, forks: Killer
) -> None:
    execute(neon_url, "UPDATE marketing.company_master SET website_url = NULL")
    seen = kill_everywhere(
        neon_url, base, tmp_path / "data", forks, first=2, step=2 * STEP, end="K1_TRIGGERED"
    )
    assert len(seen) >= 50 // (2 * STEP)


@pytest.mark.slow
def test_what_was_killed_while_it_recovered_is_recovered_too(
    neon_url: DatabaseUrl, base: Path, tmp_path: Path, forks: Killer
) -> None:
    data_dir = tmp_path / "data"
    hits = 0
    for kill in itertools.count(3, 7 * STEP):
        start_over(neon_url, base, data_dir)
        common = {"conninfo": neon_url.conninfo, "data_dir": str(data_dir)}
        # About where the four files stand and the manifest does.
        forks.run(**common, run_id="killed", at=later(60).isoformat(), kill=130)
        again = forks.run(**common, run_id="again", at=later(90).isoformat(), kill=kill)
        assert_nothing_half_is_published(data_dir, neon_url)
        if again["signal"] == 0:
            break
        hits += 1
        after = forks.run(**common, run_id="next", at=later(120).isoformat(), kill=_NEVER)
        assert (after["signal"], after["error"]) == (0, None), again
        assert_all_is_settled(data_dir, neon_url, later(120).strftime("%Y%m%d%H%M%S"), "OK")
    assert hits > 3
