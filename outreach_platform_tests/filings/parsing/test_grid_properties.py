"""Whatever a table looks like: no number is lost, none is made up, the grid stays a grid."""

from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.filings.parsing.document import Document, TableSource
from outreach_platform.filings.parsing.grid import read_grid
from outreach_platform_tests.filings.parsing.test_grid import element, grid, numbers

_VALUES = st.integers(0, 99_999_999).map(lambda n: f"{n:,}") | st.decimals(0, 999, places=2).map(
    str
)


@st.composite
def _cells(draw):
    """A value as three cells of a source column: sign, number, end."""
    text = draw(_VALUES)
    kind = draw(st.sampled_from(("plain", "money", "loss", "percent", "dash", "empty", "wide")))
    if kind in ("dash", "empty"):
        return "<td></td><td>—</td><td></td>" if kind == "dash" else "<td></td><td></td><td></td>"
    if kind == "wide":
        return f'<td colspan="2">{text}</td><td></td>'
    signs = {"plain": ("", ""), "money": ("$", ""), "loss": ("", ")"), "percent": ("", "%")}
    before, behind = signs[kind]
    opened = "(" if kind == "loss" else ""
    return f"<td>{before}</td><td>{opened}{text}</td><td>{behind}</td>"


@st.composite
def _tables(draw):
    columns = draw(st.integers(1, 5))
    years = "".join(f'<td colspan="3">{2000 + n}</td>' for n in range(columns))
    lines = [f'<tr><td colspan="2">(in millions)</td>{years}</tr>']
    for n in range(draw(st.integers(1, 8))):
        cells = "".join(draw(_cells()) for _ in range(columns))
        lines.append(f'<tr><td colspan="2">Row {n * 1000}</td>{cells}</tr>')
        if draw(st.booleans()):
            lines.append(f'<tr><td colspan="{2 + 3 * columns}">Group {n}:</td></tr>')
    return "".join(lines)


@settings(deadline=None, max_examples=60)
@given(_tables())
def test_every_number_is_kept_as_often_as_it_stands_in_the_source(rows):
    source = numbers(element(rows).itertext())
    found = grid(rows)
    body = numbers(text for one in found.body for text in one)
    kept = body + numbers(found.headers)
    assert not source - kept
    assert not body - source
    assert all(len(one) == found.width for one in found.body)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(("", "Net sales", "5", "(6", ")", "$", "%", "1999", "(a)", "7.5")),
                st.integers(1, 4),
                st.integers(1, 3),
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=7,
    )
)
def test_no_shape_of_spans_loses_a_number_or_breaks_the_grid(shape):
    rows = "".join(
        "<tr>"
        + "".join(f'<td colspan="{w}" rowspan="{h}">{text}</td>' for text, w, h in cells)
        + "</tr>"
        for cells in shape
    )
    found = read_grid(Document("", [], [], "html"), TableSource(0, 1, element(rows)))
    source = numbers(element(rows).itertext())
    if found is None:
        assert not source
        return
    texts = [*found.headers, *(text for one in found.body for text in one)]
    assert not source - numbers(texts)
    assert all(len(one) == found.width for one in found.body)
