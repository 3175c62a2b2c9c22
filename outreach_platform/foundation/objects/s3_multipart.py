"""Large objects on S3, in parts, each confirmed by the server through its MD5."""

import base64
import hashlib
import logging
from pathlib import Path
from typing import Any

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.objects.s3_errors import error_code
from outreach_platform.foundation.objects.streams import CHUNK

_log = logging.getLogger(__name__)
_MAX_PARTS = 10_000


def base64_digest(hex_digest: str) -> str:
    """A digest in the form that the Content-MD5 header wants."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def put_parts(client: Any, target: dict[str, Any], path: Path, part_size: int) -> None:
    """Send a file in parts and verify how the store put them together.

    Args:
        client: a boto3 S3 client; its errors pass through.
        target: bucket, key, content type and metadata, as `create_multipart_upload` takes them.
        path: the file; one part at a time is streamed.
        part_size: bytes; raised where the file would need more than 10,000 parts.

    Raises:
        IntegrityError: the store's composite ETag is not that of the parts sent.
    """
    where = {"Bucket": target["Bucket"], "Key": target["Key"]}
    _abort_unfinished(client, where)
    upload = {**where, "UploadId": client.create_multipart_upload(**target)["UploadId"]}
    try:
        parts, composite = _send(client, upload, path, part_size)
        answer = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except BaseException:
        _abort(client, upload)
        raise
    etag = answer.get("ETag", "").strip('"')
    # Under KMS or customer keys an ETag is no MD5; each part was confirmed all the same.
    if answer.get("ServerSideEncryption") in (None, "AES256") and etag != composite:
        raise IntegrityError(
            f"s3://{where['Bucket']}/{where['Key']} was put together wrongly by the store (ETag "
            f"{etag} instead of {composite}): remove it and upload again"
        )


def _send(
    client: Any, upload: dict[str, Any], path: Path, part_size: int
) -> tuple[list[dict[str, Any]], str]:
    from s3transfer.utils import ReadFileChunk

    size = path.stat().st_size
    part_size = max(part_size, -(-size // _MAX_PARTS))
    parts, composite = [], hashlib.md5(usedforsecurity=False)
    for number, start in enumerate(range(0, size, part_size), start=1):
        with ReadFileChunk.from_filename(str(path), start, part_size) as body:
            digest = hashlib.md5(usedforsecurity=False)
            while chunk := body.read(CHUNK):
                digest.update(chunk)
            body.seek(0)
            answer = client.upload_part(
                **upload, PartNumber=number, Body=body, ContentMD5=base64_digest(digest.hexdigest())
            )
        composite.update(digest.digest())
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    return parts, f"{composite.hexdigest()}-{len(parts)}"


def _abort_unfinished(client: Any, where: dict[str, Any]) -> None:
    """Remove parts that a killed upload left: they are billed and nobody sees them."""
    from botocore.exceptions import ClientError

    try:
        found = client.list_multipart_uploads(Bucket=where["Bucket"], Prefix=where["Key"])
    except ClientError as error:
        _log.info("unfinished uploads of %s stay: %s", where["Key"], error_code(error))
        return
    for upload in found.get("Uploads", []):
        if upload["Key"] == where["Key"]:
            _abort(client, {**where, "UploadId": upload["UploadId"]})


def _abort(client: Any, upload: dict[str, Any]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.abort_multipart_upload(**upload)
    except (BotoCoreError, ClientError) as error:
        _log.warning("parts of %s stay in the bucket: %s", upload["Key"], error_code(error))
