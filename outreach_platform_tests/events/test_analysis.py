"""Reading one user from a research database, and the analyses on what was read."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from outreach_platform.events.analysis import PHASES, abab, abab_observations, its, its_daily

pytestmark = pytest.mark.filterwarnings("error")

QUOTED = "o'brien\"; DROP TABLE research.its_daily; --"
OTHER = "cother000000000000000000"
DAY = date(2026, 3, 1)


@pytest.fixture
def research() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two users; the first under two protocols and, for some rows, under none."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA research")
    connection.execute(
        'CREATE TABLE research.its_daily ("userId" VARCHAR, day DATE, mean_score DOUBLE, '
        "day_of_week INTEGER, mean_hour DOUBLE, observations BIGINT)"
    )
    connection.execute(
        'CREATE TABLE research.abab_observations ("userId" VARCHAR, "protocolId" VARCHAR, '
        '"timestamp" TIMESTAMP, phase VARCHAR, score INTEGER)'
    )
    days = [DAY + timedelta(days=place) for place in range(-12, 12)]
    for user, low in ((QUOTED, 60.0), (OTHER, 10.0)):
        connection.executemany(
            "INSERT INTO research.its_daily VALUES (?, ?, ?, ?, ?, ?)",
            [
                (user, day, low + day.day % 3 + 12 * (day >= DAY), day.isoweekday() % 7, 9.5, 2)
                for day in reversed(days)
            ],
        )
    for user, protocol, effect in (
        (QUOTED, "p'1", 15),
        (QUOTED, "p2", -20),
        (QUOTED, None, 0),
        (OTHER, "p'1", 40),
    ):
        connection.executemany(
            "INSERT INTO research.abab_observations VALUES (?, ?, ?, ?, ?)",
            [
                (
                    user,
                    protocol,
                    datetime(2026, 1, 1) + timedelta(hours=place),
                    PHASES[place // 6],
                    50 + place % 3 + effect * (place // 6 % 2),
                )
                for place in reversed(range(24))
            ],
        )
    yield connection
    connection.close()


def test_days_of_one_user_by_day(research: duckdb.DuckDBPyConnection) -> None:
    daily = its_daily(research, QUOTED)
    expected = ["day", "mean_score", "day_of_week", "mean_hour", "observations"]
    assert list(daily.columns) == expected
    assert len(daily) == 24
    assert daily["day"].is_monotonic_increasing
    assert daily["mean_score"].min() >= 60
    result = its(daily, DAY)
    assert (result.status, result.days_before, result.days_after) == ("estimated", 12, 12)
    assert result.effect == pytest.approx(12, abs=2)


def test_start_and_end_are_included(research: duckdb.DuckDBPyConnection) -> None:
    def days(start: date | None, end: date | None) -> list[date]:
        return [stamp.date() for stamp in its_daily(research, QUOTED, start, end)["day"]]

    assert days(DAY, DAY) == [DAY]
    assert days(DAY, None) == [DAY + timedelta(days=place) for place in range(12)]
    assert days(None, DAY) == [DAY + timedelta(days=place) for place in range(-12, 1)]
    assert days(DAY, DAY - timedelta(days=1)) == []


def test_protocols_are_told_apart(research: duckdb.DuckDBPyConnection) -> None:
    effects = {}
    for protocol in ("p'1", "p2", None):
        rows = abab_observations(research, QUOTED, protocol)
        assert list(rows.columns) == ["timestamp", "phase", "score"]
        assert len(rows) == 24
        assert rows["timestamp"].is_monotonic_increasing
        effects[protocol] = abab(rows, permutations=99).effect
    assert effects == {"p'1": 15, "p2": -20, None: 0}
    assert abab(abab_observations(research, OTHER, "p'1"), permutations=99).effect == 40


@pytest.mark.parametrize("user", ["nobody", "", "' OR 1=1 --", "%"])
def test_an_unknown_user_has_nothing(research: duckdb.DuckDBPyConnection, user: str) -> None:
    assert its(its_daily(research, user), DAY).status == "too_few"
    assert abab(abab_observations(research, user)).status == "too_few"
    assert len(abab_observations(research, QUOTED, "p3")) == 0
