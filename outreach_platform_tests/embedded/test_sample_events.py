"""The sample's behavioural events: valid, typed as in production, with known effects."""

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import mean

import psycopg2
import pytest
from psycopg2.extras import RealDictCursor

from outreach_platform.embedded.sample import its_intervention, load_sample, user_ids
from outreach_platform.embedded.sample.events import make_events
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.postgres import drop_database, fresh_database

NOW = datetime(2026, 5, 4, 17, 30, tzinfo=UTC)
CUID = re.compile(r"c[a-z0-9]{24}")


@pytest.fixture(scope="module")
def tables(pg_server: EmbeddedServer) -> Iterator[dict[str, list[dict]]]:
    names = [f"events_{uuid.uuid4().hex[:10]}" for _ in range(3)]
    urls = [fresh_database(pg_server, name) for name in names]
    load_sample(urls[0], urls[1], urls[2], now=NOW)
    connection = psycopg2.connect(urls[2].conninfo)
    found = {}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        for table in (
            *('"BehavioralEvent"', "experiment_protocols"),
            *("phase_assignments", "context_metadata"),
        ):
            cursor.execute(f"SELECT * FROM {table}")
            found[table.strip('"')] = [dict(row) for row in cursor.fetchall()]
        cursor.execute(
            "SELECT column_name, format_type(atttypid, atttypmod) AS kind, is_nullable "
            "FROM information_schema.columns JOIN pg_attribute ON attname = column_name "
            "AND attrelid = 'public.\"BehavioralEvent\"'::regclass "
            "WHERE table_name = 'BehavioralEvent' ORDER BY ordinal_position"
        )
        found["columns"] = [dict(row) for row in cursor.fetchall()]
    connection.close()
    yield found
    for name in names:
        drop_database(pg_server, name)


@pytest.mark.slow
def test_columns_and_types(tables: dict[str, list[dict]]) -> None:
    assert [(row["column_name"], row["kind"]) for row in tables["columns"]] == [
        ("id", "text"),
        ("userId", "text"),
        ("eventType", '"EventType"'),
        ("eventData", "jsonb"),
        ("timestamp", "timestamp(3) without time zone"),
        ("completionQuality", '"CompletionQuality"'),
        ("contentType", "text"),
        ("difficultyLevel", "text"),
        ("dayOfWeek", "integer"),
        ("engagementLevel", '"EngagementLevel"'),
        ("sessionPerformanceScore", "integer"),
        ("timeOfDay", "integer"),
        ("experimentPhase", "text"),
        ("randomizationSeed", "integer"),
        ("contextMetadataId", "text"),
    ]
    required = {row["column_name"] for row in tables["columns"] if row["is_nullable"] == "NO"}
    assert required == {"id", "userId", "eventType", "eventData", "timestamp"}


@pytest.mark.slow
def test_every_event_is_valid(tables: dict[str, list[dict]]) -> None:
    events = tables["BehavioralEvent"]
    assert len(events) == 10_000
    assert len({row["userId"] for row in events}) == 40
    assert len({row["eventType"] for row in events}) == 13
    contexts = {row["id"] for row in tables["context_metadata"]}
    today = NOW.replace(tzinfo=None)
    for row in events:
        assert CUID.fullmatch(row["id"])
        assert CUID.fullmatch(row["userId"])
        assert today - timedelta(days=90) < row["timestamp"] < today.replace(hour=0, minute=0)
        assert row["dayOfWeek"] in (None, (row["timestamp"].weekday() + 1) % 7)
        assert row["timeOfDay"] in (None, row["timestamp"].hour)
        assert row["sessionPerformanceScore"] is None or 0 <= row["sessionPerformanceScore"] <= 100
        assert (row["experimentPhase"] is None) == (row["contextMetadataId"] is None)
        assert row["contextMetadataId"] is None or row["contextMetadataId"] in contexts
    assert len({row["timestamp"].date() for row in events}) == 88
    for column in ("completionQuality", "dayOfWeek", "timeOfDay", "contentType"):
        assert 0.01 < sum(row[column] is None for row in events) / len(events) < 0.1
    unphased = sum(row["experimentPhase"] is None for row in events) / len(events)
    assert 0.5 < unphased < 0.9


def protocol_users(tables: dict[str, list[dict]], design: str) -> dict[str, dict]:
    protocols = [row for row in tables["experiment_protocols"] if row["designType"] == design]
    return {row["userId"]: row for row in protocols}


def phases_of(tables: dict[str, list[dict]], protocol: dict) -> list[dict]:
    rows = [row for row in tables["phase_assignments"] if row["protocolId"] == protocol["id"]]
    return sorted(rows, key=lambda row: row["startDate"])


def test_phases_agree_with_their_assignments(tables: dict[str, list[dict]]) -> None:
    marked = protocol_users(tables, "ABAB") | protocol_users(tables, "ALTERNATING")
    assert len(marked) == 7
    assert {row["userId"] for row in tables["context_metadata"]} == set(marked)
    spans = {user: phases_of(tables, protocol) for user, protocol in marked.items()}
    seen = set()
    for row in tables["BehavioralEvent"]:
        running = [
            span["phaseLabel"]
            for span in spans.get(row["userId"], [])
            if span["startDate"] <= row["timestamp"] < span["endDate"]
        ]
        assert running == ([row["experimentPhase"]] if row["experimentPhase"] else [])
        seen.add(row["experimentPhase"])
    assert seen == {None, "baseline_1", "intervention_A_1", "baseline_2", "intervention_A_2"}


def test_the_phases_of_a_protocol_fill_it_one_after_the_other(
    tables: dict[str, list[dict]],
) -> None:
    found = [phases_of(tables, protocol) for protocol in tables["experiment_protocols"]]
    assert sum(map(len, found)) == len(tables["phase_assignments"])
    for protocol, phases in zip(tables["experiment_protocols"], found, strict=True):
        limits = [protocol["startDate"], *(row["endDate"] for row in phases)]
        assert [row["startDate"] for row in phases] == limits[:-1]
        assert limits[-1] == protocol["endDate"]
        assert limits == sorted(set(limits))


def test_each_user_has_the_protocol_of_the_group(tables: dict[str, list[dict]]) -> None:
    for design, group, size in (
        *(("ABAB", "abab", 6), ("MULTIPLE_BASELINE", "its", 2)),
        *(("ALTERNATING", "alternating", 1), ("CHANGING_CRITERION", None, 0)),
    ):
        users = user_ids(7)[group] if group else []
        assert len(users) == size
        assert set(protocol_users(tables, design)) == set(users)
    assert len(tables["experiment_protocols"]) == 9, "one a user"


def test_the_its_intervention_can_be_found_in_the_phases(tables: dict[str, list[dict]]) -> None:
    for protocol in protocol_users(tables, "MULTIPLE_BASELINE").values():
        before, after = phases_of(tables, protocol)
        assert (before["phaseLabel"], before["phaseType"]) == ("baseline", "BASELINE")
        assert (after["phaseLabel"], after["phaseType"]) == ("intervention", "INTERVENTION_A")
        assert before["endDate"] == after["startDate"] == its_intervention(NOW)


def test_the_alternating_user_looks_like_an_abab_one_but_for_the_protocol(
    tables: dict[str, list[dict]],
) -> None:
    (user,) = user_ids(7)["alternating"]
    protocol = protocol_users(tables, "ALTERNATING")[user]
    inside = outside = 0
    scores = defaultdict(list)
    for row in tables["BehavioralEvent"]:
        if row["userId"] == user:
            running = protocol["startDate"] <= row["timestamp"] < protocol["endDate"]
            inside, outside = inside + running, outside + (not running)
            scored = row["sessionPerformanceScore"] is not None
            if running and scored:
                scores[row["experimentPhase"]].append(row["sessionPerformanceScore"])
    assert inside > 50
    assert outside > 50
    assert set(scores) == {"baseline_1", "intervention_A_1"}
    assert min(map(len, scores.values())) >= 20


def test_abab_effect_can_be_recovered(tables: dict[str, list[dict]]) -> None:
    for user in user_ids(7)["abab"]:
        scores = defaultdict(list)
        for row in tables["BehavioralEvent"]:
            if row["userId"] == user and row["sessionPerformanceScore"] is not None:
                scores[row["experimentPhase"]].append(row["sessionPerformanceScore"])
        assert set(scores) == {"baseline_1", "intervention_A_1", "baseline_2", "intervention_A_2"}
        assert min(map(len, scores.values())) >= 15
        assert sum(map(len, scores.values())) >= 60
        for phase, values in scores.items():
            assert abs(mean(values) - (70 if phase.startswith("baseline") else 85)) < 4


def test_its_effect_can_be_recovered(tables: dict[str, list[dict]]) -> None:
    users = user_ids(7)["its"]
    assert len(users) == 2
    for user in users:
        sides: dict[bool, dict] = {True: defaultdict(list), False: defaultdict(list)}
        for row in tables["BehavioralEvent"]:
            scored = row["sessionPerformanceScore"] is not None
            if row["userId"] == user and row["eventType"] == "SESSION_ENDED" and scored:
                side = sides[row["timestamp"] >= its_intervention(NOW)]
                side[row["timestamp"].date()].append(row["sessionPerformanceScore"])
        assert min(len(side) for side in sides.values()) == 44
        before, after = ([mean(v) for v in sides[key].values()] for key in (False, True))
        assert 8 < mean(after) - mean(before) < 16


def test_events_depend_on_the_utc_day_alone() -> None:
    assert make_events(7, 0.1, NOW) == make_events(7, 0.1, NOW.replace(hour=0, minute=0))
    assert make_events(7, 0.1, NOW) != make_events(7, 0.1, NOW - timedelta(days=1))
    assert make_events(7, 0.1, NOW) != make_events(8, 0.1, NOW)


def test_another_day_brings_the_same_scores_under_new_ids() -> None:
    today, later = (
        make_events(7, 0.1, moment)['public."BehavioralEvent"']
        for moment in (NOW, NOW + timedelta(days=1))
    )
    assert {row["id"] for row in today}.isdisjoint(row["id"] for row in later)
    scores = [[row["sessionPerformanceScore"] for row in rows] for rows in (today, later)]
    assert scores[0] == scores[1]
    for before, after in zip(today, later, strict=True):
        gap = datetime.fromisoformat(after["timestamp"]) - datetime.fromisoformat(
            before["timestamp"]
        )
        assert gap == timedelta(days=1)
