"""The contract as Pandera states it and the rules as the engine runs them: the same, row by row."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pandera.errors import SchemaErrors

from outreach_platform.events import schema
from outreach_platform.events.judgement import PULLED, Judgement, judge
from outreach_platform.events.rules import JSON_VALID, event_rules
from outreach_platform.events.schema import COLUMNS, NAMES, contract_violations, json_valid_sql
from outreach_platform.events.source import DAY
from outreach_platform.foundation.rules import ERRORS
from outreach_platform_tests.support.event_rows import CONTEXT, NOW, event, event_id

Row = dict[str, Any]
# Each compiles the rules twice; the rows of one example stand for many.
EXAMPLES = 30
_ARROW = {"integer": pa.int32(), "timestamp": pa.timestamp("us")}
_PANDAS = {"integer": "Int32", "timestamp": "datetime64[us]"}


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """The rows as the contract wants them."""
    return pd.DataFrame(
        {
            c.name: pd.Series([row[c.name] for row in rows], dtype=_PANDAS.get(c.kind, "str"))
            for c in COLUMNS
        }
    )


def pulled(engine: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    """Make the table that `judge` looks at, as it is filled from a text column."""
    arrow = pa.table(
        {
            c.name: pa.array([row[c.name] for row in rows], _ARROW.get(c.kind, pa.string()))
            for c in COLUMNS
        }
    )
    engine.register("arrow", arrow)
    valid = json_valid_sql('"eventData"')
    engine.execute(
        f"CREATE OR REPLACE TABLE {PULLED} AS SELECT *, {valid} AS {JSON_VALID}, "
        f'"timestamp"::DATE AS {DAY} FROM arrow'
    )
    engine.unregister("arrow")


def by_engine(rows: list[Row], now: datetime = NOW) -> tuple[set[tuple[int, str]], Judgement]:
    """(row, code) of every violation as the engine finds them."""
    with duckdb.connect() as engine:
        pulled(engine, rows)
        judgement = judge(engine, now)
        found = engine.execute(f"SELECT row, unnest({ERRORS}) FROM bad").fetchall()
    return set(found), judgement


def by_contract(rows: list[Row], now: datetime = NOW) -> set[tuple[int, str]]:
    """(row, code) of every violation as Pandera finds them."""
    found = contract_violations(frame_of(rows), now)
    return {(int(row), code) for row, code in zip(found["row"], found["code"], strict=True)}


def by_both(rows: list[Row], now: datetime = NOW) -> set[tuple[int, str]]:
    """What both find, which must be the same, once each, and counted right."""
    engine, judgement = by_engine(rows, now)
    assert engine == by_contract(rows, now)
    codes = [code for _, code in engine]
    assert judgement.errors == {code: codes.count(code) for code in set(codes)}
    assert judgement.bad_rows == len({row for row, _ in engine})
    return engine


# --- rows that break no rule -------------------------------------------------------------------

_CUIDS = st.from_regex(r"c[a-z0-9]{24}", fullmatch=True)
_LATEST, _EARLIEST = schema.latest_time(NOW), schema.earliest_time(NOW)
_TIMES = st.datetimes(_EARLIEST, _LATEST)
_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


def _documents(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        return "0"  # an infinity


@st.composite
def valid_rows(draw: DrawFn, at_least: int = 1, at_most: int = 8) -> list[Row]:
    """Events without an error, no two with one id."""
    ids = draw(st.lists(_CUIDS, min_size=at_least, max_size=at_most, unique=True))
    phases = st.sampled_from([None, *schema.PHASES])
    rows = []
    for own in ids:
        phase = draw(phases)
        rows.append(
            {
                "id": own,
                "userId": draw(_CUIDS),
                "eventType": draw(st.sampled_from(schema.EVENT_TYPES)),
                "eventData": _documents(draw(_JSON)),
                "timestamp": draw(_TIMES),
                "completionQuality": draw(st.sampled_from([None, *schema.QUALITIES])),
                "contentType": draw(st.none() | _TEXT),
                "difficultyLevel": draw(st.none() | _TEXT),
                "dayOfWeek": draw(st.none() | st.integers(0, 6)),
                "engagementLevel": draw(st.sampled_from([None, *schema.ENGAGEMENTS])),
                "sessionPerformanceScore": draw(st.none() | st.integers(0, 100)),
                "timeOfDay": draw(st.none() | st.integers(0, 23)),
                "experimentPhase": phase,
                "randomizationSeed": draw(st.none() | st.integers(-(2**31), 2**31 - 1)),
                "contextMetadataId": draw(_TEXT if phase else st.none() | _TEXT),
            }
        )
    return rows


# --- one violation at a time -------------------------------------------------------------------


def _no_cuids() -> SearchStrategy[str]:
    good = event_id(1)
    near = [
        good.upper(), good[:-1], good + "0", good + "\n", "\n" + good, " " + good, good + " ",
        "d" + good[1:], "", good[:-1] + "é", good[:-1] + "٣", good[:-1] + "İ", good + "\r\n" + good,
        good[:-1] + "'", good[:-1] + "-", "c" + "\n" * 24, good + "\x00", good[:-1] + "\u2028",
    ]  # fmt: skip
    return st.sampled_from(near) | _TEXT


def _unknown(known: tuple[str, ...]) -> SearchStrategy[str]:
    near = [f(value) for value in known for f in (str.lower, str.title, lambda v: v + " ")]
    return (st.sampled_from([*near, "", "'"]) | _TEXT).filter(lambda text: text not in known)


def _outside(low: int, high: int) -> SearchStrategy[int]:
    return (
        st.sampled_from([low - 1, high + 1, -(2**31), 2**31 - 1])
        | st.integers(-(2**31), low - 1)
        | st.integers(high + 1, 2**31 - 1)
    )


_BROKEN_JSON = [
    "", "{", "nul", "NaN", "Infinity", '{"a":1,}', "[1 , ]", "'a'", '{"a":\tNaN}', "01", '"\t"',
    '"\\ud800"', "{} {}", "\ufeff{}", '{"a":-inf}', '{"k": "\\ud800", "k": 1}', "[" * 5000,
]  # fmt: skip
_MICRO = timedelta(microseconds=1)
_LATER = st.just(_LATEST + _MICRO) | st.datetimes(_LATEST + _MICRO, datetime(9999, 12, 31))
_EARLIER = st.just(_EARLIEST - _MICRO) | st.datetimes(datetime(1, 1, 1), _EARLIEST - _MICRO)

CHANGES: dict[str, tuple[str, SearchStrategy[Any]]] = {
    "id_invalid": ("id", _no_cuids()),
    "user_id_invalid": ("userId", _no_cuids()),
    "event_type_unknown": ("eventType", _unknown(schema.EVENT_TYPES)),
    "event_data_invalid": ("eventData", st.sampled_from(_BROKEN_JSON)),
    "timestamp_not_future": ("timestamp", _LATER),
    "timestamp_reasonable": ("timestamp", _EARLIER),
    "completion_quality_unknown": ("completionQuality", _unknown(schema.QUALITIES)),
    "engagement_level_unknown": ("engagementLevel", _unknown(schema.ENGAGEMENTS)),
    "experiment_phase_unknown": ("experimentPhase", _unknown(schema.PHASES)),
    "day_of_week_out_of_range": ("dayOfWeek", _outside(0, 6)),
    "session_performance_score_out_of_range": ("sessionPerformanceScore", _outside(0, 100)),
    "time_of_day_out_of_range": ("timeOfDay", _outside(0, 23)),
    "id_missing": ("id", st.none()),
    "user_id_missing": ("userId", st.none()),
    "event_type_missing": ("eventType", st.none()),
    "event_data_missing": ("eventData", st.none()),
    "timestamp_missing": ("timestamp", st.none()),
}


def _without_metadata(row: Row) -> Row:
    return {**row, "experimentPhase": schema.PHASES[1], "contextMetadataId": None}


def break_row(draw: DrawFn, code: str, row: Row) -> Row:
    """The row with one violation, of that code."""
    if code == schema.NEEDS_METADATA:
        return _without_metadata(row)
    column, values = CHANGES[code]
    context = {"contextMetadataId": CONTEXT} if column == "experimentPhase" else {}
    return {**row, column: draw(values), **context}


def test_every_error_has_a_way_to_be_made() -> None:
    codes = {rule.code for rule in event_rules(NOW).rules if rule.severity == "error"}
    assert codes == {*CHANGES, schema.NEEDS_METADATA, schema.ID_NOT_UNIQUE}
    assert [r.code for r in event_rules(NOW).rules if r.severity != "error"] == [
        schema.DAY_MISMATCH
    ]


@st.composite
def broken_rows(draw: DrawFn) -> tuple[list[Row], set[tuple[int, str]]]:
    """Valid rows, some of them with one violation each, and what has to be found."""
    rows = draw(valid_rows(3, 8))
    codes = draw(st.lists(st.sampled_from([*CHANGES, schema.NEEDS_METADATA]), max_size=len(rows)))
    expected = set()
    for n, code in enumerate(codes):
        rows[n] = break_row(draw, code, rows[n])
        expected.add((n, code))
    invalid = [row["id"] for n, row in enumerate(rows) if (n, "id_invalid") in expected]
    for n, row in enumerate(rows):
        if invalid.count(row["id"]) > 1:
            expected.add((n, schema.ID_NOT_UNIQUE))
    if draw(st.booleans()):
        rows.append({**rows[-1], "id": rows[-1]["id"]})
        last = len(rows) - 1
        expected |= {(last, code) for n, code in expected if n == last - 1}
        if rows[-1]["id"] is not None:
            same = [n for n, row in enumerate(rows) if row["id"] == rows[-1]["id"]]
            expected |= {(n, schema.ID_NOT_UNIQUE) for n in same}
    return rows, expected


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(broken_rows())
def test_each_violation_is_caught_under_its_code_and_nothing_else(
    case: tuple[list[Row], set[tuple[int, str]]],
) -> None:
    rows, expected = case
    assert by_both(rows) == expected


@pytest.mark.slow
@pytest.mark.parametrize("code", [*CHANGES, schema.NEEDS_METADATA])
def test_each_code_alone(code: str) -> None:
    values = {
        "id_invalid": "x", "user_id_invalid": "it's", "event_type_unknown": "NEW",
        "event_data_invalid": "{", "timestamp_not_future": _LATEST + _MICRO,
        "timestamp_reasonable": _EARLIEST - _MICRO, "completion_quality_unknown": "normal",
        "engagement_level_unknown": "", "experiment_phase_unknown": "baseline_3",
        "day_of_week_out_of_range": 7, "session_performance_score_out_of_range": 101,
        "time_of_day_out_of_range": -1,
    }  # fmt: skip
    good = {**event(), "eventData": "{}"}
    if code == schema.NEEDS_METADATA:
        bad = _without_metadata(good)
    else:
        bad = {**good, CHANGES[code][0]: values.get(code), "contextMetadataId": CONTEXT}
    other = {**event(), "eventData": "[]"}
    assert by_both([other, bad]) == {(1, code)}


# --- anything at all ---------------------------------------------------------------------------

_ANY_TEXT = st.one_of(
    st.none(),
    _TEXT,
    _no_cuids(),
    _CUIDS,
    st.sampled_from([event_id(1), event_id(2)]),
    st.sampled_from([*schema.EVENT_TYPES, *schema.PHASES, *schema.QUALITIES, "LOW", "nan", "None"]),
    st.sampled_from(_BROKEN_JSON),
    st.text(st.sampled_from('[]{},:" \\ntrue01e-'), max_size=12),
)
_ANY: dict[str, SearchStrategy[Any]] = {
    "integer": st.none() | st.integers(-2, 102) | st.integers(-(2**31), 2**31 - 1),
    "timestamp": st.none()
    | _TIMES
    | st.datetimes()
    | st.sampled_from([_LATEST, _LATEST + _MICRO, _EARLIEST, _EARLIEST - _MICRO]),
}


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({c.name: _ANY.get(c.kind, _ANY_TEXT) for c in COLUMNS}),
        min_size=1,
        max_size=6,
    )
)
def test_both_judge_anything_alike(rows: list[Row]) -> None:
    by_both(rows)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from('[]{},:" \\nNatruefls01e-+.\t\n'), max_size=12) | _JSON.map(_documents)
)
def test_both_take_the_same_for_json(text: str) -> None:
    with duckdb.connect() as engine:
        (row,) = engine.execute(
            f"SELECT {json_valid_sql('t')} FROM (SELECT ? AS t)", [text]
        ).fetchall()
    assert row[0] == schema._is_json(text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('["a",]', False), ('["a,]", ",}"]', True), ('{"nan": "Infinity"}', True), ("1e999", True),
        ("9" * 5000, True), ('"\\u0000"', True), ("[" * 20_000 + "]" * 20_000, True),
        ("[" * 20_000 + ",]" * 20_000, False), ("null", True), (" 1 ", True), ("-nan", False),
        ('"\\"nan,]"', True), ('{"a\\\\":NaN}', False), ("[1]\n", True), ("\xa0[1]", False),
    ],
)  # fmt: skip
def test_what_is_json(text: str, valid: bool) -> None:
    rows = [{**event(), "eventData": text}]
    assert by_both(rows) == (set() if valid else {(0, schema.JSON_INVALID)})


# --- the clock ---------------------------------------------------------------------------------

MILLI = timedelta(milliseconds=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        (NOW, datetime(2021, 3, 10, 12)),
        (datetime(2028, 2, 29, 8, 30, tzinfo=UTC), datetime(2023, 2, 28, 8, 30)),
        (datetime(2025, 2, 28, 23, 59, 59, 999999, UTC), datetime(2020, 2, 28, 23, 59, 59, 999999)),
        (datetime(2026, 1, 1, 0, 0, 0, 123457, UTC), datetime(2021, 1, 1, 0, 0, 0, 123457)),
        # West of Greenwich it is still the day before.
        (
            datetime.fromisoformat("2026-03-09T22:00:00-08:00"),
            datetime(2021, 3, 10, 6),
        ),
    ],
)
def test_the_limits_of_time_belong_to_what_is_allowed(now: datetime, earliest: datetime) -> None:
    assert schema.earliest_time(now) == earliest
    latest = now.astimezone(UTC).replace(tzinfo=None) + timedelta(minutes=5)
    moments = [latest, latest + _MICRO, latest + MILLI, earliest, earliest - _MICRO]
    moments += [earliest - MILLI, latest - timedelta(minutes=5)]
    rows = [{**event(), "eventData": "{}", "timestamp": moment} for moment in moments]
    future, old = schema.NOT_FUTURE, schema.REASONABLE
    assert by_both(rows, now) == {(1, future), (2, future), (4, old), (5, old)}


# --- a warning ---------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(_TIMES, st.none() | st.integers(-1, 7)), min_size=1, max_size=20))
def test_a_weekday_that_is_not_the_timestamps_warns(
    days: list[tuple[datetime, int | None]],
) -> None:
    rows = [
        {**event(), "eventData": "{}", "timestamp": moment, "dayOfWeek": day}
        for moment, day in days
    ]
    _, judgement = by_engine(rows)
    expected = sum(day is not None and day != moment.isoweekday() % 7 for moment, day in days)
    assert judgement.warnings == ({schema.DAY_MISMATCH: expected} if expected else {})


def test_a_warning_is_no_violation() -> None:
    sunday = datetime(2026, 3, 8, 23, 59, 59, 999000)
    rows = [
        {**event(), "eventData": "{}", "timestamp": sunday, "dayOfWeek": day} for day in (0, 6, 1)
    ]
    found, judgement = by_engine(rows)
    assert (found, judgement.errors) == (set(), {})
    assert judgement.warnings == {schema.DAY_MISMATCH: 2}
    assert by_contract(rows) == set()


# --- shape -------------------------------------------------------------------------------------


def test_no_rows_break_no_rule() -> None:
    assert by_contract([]) == set()
    assert by_engine([]) == (set(), Judgement({}, {}, 0))


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop(columns="timeOfDay"),
        lambda frame: frame.assign(extra=1),
        lambda frame: frame[[*NAMES[1:], NAMES[0]]],
        lambda frame: frame.assign(timestamp=frame["timestamp"].astype("str")),
        lambda frame: frame.assign(dayOfWeek=1.5),
        lambda frame: frame.assign(userId=7),
    ],
    ids=["missing", "extra", "order", "time as text", "fraction", "number as text"],
)
def test_another_shape_is_no_matter_of_rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    frame = frame_of([{**event(), "eventData": "{}"}])
    assert contract_violations(frame, NOW).empty
    with pytest.raises(SchemaErrors):
        contract_violations(change(frame), NOW)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_a_number_of_more_than_32_bits_breaks_the_contract(value: int) -> None:
    frame = frame_of([{**event(), "eventData": "{}"}]).assign(randomizationSeed=value)
    found = contract_violations(frame, NOW)
    assert list(found["code"]) == ["randomization_seed_out_of_range"]


def test_a_frame_read_from_parquet_fits_the_contract(tmp_path) -> None:
    rows = [{**event(), "eventData": "{}"}, {**event(), "eventData": "{}", "dayOfWeek": None}]
    with duckdb.connect() as engine:
        pulled(engine, rows)
        listed = ", ".join(f'"{name}"' for name in NAMES)
        engine.execute(f"COPY (SELECT {listed} FROM {PULLED}) TO '{tmp_path}/e.parquet'")
    frame = pd.read_parquet(tmp_path / "e.parquet")
    assert contract_violations(frame, NOW).empty
    frame.loc[1, "userId"] = None
    found = contract_violations(frame, NOW)
    assert list(zip(found["row"], found["code"], strict=True)) == [(1, "user_id_missing")]
