"""Published versions verified, damaged in every way, and brought back from the store."""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import (
    IntegrityError,
    OutreachError,
    StoreError,
    UsageError,
)
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.publish import object_metadata
from outreach_platform.snapshots.records import survey
from outreach_platform.snapshots.resend import send_missing
from outreach_platform.snapshots.restore import restore, restore_to
from outreach_platform.snapshots.verify import StoreWatch, verify_state
from outreach_platform.snapshots.workbench import rebuild, workbench_path
from outreach_platform_tests.support.forked_kill import killed_at
from outreach_platform_tests.support.postgres import drop_database, fresh_database
from outreach_platform_tests.support.published import TwoVersions, publish_twice
from outreach_platform_tests.support.s3_server import s3_server

pytestmark = pytest.mark.slow
pytest_plugins = ("outreach_platform_tests.support.small_disks",)


@pytest.fixture(scope="module")
def prepared(
    pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoVersions]:
    url = fresh_database(pg_server, "prepared_for_restore")
    yield publish_twice(url, tmp_path_factory.mktemp("restore"))
    drop_database(pg_server, "prepared_for_restore")


@pytest.fixture
def two(prepared: TwoVersions, tmp_path: Path) -> TwoVersions:
    return prepared.copy(tmp_path / "data")


def problems(two: TwoVersions) -> dict[str, list[str]]:
    """What a verification says, by version."""
    watch = StoreWatch(two.store)
    found = {c.version: c.problems for c in verify_state(two.folder, watch)}
    assert watch.problem is None
    return found


def aside(two: TwoVersions) -> list[Path]:
    return sorted(two.folder.exports.rglob("*.damaged*"))


def shown(two: TwoVersions) -> list[tuple]:
    """(version, rows) of the view of good companies."""
    rebuild(two.data_dir, "test")
    with duckdb.connect(str(workbench_path(two.data_dir)), read_only=True) as connection:
        return connection.execute(
            "SELECT snapshot_version, count(*) FROM companies_good GROUP BY 1"
        ).fetchall()


def test_whole_versions_agree_with_disk_and_store(two: TwoVersions) -> None:
    assert problems(two) == {two.old: [], two.new: []}


def overwrite(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"something else")


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


DAMAGES: dict[str, tuple[Callable[[TwoVersions], None], str]] = {
    "a file gone": (
        lambda two: two.folder.export(two.new, "people_bad").unlink(),
        "people_bad_{v}.parquet is gone from disk",
    ),
    "a file overwritten": (
        lambda two: overwrite(two.folder.export(two.new, "companies_good")),
        "companies_good_{v}.parquet holds other content",
    ),
    "a bit flipped": (
        lambda two: flip(two.folder.export(two.new, "companies_good")),
        "companies_good_{v}.parquet holds other content",
    ),
    "the manifest gone": (
        lambda two: two.folder.manifest(two.new).unlink(),
        "its manifest is gone",
    ),
    "the manifest overwritten": (
        lambda two: overwrite(two.folder.manifest(two.new)),
        "{v}.json is damaged",
    ),
    "the receipt overwritten": (
        lambda two: overwrite(two.folder.receipt(two.new)),
        "{v}.json is damaged",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_mended(two: TwoVersions, damage: str) -> None:
    whole = two.content()
    harm, says = DAMAGES[damage]
    harm(two)
    found = problems(two)
    assert any(says.format(v=two.new) in problem for problem in found[two.new]), found
    assert found[two.old] == []
    done = restore(two.folder, two.new, two.store, "test")
    assert len(done.put_back) == 1
    assert problems(two) == {two.old: [], two.new: []}
    assert two.content() == whole
    assert [path.name for path in aside(two)] == [Path(p).name for p in done.kept_aside]
    assert bool(done.kept_aside) == (damage not in ("a file gone", "the manifest gone"))
    assert shown(two)[0][0] == two.new


def test_what_is_intact_is_not_touched(two: TwoVersions) -> None:
    before = {path: path.stat() for path in two.folder.exports.rglob("*") if path.is_file()}
    shutil.rmtree(two.data_dir / "objects" / "svg-enrichment" / "outreach" / "WV" / "people")
    done = restore(two.folder, two.new, two.store, "test")
    assert (done.put_back, done.kept_aside) == ([], [])
    after = {path: path.stat() for path in two.folder.exports.rglob("*") if path.is_file()}
    assert {p: (s.st_ino, s.st_mtime_ns) for p, s in before.items()} == {
        p: (s.st_ino, s.st_mtime_ns) for p, s in after.items()
    }


def test_a_lost_folder_comes_back_from_the_store_alone(two: TwoVersions) -> None:
    whole = two.content()
    shutil.rmtree(two.data_dir / "exports")
    shutil.rmtree(two.data_dir / "lake")
    done = restore(two.folder, two.new, two.store, "test")
    assert two.content() == whole
    assert shown(two)[0][0] == two.new
    assert "companies_raw, people_raw: raw rows" in done.notes[-1]
    assert problems(two) == {two.new: []}
    restore(two.folder, two.old, two.store, "test")
    assert problems(two) == {two.old: [], two.new: []}


def test_the_lakes_copy_of_a_damaged_file_is_mended_with_it(two: TwoVersions) -> None:
    export, lake = two.folder.export(two.new, "people_bad"), two.folder.table(two.new, "people_bad")
    good = export.read_bytes()
    export.unlink()
    os.link(lake, export)
    export.write_bytes(b"scribbled into the one file behind both names")
    restore(two.folder, two.new, two.store, "test")
    assert export.read_bytes() == lake.read_bytes() == good


def tampered_file(two: TwoVersions) -> None:
    overwrite(two.object("people_good"))


def tampered_like_a_backup(two: TwoVersions) -> None:
    """An object replaced with another proper upload: its own checksum is right."""
    source = two.folder.export(two.new, "companies_bad")
    key = two.folder.object_key(two.new, "people_good")
    upload_once(two.store, key, source, object_metadata("WV", two.new, "x"), overwrite=True)


def gone(two: TwoVersions) -> None:
    two.object("people_good").unlink()


@pytest.mark.parametrize("harm", [tampered_file, tampered_like_a_backup, gone])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_object_that_is_another_or_gone_restores_nothing(
    two: TwoVersions, tmp_path: Path, harm: Callable[[TwoVersions], None], elsewhere: bool
) -> None:
    harm(two)
    assert any("people_good" in problem for problem in problems(two)[two.new])
    for table in TABLES:
        two.folder.export(two.new, table).unlink()
    before = two.content()
    with pytest.raises(OutreachError, match="people_good"):
        if elsewhere:
            restore_to(two.folder, two.new, two.store, tmp_path / "to")
        else:
            restore(two.folder, two.new, two.store, "test")
    assert two.content() == before
    assert not list(tmp_path.rglob("*.partial"))
    assert not (tmp_path / "to" / "exports").exists()


def test_what_the_store_lost_is_sent_again(two: TwoVersions) -> None:
    gone(two)
    two.object("manifest").unlink()
    sent = send_missing(two.folder, two.new, two.store)
    assert sent == [two.folder.object_key(two.new, "people_good"), two.folder.manifest_key(two.new)]
    assert problems(two) == {two.old: [], two.new: []}
    assert send_missing(two.folder, two.new, two.store) == []


def test_the_lakes_copy_is_sent_where_the_export_is_gone(two: TwoVersions) -> None:
    gone(two)
    two.folder.export(two.new, "people_good").unlink()
    assert len(send_missing(two.folder, two.new, two.store)) == 1
    assert len(restore(two.folder, two.new, two.store, "test").put_back) == 1
    assert problems(two) == {two.old: [], two.new: []}


def test_a_damaged_file_is_not_sent_and_no_object_is_replaced(two: TwoVersions) -> None:
    gone(two)
    for path in (two.folder.export, two.folder.table):
        overwrite(path(two.new, "people_good"))
    other = two.object("people_bad")
    other.write_bytes(b"of somebody else")
    assert send_missing(two.folder, two.new, two.store) == []
    assert other.read_bytes() == b"of somebody else"
    assert not two.object("people_good").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "OH"},
        {"version": "20200101000000"},
        {"path": "../../outside.parquet"},
        {"counts": {}},
    ],
)
def test_a_manifest_that_names_other_things_is_refused(
    two: TwoVersions, tmp_path: Path, change: dict[str, object]
) -> None:
    content = json.loads(two.folder.manifest(two.new).read_text())
    if "path" in change:
        content["files"]["people_good"]["path"] = change["path"]
    else:
        content |= change
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(content))
    metadata = object_metadata("WV", two.new, "manifest")
    upload_once(two.store, two.folder.manifest_key(two.new), forged, metadata, overwrite=True)
    shutil.rmtree(two.data_dir / "exports")
    with pytest.raises(IntegrityError, match="another version or of other files"):
        restore(two.folder, two.new, two.store, "test")
    assert two.content() == {}


def test_a_manifest_other_than_the_published_one_is_refused(two: TwoVersions) -> None:
    two.folder.manifest(two.new).unlink()
    overwrite(two.object("companies_good").parents[2] / "manifests" / f"{two.new}.json")
    shutil.rmtree(two.data_dir / "objects" / "svg-enrichment" / ".metadata")
    with pytest.raises(IntegrityError, match="not the manifest under which"):
        restore(two.folder, two.new, two.store, "test")


def test_an_unknown_version_is_told_which_there_are(two: TwoVersions) -> None:
    with pytest.raises(UsageError, match=f"choose one of {two.new}, {two.old}$"):
        restore(two.folder, "20200101000000", two.store, "test")
    with pytest.raises(UsageError, match="has no version"):
        restore_to(two.folder, "../../../etc/passwd", two.store, Path("/nowhere"))


def test_a_number_that_was_given_again_is_refused_in_place(two: TwoVersions) -> None:
    first = two.folder.manifest(two.old)
    taken = json.loads(first.read_text())["snapshot_id"]
    for path in (two.folder.manifest(two.new), two.folder.receipt(two.new)):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"snapshot_id": taken}))
    first.unlink()
    two.folder.receipt(two.old).unlink()
    with pytest.raises(IntegrityError, match=f"has the number {taken}"):
        restore(two.folder, two.old, two.store, "test")


def test_a_version_that_waits_for_its_run_is_left_to_it(two: TwoVersions) -> None:
    two.folder.receipt(two.new).unlink()
    with pytest.raises(UsageError, match="never published: the next run"):
        restore(two.folder, two.new, two.store, "test")


def test_a_version_goes_to_another_folder_and_nothing_else_changes(
    two: TwoVersions, tmp_path: Path
) -> None:
    def everything() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in two.data_dir.rglob("*") if p.is_file()}

    two.folder.export(two.new, "people_bad").unlink()
    before, target = everything(), tmp_path / "to"
    done = restore_to(two.folder, two.new, two.store, target)
    assert everything() == before
    assert len(done.put_back) == 5
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()) == (
        sorted(done.put_back)
    )
    assert restore_to(two.folder, two.new, two.store, target).put_back == []
    assert len(restore_to(two.folder, two.old, two.store, target).put_back) == 5
    overwrite(target / done.put_back[0])
    with pytest.raises(IntegrityError, match="other content"):
        restore_to(two.folder, two.new, two.store, target)


def test_the_data_folder_is_no_other_folder(two: TwoVersions) -> None:
    with pytest.raises(UsageError, match="inside the data folder"):
        restore_to(two.folder, two.new, two.store, two.data_dir / "exports" / "again")


class Down:
    """A store that nobody answers for."""

    bucket = "down"

    def head(self, key: str) -> None:
        raise StoreError(f"the store cannot be reached ({key})")

    list = get = put = head


def test_without_the_store_disk_is_verified_all_the_same(two: TwoVersions) -> None:
    two.folder.export(two.old, "people_bad").unlink()
    watch = StoreWatch(Down())  # type: ignore[arg-type]
    old, new = verify_state(two.folder, watch)
    assert watch.problem is not None
    assert watch.problem.startswith("the store cannot be reached")
    assert (old.disk, old.store, new.disk, new.store) == (
        *("damaged", "not asked"),
        *("intact", "not asked"),
    )
    assert ["is gone from disk" in p for p in old.problems] == [True]


def test_rows_are_counted_against_the_manifest(two: TwoVersions) -> None:
    manifest = json.loads(two.folder.manifest(two.new).read_text())
    manifest["files"]["people_bad"]["rows"] += 1
    two.folder.manifest(two.new).write_text(json.dumps(manifest))
    assert any("its manifest says" in problem for problem in problems(two)[two.new])


def test_a_version_comes_back_from_s3(two: TwoVersions) -> None:
    with s3_server() as server:
        store = S3Store(server.client, server.bucket)
        jobs = {two.folder.object_key(two.new, t): two.folder.export(two.new, t) for t in TABLES}
        jobs[two.folder.manifest_key(two.new)] = two.folder.manifest(two.new)
        for key, path in jobs.items():
            upload_once(store, key, path, object_metadata("WV", two.new, "x"))
        whole = two.content()
        shutil.rmtree(two.data_dir / "exports")
        assert len(restore(two.folder, two.new, store, "test").put_back) == 6
        assert two.content() == whole
        assert [c.problems for c in verify_state(two.folder, StoreWatch(store))] == [[]]
        server.corrupt(two.folder.object_key(two.new, "people_good"))
        two.folder.export(two.new, "people_good").unlink()
        with pytest.raises(IntegrityError, match="people_good"):
            restore(two.folder, two.new, store, "test")


def test_a_full_disk_restores_nothing_by_halves(two: TwoVersions, small_disk: Path) -> None:
    with (small_disk / "filler").open("wb") as filler, pytest.raises(OSError, match="space"):
        while True:
            filler.write(bytes(1 << 16))
            filler.flush()
    with pytest.raises(OutreachError, match="free"):
        restore_to(two.folder, two.new, two.store, small_disk / "to")
    assert not [p for p in small_disk.rglob("*") if p.is_file() and p.name != "filler"]


@pytest.mark.parametrize("lost", ["files", "everything"])
def test_a_restore_killed_anywhere_is_finished_by_the_next(
    two: TwoVersions, tmp_path: Path, lost: str
) -> None:
    whole = two.content()
    if lost == "everything":
        shutil.rmtree(two.data_dir / "exports")
    else:
        overwrite(two.folder.export(two.new, "people_good"))
        two.folder.manifest(two.new).unlink()
    for number in itertools.count(1, 4):
        mine = two.copy(tmp_path / str(number))
        again = partial(restore, mine.folder, mine.new, mine.store, "killed")
        killed = killed_at(number, again)
        assert all(
            whole[name] == content or name.startswith("people_good")
            for name, content in mine.content().items()
        )
        restore(mine.folder, mine.new, mine.store, "next")
        assert mine.content() == whole
        assert mine.new in {m.version for m, _ in survey(mine.folder)[0]}
        assert not list(mine.folder.exports.rglob("*.partial"))
        shutil.rmtree(mine.data_dir)
        if not killed:
            assert number > 10
            return
