"""One POST of JSON to a webhook: no answer, or none at all, raises or tells the address."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

TIMEOUT_SECONDS = 10.0
PAUSE_SECONDS = 0.5
_TOO_MANY = 429
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came of a POST.

    Attributes:
        problem: what went wrong, in a few words without the address; None if nothing did.
        passing: whether it may go better a moment later.
        unsure: whether the server may have heard it all the same: it answered too late.
    """

    problem: str | None = None
    passing: bool = False
    unsure: bool = False


def host_of(url: str) -> str | None:
    """The host of a web address, None where it is none: all of it that is no secret."""
    try:
        parts = urlsplit(url.strip())
        return parts.hostname if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # a port that is no number, brackets that do not match
        return None


def post_json(
    url: str,
    body: Mapping[str, Any],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
    again_when_late: bool = True,
) -> Answer:
    """POST `body` as JSON; a server that is away or overloaded is asked once more.

    Redirects are not followed, because they lead who knows where.

    Args:
        url: a web address, see `host_of`.
        body: what is sent; what JSON has no form for goes as text.
        timeout_seconds: for the connection, and again for the answer.
        pause_seconds: before the second time.
        again_when_late: whether also a server that got it and did not answer in time is asked
            again, so that it can hear the same twice.
    """
    text = json.dumps(body, default=str).encode()
    retrying = Retrying(
        stop=stop_after_attempt(2),
        wait=wait_fixed(pause_seconds),
        sleep=time.sleep,
        retry=retry_if_result(lambda a: a.passing and (again_when_late or not a.unsure)),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    return retrying(_post, url.strip(), text, timeout_seconds)


def _post(url: str, body: bytes, seconds: float) -> Answer:
    """Send it once. The libraries' own words are left out: they quote the whole address."""
    import requests
    import urllib3

    try:
        # Of the answer only its status counts; a body that never ends is not waited for.
        with requests.post(
            url, body, headers=_JSON, timeout=seconds, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.Timeout as error:
        late = isinstance(error, requests.ReadTimeout)
        return Answer(f"no answer within {seconds:g} s", passing=True, unsure=late)
    except requests.exceptions.SSLError:
        return Answer("its TLS certificate is not accepted")
    except requests.ConnectionError:
        return Answer("no connection", passing=True)
    # Addresses that only the last layer refuses come in the errors of each layer.
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return Answer(type(error).__name__)
    if status < 300:
        return Answer()
    if status < 400:
        return Answer(f"it answered with a redirect, {status}, which is not followed")
    return Answer(f"it answered {status}", passing=status >= 500 or status == _TOO_MANY)
