"""Old versions lose their bulk files and nothing else; what stays, and what comes back."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.commands.status import status_rows
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import StoreError, UsageError
from outreach_platform.foundation.lake import read_record, sha256_of, write_record
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.retention import Pruned, PruneLine, Remover
from outreach_platform.operations.monitoring import stores
from outreach_platform.operations.report.figures_states import state_figures
from outreach_platform.settings_toml import RetentionSettings
from outreach_platform.snapshots.gates import Override
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform.snapshots.pruning import FILES, LAKE, InUse, StatePruning
from outreach_platform.snapshots.publish import object_metadata
from outreach_platform.snapshots.records import Manifest, Receipt, baseline_of
from outreach_platform.snapshots.restore import restore
from outreach_platform.snapshots.verify import StoreWatch, verify_state
from outreach_platform.snapshots.workbench import rebuild, workbench_path
from outreach_platform_tests.support.forked_kill import killed_at
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import drop_database, fresh_database
from outreach_platform_tests.support.published import BUCKET
from outreach_platform_tests.support.s3_server import s3_server
from outreach_platform_tests.support.snapshot_runs import (
    NOWHERE,
    START,
    fill,
    new_run,
    pull_to_judge,
    settings_for,
    whole,
)

pytestmark = pytest.mark.slow
NOW = START + timedelta(days=40)
BOTH = {"snapshot_days": 15, "lake_days": 15}


@dataclass(frozen=True)
class Kept:
    """West Virginia: published on days 0 and 10, stopped on day 20, published on day 30."""

    data: Path
    url: DatabaseUrl
    first: str
    second: str
    stopped: str
    newest: str

    @property
    def folder(self) -> StateFolder:
        return StateFolder(self.data, "WV")

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.data / "objects", BUCKET)

    def copy(self, target: Path) -> "Kept":
        """The same in a folder of its own, exports and lake being the same files."""
        shutil.copytree(self.data, target)
        there = replace(self, data=target)
        for version, table in itertools.product(self.folder.published_versions(), TABLES):
            there.folder.export(version, table).unlink()
            os.link(there.folder.table(version, table), there.folder.export(version, table))
        return there

    def prune(self, **given: Any) -> list[PruneLine]:
        """Prune the state; days, or one of the other parts of a pruning."""
        parts = {
            "folder": self.folder,
            "watch": StoreWatch(given.pop("store", self.store)),
            "in_use": given.pop("in_use", InUse()),
            "remover": Remover(dry_run=given.pop("dry_run", False)),
            "run_id": "run-prune",
            "now": given.pop("now", NOW),
        }
        return StatePruning(limits=RetentionSettings(**(given or BOTH)), **parts).lines()

    def exported(self) -> set[str]:
        """Versions with a published file on disk."""
        return {p.stem[-14:] for p in self.folder.exports.rglob("*.parquet")}

    def in_lake(self) -> set[str]:
        """Versions with rows in the lake."""
        return {p.parent.name for p in self.folder.lake.glob("*/*.parquet")}

    def tree(self) -> dict[str, bytes]:
        return {
            p.relative_to(self.data).as_posix(): p.read_bytes()
            for p in self.data.rglob("*")
            if p.is_file() and not p.name.startswith(".")
        }


@pytest.fixture(scope="module")
def prepared(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    url, data = fresh_database(pg_server, "pruning"), tmp_path_factory.mktemp("pruning")
    create_masters(url)
    fill(url)

    def at(day: int) -> dict[str, Any]:
        return {"run_id": f"run-{day}", "at": START + timedelta(days=day)}

    first, second = (whole(new_run(url, data, **at(day))).version for day in (0, 10))
    strict = settings_for(data, gates={"bad_ratio": 0.01})
    _, _, gates = pull_to_judge(new_run(url, data, settings=strict, **at(20)))
    assert not gates.passed
    newest = whole(new_run(url, data, **at(30))).version
    yield Kept(data, url, first, second, gates.version, newest)
    drop_database(pg_server, "pruning")


@pytest.fixture
def kept(prepared: Kept, tmp_path: Path) -> Kept:
    return prepared.copy(tmp_path / "data")


def verified(kept: Kept, store: ObjectStore | None = None) -> dict[str, tuple[str, str]]:
    """(disk, store) of each version; nothing may be wrong."""
    checks = list(verify_state(kept.folder, StoreWatch(store or kept.store)))
    assert [c.problems for c in checks] == [[]] * len(checks)
    return {c.version: (c.disk, c.store) for c in checks}


def test_old_versions_lose_their_files_and_nothing_else(kept: Kept) -> None:
    before = kept.tree()
    size = sum(len(c) for name, c in before.items() if _is_bulk(kept, name))
    files, lake = kept.prune()
    assert (files.what, files.removed, files.oldest_kept) == (FILES, 2, kept.newest)
    assert (lake.what, lake.removed, lake.oldest_kept) == (LAKE, 3, kept.newest)
    assert files.problems == lake.problems == []
    # One file with two names: it is freed with the second of them.
    assert files.bytes_freed == 0
    assert lake.bytes_freed == size
    after = kept.tree()
    assert {name for name in before if name not in after} == {
        name
        for name in before
        if name.endswith(".parquet") and "objects/" not in name and kept.newest not in name
    }
    assert {name: content for name, content in before.items() if name in after} == {
        name: content for name, content in after.items() if name in before
    }
    mark = read_record(kept.folder.pruned(kept.first), Pruned)
    assert (mark.run_id, mark.at, len(mark.files)) == ("run-prune", NOW, 4)
    assert [line.removed for line in kept.prune()] == [0, 0]


def _is_bulk(kept: Kept, name: str) -> bool:
    return name.startswith("lake/") and name.endswith(".parquet") and kept.newest not in name


def test_everything_that_reads_versions_goes_on(kept: Kept) -> None:
    settings = settings_for(kept.data)
    history = state_figures(settings, "WV")
    kept.prune()
    gone = ("pruned", "intact")
    assert verified(kept) == {
        kept.first: gone,
        kept.second: gone,
        kept.newest: ("intact", "intact"),
    }
    assert rebuild(kept.data, "test") == []
    with duckdb.connect(str(workbench_path(kept.data)), read_only=True) as workbench:
        rows = workbench.execute("SELECT snapshot_version FROM snapshots ORDER BY 1").fetchall()
        for view in (*TABLES, "companies_raw", "people_raw"):
            shown = workbench.execute(f"SELECT DISTINCT snapshot_version FROM {view}").fetchall()
            assert shown == [(kept.newest,)]
        assert workbench.execute("SELECT count(*) FROM companies_bad_last_run").fetchone() == (1,)
    assert [version for (version,) in rows] == [kept.first, kept.second, kept.newest]
    status = next(row for row in status_rows(settings) if row["state"] == "WV")
    assert (status["last_published"], status["problems"]) == (kept.newest, [])
    assert stores.snapshot_files(settings) == stores.snapshot_objects(settings, kept.store) == []
    assert state_figures(settings, "WV") == history
    baseline = baseline_of(kept.folder, "20990101000000", "embedded")
    assert baseline is not None
    assert baseline.version == kept.newest


def test_a_pruned_version_comes_back_and_stays_for_its_days(kept: Kept) -> None:
    whole = {n: c for n, c in kept.tree().items() if f"{kept.first}.parquet" in n}
    kept.prune()
    done = restore(kept.folder, kept.first, kept.store, "run-restore")
    assert len(done.put_back) == 4
    assert any("had been pruned" in note for note in done.notes)
    assert {n: c for n, c in kept.tree().items() if f"{kept.first}.parquet" in n} == whole
    assert verified(kept)[kept.first] == ("intact", "intact")
    today = datetime.now(START.tzinfo)
    assert kept.prune(now=today)[0].removed == 0
    assert kept.prune(now=today + timedelta(days=16))[0].removed == 1
    assert verified(kept)[kept.first] == ("pruned", "intact")


@pytest.mark.parametrize(
    ("days", "removed", "exported", "lake"),
    [
        ({"snapshot_days": 15}, [2], 1, 4),
        ({"lake_days": 15}, [3], 3, 1),
        ({"snapshot_days": 15, "lake_days": 35}, [2, 1], 1, 3),
        ({"snapshot_days": 40, "lake_days": 40}, [0, 0], 3, 4),
        ({"run_days": 1}, [], 3, 4),
    ],
)
def test_each_setting_counts_by_itself(
    kept: Kept, days: dict[str, int], removed: list[int], exported: int, lake: int
) -> None:
    lines = kept.prune(**days)
    assert [line.removed for line in lines] == removed
    assert (len(kept.exported()), len(kept.in_lake())) == (exported, lake)
    expected = sum(p.stat().st_size for p in kept.folder.lake.glob("*/*_raw.parquet"))
    assert expected > 0


def test_what_one_setting_frees_while_the_other_name_stays(kept: Kept) -> None:
    size = {p: p.stat().st_size for p in kept.folder.lake.glob("*/*.parquet")}
    old = [p for p in size if p.parent.name in (kept.first, kept.second)]
    lone = [p for p in old if p.stem.endswith("_raw")]
    stopped = [p for p in size if p.parent.name == kept.stopped]
    assert kept.prune(snapshot_days=15, dry_run=True)[0].bytes_freed == 0
    freed = kept.prune(lake_days=15)[0].bytes_freed
    assert freed == sum(size[p] for p in (*lone, *stopped))
    assert kept.prune(snapshot_days=15)[0].bytes_freed == sum(size[p] for p in {*old} - {*lone})


def override(kept: Kept, until: date) -> None:
    """Let the second version be one that an override let pass."""
    manifest = read_record(kept.folder.manifest(kept.second), Manifest)
    given = Override(id=1, state="WV", switch="K1", until=until, reason="r", by="Ann Lee")
    write_record(
        kept.folder.manifest(kept.second), manifest.model_copy(update={"overrides": [given]})
    )
    receipt = read_record(kept.folder.receipt(kept.second), Receipt)
    sha256 = sha256_of(kept.folder.manifest(kept.second))
    sent = kept.folder.manifest(kept.second)
    key = kept.folder.manifest_key(kept.second)
    kept.store.put(key, sent, object_metadata("WV", kept.second, "manifest"), sha256=sha256)
    objects = dict(receipt.objects)
    size = sent.stat().st_size
    objects["manifest"] = objects["manifest"].model_copy(update={"sha256": sha256, "size": size})
    write_record(
        kept.folder.receipt(kept.second),
        receipt.model_copy(update={"manifest_sha256": sha256, "objects": objects}),
    )


def lose_newest(kept: Kept) -> None:
    """The newest version's records are damaged: the second is the last good one."""
    kept.folder.manifest(kept.newest).write_text("{}")


def damage_newest(kept: Kept) -> None:
    kept.folder.export(kept.newest, "people_good").unlink()
    kept.folder.table(kept.newest, "people_good").unlink()


def of_a_database(kept: Kept) -> None:
    """The newest is of a configured database: the second is the baseline of the sample's runs."""
    for path in (kept.folder.manifest(kept.newest), kept.folder.receipt(kept.newest)):
        path.write_text(path.read_text().replace('"source": "embedded"', '"source": "db/neon"'))
    receipt = read_record(kept.folder.receipt(kept.newest), Receipt)
    sha256 = sha256_of(kept.folder.manifest(kept.newest))
    write_record(
        kept.folder.receipt(kept.newest), receipt.model_copy(update={"manifest_sha256": sha256})
    )


SECOND_STAYS: dict[str, tuple[Callable[[Kept], None], InUse]] = {
    "an override that holds": (lambda k: override(k, NOW.date()), InUse()),
    "an unfinished run of its day": (
        lambda _: None,
        InUse(days=frozenset({(START + timedelta(days=10)).date()})),
    ),
    "its own run is not finished": (lambda _: None, InUse(run_ids=frozenset({"run-10"}))),
    "the newest has damaged records": (lose_newest, InUse()),
    "the newest has lost a file": (damage_newest, InUse()),
    "the newest is of another source": (of_a_database, InUse()),
}


@pytest.mark.parametrize("why", SECOND_STAYS)
def test_a_version_that_somebody_needs_stays(kept: Kept, why: str) -> None:
    prepare, in_use = SECOND_STAYS[why]
    prepare(kept)
    files, lake = kept.prune(in_use=in_use)
    assert kept.second in kept.exported()
    assert kept.second in kept.in_lake()
    assert kept.first not in kept.exported() | kept.in_lake()
    assert (files.removed, files.oldest_kept, lake.oldest_kept) == (1, kept.second, kept.second)


def test_an_override_that_is_over_protects_nothing(kept: Kept) -> None:
    override(kept, NOW.date() - timedelta(days=1))
    assert kept.prune()[0].removed == 2


def test_the_last_of_all_stays_however_old(kept: Kept) -> None:
    kept.prune(snapshot_days=1, lake_days=1, now=NOW + timedelta(days=1000))
    assert kept.exported() == kept.in_lake() == {kept.newest}


def test_a_run_that_was_not_settled_keeps_its_rows(kept: Kept) -> None:
    kept.folder.outcome(kept.stopped).unlink()
    assert kept.prune()[1].removed == 2
    assert kept.stopped in kept.in_lake()


def test_a_version_that_waits_to_be_published_stays(kept: Kept) -> None:
    kept.folder.receipt(kept.first).unlink()
    assert kept.prune()[0].removed == 1
    assert kept.first in kept.exported() & kept.in_lake()


class Down:
    """A store that nobody answers for."""

    bucket = "down"

    def head(self, key: str) -> None:
        raise StoreError(f"the store cannot be reached ({key})")


def test_without_the_store_published_files_stay_and_it_is_said_once(kept: Kept) -> None:
    before = kept.exported()
    files, lake = kept.prune(store=Down())
    assert kept.exported() == before
    assert (files.removed, lake.removed) == (0, 3)
    (problem,) = files.problems
    assert problem.startswith(f"WV {kept.first} and 1 more: kept, the object store cannot be asked")
    assert not kept.folder.pruned(kept.first).exists()


@pytest.mark.parametrize("other", [False, True])
def test_a_version_that_the_store_does_not_hold_stays(kept: Kept, other: bool) -> None:
    path = kept.data / "objects" / BUCKET / kept.folder.object_key(kept.first, "people_good")
    content = path.read_bytes()
    path.unlink()
    if other:
        path.write_bytes(content[::-1])
    files, lake = kept.prune()
    assert (files.removed, lake.removed) == (1, 3)
    assert files.oldest_kept == kept.first
    (problem,) = files.problems
    assert path.name in problem
    assert kept.first in kept.exported()


def test_rows_in_the_lake_that_are_the_last_copy_stay(kept: Kept) -> None:
    (kept.data / "objects" / BUCKET / kept.folder.object_key(kept.first, "people_bad")).unlink()
    kept.folder.export(kept.first, "people_good").unlink()
    (lake,) = kept.prune(lake_days=15)
    assert lake.removed == 2
    assert "people_bad" in lake.problems[0]
    assert kept.first in kept.in_lake()


def test_the_objects_are_asked_of_s3(kept: Kept) -> None:
    with s3_server() as server:
        store = S3Store(server.client, server.bucket)
        for version in (kept.first, kept.second):
            for name, record in read_record(kept.folder.receipt(version), Receipt).objects.items():
                manifest = name == "manifest"
                own = kept.folder
                path = own.manifest(version) if manifest else own.export(version, name)
                upload_once(store, record.key, path, object_metadata("WV", version, name))
        lost = kept.folder.object_key(kept.second, "people_bad")
        server.client.put_object(Bucket=server.bucket, Key=lost, Body=b"copied by hand")
        files, _ = kept.prune(store=store)
        assert (files.removed, files.oldest_kept) == (1, kept.second)
        assert lost in files.problems[0]
        assert len(restore(kept.folder, kept.first, store, "test").put_back) == 4


def test_a_dry_run_tells_the_same_and_removes_nothing(kept: Kept) -> None:
    before = kept.tree()
    told = kept.prune(dry_run=True)
    assert kept.tree() == before
    assert told == kept.prune()
    assert told[1].bytes_freed > 0


def test_a_file_that_cannot_be_removed_is_told_and_the_rest_goes_on(kept: Kept) -> None:
    path = kept.folder.export(kept.first, "people_bad")
    path.unlink()
    (path / "inside").mkdir(parents=True)
    files, lake = kept.prune()
    assert (files.removed, lake.removed) == (1, 3)
    assert "cannot be removed" in files.problems[0]
    assert path.name in files.problems[0]
    assert not kept.folder.export(kept.first, "people_good").exists()
    shutil.rmtree(path)
    assert [line.problems for line in kept.prune()] == [[], []]


def test_a_past_day_that_was_pruned_is_not_published_anew(kept: Kept) -> None:
    day = START.date()
    run = new_run(NOWHERE, kept.data, run_id="again", at=NOW)
    kept.prune(snapshot_days=15)
    for step in (
        lambda: run.pull(day),
        lambda: run.select_version(day),
        lambda: run.export(kept.first),
        lambda: run.upload(kept.first),
    ):
        with pytest.raises(UsageError, match=f"outreach restore --state WV --version {kept.first}"):
            step()
    # The lake has its rows still, and a newer version that is damaged makes the views look back.
    damage_newest(kept)
    assert any("were pruned" in problem for problem in rebuild(kept.data, "test"))
    assert kept.exported() == {kept.newest}


def test_a_day_whose_raw_rows_were_pruned_cannot_be_rebuilt(kept: Kept) -> None:
    run = new_run(NOWHERE, kept.data, run_id="again", at=NOW)
    assert run.pull(START.date()).version == kept.first
    kept.prune(lake_days=15)
    with pytest.raises(UsageError, match=r"raw rows of WV .* were pruned"):
        run.pull(START.date())
    assert kept.first in kept.exported()


def test_the_next_run_goes_on_as_if_nothing_were_gone(kept: Kept) -> None:
    kept.prune()
    run = new_run(kept.url, kept.data, run_id="next", at=NOW)
    assert run.recover() == []
    done = whole(run)
    assert done.gates.baseline is not None
    assert done.gates.baseline.version == kept.newest
    assert done.manifest.snapshot_id == 4
    assert verified(kept)[kept.first] == ("pruned", "intact")


def test_a_restore_that_was_killed_is_finished_or_taken_back(kept: Kept) -> None:
    """Its files stand by halves, and the mark is there until all of them do."""
    path = kept.folder.export(kept.first, "people_bad")
    content = path.read_bytes()
    kept.prune()
    path.write_bytes(content)
    assert verified(kept)[kept.first] == ("pruned", "intact")
    assert kept.prune()[0].removed == 1
    path.write_bytes(content)
    assert len(restore(kept.folder, kept.first, kept.store, "test").put_back) == 3
    assert verified(kept)[kept.first] == ("intact", "intact")


def test_a_pruning_killed_anywhere_looks_like_no_damage_and_is_completed(
    kept: Kept, tmp_path: Path
) -> None:
    done = kept.copy(tmp_path / "done")
    done.prune()
    for number in itertools.count(1, 3):
        mine = kept.copy(tmp_path / str(number))
        killed = killed_at(number, mine.prune)
        verified(mine)
        assert stores.snapshot_files(settings_for(mine.data)) == []
        assert all(line.problems == [] for line in mine.prune())
        assert mine.tree() == done.tree()
        assert not list(mine.data.rglob("*.partial"))
        shutil.rmtree(mine.data)
        if not killed:
            assert number > 20
            return
