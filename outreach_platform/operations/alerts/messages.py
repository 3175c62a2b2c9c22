"""How a message looks: plain JSON for programs, blocks for Slack. No secret, no personal data."""

from typing import Any

from outreach_platform.operations.alerts.incidents import Message
from outreach_platform.operations.monitoring.failures import told

_SIGNS = {
    "opened": ":red_circle:",
    "reopened": ":red_circle:",
    "cleared": ":white_check_mark:",
    "digest": ":file_folder:",
    "test": ":wave:",
}
_HEADS = {
    "opened": "{kind}: {subject}",
    "reopened": "{kind}: {subject} is back; it comes and goes, its end is told once it is calm",
    "cleared": "over: {kind}: {subject}",
    "digest": "{subject}",
    "test": "{subject}",
}


def run_url(base: str | None, run_id: str | None) -> str | None:
    """The page of a run in the web UI, None without an address or a run."""
    return f"{base.rstrip('/')}/runs/{run_id}" if base and run_id else None


def plain(message: Message, base: str | None) -> dict[str, Any]:
    """What ALERT_WEBHOOK_URL gets.

    Args:
        message: the message.
        base: where the web UI is, for the link.
    """
    return {
        "id": message.id,
        "event": message.event,
        "kind": message.kind,
        "subject": told(message.subject),
        "severity": message.severity.value,
        "message": told(message.message),
        "action": told(message.action),
        "run_id": message.run_id,
        "run_url": run_url(base, message.run_id),
        "at": message.at.isoformat(timespec="seconds"),
        "opened_at": message.opened_at.isoformat(timespec="seconds"),
    }


def slack(message: Message, base: str | None) -> dict[str, Any]:
    """What SLACK_WEBHOOK_URL gets: blocks, and a line for notifications.

    Args:
        message: the message.
        base: where the web UI is, for the link.
    """
    said = {name: _escaped(str(value)) for name, value in plain(message, base).items()}
    head = _HEADS[message.event].format(kind=said["kind"], subject=said["subject"])
    lines = [f"{_SIGNS[message.event]} *{head}*"]
    if message.event == "cleared":
        lines.append(f"It was: {said['message']}")
    else:
        lines.append(said["message"])
        lines.append(f"*What to do:* {said['action']}")
    foot = f"{said['severity']}, since {message.opened_at:%Y-%m-%d %H:%M} UTC"
    if url := run_url(base, message.run_id):
        foot += f" · <{url}|the run>"
    return {
        "text": f"{head}: {said['message']}" if message.event != "cleared" else head,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]},
        ],
    }


def _escaped(text: str) -> str:
    """Slack reads &, < and > as marks of its own, `<!channel>` for one."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMS = {"slack": slack, "webhook": plain}
VARIABLES = {"slack": "SLACK_WEBHOOK_URL", "webhook": "ALERT_WEBHOOK_URL"}
