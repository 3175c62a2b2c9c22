"""A polite client for the SEC's servers: named, slow enough, patient, and suspicious of answers."""

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from outreach_platform.foundation.errors import SourceError

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

_BLOCK = 1 << 16
_LONGEST_PAUSE = 60.0
# Whoever asked too often is locked out for ten minutes.
_LONGEST_WAIT = 660.0
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_FINE, _FORBIDDEN, _MISSING, _TOO_MANY = 200, 403, 404, 429
_UNDECLARED = ("undeclared automated tool", "undeclared tool")
_THRESHOLD = "rate threshold"
_SAID = 20_000


class FetchError(Exception):
    """What was asked for is not to be had; its text says why and does not end in a full stop."""


class MissingError(FetchError):
    """The server has no such page."""


class ClosedError(FetchError):
    """The server cannot be reached or wants to be left alone: nothing more should be asked."""


class _TryAgainError(FetchError):
    """It may go better later.

    Attributes:
        after: seconds that the server asks for.
        closed: whether it concerns every page, and not this one alone.
    """

    def __init__(self, reason: str, after: float | None = None, *, closed: bool = False) -> None:
        super().__init__(reason)
        self.after, self.closed = after, closed


class Pace:
    """At most so many requests a second, evenly: the SEC counts every second for itself.

    Args:
        rate: requests a second.
        clock: seconds, never going back.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._between = 1 / rate
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._between
        if turn > now:
            self._sleep(turn - now)


class Client:
    """Fetches JSON and files.

    Args:
        user_agent: who asks, with an address.
        rate: requests a second at most.
        attempts: how often one page is asked for.
        backoff: seconds before the second time; doubled each time, unless the server says.
        timeout: seconds for the connection, and again for each silence of the server.
        session: to be used instead of an own one.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        rate: float,
        attempts: int,
        backoff: float,
        timeout: float,
        session: requests.Session | None = None,
    ) -> None:
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"}
        self._session = session or requests.Session()
        self._pace = Pace(rate)
        self._attempts, self._backoff, self._timeout = attempts, backoff, timeout

    def json(self, url: str) -> Any:
        """A JSON document.

        Raises:
            MissingError: there is none.
            ClosedError: nothing is to be had.
            FetchError: it is not to be had.
            SourceError: the SEC refuses everybody who asks under this name.
        """
        return self._retried(lambda: self._ask(url, _as_json))

    def file(self, url: str, target: Path, check: Callable[[Path], str | None]) -> None:
        """Write a file to `target`, from its beginning at each attempt.

        Args:
            url: of the file.
            target: is overwritten, and removed where nothing good came.
            check: says what is wrong with what came; None where nothing is.

        Raises:
            MissingError: there is none.
            ClosedError: nothing is to be had.
            FetchError: it is not to be had.
            SourceError: the SEC refuses everybody who asks under this name.
        """

        def save(answer: requests.Response) -> None:
            with target.open("wb") as file:
                for block in answer.iter_content(_BLOCK):
                    file.write(block)
            if (wrong := check(target)) is not None:
                raise _TryAgainError(wrong)

        try:
            self._retried(lambda: self._ask(url, save))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _retried(self, ask: Callable[[], _T]) -> _T:
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._pause,
            retry=retry_if_exception_type(_TryAgainError),
            reraise=True,
        )
        try:
            return retrying(ask)
        except _TryAgainError as error:
            if error.closed:
                raise ClosedError(str(error)) from None
            raise

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        after = error.after if isinstance(error, _TryAgainError) else None
        if after is None:
            after = min(self._backoff * 2 ** (state.attempt_number - 1), _LONGEST_PAUSE)
            after *= random.uniform(0.75, 1.25)
        _logger.info("asking again in %.1f s: %s", after, error)
        return after

    def _ask(self, url: str, use: Callable[[requests.Response], _T]) -> _T:
        """Ask once.

        Redirects are not followed, because they lead who knows where. The libraries' own words are
        left out of errors: they quote whole addresses.
        """
        self._pace.wait()
        try:
            with self._session.get(
                url,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                _judge(answer)
                return use(answer)
        except requests.Timeout:
            raise _TryAgainError(f"no answer within {self._timeout:g} s") from None
        except requests.exceptions.SSLError:
            raise FetchError("its TLS certificate is not accepted") from None
        except requests.exceptions.ContentDecodingError:
            raise _TryAgainError("the answer was damaged on its way") from None
        except requests.exceptions.ChunkedEncodingError:
            raise _TryAgainError("the answer broke off") from None
        except requests.ConnectionError:
            raise _TryAgainError("no connection", closed=True) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchError(type(error).__name__) from None


def _as_json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except requests.JSONDecodeError:
        raise _TryAgainError("the answer is no JSON") from None


def _judge(answer: requests.Response) -> None:
    """Pass an answer that brings something."""
    status = answer.status_code
    if status == _FINE:
        return
    if status == _MISSING:
        raise MissingError("it is not there (404)")
    if status in _PASSING:
        closed = status == _TOO_MANY
        raise _TryAgainError(f"the server answered {status}", _after(answer), closed=closed)
    if status == _FORBIDDEN:
        said = answer.raw.read(_SAID, decode_content=True).decode("utf-8", "replace").lower()
        if any(sign in said for sign in _UNDECLARED):
            raise SourceError(
                "the SEC refuses requests under this name: set SEC_API_USER_AGENT to your own "
                'name and address, for example "Jane Doe jane@example.org"'
            )
        if _THRESHOLD in said:
            raise _TryAgainError("the SEC asks for a pause (403)", _after(answer), closed=True)
    raise FetchError(f"the server answered {status}")


def _after(answer: requests.Response) -> float | None:
    """The seconds that the server asks for.

    Raises:
        ClosedError: longer than anybody wants to wait.
    """
    said = answer.headers.get("Retry-After", "")
    if not said.isdigit():
        return None
    if int(said) > _LONGEST_WAIT:
        raise ClosedError(f"the server asks to come back in {said} s")
    return float(said)
