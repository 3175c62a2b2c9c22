"""The commands `outreach alerts …`."""

import click

from outreach_platform.cli_base import JSON, Group


@click.group(cls=Group)
def alerts() -> None:
    """Messages about failed runs, kill switches and failed checks.

    `outreach up` sends them to SLACK_WEBHOOK_URL and ALERT_WEBHOOK_URL.
    """


@alerts.command()
@JSON
def test(as_json: bool) -> int:
    """Send one test message to each webhook; 1 if one of them does not take it."""
    from outreach_platform.commands.alerts import run_test

    return run_test(as_json=as_json)
