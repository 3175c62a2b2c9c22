"""Amazon S3, and servers that speak its protocol, as an object store."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from outreach_platform.foundation.errors import StoreError
from outreach_platform.foundation.objects.protocol import (
    SHA256_NAME,
    ObjectInfo,
    check_key,
    check_metadata,
    encode_value,
    own_metadata,
)
from outreach_platform.foundation.objects.s3_errors import error_code, s3_errors
from outreach_platform.foundation.objects.s3_multipart import base64_digest, put_parts
from outreach_platform.foundation.objects.streams import (
    CHUNK,
    local_errors,
    replacing,
    same_checksum,
    verified_digest,
)

if TYPE_CHECKING:
    from botocore.config import Config

PART_SIZE = 64 << 20
_CONTENT_TYPE = "application/octet-stream"


def client_config(*, path_style: bool = False) -> "Config":
    """Settings for the boto3 client.

    Checksums are left to us (Content-MD5): several S3-compatible servers refuse the CRC trailers
    that newer boto3 adds by default. A call ends within about two minutes at worst.

    Args:
        path_style: address the bucket in the path; right for most servers behind an endpoint URL.
    """
    from botocore.config import Config

    return Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 2},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if path_style else None,
    )


class S3Store:
    """One S3 bucket.

    Metadata values are percent-encoded where they are not plain ASCII, which S3 headers require;
    our SHA-256 is an entry beside them.
    """

    def __init__(self, client: Any, bucket: str, *, part_size: int = PART_SIZE) -> None:
        """Nothing is contacted before the first call.

        Args:
            client: a boto3 S3 client, made with `client_config`.
            bucket: an existing bucket's name.
            part_size: bytes above which an object goes in parts of this size; S3 wants 5 MiB.
        """
        self.bucket = bucket
        self._client = client
        self._part_size = part_size
        self._bucket_seen = False

    def put(self, key: str, path: Path, metadata: Mapping[str, str], *, sha256: str) -> ObjectInfo:
        """See `ObjectStore.put`; each request carries the MD5 that the server has to confirm."""
        check_key(key)
        check_metadata(key, metadata)
        target = {
            "Bucket": self.bucket,
            "Key": key,
            "ContentType": _CONTENT_TYPE,
            "Metadata": {name: encode_value(value) for name, value in metadata.items()}
            | {SHA256_NAME: sha256},
        }
        with local_errors(f"reading {path}"), s3_errors(self.bucket, f"storing {key}"):
            md5 = verified_digest(path, sha256, "md5")
            if path.stat().st_size <= self._part_size:
                with path.open("rb") as body:
                    self._client.put_object(**target, Body=body, ContentMD5=base64_digest(md5))
            else:
                put_parts(self._client, target, path, self._part_size)
        stored = self.head(key)
        if stored is None:
            raise StoreError(f"s3://{self.bucket}/{key} is gone right after it was stored")
        return stored

    def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        from botocore.exceptions import ClientError

        check_key(key)
        with s3_errors(self.bucket, f"looking up {key}"):
            try:
                answer = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                # HEAD has no body: a missing bucket looks like a missing object.
                if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                    if not self._bucket_seen:
                        self._client.head_bucket(Bucket=self.bucket)
                        self._bucket_seen = True
                    return None
                raise
        return self._info(key, answer)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`; S3 gives neither checksum nor metadata here."""
        with s3_errors(self.bucket, f"listing {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"]
                    yield ObjectInfo(key, entry["Size"], url=self._url(key))

    def get(self, key: str, path: Path) -> ObjectInfo:
        """See `ObjectStore.get`."""
        from botocore.exceptions import ClientError

        check_key(key)
        doing = f"fetching {key} to {path}"
        with local_errors(doing), s3_errors(self.bucket, doing):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                raise StoreError(
                    f"{self._url(key)} does not exist: run `outreach verify`, or upload it"
                ) from None
            info = self._info(key, answer)
            with replacing(path) as part, closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(CHUNK):
                    part.write(chunk)
                same_checksum(info.url, info.sha256, part.sha256)
        return info

    def check(self) -> None:
        """See `ObjectStore.check`; whether S3 lets us write shows only at the first upload."""
        with s3_errors(self.bucket, "opening the object store"):
            self._client.head_bucket(Bucket=self.bucket)
            self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)

    def _info(self, key: str, answer: Mapping[str, Any]) -> ObjectInfo:
        entries = {name.lower(): unquote(value) for name, value in answer["Metadata"].items()}
        return ObjectInfo(
            key,
            answer["ContentLength"],
            entries.get(SHA256_NAME),
            own_metadata(entries),
            self._url(key),
        )

    def _url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"
