"""The local folder: layout, kills between its steps, damage by hand, a full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.foundation.errors import IntegrityError, StoreError
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform_tests.foundation.objects.conftest import METADATA

KEY = "outreach/WV/manifests/20250101020304.json"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects", "bucket")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"rows and rows")
    return path


def test_objects_are_plain_files_under_their_keys(store: LocalStore, file: Path, tmp_path: Path):
    info = upload_once(store, KEY, file, METADATA)
    stored = tmp_path / "objects" / "bucket" / KEY
    assert stored.read_bytes() == file.read_bytes()
    assert info.url == stored.as_uri()
    sidecar = tmp_path / "objects/bucket/.metadata/outreach.d/WV.d/manifests.d"
    recorded = json.loads((sidecar / "20250101020304.json.json").read_text())
    assert (recorded["metadata"], recorded["sha256"]) == (METADATA, info.sha256)
    assert [found.key for found in store.list("")] == [KEY]
    assert list(store.list(".metadata")) == []


def test_other_users_may_read_as_the_umask_says(store: LocalStore, file: Path, tmp_path: Path):
    before = os.umask(0o022)
    try:
        upload_once(store, KEY, file, METADATA)
    finally:
        os.umask(before)
    assert (tmp_path / "objects" / "bucket" / KEY).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("bucket", ["", "..", "../other", "a/b", ".hidden", "x" * 64])
def test_bucket_names_that_leave_the_root_are_refused(tmp_path: Path, bucket: str):
    with pytest.raises(StoreError, match="bucket name"):
        LocalStore(tmp_path, bucket)


def test_a_prefix_that_leaves_the_bucket_is_refused(store: LocalStore):
    with pytest.raises(StoreError, match="leaves the bucket"):
        list(store.list("../other/x"))


def test_sidecars_do_not_collide_with_folders_of_like_names(store: LocalStore, file: Path):
    keys = ["a", "a.json/b", "a.d/b", "b.json", "b", "c.d/x.json", "c.d/x"]
    for number, key in enumerate(keys):
        upload_once(store, key, file, {"number": str(number)})
    assert [store.head(key).metadata for key in keys] == [
        {"number": str(number)} for number in range(len(keys))
    ]


def test_a_key_below_an_object_is_refused(store: LocalStore, file: Path):
    upload_once(store, "a/b", file, METADATA)
    with pytest.raises(StoreError, match="a/b"):
        upload_once(store, "a/b/c", file, METADATA)
    with pytest.raises(StoreError, match="storing a"):
        upload_once(store, "a", file, METADATA)
    assert [info.key for info in store.list("")] == ["a/b"]


SEGMENT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1
)
SEGMENT = SEGMENT.filter(lambda text: text not in (".", "..") and len(text.encode()) <= 240)


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(SEGMENT, min_size=1, max_size=4), st.text(min_size=1))
def test_any_valid_key_and_value_come_back(tmp_path: Path, segments: list[str], value: str):
    key = "/".join(segments)
    if key.startswith("."):
        key = f"x{key}"
    value = "".join(c for c in value if not "\ud800" <= c <= "\udfff")[:40].strip() or "x"
    folder = tmp_path / "case"
    shutil.rmtree(folder, ignore_errors=True)
    store, source = LocalStore(folder, "bucket"), tmp_path / "file"
    source.write_bytes(value.encode())
    upload_once(store, key, source, {"value": value})
    assert [info.key for info in store.list("")] == [key]
    assert store.head(key).metadata == {"value": value}
    assert store.get(key, tmp_path / "back").size == len(value.encode())


# What other hands do


def test_new_times_do_not_make_other_bytes(store: LocalStore, file: Path, tmp_path: Path):
    first = upload_once(store, KEY, file, METADATA)
    os.utime(tmp_path / "objects" / "bucket" / KEY, (1, 1))
    assert next(store.list("")).sha256 is None
    assert store.head(KEY) == first


def test_a_file_put_there_by_hand_is_an_object(store: LocalStore, file: Path, tmp_path: Path):
    stored = tmp_path / "objects" / "bucket" / KEY
    stored.parent.mkdir(parents=True)
    shutil.copy(file, stored)
    found = store.head(KEY)
    assert (found.size, found.metadata, len(found.sha256)) == (13, {}, 64)
    assert store.get(KEY, tmp_path / "back").sha256 == found.sha256
    assert upload_once(store, KEY, file, METADATA).metadata == METADATA


def test_a_torn_sidecar_counts_as_none(store: LocalStore, file: Path, tmp_path: Path):
    upload_once(store, KEY, file, METADATA)
    sidecar = next((tmp_path / "objects/bucket/.metadata").rglob("*.json"))
    sidecar.write_text('{"key"')
    assert store.head(KEY).metadata == {}
    assert upload_once(store, KEY, file, METADATA).metadata == METADATA


def test_bytes_changed_by_hand_show_in_head_and_are_not_fetched(
    store: LocalStore, file: Path, tmp_path: Path
):
    before = upload_once(store, KEY, file, METADATA)
    (tmp_path / "objects" / "bucket" / KEY).write_bytes(b"rows and cows")
    assert store.head(KEY).sha256 != before.sha256
    with pytest.raises(IntegrityError, match="restore it"):
        store.get(KEY, tmp_path / "back")
    with pytest.raises(StoreError, match="never overwrites"):
        upload_once(store, KEY, file, METADATA)


def test_check_sweeps_what_kills_left_a_day_ago(store: LocalStore, tmp_path: Path):
    store.check()
    incoming = tmp_path / "objects" / "bucket" / ".incoming"
    for name, age in (("old.part", 2 * 86400), ("new.part", 60)):
        (incoming / name).write_text("half")
        os.utime(incoming / name, (time.time() - age,) * 2)
    store.check()
    assert [path.name for path in incoming.iterdir()] == ["new.part"]


def test_check_refuses_a_bucket_that_is_a_file(store: LocalStore, tmp_path: Path):
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "bucket").write_text("")
    with pytest.raises(StoreError, match="using the folder"):
        store.check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_check_refuses_a_folder_that_may_not_be_written(store: LocalStore, tmp_path: Path):
    (tmp_path / "objects").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="access"):
        store.check()


# Kills and a full disk, in processes of their own

UPLOAD = """
import os, resource, signal, sys
from pathlib import Path
from outreach_platform.foundation.objects import streams
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.upload import upload_once
root, source, key, step, limit = sys.argv[1:]
renames = [0]
original = Path.replace
def killing(self, target):
    renames[0] += 1
    if step == f"before {renames[0]}":
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, target)
    if step == f"after {renames[0]}":
        os.kill(os.getpid(), signal.SIGKILL)
Path.replace = killing
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
upload_once(LocalStore(Path(root), "bucket"), key, Path(source), {"state": "new"}, overwrite=True)
"""


def upload_in_process(root: Path, source: Path, step: str = "", limit: int = 0):
    arguments = [str(root), str(source), KEY, step, str(limit)]
    return subprocess.run(
        [sys.executable, "-c", UPLOAD, *arguments], capture_output=True, text=True, timeout=120
    )


STEPS = ["before 1", "after 1", "before 2", "after 2"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_is_healed_by_the_next_upload(
    store: LocalStore, file: Path, tmp_path: Path, step: str
):
    killed = upload_in_process(tmp_path / "objects", file, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (store.head(KEY) is not None) == (step == "after 2")
    assert len(list(store.list(""))) == (step == "after 2")
    assert upload_once(store, KEY, file, {"state": "new"}).metadata == {"state": "new"}
    assert store.get(KEY, tmp_path / "back").size == 13


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_while_replacing_never_shows_mixed_state(
    store: LocalStore, file: Path, tmp_path: Path, step: str
):
    old = tmp_path / "old"
    old.write_bytes(b"older rows")
    before = upload_once(store, KEY, old, {"state": "old"})
    killed = upload_in_process(tmp_path / "objects", file, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = store.head(KEY)
    if step == "after 2":
        assert (found.size, found.metadata) == (13, {"state": "new"})
    else:
        assert (found.size, found.sha256) == (before.size, before.sha256)
        # A sidecar of bytes that never came is not believed.
        assert found.metadata == ({"state": "old"} if step == "before 1" else {})
    healed = upload_once(store, KEY, file, {"state": "new"}, overwrite=True)
    assert (healed.size, healed.metadata) == (13, {"state": "new"})
    assert store.get(KEY, tmp_path / "back").size == 13


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(store: LocalStore, tmp_path: Path):
    big = tmp_path / "big"
    big.write_bytes(b"x" * 100_000)
    failed = upload_in_process(tmp_path / "objects", big, limit=50_000)
    assert failed.returncode == 1
    assert "free space" in failed.stderr.splitlines()[-1]
    assert store.head(KEY) is None
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert upload_in_process(tmp_path / "objects", big, limit=500_000).returncode == 0
    assert store.head(KEY).size == 100_000
