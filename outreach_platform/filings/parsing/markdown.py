"""A table as GitHub Markdown."""

import re
from collections.abc import Sequence

_BREAK = re.compile(r"\s*[\r\n]+\s*")


def table_markdown(headers: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    r"""The Markdown of a table; `|` and `\` in a cell are escaped.

    Args:
        headers: one a column; may be empty texts.
        body: rows with one text a column.
    """
    lines = [_line(headers), "|" + " --- |" * len(headers)]
    lines += [_line(row) for row in body]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {_escaped(cell)} " if cell else "  " for cell in cells) + "|"


def _escaped(cell: str) -> str:
    return _BREAK.sub(" ", cell).replace("\\", "\\\\").replace("|", "\\|")
