"""Tells a workflow tool, n8n for example, that records were pulled or promoted."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

Event = Literal["enrichment_pulled", "enrichment_promoted"]

TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
_TOO_MANY = 429
_JSON = {"Content-Type": "application/json"}


def notify(
    url: str | None,
    event: Event,
    facts: Mapping[str, int | str],
    run_id: str,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> str | None:
    """POST `{"event", "run_id", "at", "counts"}` as JSON; what fails is told and stops nobody.

    A server that is away, slow or overloaded is asked once more, so that it can hear the same event
    twice: event and run id tell. Redirects are not followed, because they lead who knows where.

    Args:
        url: the webhook, a secret from its path on; nothing is sent where there is none.
        event: what happened.
        facts: counts by name.
        run_id: the run's.
        timeout_seconds: for the connection, and again for the answer.

    Returns:
        None when it was delivered or there is no webhook, else a sentence for a warning, which
        names the webhook's host and nothing else of it.
    """
    if not url:
        return None
    host = _host(url)
    if host is None:
        return (
            f"the webhook was not told of {event}: N8N_WEBHOOK_URL is no web address; write it "
            "with its https://, special characters percent-encoded"
        )
    body = {
        "event": event,
        "run_id": run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": dict(facts),
    }
    text = json.dumps(body, default=str).encode()
    problem, passing = _post(url.strip(), text, timeout_seconds)
    if passing:
        time.sleep(_PAUSE_SECONDS)
        problem, _ = _post(url.strip(), text, timeout_seconds)
    if problem is None:
        return None
    return (
        f"the webhook at {host} was not told of {event} ({problem}); nothing else is affected: "
        "check N8N_WEBHOOK_URL and that the workflow behind it is active"
    )


def _host(url: str) -> str | None:
    """The host of a web address; None where it is none."""
    try:
        parts = urlsplit(url.strip())
        return parts.hostname if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # a port that is no number, brackets that do not match
        return None


def _post(url: str, body: bytes, seconds: float) -> tuple[str | None, bool]:
    """Send it once.

    Returns:
        What went wrong, None if nothing did, and whether it may go better a moment later. The
        libraries' own words are left out: they quote the whole address.
    """
    import requests
    import urllib3

    try:
        # Of the answer only its status counts; a body that never ends is not waited for.
        with requests.post(
            url, body, headers=_JSON, timeout=seconds, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.Timeout:
        return f"no answer within {seconds:g} s", True
    except requests.exceptions.SSLError:
        return "its TLS certificate is not accepted", False
    except requests.ConnectionError:
        return "no connection", True
    # Addresses that only the last layer refuses come in the errors of each layer.
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return type(error).__name__, False
    if status < 300:
        return None, False
    if status < 400:
        return f"it answered with a redirect, {status}, which is not followed", False
    return f"it answered {status}", status >= 500 or status == _TOO_MANY
