"""Behavioural events of the 88 days before a given day, some users under an experiment.

An ABAB user's session scores are near 70 in the baselines and near 85 in the interventions; an
ITS user's jump by about 12 points in the middle of the window: both analyses have a known answer.
Another user's alternating phases carry the labels of the ABAB ones, to be told apart by protocol.
"""

import random
from datetime import datetime, timedelta

from outreach_platform.embedded.sample.experiments import (
    DESIGNS,
    WINDOW_DAYS,
    Design,
    EventTables,
    add_context,
    add_protocol,
    cuid,
    groups,
)
from outreach_platform.embedded.sample.rows import Json, Row

EVENTS = 10_000
USERS = 40

_TYPES = (
    *("MISSION_STARTED", "MISSION_COMPLETED", "CARD_REVIEWED", "VALIDATION_COMPLETED"),
    *("SESSION_STARTED", "SESSION_ENDED", "LECTURE_UPLOADED", "SEARCH_PERFORMED", "GRAPH_VIEWED"),
    *("RECOMMENDATION_VIEWED", "RECOMMENDATION_CLICKED", "RECOMMENDATION_DISMISSED"),
    "RECOMMENDATION_RATED",
)
_TYPE_WEIGHTS = (8, 7, 25, 8, 12, 12, 2, 8, 5, 6, 3, 2, 2)


def first_day(now: datetime) -> datetime:
    """Midnight (naive UTC) of the window's first day, less than 90 days before `now`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return midnight - timedelta(days=WINDOW_DAYS)


def its_intervention(now: datetime) -> datetime:
    """The day from which the ITS users' scores are higher: 44 days on each side."""
    return first_day(now) + timedelta(days=WINDOW_DAYS // 2)


def make_events(seed: int, scale: float, now: datetime) -> EventTables:
    """Rows by table: `"BehavioralEvent"` sorted by time, and its three siblings.

    Users with a known answer get no further scores, so that their effect stays what it is. On
    another day the same seed gives the same events, moved by whole days and under new ids: an id
    that a reader knows never turns up at another time.

    Args:
        seed: same seed and same UTC day of `now`, same rows.
        scale: 1.0 is 10,000 events; users and experiments stay as many.
        now: in UTC; only its day counts, and every event is before that day.
    """
    rng = random.Random(f"{seed}/events")
    start = first_day(now)
    users = [cuid(rng) for _ in range(USERS)]
    tables: EventTables = {
        "public.context_metadata": [],
        "public.experiment_protocols": [],
        "public.phase_assignments": [],
        'public."BehavioralEvent"': [],
    }
    events = tables['public."BehavioralEvent"']
    contexts: dict[str, tuple[Design, str]] = {}
    members = groups(users)
    for key, design in DESIGNS.items():
        for number, user in enumerate(members[key]):
            add_protocol(rng, tables, user, design, number, start)
            if design.on_events:
                contexts[user] = design, add_context(rng, tables, user, start)
            sessions = _sessions(rng, user, design, start)
            events += [_with_phase(row, day, number, contexts) for row, day in sessions]
    known = {*members["abab"], *members["its"]}
    activity = [rng.paretovariate(1.5) for _ in users]
    # Experiments are a fifth of the activity, so that phases are no curiosity in the export.
    activity[: len(members["abab"])] = [sum(activity) * 0.03] * len(members["abab"])
    while len(events) < round(EVENTS * scale):
        user = rng.choices(users, activity)[0]
        event, day = _ordinary(rng, user, start)
        if event["eventType"] == "SESSION_ENDED" and user not in known and rng.random() < 0.9:
            event["sessionPerformanceScore"] = _score(rng, 72)
        events.append(_with_phase(event, day, None, contexts))
    ids = random.Random(f"{seed}/events/{start:%Y-%m-%d}")
    for event in events:
        event["id"] = cuid(ids)
    events.sort(key=lambda row: (row["timestamp"], row["id"]))
    return tables


def user_ids(seed: int) -> dict[str, list[str]]:
    """Users by experiment: `abab` and `its` have a known answer, `alternating` has none."""
    rng = random.Random(f"{seed}/events")
    return groups([cuid(rng) for _ in range(USERS)])


def _sessions(
    rng: random.Random, user: str, design: Design, start: datetime
) -> list[tuple[Row, int]]:
    """A scored session on each day of an experiment, with the day's number in the window."""
    found = []
    for day in design.days:
        row = _event(rng, user, _moment(rng, start, day), "SESSION_ENDED")
        mean = design.means[design.phase(day)[1] == "INTERVENTION_A"]
        row["sessionPerformanceScore"] = _score(rng, mean)
        found.append((row, day))
    return found


def _ordinary(rng: random.Random, user: str, start: datetime) -> tuple[Row, int]:
    """Everyday activity without a score, and the number of its day in the window."""
    day = rng.randrange(WINDOW_DAYS)
    row = _event(rng, user, _moment(rng, start, day), rng.choices(_TYPES, _TYPE_WEIGHTS)[0])
    return row, day


def _with_phase(
    row: Row, day: int, randomization: int | None, contexts: dict[str, tuple[Design, str]]
) -> Row:
    """The event with its phase, where its user's experiment runs that day and marks events."""
    design, metadata = contexts.get(row["userId"], (None, None))
    if design is None or day not in design.days:
        return row
    return row | {
        "experimentPhase": design.phase(day)[0],
        "randomizationSeed": randomization,
        "contextMetadataId": metadata,
    }


def _score(rng: random.Random, mean: float) -> int:
    return min(100, max(0, round(rng.gauss(mean, 5))))


def _moment(rng: random.Random, start: datetime, day: int) -> datetime:
    hour = rng.choices(range(24), [1] * 6 + [3, 5, 8, 9, 8, 7, 6, 6, 7, 8, 9, 8, 7, 8, 9, 8, 4, 2])
    return start + timedelta(
        days=day, hours=hour[0], minutes=rng.randrange(60), milliseconds=rng.randrange(60_000)
    )


def _event(rng: random.Random, user: str, moment: datetime, kind: str) -> Row:
    """One event, valid but for its id; optional values are null now and then."""

    def now_and_then(value: object) -> object:
        return None if rng.random() < 0.04 else value

    return {
        "id": "",
        "userId": user,
        "eventType": kind,
        "eventData": Json(_data(rng, kind)),
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "completionQuality": now_and_then(rng.choice(("RUSHED", "NORMAL", "NORMAL", "THOROUGH"))),
        "contentType": now_and_then(rng.choice(("lecture", "card deck", "exam; mock"))),
        "difficultyLevel": now_and_then(rng.choice(("easy", "medium", "hard"))),
        "dayOfWeek": now_and_then(moment.isoweekday() % 7),
        "engagementLevel": now_and_then(rng.choice(("LOW", "MEDIUM", "HIGH"))),
        "sessionPerformanceScore": None,
        "timeOfDay": now_and_then(moment.hour),
        "experimentPhase": None,
        "randomizationSeed": None,
        "contextMetadataId": None,
    }


def _data(rng: random.Random, kind: str) -> dict[str, object]:
    if kind.startswith("RECOMMENDATION"):
        return {"recommendation": cuid(rng), "rank": rng.randrange(1, 10), "reason": None}
    if kind == "SEARCH_PERFORMED":
        return {"query": rng.choice(("rénal", 'quote "x"', "a;b", "心")), "hits": rng.randrange(40)}
    if kind.startswith("SESSION"):
        return {"minutes": rng.randrange(3, 120), "client": {"app": "web", "version": "2.4.1"}}
    return {
        "item": cuid(rng),
        "correct": rng.random() < 0.7,
        "tags": ["a", "b"][: rng.randrange(3)],
    }
