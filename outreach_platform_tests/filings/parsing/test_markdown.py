"""Tables as Markdown, and back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.parsing.markdown import table_markdown

_CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(
    lambda text: " ".join(text.split())
)
_TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=1, max_size=6)
)


def read_back(line: str) -> list[str]:
    """The cells of a line of GitHub Markdown."""
    return [re.sub(r"\\([\\|])", r"\1", cell).strip(" ") for cell in _split(line[1:-1])]


def _split(text: str) -> list[str]:
    cells, cell, escaped = [], "", False
    for char in text:
        if char == "|" and not escaped:
            cells.append(cell)
            cell = ""
            continue
        cell += char
        escaped = char == "\\" and not escaped
    return [*cells, cell]


@given(_TABLES)
def test_every_cell_comes_back(rows):
    lines = table_markdown(rows[0], rows[1:]).split("\n")
    assert [read_back(line) for line in (lines[0], *lines[2:])] == rows


def test_the_second_line_parts_headers_from_rows():
    assert table_markdown(["", "2023"], [["Cash", "$5"]]) == (
        "|  | 2023 |\n| --- | --- |\n| Cash | $5 |"
    )


def test_bars_and_line_breaks_do_not_end_a_cell():
    text = table_markdown(["a|b"], [["c\nd"], ["e\\"]])
    assert text.split("\n") == ["| a\\|b |", "| --- |", "| c d |", "| e\\\\ |"]
