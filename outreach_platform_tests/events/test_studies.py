"""Which users and protocols are analysed, on research databases that the wing itself has built."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.run import EventsRun
from outreach_platform.events.schema import PHASES
from outreach_platform.events.studies import (
    Analysed,
    Kind,
    StudiesRecord,
    Study,
    analyse_abab,
    analyse_its,
    keep_studies,
    open_research,
    studies_file,
)
from outreach_platform.foundation.lake import read_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    create_source,
    event,
    in_phase,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.postgres import drop_database, execute, fresh_database

# 60 days before the clock's day.
START = datetime(2026, 1, 9)
BREAK = START + timedelta(days=10)
END = START + timedelta(days=20)
QUOTED = "c'quoted\"user; --"


def built(run: EventsRun) -> Path:
    """The research database of a source, taken as it is."""
    run.extract(window(), "none")
    run.siblings()
    run.export(window())
    record = run.sync()
    assert record.problem is None
    return Path(record.database)


def protocol(url: DatabaseUrl, user: str, **over: Any) -> None:
    """One of the user's protocols, named as `name` says, with phases of (type, start)."""
    name = over.get("name", user)
    phases = over.get("phases", [("BASELINE", START), ("INTERVENTION_A", BREAK)])
    row = {
        "id": name,
        "userId": user,
        "protocolName": name,
        "designType": over.get("design", "MULTIPLE_BASELINE"),
        "startDate": over.get("start", START),
        "endDate": over.get("end", END),
    }
    insert_events(url, [row], "experiment_protocols")
    insert_events(
        url,
        [
            {
                "id": f"{name}/{n}",
                "protocolId": name,
                "phaseLabel": kind.lower(),
                "phaseType": kind,
                "startDate": start,
            }
            for n, (kind, start) in enumerate(phases)
        ],
        "phase_assignments",
    )


def daily_sessions(user: str, low: int = -5, high: int = 30) -> list[dict[str, Any]]:
    """A session at 10:30 on each day from START + low on; 12 points higher from BREAK on."""
    return [
        event(
            userId=user,
            timestamp=START + timedelta(days=n, hours=10, minutes=30),
            sessionPerformanceScore=60 + (12 if n >= 10 else 0) + (n * 7) % 5,
        )
        for n in range(low, high)
    ]


def phased(user: str, each: int, start: datetime, effect: int = 15) -> list[dict[str, Any]]:
    """`each` scores a phase, an hour apart."""
    return [
        in_phase(
            phase,
            userId=user,
            timestamp=start + timedelta(hours=n * each + place),
            sessionPerformanceScore=70 + (effect if n % 2 else 0) + (place * 3) % 7,
        )
        for n, phase in enumerate(PHASES)
        for place in range(each)
    ]


PROTOCOLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ends_at_noon": {"end": END + timedelta(hours=12)},
    "ends_a_moment_after_midnight": {"end": END + timedelta(milliseconds=1)},
    "has_no_end": {"end": None},
    "starts_at_noon": {"start": START + timedelta(hours=12)},
    "starts_late": {"start": START + timedelta(days=3)},
    "ends_as_it_starts": {"end": START},
    "has_several": {
        "phases": [
            ("BASELINE", START),
            ("INTERVENTION_B", BREAK + timedelta(days=4)),
            ("INTERVENTION_A", BREAK),
        ]
    },
    "criterion": {"design": "CHANGING_CRITERION"},
    QUOTED: {},
    "without_phases": {"phases": []},
    "without_baseline": {"phases": [("INTERVENTION_A", BREAK)]},
    "without_intervention": {"phases": [("BASELINE", START), ("WITHDRAWAL", BREAK)]},
    "intervention_first": {
        "phases": [
            ("INTERVENTION_A", START),
            ("BASELINE", START + timedelta(days=5)),
            ("INTERVENTION_A", BREAK),
        ]
    },
    "both_at_once": {"phases": [("BASELINE", BREAK), ("INTERVENTION_A", BREAK)]},
    "without_start": {"start": None},
    "back_and_forth": {"design": "ABAB"},
    "alternating": {"design": "ALTERNATING"},
}


@pytest.fixture(scope="module")
def source(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    """One user a protocol with daily sessions, named alike, and users in phases."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = fresh_database(pg_server, name)
    create_source(url)
    execute(url, 'ALTER TABLE experiment_protocols ALTER "startDate" DROP NOT NULL')
    for user, over in PROTOCOLS.items():
        protocol(url, user, **over)
        insert_events(url, daily_sessions(user))
    protocol(url, "few", phases=[("BASELINE", START), ("INTERVENTION_A", BREAK)])
    insert_events(url, daily_sessions("few", 4))
    for name_of, days in (("first", 0), ("second", 10)):
        start = START + timedelta(days=days)
        end = start + timedelta(days=10)
        protocol(url, "twice", name=name_of, design="ABAB", start=start, end=end)
        insert_events(url, phased("twice", 6, start, 10 + days))
    insert_events(url, phased("twice", 5, START - timedelta(days=20), 0))
    protocol(url, "mixed", name="paper", design="ALTERNATING")
    insert_events(url, phased("mixed", 6, START))
    insert_events(url, phased("nobody's", 6, START))
    insert_events(url, phased("hasty", 4, START))
    yield url
    drop_database(pg_server, name)


@pytest.fixture(scope="module")
def database(source: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(new_run(tmp_path_factory.mktemp("data"), source))


@pytest.fixture
def research(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_research(database)
    yield connection
    connection.close()


def of(analysed: list[Analysed], user: str) -> Study:
    (found,) = [each.study for each in analysed if each.study.user_id == user]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "before", "after"),
    [
        ("plain", 10, 10),
        ("ends_at_noon", 10, 11),
        ("ends_a_moment_after_midnight", 10, 11),
        ("has_no_end", 10, 20),
        ("starts_at_noon", 10, 10),
        ("starts_late", 7, 10),
        ("ends_as_it_starts", 0, 0),
        ("has_several", 10, 10),
        ("criterion", 10, 10),
        (QUOTED, 10, 10),
        ("few", 6, 10),
    ],
)
def test_an_interruption_is_estimated_from_the_days_of_its_protocol(
    research: duckdb.DuckDBPyConnection, user: str, before: int, after: int
) -> None:
    study = of(analyse_its(research), user)
    assert study.its is not None
    assert (study.protocol_id, study.protocol, study.abab) == (user, user, None)
    assert study.its.intervention == BREAK.date()
    assert (study.its.days_before, study.its.days_after) == (before, after)
    if min(before, after) < 8:
        assert study.its.status == "too_few"
        assert study.its.effect is None
    else:
        assert study.its.status == "estimated"
        assert study.its.effect == pytest.approx(12, abs=2)


@pytest.mark.slow
def test_the_rows_of_a_study_are_its_users_days(research: duckdb.DuckDBPyConnection) -> None:
    (plain,) = [each for each in analyse_its(research) if each.study.user_id == "plain"]
    days = [START.date() + timedelta(days=n) for n in range(20)]
    assert [day.date() for day in plain.rows["day"]] == days
    expected = [60 + (12 if n >= 10 else 0) + (n * 7) % 5 for n in range(20)]
    assert plain.rows["mean_score"].tolist() == expected


def test_nothing_else_is_an_interruption(research: duckdb.DuckDBPyConnection) -> None:
    expected = [
        *("plain", "ends_at_noon", "ends_a_moment_after_midnight", "has_no_end", "starts_at_noon"),
        *("starts_late", "ends_as_it_starts", "has_several", "criterion", QUOTED, "few"),
    ]
    assert [each.study.user_id for each in analyse_its(research)] == sorted(expected)


def test_abab_is_told_apart_by_protocol(research: duckdb.DuckDBPyConnection) -> None:
    found = [each.study for each in analyse_abab(research)]
    results = {(s.user_id, s.protocol_id): s.abab for s in found}
    assert [(s.user_id, s.protocol) for s in found if s.its is None] == [
        *(("hasty", None), ("nobody's", None)),
        *(("twice", "first"), ("twice", "second"), ("twice", None)),
    ]
    said = {key: (r.status, r.effect, r.counts["baseline_1"]) for key, r in results.items() if r}
    assert said == {
        ("hasty", None): ("too_few", None, 4),
        ("nobody's", None): ("estimated", pytest.approx(15), 6),
        ("twice", "first"): ("estimated", pytest.approx(10), 6),
        ("twice", "second"): ("estimated", pytest.approx(20), 6),
        ("twice", None): ("estimated", pytest.approx(0), 5),
    }


def test_results_are_written_without_nan_and_read_back(
    research: duckdb.DuckDBPyConnection, source: DatabaseUrl, tmp_path: Path
) -> None:
    folder = new_run(tmp_path, source).folder
    before = datetime.now(UTC)
    found: dict[Kind, list[Analysed]]
    found = {"its": analyse_its(research), "abab": analyse_abab(research)}
    for kind, analysed in found.items():
        kept = keep_studies(folder, kind, research, analysed, "run-7")
        path = studies_file(folder, kind)
        assert path == tmp_path / "lake" / "analyses" / f"{kind}.json"
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
        assert read_record(path, StudiesRecord) == kept
        assert kept.studies == [each.study for each in analysed]
        assert (kept.kind, kept.stamp, kept.run_id) == (kind, "20260310_120000", "run-7")
        assert before <= kept.estimated_at <= datetime.now(UTC)
        # The next run's take their place, also where there are none.
        assert keep_studies(folder, kind, research, [], "run-8").studies == []
        assert read_record(path, StudiesRecord).run_id == "run-8"


@pytest.mark.slow
def test_without_protocols_observations_are_their_users(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_source(neon_url)
    execute(neon_url, "DROP TABLE phase_assignments, experiment_protocols")
    insert_events(neon_url, [*daily_sessions("plain"), *phased("alone", 6, START)])
    connection = open_research(built(new_run(tmp_path, neon_url)))
    assert analyse_its(connection) == []
    (only,) = analyse_abab(connection)
    assert (only.study.user_id, only.study.protocol_id) == ("alone", None)
    connection.close()


@pytest.mark.slow
def test_no_events_are_no_studies(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_source(neon_url)
    protocol(neon_url, "idle")
    connection = open_research(built(new_run(tmp_path, neon_url)))
    assert analyse_abab(connection) == []
    (idle,) = analyse_its(connection)
    assert idle.study.its is not None
    assert (idle.study.its.status, len(idle.rows)) == ("too_few", 0)
    connection.close()
