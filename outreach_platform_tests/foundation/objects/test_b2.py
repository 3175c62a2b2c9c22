"""The real SDK over HTTP against the tests' own B2: keys, buckets, faults, versions, parts."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import (
    IntegrityError,
    StoreError,
    StoreUnavailableError,
)
from outreach_platform.foundation.objects import b2 as b2_module
from outreach_platform.foundation.objects import b2_client
from outreach_platform.foundation.objects.b2 import B2Store
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform_tests.foundation.objects.conftest import METADATA, Sample, b2_store
from outreach_platform_tests.support.b2_server import B2Server, b2_server
from outreach_platform_tests.support.s3_server import S3Server

KEY = "outreach/WV/companies/good/companies_good_20250101020304.parquet"
MakeFile = Callable[..., Sample]


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second tries, hence no pauses, inside the SDK."""
    monkeypatch.setattr(b2_client, "TRIES", 1)


def test_metadata_and_checksum_are_file_info(b2: B2Server, make_file: MakeFile):
    sample = make_file()
    info = upload_once(b2_store(b2), KEY, sample.path, METADATA)
    assert b2.stored[KEY].info == METADATA | {"sha256": sample.sha256}
    assert info.url == f"{b2.realm}/file/{b2.bucket}/{KEY}"


def test_nothing_is_written_to_the_home_directory(
    b2: B2Server, make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("B2_ACCOUNT_INFO", raising=False)
    upload_once(b2_store(b2), KEY, make_file().path, METADATA)
    assert list(home.rglob("*")) == []


def test_check_needs_two_calls(b2: B2Server):
    b2_store(b2).check()
    assert b2.calls == ["b2_authorize_account", "b2_list_buckets"]


def test_a_key_for_this_bucket_only_is_enough(b2: B2Server, make_file: MakeFile):
    capabilities = ("listFiles", "readFiles", "writeFiles")
    key_id, key = b2.add_key(capabilities, bucket_only=True)
    store = b2_store(b2, key_id=key_id, application_key=key)
    store.check()
    upload_once(store, KEY, make_file().path, METADATA)
    assert KEY in b2.stored


@pytest.mark.parametrize("wrong", [{"application_key": "K004wrong"}, {"key_id": "unknown"}])
def test_a_wrong_key_says_so(b2: B2Server, wrong: dict[str, str]):
    for call in (lambda store: store.check(), lambda store: store.head(KEY)):
        with pytest.raises(StoreError, match="B2_APPLICATION_KEY"):
            call(b2_store(b2, **wrong))


def test_a_missing_bucket_says_so(b2: B2Server, make_file: MakeFile):
    store, sample = b2_store(b2, bucket="no-such-bucket"), make_file()
    with pytest.raises(StoreError, match=r"no bucket no-such-bucket.*B2_BUCKET"):
        store.check()
    with pytest.raises(StoreError, match="no bucket no-such-bucket"):
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    with pytest.raises(StoreError, match="no bucket no-such-bucket"):
        list(store.list(""))


def test_a_key_for_another_bucket_says_so(b2: B2Server):
    key_id, key = b2.add_key(bucket_only=True)
    store = b2_store(b2, key_id=key_id, application_key=key, bucket="somebody-elses")
    with pytest.raises(StoreError, match="restricted to other buckets"):
        store.check()


def test_a_read_only_key_reads_and_says_why_it_does_not_write(b2: B2Server, make_file: MakeFile):
    upload_once(b2_store(b2), KEY, make_file().path, METADATA)
    key_id, key = b2.read_only_key()
    store = b2_store(b2, key_id=key_id, application_key=key)
    assert store.head(KEY).metadata == METADATA
    for call in (
        store.check,
        lambda: upload_once(store, "other", make_file().path, METADATA),
    ):
        with pytest.raises(StoreError, match="no writeFiles") as caught:
            call()
        assert not isinstance(caught.value, StoreUnavailableError)
    assert "b2_upload_file" not in b2.calls[b2.calls.index("b2_upload_file") + 1 :]


def test_a_key_for_another_prefix_says_so(b2: B2Server, make_file: MakeFile):
    key_id, key = b2.add_key(prefix="filings/")
    store = b2_store(b2, key_id=key_id, application_key=key)
    sample = make_file()
    upload_once(store, "filings/a", sample.path, METADATA)
    with pytest.raises(StoreError, match="name prefix"):
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    with pytest.raises(StoreError, match="name prefix"):
        store.head(KEY)


def test_an_unreachable_service_may_be_back(b2: B2Server, make_file: MakeFile, once: None):
    store = b2_store(b2, realm="http://127.0.0.1:1")
    with pytest.raises(StoreUnavailableError, match="could not be reached"):
        store.check()
    with pytest.raises(StoreUnavailableError, match="could not be reached"):
        upload_once(store, KEY, make_file().path, METADATA)
    with pytest.raises(StoreUnavailableError):
        b2_store(b2, realm="http://no-such-host.invalid").check()


def test_an_address_that_is_not_b2_says_so(moto: S3Server, b2: B2Server, once: None):
    for realm in (moto.endpoint_url, "no address"):
        with pytest.raises(StoreError):
            b2_store(b2, realm=realm).check()


@pytest.mark.slow
def test_a_short_outage_is_waited_out_by_the_sdk(b2: B2Server, make_file: MakeFile):
    store = b2_store(b2)
    b2.fail_next(1, 503, call="b2_authorize_account")
    b2.fail_next(1, 429, call="head")
    store.check()
    assert store.head(KEY) is None
    assert b2.calls.count("b2_authorize_account") == 2


@pytest.mark.parametrize("status", [500, 503, 408, 429, "drop"])
def test_a_long_outage_ends_after_a_few_calls(
    b2: B2Server, make_file: MakeFile, once: None, status: int | str
):
    store = b2_store(b2)
    store.check()
    b2.fail_next(1000, status)
    sample = make_file()
    with pytest.raises(StoreUnavailableError):
        upload_once(store, KEY, sample.path, METADATA, attempts=3)
    with pytest.raises(StoreUnavailableError):
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    with pytest.raises(StoreUnavailableError):
        list(store.list(""))
    assert len(b2.calls) < 25
    b2.faults.clear()
    assert upload_once(store, KEY, sample.path, METADATA).sha256 == sample.sha256


def test_an_upload_is_repeated_by_us_and_hardly_by_the_sdk(b2: B2Server, make_file: MakeFile):
    b2.fail_next(1000, 503, call="b2_upload_file")
    with pytest.raises(StoreUnavailableError):
        upload_once(b2_store(b2), KEY, make_file().path, METADATA, attempts=3)
    assert b2.calls.count("b2_upload_file") == 3 * b2_client.TRIES


def test_a_server_that_asks_for_an_hour_does_not_get_it(
    b2: B2Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(b2_client, "LONGEST_PAUSE_SECONDS", 0)
    store = b2_store(b2)
    store.check()
    b2.fail_next(1, 503, retry_after=3600)
    assert store.head(KEY) is None
    assert b2.calls.count("head") == 2


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up(
    b2: B2Server, once: None, monkeypatch: pytest.MonkeyPatch
):
    store = b2_store(b2)
    store.check()
    monkeypatch.setattr(b2_client, "READ_SECONDS", 0.3)
    b2.fail_next(2, "hang")
    with pytest.raises(StoreUnavailableError):
        store.head(KEY)
    with pytest.raises(StoreUnavailableError):
        list(store.list(""))


def test_expired_tokens_are_renewed(b2: B2Server, make_file: MakeFile):
    store, sample = b2_store(b2), make_file()
    store.check()
    b2.expire_tokens()
    assert store.head(KEY) is None
    upload_once(store, "a", sample.path, METADATA)
    b2.expire_tokens()  # the upload token too
    upload_once(store, "b", sample.path, METADATA)
    b2.expire_tokens()
    assert [info.key for info in store.list("")] == ["a", "b"]
    b2.expire_tokens()
    b2.fail_next(1, 401, call="b2_upload_file")
    upload_once(store, "c", sample.path, METADATA)
    assert set(b2.stored) == {"a", "b", "c"}


def test_a_lost_connection_during_upload_is_repeated(b2: B2Server, make_file: MakeFile):
    store, sample = b2_store(b2), make_file()
    b2.fail_next(1, "drop", call="b2_upload_file")
    upload_once(store, "a", sample.path, METADATA)
    b2.fail_next(1, "drop_after", call="b2_upload_file")
    upload_once(store, "b", sample.path, METADATA)
    assert {key: file.data for key, file in b2.stored.items()} == dict.fromkeys("ab", sample.data)


def test_bytes_that_change_on_the_way_are_sent_again(b2: B2Server, make_file: MakeFile):
    store, sample = b2_store(b2), make_file()
    b2.fail_next(1, "corrupt", call="b2_upload_file")
    with pytest.raises(StoreUnavailableError):
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    assert b2.stored == {}
    b2.fail_next(1, "corrupt", call="b2_upload_file")
    upload_once(store, KEY, sample.path, METADATA)
    assert b2.stored[KEY].data == sample.data


def test_a_download_that_breaks_off_leaves_the_target(
    b2: B2Server, make_file: MakeFile, tmp_path: Path
):
    store, sample = b2_store(b2), make_file(b"0123456789" * 100_000)
    upload_once(store, KEY, sample.path, METADATA)
    target = tmp_path / "target" / "file"
    target.parent.mkdir()
    target.write_text("kept")
    b2.fail_next(1, "truncate", call="download")
    with pytest.raises(StoreUnavailableError):
        store.get(KEY, target)
    assert target.read_text() == "kept"
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    store.get(KEY, target)
    assert target.read_bytes() == sample.data


def test_a_clock_that_is_wrong_says_so(b2: B2Server):
    b2.clock_skew_seconds = 3600
    with pytest.raises(StoreError, match="clock"):
        b2_store(b2).check()


def test_the_newest_version_counts_and_a_hidden_file_is_absent(
    b2: B2Server, make_file: MakeFile, tmp_path: Path
):
    store, old, new = b2_store(b2), make_file(b"old"), make_file(b"newer")
    store.put(KEY, old.path, {"state": "OH"}, sha256=old.sha256)
    store.put(KEY, new.path, METADATA, sha256=new.sha256)
    assert len(b2.versions) == 2
    assert (store.head(KEY).sha256, store.head(KEY).metadata) == (new.sha256, METADATA)
    b2.hide(KEY)
    assert store.head(KEY) is None
    assert list(store.list("")) == []
    with pytest.raises(StoreError, match="holds no"):
        store.get(KEY, tmp_path / "back")
    upload_once(store, KEY, old.path, METADATA)
    assert store.head(KEY).sha256 == old.sha256


def test_long_lists_come_in_pages(
    b2: B2Server, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(b2_module, "_LIST_PAGE", 2)
    store, sample = b2_store(b2), make_file()
    for number in range(5):
        store.put(f"a/{number}", sample.path, METADATA, sha256=sample.sha256)
    assert [info.key for info in store.list("a/")] == [f"a/{n}" for n in range(5)]
    assert b2.calls.count("b2_list_file_names") == 3


# Large files


def test_large_files_go_in_parts_and_are_verified(make_file: MakeFile, tmp_path: Path):
    sample = make_file(bytes(range(256)) * 1000)
    with b2_server(part_size=100_000) as server:
        store = b2_store(server)
        server.fail_next(1, 503, call="b2_upload_part")
        server.fail_next(1, "drop", call="b2_upload_part")
        info = upload_once(store, KEY, sample.path, METADATA)
        assert (info.sha256, info.metadata) == (sample.sha256, METADATA)
        assert server.calls.count("b2_upload_part") >= 4
        assert server.stored[KEY].sha1 is None
        assert server.stored[KEY].data == sample.data
        store.get(KEY, tmp_path / "back")
        server.corrupt(KEY)  # B2 records no SHA1 for the whole of a large file
        with pytest.raises(IntegrityError, match="instead of"):
            store.get(KEY, tmp_path / "back")


def test_parts_of_an_interrupted_upload_are_used_or_removed(make_file: MakeFile):
    sample = make_file(bytes(range(256)) * 1000)
    with b2_server(part_size=100_000) as server:
        store = b2_store(server)
        store.check()

        def interrupted(metadata: dict[str, str]) -> None:
            server.fail_next(50, 403, call="b2_finish_large_file")
            with pytest.raises(StoreError):
                upload_once(store, KEY, sample.path, metadata, attempts=1)
            server.faults.clear()

        interrupted(METADATA)
        assert len(server.unfinished) == 1
        sent = server.calls.count("b2_upload_part")
        later = METADATA | {"upload_timestamp": "2026-01-01T00:00:00+00:00"}
        interrupted(later)
        assert [file.info["upload_timestamp"] for file in server.unfinished] == [
            later["upload_timestamp"]
        ]
        assert server.calls.count("b2_upload_part") == 2 * sent
        upload_once(store, KEY, sample.path, later)
        assert server.calls.count("b2_upload_part") == 2 * sent
        assert server.unfinished == []
        assert server.stored[KEY].data == sample.data


# Secrets


def test_the_application_key_appears_nowhere(
    b2: B2Server, make_file: MakeFile, once: None, caplog: pytest.LogCaptureFixture
):
    canary = "K004canary-that-must-appear-nowhere"
    texts: list[str] = []

    def failing(store: B2Store) -> None:
        with pytest.raises(StoreError) as caught:
            upload_once(store, KEY, make_file().path, METADATA, attempts=2)
        texts.append("".join(traceback.format_exception(caught.value)))

    with caplog.at_level(logging.INFO):
        failing(b2_store(b2, application_key=canary))
        failing(b2_store(b2, application_key=canary, realm="http://127.0.0.1:1"))
        failing(b2_store(b2, bucket=canary))
        b2.keys["canary"] = b2.keys[b2.key_id].__class__(canary, ("listFiles", "readFiles"), True)
        failing(b2_store(b2, key_id="canary", application_key=canary))
        for status in (503, 401, 400, 403, "drop"):
            b2.fail_next(100, status)
            failing(b2_store(b2, application_key=canary))
            b2.faults.clear()
    assert len(texts) == 9
    assert "canary-that" not in " ".join(texts)
    for secret in (canary, b2.application_key, *b2.tokens):
        assert secret not in caplog.text
        assert secret not in " ".join(texts)
