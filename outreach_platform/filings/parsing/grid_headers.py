"""Where a table's headers end: titles and units above, then the rows that name the columns."""

import re
from collections import Counter
from collections.abc import Sequence

from outreach_platform.filings.parsing.grid_columns import Span, covered
from outreach_platform.filings.parsing.grid_numbers import (
    Cell,
    is_dash,
    is_markers,
    is_range,
    is_value,
    is_year,
)

_UNIT_WORDS = r"(?:thousand|million|billion|hundred)s?"
_UNITS = re.compile(
    rf"\(?\s*(?:(?:all\s+)?(?:dollar|currency|tabular)?\s*(?:amounts?|dollars|figures|numbers"
    rf"|values|shares"
    rf"|data)?\s*(?:are\s+)?(?:presented\s+|expressed\s+|stated\s+"
    rf"|shown\s+)?\$?\s*in\s+(?:\w+\.?\s+){{0,3}}?"
    rf"\$?\s*{_UNIT_WORDS}|{_UNIT_WORDS}\s+(?:of\s+)?(?:u\.?s\.?\s+)?(?:dollars|shares|barrels)?"
    rf"|(?:u\.?s\.?\s+)?(?:dollars?|\$)\s*{_UNIT_WORDS}"
    rf"|\$?\s*(?:000|000,000)'?s?(?:\s+omitted)?|in\s+(?:u\.?s\.?\s+)?(?:dollars|percent(?:ages)?)"
    rf")\b(?:[^.]|\.\d)*\)?\s*(?:\(unaudited\))?[:.]?",
    re.I,
)
_UNAUDITED = re.compile(r"\(?\s*(?:un)?audited\s*\)?", re.I)
_PERIOD = re.compile(
    r"(?:(?:for|as of|at|as at)?\s*(?:the\s+)?(?:fiscal\s+)?(?:(?:three|six|nine|twelve|\d+)[ -])?"
    r"(?:(?:and\s+)?(?:three|six|nine|twelve)[ -])?"
    r"(?:years?|months?|weeks?|quarters?|periods?|fiscal|fy|q[1-4]|[1-4](?:st|nd|rd"
    r"|th)?\s*quarter)\b.*"
    r"|(?:as of|at|balance at)?\s*(?:january|february|march|april|may|june|july|august|september"
    r"|october"
    r"|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?\s*(?:\d{1,2})?,?\s*"
    r"(?:(?:19|20)\d\d)?\b.{0,40}|\d{1,2}/\d{1,2}/\d{2,4})",
    re.I,
)
# A label of the body, though it may reach over all columns.
_GROUP = re.compile(
    r".*:|(?:total )?(?:assets|liabilities.*|revenues?|net sales|income|operating .*)", re.I
)
_STATEMENT = re.compile(
    r"(?:condensed |combined )*consolidated (?:\w+ ){0,3}?(?:statements?|balance sheets?)\b.{0,60}"
    r"|(?:\w+ ){0,2}balance sheets?(?: \(.{0,20}\))?|statements? of .{0,60}",
    re.I,
)
# Rows at the top that may name the columns.
_MOST = 12
_UNITS_LENGTH = 200
_LONG = 160


def is_period(text: str) -> bool:
    """Whether a text names a period or a day alone: `Years ended December 31, 2023 and 2022`."""
    return len(text) <= _LONG and bool(_PERIOD.fullmatch(text))


def is_units(text: str) -> bool:
    """Whether a text says in what the table counts: `(in millions, except per share data)`."""
    if len(text) > _UNITS_LENGTH:
        return False
    return bool(_UNITS.fullmatch(text)) or bool(_UNAUDITED.fullmatch(text))


def top_rows(
    rows: Sequence[Sequence[Cell]], columns: Sequence[Span]
) -> tuple[list[str], str, list[Sequence[Cell]]]:
    """Take titles and units from the top of a table.

    A title reaches over all columns, the one with the labels included. What holds a number stays
    among the headers too.

    Returns:
        Titles, units, and the rows without those that were titles or units alone.
    """
    titles: list[str] = []
    units: list[str] = []
    left: list[Sequence[Cell]] = []
    top = True
    for number, row in enumerate(rows):
        top = top and number < _MOST and _is_above(row)
        text = row[0].text
        counted = any(char.isdigit() for cell in row for char in cell.text)
        if top and not left and _is_named_statement(row):
            titles.append(" ".join(cell.text for cell in row))
        elif top and len(row) == 1 and is_units(text):
            units.append(text)
        elif top and not left and len(columns) > 1 and _is_title(rows[number:], columns):
            titles.append(text)
        else:
            units += [cell.text for cell in row if top and is_units(cell.text)]
            left.append(row)
            continue
        if counted:
            left.append(row)
    return titles, " ".join(dict.fromkeys(units)), left


def _is_above(row: Sequence[Cell]) -> bool:
    return not any(is_value(cell.text) and not is_year(cell.text) for cell in row)


def _is_named_statement(row: Sequence[Cell]) -> bool:
    """Whether a row is the name of a statement and, beside it, of the company."""
    return len(row) < 3 and any(_STATEMENT.fullmatch(cell.text) for cell in row)


def _is_title(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> bool:
    """Whether the first of these rows is a title: alone, over all columns or in bold capitals."""
    if len(rows[0]) > 1 or len(rows) < 2:
        return False
    cell = rows[0][0]
    if len(cell.text) > _LONG or _GROUP.fullmatch(cell.text):
        return False
    over = covered(cell, columns)
    if len(over) == len(columns):
        return True
    loud = cell.text.isupper() and cell.text.count(" ") > 1
    if over == [0]:
        return (loud or cell.bold) and len(rows[1]) > 1 and _is_above(rows[1])
    return loud


def header_height(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> int:
    """How many rows at the top name columns.

    They end before the first row with a value beside its label, and before a label that stands
    alone (`Assets:`) with no further header below it.
    """
    values = (n for n, row in enumerate(rows) if any(_is_counted(c.text) for c in row[1:]))
    numeric = _numeric_columns(rows[next(values, 0) :], columns)
    height = 0
    for number, row in enumerate(rows[:_MOST]):
        started = _are_named(rows[:height], columns)
        kind = _kind(row, columns, started=started)
        if kind == "words" and not _is_named(row, numeric, columns, years=not started):
            break
        if kind == "body":
            break
        if kind != "open":
            height = number + 1
    return height or _of_words(rows, columns)


def _are_named(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> bool:
    """Whether rows of headers tell each column from the others."""
    names: list[list[str]] = [[] for _ in columns]
    for row in rows:
        for cell in row:
            for index in covered(cell, columns):
                names[index].append(cell.text)
    told = [tuple(name) for name in names[1:] if name]
    return bool(told) and len(set(told)) == len(told)


def _is_named(
    row: Sequence[Cell], numeric: set[int], columns: Sequence[Span], *, years: bool
) -> bool:
    """Whether a row with a label names columns of numbers.

    Args:
        row: label, and words beside it.
        numeric: indices of columns of numbers.
        columns: of the table.
        years: whether some of its cells may be years.
    """
    if any(is_value(cell.text) and not (years and is_year(cell.text)) for cell in row):
        return False
    words = [cell for cell in row[1:] if any(char.isalpha() for char in cell.text)]
    return any(numeric & set(covered(cell, columns)) for cell in words)


def _numeric_columns(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> set[int]:
    """Columns whose cells are for the most part values."""
    values: Counter[int] = Counter()
    for row in rows:
        for cell in row:
            place = covered(cell, columns)
            if len(place) == 1:
                counted = is_value(cell.text) or is_dash(cell.text)
                values[place[0]] += 1 if counted else -1
    return {index for index, balance in values.items() if balance > 0 and index > 0}


def _kind(row: Sequence[Cell], columns: Sequence[Span], *, started: bool) -> str:
    """`header`, `body`, `words` beside a label, or `open`: a lone label, decided by what follows.

    Args:
        row: one near the top.
        columns: of the table.
        started: whether rows above it name each column; years beside a label are values then.
    """
    if len(row) == 1 and len(columns) > 1 and _is_before_values(row[0], columns):
        return "open"
    beside = [cell for cell in row if 0 not in covered(cell, columns) or len(columns) == 1]
    label = next((cell for cell in row if 0 in covered(cell, columns)), None)
    if not beside:
        if label is None:
            return "open"
        if len(label.text) > _LONG:
            return "body"
        wide = len(covered(label, columns)) > 1
        return "header" if wide and _PERIOD.fullmatch(label.text) else "open"
    if any(_is_counted(cell.text) for cell in beside):
        return "body"
    if label is None or is_units(label.text) or _PERIOD.fullmatch(label.text):
        return "header"
    if all(_names_column(cell.text) for cell in beside):
        return "body" if started else "header"
    return "words"


def _is_before_values(cell: Cell, columns: Sequence[Span]) -> bool:
    """Whether a cell of words stands right of the labels and left of all values."""
    return not is_value(cell.text) and columns[0][1] <= cell.start and cell.end <= columns[1][0]


def _is_counted(text: str) -> bool:
    if is_range(text):
        return True
    return (is_value(text) and not is_year(text) and not is_markers(text)) or (
        is_dash(text) and not text[0].isalpha()
    )


def _names_column(text: str) -> bool:
    return is_year(text) or bool(_PERIOD.fullmatch(text))


def _of_words(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> int:
    """The header of a table of words, or of years: by typeface and by what is below."""
    first = next((n for n, row in enumerate(rows[:_MOST]) if len(row) > 1), None)
    if first is None or first + 1 >= len(rows):
        return 0
    row, below = rows[first], rows[first + 1 :]
    if any(_is_counted(cell.text) or len(cell.text) > _LONG for cell in row):
        return 0
    if all(cell.bold for cell in row) and not all(c.bold for other in below[:3] for c in other):
        return first + 1
    if any(char.isdigit() for cell in row for char in cell.text):
        return 0
    numeric = _numeric_columns(below, columns)
    if any(numeric & set(covered(cell, columns)) for cell in row):
        return first + 1
    return first + 1 if len(row) == len(columns) and _digits_below(below, columns) else 0


def _digits_below(rows: Sequence[Sequence[Cell]], columns: Sequence[Span]) -> bool:
    """Whether a column has digits in most of its cells."""
    balance: Counter[int] = Counter()
    for row in rows:
        for cell in row:
            digits = any(char.isdigit() for char in cell.text)
            balance[covered(cell, columns)[0]] += 1 if digits else -1
    return any(count > 0 for count in balance.values())
