"""boto3 against moto's server: access, parts, faults, and what goes over the wire."""

import base64
import hashlib
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from outreach_platform.foundation.errors import (
    IntegrityError,
    StoreError,
    StoreUnavailableError,
)
from outreach_platform.foundation.objects.s3 import S3Store, client_config
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.foundation.redaction import register_secret
from outreach_platform_tests.foundation.objects.conftest import METADATA, Sample
from outreach_platform_tests.support.s3_server import S3Server

KEY = "outreach/WV/companies/good/companies_good_20250101020304.parquet"
MIB = 1 << 20
MakeFile = Callable[..., Sample]


class Body:
    """A raw answer body as botocore wants it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def stream(self) -> Iterator[bytes]:
        yield self.data


@contextmanager
def answering(
    client: Any, operation: str, code: str, status: int, times: int = 1000
) -> Iterator[list[Any]]:
    """Let the next requests of one operation get an error answer, read by the real botocore."""
    seen: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        seen.append(request)
        if len(seen) > times:
            return None
        xml = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        return AWSResponse(request.url, status, {}, Body(xml.encode()))

    event = f"before-send.s3.{operation}"
    client.meta.events.register(event, answer)
    try:
        yield seen
    finally:
        client.meta.events.unregister(event, answer)


@pytest.fixture
def client(s3: S3Server) -> Any:
    """A client of this test's own, without pauses between botocore's tries."""
    config = client_config(path_style=True).merge(
        type(client_config())(retries={"total_max_attempts": 1})
    )
    return s3.new_client(config=config)


def test_metadata_go_as_ascii_and_names_stay(s3: S3Server, make_file: MakeFile):
    sample = make_file()
    info = upload_once(S3Store(s3.client, s3.bucket), KEY, sample.path, METADATA | {"note": "é %"})
    head = s3.client.head_object(Bucket=s3.bucket, Key=KEY)
    assert head["Metadata"] == METADATA | {"note": "%C3%A9%20%25", "sha256": sample.sha256}
    assert info.url == f"s3://{s3.bucket}/{KEY}"


def test_puts_carry_their_md5_and_no_trailing_checksum(
    client: Any, s3: S3Server, make_file: MakeFile
):
    # moto does not compare Content-MD5, as S3 does: that it is the right one is all to be seen.
    with answering(client, "PutObject", "", 200, times=0) as requests:
        upload_once(S3Store(client, s3.bucket), KEY, make_file(b"rows").path, METADATA)
    headers = {name.lower(): value for name, value in requests[0].headers.items()}
    assert base64.b64decode(headers["content-md5"]) == hashlib.md5(b"rows").digest()
    assert not any(name.startswith(("x-amz-checksum", "x-amz-trailer")) for name in headers)


@pytest.mark.slow
def test_the_client_of_the_dagster_resource_works(
    s3: S3Server, make_file: MakeFile, tmp_path: Path
):
    from dagster_aws.s3 import S3Resource

    resource = S3Resource(
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
    )
    store = S3Store(resource.get_client(), s3.bucket, part_size=5 * MIB)
    for sample in (make_file(), make_file(b"x" * 6 * MIB)):
        upload_once(store, KEY + str(len(sample.data)), sample.path, METADATA)
        assert store.get(KEY + str(len(sample.data)), tmp_path / "b").sha256 == sample.sha256


# Buckets and credentials


def test_a_missing_bucket_says_so(s3: S3Server, make_file: MakeFile, tmp_path: Path):
    store, sample = S3Store(s3.client, "no-such-bucket"), make_file()
    calls: list[Callable[[], Any]] = [
        store.check,
        lambda: store.head(KEY),
        lambda: list(store.list("")),
        lambda: store.get(KEY, tmp_path / "back"),
        lambda: store.put(KEY, sample.path, METADATA, sha256=sample.sha256),
        lambda: upload_once(store, KEY, sample.path, METADATA),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"no bucket no-such-bucket.*S3_BUCKET"):
            call()


def test_credentials_that_may_only_read_say_so(s3: S3Server, make_file: MakeFile):
    upload_once(S3Store(s3.client, s3.bucket), KEY, make_file().path, METADATA)
    access_key, secret = s3.user("s3:GetObject", "s3:ListBucket", "s3:Head*")
    store = S3Store(s3.new_client(access_key, secret), s3.bucket)
    with s3.access_control():
        store.check()
        assert store.head(KEY).size > 0
        with pytest.raises(StoreError, match="s3:PutObject"):
            upload_once(store, "other", make_file().path, {"state": "WV"})
    assert S3Store(s3.client, s3.bucket).head("other") is None


def test_credentials_for_nothing_and_wrong_ones_say_so(s3: S3Server):
    access_key, secret = s3.user("iam:GetUser")
    with s3.access_control():
        with pytest.raises(StoreError, match="may not do this"):
            S3Store(s3.new_client(access_key, secret), s3.bucket).check()
        for pair in ((access_key, "wrong-secret"), ("AKIAUNKNOWNUNKNOWN00", "x" * 20)):
            store = S3Store(s3.new_client(*pair), s3.bucket)
            with pytest.raises(StoreError, match="AWS_"):
                list(store.list(""))
            with pytest.raises(StoreError):
                store.check()


@pytest.mark.slow
def test_no_credentials_at_all_say_so(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = boto3.Session(region_name="us-east-1")
    client = session.client("s3", endpoint_url=s3.endpoint_url, config=client_config())
    with pytest.raises(StoreError, match="no AWS credentials"):
        S3Store(client, s3.bucket).check()


def test_an_unreachable_endpoint_may_be_back(s3: S3Server, client: Any, make_file: MakeFile):
    config = client.meta.config
    for endpoint in ("http://127.0.0.1:1", "http://no-such-host.invalid"):
        store = S3Store(s3.new_client(endpoint_url=endpoint, config=config), s3.bucket)
        with pytest.raises(StoreUnavailableError, match="S3_ENDPOINT_URL"):
            store.check()
        with pytest.raises(StoreUnavailableError):
            upload_once(store, KEY, make_file().path, METADATA, attempts=2)


@pytest.mark.parametrize(
    ("code", "status", "kind", "text"),
    [
        ("SlowDown", 503, StoreUnavailableError, "SlowDown"),
        ("InternalError", 500, StoreUnavailableError, "InternalError"),
        ("RequestTimeout", 400, StoreUnavailableError, "RequestTimeout"),
        ("BadDigest", 400, StoreUnavailableError, "BadDigest"),
        ("Whatever", 502, StoreUnavailableError, "Whatever"),
        ("ExpiredToken", 400, StoreError, "AWS_SESSION_TOKEN"),
        ("PermanentRedirect", 301, StoreError, "AWS_DEFAULT_REGION"),
        ("AuthorizationHeaderMalformed", 400, StoreError, "AWS_DEFAULT_REGION"),
        ("RequestTimeTooSkewed", 403, StoreError, "clock"),
        ("AccessDenied", 403, StoreError, "s3:PutObject"),
        ("QuotaExceeded", 403, StoreError, "quota"),
        ("MethodNotAllowed", 405, StoreError, "MethodNotAllowed"),
    ],
)
def test_each_refusal_says_what_to_do(
    s3: S3Server,
    client: Any,
    make_file: MakeFile,
    code: str,
    status: int,
    kind: type[StoreError],
    text: str,
):
    store, sample = S3Store(client, s3.bucket), make_file()
    with answering(client, "PutObject", code, status), pytest.raises(kind, match=text) as caught:
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    assert type(caught.value) is kind
    assert store.put(KEY, sample.path, METADATA, sha256=sample.sha256).size == len(sample.data)


def test_a_short_outage_is_tried_again(s3: S3Server, client: Any, make_file: MakeFile):
    with answering(client, "PutObject", "SlowDown", 503, times=2) as seen:
        upload_once(S3Store(client, s3.bucket), KEY, make_file().path, METADATA, attempts=3)
    assert len(seen) == 3


def test_long_lists_come_in_pages(s3: S3Server, client: Any, make_file: MakeFile):
    def small_pages(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 2

    store, sample = S3Store(client, s3.bucket), make_file()
    for number in range(5):
        store.put(f"a/{number} é", sample.path, METADATA, sha256=sample.sha256)
    client.meta.events.register("provide-client-params.s3.ListObjectsV2", small_pages)
    with answering(client, "ListObjectsV2", "", 200, times=0) as pages:
        assert [info.key for info in store.list("a/")] == [f"a/{n} é" for n in range(5)]
    assert len(pages) == 3


# Bytes


def test_a_download_that_breaks_off_leaves_the_target(
    s3: S3Server, client: Any, make_file: MakeFile, tmp_path: Path
):
    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    target = tmp_path / "target" / "file"
    target.parent.mkdir()
    target.write_text("kept")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        broken = s3.new_client(endpoint_url=endpoint, config=client.meta.config)
        with pytest.raises(StoreUnavailableError):
            S3Store(broken, s3.bucket).get(KEY, target)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert target.read_text() == "kept"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


# Parts


def uploads(s3: S3Server) -> list[Any]:
    return s3.client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])


def test_large_files_go_in_parts_and_are_verified(
    s3: S3Server, client: Any, make_file: MakeFile, tmp_path: Path
):
    store = S3Store(client, s3.bucket, part_size=5 * MIB)
    sample = make_file(bytes(range(256)) * (11 * MIB // 256) + b"odd end")
    with answering(client, "UploadPart", "", 200, times=0) as parts:
        info = upload_once(store, KEY, sample.path, METADATA)
    assert len(parts) == 3
    pieces = [sample.data[start : start + 5 * MIB] for start in range(0, 11 * MIB + 7, 5 * MIB)]
    assert [base64.b64decode(part.headers["Content-MD5"]) for part in parts] == [
        hashlib.md5(piece).digest() for piece in pieces
    ]
    assert (info.size, info.sha256, info.metadata) == (len(sample.data), sample.sha256, METADATA)
    assert s3.client.head_object(Bucket=s3.bucket, Key=KEY)["ETag"].endswith('-3"')
    assert store.get(KEY, tmp_path / "back").sha256 == sample.sha256
    assert (tmp_path / "back").read_bytes() == sample.data
    s3.corrupt(KEY)
    with pytest.raises(IntegrityError, match="instead of"):
        store.get(KEY, tmp_path / "back")


def test_a_file_of_just_one_part_goes_whole(s3: S3Server, client: Any, make_file: MakeFile):
    store = S3Store(client, s3.bucket, part_size=5 * MIB)
    upload_once(store, KEY, make_file(b"x" * 5 * MIB).path, METADATA)
    assert "-" not in s3.client.head_object(Bucket=s3.bucket, Key=KEY)["ETag"]


def test_an_interrupted_upload_leaves_no_parts(s3: S3Server, client: Any, make_file: MakeFile):
    store, sample = S3Store(client, s3.bucket, part_size=5 * MIB), make_file(b"x" * 6 * MIB)
    for operation in ("UploadPart", "CompleteMultipartUpload"):
        with answering(client, operation, "InternalError", 500), pytest.raises(StoreError):
            store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
        assert uploads(s3) == []
        assert store.head(KEY) is None


def test_parts_of_a_killed_upload_are_removed(s3: S3Server, client: Any, make_file: MakeFile):
    sample = make_file(b"x" * 6 * MIB)
    for key in (KEY, KEY + ".other"):
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key=key)
    upload_once(S3Store(client, s3.bucket, part_size=5 * MIB), KEY, sample.path, METADATA)
    assert [upload["Key"] for upload in uploads(s3)] == [KEY + ".other"]


def test_clean_up_that_is_not_allowed_does_not_stop_the_upload(
    s3: S3Server, client: Any, make_file: MakeFile, caplog: pytest.LogCaptureFixture
):
    store, sample = S3Store(client, s3.bucket, part_size=5 * MIB), make_file(b"x" * 6 * MIB)
    with answering(client, "ListMultipartUploads", "AccessDenied", 403):
        assert upload_once(store, KEY, sample.path, METADATA).sha256 == sample.sha256
    with (
        answering(client, "UploadPart", "SlowDown", 503),
        answering(client, "AbortMultipartUpload", "AccessDenied", 403),
        pytest.raises(StoreUnavailableError, match="SlowDown"),
    ):
        store.put("other", sample.path, METADATA, sha256=sample.sha256)
    assert "stay in the bucket" in caplog.text


def test_a_wrong_composite_is_noticed(s3: S3Server, client: Any, make_file: MakeFile):
    def alter(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ETag"] = '"0123-2"'
        parsed.update(extra)

    extra: dict[str, str] = {}
    store, sample = S3Store(client, s3.bucket, part_size=5 * MIB), make_file(b"x" * 6 * MIB)
    client.meta.events.register("after-call.s3.CompleteMultipartUpload", alter)
    with pytest.raises(IntegrityError, match="0123-2"):
        store.put(KEY, sample.path, METADATA, sha256=sample.sha256)
    extra["ServerSideEncryption"] = "aws:kms"  # where an ETag is no MD5
    assert store.put(KEY, sample.path, METADATA, sha256=sample.sha256).size == len(sample.data)


def test_secrets_appear_nowhere(
    s3: S3Server, client: Any, make_file: MakeFile, caplog: pytest.LogCaptureFixture
):
    canary, texts = "canary-that-must-appear-nowhere", []
    register_secret(canary)
    config = client.meta.config
    access_key, _ = s3.user("iam:GetUser")

    def failing(changed: Any, bucket: str = s3.bucket) -> None:
        with pytest.raises(StoreError) as caught:
            upload_once(S3Store(changed, bucket), KEY, make_file().path, METADATA, attempts=2)
        texts.append("".join(traceback.format_exception(caught.value)))

    with caplog.at_level(logging.INFO):
        failing(s3.new_client(secret_key=canary, endpoint_url="http://127.0.0.1:1", config=config))
        failing(s3.new_client(secret_key=canary, config=config), "no-such-bucket")
        with s3.access_control():
            failing(s3.new_client(access_key, canary, config=config))
    assert len(texts) == 3
    assert canary not in caplog.text + " ".join(texts)
