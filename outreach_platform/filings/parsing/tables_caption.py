"""What stands above a table: its title and units."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.document import Document, Line, TableSource
from outreach_platform.filings.parsing.grid import Grid
from outreach_platform.filings.parsing.grid_headers import is_period, is_units

# How far above a table its title may stand.
_LINES = 8
_REACH = 2500
_LENGTH = 160
_LEAD = 400
_NAME = 120
_SMALL_WORD, _TITLE_WORDS = 4, 12
_COMPANY = re.compile(
    r"(?:,?\s+(?:inc|incorporated|corp|corporation|co|company|companies|ltd|limited|llc|l\.?p"
    r"|plc|n\.?v|s\.?a"
    r"|trust|group|holdings|bancorp|bancshares|partners|enterprises)\b\.?,?)+"
    r"(?:\s*(?:and|&)\s*(?:its\s+)?(?:consolidated\s+)?(?:subsidiar(?:y|ies)"
    r"|affiliates?).*)?(?:\s*\(.*\))?",
    re.I,
)
_FURNITURE = re.compile(
    r"table of contents|(?:page\s*)?[-\u2013\u2014]?\s*(?:F-)?\d{1,4}\s*[-\u2013\u2014]?"
    r"|index to.*|\(?continued\)?"
    r"|form 10-[kq].*|.*\bform 10-[kq]\b.*",
    re.I,
)
_NOTES = re.compile(r"(?:see|the) accompanying notes|see notes|integral part", re.I)
_TAIL = re.compile(r"\s*[\u2013\u2014-]?\s*\(?(?:continued|cont'?d|unaudited)\)?\.?\s*$", re.I)
_UNITS_WITHIN = re.compile(
    r"\((?:[^()]{0,40}\b)?(?:in|of)\s+(?:u\.?s\.?\s+)?[^()]{0,20}(?:thousand|million"
    r"|billion)s?[^()]*\)"
    r"|\((?:dollars|amounts|\$)[^()]*\)",
    re.I,
)
_SENTENCES = re.compile(r"(?<=[a-z)\d]{2}[.!?])\s+(?=[A-Z])")
_TABLE_WORDS = re.compile(r"\b(?:table|follow(?:s|ing)|below|presents|summari[sz]es)\b", re.I)


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands above a table.

    Attributes:
        title: the nearest line that looks like a heading, else the sentence that leads in; empty
            without.
        units: such as `(in millions)`; empty without.
        heading: whether the title is a heading.
    """

    title: str = ""
    units: str = ""
    heading: bool = False

    @property
    def text(self) -> str:
        """Title and units as one."""
        if self.units and self.units in self.title:
            return self.title
        return " ".join(part for part in (self.title, self.units) if part)

    @property
    def name(self) -> str:
        """A short name: the heading without `(Continued)`, units and closing colon."""
        return short_name(self.title) if self.heading else ""


def short_name(text: str) -> str:
    """A text without `(Continued)`, units and closing colon; empty where nothing is left."""
    short = _TAIL.sub("", _UNITS_WITHIN.sub("", text)).strip(" :.-\u2013\u2014")
    return short if len(short) <= _NAME else short[:_NAME].rsplit(" ", 1)[0]


def named_by_labels(grid: Grid) -> str:
    """What the header over the labels calls the table: `Working Capital Metrics`; else empty."""
    name = short_name(grid.headers[0])
    if name.count(" ") < 1 or is_period(name) or is_units(name) or not name[0].isupper():
        return ""
    return name


def caption_above(
    document: Document, source: TableSource, first: int, blocked: Sequence[bool]
) -> Caption:
    """The caption above a table.

    Args:
        document: the filing.
        source: the table.
        first: index of the table's first line in `document.lines`.
        blocked: by table of the document, whether it holds data: above one nothing is looked for.
    """
    units = lead = ""
    prose = False
    for line, text in _paragraphs(document, first):
        if _is_out(line, source, blocked):
            break
        if is_units(text):
            units = units or text
        elif len(text) > _LENGTH or not (is_heading(line, text) or _is_titled(text, prose)):
            lead = lead or _lead_of(text)
            units = units or units_within(text)
            prose = prose or not _is_beside(text)
        elif prose and line.page < source.page:
            break
        elif not _is_beside(text):
            return Caption(text, units or units_within(text), heading=True)
    return Caption(lead, units)


def _paragraphs(document: Document, first: int) -> Iterator[tuple[Line, str]]:
    """The lines above a table, the nearest first; in plain text those of a paragraph as one."""
    parts: list[str] = []
    for index in range(first - 1, max(first - _LINES, 0) - 1, -1):
        line = document.lines[index]
        parts.append(document.line_text(line))
        before = document.lines[index - 1] if index else None
        if before is not None and _is_wrapped(document, before, line):
            continue
        yield line, " ".join(reversed(parts))
        parts = []


def _is_wrapped(document: Document, before: Line, line: Line) -> bool:
    """Whether a line of plain text goes on with the paragraph of the line before it."""
    if document.source != "text" or line.table >= 0 or before.table >= 0 or line.centred:
        return False
    text = document.line_text(before)
    return document.text[before.end : line.start] == "\n" and not text.isupper()


def _lead_of(text: str) -> str:
    """The sentence that leads in to a table, the last of a paragraph; empty where there is none."""
    if text[-1:] != ":":
        return ""
    sentence = _SENTENCES.split(text)[-1]
    return sentence if len(sentence) <= _LEAD and _TABLE_WORDS.search(sentence) else ""


def captioned(grid: Grid, above: Caption) -> Caption:
    """The caption of a table: titles inside it stand nearer than what is above it."""
    heads = (*grid.titles, *grid.headers[:1])
    inside = grid.units or next((found for text in heads if (found := units_within(text))), "")
    units = inside or above.units
    if not grid.titles:
        return Caption(above.title, units, above.heading)
    return Caption(" ".join(grid.titles), units, heading=True)


def _is_out(line: Line, source: TableSource, blocked: Sequence[bool]) -> bool:
    if line.table >= 0 and blocked[line.table]:
        return True
    return source.page - line.page > 1 or source.start - line.end > _REACH


def units_within(text: str) -> str:
    """The bracketed units in a text: `(in millions)`; empty without."""
    found = _UNITS_WITHIN.search(text)
    return found[0] if found else ""


def is_heading(line: Line, text: str) -> bool:
    """Whether a line looks like a heading: short, and bold, centred, in capitals or italics."""
    if not any(char.isalpha() for char in text) or text[0].islower():
        return False
    if text[-1] in ".;," and not line.bold and not text.isupper():
        return False
    if text[0] in "\u2022\u00b7*(" and not is_units(text):
        return False
    return line.bold or line.centred or text.isupper() or (line.italic and text.count(" ") < 15)


def _is_titled(text: str, prose: bool) -> bool:
    """Whether a line right above a table, of whatever typeface, is written as a title."""
    if prose or text[-1] in ".;,:" or any(char.isdigit() for char in text):
        return False
    words = [word for word in text.split() if len(word) > _SMALL_WORD]
    return 1 < len(words) <= _TITLE_WORDS and all(word[0].isupper() for word in words)


def _is_beside(text: str) -> bool:
    """Company's name, period, signature, running head: not what the table is about."""
    if _FURNITURE.fullmatch(text) or _NOTES.search(text) or "/s/" in text:
        return True
    if is_period(text):
        return True
    found = _COMPANY.search(text)
    return found is not None and found.end() >= len(text) - 1 and text.count(" ") < 9
