"""Every store with its real counterpart behind it."""

import dataclasses
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from outreach_platform.foundation.objects import upload
from outreach_platform.foundation.objects.b2 import B2Store
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform_tests.support.b2_server import B2Server, b2_server
from outreach_platform_tests.support.s3_server import S3Server, s3_server

BUCKET = "svg-enrichment"
METADATA = {
    "snapshot-version": "20250101020304",
    "state": "WV",
    "table_name": "companies_good",
    "upload_timestamp": "2025-01-01T02:03:04+00:00",
    "pipeline": "state_duckdb_pipeline",
}
REAL_WAIT = upload._WAIT


@dataclass
class Case:
    """A store, and a way to damage what it holds."""

    store: Any
    corrupt: Callable[[str], None]


@dataclass
class Sample:
    """A file and its checksum."""

    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Sample]:
    def make(data: bytes = b"PAR1 some rows PAR1") -> Sample:
        path = tmp_path / f"source-{uuid.uuid4().hex}.parquet"
        path.write_bytes(data)
        return Sample(path, data)

    return make


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_WAIT", wait_none())


@pytest.fixture
def b2() -> Iterator[B2Server]:
    with b2_server(BUCKET) as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with s3_server(BUCKET) as server:
        yield server


@pytest.fixture
def s3(moto: S3Server) -> S3Server:
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    moto.client.create_bucket(Bucket=bucket)
    return dataclasses.replace(moto, bucket=bucket)


def b2_store(server: B2Server, **changes: str) -> B2Store:
    values = {
        "key_id": server.key_id,
        "application_key": server.application_key,
        "bucket": server.bucket,
        "realm": server.realm,
    }
    return B2Store(**{**values, **changes})


def _simulated() -> Case:
    from b2sdk.v3 import B2Api, B2HttpApiConfig, InMemoryAccountInfo, RawSimulator

    client = B2Api(InMemoryAccountInfo(), api_config=B2HttpApiConfig(_raw_api_class=RawSimulator))
    simulator = client.session.raw_api
    key_id, application_key = simulator.create_account()
    client.authorize_account(key_id, application_key)
    client.create_bucket(BUCKET, "allPrivate")

    def corrupt(key: str) -> None:
        files = simulator.bucket_name_to_bucket[BUCKET].file_name_and_id_to_file.values()
        for file in files:
            if file.name == key:
                file.data_bytes = bytes([file.data_bytes[0] ^ 1]) + file.data_bytes[1:]

    return Case(B2Store(key_id, application_key, BUCKET, client=client), corrupt)


@pytest.fixture(params=["local", "b2", "b2-parts", "b2-simulator", "s3"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    kind = request.param
    if kind == "local":

        def corrupt(key: str) -> None:
            path = tmp_path / "objects" / BUCKET / key
            path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])

        yield Case(LocalStore(tmp_path / "objects", BUCKET), corrupt)
    elif kind == "s3":
        server = request.getfixturevalue("s3")
        yield Case(S3Store(server.client, server.bucket), server.corrupt)
    elif kind == "b2-simulator":
        yield _simulated()
    else:
        with b2_server(BUCKET, part_size=8 if kind == "b2-parts" else 100_000_000) as server:
            yield Case(b2_store(server), server.corrupt)
