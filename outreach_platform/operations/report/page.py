"""The report as one HTML document that asks for nothing outside itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from outreach_platform.foundation.redaction import mask_emails_in, redact
from outreach_platform.operations.problems import Problem, worst_first
from outreach_platform.operations.report import charts_states, charts_wings
from outreach_platform.operations.report.charts import Chart
from outreach_platform.operations.report.figures import Figures, gather
from outreach_platform.operations.report.figures_states import StateFigures
from outreach_platform.settings import Settings

TEMPLATE = "page.html.jinja"
# As many sentences on damaged records as a reader goes through.
_UNREADABLE = 30


@dataclass(frozen=True)
class StateSection:
    """What the page shows of one state."""

    figures: StateFigures
    charts: list[Chart]


def build_page(
    settings: Settings, problems: Sequence[Problem] | None = None, *, now: datetime | None = None
) -> str:
    """Gather the figures and lay them out.

    Args:
        settings: data folder and limits.
        problems: what is wrong now; empty where somebody looked and found nothing, None where
            nobody looked, which the page says.
        now: aware; the clock's by default.

    Returns:
        The whole document, whose only references are to its own parts.
    """
    figures = gather(settings, now)
    told = [_told(sentence, settings.data_dir) for sentence in figures.unreadable]
    return _render(
        figures=figures,
        problems=None if problems is None else worst_first(problems),
        unreadable=told[:_UNREADABLE],
        more_unreadable=max(0, len(told) - _UNREADABLE),
        **_charts(figures),
    )


def _charts(figures: Figures) -> dict[str, Any]:
    today = figures.at.date()
    return {
        "overview": _some(charts_states.shares(figures.states)),
        "states": [
            StateSection(
                state, _some(charts_states.history(state, today), charts_states.codes(state))
            )
            for state in figures.states
        ],
        "switches": _some(charts_states.switches(figures.states, today)),
        "enrichment": _some(
            charts_wings.funnel(figures.enrichment),
            charts_wings.promoted(figures.enrichment, today),
        ),
        "events": _some(
            charts_wings.events(figures.events, today), charts_wings.event_errors(figures.events)
        ),
        "filings": _some(charts_wings.coverage(figures.filings)),
    }


def _some(*charts: Chart | None) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def _told(sentence: str, data_dir: Path) -> str:
    """A sentence about a record, its path relative to the data folder."""
    return sentence.replace(f"{data_dir}/", "")


def _clean(text: object) -> str:
    """Somebody's own words, without secrets and e-mail addresses."""
    return mask_emails_in(redact(str(text)))


def _render(**values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["clean"] = _clean
    return environment.get_template(TEMPLATE).render(**values)
