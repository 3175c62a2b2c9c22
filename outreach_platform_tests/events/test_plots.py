"""The pictures: what is drawn, where, and that every result has one."""

import base64
import io
import re
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.colors import to_hex
from matplotlib.dates import date2num

from outreach_platform.events.analysis import PHASES, AbabResult, ItsResult, abab, its
from outreach_platform.events.plots import abab_figure, abab_picture, its_figure, its_picture
from outreach_platform_tests.events.known import DAY, drawn, experiment, frame, series

pytestmark = pytest.mark.filterwarnings("error")


def pixels(markdown: str) -> np.ndarray:
    """The inline PNG, shape (height, width, 4), 0 to 1."""
    found = re.fullmatch(r"!\[[\w ,-]+\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    return image.imread(io.BytesIO(base64.b64decode(found[1])), format="png")


def draw_its(daily: pd.DataFrame, result: ItsResult):
    """The axes and their lines by legend name."""
    figure = its_figure(daily, result)
    assert figure is not None
    axes = figure.axes[0]
    return axes, {str(line.get_label()): line for line in axes.get_lines()}


def draw_abab(rows: pd.DataFrame, result: AbabResult):
    figure = abab_figure(rows, result)
    assert figure is not None
    return figure.axes[0]


def test_pictures_are_900_pixels_wide_and_not_blank() -> None:
    daily, rows = series(), drawn()
    for markdown in (
        its_picture(daily, its(daily, DAY)),
        abab_picture(rows, abab(rows, permutations=99)),
    ):
        shown = pixels(markdown)
        assert shown.shape == (400, 900, 4)
        ink = (shown[..., :3] < 0.9).any(axis=2).mean()
        assert 0.01 < ink < 0.7
        assert len(markdown) < 150_000


@pytest.mark.slow
def test_its_shows_days_lines_and_the_counterfactual() -> None:
    daily = series(noise=0.001)
    result = its(daily, DAY)
    axes, lines = draw_its(daily, result)
    assert axes.get_xlabel() == "day (UTC)"
    assert axes.get_ylabel() == "mean score of the day (points)"
    assert axes.get_title(loc="left") == result.message
    start = date2num(DAY)
    assert list(lines["intervention"].get_xdata()) == [start, start]
    assert list(lines["trend before"].get_xdata()) == [start - 45, start]
    assert list(lines["trend after"].get_xdata()) == [start, start + 44]
    assert list(lines["without the intervention"].get_xdata()) == [start, start + 44]
    assert lines["trend before"].get_ydata() == pytest.approx([57.75, 60], abs=0.01)
    assert lines["trend after"].get_ydata() == pytest.approx([72, 78.6], abs=0.01)
    assert lines["without the intervention"].get_ydata() == pytest.approx([60, 62.2], abs=0.01)
    assert lines["without the intervention"].get_linestyle() == "--"
    assert lines["trend after"].get_linestyle() == "-"
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [45, 45]
    figure = axes.get_figure()
    assert figure is not None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("intervention", "trend before", "without the intervention", "trend after"),
    ]


@pytest.mark.slow
def test_the_day_of_the_intervention_has_the_color_of_after() -> None:
    axes, lines = draw_its(series(8, 8), its(series(8, 8), DAY))
    before, after = (line for line in axes.get_lines() if line.get_marker() == "o")
    assert np.datetime64(DAY) in after.get_xdata()
    assert np.datetime64(DAY) not in before.get_xdata()
    assert after.get_color() == lines["trend after"].get_color() != before.get_color()


@pytest.mark.slow
def test_too_few_days_are_shown_without_trends() -> None:
    daily = series(5, 5)
    result = its(daily, DAY)
    axes, lines = draw_its(daily, result)
    assert "intervention" in lines
    assert not {"trend before", "trend after", "without the intervention"} & set(lines)
    assert axes.get_title(loc="left") == result.message
    assert pixels(its_picture(daily, result)).shape == (400, 900, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "daily",
    [
        frame(np.arange(-10, 10), [70.0] * 20),
        frame(np.arange(-10, 10), [70.0] * 10 + [82.0] * 10),
        frame(np.arange(-10, 10), [np.nan] * 19 + [3.0]),
        frame(np.array([0]), [50.0]),
        frame(np.zeros(20), [50.0] * 20),
        frame(np.arange(5, 30), [50.0, np.inf] + [60.0] * 23),
        frame(np.arange(-30, -5), [60.0] * 25),
        pd.concat([series(), series(seed=1)]),
    ],
    ids=["constant", "steps", "one score", "one day", "same day", "after", "before", "two users"],
)
def test_every_its_result_has_a_picture(daily: pd.DataFrame) -> None:
    assert pixels(its_picture(daily, its(daily, DAY))).shape == (400, 900, 4)


def test_nothing_to_show_is_said_in_words() -> None:
    for daily in (frame(np.arange(-9, 9), [np.nan] * 18), frame(np.array([]), [])):
        result = its(daily, DAY)
        assert its_picture(daily, result) == result.message
    for rows in (experiment([[], [], [], []]), drawn().assign(phase="washout")):
        result = abab(rows)
        assert abab_picture(rows, result) == result.message


@pytest.mark.slow
def test_abab_shades_each_phase_and_draws_its_mean() -> None:
    rows = drawn()
    result = abab(rows, permutations=99)
    axes = draw_abab(rows, result)
    assert axes.get_xlabel() == "time (UTC)"
    assert axes.get_ylabel() == "score (points)"
    assert axes.get_title(loc="left") == result.message
    hour = timedelta(hours=1)
    start = rows["timestamp"].min()
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
    assert len(spans) == 4
    for place, span in enumerate(spans):
        ends = (start + 15 * place * hour, start + (15 * place + 14) * hour)
        assert span == pytest.approx([date2num(end) for end in ends], abs=1e-6)
    means = [path.get_segments()[0] for path in axes.collections]
    assert [mean[0][1] for mean in means] == [result.means[phase] for phase in PHASES]
    for mean, span in zip(means, spans, strict=True):
        assert (mean[0][0], mean[1][0]) == pytest.approx(span)
    colors = [to_hex(p.get_facecolor()) for p in axes.patches]
    assert colors[0] == colors[2] != colors[1] == colors[3]
    names = [text.get_text() for text in axes.texts]
    assert names[0] == f"baseline 1\nmean {result.means['baseline_1']:.1f}, n = 15"
    assert [name.split("\n")[0] for name in names] == [
        *("baseline 1", "intervention A 1", "baseline 2", "intervention A 2"),
    ]


@pytest.mark.slow
def test_a_short_phase_has_its_name_written_upwards() -> None:
    rows = drawn()
    rows.loc[15:, "timestamp"] += pd.to_timedelta(np.arange(45), unit="D")
    axes = draw_abab(rows, abab(rows, permutations=99))
    assert [text.get_rotation() for text in axes.texts] == [90, 0, 0, 0]
    assert axes.texts[0].get_text() == "baseline 1"


@pytest.mark.slow
def test_the_axis_of_scores_ends_with_them() -> None:
    rows = drawn()
    rows.loc[20, "score"] = 100
    axes = draw_abab(rows, abab(rows, permutations=99))
    assert max(axes.get_yticks()) == 100
    assert axes.get_ylim()[1] > 105


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        drawn(each=1),
        drawn().assign(score=70),
        drawn().assign(timestamp=pd.Timestamp("2026-01-01")),
        drawn().assign(phase="baseline_2"),
        drawn().astype({"score": "Int32", "phase": "string"}),
        drawn(each=1_500),
        pd.concat([drawn(), drawn().assign(score=np.nan), drawn().assign(timestamp=pd.NaT)]),
    ],
    ids=["single", "constant", "same time", "one phase", "nullable", "many", "gaps"],
)
def test_every_abab_result_has_a_picture(rows: pd.DataFrame) -> None:
    picture = abab_picture(rows, abab(rows, permutations=99))
    assert pixels(picture).shape == (400, 900, 4)
