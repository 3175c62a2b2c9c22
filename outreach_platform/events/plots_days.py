"""A picture of how many events each day of an export has."""

import base64
import io
from collections.abc import Sequence

_LABELS = 8


def days_picture(days: Sequence[tuple[str, int]]) -> str:
    """Bars of events a UTC day as an inline PNG in Markdown.

    Args:
        days: ISO date and events, in order.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(len(days)), [rows for _, rows in days], width=0.85, color="#33658a")
    step = max(1, len(days) // _LABELS)
    marks = range(0, len(days), step)
    axes.set_xticks(list(marks), [days[place][0] for place in marks], fontsize=7)
    axes.set_ylabel("events a day (UTC)", fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"![events a day](data:image/png;base64,{encoded})"
