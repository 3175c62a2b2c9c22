"""ABAB: one user's scores under interventions against those under baselines, by permutation.

Too few or degenerate data is a stated result, never an exception, and no number in a result is NaN
or infinite: what cannot be estimated is None, and `message` says why.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from outreach_platform.events.schema import BASELINES, INTERVENTIONS, PHASES
from outreach_platform.foundation.lake import Record

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
    Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

FEWEST_OBSERVATIONS = 5
PERMUTATIONS = 10_000
# Relative to the largest score: a spread below it is rounding.
_ROUNDING = 1e-10
# Scores, or counts of scores, of one batch of permutations, 16 MB: memory does not grow with the
# observations.
_BATCH = 2_000_000
# As many kinds of whole scores as there are from 0 to 100: up to here a division is drawn as counts
# by score. 10,000 of them take 3 ms for 60 scores and 30 to 110 ms for 2,300 or 100,000; SciPy
# shuffles the scores themselves, in 50 ms, 330 ms and 17 s.
_KINDS = 101
# Below so many scores of a kind, NumPy is quicker to draw scores than to draw the counts.
_SCORES_OF_A_KIND = 16


class AbabResult(Record):
    """What an ABAB experiment says of one user under one protocol.

    Attributes:
        status: `estimated`; `too_few`; `degenerate`: every group is constant.
        message: one line for people.
        counts: observations by phase, all four phases.
        means: mean score by phase, of phases that have one, in points.
        ignored: rows of another phase, or of none.
        without_score: rows of the four phases whose score is null, NaN or infinite.
        effect: mean of both interventions less mean of both baselines, in points.
        ci_low: lower end of the effect's 95 % confidence interval.
        ci_high: upper end.
        p_value: two-sided, by permutation.
        cohens_d: effect in pooled standard deviations.
        autocorrelation: of neighbouring scores within a phase (lag 1).
        permutations: how many were drawn.
        seed: draws the same permutations again.
    """

    status: Literal["estimated", "too_few", "degenerate"]
    message: str
    counts: dict[str, int]
    means: dict[str, float]
    ignored: int
    without_score: int
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    cohens_d: float | None = None
    autocorrelation: float | None = None
    permutations: int
    seed: int


def abab_observations(
    connection: "duckdb.DuckDBPyConnection", user_id: str, protocol_id: str | None = None
) -> "pd.DataFrame":
    """One user's observations under one protocol from `research.abab_observations`, by time.

    Args:
        connection: the research database.
        user_id: any text.
        protocol_id: None for those that belong to no protocol; protocols are never mixed.

    Returns:
        timestamp (naive UTC), phase, score (points).
    """
    return connection.execute(
        'SELECT "timestamp", phase, score FROM research.abab_observations WHERE "userId" = ? '
        'AND "protocolId" IS NOT DISTINCT FROM ? ORDER BY "timestamp", phase, score',
        [user_id, protocol_id],
    ).df()


def abab(
    observations: "pd.DataFrame", seed: int = 0, permutations: int = PERMUTATIONS
) -> AbabResult:
    """Compare a user's scores under interventions with those under baselines.

    The null hypothesis is that phases do not matter and scores are exchangeable: given the scores,
    each way of dealing them to n interventions and m baselines is equally likely. That is so where
    scores do not depend on one another and do not drift; ABAB's second baseline guards against
    drift, not against neighbouring scores being alike, which makes p too small and the interval too
    narrow: `autocorrelation` tells, and the message where it exceeds 2 / sqrt(scores). Phases
    weigh by their observations.

    p = (r + 1) / (permutations + 1), r the permutations with |effect| at least the observed one;
    where there are no more divisions than that, all are taken, the observed one among them, and p
    is exact. The interval is Welch's (t, unequal variances).

    Args:
        observations: columns `timestamp`, `phase`, `score` as in `research.abab_observations`, one
            user and one protocol, in any order.
        seed: same seed and same rows, in whatever order, same p.
        permutations: how many to draw.

    Raises:
        KeyError: a column is missing.
    """
    scores, rows = _scores_by_phase(observations)
    common: dict[str, Any] = {
        "counts": {phase: len(scores[phase]) for phase in PHASES},
        "means": {phase: float(scores[phase].mean()) for phase in PHASES if len(scores[phase])},
        "ignored": len(observations) - rows,
        "without_score": rows - sum(len(found) for found in scores.values()),
        "permutations": permutations,
        "seed": seed,
    }
    if min(common["counts"].values()) < FEWEST_OBSERVATIONS:
        found = ", ".join(f"{phase} {count}" for phase, count in common["counts"].items())
        message = f"too few observations: {found}; {FEWEST_OBSERVATIONS} are needed in each phase"
        return AbabResult(status="too_few", message=message, **common)
    return _compared(scores, common)


def _scores_by_phase(observations: "pd.DataFrame") -> "tuple[dict[str, Floats], int]":
    """Finite scores of each of the four phases, by time, and the rows of these phases."""
    import numpy as np
    import pandas as pd

    # Naive, as NumPy sorts no time zones.
    stamps = pd.to_datetime(observations["timestamp"], utc=True).dt.tz_localize(None)
    scores = np.asarray(pd.to_numeric(observations["score"], errors="coerce"), dtype=float)
    order = np.lexsort((scores, stamps.to_numpy()))
    found: dict[str, Floats] = {}
    rows = 0
    for phase in PHASES:
        within = np.asarray(observations["phase"].isin([phase]), dtype=bool)[order]
        rows += int(within.sum())
        own = scores[order][within]
        found[phase] = own[np.isfinite(own)]
    return found, rows


def _compared(scores: "Mapping[str, Floats]", common: dict[str, Any]) -> AbabResult:
    import numpy as np
    from scipy import stats

    # Sorted, so that p depends on the scores and not on their order.
    treated, control = (
        np.sort(np.concatenate([scores[phase] for phase in phases]))
        for phases in (INTERVENTIONS, BASELINES)
    )
    effect = float(treated.mean() - control.mean())
    p_value = permutation_p(treated, control, common["permutations"], common["seed"])
    common |= {"effect": effect, "p_value": p_value}
    n, m = len(treated), len(control)
    a, b = (float(group.var(ddof=1)) for group in (treated, control))
    pooled = math.sqrt(((n - 1) * a + (m - 1) * b) / (n + m - 2))
    if pooled <= _ROUNDING * max(np.abs(treated).max(), np.abs(control).max()):
        message = (
            f"effect {effect:+.1f} points, but no score differs within interventions or within "
            "baselines: without spread there is no confidence interval and no Cohen's d"
        )
        return AbabResult(status="degenerate", message=message, **common)
    a, b = a / n, b / m
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    reach = math.sqrt(a + b) * float(stats.t.ppf(0.975, freedom))
    alike = _autocorrelation(scores)
    common |= {"ci_low": effect - reach, "ci_high": effect + reach}
    common |= {"cohens_d": effect / pooled, "autocorrelation": alike}
    message = (
        f"effect {effect:+.1f} points (95 % {effect - reach:+.1f} to {effect + reach:+.1f}, p "
        f"{'< 0.001' if p_value < 0.001 else f'= {p_value:.3f}'}), Cohen's d {effect / pooled:.2f}"
    )
    if alike is not None and alike > 2 / math.sqrt(n + m):
        message += (
            f"; neighbouring scores are alike (correlation {alike:.2f}), so p is too small and "
            "the interval too narrow"
        )
    return AbabResult(status="estimated", message=message, **common)


def permutation_p(treated: "Floats", control: "Floats", permutations: int, seed: int) -> float:
    """Two-sided p of a difference of means: share of divisions at least as far apart.

    Divisions are drawn by SciPy's permutation test, but for whole scores of no more than 101 kinds,
    which is what an event's score can be: of these a division is drawn as its counts by score.
    Both draw from the same distribution.

    Args:
        treated: scores, shape (n,), two or more.
        control: scores, shape (m,), two or more.
        permutations: divisions drawn; all are taken where there are no more.
        seed: of the draw.
    """
    import numpy as np
    from scipy.special import comb

    pool = np.concatenate([treated, control])
    kinds, counts = np.unique(pool, return_counts=True)
    countable = (
        len(kinds) <= _KINDS
        and bool((kinds == np.rint(kinds)).all())
        # `_p_by_counts` multiplies in 64 bits.
        and float(np.abs(kinds).max()) * len(pool) ** 2 < 2**62
        and comb(len(pool), len(treated)) > permutations
    )
    if not countable:
        return _p_by_scores(treated, control, permutations, seed)
    total, n = int(treated.sum()), len(treated)
    return _p_by_counts(kinds.astype(np.int64), counts, total, n, permutations, seed)


def _p_by_counts(
    kinds: "Integers", counts: "Integers", total: int, n: int, permutations: int, seed: int
) -> float:
    """The p of whole scores, in whole numbers, so that equal effects are equal.

    The scores that fall to the treated are n drawn from all without putting back, and how often
    each kind is among them follows the multivariate hypergeometric distribution. The effect is
    N / (n (N - n)) times (sum of the drawn - n * mean of all), of which only the latter varies.

    Args:
        kinds: distinct scores, shape (k,).
        counts: how many there are of each, shape (k,).
        total: sum of the treated scores.
        n: number of treated scores.
        permutations: how many to draw.
        seed: of the draw.
    """
    import numpy as np

    scores, everything = int(counts.sum()), int(counts @ kinds)
    observed = abs(total * scores - n * everything)
    method = "count" if scores < _SCORES_OF_A_KIND * len(kinds) else "marginals"
    rng = np.random.default_rng(seed)
    reached, left = 0, permutations
    while left:
        batch = min(left, max(1, _BATCH // len(kinds)))
        drawn = rng.multivariate_hypergeometric(counts, n, size=batch, method=method) @ kinds
        reached += int(np.count_nonzero(np.abs(drawn * scores - n * everything) >= observed))
        left -= batch
    return (reached + 1) / (permutations + 1)


def _p_by_scores(treated: "Floats", control: "Floats", permutations: int, seed: int) -> float:
    """The p of any scores.

    SciPy's `two-sided` doubles the smaller tail; the upper tail of the absolute difference counts
    each division once.
    """
    import numpy as np
    from scipy.stats import permutation_test

    def apart(treated: "Floats", control: "Floats", axis: int) -> "Floats":
        return np.abs(treated.mean(axis=axis) - control.mean(axis=axis))

    result = permutation_test(
        (treated, control),
        apart,
        vectorized=True,
        n_resamples=permutations,
        batch=max(1, _BATCH // (len(treated) + len(control))),
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _autocorrelation(scores: "Mapping[str, Floats]") -> float | None:
    """Correlation of neighbouring scores once their phase's mean is gone; None without spread."""
    left = [found - found.mean() for found in scores.values()]
    largest = max(float(abs(found).max()) for found in scores.values())
    if max(float(abs(own).max()) for own in left) <= _ROUNDING * largest:
        return None
    return sum(float(own[1:] @ own[:-1]) for own in left) / sum(float(own @ own) for own in left)
