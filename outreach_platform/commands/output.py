"""What commands print: the result to stdout, progress and messages to stderr."""

import itertools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]

_STYLES = {
    "published": "green",
    "exported": "green",
    "intact": "green",
    "restored": "green",
    "pruned": "green",
    "stopped": "yellow",
    "failed": "red",
    "damaged": "red",
    "error": "bold red",
    "warning": "yellow",
}
# Piped output has no width of its own; a narrow default would break every line.
_PIPED_WIDTH = 200
_WIDEST = 9


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def message(text: str, style: str | None = None) -> None:
    """A line to stderr."""
    _console(stderr=True).print(text, style=style, markup=False, soft_wrap=True)


def warning(text: str) -> None:
    """A line to stderr that stands out."""
    message(f"warning: {text}", "yellow")


def interrupted() -> None:
    """Say that Ctrl-C was heard; a live line had hidden the cursor."""
    console = _console(stderr=True)
    console.show_cursor()
    console.print("interrupted; the next run finishes or removes what was left")


def result(rows: Sequence[Row], *, as_json: bool) -> None:
    """The command's result: tables, or `{"results": [...]}` with the same columns as keys.

    Rows with the same columns make one table; a long row by itself is shown a line a column.
    """
    if as_json:
        click.echo(json.dumps({"results": list(rows)}, default=str, indent=2))
        return
    for _, group in itertools.groupby(rows, key=list):
        alike = list(group)
        wide = len(alike) == 1 and len(alike[0]) > _WIDEST
        _console().print(_listing(alike[0]) if wide else _table(alike))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        justify = "right" if isinstance(value, int) else "left"
        wraps = name in ("message", "problems", "action")
        table.add_column(name.replace("_", " "), justify=justify, no_wrap=not wraps)
    for row in rows:
        table.add_row(*(worded(value) for value in row.values()), style=_style(row))
    return table


def _listing(row: Row) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        style = _style(row) if name == "status" else None
        table.add_row(name.replace("_", " "), Text(worded(value), style=style or ""))
    return table


def _style(row: Row) -> str | None:
    return _STYLES.get(str(row.get("status", row.get("severity"))))


def worded(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    if isinstance(value, list):
        return "; ".join(str(part) for part in value)
    return str(value)


class Progress:
    """Says what is being done: a live line on a terminal, a line a stage elsewhere."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def __call__(self, text: str) -> None:
        """Show `text` as the present stage."""
        if self._status is not None:
            self._status.update(text)
        else:
            message(text)


@contextmanager
def progress(text: str) -> Iterator[Progress]:
    """Show progress on stderr for a block."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield Progress(None)
        return
    with console.status(text) as status:
        yield Progress(status)
