"""The sensor that tells what went wrong, and when it is over."""

import dagster as dg

from outreach_platform.operations.alerts.delivery import Report, round_of_alerts
from outreach_platform.operations.monitoring.survey import known_problems
from outreach_platform.resources import PlatformSettings


@dg.sensor(
    name="run_failure_alert",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs, kill switches and failed checks to SLACK_WEBHOOK_URL and "
    "ALERT_WEBHOOK_URL: one message when something goes wrong and one when it is over.",
)
def run_failure_alert(
    context: dg.SensorEvaluationContext, platform: PlatformSettings
) -> dg.SkipReason:
    """Look at what is wrong now, and send what that changes.

    It asks for no run, so that each tick ends with what it did; it remembers by the book of
    incidents, and a webhook that is down makes a tick no failure.
    """
    settings = platform.load()
    if settings.embedded_only:
        return dg.SkipReason("the demonstration sends nothing")
    if not settings.alert_webhooks:
        return dg.SkipReason("SLACK_WEBHOOK_URL and ALERT_WEBHOOK_URL are not set: nobody is told")

    report = round_of_alerts(settings, lambda: known_problems(settings, context.instance))
    for warning in report.warnings:
        context.log.warning(warning)
    return dg.SkipReason(_told(report))


def _told(report: Report) -> str:
    if report.busy:
        return "another process is at it"
    if not (report.new or report.sent or report.waiting):
        return "nothing changed"
    parts = [f"{report.new} new messages, {report.sent} delivered, {report.waiting} wait"]
    return "; ".join([*parts, *dict.fromkeys(report.warnings)])
