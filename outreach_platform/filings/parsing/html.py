"""The reader for HTML, from tables of the 1990s to inline XBRL."""

from outreach_platform.filings.parsing.document import Document, Line, TableSource
from outreach_platform.filings.parsing.furniture import Furniture
from outreach_platform.filings.parsing.furniture_pages import paged_furniture
from outreach_platform.filings.parsing.html_rows import Run
from outreach_platform.filings.parsing.html_slice import Place, Slicer
from outreach_platform.filings.parsing.html_source import parse_html
from outreach_platform.filings.parsing.html_walk import RawLine, Walk, walk


def read_html(source: str) -> Document:
    """Read an HTML document.

    Args:
        source: the document's markup.

    Raises:
        ValueError: there is no text in it.
    """
    root = parse_html(source)
    found = walk(root)
    furniture = _leave_out(found)
    if not found.lines:
        raise ValueError("no text in the document")
    text, starts = _text(found.lines)
    tables, numbers = _tables(found, starts)
    return Document(
        text=text,
        lines=[
            _line(number, line, start, numbers)
            for number, (line, start) in enumerate(zip(found.lines, starts, strict=True))
        ],
        tables=tables,
        source="html",
        slice_html=Slicer(root, starts, [_place(line.runs[0]) for line in found.lines]),
        notes=furniture.notes,
        printed_pages=furniture.printed,
    )


def _leave_out(found: Walk) -> Furniture:
    """Take the furniture out of the lines and out of the tree."""
    lines = found.lines
    furniture, pages = paged_furniture(
        [line.text for line in lines],
        [line.page for line in lines],
        [line.table for line in lines],
        [_link(line.runs) for line in lines],
        [line.sheet for line in lines],
    )
    anchors: tuple[str, ...] = ()
    kept: list[RawLine] = []
    for index, line in enumerate(lines):
        line.page = pages[index]
        if index in furniture.lines:
            anchors += line.anchors
            _blank(line.runs)
            continue
        if anchors:
            line.anchors, anchors = anchors + line.anchors, ()
        kept.append(line)
    found.lines = kept
    return furniture


def _blank(runs: list[Run]) -> None:
    for run in runs:
        where = "tail" if run.tail else "text"
        text = getattr(run.element, where)
        end = run.offset + len(run.text)
        setattr(run.element, where, text[: run.offset] + " " * len(run.text) + text[end:])


def _link(runs: list[Run]) -> str:
    return next((run.style.link for run in runs if run.style.link), "")


def _text(lines: list[RawLine]) -> tuple[str, list[int]]:
    """The text that the lines make up, and where each begins."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    before: RawLine | None = None
    for line in lines:
        gap = "" if before is None else "\n\n" if _is_apart(before, line) else "\n"
        # Inside <pre> the indentation is kept in front of the line.
        body = line.text.lstrip()
        gap += line.text[: len(line.text) - len(body)]
        starts.append(length + len(gap))
        parts += (gap, body)
        length += len(gap) + len(body)
        before = line
    return "".join(parts), starts


def _is_apart(before: RawLine, line: RawLine) -> bool:
    return line.apart if line.table < 0 or line.table == before.table else True


def _tables(found: Walk, starts: list[int]) -> tuple[list[TableSource], dict[int, int]]:
    """The tables that hold a line, and their numbers by those of the walk."""
    spans: dict[int, list[int]] = {}
    for line, start in zip(found.lines, starts, strict=True):
        body = line.text.lstrip()
        table, end = line.table, start + len(body)
        # The columns of a table of text count from the margin.
        if table >= 0 and found.tables[table][0] is None:
            start -= len(line.text) - len(body)
        while table >= 0:
            spans.setdefault(table, [start, end])[1] = end
            table = found.tables[table][2]
    numbers = {table: number for number, table in enumerate(sorted(spans))}
    tables = [
        TableSource(*spans[table], element=found.tables[table][0], page=found.tables[table][1])
        for table in numbers
    ]
    return tables, numbers


def _line(node: int, line: RawLine, start: int, numbers: dict[int, int]) -> Line:
    """A line as the document has it: what all of its letters and digits look like."""
    said = [run.style for run in line.runs if any(c.isalnum() for c in run.text)]
    styles = said or [line.runs[0].style]
    return Line(
        start=start,
        end=start + len(line.text.lstrip()),
        table=numbers.get(line.table, -1),
        bold=all(style.bold for style in styles),
        italic=all(style.italic for style in styles),
        centred=all(style.centred for style in styles),
        size=max(style.size for style in styles),
        link=_link(line.runs),
        anchors=line.anchors,
        page=line.page,
        node=node,
    )


def _place(run: Run) -> Place:
    """Where a line begins whose first run this is: before all that begins with it."""
    if run.opener is not None:
        return Place(run.opener, "before")
    return Place(run.element, "tail" if run.tail else "text", run.offset)
