"""Series and experiments whose answer is known, because it was put in."""

from datetime import date

import numpy as np
import pandas as pd

from outreach_platform.events.schema import PHASES

Scores = list[list[int]]
DAY = date(2026, 3, 1)


def series(
    before: int = 45,
    after: int = 45,
    *,
    effect: float = 12,
    slope: float = 0.05,
    change: float = 0.1,
    noise: float = 4,
    alike: float = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Days around DAY; `alike` is the correlation of one day's noise with the next day's."""
    rng = np.random.default_rng(seed)
    days = np.arange(-before, after)
    left = rng.normal(0, noise, len(days) + 50)
    for place in range(1, len(left)):
        left[place] += alike * left[place - 1]
    scores = 60 + slope * days + (days >= 0) * (effect + change * days) + left[50:]
    return frame(days, scores)


def frame(days: np.ndarray, scores: np.ndarray | list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "day": pd.Timestamp(DAY) + pd.to_timedelta(days, unit="D"),
            "mean_score": scores,
            "day_of_week": 0,
            "mean_hour": 12.0,
            "observations": 3,
        }
    )


def experiment(scores: Scores) -> pd.DataFrame:
    """Observations an hour apart, phase after phase."""
    rows = [(phase, score) for phase, own in zip(PHASES, scores, strict=True) for score in own]
    return pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-01-01", periods=len(rows), freq="h"),
            "phase": [phase for phase, _ in rows],
            "score": [score for _, score in rows],
        }
    )


def drawn(
    each: int = 15, effect: float = 15, seed: int = 0, spread: float = 6, alike: float = 0
) -> pd.DataFrame:
    """Means near 70 and 70 + effect; `alike` is the correlation of neighbouring scores."""
    rng = np.random.default_rng(seed)
    left = rng.normal(0, spread, 4 * each)
    for place in range(1, len(left)):
        left[place] += alike * left[place - 1]
    means = np.repeat([70, 70 + effect, 70, 70 + effect], each)
    scores = np.clip(np.rint(means + left), 0, 100).astype(int)
    return experiment(scores.reshape(4, each).tolist())
