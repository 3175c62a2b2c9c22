"""A filing as text with offsets: what every later step of the parsing reads.

A reader (`html`, `plain`) makes a `Document` once; sections, tables, footnotes and chunks refer to
it by offsets, so that a citation resolves to the very text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line as a reader sees it: a paragraph, a row of a table, or a line of plain text.

    Attributes:
        start: offset of its first character in `Document.text`.
        end: offset behind its last character; a line is never empty and holds no line break.
        table: index of its table in `Document.tables`, -1 outside of tables.
        bold: all of its letters are bold.
        italic: all of its letters are italic or underlined.
        centred: centred on the page.
        size: largest font size in points, 0 where the document does not say.
        link: the anchor inside the document that the line links to, without `#`; empty without.
        anchors: names of anchors that stand at the line or between it and the line before.
        page: number of page breaks before the line.
        node: the reader's own mark of the place, for `Document.slice_html`.
    """

    start: int
    end: int
    table: int = -1
    bold: bool = False
    italic: bool = False
    centred: bool = False
    size: float = 0.0
    link: str = ""
    anchors: tuple[str, ...] = ()
    page: int = 0
    node: int = -1


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table of the document, before anybody has asked whether it holds data or only layout.

    Attributes:
        start: offset of its first line in `Document.text`, with the line's indentation where spaces
            lay out the table.
        end: offset behind its last line.
        element: the `<table>` element of lxml in HTML; None in plain text and in `<pre>`, where the
            text between the offsets is all there is.
        page: number of page breaks before it.
    """

    start: int
    end: int
    element: Any = None
    page: int = 0


@dataclass(slots=True)
class Document:
    """A main document: its text, and what is known of each line.

    Attributes:
        text: all visible text; lines are parted by line breaks, and by empty lines where a
            paragraph ends.
        lines: in the order of the text, without overlap; they cover everything but white space.
        tables: in the order of the text; a nested table comes after the one around it.
        source: which reader made it: `html` or `text`.
        slice_html: the HTML of the lines between two offsets as balanced fragments; each element
            belongs to one slice where the slices do not overlap. Empty for plain text.
        notes: what the reader found odd, for `extraction_issues`.
        printed_pages: the page number as printed, by number of page breaks before the page; page
            numbers are left out of the text.
    """

    text: str
    lines: list[Line]
    tables: list[TableSource]
    source: str
    slice_html: Callable[[int, int], str] = field(default=lambda _start, _end: "")
    notes: list[str] = field(default_factory=list)
    printed_pages: dict[int, str] = field(default_factory=dict)

    def line_text(self, line: Line) -> str:
        """The text of a line."""
        return self.text[line.start : line.end]
