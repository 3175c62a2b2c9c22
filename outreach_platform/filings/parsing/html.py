"""The reader for HTML, from tables of the 1990s to inline XBRL."""

import re
from dataclasses import dataclass, replace
from typing import Any

from outreach_platform.filings.parsing.document import Document, Line, TableSource

_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt"),
        *("fieldset", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html"),
        *("li", "main", "nav", "ol", "p", "page", "pre", "section", "table", "tbody", "td"),
        *("tfoot", "th", "thead", "tr", "ul", "document", "text"),
    )
)
_SKIPPED = frozenset(("head", "script", "style", "title", "noscript", "template"))
_BOLD = frozenset(("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"))
_ITALIC = frozenset(("i", "em", "u", "ins"))
_SPACE = re.compile(r"[\s\u00a0\u200b\u200c\u200d\u2060\ufeff\u00ad]+")
_SIZE = re.compile(r"font-size\s*:\s*([\d.]+)\s*(pt|px|em|rem|%)?")
_WEIGHT = re.compile(r"font-weight\s*:\s*(bold|bolder|[6-9]00|normal|[1-5]00)|\bfont:[^;]*\bbold\b")
_BREAK = re.compile(r"(?:page-break|break)-(before|after)\s*:\s*(?:always|page|left|right)")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_FONT_SIZES = {"1": 7.5, "2": 10.0, "3": 12.0, "4": 13.5, "5": 18.0, "6": 24.0, "7": 36.0}
# A cell of more text than this, in more than one block, is layout: its paragraphs are lines.
_LAYOUT_CELL = 400
_PROLOGUE = re.compile(r"^\s*(?:<\?xml[^>]*\?>)?\s*", re.S)


@dataclass(frozen=True, slots=True)
class _Style:
    bold: bool = False
    italic: bool = False
    centred: bool = False
    size: float = 0.0
    link: str = ""
    table: int = -1
    row: bool = False


def read_html(source: str) -> Document:
    """Read an HTML document.

    Args:
        source: the document's markup.

    Raises:
        ValueError: there is no text in it.
    """
    import lxml.html

    parser = lxml.html.HTMLParser(huge_tree=True, recover=True, remove_comments=True)
    root = lxml.html.document_fromstring(_PROLOGUE.sub("", source, count=1), parser=parser)
    return _Reader().read(root)


class _Reader:
    """Walks the tree once and writes lines."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.lines: list[Line] = []
        self.tables: list[TableSource] = []
        self.elements: list[Any] = []
        self.last: list[int] = []
        self.page = 0
        self.anchors: list[str] = []
        self.runs: list[tuple[str, _Style]] = []
        self.current = 0

    def read(self, root: Any) -> Document:
        self._walk(root, _Style())
        self._flush()
        if not self.lines:
            raise ValueError("no text in the document")
        return Document(
            text="".join(self.parts),
            lines=self.lines,
            tables=self.tables,
            source="html",
            slice_html=self._slice,
        )

    def _walk(self, element: Any, style: _Style) -> None:
        tag = element.tag
        if not isinstance(tag, str):
            return
        index = len(self.elements)
        self.elements.append(element)
        self.last.append(index)
        tag = tag.rpartition(":")[2] if tag.startswith("ix:") else tag
        css = (element.get("style") or "").lower()
        if tag in _SKIPPED or element.tag == "ix:header" or (css and _HIDDEN.search(css)):
            return
        for name in (element.get("id"), element.get("name")):
            if name:
                self.anchors.append(name)
        inner = self._styled(element, tag, css, style)
        block = tag in _BLOCKS and not (style.row and tag != "table")
        broken = _BREAK.search(css) if css else None
        if block:
            self._flush()
            self.current = index
        if tag == "br":
            self.runs.append((" " if style.row else "\n", style))
        if tag == "page" or (broken and broken[1] == "before"):
            self.page += 1
        if tag == "table":
            self._table(element, inner, index)
        elif tag == "tr":
            self._row(element, inner)
        else:
            self._inside(element, inner)
        if block:
            self._flush()
        if broken and broken[1] == "after":
            self.page += 1
        self.last[index] = len(self.elements) - 1

    def _inside(self, element: Any, style: _Style) -> None:
        if element.text:
            self.runs.append((element.text, style))
        for child in element:
            self._walk(child, style)
            if child.tail:
                self.runs.append((child.tail, style))

    def _styled(self, element: Any, tag: str, css: str, style: _Style) -> _Style:
        bold, italic, centred, size, link = (
            *(style.bold, style.italic, style.centred, style.size, style.link),
        )
        if tag in _BOLD:
            bold = True
        elif tag in _ITALIC:
            italic = True
        elif tag == "center":
            centred = True
        elif tag == "font" and element.get("size") in _FONT_SIZES:
            size = _FONT_SIZES[element.get("size")]
        elif tag == "a":
            href = element.get("href") or ""
            link = href[1:] if href.startswith("#") else link
        if align := element.get("align"):
            centred = align.lower() == "center"
        if css:
            if weight := _WEIGHT.search(css):
                bold = weight[1] not in ("normal", "100", "200", "300", "400", "500")
            if "italic" in css or "underline" in css:
                italic = True
            if "text-align" in css:
                centred = "text-align:center" in css.replace(" ", "")
            if found := _SIZE.search(css):
                size = float(found[1]) * {"px": 0.75, "em": 10, "rem": 10, "%": 0.1}.get(
                    found[2] or "pt", 1.0
                )
        now = (bold, italic, centred, size, link)
        before = (style.bold, style.italic, style.centred, style.size, style.link)
        if now == before:
            return style
        return replace(style, bold=bold, italic=italic, centred=centred, size=size, link=link)

    def _table(self, element: Any, style: _Style, index: int) -> None:
        number = len(self.tables)
        page = self.page
        self.tables.append(TableSource(self.length, self.length, element, page))
        self._inside(element, replace(style, table=number, row=False))
        self._flush()
        inside = [line for line in self.lines[-1:] if line.table >= number and line.node >= index]
        end = inside[-1].end if inside else self.length
        start = next((line.start for line in self._lines_of(number)), end)
        self.tables[number] = TableSource(start, end, element, page)

    def _lines_of(self, number: int) -> list[Line]:
        found: list[Line] = []
        for line in reversed(self.lines):
            if line.table < number:
                break
            found.append(line)
        return found[::-1]

    def _row(self, element: Any, style: _Style) -> None:
        """A row is one line, unless a cell holds paragraphs."""
        cells = [cell for cell in element if cell.tag in ("td", "th")]
        if any(_is_layout(cell) for cell in cells):
            self._inside(element, style)
            return
        in_row = replace(style, row=True)
        for child in element:
            self._walk(child, in_row)
            self.runs.append((" ", in_row))

    def _flush(self) -> None:
        """End the line: write what was gathered."""
        runs, self.runs = self.runs, []
        if not runs:
            return
        if all(text != "\n" or s.row for text, s in runs):
            self._write(runs)
            return
        part: list[tuple[str, _Style]] = []
        for run in runs:
            if run[0] == "\n" and not run[1].row:
                self._write(part)
                part = []
            else:
                part.append(run)
        self._write(part)

    def _write(self, runs: list[tuple[str, _Style]]) -> None:
        text = _SPACE.sub(" ", "".join(text for text, _ in runs)).strip()
        if not text:
            return
        said = [(t, s) for t, s in runs if t.strip() and any(c.isalnum() for c in t)]
        styles = [s for _, s in said] or [runs[0][1]]
        before = self.lines[-1] if self.lines else None
        table = styles[0].table
        if before is not None:
            gap = "\n" if table >= 0 and before.table == table else "\n\n"
            self.parts.append(gap)
            self.length += len(gap)
        links = {s.link for s in styles}
        line = Line(
            start=self.length,
            end=self.length + len(text),
            table=table,
            bold=all(s.bold for s in styles),
            italic=all(s.italic for s in styles),
            centred=all(s.centred for s in styles),
            size=max(s.size for s in styles),
            link=next((link for link in links if link), ""),
            anchors=tuple(self.anchors),
            page=self.page,
            node=self.current,
        )
        self.anchors = []
        self.lines.append(line)
        self.parts.append(text)
        self.length += len(text)

    def _slice(self, start: int, end: int) -> str:
        import lxml.html

        inside = [line for line in self.lines if line.start < end and line.end > start]
        if not inside:
            return ""
        behind = next((line for line in self.lines if line.start >= end), None)
        first, stop = inside[0].node, behind.node if behind else len(self.elements)
        found: list[str] = []
        index = first
        while index < max(stop, first + 1):
            if self.last[index] < max(stop, first + 1) or index == inside[-1].node:
                html = lxml.html.tostring(self.elements[index], encoding="unicode", with_tail=False)
                found.append(str(html))
                index = self.last[index] + 1
            else:
                index += 1
        return "".join(found)


def _is_layout(cell: Any) -> bool:
    """Whether a cell holds paragraphs, or a table of its own."""
    if cell.find(".//table") is not None:
        return True
    blocks = sum(1 for child in cell.iter("p", "div", "li") if child is not cell)
    if blocks < 2 and cell.find(".//br") is None:
        return False
    return len(cell.text_content()) > _LAYOUT_CELL
