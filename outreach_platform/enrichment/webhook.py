"""Tells a workflow tool, n8n for example, that records were pulled or promoted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from outreach_platform.foundation.webhooks import (
    PAUSE_SECONDS,
    TIMEOUT_SECONDS,
    host_of,
    post_json,
)

Event = Literal["enrichment_pulled", "enrichment_promoted"]

_PAUSE_SECONDS = PAUSE_SECONDS


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
    host = host_of(url)
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
    answer = post_json(url, body, timeout_seconds=timeout_seconds, pause_seconds=_PAUSE_SECONDS)
    if answer.problem is None:
        return None
    return (
        f"the webhook at {host} was not told of {event} ({answer.problem}); nothing else is "
        "affected: check N8N_WEBHOOK_URL and that the workflow behind it is active"
    )
