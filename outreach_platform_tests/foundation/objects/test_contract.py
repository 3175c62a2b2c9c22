"""What every store promises, against its real counterpart."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import IntegrityError, StoreError
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform_tests.foundation.objects.conftest import METADATA, Case, Sample

KEY = "outreach/WV/companies/good/companies_good_20250101020304.parquet"
MakeFile = Callable[..., Sample]


def put(case: Case, sample: Sample, key: str = KEY, metadata: dict[str, str] | None = None):
    return case.store.put(key, sample.path, metadata or METADATA, sha256=sample.sha256)


def count_puts(case: Case, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    original = case.store.put

    def counting(key, *args, **kwargs):
        calls.append(key)
        return original(key, *args, **kwargs)

    monkeypatch.setattr(case.store, "put", counting)
    return calls


@pytest.mark.slow
def test_an_object_comes_back_as_it_went_in(case: Case, make_file: MakeFile, tmp_path: Path):
    sample = make_file(bytes(range(256)) * 40)
    stored = put(case, sample)
    target = tmp_path / "new" / "folder" / "back.parquet"
    fetched = case.store.get(KEY, target)
    assert target.read_bytes() == sample.data
    assert [path.name for path in target.parent.iterdir()] == ["back.parquet"]
    for info in (stored, case.store.head(KEY), fetched):
        assert (info.key, info.size, info.sha256) == (KEY, len(sample.data), sample.sha256)
        assert info.metadata == METADATA
        assert info.url == stored.url


def test_the_url_names_bucket_and_key(case: Case, make_file: MakeFile):
    info = put(case, make_file())
    assert info.url.partition("://")[0] in ("file", "http", "https", "s3")
    assert info.url.endswith(f"{case.store.bucket}/{KEY}")


def test_an_empty_file_is_an_object(case: Case, make_file: MakeFile, tmp_path: Path):
    sample = make_file(b"")
    upload_once(case.store, KEY, sample.path, METADATA)
    assert case.store.head(KEY).size == 0
    case.store.get(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


def test_nothing_stands_where_nothing_was_put(case: Case, tmp_path: Path):
    target = tmp_path / "back"
    target.write_text("kept")
    assert case.store.head(KEY) is None
    assert list(case.store.list("")) == []
    with pytest.raises(StoreError, match="companies_good_20250101020304"):
        case.store.get(KEY, target)
    assert target.read_text() == "kept"


def test_check_accepts_a_usable_bucket(case: Case):
    case.store.check()


def test_list_gives_keys_of_the_prefix_in_order(case: Case, make_file: MakeFile):
    sample = make_file()
    keys = ["outreach/WV/a-b/c", "outreach/WV/a/c", "outreach/WVX/d", "raw/é"]
    for key in reversed(keys):
        put(case, sample, key)
    listed = {prefix: list(case.store.list(prefix)) for prefix in ("", "outreach/WV", "raw/é", "x")}
    found = {prefix: [info.key for info in infos] for prefix, infos in listed.items()}
    assert found[""] == sorted(keys, key=str.encode)
    assert found["outreach/WV"] == sorted(keys[:3], key=str.encode)
    assert (found["raw/é"], found["x"]) == (["raw/é"], [])
    assert {(info.size, bool(info.url)) for info in listed[""]} == {(len(sample.data), True)}
    assert {info.sha256 for info in listed[""]} <= {None, sample.sha256}


@pytest.mark.parametrize(
    "key",
    [
        "outreach/Übersicht/straße 1.parquet",
        "outreach/日本/会社.parquet",
        "a b/c+d/e%20f/g&h=i?j#k.parquet",
        'it\'s "quoted"; drop/x:y@z!,$*(~)[1]{2}.parquet',
        "e\u0301 and é",
        "a..b/...c/d.",
        "x" * 240 + "/" + "y" * 200,
    ],
)
def test_special_characters_in_keys(case: Case, make_file: MakeFile, tmp_path: Path, key: str):
    sample = make_file()
    upload_once(case.store, key, sample.path, METADATA)
    assert case.store.head(key).key == key
    assert [info.key for info in case.store.list("")] == [key]
    case.store.get(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == sample.data


@pytest.mark.parametrize(
    "value",
    [
        "Zoë Ålund",
        "日本",
        "50 % + 7 = x&y",
        "a=b; c, \"d\" 'e'",
        "%C3%A9",
        "two  blanks",
        "a\u2028\tb",
    ],
)
def test_special_characters_in_metadata(case: Case, make_file: MakeFile, value: str):
    sample = make_file()
    metadata = METADATA | {"note": value}
    assert upload_once(case.store, KEY, sample.path, metadata).metadata == metadata


@pytest.mark.parametrize(
    "key",
    [
        *("", "/absolute", "folder/", "a//b", "..", "a/../../b", "./a", "a/.", ".metadata/a.json"),
        *("a\\b", "a\nb", "a\x7f", "x" * 241, "é" * 121, "a/" * 512 + "a", "bad\udce9"),
    ],
)
def test_unusable_keys_are_refused(case: Case, make_file: MakeFile, tmp_path: Path, key: str):
    sample = make_file()
    with pytest.raises(StoreError, match="choose another key"):
        put(case, sample, key)
    with pytest.raises(StoreError, match="choose another key"):
        upload_once(case.store, key, sample.path, METADATA)
    with pytest.raises(StoreError, match="choose another key"):
        case.store.head(key)
    with pytest.raises(StoreError, match="choose another key"):
        case.store.get(key, tmp_path / "back")
    assert list(case.store.list("")) == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"Upper": "x"}, "Upper"),
        ({"sha256": "x"}, "reserved"),
        ({"b2-expires": "x"}, "reserved"),
        ({"a:b": "x"}, "a:b"),
        ({"a": ""}, "empty"),
        ({"a": " x"}, "padded"),
        ({"a": "bad\udce9"}, "no valid text"),
        ({f"n{i}": "x" for i in range(9)}, "9 metadata entries"),
        ({"a": "é" * 400}, "shorten"),
    ],
)
def test_unusable_metadata_are_refused(
    case: Case, make_file: MakeFile, metadata: dict[str, str], message: str
):
    with pytest.raises(StoreError, match=message):
        put(case, make_file(), metadata=metadata)
    assert case.store.head(KEY) is None


def test_as_many_metadata_as_allowed_fit(case: Case, make_file: MakeFile):
    metadata = {f"name-{i}": "x" * 180 for i in range(8)}
    sample = make_file(b"0123456789" * 60)
    assert upload_once(case.store, KEY, sample.path, metadata).metadata == metadata


def test_the_same_bytes_are_sent_once(
    case: Case, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
):
    sample, puts = make_file(), count_puts(case, monkeypatch)
    first = upload_once(case.store, KEY, sample.path, METADATA)
    later = METADATA | {"upload_timestamp": "2026-01-01T00:00:00+00:00"}
    assert upload_once(case.store, KEY, sample.path, later, sha256=sample.sha256) == first
    assert puts == [KEY]


def test_the_same_bytes_without_their_metadata_are_sent_again(
    case: Case, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
):
    sample = make_file()
    put(case, sample, metadata={"state": "WV"})
    assert upload_once(case.store, KEY, sample.path, METADATA).metadata == METADATA


def test_a_version_never_overwrites_another(case: Case, make_file: MakeFile):
    first, second = make_file(b"first version"), make_file(b"other version")
    upload_once(case.store, KEY, first.path, METADATA)
    with pytest.raises(StoreError, match="never overwrites"):
        upload_once(case.store, KEY, second.path, METADATA)
    assert case.store.head(KEY).sha256 == first.sha256


def test_the_unversioned_form_may_overwrite(case: Case, make_file: MakeFile, tmp_path: Path):
    first, second = make_file(b"first"), make_file(b"second, and longer")
    upload_once(case.store, KEY, first.path, METADATA)
    upload_once(case.store, KEY, second.path, METADATA, overwrite=True)
    assert case.store.head(KEY).sha256 == second.sha256
    assert [info.size for info in case.store.list("")] == [len(second.data)]
    case.store.get(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == second.data


def test_a_file_that_changed_after_its_checksum_is_not_sent(case: Case, make_file: MakeFile):
    sample = make_file()
    checksum = sample.sha256
    sample.path.write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="instead of"):
        case.store.put(KEY, sample.path, METADATA, sha256=checksum)
    assert case.store.head(KEY) is None


def test_a_missing_file_is_named(case: Case, tmp_path: Path):
    with pytest.raises(StoreError, match=r"gone\.parquet"):
        upload_once(case.store, KEY, tmp_path / "gone.parquet", METADATA)
    with pytest.raises(StoreError, match=r"gone\.parquet"):
        case.store.put(KEY, tmp_path / "gone.parquet", METADATA, sha256="0" * 64)


def test_damage_in_the_store_is_noticed(case: Case, make_file: MakeFile, tmp_path: Path):
    put(case, make_file(b"0123456789" * 10))
    target = tmp_path / "back" / "file"
    target.parent.mkdir()
    target.write_text("kept")
    case.store.get(KEY, target)  # green first: the same call works on sound bytes
    target.write_text("kept")
    case.corrupt(KEY)
    with pytest.raises(IntegrityError):
        case.store.get(KEY, target)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert target.read_text() == "kept"


def test_a_target_that_cannot_be_written_is_named(case: Case, make_file: MakeFile, tmp_path: Path):
    put(case, make_file())
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    with pytest.raises(StoreError, match="a-file"):
        case.store.get(KEY, blocked / "back")
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(StoreError, match="a-folder"):
        case.store.get(KEY, tmp_path / "a-folder")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
    shutil.rmtree(tmp_path / "a-folder")
