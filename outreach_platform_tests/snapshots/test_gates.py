"""The kill switches against what the facts say, and against an oracle in exact arithmetic."""

import re
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.settings import Settings
from outreach_platform.settings_toml import GateThresholds, StateSettings, TomlSettings
from outreach_platform.snapshots.gates import Baseline, Counts, Override, Verdict, judge, status
from outreach_platform.snapshots.layout import IdCounts

TODAY = date(2026, 3, 2)
BEFORE = "20260301020000"


def verdicts(
    companies: int = 100,
    bad: int = 0,
    people: int = 300,
    before: tuple[int, int] | None = (100, 300),
    *,
    null: int = 0,
    doubled: int = 0,
    malformed: int = 0,
    thresholds: GateThresholds | None = None,
    overrides: list[Override] | None = None,
    today: date = TODAY,
) -> dict[str, Verdict]:
    """Judge; by switch."""
    given_verdicts = judge(
        Counts(companies, bad, people, IdCounts(null=null, doubled=doubled, malformed=malformed)),
        None if before is None else Baseline(version=BEFORE, companies=before[0], people=before[1]),
        thresholds or GateThresholds(),
        overrides or [],
        today,
    )
    assert [v.switch for v in given_verdicts] == ["K1", "K2", "K3"]
    return {v.switch: v for v in given_verdicts}


def override(switch: str = "K1", until: date = TODAY, **changes: object) -> Override:
    """An override for West Virginia."""
    fields = {"state": "WV", "switch": switch, "until": until, "reason": "known", "by": "Kim"}
    return Override.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("companies", "bad", "triggers"),
    [
        (100, 14, False),
        (100, 15, False),
        (20, 3, False),
        (1_000_000, 150_000, False),
        (1_000_000, 150_001, True),
        (100, 16, True),
        (13, 2, True),
        (1, 1, True),
        (7, 0, False),
    ],
)
def test_k1_triggers_strictly_above_its_limit(companies: int, bad: int, triggers: bool) -> None:
    verdict = verdicts(companies, bad, before=None)["K1"]
    assert (verdict.triggered, verdict.stops) == (triggers, triggers)
    assert verdict.measured == bad / companies
    assert verdict.limit == 0.15


def test_k1_reads_as_the_facts_write_it() -> None:
    assert verdicts(1000, 182)["K1"].message == "K1 TRIGGERED: Company bad ratio 18.2% > 15.0%"
    assert verdicts(1000, 41)["K1"].message == "K1 OK: Company bad ratio 4.1% <= 15.0%"
    assert verdicts(20, 3)["K1"].message == "K1 OK: Company bad ratio 15.0% <= 15.0%"


@pytest.mark.parametrize("bad", [150_001, 1_500_001, 15_000_001])
def test_a_triggered_message_never_shows_two_equal_figures(bad: int) -> None:
    companies = {150_001: 1_000_000, 1_500_001: 10_000_000, 15_000_001: 100_000_000}[bad]
    message = verdicts(companies, bad, before=None)["K1"].message
    found = re.fullmatch(r"K1 TRIGGERED: Company bad ratio (\S+)% > (\S+)%", message)
    assert found
    assert float(found[1]) > float(found[2])


def test_no_companies_pass_k1_and_are_said_loudly() -> None:
    verdict = verdicts(0, 0, 0, before=None)["K1"]
    assert not verdict.triggered
    assert verdict.measured is None
    assert verdict.warnings == ["0 companies were judged"]
    assert verdicts(1, 0, 0, before=None)["K1"].warnings == []


@pytest.mark.parametrize(
    ("companies", "people", "before", "triggers"),
    [
        (100, 300, (100, 300), False),
        (130, 390, (100, 300), False),  # exactly 30 %
        (131, 390, (100, 300), True),
        (70, 210, (100, 300), False),
        (69, 210, (100, 300), True),
        (70, 209, (100, 300), True),
        (0, 0, (100, 300), True),
        (0, 0, (1, 0), True),
        (50, 350, (100, 300), True),  # one halves while the other grows, the whole stays
        (150, 450, (300, 300), True),
        (49, 111, (49, 49), True),  # under the floor only the whole is held to the limit
        (24, 73, (49, 49), False),
        (24, 80, (50, 49), True),
        (60, 24, (60, 50), True),
        (60, 24, (60, 49), False),
    ],
)
def test_k2_holds_the_whole_and_each_table_to_the_limit(
    companies: int, people: int, before: tuple[int, int], triggers: bool
) -> None:
    verdict = verdicts(companies, 0, people, before)["K2"]
    assert (verdict.triggered, verdict.stops) == (triggers, triggers), verdict.message


def test_k2_says_what_jumped_and_since_when() -> None:
    whole = verdicts(50, 0, 150)["K2"]
    assert whole.message == f"K2 TRIGGERED: Row delta 50.0% > 30.0% since {BEFORE}"
    halved = verdicts(50, 0, 350)["K2"]
    assert halved.message == f"K2 TRIGGERED: Company delta 50.0% > 30.0% since {BEFORE}"
    people = verdicts(400, 0, 400, (400, 800))["K2"]
    assert people.message == f"K2 TRIGGERED: Row delta 33.3% > 30.0% since {BEFORE}"
    people = verdicts(400, 0, 400, (300, 600))["K2"]
    assert people.message == f"K2 TRIGGERED: Company delta 33.3% > 30.0% since {BEFORE}"
    people = verdicts(1300, 0, 60, (1000, 100))["K2"]
    assert people.message == f"K2 TRIGGERED: People delta 40.0% > 30.0% since {BEFORE}"
    assert verdicts()["K2"].message == f"K2 OK: Row delta 0.0% <= 30.0% since {BEFORE}"


def test_k2_is_skipped_on_a_first_run_and_says_so() -> None:
    first = verdicts(before=None)["K2"]
    assert first.message == "K2 skip (no previous snapshot)"
    assert (first.triggered, first.measured) == (False, None)
    from_nothing = verdicts(before=(0, 0))["K2"]
    assert from_nothing.message == "K2 skip (previous snapshot was empty)"
    assert not from_nothing.triggered
    assert not verdicts(0, 0, 0, (0, 0))["K2"].triggered


@pytest.mark.parametrize("limit", [0.3, 1.0, 5.0])
def test_all_rows_gone_triggers_k2_however_wide_its_limit(limit: float) -> None:
    thresholds = GateThresholds(row_delta=limit)
    verdict = verdicts(0, 0, 0, (10, 20), thresholds=thresholds)["K2"]
    assert verdict.triggered
    assert verdict.measured == 1.0
    assert verdict.message == f"K2 TRIGGERED: Row delta 100.0%, no rows are left since {BEFORE}"
    assert not verdicts(10, 0, 20, (10, 20), thresholds=thresholds)["K2"].triggered


@pytest.mark.parametrize(
    ("null", "doubled", "triggers"), [(0, 0, False), (1, 0, True), (0, 1, True), (3, 2, True)]
)
def test_k3_counts_null_and_doubled_ids(null: int, doubled: int, triggers: bool) -> None:
    verdict = verdicts(null=null, doubled=doubled)["K3"]
    assert verdict.triggered == triggers
    assert verdict.measured == null + doubled
    head = "TRIGGERED" if triggers else "OK"
    expected = f"K3 {head}: {null} null and {doubled} doubled company_unique_id"
    assert verdict.message == expected


def test_malformed_ids_warn_and_stop_nothing() -> None:
    verdict = verdicts(malformed=4)["K3"]
    assert not verdict.triggered
    assert verdict.warnings == ["4 company ids are no Barton ids"]
    assert verdicts()["K3"].warnings == []


def test_every_switch_is_reported_whatever_the_others_say() -> None:
    found = verdicts(100, 50, 10, null=1)
    assert all(verdict.triggered for verdict in found.values())
    assert status(list(found.values())) == "K1_TRIGGERED,K2_TRIGGERED,K3_TRIGGERED"
    assert status(list(verdicts().values())) == "OK"
    assert status(list(verdicts(100, 50, null=2).values())) == "K1_TRIGGERED,K3_TRIGGERED"


def test_a_state_has_thresholds_of_its_own() -> None:
    own = StateSettings(bad_ratio=0.42)
    configured = Settings.model_construct(toml=TomlSettings(states={"PA": own}))
    pa, wv = configured.gate_thresholds("PA"), configured.gate_thresholds("WV")
    assert (pa.bad_ratio, pa.row_delta, pa.row_delta_floor) == (0.42, 0.30, 50)
    assert (wv.bad_ratio, wv.row_delta, wv.row_delta_floor) == (0.15, 0.30, 50)
    assert not verdicts(100, 42, thresholds=pa)["K1"].triggered
    assert verdicts(100, 43, thresholds=pa)["K1"].triggered
    assert verdicts(100, 42, thresholds=wv)["K1"].triggered


def test_an_override_lets_its_switch_pass_and_stays_on_record() -> None:
    found = verdicts(100, 50, overrides=[override("K1")])
    assert found["K1"].triggered
    assert not found["K1"].stops
    assert found["K1"].override == override("K1")
    assert found["K1"].message == (
        "K1 TRIGGERED: Company bad ratio 50.0% > 15.0%; overridden until 2026-03-02 by Kim: known"
    )
    assert status(list(found.values())) == "OK"


@pytest.mark.parametrize(("days", "stops"), [(-1, True), (0, False), (1, False)])
def test_an_override_holds_on_its_last_day_and_no_longer(days: int, stops: bool) -> None:
    until = TODAY + timedelta(days=days)
    assert verdicts(100, 50, overrides=[override("K1", until)])["K1"].stops == stops


def test_an_override_is_for_one_switch() -> None:
    found = verdicts(100, 50, 10, overrides=[override("K2")])
    assert found["K1"].stops
    assert not found["K2"].stops
    assert status(list(found.values())) == "K1_TRIGGERED"


def test_k3_is_never_overridden() -> None:
    verdict = verdicts(null=1, overrides=[override("K3")])["K3"]
    assert verdict.stops
    assert verdict.override is None


def test_an_override_of_a_quiet_switch_is_not_used() -> None:
    assert verdicts(overrides=[override("K1")])["K1"].override is None


def test_the_longest_of_several_overrides_is_named() -> None:
    long = override("K1", TODAY + timedelta(days=9), by="Lee")
    found = verdicts(100, 50, overrides=[override("K1"), long, override("K1")])
    assert found["K1"].override == long


numbers = st.integers(0, 400)
percents = st.integers(0, 100)


@settings(deadline=None)
@given(
    companies=numbers,
    bad_share=st.integers(0, 100),
    people=numbers,
    before=st.none() | st.tuples(numbers, numbers),
    null=st.integers(0, 2),
    doubled=st.integers(0, 2),
    k1=percents,
    k2=st.integers(0, 200),
    floor=st.integers(1, 100),
    leave=st.lists(st.tuples(st.sampled_from(["K1", "K2", "K3"]), st.integers(-2, 2)), max_size=3),
)
def test_verdicts_agree_with_exact_arithmetic(
    companies: int,
    bad_share: int,
    people: int,
    before: tuple[int, int] | None,
    null: int,
    doubled: int,
    k1: int,
    k2: int,
    floor: int,
    leave: list[tuple[str, int]],
) -> None:
    bad = companies * bad_share // 100
    found = verdicts(
        companies,
        bad,
        people,
        before,
        null=null,
        doubled=doubled,
        thresholds=GateThresholds(bad_ratio=k1 / 100, row_delta=k2 / 100, row_delta_floor=floor),
        overrides=[override(switch, TODAY + timedelta(days=days)) for switch, days in leave],
    )
    # Cross-multiplied, so that nothing is divided or rounded; whole percents throughout.
    triggered = set()
    if 100 * bad > k1 * companies:
        triggered.add("K1")
    if before is not None:
        pairs = [(companies + people, sum(before))]
        pairs += [
            (now, then)
            for now, then in zip((companies, people), before, strict=True)
            if then >= floor
        ]
        if any(then and 100 * abs(now - then) > k2 * then for now, then in pairs if sum(before)):
            triggered.add("K2")
        if sum(before) and not companies + people:
            triggered.add("K2")
    if null or doubled:
        triggered.add("K3")
    assert {s for s, v in found.items() if v.triggered} == triggered
    left = {s for s, days in leave if days >= 0} - {"K3"}
    assert {s for s, v in found.items() if v.stops} == triggered - left
    told = ",".join(f"{s}_TRIGGERED" for s in sorted(triggered - left)) or "OK"
    assert status(list(found.values())) == told
    for switch, verdict in found.items():
        assert verdict.message.startswith(f"{switch} TRIGGERED") == verdict.triggered


def test_the_oracle_and_fractions_agree_on_the_limit() -> None:
    for n in range(20, 2000, 20):
        assert Fraction(n * 3 // 20, n) == Fraction(15, 100)
        assert not verdicts(n, n * 3 // 20, before=None)["K1"].triggered
        assert verdicts(n, n * 3 // 20 + 1, before=None)["K1"].triggered
