"""The sample's experiments: who takes part in which, their protocols, phases and context."""

import random
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from outreach_platform.embedded.sample.rows import Json, Row

WINDOW_DAYS = 88
_ALPHABET = string.ascii_lowercase + string.digits
EventTables = dict[str, list[Row]]


@dataclass(frozen=True)
class Design:
    """An experiment that each of its users makes alone, with a scored session every day.

    Attributes:
        users: how many take part.
        name: of the protocol, before its number.
        kind: the protocol's designType.
        phases: label and phaseType, one after the other, all equally long.
        phase_days: the length of a phase in days.
        first_day: the experiment's first day, counted from the window's.
        means: of the scores, outside interventions and in them.
        on_events: whether events carry the phase's label, which only four labels may.
    """

    users: int
    name: str
    kind: str
    phases: tuple[tuple[str, str], ...]
    phase_days: int
    first_day: int
    means: tuple[int, int]
    on_events: bool = True

    @property
    def days(self) -> range:
        """The experiment's days, by their number in the window."""
        return range(self.first_day, self.first_day + len(self.phases) * self.phase_days)

    def phase(self, day: int) -> tuple[str, str]:
        """Label and phaseType of one of its days."""
        return self.phases[(day - self.first_day) // self.phase_days]


_BASELINE = ("baseline_1", "BASELINE")
_INTERVENTION = ("intervention_A_1", "INTERVENTION_A")
_ABAB = Design(
    6,
    "Spaced review",
    "ABAB",
    (
        *(_BASELINE, _INTERVENTION),
        *(("baseline_2", "WITHDRAWAL"), ("intervention_A_2", "INTERVENTION_A")),
    ),
    phase_days=WINDOW_DAYS // 4,
    first_day=0,
    means=(70, 85),
)
_ITS = Design(
    2,
    "Daily goal",
    "MULTIPLE_BASELINE",
    (("baseline", "BASELINE"), ("intervention", "INTERVENTION_A")),
    phase_days=WINDOW_DAYS // 2,
    first_day=0,
    means=(64, 76),
    on_events=False,
)
# Six weeks in the middle, so that the same user also has events before and after the protocol.
_ALTERNATING = Design(
    1,
    "Paper or screen",
    "ALTERNATING",
    (_BASELINE, _INTERVENTION) * 3,
    phase_days=7,
    first_day=21,
    means=(72, 72),
)
DESIGNS = {"abab": _ABAB, "its": _ITS, "alternating": _ALTERNATING}


def cuid(rng: random.Random) -> str:
    """An id of the form `^c[a-z0-9]{24}$`."""
    return "c" + "".join(rng.choices(_ALPHABET, k=24))


def groups(users: list[str]) -> dict[str, list[str]]:
    """The first users by experiment; those behind them are in none."""
    rest = iter(users)
    return {key: list(islice(rest, design.users)) for key, design in DESIGNS.items()}


def add_protocol(
    rng: random.Random,
    tables: EventTables,
    user: str,
    design: Design,
    number: int,
    start: datetime,
) -> None:
    """One protocol and its phases."""
    since = start + timedelta(days=design.first_day)
    protocol = cuid(rng)
    tables["public.experiment_protocols"].append(
        {
            "id": protocol,
            "userId": user,
            "protocolName": f"{design.name} {number + 1}",
            "designType": design.kind,
            "startDate": since.isoformat(),
            "endDate": (since + timedelta(days=len(design.days))).isoformat(),
            "createdAt": (start - timedelta(days=1)).isoformat(),
        }
    )
    for label, kind in design.phases:
        until = since + timedelta(days=design.phase_days)
        tables["public.phase_assignments"].append(
            {
                "id": cuid(rng),
                "protocolId": protocol,
                "phaseLabel": label,
                "phaseType": kind,
                "startDate": since.isoformat(),
                "endDate": until.isoformat(),
            }
        )
        since = until


def add_context(rng: random.Random, tables: EventTables, user: str, start: datetime) -> str:
    """One row of context metadata; returns its id."""
    metadata = cuid(rng)
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
