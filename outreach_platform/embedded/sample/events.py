"""Behavioural events of the 89 days before a given day, some users under an experiment.

An ABAB user's session scores are near 70 in the baselines and near 85 in the interventions; an
ITS user's jump by about 12 points in the middle of the window: both analyses have a known answer.
"""

import random
import string
from datetime import datetime, timedelta

from outreach_platform.embedded.sample.rows import Json, Row

EVENTS = 10_000
USERS = 40
ABAB_USERS = 6
ITS_USERS = 2
WINDOW_DAYS = 88
PHASES = ("baseline_1", "intervention_A_1", "baseline_2", "intervention_A_2")
PHASE_DAYS = WINDOW_DAYS // len(PHASES)
_PHASE_TYPES = ("BASELINE", "INTERVENTION_A", "WITHDRAWAL", "INTERVENTION_A")

_TYPES = (
    *("MISSION_STARTED", "MISSION_COMPLETED", "CARD_REVIEWED", "VALIDATION_COMPLETED"),
    *("SESSION_STARTED", "SESSION_ENDED", "LECTURE_UPLOADED", "SEARCH_PERFORMED", "GRAPH_VIEWED"),
    *("RECOMMENDATION_VIEWED", "RECOMMENDATION_CLICKED", "RECOMMENDATION_DISMISSED"),
    "RECOMMENDATION_RATED",
)
_TYPE_WEIGHTS = (8, 7, 25, 8, 12, 12, 2, 8, 5, 6, 3, 2, 2)
_ALPHABET = string.ascii_lowercase + string.digits
EventTables = dict[str, list[Row]]


def first_day(now: datetime) -> datetime:
    """Midnight (naive UTC) of the window's first day, less than 90 days before `now`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return midnight - timedelta(days=WINDOW_DAYS)


def its_intervention(now: datetime) -> datetime:
    """The day from which the ITS users' scores are higher: 44 days on each side."""
    return first_day(now) + timedelta(days=WINDOW_DAYS // 2)


def make_events(seed: int, scale: float, now: datetime) -> EventTables:
    """Rows by table: `"BehavioralEvent"` sorted by time, and its three siblings.

    Users with a known answer get no further scores, so that their effect stays what it is.

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
    for number, user in enumerate(users[:ABAB_USERS]):
        metadata = _add_experiment(rng, tables, user, number, start)
        events += _experiment_sessions(rng, user, number, metadata, start)
    for user in users[ABAB_USERS : ABAB_USERS + ITS_USERS]:
        events += _its_sessions(rng, user, start)
    contexts = {row["userId"]: row["id"] for row in tables["public.context_metadata"]}
    known = set(users[: ABAB_USERS + ITS_USERS])
    activity = [rng.paretovariate(1.5) for _ in users]
    # Experiments are a fifth of the activity, so that phases are no curiosity in the export.
    activity[:ABAB_USERS] = [sum(activity) * 0.03] * ABAB_USERS
    while len(events) < round(EVENTS * scale):
        user = rng.choices(users, activity)[0]
        event, place = _ordinary(rng, user, start)
        if event["eventType"] == "SESSION_ENDED" and user not in known and rng.random() < 0.9:
            event["sessionPerformanceScore"] = _score(rng, 72)
        if user in contexts:
            event |= _phase(contexts[user], place, None)
        events.append(event)
    events.sort(key=lambda row: (row["timestamp"], row["id"]))
    return tables


def user_ids(seed: int) -> dict[str, list[str]]:
    """The users with a known answer: lists under `abab` and `its`."""
    rng = random.Random(f"{seed}/events")
    users = [cuid(rng) for _ in range(USERS)]
    return {"abab": users[:ABAB_USERS], "its": users[ABAB_USERS : ABAB_USERS + ITS_USERS]}


def cuid(rng: random.Random) -> str:
    """An id of the form `^c[a-z0-9]{24}$`."""
    return "c" + "".join(rng.choices(_ALPHABET, k=24))


def _add_experiment(
    rng: random.Random, tables: EventTables, user: str, number: int, start: datetime
) -> str:
    """One ABAB protocol with its four phases; returns the id of its context metadata."""
    end = start + timedelta(days=WINDOW_DAYS)
    protocol, metadata = cuid(rng), cuid(rng)
    tables["public.experiment_protocols"].append(
        {
            "id": protocol,
            "userId": user,
            "protocolName": f"Spaced review {number + 1}",
            "designType": "ABAB",
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "createdAt": (start - timedelta(days=1)).isoformat(),
        }
    )
    for place, (label, kind) in enumerate(zip(PHASES, _PHASE_TYPES, strict=True)):
        since = start + timedelta(days=place * PHASE_DAYS)
        tables["public.phase_assignments"].append(
            {
                "id": cuid(rng),
                "protocolId": protocol,
                "phaseLabel": label,
                "phaseType": kind,
                "startDate": since.isoformat(),
                "endDate": (since + timedelta(days=PHASE_DAYS)).isoformat(),
            }
        )
    tables["public.context_metadata"].append(
        {
            "id": metadata,
            "userId": user,
            "deviceType": rng.choice(("phone", "tablet", "laptop")),
            "environment": rng.choice(("library", "home", "café", None)),
            "details": Json({"noise": rng.randrange(5), "note": 'quiet; "mostly"'}),
            "createdAt": (start - timedelta(days=1)).isoformat(),
        }
    )
    return metadata


def _experiment_sessions(
    rng: random.Random, user: str, number: int, metadata: str, start: datetime
) -> list[Row]:
    """A scored session every day: 22 a phase, 88 in all."""
    rows = []
    for day in range(WINDOW_DAYS):
        row = _event(rng, user, _moment(rng, start, day), "SESSION_ENDED")
        place = day // PHASE_DAYS
        row["sessionPerformanceScore"] = _score(rng, 70 if place % 2 == 0 else 85)
        rows.append(row | _phase(metadata, place, number))
    return rows


def _its_sessions(rng: random.Random, user: str, start: datetime) -> list[Row]:
    rows = []
    for day in range(WINDOW_DAYS):
        row = _event(rng, user, _moment(rng, start, day), "SESSION_ENDED")
        row["sessionPerformanceScore"] = _score(rng, 64 if day < WINDOW_DAYS // 2 else 76)
        rows.append(row)
    return rows


def _ordinary(rng: random.Random, user: str, start: datetime) -> tuple[Row, int]:
    """Everyday activity without a score, and the number of the phase its day lies in."""
    day = rng.randrange(WINDOW_DAYS)
    row = _event(rng, user, _moment(rng, start, day), rng.choices(_TYPES, _TYPE_WEIGHTS)[0])
    return row, day // PHASE_DAYS


def _phase(metadata: str, place: int, randomization: int | None) -> Row:
    return {
        "experimentPhase": PHASES[place],
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
    """One valid event; optional values are null now and then."""

    def now_and_then(value: object) -> object:
        return None if rng.random() < 0.04 else value

    return {
        "id": cuid(rng),
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
