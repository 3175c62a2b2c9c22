"""Interrupted time series against series whose answer is known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS

from outreach_platform.events.analysis import ItsResult, its
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform_tests.events.known import DAY, frame, series

pytestmark = pytest.mark.filterwarnings("error")


def numbers(result: ItsResult) -> list[float]:
    return [value for value in result.model_dump().values() if isinstance(value, float)]


def covers(low: float | None, true: float, high: float | None) -> bool:
    assert low is not None
    assert high is not None
    return low <= true <= high


def width(result: ItsResult) -> float:
    assert result.ci_low is not None
    assert result.ci_high is not None
    return result.ci_high - result.ci_low


def test_what_is_exact_is_found_exactly() -> None:
    result = its(series(noise=0.001), DAY)
    assert (result.status, result.days_before, result.days_after) == ("estimated", 45, 45)
    assert result.effect == pytest.approx(12, abs=0.01)
    assert result.level_before == pytest.approx(60, abs=0.01)
    assert result.slope_before == pytest.approx(0.05, abs=0.001)
    assert result.slope_change == pytest.approx(0.1, abs=0.001)
    assert result.lag == 3
    assert "level change +12.0 points" in result.message
    assert "2026-03-01" in result.message


def test_a_known_change_lies_in_its_interval() -> None:
    results = [its(series(seed=seed), DAY) for seed in range(40)]
    assert sum(covers(r.ci_low, 12, r.ci_high) for r in results) >= 35
    assert sum(covers(r.slope_before_ci_low, 0.05, r.slope_before_ci_high) for r in results) >= 35
    assert sum(covers(r.slope_change_ci_low, 0.1, r.slope_change_ci_high) for r in results) >= 35
    assert np.mean([r.effect for r in results]) == pytest.approx(12, abs=1)
    assert all(r.p_value is not None and r.p_value < 0.01 for r in results)


@pytest.mark.parametrize(("side", "seeds"), [(8, 80), (45, 80)])
def test_no_change_is_seldom_called_one(side: int, seeds: int) -> None:
    results = [its(series(side, side, effect=0, change=0, seed=seed), DAY) for seed in range(seeds)]
    assert sum(covers(r.ci_low, 0, r.ci_high) for r in results) >= 0.88 * seeds
    for result in results:
        assert result.p_value is not None
        assert covers(result.ci_low, 0, result.ci_high) == (result.p_value >= 0.05)


def errors_by_definition(days: np.ndarray, scores: np.ndarray, lag: int) -> np.ndarray:
    """Every pair of days up to `lag` apart, weighed by Bartlett; residuals by leaving days out."""
    design = np.array([[1, float(d >= 0), d, d * float(d >= 0)] for d in days])
    left = []
    for place in range(len(days)):
        others = np.arange(len(days)) != place
        found = np.linalg.lstsq(design[others], scores[others], rcond=None)[0]
        left.append(scores[place] - design[place] @ found)
    meat = np.zeros((4, 4))
    for a, x, u in zip(days, design, left, strict=True):
        for b, y, v in zip(days, design, left, strict=True):
            if abs(a - b) <= lag:
                meat += (1 - abs(a - b) / (lag + 1)) * u * v * np.outer(x, y)
    bread = np.linalg.inv(design.T @ design)
    return np.sqrt(np.diag(bread @ meat @ bread))


@pytest.mark.parametrize("kept", [1.0, 0.6, 0.3])
def test_errors_are_newey_wests_by_calendar_day(kept: float) -> None:
    rng = np.random.default_rng(4)
    daily = series(alike=0.6, seed=3)
    daily = daily[rng.random(len(daily)) < kept]
    days = (daily["day"] - pd.Timestamp(DAY)).dt.days.to_numpy()
    scores = daily["mean_score"].to_numpy()
    result = its(daily, DAY)
    assert result.lag is not None
    design = np.column_stack([np.ones(len(days)), days >= 0, days, days * (days >= 0)])
    plain = OLS(scores, design.astype(float)).fit()
    errors = np.maximum(errors_by_definition(days, scores, result.lag), plain.bse)
    assert plain.params[1] == pytest.approx(result.effect)
    quantile = (plain.conf_int()[1, 1] - plain.params[1]) / plain.bse[1]
    assert width(result) == pytest.approx(2 * quantile * errors[1])


def test_days_that_are_alike_make_the_interval_wider() -> None:
    wider = 0
    for seed in range(20):
        daily = series(alike=0.7, seed=seed)
        result = its(daily, DAY)
        days = np.arange(-45, 45)
        design = np.column_stack([np.ones(90), days >= 0, days, days * (days >= 0)]).astype(float)
        low, high = OLS(daily["mean_score"].to_numpy(), design).fit().conf_int()[1]
        assert width(result) >= (high - low) * (1 - 1e-9)
        wider += width(result) > 1.1 * (high - low)
        assert result.autocorrelation is not None
        assert result.autocorrelation > 0.3
        assert "neighbouring days are alike" in result.message
    assert wider >= 18


def test_days_that_are_not_alike_are_not_called_so() -> None:
    said = ["alike" in its(series(seed=seed), DAY).message for seed in range(40)]
    assert sum(said) <= 4


def test_days_that_do_not_touch_are_no_neighbours() -> None:
    daily = series(alike=0.7)
    assert its(daily.iloc[::2], DAY).autocorrelation is None
    # Pairs of days with a hole between the pairs: only what is within a pair counts.
    pairs = daily[np.arange(len(daily)) % 3 < 2]
    whole, paired = its(daily, DAY).autocorrelation, its(pairs, DAY).autocorrelation
    assert whole is not None
    assert paired is not None
    assert paired == pytest.approx(whole, abs=0.15)


@pytest.mark.parametrize(("side", "lag"), [(8, 2), (15, 3), (50, 4), (300, 5)])
def test_the_lag_grows_with_the_days(side: int, lag: int) -> None:
    assert its(series(side, side), DAY).lag == lag


def test_missing_days_shift_nothing() -> None:
    whole = series(noise=0.001)
    holes = whole.drop(index=[*range(3, 17), 44, 45, 60, *range(70, 85)])
    result = its(holes, DAY)
    assert (result.days_before, result.days_after) == (30, 28)
    assert result.effect == pytest.approx(12, abs=0.01)
    assert result.slope_change == pytest.approx(0.1, abs=0.001)


def test_the_day_itself_is_after() -> None:
    daily = series(8, 8)
    assert (its(daily, DAY).days_before, its(daily, DAY).days_after) == (8, 8)
    later = its(daily, DAY + timedelta(days=1))
    assert (later.days_before, later.days_after, later.status) == (9, 7, "too_few")
    # With a jump of 12 on the day, the day belongs to one side only without noise.
    assert its(series(noise=0.001), DAY).effect == pytest.approx(12, abs=0.01)
    assert its(series(noise=0.001), DAY + timedelta(days=1)).effect != pytest.approx(12, abs=0.1)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(8, 8, "estimated"), (7, 30, "too_few"), (30, 7, "too_few"), (7, 7, "too_few"), (0, 0, None)],
)
def test_eight_days_on_each_side_are_enough(before: int, after: int, status: str | None) -> None:
    result = its(series(before, after), DAY)
    assert result.status == (status or "too_few")
    assert (result.days_before, result.days_after) == (before, after)
    if result.status == "too_few":
        assert f"{before} before 2026-03-01 and {after} from it on, 8 are" in result.message
        assert numbers(result) == []


@pytest.mark.parametrize("kind", ["nan", "none", "inf", "no day"])
def test_days_without_a_score_are_left_out_and_counted(kind: str) -> None:
    daily = series(9, 9).astype({"day": object, "mean_score": object})
    whole = its(daily.drop(index=[0, 17]), DAY)
    column = "day" if kind == "no day" else "mean_score"
    value = {"nan": np.nan, "none": None, "inf": np.inf, "no day": None}[kind]
    daily.loc[[0, 17], column] = value
    result = its(daily, DAY)
    assert result.days_without_score == 2
    assert whole.days_without_score == 0
    assert result.model_copy(update={"days_without_score": 0}) == whole
    daily.loc[1, column] = value
    assert its(daily, DAY).status == "too_few"


def test_nothing_but_nan_is_too_few() -> None:
    result = its(frame(np.arange(-10, 10), [np.nan] * 20), DAY)
    assert (result.status, result.days_without_score) == ("too_few", 20)


@pytest.mark.parametrize(("low", "high"), [(70, 70), (0, 0), (70.1, 70.1), (70, 82.3), (100, 0)])
def test_scores_without_spread_are_said_to_be(low: float, high: float) -> None:
    days = np.arange(-10, 10)
    result = its(frame(days, np.where(days < 0, low, high)), DAY)
    assert result.status == "degenerate"
    assert "without spread" in result.message
    assert result.effect == pytest.approx(high - low, abs=1e-6)
    assert (result.ci_low, result.ci_high, result.p_value) == (None, None, None)
    assert np.isfinite(numbers(result)).all()


def test_one_constant_side_is_estimated() -> None:
    daily = series(10, 10)
    daily.loc[:9, "mean_score"] = 100.0
    result = its(daily, DAY)
    assert result.status == "estimated"
    assert np.isfinite(numbers(result)).all()
    assert width(result) > 0


def test_the_same_day_all_along_is_too_few() -> None:
    result = its(frame(np.zeros(30), list(range(30))), DAY)
    assert (result.status, result.days_before, result.days_after) == ("too_few", 0, 1)


def test_the_days_of_two_users_are_refused() -> None:
    result = its(pd.concat([series(), series(seed=1)]), DAY)
    assert result.status == "degenerate"
    assert "90 rows repeat a day" in result.message
    assert numbers(result) == []


def test_a_lonely_day_far_away_breaks_nothing() -> None:
    daily = series(8, 8)
    daily.loc[15, "day"] = pd.Timestamp("2099-01-01")
    daily.loc[0, "day"] = pd.Timestamp("1970-01-01")
    result = its(daily, DAY)
    assert result.status == "estimated"
    assert np.isfinite(numbers(result)).all()


def test_days_come_as_dates_stamps_and_with_a_time_zone() -> None:
    daily = series()
    expected = its(daily, DAY)
    for days in (
        daily["day"].dt.date.astype(object),
        daily["day"].dt.tz_localize("UTC"),
        daily["day"] + pd.Timedelta(hours=23),
        daily["day"].astype("datetime64[s]"),
    ):
        assert its(daily.assign(day=days), DAY) == expected
    assert its(daily, datetime(2026, 3, 1, 15, tzinfo=UTC)) == expected


def test_a_missing_column_is_named() -> None:
    with pytest.raises(KeyError, match="mean_score"):
        its(series().drop(columns="mean_score"), DAY)


def test_a_result_is_written_and_read_back(tmp_path) -> None:
    for result in (its(series(), DAY), its(series(3, 3), DAY)):
        write_record(tmp_path / "its.json", result)
        assert read_record(tmp_path / "its.json", ItsResult) == result


def test_lines_follow_the_model() -> None:
    result = its(series(noise=0.001), DAY)
    before, after = DAY - timedelta(days=10), DAY + timedelta(days=10)
    assert result.fitted(before) == result.counterfactual(before) == pytest.approx(59.5, abs=0.01)
    assert result.counterfactual(after) == pytest.approx(60.5, abs=0.01)
    assert result.fitted(after) == pytest.approx(73.5, abs=0.01)
    assert result.fitted(DAY) == pytest.approx(72, abs=0.01)
    few = its(series(3, 3), DAY)
    assert (few.fitted(DAY), few.counterfactual(DAY)) == (None, None)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    scores=st.lists(st.integers(0, 100), min_size=16, max_size=40),
    shift=st.integers(-50, 50),
    factor=st.sampled_from([0.25, 3, 10]),
    shuffle=st.randoms(use_true_random=False),
)
def test_shifting_scaling_and_the_order_of_rows(scores, shift, factor, shuffle) -> None:
    daily = frame(np.arange(-8, len(scores) - 8), [float(score) for score in scores])
    result = its(daily, DAY)
    assert np.isfinite(numbers(result)).all()
    order = list(range(len(daily)))
    shuffle.shuffle(order)
    assert its(daily.iloc[order], DAY) == result
    if result.status == "degenerate":
        assert len(set(scores)) <= 2 or result.p_value is None
        return
    changed = its(daily.assign(mean_score=factor * (daily["mean_score"] + shift)), DAY)
    assert changed.effect == pytest.approx(factor * (result.effect or 0), abs=1e-6)
    assert changed.slope_change == pytest.approx(factor * (result.slope_change or 0), abs=1e-6)
    assert changed.p_value == pytest.approx(result.p_value, abs=1e-6)
    assert width(changed) == pytest.approx(factor * width(result), rel=1e-6)
