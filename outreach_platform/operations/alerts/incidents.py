"""The book of incidents: what was wrong at the last look, and what is still to be told of it.

Looks have no memory, and the book is theirs. It is one small file under the data folder; what a
look changes is written before anything is sent, so that a restart loses no message, and a message
that was delivered is struck out at once, so that none comes twice.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from outreach_platform.foundation.lake import Record
from outreach_platform.operations.problems import Problem, Severity

# A fault that comes back within this time flaps: that is said once, and that it is over only after
# it was away for as long.
CALM = timedelta(minutes=15)
# More messages than these, or older ones, become one that says where things stand.
MOST_WAITING, LONGEST_WAIT = 10, timedelta(hours=24)

Event = Literal["opened", "reopened", "cleared", "digest", "test"]


class Incident(Record):
    """One fault from the look that found it to the look that did not.

    Attributes:
        number: counts incidents, so that each has a name of its own.
        opened_at: the look that found it first (aware).
        gone_at: the first of the looks in a row that did not find it; None while it is there.
        told_clear: whether its end was told.
        flaps: whether it came back shortly after its end was told.
    """

    number: int
    kind: str
    subject: str
    message: str
    action: str
    severity: Severity
    run_id: str | None
    opened_at: datetime
    gone_at: datetime | None = None
    told_clear: bool = False
    flaps: bool = False


class Message(Record):
    """One message that is still to be sent.

    Attributes:
        id: the same however often it is sent.
        event: what happened to the incident; `digest` stands for several.
        covers: how many messages it stands for.
        waiting: the names of the webhooks that have not got it.
        late: how often a webhook took it and did not answer in time, by name.
    """

    id: str
    event: Event
    kind: str
    subject: str
    message: str
    action: str
    severity: Severity
    run_id: str | None
    at: datetime
    opened_at: datetime
    covers: int = 1
    waiting: tuple[str, ...] = ()
    late: dict[str, int] = {}


class Book(Record):
    """`operations/incidents.json`.

    Attributes:
        numbered: how many incidents there have been.
        incidents: by key, open ones and those that ended a short while ago.
        pending: messages in the order in which they came up.
    """

    numbered: int = 0
    incidents: dict[str, Incident] = {}
    pending: tuple[Message, ...] = ()


def advance(book: Book, problems: Iterable[Problem], now: datetime) -> tuple[Book, list[Message]]:
    """Take one look into the book.

    Args:
        book: as the last look left it.
        problems: everything that is wrong now. An incident that one of them hides stays as it
            was, told or not: nobody knows whether it is over, or it has been said with the other.
        now: the moment of the look, aware.

    Returns:
        The book with incidents opened, kept and cleared, its pending messages untouched, and the
        messages that this look gives rise to.
    """
    found = {problem.key: problem for problem in problems}
    hidden = {name for problem in found.values() for name in problem.hides}
    numbered, incidents, messages = book.numbered, {}, []
    for key, incident in book.incidents.items():
        if key in found:
            kept, event = _seen(incident, found.pop(key), now)
        elif hidden & {incident.kind, key}:
            kept, event = incident, None
        else:
            kept, event = _missed(incident, now)
        if event == "reopened":
            numbered += 1
            kept = kept.model_copy(update={"number": numbered})
        if event is not None:
            messages.append(_message(kept, event, now))
        if not _is_history(kept, now):
            incidents[key] = kept
    for key, problem in found.items():
        if hidden & {problem.kind, key}:
            continue
        numbered += 1
        incidents[key] = _open(problem, numbered, now)
        messages.append(_message(incidents[key], "opened", now))
    new = book.model_copy(update={"numbered": numbered, "incidents": incidents})
    return new, messages


def _open(problem: Problem, number: int, now: datetime) -> Incident:
    return Incident(number=number, opened_at=now, **_wording(problem))


def _wording(problem: Problem) -> dict[str, Any]:
    names = ("kind", "subject", "message", "action", "severity", "run_id")
    return {name: getattr(problem, name) for name in names}


def _seen(incident: Incident, problem: Problem, now: datetime) -> tuple[Incident, Event | None]:
    """It is there; what is said of it now is kept for its end."""
    if not incident.told_clear:
        return incident.model_copy(update={**_wording(problem), "gone_at": None}), None
    return _open(problem, incident.number, now).model_copy(update={"flaps": True}), "reopened"


def _missed(incident: Incident, now: datetime) -> tuple[Incident, Event | None]:
    """It is not there; of one that flaps that is believed after a while only."""
    if incident.told_clear:
        return incident, None
    gone_at = incident.gone_at or now
    if incident.flaps and now - gone_at < CALM:
        return incident.model_copy(update={"gone_at": gone_at}), None
    return incident.model_copy(update={"gone_at": gone_at, "told_clear": True}), "cleared"


def _is_history(incident: Incident, now: datetime) -> bool:
    """Whether it ended so long ago that the same fault is a new one."""
    gone = incident.told_clear and incident.gone_at is not None
    return gone and now - (incident.gone_at or now) >= CALM


def _message(incident: Incident, event: Event, now: datetime) -> Message:
    return Message(
        id=f"{incident.number}-{event}",
        event=event,
        kind=incident.kind,
        subject=incident.subject,
        message=incident.message,
        action=incident.action,
        severity=incident.severity,
        run_id=incident.run_id,
        at=now,
        opened_at=incident.opened_at,
    )


def enqueue(book: Book, messages: Iterable[Message], targets: Iterable[str], now: datetime) -> Book:
    """Put messages behind those that wait for these webhooks; too many or too old become one.

    What waits for a webhook that is not configured any more is dropped.
    """
    names = tuple(targets)
    pending = [
        message.model_copy(update={"waiting": left})
        for message in book.pending
        if (left := tuple(name for name in message.waiting if name in names))
    ]
    if names:
        pending += [m.model_copy(update={"waiting": names}) for m in messages]
    for name in names:
        pending = _condensed(pending, name, book, now)
    return book.model_copy(update={"pending": tuple(pending)})


def _condensed(pending: list[Message], name: str, book: Book, now: datetime) -> list[Message]:
    mine = [message for message in pending if name in message.waiting]
    crowded = len(mine) > MOST_WAITING
    stale = bool(mine) and now - mine[0].at > LONGEST_WAIT
    if not crowded and not stale:
        return pending
    others = [
        message.model_copy(update={"waiting": left})
        for message in pending
        if (left := tuple(other for other in message.waiting if other != name))
    ]
    still = [i for i in book.incidents.values() if not i.told_clear]
    return [*others, _digest(mine, still, name, now)] if still or crowded else others


def _digest(mine: list[Message], still: list[Incident], name: str, now: datetime) -> Message:
    covers = sum(message.covers for message in mine)
    since = min(message.opened_at for message in mine)
    shown = [f"{i.kind} {i.subject}" for i in still[:MOST_WAITING]]
    more = len(still) - len(shown)
    named = ", ".join(shown) + (f" and {more} more" if more else "")
    errors = any(incident.severity is Severity.ERROR for incident in still)
    return Message(
        id=f"{mine[-1].id}-digest-{name}",
        event="digest",
        kind="digest",
        subject=f"{covers} messages in one",
        message=f"wrong now: {named}" if still else "nothing is wrong any more",
        action="`outreach status` shows what is wrong and what to do" if still else "nothing",
        severity=Severity.ERROR if errors else Severity.WARNING,
        run_id=None,
        at=now,
        opened_at=since,
        covers=covers,
        waiting=(name,),
    )


def struck_out(book: Book, message: Message, name: str) -> Book:
    """The book after a webhook got a message."""

    def got(stored: Message) -> Message:
        left = tuple(other for other in stored.waiting if other != name)
        return stored.model_copy(update={"waiting": left})

    return _changed(book, message, got)


def answered_late(book: Book, message: Message, name: str) -> Book:
    """The book after a webhook took a message and did not answer in time."""

    def late(stored: Message) -> Message:
        counts = {**stored.late, name: stored.late.get(name, 0) + 1}
        return stored.model_copy(update={"late": counts})

    return _changed(book, message, late)


def _changed(book: Book, message: Message, change: Callable[[Message], Message]) -> Book:
    pending = (change(m) if m.id == message.id else m for m in book.pending)
    return book.model_copy(update={"pending": tuple(m for m in pending if m.waiting)})
