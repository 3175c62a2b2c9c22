"""The two ways of drawing divisions: counts of whole scores, or scores; one distribution."""

import math
import tracemalloc
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from outreach_platform.events import abab as module
from outreach_platform.events.abab import abab, permutation_p
from outreach_platform.events.schema import INTERVENTIONS
from outreach_platform_tests.events.known import drawn

pytestmark = pytest.mark.filterwarnings("error")
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
DRAWS = 900
SEEDS = 100


def exact(treated: list[int], control: list[int]) -> Fraction:
    """The share of all divisions at least as far apart, in exact arithmetic."""
    pool = [*treated, *control]
    n, m = len(treated), len(control)
    # Ways to draw so many scores with that sum, from the kinds seen so far.
    ways = {(0, 0): 1}
    for kind in set(pool):
        there = pool.count(kind)
        longer: dict[tuple[int, int], int] = {}
        for (taken, total), count in ways.items():
            for more in range(min(there, n - taken) + 1):
                key = (taken + more, total + more * kind)
                longer[key] = longer.get(key, 0) + count * math.comb(there, more)
        ways = longer
    sums = {total: count for (taken, total), count in ways.items() if taken == n}

    def apart(total: int) -> Fraction:
        return abs(Fraction(total, n) - Fraction(sum(pool) - total, m))

    observed = apart(sum(treated))
    reached = sum(count for total, count in sums.items() if apart(total) >= observed)
    return Fraction(reached, sum(sums.values()))


def by_scores(treated: Floats, control: Floats, permutations: int, seed: int) -> float:
    """SciPy's own answer."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (treated, control),
        lambda a, b, axis: np.abs(a.mean(axis=axis) - b.mean(axis=axis)),
        vectorized=True,
        n_resamples=permutations,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def test_the_two_exact_answers_agree() -> None:
    treated, control = [5, 6, 7, 9, 5], [5, 2, 3, 8]
    pool = [*treated, *control]
    observed = abs(Fraction(sum(treated), 5) - Fraction(sum(control), 4))
    apart = [
        abs(Fraction(sum(own), 5) - Fraction(sum(pool) - sum(own), 4))
        for own in combinations(pool, 5)
    ]
    share = Fraction(sum(a >= observed for a in apart), len(apart))
    assert exact(treated, control) == share
    p = permutation_p(floats(treated), floats(control), 10_000, 0)
    assert p == pytest.approx(float(share), abs=1e-12)


@pytest.mark.parametrize(
    ("treated", "control"),
    [
        ([5, 6, 7, 9, 5, 6], [1, 2, 3, 4, 5, 5, 6]),
        ([70, 85, 90, 70, 71], [70, 71, 72, 73, 100, 90, 90, 70]),  # groups of unequal size
        ([0, 100, 100, 0, 100, 100], [0, 0, 0, 100, 7, 7]),
        ([-3, 4, 4, 0, 1, 9], [2, 2, -8, 0, 1, 5]),
        ([70] * 9 + [85] * 11, [70] * 14 + [85] * 6),  # from 16 a kind on: counts are drawn
        ([70] * 5 + [85] * 15 + [90] * 4, [70] * 14 + [85] * 12 + [90] * 2),
        ([0] * 40 + [1], [0] * 40),
        ([60] * 20, [60] * 20),
    ],
)
def test_drawn_shares_are_those_of_all_divisions(treated: list[int], control: list[int]) -> None:
    a, b = floats(treated), floats(control)
    p = [permutation_p(a, b, DRAWS, seed) for seed in range(SEEDS)]
    assert [round(value * (DRAWS + 1), 6) % 1 for value in p] == [0] * SEEDS
    share = sum(value * (DRAWS + 1) - 1 for value in p) / (DRAWS * SEEDS)
    expected = float(exact(treated, control))
    error = math.sqrt(expected * (1 - expected) / (DRAWS * SEEDS))
    assert abs(share - expected) <= 4.5 * error + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("each", [15, 60, 250])
def test_both_ways_give_the_same_p_within_the_error_of_drawing(each: int) -> None:
    for seed in range(4):
        rows = drawn(each=each, effect=0.6, seed=seed, spread=8)
        whole = abab(rows, seed=seed)
        # A quarter added is no whole number, and moves no effect.
        other = abab(rows.assign(score=rows["score"] + 0.25), seed=seed + 100)
        assert whole.p_value is not None
        assert other.p_value is not None
        p = (whole.p_value + other.p_value) / 2
        assert abs(whole.p_value - other.p_value) <= 4.5 * math.sqrt(2 * p * (1 - p) / 10_000)


def test_a_score_of_another_scale_keeps_its_p() -> None:
    rows = drawn(effect=2, seed=8)
    whole, halves = (abab(rows.assign(score=rows["score"] * f)).p_value for f in (1, 0.5))
    assert whole is not None
    assert halves == pytest.approx(whole, abs=4.5 * math.sqrt(2 * whole * (1 - whole) / 10_000))


@pytest.mark.parametrize(
    ("scores", "by_counts"),
    [
        (np.arange(101.0).repeat(2), True),
        (np.arange(-50.0, 51.0).repeat(2), True),
        (np.arange(102.0).repeat(2), False),
        (np.arange(101.0).repeat(2) / 2, False),
        (np.append(np.arange(50.0), 70.1), False),
        (np.arange(30.0) * 1e17, False),  # 64 bits would not hold the products
    ],
)
def test_only_whole_scores_of_few_kinds_are_drawn_as_counts(
    scores: np.ndarray, by_counts: bool
) -> None:
    scores = np.random.default_rng(4).permutation(scores)
    groups = floats(np.sort(scores[::2])), floats(np.sort(scores[1::2]))
    ours = [permutation_p(*groups, 400, seed) for seed in range(6)]
    scipys = [by_scores(*groups, 400, seed) for seed in range(6)]
    assert (ours == pytest.approx(scipys, abs=1e-12)) is not by_counts
    assert ours == pytest.approx(scipys, abs=0.2)


def test_few_divisions_are_all_taken() -> None:
    treated, control = floats([70, 85, 90, 99, 91]), floats([70, 71, 72, 73, 60])
    assert math.comb(10, 5) == 252
    all_of_them = float(exact([70, 85, 90, 99, 91], [70, 71, 72, 73, 60]))
    assert {permutation_p(treated, control, 252, seed) for seed in range(4)} == {all_of_them}
    assert len({permutation_p(treated, control, 251, seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("each", [15, 400])
def test_batches_change_no_distribution(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    groups = groups_of(each)
    whole = permutation_p(*groups, 2_000, 3)
    for batch in (10_000, 1):
        monkeypatch.setattr(module, "_BATCH", batch)
        p = permutation_p(*groups, 2_000, 3)
        assert p == pytest.approx(whole, abs=4.5 * math.sqrt(2 * whole * (1 - whole) / 2_000))
        assert permutation_p(*groups, 2_000, 3) == p


@pytest.mark.parametrize("each", [15, 400])
def test_the_seed_decides_and_not_the_order_of_rows(each: int) -> None:
    rows = drawn(each=each, effect=0.7, seed=2)
    shuffled = rows.sample(frac=1, random_state=1)
    assert abab(shuffled, seed=5) == abab(rows, seed=5)
    assert len({abab(rows, seed=seed).p_value for seed in range(4)}) > 1


def groups_of(each: int) -> tuple[Floats, Floats]:
    rows = drawn(each=each, effect=0.5, seed=1)
    treated = rows["phase"].isin(INTERVENTIONS)
    return floats(rows.loc[treated, "score"]), floats(rows.loc[~treated, "score"])


def floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("added", "permutations"),
    [(0.25, 400), (0, 100_000)],
    ids=["scores", "counts"],
)
def test_memory_grows_neither_with_observations_nor_with_permutations(
    added: float, permutations: int
) -> None:
    scores = np.random.default_rng(0).integers(0, 97, 100_000) + added
    groups = floats(scores[:50_000] + 4), floats(scores[50_000:])
    tracemalloc.start()
    p = permutation_p(*groups, permutations, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert p == 1 / (permutations + 1)
    # All at once are 320 MB of scores, or 85 MB of counts.
    assert peak < 75e6
