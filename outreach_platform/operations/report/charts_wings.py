"""Pictures of enrichment, events and filings."""

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from outreach_platform.filings.health_records import Coverage
from outreach_platform.operations.report.charts import (
    Chart,
    bare,
    bars_over_time,
    drawing,
    legend,
    lying_bars,
)
from outreach_platform.operations.report.figures import (
    EnrichmentFigures,
    EventFigures,
    FilingFigures,
)
from outreach_platform.operations.report.periods import scale_of
from outreach_platform.operations.report.svg import BAD, GOOD, INK, MUTED, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STAGES = {
    "invalid": "invalid at the source",
    "pulled": "in the workspace",
    "pending": "… pending",
    "in_progress": "… in progress",
    "complete": "… complete",
    "failed": "… failed again",
    "pushed": "pushed back",
    "passed": "passed, to promote",
    "promoted": "promoted",
}
_ASIDE = ("still_invalid", "chronic", "waiting", "problems", "undefined")
_KINDS = ("sections", "tables", "footnotes", "chunks")
_YEARS = 30


def funnel(figures: EnrichmentFigures) -> Chart | None:
    """How many records of each entity are where."""
    if not figures.funnels:
        return None
    title = "Records by stage of the round trip"
    panels_needed = len(figures.funnels)
    with drawing(0.3 + panels_needed * (0.25 + 0.22 * len(_STAGES)), panels_needed) as drawn:
        figure, panels = drawn
        for axes, counts in zip(panels, figures.funnels, strict=True):
            values = [getattr(counts, stage) for stage in _STAGES]
            lying_bars(axes, list(_STAGES.values()), values, [f"{n:,}" for n in values], GOOD)
            axes.set_title(counts.entity)
        svg = inline_svg(figure, "funnel", title)
    names = {**_STAGES, **{name: name.replace("_", " ") for name in _ASIDE}}
    rows = [
        (label, *(f"{getattr(counts, name):,}" for counts in figures.funnels))
        for name, label in names.items()
    ]
    columns = ("stage", *(counts.entity for counts in figures.funnels))
    note = f"As counted at {figures.at:%Y-%m-%d %H:%M} UTC." if figures.at else ""
    return Chart(title, svg, note, columns, rows)


def promoted(figures: EnrichmentFigures, today: date) -> Chart | None:
    """Records that runs promoted, by period."""
    if not figures.promoted:
        return None
    scale = scale_of(min(figures.promoted), max(*figures.promoted, today))
    sums: dict[str, Counter[date]] = {"company": Counter(), "people": Counter()}
    for day, entities in figures.promoted.items():
        for entity, count in entities.items():
            sums.setdefault(entity, Counter())[scale.start(day)] += count
    title = f"Records promoted by {scale.name}"
    with drawing(1.9) as (figure, (axes,)):
        colors = (GOOD, MUTED, INK)
        bars_over_time(
            axes,
            scale,
            [
                (entity, color, values)
                for (entity, values), color in zip(sums.items(), colors, strict=False)
            ],
        )
        legend(figure, [axes])
        svg = inline_svg(figure, "promoted", title)
    periods = sorted({period for values in sums.values() for period in values}, reverse=True)
    rows = [(str(p), *(f"{values[p]:,}" for values in sums.values())) for p in periods]
    note = "As runs did it; what was undone later is not taken off."
    return Chart(title, svg, note, (f"{scale.name} from", *sums), rows)


def events(figures: EventFigures, today: date) -> Chart | None:
    """Good and quarantined events by period."""
    if not figures.days:
        return None
    scale = scale_of(min(figures.days), max(*figures.days, today))
    good: Counter[date] = Counter()
    bad: Counter[date] = Counter()
    for day, (valid, quarantined) in sorted(figures.days.items()):
        good[scale.start(day)] += valid
        bad[scale.start(day)] += quarantined
    title = f"Events by {scale.name}"
    with drawing(2.2) as (figure, (axes,)):
        series = [("valid", GOOD, good), ("quarantined", BAD, bad)]
        bars_over_time(axes, scale, series if bad.total() else series[:1])
        legend(figure, [axes])
        svg = inline_svg(figure, "events", title)
    rows = [(str(p), f"{good[p]:,}", f"{bad[p]:,}") for p in sorted(good, reverse=True)]
    note = f"{good.total():,} valid events on {len(figures.days):,} days"
    note += f", {bad.total():,} in quarantine" if bad.total() else ", none in quarantine"
    note += f"; {figures.undated:,} without a date." if figures.undated else "."
    return Chart(title, svg, note, (f"{scale.name} from", "valid", "quarantined"), rows)


def event_errors(figures: EventFigures) -> Chart | None:
    """Quarantined events by violated rule."""
    ranked = sorted(figures.errors.items(), key=lambda pair: (-pair[1], pair[0]))
    if not ranked:
        return None
    title = "Events by violated rule"
    shown = ranked[:12]
    with drawing(0.25 + 0.27 * len(shown)) as (figure, (axes,)):
        counts = [count for _, count in shown]
        lying_bars(axes, [rule for rule, _ in shown], counts, [f"{n:,}" for n in counts], BAD)
        svg = inline_svg(figure, "event-errors", title)
    rows = [(rule, f"{count:,}") for rule, count in ranked]
    return Chart(title, svg, "An event counts under each rule.", ("rule", "events"), rows)


def coverage(figures: FilingFigures) -> Chart | None:
    """The share of each filing year's filings that have rows of each kind."""
    if not figures.coverage:
        return None
    cells = {(c.year, c.kind): c for c in figures.coverage}
    # A filing whose year is not registered comes last.
    years = sorted({year for year, _ in cells}, key=lambda y: -1 if y is None else y, reverse=True)
    shown = years[:_YEARS]
    title = "Share of filings with each kind of content, by filing year"
    with drawing(0.45 + 0.27 * len(shown)) as (figure, (axes,)):
        for row, year in enumerate(shown):
            for column, kind in enumerate(_KINDS):
                cell = cells.get((year, kind))
                if cell is not None:
                    _cell(axes, row, column, cell.filled, cell.filings)
        axes.set_xlim(-0.5, len(_KINDS) - 0.5)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        bare(axes)
        axes.set_xticks(range(len(_KINDS)), _KINDS)
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(shown)), [_year(year) for year in shown])
        axes.spines[["left"]].set_visible(False)
        svg = inline_svg(figure, "coverage", title)
    rows = [(_year(year), *(_of(cells.get((year, kind))) for kind in _KINDS)) for year in years]
    note = f"The newest {_YEARS} of {len(years)} years." if len(years) > _YEARS else ""
    return Chart(title, svg, note, ("filing year", *_KINDS), rows)


def _cell(axes: "Axes", row: int, column: int, filled: int, filings: int) -> None:
    from matplotlib.patches import Rectangle

    share = filled / filings if filings else 0.0
    box = Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, facecolor=GOOD if share else BAD)
    # Pale enough that the figure on it is read, in the dark too.
    box.set_alpha(0.08 + 0.32 * share if share else 0.25)
    axes.add_patch(box)
    axes.annotate(f"{share:.0%} of {filings:,}", (column, row), ha="center", va="center", color=INK)


def _year(year: int | None) -> str:
    return "not known" if year is None else str(year)


def _of(cell: Coverage | None) -> str:
    return "-" if cell is None else f"{cell.filled:,} of {cell.filings:,} ({cell.row_count:,} rows)"
