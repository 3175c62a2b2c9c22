"""Pictures of the snapshots: shares against limits, history, error codes, kill switches."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from outreach_platform.operations.report.charts import (
    Chart,
    bars_over_time,
    dated,
    drawing,
    legend,
    lying_bars,
)
from outreach_platform.operations.report.figures_states import StateFigures, Trip, Version
from outreach_platform.operations.report.periods import Scale, scale_of
from outreach_platform.operations.report.svg import BAD, GOOD, GRID, INK, MUTED, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A code beyond these is in the table.
_CODES = 8
# As many are listed; the picture has them all.
_SHOWN_TRIPS = 40


def shares(states: Sequence[StateFigures]) -> Chart | None:
    """Each state's share of bad companies in its newest version, against K1's limit."""
    shown = [
        (state, newest, newest.bad_share)
        for state in states
        if (newest := state.newest) is not None and newest.bad_share is not None
    ]
    if not shown:
        return None
    title = "Share of bad companies in each state's newest run, and its limit"
    with drawing(0.42 + 0.3 * len(shown)) as (figure, (axes,)):
        values = [share for _, _, share in shown]
        lying_bars(axes, [s.state for s, _, _ in shown], values, [f"{v:.1%}" for v in values], GOOD)
        for place, (state, _, share) in enumerate(shown):
            if share > state.bad_limit:
                axes.patches[place].set_facecolor(BAD)
            label = "limit of K1" if place == 0 else ""
            axes.vlines(
                state.bad_limit, place - 0.42, place + 0.42, color=INK, linewidth=2, label=label
            )
        axes.set_xlim(0, 1.18 * max([*values, *(s.bad_limit for s, _, _ in shown)]) or 1)
        legend(figure, [axes])
        svg = inline_svg(figure, "shares", title)
    rows = [
        (
            *(s.state, n.version, n.status),
            *(_number(n, "companies_good"), _number(n, "companies_bad")),
            *(f"{share:.1%}", f"{s.bad_limit:.1%}"),
        )
        for s, n, share in shown
    ]
    columns = ("state", "newest run", "it was", "good", "bad", "share of bad", "limit of K1")
    note = "A state above its limit is stopped by K1, unless an override lets it pass."
    return Chart(title, svg, note, columns, rows)


def history(figures: StateFigures, today: date) -> Chart | None:
    """Good and bad companies and people of the last version of each period; stops are crosses."""
    if not figures.published:
        return None
    days = [version.day for version in figures.versions]
    scale = scale_of(min(days), max(*days, today))
    last = {scale.start(version.day): version for version in figures.published}
    stops = sorted({scale.start(v.day) for v in figures.versions if v.status != "published"})
    title = f"{figures.state}: good and bad, last published version of each {scale.name}"
    with drawing(3.3, 2) as (figure, panels):
        for axes, entity in zip(panels, ("companies", "people"), strict=True):
            bars_over_time(
                axes,
                scale,
                [
                    (name, color, {p: v.counts[f"{entity}_{name}"] for p, v in last.items()})
                    for name, color in (("good", GOOD), ("bad", BAD))
                ],
            )
            axes.set_title(entity)
            _cross(axes, scale, stops)
        panels[0].tick_params(labelbottom=False)
        legend(figure, panels)
        svg = inline_svg(figure, f"history-{figures.state}", title)
    tables = ("companies_good", "companies_bad", "people_good", "people_bad")
    rows = [
        (version.version, *(_number(version, table) for table in tables))
        for version in reversed(last.values())
    ]
    columns = ("version", *(table.replace("_", " ") for table in tables))
    note = f"{len(figures.published):,} published versions"
    stopped = len(figures.versions) - len(figures.published)
    note += f", {stopped:,} runs stopped or failed." if stopped else "."
    return Chart(title, svg, note, columns, rows)


def _cross(axes: "Axes", scale: Scale, stops: Sequence[date]) -> None:
    """A cross on the upper edge where a run was not published."""
    from matplotlib.dates import date2num

    if not stops:
        return
    axes.plot(
        [date2num(period) + scale.width(period) / 2 for period in stops],
        [0.97] * len(stops),
        transform=axes.get_xaxis_transform(),
        marker="x",
        linestyle="",
        color=INK,
        markersize=5,
        label="a run was not published",
    )


def codes(figures: StateFigures) -> Chart | None:
    """Rows by error code in the newest version that has counts."""
    newest = figures.newest
    if newest is None or not any(newest.errors.values()):
        return None
    ranked = {
        entity: sorted(newest.errors.get(entity, {}).items(), key=lambda pair: (-pair[1], pair[0]))
        for entity in ("companies", "people")
    }
    named = {entity: pairs[:_CODES] for entity, pairs in ranked.items() if pairs}
    title = f"{figures.state}: rows by error code, {newest.status} run {newest.version}"
    heights = [len(pairs) + 0.9 for pairs in named.values()]
    with drawing(0.2 + 0.27 * sum(heights), len(named), heights) as (figure, panels):
        for axes, (entity, pairs) in zip(panels, named.items(), strict=True):
            counts = [count for _, count in pairs]
            lying_bars(axes, [c for c, _ in pairs], counts, [f"{n:,}" for n in counts], BAD)
            axes.set_title(entity)
        svg = inline_svg(figure, f"codes-{figures.state}", title)
    rows = [
        (entity, code, f"{count:,}") for entity, pairs in ranked.items() for code, count in pairs
    ]
    note = "A row counts under each of its codes."
    return Chart(title, svg, note, ("of", "error code", "rows"), rows)


def switches(states: Sequence[StateFigures], today: date) -> Chart | None:
    """When each state's kill switches triggered: stopped, or let pass by an override."""
    trips = [trip for state in states for trip in state.trips]
    if not trips:
        return None
    scale = scale_of(min(trip.at.date() for trip in trips), today)
    title = "When kill switches triggered"
    names = [state.state for state in states]
    with drawing(0.8 + 0.26 * len(names)) as (figure, (axes,)):
        for overridden, marker, color, label in (
            (False, "X", BAD, "stopped"),
            (True, "o", MUTED, "overridden, published"),
        ):
            _points(
                axes,
                scale,
                {
                    (scale.start(t.at.date()), names.index(t.state))
                    for t in trips
                    if t.overridden is overridden
                },
                marker=marker,
                color=color,
                label=label,
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(length=0)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        dated(axes, scale)
        legend(figure, [axes])
        svg = inline_svg(figure, "switches", title)
    newest = sorted(trips, key=lambda t: (t.version, t.state, t.switch), reverse=True)
    rows = [_told(trip) for trip in newest[:_SHOWN_TRIPS]]
    columns = ("when (UTC)", "state", "switch", "measured", "limit", "it", "until", "reason")
    note = "Who gave an override is in the audit log."
    if len(trips) > _SHOWN_TRIPS:
        note += f" The newest {_SHOWN_TRIPS} of {len(trips):,} are listed."
    return Chart(title, svg, note, columns, rows)


def _points(axes: "Axes", scale: Scale, places: set[tuple[date, int]], **style: Any) -> None:
    from matplotlib.dates import date2num

    if not places:
        return
    when = [date2num(period) + scale.width(period) / 2 for period, _ in sorted(places)]
    rows = [row for _, row in sorted(places)]
    axes.plot(when, rows, linestyle="", markersize=7, markeredgewidth=0, **style)


def _told(trip: Trip) -> tuple[str, ...]:
    share = trip.switch != "K3"
    measured = "-" if trip.measured is None else _amount(trip.measured, share)
    return (
        f"{trip.at:%Y-%m-%d %H:%M}",
        trip.state,
        trip.switch,
        measured,
        _amount(trip.limit, share),
        "was overridden" if trip.overridden else "stopped the run",
        str(trip.until or "-"),
        trip.reason or "-",
    )


def _amount(value: float, share: bool) -> str:
    return f"{value:.1%}" if share else f"{value:,.0f} ids"


def _number(version: Version, table: str) -> str:
    return f"{version.counts[table]:,}"
