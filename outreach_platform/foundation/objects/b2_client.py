"""The b2sdk client, held to short waits, and the meaning of its errors.

The SDK would otherwise wait 20 minutes for an answer and repeat a download for 11 minutes; here an
answer may take a minute, a call is tried twice, and `upload.py` decides about the rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from outreach_platform.foundation.errors import IntegrityError, StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from b2sdk.v3 import B2Api
    from b2sdk.v3.exception import B2Error

CONNECT_SECONDS = 10
READ_SECONDS = 60  # without a byte arriving; b2_finish_large_file answers within seconds
TRIES = 2
LONGEST_PAUSE_SECONDS = 10  # a server's Retry-After may ask for an hour
_UPLOAD_THREADS = 4
_NOT_B2 = "this address does not answer like B2: leave B2_REALM unset for the real service"


def make_client() -> "B2Api":
    """An SDK client that keeps everything in memory: nothing is written to the home directory."""
    import requests
    from b2sdk.v3 import B2Api, B2Http, B2HttpApiConfig, B2Session, InMemoryAccountInfo
    from b2sdk.v3.exception import B2Error

    class ShortSession(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
            return super().request(*args, **kwargs)

    class ShortHttp(B2Http):
        @classmethod
        def _translate_and_retry(
            cls, fcn: Any, try_count: int, post_params: dict[str, Any] | None = None
        ) -> Any:
            return super()._translate_and_retry(fcn, min(try_count, TRIES), post_params)

        @classmethod
        def _translate_errors(cls, fcn: Any, post_params: dict[str, Any] | None = None) -> Any:
            try:
                return super()._translate_errors(fcn, post_params)
            except B2Error as error:
                # Declared as None in the SDK, set to whole seconds from the answer.
                pause: int | None = error.retry_after_seconds
                if pause is not None:
                    error.__dict__["retry_after_seconds"] = min(pause, LONGEST_PAUSE_SECONDS)
                raise

    class ShortB2Session(B2Session):
        B2HTTP_CLASS = staticmethod(ShortHttp)

    class ShortB2Api(B2Api):
        SESSION_CLASS = staticmethod(ShortB2Session)

    client = ShortB2Api(
        InMemoryAccountInfo(),
        max_upload_workers=_UPLOAD_THREADS,
        api_config=B2HttpApiConfig(http_session_factory=ShortSession),
    )
    # A class constant of the SDK, typed as its value.
    vars(client.services.upload_manager)["MAX_UPLOAD_ATTEMPTS"] = TRIES
    return client


@contextmanager
def b2_errors(bucket: str, doing: str) -> Iterator[None]:
    """Turn the SDK's errors into sentences of ours.

    The SDK's own texts stay out: some quote tokens, signed addresses or request headers.

    Args:
        bucket: its name.
        doing: what was being done, for example `storing KEY`.

    Raises:
        StoreError, StoreUnavailableError, IntegrityError: see `ObjectStore`.
    """
    import requests
    from b2sdk.v3.exception import B2Error

    try:
        yield
    except B2Error as error:
        raise _translate(_root(error), bucket, doing) from None
    except requests.RequestException as error:
        raise _unreachable(bucket, doing, type(error).__name__) from None


def _root(error: "B2Error") -> "B2Error":
    """The last of the errors that used up an upload's attempts."""
    from b2sdk.v3.exception import MaxRetriesExceeded

    while isinstance(error, MaxRetriesExceeded) and error.exception_info_list:
        error = error.exception_info_list[-1]
    return error


def _translate(error: "B2Error", bucket: str, doing: str) -> Exception:
    from b2sdk.v3 import exception as b2

    name = type(error).__name__
    if name in ("ResourceNotFound", "FileOrBucketNotFound"):  # the SDK does not export them
        return StoreError(f"{doing}: {_NOT_B2}")
    if isinstance(error, b2.ChecksumMismatch):
        return IntegrityError(
            f"{doing}: the bytes from B2 bucket {bucket} do not have the SHA1 recorded there; "
            "fetch it again, and if that fails too restore the object from another copy"
        )
    refusal = _refusal(error, bucket)
    if refusal:
        return StoreError(f"{doing}: {refusal}")
    sha1_refused = isinstance(error, b2.BadRequest) and "sha1" in str(error).lower()
    transient = (
        b2.TooManyRequests,
        b2.ConnectionReset,
        b2.BrokenPipe,
        b2.UnknownHost,
        b2.AlreadyFailed,
        b2.MaxRetriesExceeded,
        b2.Unauthorized,  # an upload token that expired again and again
        b2.BadUploadUrl,
        b2.PartSha1Mismatch,
        b2.FileSha1Mismatch,
        b2.Conflict,
    )
    if sha1_refused or isinstance(error, transient) or error.should_retry_http():
        return _unreachable(bucket, doing, name)
    return StoreError(
        f"{doing}: B2 refused with {name} for bucket {bucket}; look the name up in the log of "
        "b2sdk or in the B2 console"
    )


def _refusal(error: "B2Error", bucket: str) -> str | None:
    """What B2 will go on refusing until somebody changes something, and what to change."""
    from b2sdk.v3 import exception as b2

    if isinstance(error, b2.Unauthorized) and error.code != "expired_auth_token":
        return (
            f"B2 does not allow this application key to do it in bucket {bucket}: make one with "
            "listFiles, readFiles and writeFiles for the bucket, without a name prefix"
        )
    sentences: list[tuple[tuple[type[B2Error], ...], str]] = [
        (
            (b2.NonExistentBucket, b2.BucketIdNotFound, b2.RestrictedBucketMissing),
            f"B2 has no bucket {bucket} in this account: make it, or correct B2_BUCKET",
        ),
        (
            (b2.RestrictedBucket,),
            f"the B2 application key is restricted to other buckets than {bucket}: correct "
            "B2_BUCKET, or make a key for this bucket",
        ),
        (
            (b2.CapExceeded,),
            "a storage or transaction cap of the B2 account is used up: raise it in the console",
        ),
        (
            (b2.ClockSkew,),
            "this machine's clock is more than ten minutes from B2's: set it right",
        ),
        ((b2.InvalidJsonResponse,), _NOT_B2),
        ((b2.UnusableFileName,), "B2 does not accept this object key: choose another one"),
    ]
    return next((text for kinds, text in sentences if isinstance(error, kinds)), None)


def _unreachable(bucket: str, doing: str, reason: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{doing}: B2 bucket {bucket} could not be reached ({reason}); check the network and "
        "B2's status page, then run it again"
    )
