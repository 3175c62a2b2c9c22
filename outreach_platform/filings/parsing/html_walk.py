"""One walk over a page's tree, without recursion: lines of text with their looks and places."""

from dataclasses import dataclass, field
from typing import Any

from outreach_platform.filings.parsing.html_rows import (
    BREAK,
    CELL,
    Run,
    row_lines,
    text_of,
)
from outreach_platform.filings.parsing.html_source import TEXT_TABLE
from outreach_platform.filings.parsing.html_style import Style, Styler

_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "dir"),
        *("div", "dl", "dt", "fieldset", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("header", "hr", "html", "li", "main", "menu", "nav", "ol", "p", "pre", "section"),
        *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "xmp", TEXT_TABLE),
    )
)
_SKIPPED = frozenset(("head", "script", "style", "title", "noscript", "template", "select"))
_TABLES = frozenset(("table", TEXT_TABLE))
_CELLS = frozenset(("td", "th"))


@dataclass(slots=True)
class RawLine:
    """A line before furniture is left out and offsets are given.

    Attributes:
        text: never empty.
        runs: what it is made of.
        table: index in `Walk.tables`, -1 outside.
        page: page breaks before it.
        sheet: rules across the page before it, where a document has no page breaks.
        anchors: names of anchors since the line before.
        apart: whether an empty line parts it from the line before.
    """

    text: str
    runs: list[Run]
    table: int
    page: int
    sheet: int
    anchors: tuple[str, ...]
    apart: bool


@dataclass(slots=True)
class _Frame:
    """An open element, and what is put back when it closes; `below` the body."""

    element: Any
    said: int
    style: Style
    below: bool = True
    block: bool = False
    turns: bool = False
    row: bool | None = None
    table: int | None = None


@dataclass(slots=True)
class Walk:
    """What a walk found.

    Attributes:
        lines: in the order of the text.
        tables: each with its element (None where it is laid out by spaces), its page, and the index
            of the table around it, -1 without.
    """

    lines: list[RawLine] = field(default_factory=list)
    tables: list[tuple[Any, int, int]] = field(default_factory=list)


def walk(root: Any) -> Walk:
    """Read a tree into lines.

    Args:
        root: the page's root element of lxml.
    """
    walker = _Walker(Styler(root))
    walker.run(root)
    return walker.found


class _Walker:
    def __init__(self, styler: Styler) -> None:
        self.found = Walk()
        self._look = styler.look
        self._style = Style()
        self._frames: list[_Frame] = []
        self._runs: list[Run] = []
        self._anchors: list[str] = []
        # Runs with something to see so far: tells which elements begin with a run.
        self._said = 0
        self._page = self._sheet = 0
        self._table = -1
        # Inside a row that gathers its cells into one line.
        self._row = False
        # A paragraph ended since the last line.
        self._apart = False

    def run(self, root: Any) -> None:
        element = root
        while True:
            child = self._enter(element)
            if child is not None:
                element = child
                continue
            following = None
            while following is None:
                self._leave()
                if element is root:
                    self._flush()
                    return
                if element.tail:
                    self._say(element.tail, element, tail=True)
                following = element.getnext()
                if following is None:
                    element = element.getparent()
            element = following

    def _enter(self, element: Any) -> Any:
        """Open an element; its first child, None where there is nothing to go into."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED or tag == "ix:header":
            self._frames.append(_Frame(element, self._said, self._style))
            return None
        look = self._look(element, tag, self._style)
        if look.hidden or element.get("hidden") is not None:
            self._frames.append(_Frame(element, self._said, self._style))
            return None
        self._name(element)
        block = tag in _BLOCKS
        if block:
            self._part(tag)
        if look.turns == "before":
            self._page += 1
        self._frames.append(self._frame(element, tag, block, look.turns == "after"))
        self._style = look.style
        if tag in _TABLES:
            around = self._table
            self._table = len(self.found.tables)
            self.found.tables.append((element if tag == "table" else None, self._page, around))
            self._row = False
        elif tag == "tr" and self._table >= 0:
            self._row = True
        elif tag == "br":
            self._end_line()
        elif tag == "hr" and self._table < 0:
            self._sheet += 1
        if element.text:
            self._say(element.text, element, tail=False)
        return element[0] if len(element) else None

    def _frame(self, element: Any, tag: str, block: bool, turns: bool) -> _Frame:
        row = self._row if tag in _TABLES or tag == "tr" else None
        table = self._table if tag in _TABLES else None
        below = tag not in ("html", "body")
        return _Frame(element, self._said, self._style, below, block, turns, row, table)

    def _leave(self) -> None:
        """Close the element opened last."""
        frame = self._frames.pop()
        self._style = frame.style
        if frame.block:
            if self._row and frame.row is None:
                self._runs.append(CELL if frame.element.tag in _CELLS else BREAK)
            else:
                self._flush()
        if frame.table is not None:
            self._table = frame.table
            # What comes behind a table inside a cell is a paragraph of the page.
            self._row = False
        elif frame.row is not None:
            self._row = frame.row
        if frame.turns:
            self._page += 1

    def _part(self, tag: str) -> None:
        """A block begins: a new line, or in a row a new paragraph of the cell."""
        if not self._row:
            self._flush()
        elif tag in _TABLES:
            self._flush(layout=True)
        elif tag == "tr":
            self._flush()
        else:
            self._runs.append(BREAK)

    def _end_line(self) -> None:
        if self._row:
            self._runs.append(BREAK)
        else:
            self._flush(block=not any(run.text.strip() for run in self._runs))

    def _name(self, element: Any) -> None:
        """Note the anchors that an element sets; the names of inline XBRL are no anchors."""
        if name := element.get("id"):
            self._anchors.append(name)
        if element.tag == "a" and (name := element.get("name")):
            self._anchors.append(name)

    def _say(self, text: str, element: Any, *, tail: bool) -> None:
        if self._style.pre and "\n" in text:
            offset = 0
            for number, piece in enumerate(text.split("\n")):
                if number:
                    self._end_line()
                if piece:
                    self._add(piece, element, tail, offset)
                offset += len(piece) + 1
        else:
            self._add(text, element, tail, 0)

    def _add(self, text: str, element: Any, tail: bool, offset: int) -> None:
        opener = None
        if text.strip():
            frames, said = self._frames, self._said
            if not offset:
                at = len(frames) - 1
                while at >= 0 and frames[at].said == said and frames[at].below:
                    opener = frames[at].element
                    at -= 1
            self._said += 1
        elif not self._runs:
            return
        self._runs.append(Run(text, self._style, element, tail, offset, opener))

    def _flush(self, *, layout: bool = False, block: bool = True) -> None:
        """End the line: write what was gathered."""
        if self._runs:
            runs, self._runs = self._runs, []
            if self._row:
                for line, paragraph in row_lines(runs, layout=layout):
                    self._apart = paragraph
                    self._write(line)
            else:
                self._write(runs)
        self._apart = self._apart or block

    def _write(self, runs: list[Run]) -> None:
        text = text_of(runs, row=self._row)
        if not text.strip():
            return
        self.found.lines.append(
            RawLine(
                text,
                [run for run in runs if run.text.strip()],
                self._table,
                self._page,
                self._sheet,
                tuple(self._anchors),
                self._apart,
            )
        )
        self._anchors = []
        self._apart = False
