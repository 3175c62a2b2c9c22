"""The webhook: what is sent, and that no answer, or none at all, stops anybody or tells the URL."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler

import pytest

from outreach_platform.enrichment import webhook
from outreach_platform.enrichment.webhook import notify
from outreach_platform_tests.support.postgres import free_port
from outreach_platform_tests.support.webhooks import SECRET, listening, says

FACTS = {"companies": 119, "people": 5, "note": "café"}


@pytest.fixture(autouse=True)
def no_proxy_and_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(webhook, "_PAUSE_SECONDS", 0.01)


def keeps_the_secret(sentence: str | None) -> bool:
    assert sentence is not None
    return not any(part in sentence for part in ("hook-5f1c9e", "run?", "token", "t0p"))


def test_the_event_is_posted_as_json() -> None:
    with listening(says(200)) as (url, heard):
        assert notify(url, "enrichment_pulled", FACTS, "run-1") is None
    (request,) = heard
    assert request["path"] == f"/{SECRET}"
    assert request["headers"]["Content-Type"] == "application/json"
    sent = json.loads(request["body"])
    at = datetime.fromisoformat(sent.pop("at"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert sent == {"event": "enrichment_pulled", "run_id": "run-1", "counts": FACTS}


def test_counts_as_a_database_gives_them_are_sent_too() -> None:
    with listening(says(200)) as (url, heard):
        assert notify(url, "enrichment_pulled", {"rows": Decimal(3)}, "run-1") is None
    assert json.loads(heard[0]["body"])["counts"] == {"rows": "3"}


@pytest.mark.parametrize("url", [None, ""])
def test_nothing_is_sent_where_there_is_no_webhook(url: str | None) -> None:
    assert notify(url, "enrichment_promoted", FACTS, "run-1") is None


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_failing_server_is_asked_once_more_and_then_told_of(status: int) -> None:
    with listening(says(status)) as (url, heard):
        sentence = notify(url, "enrichment_promoted", FACTS, "run-1")
    assert sentence is not None
    assert f"127.0.0.1 was not told of enrichment_promoted (it answered {status})" in sentence
    assert keeps_the_secret(sentence)
    assert [request["body"] for request in heard] == [heard[0]["body"]] * 2


def test_a_server_that_recovers_was_told() -> None:
    with listening(says(502, 204)) as (url, heard):
        assert notify(url, "enrichment_pulled", FACTS, "run-1") is None
    assert len(heard) == 2


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final(status: int) -> None:
    with listening(says(status)) as (url, heard):
        sentence = notify(url, "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert f"answered {status}" in sentence
    assert keeps_the_secret(sentence)
    assert len(heard) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with (
        listening(says(200)) as (elsewhere, got_there),
        listening(says(status, Location=elsewhere)) as (url, heard),
    ):
        sentence = notify(url, "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert f"redirect, {status}" in sentence
    assert keeps_the_secret(sentence)
    assert (len(heard), got_there) == (1, [])


def test_a_refused_connection_is_told_of() -> None:
    url = f"http://127.0.0.1:{free_port()}/{SECRET}"
    sentence = notify(url, "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert "127.0.0.1 was not told of enrichment_pulled (no connection)" in sentence
    assert keeps_the_secret(sentence)


def test_a_server_that_hangs_up_is_asked_once_more() -> None:
    with listening(lambda handler, turn: handler.wfile.close()) as (url, heard):
        sentence = notify(url, "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert "no connection" in sentence
    assert keeps_the_secret(sentence)
    assert len(heard) == 2


def test_a_hanging_server_is_given_up() -> None:
    over = threading.Event()
    with listening(lambda handler, turn: over.wait(20) and None) as (url, heard):
        started = time.monotonic()
        sentence = notify(url, "enrichment_pulled", FACTS, "run-1", timeout_seconds=0.2)
        waited = time.monotonic() - started
        over.set()
    assert sentence is not None
    assert "no answer within 0.2 s" in sentence
    assert keeps_the_secret(sentence)
    assert len(heard) == 2
    assert 0.4 <= waited < 10


def test_a_body_that_never_ends_is_not_waited_for() -> None:
    over = threading.Event()

    def answer(handler: BaseHTTPRequestHandler, turn: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        over.wait(20)

    with listening(answer) as (url, heard):
        started = time.monotonic()
        assert notify(url, "enrichment_pulled", FACTS, "run-1", timeout_seconds=5) is None
        assert time.monotonic() - started < 4
        over.set()
    assert len(heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"127.0.0.1/{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"https:///{SECRET}",
        f"https://[::1/{SECRET}",
        f"https://127.0.0.1:t0p/{SECRET}",
        f"https://127.0.0.1:99999/{SECRET}",
        SECRET,
    ],
)
def test_what_is_no_web_address_is_told_of(url: str) -> None:
    sentence = notify(url, "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert "N8N_WEBHOOK_URL is no web address" in sentence
    assert keeps_the_secret(sentence)


@pytest.mark.parametrize(
    "url",
    [
        f"http://{'x' * 70}.invalid/{SECRET}",
        f"http://.invalid/{SECRET}",
        f"http://a..invalid/{SECRET}",
        f"http://*.invalid/{SECRET}",
        f"http://no-such-host.invalid/{SECRET}",
        f"http://u:t0p@127.0.0.1:1/{SECRET}",
    ],
)
def test_hosts_that_cannot_be_reached_raise_nothing(url: str) -> None:
    sentence = notify(url, "enrichment_pulled", FACTS, "run-1", timeout_seconds=5)
    assert sentence is not None
    assert "was not told of enrichment_pulled" in sentence
    assert keeps_the_secret(sentence)


def test_a_server_without_tls_is_told_of() -> None:
    with listening(says(200)) as (url, heard):
        sentence = notify(url.replace("http://", "https://"), "enrichment_pulled", FACTS, "run-1")
    assert sentence is not None
    assert "TLS" in sentence
    assert keeps_the_secret(sentence)
    assert heard == []
