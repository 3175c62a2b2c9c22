"""Backblaze B2 as an object store, through the official SDK."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from outreach_platform.foundation.errors import StoreError
from outreach_platform.foundation.objects.b2_client import b2_errors, make_client
from outreach_platform.foundation.objects.protocol import (
    SHA256_NAME,
    ObjectInfo,
    check_key,
    check_metadata,
    own_metadata,
)
from outreach_platform.foundation.objects.streams import (
    local_errors,
    replacing,
    same_checksum,
    verified_digest,
)
from outreach_platform.foundation.redaction import register_secret

if TYPE_CHECKING:
    from b2sdk.v3 import B2Api, Bucket

_NEEDED = ("listFiles", "readFiles", "writeFiles")
_LIST_PAGE = 1_000  # B2 bills each started thousand as one call


class B2Store:
    """One B2 bucket.

    B2 keeps every upload as a version of its file; what is seen here is the newest one, and a
    hidden file counts as absent. The SDK verifies SHA1 on the way in and out; our SHA-256 is an
    entry beside the metadata.
    """

    def __init__(
        self,
        key_id: str,
        application_key: str,
        bucket: str,
        realm: str = "production",
        *,
        client: "B2Api | None" = None,
    ) -> None:
        """Nothing is contacted before the first call.

        Args:
            key_id: B2's keyID.
            application_key: its secret half.
            bucket: an existing bucket's name.
            realm: `production`, or the URL of a server that speaks B2's native protocol.
            client: an SDK client made elsewhere, for example on the SDK's simulator.
        """
        register_secret(application_key)
        self.bucket = bucket
        self._key_id = key_id
        self._application_key = application_key
        self._realm = realm
        self._client = client
        self._opened: Bucket | None = None
        self._lock = threading.Lock()

    def put(self, key: str, path: Path, metadata: Mapping[str, str], *, sha256: str) -> ObjectInfo:
        """See `ObjectStore.put`; large files go in parts, at most four at a time."""
        check_key(key)
        check_metadata(key, metadata)
        info = {**metadata, SHA256_NAME: sha256}
        with local_errors(f"reading {path}"), b2_errors(self.bucket, f"storing {key}"):
            sha1 = verified_digest(path, sha256, "sha1")
            bucket = self._open()
            self._require("writeFiles")
            self._cancel_unfinished(bucket, key, info, path)
            version = bucket.upload_local_file(
                path, key, content_type="application/octet-stream", file_info=info, sha1_sum=sha1
            )
            return self._info(key, version.size, version.file_info)

    def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        from b2sdk.v3.exception import FileNotPresent

        check_key(key)
        with b2_errors(self.bucket, f"looking up {key}"):
            try:
                found = self._open().get_file_info_by_name(key)
            except FileNotPresent:
                return None
            return self._info(key, found.size, found.file_info)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`; checksum and metadata are given."""
        start: str | None = prefix
        while start is not None:
            with b2_errors(self.bucket, f"listing {prefix}"):
                bucket = self._open()
                # Bucket.ls takes folders only; a prefix may end anywhere.
                page = bucket.api.session.list_file_names(bucket.id_, start, _LIST_PAGE, prefix)
                start = page["nextFileName"]
                versions = map(bucket.api.file_version_factory.from_api_response, page["files"])
                found = [self._info(v.file_name, v.size, v.file_info) for v in versions]
            yield from found

    def get(self, key: str, path: Path) -> ObjectInfo:
        """See `ObjectStore.get`; SHA1 is verified by the SDK, SHA-256 here."""
        from b2sdk.v3.exception import FileNotPresent

        check_key(key)
        doing = f"fetching {key} to {path}"
        # requests' errors are OSErrors too: B2's translation has to see them first.
        with local_errors(doing), b2_errors(self.bucket, doing):
            try:
                download = self._open().download_file_by_name(key)
            except FileNotPresent:
                raise StoreError(
                    f"B2 bucket {self.bucket} holds no {key}: run `outreach verify`, or upload it"
                ) from None
            version = download.download_version
            info = self._info(key, version.size, version.file_info)
            with replacing(path) as part:
                download.save(part, allow_seeking=False)  # type: ignore[arg-type]
                same_checksum(info.url, info.sha256, part.sha256)
        return info

    def check(self) -> None:
        """See `ObjectStore.check`: two calls, which also tell what the key may do."""
        with b2_errors(self.bucket, "opening the object store"):
            self._open()
            for capability in _NEEDED:
                self._require(capability)

    def _open(self) -> "Bucket":
        with self._lock:
            if self._opened is None:
                client = self._client or make_client()
                self._authorize(client)
                self._opened = client.get_bucket_by_name(self.bucket)
            return self._opened

    def _authorize(self, client: "B2Api") -> None:
        from b2sdk.v3.exception import Unauthorized

        try:
            client.authorize_account(self._key_id, self._application_key, realm=self._realm)
        except Unauthorized:
            raise StoreError(
                "B2 does not know this key: check B2_KEY_ID and B2_APPLICATION_KEY, which belong "
                "together and may have been deleted in the console"
            ) from None

    def _require(self, capability: str) -> None:
        allowed = self._open().api.account_info.get_allowed()["capabilities"]
        if capability not in allowed:
            raise StoreError(
                f"the B2 application key for bucket {self.bucket} has no {capability}: make one "
                f"with {', '.join(_NEEDED)} and set B2_KEY_ID and B2_APPLICATION_KEY"
            )

    def _cancel_unfinished(
        self, bucket: "Bucket", key: str, info: Mapping[str, str], path: Path
    ) -> None:
        """Remove parts that an interrupted upload left, unless the SDK will go on with them."""
        if path.stat().st_size <= bucket.api.account_info.get_recommended_part_size():
            return
        for unfinished in list(bucket.list_unfinished_large_files(prefix=key)):
            kept = {n: v for n, v in unfinished.file_info.items() if n != "large_file_sha1"}
            if unfinished.file_name == key and kept != info:
                bucket.api.cancel_large_file(unfinished.file_id)

    def _info(self, key: str, size: int | None, entries: Mapping[str, str]) -> ObjectInfo:
        url = self._open().api.get_download_url_for_file_name(self.bucket, key)
        lowered = {name.lower(): value for name, value in entries.items()}
        return ObjectInfo(key, size or 0, lowered.get(SHA256_NAME), own_metadata(entries), url)
