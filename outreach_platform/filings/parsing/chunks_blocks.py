"""The blocks of a section: paragraphs, headings and tables, between which chunks are cut."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.document import Document, Line

OWN_HEADING = 5
_HEADING_LENGTH = 150
# Risk factors are headed by whole sentences in bold.
_BOLD_LENGTH = 300
# Where more of a section's prose is bold than this, bold says nothing.
_BOLD_SHARE = 0.4
_PROSE_ROW = 200
_FIGURES = 2
_BULLET = re.compile(r"[•·●▪■◦○*\u2013\u2014-]\s|\(?[a-z0-9]{1,3}[.)]\s")
_FIGURE = re.compile(r"[0-9][0-9,.]*")
_BRACKETED = re.compile(r"\(.*\)|.*\((?:continued|cont\W*d|unaudited)\.?\)", re.I | re.S)
_DATE = re.compile(
    r"(?:\w+ (?:weeks|months|quarters?|years?) ended |as of |at )?[a-z]{3,9}\.? \d{1,2}, \d{4}\W*",
    re.I,
)
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or a data table.

    Attributes:
        start: offset of its first character in `Document.text`.
        end: offset behind its last character.
        rows: offsets at which its rows start; empty for what is no table.
        strength: 0 for what is no heading, else 1 (weak) to 4 (strong), 5 for the section's own.
    """

    start: int
    end: int
    rows: tuple[int, ...] = ()
    strength: int = 0


def read_blocks(document: Document, start: int, end: int, heading_end: int) -> list[Block]:
    """Cut a section into blocks.

    Args:
        document: the filing.
        start: offset of the section.
        end: offset behind it.
        heading_end: offset behind its own heading.

    Returns:
        Blocks in order; they cover all that is not white space.
    """
    lines = _lines_between(document, start, end)
    layout = _layout_tables(document, lines)
    trust_bold = _bold_share(lines, layout) <= _BOLD_SHARE
    blocks: list[Block] = []
    for group in _groups(document, lines, layout):
        begin = max(group[0].start, start) if blocks else _skip_space(document.text, start, end)
        stop = min(group[-1].end, end)
        rows, strength = (), 0
        if group[0].table >= 0 and group[0].table not in layout:
            rows = tuple(max(line.start, start) for line in group)
        elif stop <= heading_end:
            strength = OWN_HEADING
        elif begin >= heading_end:
            strength = min(_strength(document, line, trust_bold) for line in group)
        blocks.append(Block(begin, stop, rows, strength))
    return _filled(document.text, blocks, start, end)


def _lines_between(document: Document, start: int, end: int) -> Sequence[Line]:
    """The lines that have at least one character between two offsets."""
    lines = document.lines
    first = bisect_left(lines, start, key=lambda line: line.end - 1)
    return lines[first : bisect_left(lines, end, key=lambda line: line.start)]


def _layout_tables(document: Document, lines: Iterable[Line]) -> frozenset[int]:
    """Tables of which most is prose: lists with bullets, and pages laid out as a table."""
    total: Counter[int] = Counter()
    prose: Counter[int] = Counter()
    for line in lines:
        if line.table >= 0:
            length = line.end - line.start
            total[line.table] += length
            if _is_prose(document.line_text(line)):
                prose[line.table] += length
    return frozenset(table for table in prose if 2 * prose[table] >= total[table])


def _is_prose(row: str) -> bool:
    if _BULLET.match(row):
        return True
    return len(row) >= _PROSE_ROW and sum(map(len, _FIGURE.findall(row))) * 8 < len(row)


def _bold_share(lines: Iterable[Line], layout: frozenset[int]) -> float:
    total, bold = 1, 0
    for line in lines:
        if line.table < 0 or line.table in layout:
            total += line.end - line.start
            bold += (line.end - line.start) * line.bold
    return bold / total


def _groups(
    document: Document, lines: Iterable[Line], layout: frozenset[int]
) -> Iterable[list[Line]]:
    """The lines of one paragraph or one data table each."""
    group: list[Line] = []
    for line in lines:
        if group and not _belongs(document.text, group[-1], line, layout):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _belongs(text: str, before: Line, line: Line, layout: frozenset[int]) -> bool:
    """Whether a line goes on with the paragraph or data table of the line before."""
    if before.table != line.table:
        return False
    if line.table >= 0:
        return line.table not in layout
    return text.count("\n", before.end, line.start) < 2


def _strength(document: Document, line: Line, trust_bold: bool) -> int:
    """How strongly a line looks like a heading; 0 where it does not."""
    length = line.end - line.start
    if length > _BOLD_LENGTH:
        return 0
    text = document.line_text(line)
    if line.link or not _LETTERS.search(text) or _BRACKETED.fullmatch(text):
        return 0
    if _DATE.fullmatch(text):
        return 0
    if line.table >= 0 and len(_FIGURE.findall(text)) > _FIGURES:
        return 0
    bold = line.bold and trust_bold
    if length > _HEADING_LENGTH or text.endswith((",", ";")):
        return 2 * bold
    upper = text.isupper()
    if not bold and text.endswith((".", ":")):
        return 0
    weak = int(line.italic or line.centred or upper)
    return min(4, 2 * bold + weak + int(upper and line.centred))


def _skip_space(text: str, start: int, end: int) -> int:
    return end - len(text[start:end].lstrip())


def _filled(text: str, blocks: list[Block], start: int, end: int) -> list[Block]:
    """Blocks stretched over what no line covers; a reader's omission must not lose text."""
    inside = text[start:end]
    if not blocks:
        begin = _skip_space(text, start, end)
        return [Block(begin, start + len(inside.rstrip()))] if begin < end else []
    borders = [*(block.start for block in blocks[1:]), end]
    return [
        Block(block.start, block.start + len(text[block.start : border].rstrip()), *rest)
        for block, border in zip(blocks, borders, strict=True)
        for rest in ((block.rows, block.strength),)
    ]
