"""ABAB by permutation against sets whose answer is known, and against full enumeration."""

import tracemalloc
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.events.abab import permutation_p
from outreach_platform.events.analysis import PHASES, AbabResult, abab
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform_tests.events.known import Scores, drawn, experiment

pytestmark = pytest.mark.filterwarnings("error")


def numbers(result: AbabResult) -> list[float]:
    return [value for value in result.model_dump().values() if isinstance(value, float)]


@pytest.mark.parametrize("seed", range(5))
def test_the_reference_set_is_recovered(seed: int) -> None:
    rows = drawn(seed=seed)
    result = abab(rows, seed=seed)
    assert result.status == "estimated"
    assert result.counts == dict.fromkeys(PHASES, 15)
    means = rows.groupby("phase")["score"].mean()
    assert result.means == pytest.approx(means.to_dict())
    # Phases are of equal size, so their means may be averaged here.
    assert result.effect == pytest.approx(
        (means["intervention_A_1"] + means["intervention_A_2"]) / 2
        - (means["baseline_1"] + means["baseline_2"]) / 2
    )
    assert result.effect == pytest.approx(15, abs=4)
    assert result.p_value == 1 / 10_001
    treated = rows.loc[rows["phase"].str.startswith("intervention"), "score"]
    control = rows.loc[rows["phase"].str.startswith("baseline"), "score"]
    pooled = np.sqrt((treated.var() + control.var()) / 2)
    assert result.cohens_d == pytest.approx(result.effect / pooled)
    assert 1.5 < result.cohens_d < 4
    assert (result.permutations, result.seed) == (10_000, seed)
    assert "effect +1" in result.message
    assert "p < 0.001" in result.message


def test_the_interval_is_welchs() -> None:
    rows = drawn(seed=3)
    result = abab(rows)
    treated = rows.loc[rows["phase"].str.startswith("intervention"), "score"]
    control = rows.loc[rows["phase"].str.startswith("baseline"), "score"]
    from scipy.stats import ttest_ind

    interval = ttest_ind(treated, control, equal_var=False).confidence_interval(0.95)
    assert (result.ci_low, result.ci_high) == pytest.approx((interval.low, interval.high))


def test_a_known_effect_lies_in_its_interval() -> None:
    results = [abab(drawn(seed=seed), permutations=99) for seed in range(60)]
    held = [(r.ci_low or 0) <= 15 <= (r.ci_high or 0) for r in results]
    assert 52 <= sum(held) <= 60


def test_phases_weigh_by_their_observations() -> None:
    rows = experiment([[10] * 5, [60] * 5, [20] * 15, [80, 90] * 10])
    expected = (60 * 5 + 85 * 20) / 25 - (10 * 5 + 20 * 15) / 20
    result = abab(rows, permutations=99)
    assert result.effect == pytest.approx(expected)
    treated, control = [60] * 5 + [80, 90] * 10, [10] * 5 + [20] * 15
    squares = np.var(treated) * 25 + np.var(control) * 20
    assert result.cohens_d == pytest.approx(expected / np.sqrt(squares / (25 + 20 - 2)))


def by_enumeration(treated: list[int], control: list[int]) -> Fraction:
    """The share of all divisions whose means are at least as far apart, in exact arithmetic."""
    pool = [*treated, *control]
    n, m = len(treated), len(control)

    def apart(chosen: tuple[int, ...]) -> Fraction:
        own = sum(pool[place] for place in chosen)
        return abs(Fraction(own, n) - Fraction(sum(pool) - own, m))

    observed = apart(tuple(range(n)))
    divisions = list(combinations(range(n + m), n))
    return Fraction(sum(apart(chosen) >= observed for chosen in divisions), len(divisions))


TINY = [
    ([5, 6, 7, 9], [1, 2, 3, 4]),
    ([5, 6, 7, 9], [5, 2, 3, 8]),
    ([70, 85, 90], [70, 71, 72, 73, 100]),  # skewed: doubling the smaller tail says otherwise
    ([0, 100, 100], [0, 0, 0, 100, 7]),
    ([1, 1, 1], [1, 1, 1]),
    ([33, 33, 34], [33, 34, 34]),
]


@pytest.mark.parametrize(("treated", "control"), TINY)
def test_p_is_that_of_full_enumeration(treated: list[int], control: list[int]) -> None:
    p = permutation_p(np.array(treated, float), np.array(control, float), 10_000, 0)
    assert p == pytest.approx(float(by_enumeration(treated, control)), abs=1e-12)


@pytest.mark.parametrize(("treated", "control"), TINY)
def test_drawn_permutations_come_near_it(treated: list[int], control: list[int]) -> None:
    # Twice as many scores have more divisions than 900, so that they are drawn.
    treated, control = treated * 2, control * 2
    exact = float(by_enumeration(treated, control))
    p = permutation_p(np.array(treated, float), np.array(control, float), 900, 1)
    assert p * 901 == pytest.approx(round(p * 901), abs=1e-9)
    assert abs(p - exact) <= 5 * np.sqrt(exact * (1 - exact) / 900) + 1 / 901


def test_two_sided_is_not_twice_the_smaller_tail() -> None:
    from scipy.stats import permutation_test

    treated, control = ([70, 85, 90], [70, 71, 72, 73, 100])
    doubled = permutation_test(
        (treated, control), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis)
    ).pvalue
    assert doubled != pytest.approx(float(by_enumeration(treated, control)), abs=0.01)


@pytest.mark.slow
def test_without_an_effect_p_is_uniform() -> None:
    p = [
        abab(drawn(effect=0, seed=seed), seed=seed, permutations=199).p_value for seed in range(300)
    ]
    values = np.array(p, dtype=float)
    for level in (0.05, 0.25, 0.5, 0.75):
        share = (values <= level).mean()
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 300), level
    assert values.min() >= 1 / 200


@pytest.mark.parametrize(("fewest", "status"), [(5, "estimated"), (4, "too_few"), (0, "too_few")])
@pytest.mark.parametrize("phase", range(4))
def test_five_observations_in_each_phase_are_enough(fewest: int, status: str, phase: int) -> None:
    scores = [
        [60, 70, 80, 90, 50, 66],
        [80, 90, 70, 60, 77],
        [50, 60, 80, 70, 60],
        [90, 99, 60, 70, 71],
    ]
    scores[phase] = scores[phase][:fewest]
    result = abab(experiment(scores), permutations=99)
    assert result.status == status
    assert result.counts[PHASES[phase]] == fewest
    if status == "too_few":
        assert f"{PHASES[phase]} {fewest}" in result.message
        assert "5 are needed in each phase" in result.message
        assert numbers(result) == []


def test_no_rows_are_too_few() -> None:
    empty = experiment([[], [], [], []])
    result = abab(empty)
    assert (result.status, result.means) == ("too_few", {})
    assert result.counts == dict.fromkeys(PHASES, 0)


def test_other_phases_are_ignored_and_counted() -> None:
    rows = drawn()
    others = pd.DataFrame(
        {
            "timestamp": pd.Timestamp("2026-01-01"),
            "phase": ["intervention_B_1", "washout", None, "Baseline_1"],
            "score": [0, 0, 0, 100],
        }
    )
    result = abab(pd.concat([others, rows, others], ignore_index=True))
    assert (result.ignored, result.without_score) == (8, 0)
    assert result.model_copy(update={"ignored": 0}) == abab(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_rows_without_a_score_are_left_out_and_counted(value: float | None) -> None:
    rows = drawn().astype({"score": object})
    rows.loc[[0, 20, 40], "score"] = value
    result = abab(rows)
    assert (result.without_score, result.ignored) == (3, 0)
    assert result.counts == dict(zip(PHASES, (14, 14, 14, 15), strict=True))
    assert result.model_copy(update={"without_score": 0}) == abab(rows.drop(index=[0, 20, 40]))


def test_nullable_columns_are_read() -> None:
    rows = drawn()
    rows.loc[3, "phase"] = None
    nullable = rows.astype({"score": "Int32", "phase": "string"})
    assert abab(nullable) == abab(rows)
    aware = rows.assign(timestamp=rows["timestamp"].dt.tz_localize("UTC"))
    assert abab(aware) == abab(rows)


@pytest.mark.parametrize(("low", "high", "p"), [(70, 70, 1), (0, 0, 1), (70, 85, 1 / 10_001)])
def test_scores_without_spread_are_said_to_be(low: int, high: int, p: float) -> None:
    result = abab(experiment([[low] * 10, [high] * 10, [low] * 10, [high] * 10]))
    assert result.status == "degenerate"
    assert "without spread" in result.message
    assert (result.effect, result.p_value) == (high - low, p)
    assert (result.ci_low, result.cohens_d, result.autocorrelation) == (None, None, None)


def test_one_constant_group_is_estimated() -> None:
    result = abab(experiment([[60, 70, 75, 80, 71], [100] * 5, [61, 72, 75, 84, 71], [100] * 5]))
    assert result.status == "estimated"
    assert np.isfinite(numbers(result)).all()
    constant = abab(experiment([[60] * 5, [80] * 5, [65] * 5, [85] * 5]))
    assert (constant.status, constant.autocorrelation) == ("estimated", None)


def test_scores_that_are_alike_are_said_to_be() -> None:
    alike = [abab(drawn(effect=0, seed=s, alike=0.8), permutations=99) for s in range(20)]
    assert sum("neighbouring scores are alike" in r.message for r in alike) >= 18
    plain = [abab(drawn(effect=0, seed=s), permutations=99) for s in range(20)]
    assert sum("neighbouring scores are alike" in r.message for r in plain) <= 2


def test_likeness_goes_by_time_and_not_by_row() -> None:
    rows = drawn(alike=0.8, seed=1)
    result = abab(rows)
    shuffled = rows.sample(frac=1, random_state=2)
    assert abab(shuffled) == result
    forgotten = shuffled.assign(timestamp=rows["timestamp"].to_numpy())
    assert (abab(forgotten).autocorrelation or 0) < (result.autocorrelation or 0)
    # p knows scores and phases, not time.
    weak = drawn(effect=3, seed=5)
    turned = weak.assign(timestamp=weak["timestamp"].to_numpy()[::-1])
    assert abab(turned).p_value == abab(weak).p_value


def test_the_same_seed_gives_the_same_p() -> None:
    rows = drawn(effect=3)
    assert abab(rows, seed=7) == abab(rows, seed=7)
    assert len({abab(rows, seed=seed).p_value for seed in range(5)}) > 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_observations() -> None:
    rows = drawn(each=25_000)
    tracemalloc.start()
    result = abab(rows, permutations=400)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.p_value == 1 / 401
    # All 400 at once are 640 MB.
    assert peak < 120e6


def test_a_result_is_written_and_read_back(tmp_path) -> None:
    for result in (abab(drawn(), permutations=99), abab(drawn(each=3))):
        write_record(tmp_path / "abab.json", result)
        assert read_record(tmp_path / "abab.json", AbabResult) == result


def test_a_missing_column_is_named() -> None:
    with pytest.raises(KeyError, match="phase"):
        abab(drawn().drop(columns="phase"))


phase_scores = st.lists(st.integers(0, 100), min_size=5, max_size=9)
four_phases = st.tuples(phase_scores, phase_scores, phase_scores, phase_scores).map(list)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    scores=four_phases,
    shift=st.integers(-50, 50),
    factor=st.sampled_from([2, 7]),
    shuffle=st.randoms(use_true_random=False),
)
def test_shifting_scaling_and_the_order_of_rows(scores, shift, factor, shuffle) -> None:
    rows = experiment(scores)
    result = abab(rows, permutations=150)
    assert np.isfinite(numbers(result)).all()
    assert result.effect is not None
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    assert abab(rows.iloc[order], permutations=150) == result
    shifted = abab(rows.assign(score=rows["score"] + shift), permutations=150)
    assert shifted.effect == pytest.approx(result.effect, abs=1e-9)
    assert shifted.p_value == result.p_value
    scaled = abab(rows.assign(score=rows["score"] * factor), permutations=150)
    assert scaled.effect == pytest.approx(factor * result.effect, abs=1e-9)
    assert scaled.p_value == result.p_value
    assert scaled.cohens_d == pytest.approx(result.cohens_d)


@settings(deadline=None, max_examples=60)
@given(scores=four_phases)
def test_swapping_baselines_and_interventions_negates(scores: Scores) -> None:
    first, second, third, fourth = scores
    result = abab(experiment(scores), permutations=150)
    swapped = abab(experiment([second, first, fourth, third]), permutations=150)
    assert swapped.effect == -(result.effect or 0)
    assert swapped.status == result.status
    if result.cohens_d is not None and result.ci_low is not None:
        assert swapped.cohens_d == pytest.approx(-result.cohens_d)
        assert swapped.ci_high == pytest.approx(-result.ci_low)
