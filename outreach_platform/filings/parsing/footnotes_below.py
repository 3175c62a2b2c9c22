"""Footnotes in the lines below a table, and in the text of a section."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from outreach_platform.filings.parsing.document import Document, Line
from outreach_platform.filings.parsing.footnotes_markers import SIGN, SIGNS, references
from outreach_platform.filings.parsing.footnotes_rows import is_aside, lead, parted

_FURNITURE = re.compile(
    r"(?:page\s*)?[-\u2013\u2014]?\s*(?:[A-Z]{1,2}-)?\d{1,4}\s*[-\u2013\u2014]?"
    r"|table of contents|[\W_]+"
    r"|.{0,60}form 10-[kq].{0,40}",
    re.I,
)
_RULE = re.compile(r"[\W_]*")
_BRACKET = re.compile(r"\((?:\d{1,2}|[a-z])\)(?![\w(])")
_SIGN_FIRST = re.compile(rf"({SIGN})\s*\d")
_ENDED = re.compile(r"[.!?:;\u201d\")]\s*$")
_SIGNED = re.compile(
    r"/s/|^by:?\s|attorney-in-fact|power of attorney|\bdirector\b.{0,30}\b(?:19|20)\d\d", re.I
)
# Lines below a table that are looked at, and lines that may stand before the first footnote.
_LINES = 80
_BEFORE = 2
_ASIDE = 220
# A bracketed marker in the text refers to a footnote on its page or the next.
_PAGES = 1


@dataclass(slots=True)
class Note:
    """A footnote of the text.

    Attributes:
        marker: as printed.
        text: all of it.
        line: index of its first line in `Document.lines`.
    """

    marker: str
    text: str
    line: int


@dataclass(slots=True)
class _Reading:
    notes: list[Note] = field(default_factory=list)
    open: bool = False
    skipped: int = 0
    last: Line | None = None

    def begin(self, marker: str, text: str, index: int, line: Line) -> None:
        """Open a footnote; its text may stand in the next lines."""
        self.notes.append(Note(marker, text, index))
        self.open, self.last = True, line


def notes_below(
    document: Document,
    first: int,
    wanted: Sequence[str],
    is_stop: Callable[[Line], bool],
    bare: Mapping[str, str],
) -> list[Note]:
    """The footnotes directly below a table.

    Args:
        document: the filing.
        first: index of the first line below the table.
        wanted: markers that the table refers to.
        is_stop: whether a line belongs to something else, such as the next table of data.
        bare: how footnotes may begin without signs, see `bare_leads`.
    """
    reading = _Reading()
    for index in range(first, min(first + _LINES, len(document.lines))):
        line = document.lines[index]
        if is_stop(line):
            break
        text = document.line_text(line)
        if text in wanted:
            reading.begin(text, "", index, line)
            continue
        if _FURNITURE.fullmatch(text):
            continue
        note = lead(text, bare)
        if note is None and not _goes_on(document, reading, line, text):
            break
        if note is None:
            reading.last = line
        elif note[0] in wanted:
            reading.begin(*note, index, line)
        else:
            reading.open, reading.last = False, line
    return [
        Note(*part, note.line)
        for note in reading.notes
        if note.text
        for part in parted(note.marker, note.text, wanted)
    ]


def _goes_on(document: Document, reading: _Reading, line: Line, text: str) -> bool:
    """Take a line without a marker: the footnote's next one, or something to pass over."""
    last = reading.last
    awaited = reading.open and not reading.notes[-1].text
    if last is not None and (awaited or _continues(document, last, line, text)):
        if reading.open:
            reading.notes[-1].text = f"{reading.notes[-1].text} {text}".strip()
        return True
    reading.open = False
    reading.skipped += 1
    return (
        not reading.notes
        and reading.skipped <= _BEFORE
        and len(text) <= _ASIDE
        and not line.bold
        and (is_aside(text) or text[0] in "(*" or text[-1:] != ".")
    )


def _continues(document: Document, last: Line, line: Line, text: str) -> bool:
    between = document.text[last.end : line.start]
    if last.table == line.table and "\n\n" not in between and "\n" in between:
        return document.source == "text" or line.table >= 0
    return not _ENDED.search(document.line_text(last)) and text[0].islower()


def notes_in_text(
    document: Document, lines: Sequence[int], taken: set[int], referred: Iterable[tuple[int, str]]
) -> Iterator[Note]:
    """Footnotes in running text: a line begins with a marker that the text before it refers to.

    Args:
        document: the filing.
        lines: indices of a section's lines, in order.
        taken: lines that are part of a footnote already, or of a table of data.
        referred: markers in the section's tables, each with the line of its table.
    """
    seen: dict[str, int] = {}
    for line, marker in referred:
        seen.setdefault(marker, line)
    open_note: Note | None = None
    last: Line | None = None
    for index in lines:
        line = document.lines[index]
        text = document.line_text(line)
        note = None if index in taken else lead(text)
        if note is not None and note[1][0].isalpha() and _is_note(document, seen, note, index):
            if open_note is not None:
                yield open_note
            open_note, last = Note(*note, index), line
            continue
        if open_note is not None and last is not None:
            if index not in taken and _continues(document, last, line, text):
                open_note.text += f" {text}"
                last = line
                continue
            yield open_note
            open_note = None
        _see(seen, text, index)
    if open_note is not None:
        yield open_note


def _see(seen: dict[str, int], text: str, index: int) -> None:
    """Remember the markers that a line refers to: signs, and brackets glued to a word."""
    if not SIGNS.isdisjoint(text):
        if first := _SIGN_FIRST.match(text):
            seen[first[1]] = index
        for marker in references(text):
            if marker[0] in SIGNS:
                seen[marker] = index
    if "(" in text:
        for found in _BRACKET.finditer(text):
            before = text[: found.start()].rstrip('"\u201d.,')
            if before[-1:].isalpha() and text[found.start() - 1] != " ":
                seen[found[0]] = index


def _is_note(document: Document, seen: dict[str, int], note: tuple[str, str], index: int) -> bool:
    marker, text = note
    at = seen.get(marker)
    if at is None or at >= index or not text[0].isalpha() or _SIGNED.search(text):
        return False
    if marker[0] not in "([{":
        return True
    return document.lines[index].page - document.lines[at].page <= _PAGES and index - at <= _LINES


def first_below(starts: Sequence[int], end: int) -> int:
    """Index of the first line that starts at an offset or behind it."""
    return bisect_left(starts, end)
