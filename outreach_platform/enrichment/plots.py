"""The funnel as a picture: how far the records of both kinds have come."""

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAGES = (
    *("invalid", "pulled", "in_progress", "complete"),
    *("pushed", "passed", "promoted", "still_invalid"),
)
"""The names of the counts, from the first stage to the last."""

_TITLES = {"company": "companies", "people": "people"}
_WAY, _DONE, _BACK, _INK = "#5b6770", "#2f7d5b", "#c9553d", "#333333"
_COLORS = {"promoted": _DONE, "still_invalid": _BACK}
# Of a picture's half: the gap before a number, and one of its digits or commas.
_GAP, _LETTER = 0.02, 0.024


def funnel_picture(counts: Mapping[str, Mapping[str, int]]) -> str:
    """`funnel_figure` as Markdown with an inline PNG, 900 pixels wide."""
    buffer = io.BytesIO()
    funnel_figure(counts).savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    says = "records by stage, from invalid to promoted or still invalid"
    return f"![{says}](data:image/png;base64,{encoded})"


def funnel_figure(counts: Mapping[str, Mapping[str, int]]) -> "Figure":
    """One bar a stage with its number, companies and people side by side, each on its own scale.

    Args:
        counts: records by stage (see `STAGES`; a missing one is 0) by entity, `company` or
            `people`; an entity that is missing stands there empty.

    Raises:
        ValueError: an entity or a stage that there is not; its bar would be missing unseen.
    """
    from matplotlib.figure import Figure

    unknown = sorted(
        {*counts}.difference(_TITLES)
        | {stage for found in counts.values() for stage in found}.difference(STAGES)
    )
    if unknown:
        raise ValueError(f"the funnel has no {', '.join(unknown)}")
    figure = Figure(figsize=(9, 3.2), dpi=100, layout="constrained")
    for place, (entity, title) in enumerate(_TITLES.items()):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.set_title(title, fontsize=10, loc="left", color=_INK)
        found = counts.get(entity, {})
        _draw(axes, [found.get(stage, 0) for stage in STAGES], named=place == 0)
    return figure


def _draw(axes: "Axes", numbers: list[int], *, named: bool) -> None:
    """The bars from top to bottom, each with its number behind it."""
    places = range(len(STAGES))
    bars = axes.barh(
        places, numbers, height=0.7, color=[_COLORS.get(stage, _WAY) for stage in STAGES]
    )
    written = [f"{number:,}" for number in numbers]
    # The longest bar ends where its number still finds room.
    room = _GAP + _LETTER * max(map(len, written))
    axes.set_xlim(0, max(1, *numbers) / (1 - room))
    axes.bar_label(bars, written, padding=4, fontsize=9, color=_INK)
    names = [stage.replace("_", " ") for stage in STAGES] if named else []
    axes.set_yticks(places if named else [], names, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color("#bbbbbb")
