"""The funnel's picture: a bar and a number for each stage, whatever the numbers are."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from outreach_platform.enrichment.plots import STAGES, funnel_figure, funnel_picture

pytestmark = pytest.mark.filterwarnings("error")

DEMO = dict(zip(STAGES, (71, 119, 18, 30, 71, 48, 48, 23), strict=True))
HUGE = dict(
    zip(STAGES, (1_000_000_000, 12_345_678, 100_000, 99_999, 85_000, 119, 1, 0), strict=True)
)


def pixels(markdown: str) -> np.ndarray:
    """The inline PNG, shape (height, width, 4), 0 to 1."""
    found = re.fullmatch(r"!\[[\w ,-]+\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    return image.imread(io.BytesIO(base64.b64decode(found[1])), format="png")


def bars(axes: Axes) -> list[float]:
    """Lengths from the top bar to the bottom one."""
    low, high = axes.get_ylim()
    assert low > high, "the first stage stands on top"
    return [bar.get_width() for bar in axes.patches]


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_each_stage_has_its_bar_and_number_beside_the_other_kind() -> None:
    people = {"invalid": 5, "still_invalid": 2}
    companies, persons = funnel_figure({"company": DEMO, "people": people}).axes
    assert [axes.get_title(loc="left") for axes in (companies, persons)] == ["companies", "people"]
    assert [label.get_text() for label in companies.get_yticklabels()] == [
        *("invalid", "pulled", "in progress", "complete"),
        *("pushed", "passed", "promoted", "still invalid"),
    ]
    assert bars(companies) == list(DEMO.values())
    assert written(companies) == [str(number) for number in DEMO.values()]
    # A stage that nobody counted is 0, and 5 people are not lost beside 119 companies.
    assert bars(persons) == [5, 0, 0, 0, 0, 0, 0, 2]
    assert persons.get_xlim()[1] < 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("companies", "people"),
    [({}, {}), (DEMO, dict.fromkeys(STAGES, 0)), (HUGE, dict.fromkeys(STAGES, 1)), (DEMO, HUGE)],
    ids=["nothing", "zeros", "huge", "huge people"],
)
def test_numbers_stay_in_their_half_and_off_the_bars(
    companies: dict[str, int], people: dict[str, int]
) -> None:
    figure = funnel_figure({"company": companies, "people": people})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        frame = axes.get_window_extent()
        assert len(axes.texts) == len(STAGES)
        for text, bar in zip(axes.texts, axes.patches, strict=True):
            box = text.get_window_extent(canvas.get_renderer())
            end = bar.get_window_extent().x1
            assert end < box.x0, text.get_text()
            assert box.x1 <= frame.x1 + 1, text.get_text()
            assert frame.y0 <= box.y0 < box.y1 <= frame.y1, text.get_text()


def test_huge_numbers_can_be_read() -> None:
    axes = funnel_figure({"company": HUGE}).axes[0]
    assert written(axes)[:3] == ["1,000,000,000", "12,345,678", "100,000"]


def test_the_picture_is_900_pixels_wide_and_not_blank() -> None:
    # Every number 0 leaves names and numbers; bars add ink.
    empty = pixels(funnel_picture({}))
    full = pixels(funnel_picture({"company": DEMO, "people": HUGE}))
    assert empty.shape == full.shape == (320, 900, 4)
    dark = [(shown[..., :3] < 0.9).any(axis=2).mean() for shown in (empty, full)]
    assert 0.005 < dark[0] < dark[1] < 0.7
    assert len(funnel_picture({"company": HUGE})) < 60_000


@pytest.mark.parametrize(
    "counts", [{"company": {"still invalid": 3}}, {"company": {"pull": 3}}, {"companies": DEMO}]
)
def test_a_misspelled_name_is_refused_rather_than_left_out(
    counts: dict[str, dict[str, int]],
) -> None:
    with pytest.raises(ValueError, match=r"the funnel has no (still invalid|pull|companies)"):
        funnel_picture(counts)
