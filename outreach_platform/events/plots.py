"""Pictures of the two analyses, as inline PNGs in Markdown, 900 pixels wide."""

import base64
import io
import math
from datetime import date
from typing import TYPE_CHECKING, Any

from outreach_platform.events.abab import AbabResult
from outreach_platform.events.its import ItsResult
from outreach_platform.events.schema import INTERVENTIONS, PHASES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BEFORE, _AFTER, _INK = "#5b6770", "#2f7d5b", "#333333"
# Narrower than this share of the picture, a phase's name is written upwards.
_NARROW = 0.16


def its_picture(daily: "pd.DataFrame", result: ItsResult) -> str:
    """`its_figure` as Markdown with an inline PNG, or the message where no day has a score."""
    figure = its_figure(daily, result)
    says = f"mean score by day before and after {result.intervention}"
    return result.message if figure is None else _inline(figure, says)


def abab_picture(observations: "pd.DataFrame", result: AbabResult) -> str:
    """`abab_figure` as Markdown with an inline PNG, or the message where nothing has a score."""
    figure = abab_figure(observations, result)
    says = "scores over time by phase, with the mean of each phase"
    return result.message if figure is None else _inline(figure, says)


def its_figure(daily: "pd.DataFrame", result: ItsResult) -> "Figure | None":
    """Daily scores, both fitted lines, and where the trend before would have led, dashed.

    Args:
        daily: the frame that `its` was given.
        result: what it said; where nothing was estimated, the days are shown without lines.

    Returns:
        None where no day has a score.
    """
    import numpy as np
    import pandas as pd

    when = pd.to_datetime(daily["day"], utc=True).dt.tz_localize(None).dt.normalize().to_numpy()
    scores = np.asarray(pd.to_numeric(daily["mean_score"], errors="coerce"), dtype=float)
    shown = np.isfinite(scores) & ~np.isnat(when)
    if not shown.any():
        return None
    when, scores = when[shown], scores[shown]
    figure, axes = _framed(result.message, "day (UTC)", "mean score of the day (points)")
    after = when >= np.datetime64(result.intervention)
    for days, color in ((~after, _BEFORE), (after, _AFTER)):
        axes.plot(when[days], scores[days], **_dots(len(when)), color=color)
    # Behind the day's own score, which stands on it.
    start = _x(result.intervention)
    axes.axvline(start, color="#c9553d", linewidth=1.2, zorder=1, label="intervention")
    if result.level_before is not None:
        first, last = (day.astype("datetime64[D]").item() for day in (when.min(), when.max()))
        _draw_lines(axes, result, first, max(last, result.intervention))
    _finish(axes)
    return figure


def _draw_lines(axes: "Axes", result: ItsResult, low: date, high: date) -> None:
    """Both trends and the counterfactual, from the first day to the last."""
    start = result.intervention
    before = [(low, result.counterfactual(low)), (start, result.counterfactual(start))]
    after = [(start, result.fitted(start)), (high, result.fitted(high))]
    without = [before[1], (high, result.counterfactual(high))]
    for points, color, style, label in (
        (before, _BEFORE, "-", "trend before"),
        (without, _BEFORE, "--", "without the intervention"),
        (after, _AFTER, "-", "trend after"),
    ):
        axes.plot(
            [_x(day) for day, _ in points],
            [score if score is not None else math.nan for _, score in points],
            color=color,
            linestyle=style,
            linewidth=1.8,
            label=label,
        )


def abab_figure(observations: "pd.DataFrame", result: AbabResult) -> "Figure | None":
    """Scores over time, the phases shaded, each with its mean.

    Args:
        observations: the frame that `abab` was given.
        result: what it said.

    Returns:
        None where no observation of the four phases has a score.
    """
    import numpy as np
    import pandas as pd

    stamps = pd.to_datetime(observations["timestamp"], utc=True).dt.tz_localize(None).to_numpy()
    scores = np.asarray(pd.to_numeric(observations["score"], errors="coerce"), dtype=float)
    shown = np.isfinite(scores) & ~np.isnat(stamps) & observations["phase"].isin(PHASES).to_numpy()
    if not shown.any():
        return None
    figure, axes = _framed(result.message, "time (UTC)", "score (points)")
    begin, end = (_x(bound) for bound in (stamps[shown].min(), stamps[shown].max()))
    for phase in PHASES:
        within = shown & observations["phase"].isin([phase]).to_numpy()
        if not within.any():
            continue
        color = _AFTER if phase in INTERVENTIONS else _BEFORE
        axes.plot(stamps[within], scores[within], **_dots(int(shown.sum())), color=color)
        span = (_x(stamps[within].min()), _x(stamps[within].max()))
        axes.axvspan(*span, color=color, alpha=0.12, linewidth=0)
        mean = result.means.get(phase, math.nan)
        axes.hlines(mean, *span, color=color, linewidth=2.2)
        narrow = span[1] - span[0] < _NARROW * (end - begin)
        _name_phase(axes, phase, (span[0] + span[1]) / 2, mean, int(within.sum()), narrow)
    low, high = axes.get_ylim()
    # Room for the names above the scores, on an axis that ends with the scores.
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    axes.set_ylim(low, high + 0.22 * (high - low))
    _finish(axes)
    return figure


def _name_phase(
    axes: "Axes", phase: str, middle: float, mean: float, count: int, narrow: bool
) -> None:
    name = phase.replace("_", " ")
    axes.annotate(
        name if narrow else f"{name}\nmean {mean:.1f}, n = {count}",
        (middle, 0.98),
        xycoords=axes.get_xaxis_transform(),
        ha="center",
        va="top",
        rotation=90 if narrow else 0,
        fontsize=9,
        color=_INK,
    )


def _framed(title: str, x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    import textwrap

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(textwrap.fill(title, 118), fontsize=10, loc="left", color=_INK)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    locator = AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return figure, axes


def _dots(count: int) -> dict[str, Any]:
    """Smaller and paler where there are many."""
    many = count > 400
    size, alpha = (2.0, 0.35) if many else (4.5, 0.75)
    return {"marker": "o", "linestyle": "", "markersize": size, "alpha": alpha, "mew": 0}


def _x(moment: Any) -> float:
    """A moment's place on the axis: days since Matplotlib's epoch."""
    from matplotlib.dates import date2num

    return float(date2num(moment))


def _finish(axes: "Axes") -> None:
    """A faint grid, and a legend below the picture where something has a name."""
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    handles, names = axes.get_legend_handles_labels()
    figure = axes.get_figure()
    if handles and figure is not None:
        figure.legend(
            handles, names, loc="outside lower center", ncols=4, fontsize=9, frameon=False
        )


def _inline(figure: "Figure", says: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"![{says}](data:image/png;base64,{encoded})"
