"""Filings whose items are only rows of an index: `Item 7. Management's Discussion … 6-25`.

Some filers lay their report out as they like and say in a "Form 10-K Cross Reference Index" on
which pages each item is answered. Each item's own text is then its row; the pages are resolved to
places in the document where its page breaks, page numbers or links allow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.cross_index_pages import PageMap, ranges_in
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.items import Item, catalogue, is_quarterly
from outreach_platform.filings.parsing.marks_targets import documents_in
from outreach_platform.filings.parsing.titles import match

METHOD = "cross_reference"
_ROW = re.compile(
    r"^\W{0,4}(?:(?P<said>items?)\s*)?(?P<number>\d{1,2})\s?\(?(?P<letter>[a-c](?![a-z]))?\)?"
    r"(?:\s*[.:)\u2013\u2014-]+\s*|\s+)(?P<rest>\S.*)$",
    re.I | re.S,
)
_PART = re.compile(r"^\W*part\s+(?P<part>i{1,3}|iv)\b.{0,60}$", re.I | re.S)
_CALLED = re.compile(
    r"\bcross[\s\u2010-\u2015-]*references?\b|\bform\s+10-?[kq](?:405)?\s+(?:item\s+)?index\b|"
    r"\bindex\s+to\s+form\s+10-?[kq]\b",
    re.I,
)
_ANSWER = re.compile(
    r"not\s+applicable|\bn/?a\b|\bnone\b|\bomitted\b|\bnot\s+required\b|[\[(]reserved|"
    r"\bproxy\b|\bincorporated\b|(?:^|[\s,])(?:\([a-z*]\)|\*+)\s*$",
    re.I,
)
# A row that gives its answer does not run on; pages may, behind a comma.
_ENDED = re.compile(r"\d\s*$|(?:not\s+applicable|none|n/a|\([a-z]\))\W*$", re.I)
_MARKER = re.compile(r"(?:^|[\s,\d])(\([a-z]\)|\([0-9]\)|\*{1,3})(?=[\s,]|$)")
# Rows of one index stand closer than this, also where an item has rows of its own beneath it.
_GAP_LINES, _GAP_CHARACTERS = 14, 1_600
_NOTES_LINES = 25
_LONGEST_ANSWER = 200
_LIKE = 0.5
_LEAST = {True: 5, False: 8}
_SURE, _FAIR = 0.85, 0.6


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of an index that names an item.

    Attributes:
        item: of the form.
        line: index of its first line in `Document.lines`.
        end: offset behind its text, rows beneath it included.
        title: the words of the item.
        answer: what stands behind the title: pages, or why there are none.
    """

    item: Item
    line: int
    end: int
    title: str
    answer: str


def index_sections(document: Document, form: str, year: int) -> list[Section]:
    """The items of a filing that has only an index of them, each with its row as its own text.

    Args:
        document: the main document.
        form: as registered.
        year: of filing.

    Returns:
        Sections in the order of the form, with the method `cross_reference`; their
        `cross_references` give `pages`, `start`, `end` and `heading` of each place that an item is
        answered at, the offsets being those of `Document.text`. Empty where there is no such index.
    """
    rows, called = find_index(document, form, year)
    if not rows:
        return []
    pages = PageMap(document)
    notes = _notes(document, rows)
    return [_section(document, row, pages, notes, _SURE if called else _FAIR) for row in rows]


def find_index(document: Document, form: str, year: int) -> tuple[list[IndexRow], bool]:
    """The rows of the document's index, and whether it is called one.

    A table of contents has rows like these, but one page number each: without a heading that says
    what it is, an index must answer a third of its items with ranges of pages.
    """
    best: tuple[list[IndexRow], bool] = ([], False)
    for rows in _groups(document, form, year):
        if len(rows) < _LEAST[is_quarterly(form)]:
            continue
        called = _is_called(document, rows)
        telling = sum(1 for row in rows if _tells(row.answer))
        ranged = sum(1 for row in rows if any(a != b for a, b in ranges_in(row.answer)))
        brief = all(len(row.answer) <= _LONGEST_ANSWER for row in rows)
        if not called and not (brief and ranged >= len(rows) / 3):
            continue
        if telling and (called, len(rows)) > (best[1], len(best[0])):
            best = (rows, called)
    return best


def _tells(answer: str) -> bool:
    """Whether an answer is more than the one page number of a table of contents."""
    return bool(_ANSWER.search(answer)) or any(first != last for first, last in ranges_in(answer))


def _is_called(document: Document, rows: Sequence[IndexRow]) -> bool:
    first = max(0, rows[0].line - 6)
    before = document.lines[first : rows[0].line + 1]
    return any(_CALLED.search(document.line_text(line)[:200]) for line in before)


def _groups(document: Document, form: str, year: int) -> list[list[IndexRow]]:
    """Runs of rows in the form's order, close together."""
    items = catalogue(form, year)
    order = {item.key: place for place, item in enumerate(items)}
    groups: list[list[IndexRow]] = []
    part, at = "", -10_000
    for index, line in enumerate(document.lines):
        text = document.line_text(line)
        if len(text) > 600:
            continue
        if found := _PART.match(text):
            part = f"part_{found['part'].lower()}"
            continue
        row = _row(document, index, text, items, part)
        if row is None:
            continue
        last = groups[-1][-1] if groups else None
        near = last is not None and (
            index - at <= _GAP_LINES and line.start - document.lines[at].end <= _GAP_CHARACTERS
        )
        if last is None or not near or order[row.item.key] <= order[last.item.key]:
            groups.append([])
        groups[-1].append(row)
        at = index
    return [_bounded(document, rows) for rows in groups]


def _row(
    document: Document, index: int, text: str, items: Sequence[Item], part: str
) -> IndexRow | None:
    """A line, with the ones that its title runs on to, as a row."""
    found = _ROW.match(text)
    if found is None:
        return None
    section_type = f"item_{found['number'].lstrip('0')}{(found['letter'] or '').lower()}"
    named = [item for item in items if item.section_type == section_type]
    named = [item for item in named if item.section_part == part] or named
    rest = _with_next(document, index, found["rest"])
    best: tuple[float, IndexRow] | None = None
    for item in named:
        fit = match(rest, [item])
        title, answer = rest[: fit.end].strip(" .:"), rest[fit.end :]
        if fit.likeness >= _LIKE and (best is None or fit.likeness > best[0]):
            answer = " ".join(answer.split()).strip(" .,:;\u2026")
            best = (fit.likeness, IndexRow(item, index, document.lines[index].end, title, answer))
    if best is None or (not found["said"] and best[0] < 0.8):
        return None
    return best[1]


def _with_next(document: Document, index: int, rest: str) -> str:
    """The words of a row with the next lines, where title or pages run on over them."""
    for line in document.lines[index + 1 : index + 4]:
        text = document.line_text(line)
        if _ROW.match(text) or _PART.match(text) or len(text) > 300 or _ENDED.search(rest):
            break
        rest = f"{rest} {text}"
    return rest


def _bounded(document: Document, rows: list[IndexRow]) -> list[IndexRow]:
    """The rows with their ends: at the next row, or with the table, or after the last answer."""
    done: list[IndexRow] = []
    for row, behind in zip(rows, [*rows[1:], None], strict=True):
        stop = behind.line if behind else _last_line(document, row)
        inside = document.lines[row.line : stop]
        kept = [
            line
            for place, line in enumerate(inside)
            if not place or not _PART.match(document.line_text(line))
        ]
        done.append(replace(row, end=kept[-1].end if kept else row.end))
    return done


def _last_line(document: Document, row: IndexRow) -> int:
    """Behind the last row: the lines of its answer that stand in the same table."""
    words = len((row.title + row.answer).split())
    stop = row.line + 1
    table = document.lines[row.line].table
    while stop < min(row.line + 4, len(document.lines)):
        said = " ".join(document.line_text(line) for line in document.lines[row.line : stop])
        if document.lines[stop].table != table or len(said.split()) > words:
            break
        stop += 1
    return stop


def _notes(document: Document, rows: Sequence[IndexRow]) -> dict[str, str]:
    """The notes beneath an index, by marker: `(b)` → `Incorporated by reference to …`."""
    notes: dict[str, str] = {}
    behind = document.lines[rows[-1].line + 1 : rows[-1].line + _NOTES_LINES]
    for line in behind:
        text = document.line_text(line)
        found = re.match(r"^(\([a-z]\)|\([0-9]\)|\*{1,3})\s*(\S.*)$", text)
        if found:
            notes.setdefault(found[1], found[2])
    return notes


def _section(
    document: Document, row: IndexRow, pages: PageMap, notes: dict[str, str], confidence: float
) -> Section:
    start = document.lines[row.line].start
    said = " ".join(document.text[start : row.end].split())
    references = _places(document, row, pages, said)
    issues: list[dict[str, Any]] = [{"code": "index_only"}]
    for marker in _MARKER.findall(row.answer):
        if note := notes.get(marker):
            to = documents_in(note)
            references.append(
                {"text": note[:300], "to": to[0] if to else "note", "pages": None, "item": None}
            )
            if to:
                issues.append({"code": "incorporated_by_reference", "to": to[0]})
    title_at = document.text.find(row.title, start, row.end) if row.title else -1
    heading_end = title_at + len(row.title) if title_at >= 0 else start
    return Section(
        section_type=row.item.section_type,
        section_part=row.item.section_part,
        title=row.title,
        start=start,
        end=row.end,
        confidence=confidence,
        method=METHOD,
        issues=tuple(issues),
        cross_references=tuple(references),
        heading_end=heading_end,
    )


def _places(document: Document, row: IndexRow, pages: PageMap, said: str) -> list[dict[str, Any]]:
    """Where in the document a row sends its reader: by its link, else by its pages."""
    places: list[dict[str, Any]] = []
    link = document.lines[row.line].link
    for first, last in ranges_in(row.answer):
        name = first if first == last else f"{first}-{last}"
        place = {"text": said[:300], "to": "this filing", "pages": name, "item": None}
        places.append(place | pages.resolve(first, last, row.item, link if not places else ""))
    return places
