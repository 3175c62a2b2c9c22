"""The pictures of the report, each with the table that says the same in figures.

A picture's size is bounded: time is cut into at most about 120 periods, a series is one path.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from outreach_platform.operations.report.periods import Scale
from outreach_platform.operations.report.svg import GRID, INK, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches at 72 points: as wide as a telephone's screen, so that text keeps its size there.
WIDTH = 5.0
# Shown at least, so that a first day is a bar and not a wall.
_LEAST_DAYS = 14


@dataclass(frozen=True)
class Chart:
    """A picture and its table.

    Attributes:
        title: above the picture.
        svg: the picture.
        note: below it, one sentence; empty for none.
        columns: the table's head.
        rows: its rows, as text.
    """

    title: str
    svg: Markup
    note: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@contextmanager
def drawing(
    height: float, panels: int = 1, ratios: Sequence[float] | None = None
) -> "Iterator[tuple[Figure, list[Axes]]]":
    """A figure with panels above one another, under the report's style.

    Args:
        height: inches.
        panels: how many.
        ratios: their heights to one another, the same by default.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure, list(figure.subplots(panels, 1, squeeze=False, height_ratios=ratios)[:, 0])


def bars_over_time(axes: "Axes", scale: Scale, series: Sequence[tuple[str, str, Mapping]]) -> None:
    """Stacked bars, a series one path.

    Args:
        axes: where.
        scale: how time is cut.
        series: label, colour, and a number by period, from the bottom up.
    """
    from matplotlib.dates import date2num
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    below: dict[date, float] = {}
    for label, color, values in series:
        boxes = []
        for period, value in values.items():
            width, low = scale.width(period), below.get(period, 0)
            left = float(date2num(period)) + 0.1 * width
            boxes.append(_box(left, low, 0.8 * width, value))
            below[period] = low + value
        if boxes:
            path = Path.make_compound_path(*(Path(box) for box in boxes))
            axes.add_patch(PathPatch(path, facecolor=color, label=label))
    axes.set_ylim(0, 1.08 * max(below.values(), default=0) or 1)
    dated(axes, scale)
    counted(axes)


def _box(left: float, low: float, width: float, height: float) -> list[tuple[float, float]]:
    right, top = left + width, low + height
    return [(left, low), (left, top), (right, top), (right, low), (left, low)]


def dated(axes: "Axes", scale: Scale) -> None:
    """A time axis over the whole scale, with few labels."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num

    first = min(scale.first, scale.last - timedelta(days=_LEAST_DAYS - 1))
    axes.set_xlim(float(date2num(first)), float(date2num(scale.last)) + 1)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))
    form = {"day": "%d %b", "year": "%Y"}.get(scale.name, "%b %Y")
    axes.xaxis.set_major_formatter(DateFormatter(form))


def counted(axes: "Axes") -> None:
    """An axis of whole numbers with separators, and a faint grid."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.tick_params(length=0)


def lying_bars(
    axes: "Axes", names: Sequence[str], values: Sequence[float], texts: Sequence[str], color: str
) -> None:
    """Horizontal bars from the top down, the value written beside each."""
    most = max(values, default=0) or 1
    axes.barh(range(len(names)), values, color=color, height=0.66)
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(
            text, (value, place), xytext=(3, 0), textcoords="offset points", va="center", color=INK
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.18 * most)
    bare(axes)


def bare(axes: "Axes") -> None:
    """No frame, no ticks, no x labels: the values stand beside the bars."""
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[["bottom"]].set_visible(False)


def legend(figure: "Figure", axes: Iterable["Axes"]) -> None:
    """One legend below the picture; a name that several panels share stands once."""
    named: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if named:
        figure.legend(
            list(named.values()),
            list(named),
            loc="outside lower center",
            ncols=3,
            frameon=False,
            handlelength=1.2,
        )
