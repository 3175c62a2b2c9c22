"""The reader for plain text: submissions of the 1990s, and pages that are one `<pre>`.

Each line of the source stays one line of the document. Inside tables the columns stay where they
were; outside the indentation goes, and blank lines part paragraphs.
"""

import html
import re
from dataclasses import dataclass, field

from outreach_platform.filings.parsing.document import Document, Line, TableSource
from outreach_platform.filings.parsing.furniture import Furniture
from outreach_platform.filings.parsing.furniture_pages import paged_furniture
from outreach_platform.filings.parsing.plain_tables import aligned_tables

_PAGE = re.compile(r"^\s*</?PAGE>(?:\s*\d{1,4}\s*$)?", re.I)
_TABLE = re.compile(r"<(/?)TABLE\b[^<>]*>", re.I)
_TAG = re.compile(
    r"</?(?:PAGE|TABLE|CAPTION|S|C|FN|F\d{1,2}|R|RESTATED|LEGEND|MULTIPLIER|ARTICLE|PRE|HTML|HEAD|BODY|"
    r"TEXT|DOCUMENT|TITLE|B|I|U|A|FONT|CENTER|BR|P|HR|DIV|SUP|SUB|EM|STRONG|XMP|STYLE|META)"
    r"(?:\s[^<>]*)?/?>",
    re.I,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d{0,2});")
_ESCAPED_DASH = re.compile(r"^- (?=-)", re.M)
_RULED = re.compile(r"[\W_]*")
# Letters parted by one space, where words are parted by more.
_PARTED_LETTERS = re.compile(r"\w(?: \w){2,}[.,:]?", re.A)
_SPACES = re.compile(r"[ \u00a0]{2,}")
# A centred line is as far from the left as from the right margin, give or take these columns.
_OFF_CENTRE = 6
_CENTRED_INDENT = 4
_NARROWEST = 60
# A text is double-spaced where this share of its lines has one empty line before it.
_DOUBLED = 0.7


@dataclass(slots=True)
class _Row:
    """A source line on its way into the document."""

    text: str
    page: int
    table: int = -1
    blanks: int = 0


@dataclass(slots=True)
class _Rows:
    rows: list[_Row] = field(default_factory=list)
    page: int = 0
    tables: int = 0
    table: int = -1
    blanks: int = 0
    turned: bool = False

    def add(self, text: str) -> None:
        if not text.strip():
            self.blanks += 1
            return
        if self.turned and self.rows:
            self.page += 1
        self.rows.append(_Row(text, self.page, self.table, self.blanks))
        self.blanks, self.turned = 0, False


def read_plain(text: str) -> Document:
    """Read a plain-text document.

    Args:
        text: the document; may hold the tags of EDGAR's plain text (`<PAGE>`, `<TABLE>`, `<S>` …).

    Raises:
        ValueError: there is no text in it.
    """
    rows = _rows(text)
    furniture, pages = paged_furniture(
        [row.text.strip() for row in rows], [row.page for row in rows], [row.table for row in rows]
    )
    for row, page in zip(rows, pages, strict=True):
        row.page = page
    kept = [row for index, row in enumerate(rows) if index not in furniture.lines]
    if not kept:
        raise ValueError("no text in the document")
    aligned_tables(kept)
    return _document(kept, furniture)


def _rows(text: str) -> list[_Row]:
    """The lines with something on them, with page and table."""
    gathered = _Rows()
    for source in _ESCAPED_DASH.sub("", text).split("\n"):
        for number, part in enumerate(source.split("\f")):
            gathered.turned = gathered.turned or number > 0
            _add(gathered, part.expandtabs(8).rstrip())
    return gathered.rows


def _add(gathered: _Rows, line: str) -> None:
    if "<" in line:
        if _PAGE.match(line):
            gathered.turned = True
            line = _PAGE.sub("", line, count=1)
        for found in _TABLE.finditer(line):
            if found[1]:
                gathered.table = -1
            else:
                gathered.table = gathered.tables
                gathered.tables += 1
        bare = _TAG.sub("", line)
        if not bare.strip():
            return
        line = bare
    if "&" in line:
        line = _ENTITY.sub(lambda found: html.unescape(found[0]), line)
    if gathered.table < 0 and line.strip() and _RULED.fullmatch(line):
        gathered.blanks += 1
        return
    gathered.add(line)


def _document(rows: list[_Row], furniture: Furniture) -> Document:
    numbers = {table: new for new, table in enumerate(sorted({r.table for r in rows} - {-1}))}
    width = _width(rows)
    spacing = _spacing(rows)
    text = _Text()
    for row in rows:
        number = numbers.get(row.table, -1)
        centred = number < 0 and _is_centred(row.text, width)
        text.add(row, _gap(text.before, row, spacing), number, centred=centred)
    return Document(
        text="".join(text.parts),
        lines=text.lines,
        tables=[TableSource(*span, page=page) for *span, page in text.tables],
        source="text",
        notes=furniture.notes,
        printed_pages=furniture.printed,
    )


@dataclass(slots=True)
class _Text:
    """The document's text while it grows; `tables` by start, end and page."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    lines: list[Line] = field(default_factory=list)
    tables: list[list[int]] = field(default_factory=list)
    before: _Row | None = None

    def add(self, row: _Row, gap: str, table: int, *, centred: bool) -> None:
        body = row.text.rstrip() if table >= 0 else _squeezed(row.text.strip())
        margin = self.length + len(gap)
        self.length = margin + len(body)
        start = self.length - len(body.lstrip())
        self.lines.append(Line(start, self.length, table, centred=centred, page=row.page))
        if table == len(self.tables):
            # A table begins at the margin, so that its columns can be counted.
            self.tables.append([margin, self.length, row.page])
        elif table >= 0:
            self.tables[table][1] = self.length
        self.parts += (gap, body)
        self.before = row


def _squeezed(text: str) -> str:
    """A line outside of tables: one space between words, `B U S I N E S S` as a word."""
    words = _SPACES.split(text)
    if len(words) > 1 and any(_PARTED_LETTERS.fullmatch(word) for word in words):
        words = [
            word.replace(" ", "") if _PARTED_LETTERS.fullmatch(word) else word for word in words
        ]
    return " ".join(words)


def _gap(before: _Row | None, row: _Row, spacing: int) -> str:
    if before is None:
        return ""
    if before.table != row.table:
        return "\n\n"
    if before.page != row.page:
        return "\n" if _runs_on(before.text, row.text) else "\n\n"
    return "\n\n" if row.blanks >= spacing else "\n"


def _spacing(rows: list[_Row]) -> int:
    """How many empty lines part paragraphs: two where nearly all lines are parted by one."""
    said = [row.blanks for row in rows[1:] if row.table < 0]
    single = sum(1 for blanks in said if blanks == 1)
    return 2 if said and single >= _DOUBLED * len(said) and max(said) > 1 else 1


def _runs_on(before: str, after: str) -> bool:
    """Whether a paragraph goes on over a page break."""
    return before.rstrip()[-1:] not in ".:;!?" and after.lstrip()[:1].islower()


def _width(rows: list[_Row]) -> int:
    """The column where most long lines end."""
    ends = sorted(len(row.text.rstrip()) for row in rows if row.table < 0)
    return max(ends[int(len(ends) * 0.9)] if ends else 0, _NARROWEST)


def _is_centred(text: str, width: int) -> bool:
    left = len(text) - len(text.lstrip())
    right = width - len(text.rstrip())
    return left >= _CENTRED_INDENT and right >= 0 and abs(left - right) <= _OFF_CENTRE
