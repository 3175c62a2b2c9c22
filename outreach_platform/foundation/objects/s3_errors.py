"""The meaning of boto3's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outreach_platform.foundation.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_UNAVAILABLE = frozenset(
    {
        "BadDigest",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
_WRONG_KEY = (
    "S3 does not know these credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for "
    "temporary ones, AWS_SESSION_TOKEN"
)
_WRONG_REGION = "bucket {bucket} lives in another region: set AWS_DEFAULT_REGION to the bucket's"
_NOT_ALLOWED = (
    "these AWS credentials may not do this in bucket {bucket}: they need s3:ListBucket on the "
    "bucket, s3:GetObject and s3:PutObject on its objects"
)
_NO_BUCKET = "S3 has no bucket {bucket}: make it, or correct S3_BUCKET and S3_ENDPOINT_URL"
_REFUSALS = {
    "NoSuchBucket": _NO_BUCKET,
    "404": _NO_BUCKET,
    "NotFound": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "AccessDenied": _NOT_ALLOWED,
    "AllAccessDisabled": _NOT_ALLOWED,
    "403": _NOT_ALLOWED,
    "Forbidden": _NOT_ALLOWED,
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "InvalidToken": _WRONG_KEY,
    "ExpiredToken": _WRONG_KEY,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "PermanentRedirect": _WRONG_REGION,
    "301": _WRONG_REGION,
    "RequestTimeTooSkewed": "this machine's clock is too far from S3's: set it right",
    "EntityTooLarge": "the object is too large for this store: split the file",
    "QuotaExceeded": "the store's quota is used up: free space or raise it",
    "XMinioStorageFull": "the store is full: free space there",
}


@contextmanager
def s3_errors(bucket: str, doing: str) -> Iterator[None]:
    """Turn boto3's errors into sentences of ours; its own texts may quote signed requests.

    Args:
        bucket: its name.
        doing: what was being done, for example `storing KEY`.

    Raises:
        StoreError, StoreUnavailableError: see `ObjectStore`.
    """
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        raise _translate(error, bucket, doing) from None
    except (boto.NoCredentialsError, boto.PartialCredentialsError):
        raise StoreError(
            f"{doing}: no AWS credentials were found: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or a profile"
        ) from None
    except boto.SSLError:
        raise StoreError(
            f"{doing}: the certificate of bucket {bucket}'s server is not trusted: check "
            "S3_ENDPOINT_URL, or set AWS_CA_BUNDLE to your authority's certificate"
        ) from None
    except (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError) as error:
        raise _unreachable(bucket, doing, type(error).__name__) from None
    except (boto.BotoCoreError, Boto3Error) as error:
        raise StoreError(
            f"{doing}: boto3 gave up on bucket {bucket} with {type(error).__name__}: check "
            "S3_BUCKET, S3_ENDPOINT_URL and the AWS_ settings"
        ) from None


def error_code(error: Exception) -> str:
    """The code in an S3 answer, such as `NoSuchKey`, or the error's class."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def _translate(error: "ClientError", bucket: str, doing: str) -> StoreError:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _UNAVAILABLE or status >= 500 or status == 429:
        return _unreachable(bucket, doing, code)
    if code in _REFUSALS:
        return StoreError(f"{doing}: {_REFUSALS[code].format(bucket=bucket)}")
    return StoreError(
        f"{doing}: S3 refused with {code} (HTTP {status}) for bucket {bucket}; look the code up in "
        "the server's documentation"
    )


def _unreachable(bucket: str, doing: str, reason: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{doing}: S3 bucket {bucket} could not be reached ({reason}); check S3_ENDPOINT_URL, the "
        "network and the service's status page, then run it again"
    )
