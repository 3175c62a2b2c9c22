"""`outreach alerts test`: whether messages arrive."""

from datetime import UTC, datetime

from outreach_platform.commands import output
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.foundation.webhooks import host_of
from outreach_platform.operations.alerts.delivery import (
    TIMEOUT_SECONDS,
    base_url,
    send,
    trial_message,
)
from outreach_platform.operations.alerts.messages import VARIABLES
from outreach_platform.settings import load_settings


def run_test(*, as_json: bool) -> int:
    """Send a test message to each webhook that is configured.

    Returns:
        0 if all of them took it, else 1.

    Raises:
        UsageError: none is configured.
    """
    settings = load_settings()
    if not settings.alert_webhooks:
        why = "OUTREACH_EMBEDDED_ONLY is set" if settings.embedded_only else "neither is set"
        raise UsageError(
            f"alerts go to SLACK_WEBHOOK_URL and ALERT_WEBHOOK_URL, and {why}: there is nobody to "
            "send a test to"
        )
    message, base = trial_message(datetime.now(UTC)), base_url(settings)
    answers = {
        name: send(name, url, message, base, TIMEOUT_SECONDS)
        for name, url in settings.alert_webhooks.items()
    }
    rows = [
        {
            "variable": VARIABLES[name],
            "host": host_of(settings.alert_webhooks[name]),
            "status": "failed" if answer.problem else "sent",
            "message": answer.problem or "the test message was taken",
        }
        for name, answer in answers.items()
    ]
    output.result(rows, as_json=as_json)
    return EXIT_FAILED if any(answer.problem for answer in answers.values()) else EXIT_OK
