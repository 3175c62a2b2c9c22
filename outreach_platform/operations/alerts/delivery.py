"""From a look to messages that arrived: one process at a time, and no webhook stops anybody."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform.foundation.errors import BusyError, IntegrityError, OutreachError
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.webhooks import PAUSE_SECONDS, Answer, host_of, post_json
from outreach_platform.operations.alerts.incidents import (
    Book,
    Message,
    advance,
    answered_late,
    enqueue,
    struck_out,
)
from outreach_platform.operations.alerts.messages import FORMS, VARIABLES
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.operations.serving import running_url
from outreach_platform.settings import Settings

TIMEOUT_SECONDS = 5.0
# A tick has a minute, and has looked before; what is not sent by then is sent at the next.
BUDGET_SECONDS = 20.0
# A webhook that takes a message and never answers in time has most likely heard it.
LATE_ENOUGH = 3

logger = logging.getLogger(__name__)


@dataclass
class Report:
    """What one round did.

    Attributes:
        new: messages that the look gave rise to.
        sent: deliveries, by webhook and message.
        waiting: messages that wait for a later round.
        warnings: what went wrong, without addresses.
        busy: whether another process was at it, so that nothing was done.
    """

    new: int = 0
    sent: int = 0
    waiting: int = 0
    warnings: list[str] = field(default_factory=list)
    busy: bool = False


def book_path(data_dir: Path) -> Path:
    """Where the book of incidents stands."""
    return data_dir / "operations" / "incidents.json"


def selected(settings: Settings, problems: Iterable[Problem]) -> list[Problem]:
    """The problems of the severities that are sent."""
    both = settings.toml.alerts.severity == "warning"
    return [problem for problem in problems if both or problem.severity is Severity.ERROR]


def round_of_alerts(
    settings: Settings,
    look: Callable[[], Iterable[Problem]],
    *,
    now: datetime | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Report:
    """Look, write the book, send what waits.

    Args:
        settings: webhooks, severities and the data folder.
        look: finds what is wrong now; called by one process at a time.
        now: the moment of the look, aware.
        timeout_seconds: of each webhook.

    Raises:
        OutreachError: the book cannot be written.
        Exception: whatever the look raises; the book stays as it was.
    """
    path = book_path(settings.data_dir)
    try:
        with locked(path.with_suffix(".lock"), "the book of incidents", "alerts", 0):
            moment = now or datetime.now(UTC)
            before = _read(path)
            book, messages = advance(before, selected(settings, look()), moment)
            book = enqueue(book, messages, settings.alert_webhooks, moment)
            if book != before:
                write_record(path, book)
            return _deliver(path, book, settings, Report(new=len(messages)), timeout_seconds)
    except BusyError:
        return Report(busy=True)


def _read(path: Path) -> Book:
    try:
        return read_record(path, Book)
    except FileNotFoundError:
        return Book()
    except IntegrityError as error:
        # What was told is forgotten, so that what is wrong is told again.
        aside = path.with_suffix(".damaged.json")
        path.replace(aside)
        logger.warning("%s; it was moved to %s and a new one begun", error, aside)
        return Book()


def _deliver(
    path: Path, book: Book, settings: Settings, report: Report, timeout_seconds: float
) -> Report:
    deadline = time.monotonic() + BUDGET_SECONDS
    base = base_url(settings) if book.pending else None
    for name, url in settings.alert_webhooks.items():
        for message in book.pending:
            if name not in message.waiting:
                continue
            if time.monotonic() > deadline:
                break
            answer = send(name, url, message, base, timeout_seconds)
            book, arrived = _noted(book, message, name, answer)
            if answer.problem is None or arrived or answer.unsure:
                write_record(path, book)
            if answer.problem is not None:
                report.warnings.append(_warning(name, url, answer))
            if not arrived:
                break  # those behind it would come out of order
            report.sent += answer.problem is None
    report.waiting = len(book.pending)
    return report


def _noted(book: Book, message: Message, name: str, answer: Answer) -> tuple[Book, bool]:
    """The book after an attempt, and whether the message is done with."""
    if answer.problem is None:
        return struck_out(book, message, name), True
    if answer.unsure:
        if message.late.get(name, 0) + 1 >= LATE_ENOUGH:
            return struck_out(book, message, name), True
        return answered_late(book, message, name), False
    return book, False


def send(name: str, url: str, message: Message, base: str | None, timeout_seconds: float) -> Answer:
    """POST one message to one webhook, whatever comes of it.

    Args:
        name: `slack` or `webhook`.
        url: its address, a secret.
        message: the message.
        base: where the web UI is, for the link.
        timeout_seconds: for the connection, and again for the answer.
    """
    if host_of(url) is None:
        return Answer("it is no web address; write it with its https://")
    body = FORMS[name](message, base)
    return post_json(
        url,
        body,
        timeout_seconds=timeout_seconds,
        pause_seconds=PAUSE_SECONDS,
        again_when_late=False,
    )


def _warning(name: str, url: str, answer: Answer) -> str:
    host = host_of(url)
    where = f"the webhook at {host}" if host else "the webhook"
    return (
        f"{where} did not take an alert ({answer.problem}): check {VARIABLES[name]} with "
        "`outreach alerts test`"
    )


def base_url(settings: Settings) -> str | None:
    """Where people reach the web UI: OUTREACH_PUBLIC_URL, else the running `up`, else nowhere."""
    try:
        return settings.public_url or running_url(settings.data_dir)
    except OutreachError:
        return None  # a message without its link is better than none


def trial_message(now: datetime) -> Message:
    """A message that says that messages arrive."""
    return Message(
        id=f"test-{now:%Y%m%d%H%M%S}",
        event="test",
        kind="test",
        subject="a test of the alerts",
        message="alerts of the outreach platform arrive here",
        action="nothing",
        severity=Severity.WARNING,
        run_id=None,
        at=now,
        opened_at=now,
    )
