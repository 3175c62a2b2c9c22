"""Footnotes of a filing as rows, tied to their table or section.

Conservative: a line is a footnote only where something before it refers to its marker. `inline`
stands in its table's own rows (and stays in the grid, it is part of the source's table), `table`
below its table, `section` in the text of a section, `document` outside of all sections.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outreach_platform.filings.model import Section, footnote_id
from outreach_platform.filings.parsing.document import Document, Line
from outreach_platform.filings.parsing.footnotes_below import Note, notes_below, notes_in_text
from outreach_platform.filings.parsing.footnotes_rows import bare_leads
from outreach_platform.filings.parsing.tables import (
    DataTable,
    SectionPlaces,
    TableRows,
    find_tables,
)

# Characters between two tables of which the second has the footnotes of both.
_NEAR = 1000


@dataclass(frozen=True, slots=True)
class _Found:
    """A footnote on its way to a row."""

    marker: str
    text: str
    kind: str
    place: int
    table: str | None
    section: str | None


def extract_footnotes(
    document: Document,
    sections: Sequence[Section],
    tables: Sequence[dict[str, Any]],
    accession: str,
) -> list[dict[str, Any]]:
    """The rows of `footnotes`, without `created_at`, in the order of the text.

    Args:
        document: the filing.
        sections: its sections.
        tables: what `extract_tables` gave for the same document.
        accession: of the filing.
    """
    found = tables.found if isinstance(tables, TableRows) else find_tables(document)
    reader = _Reader(document, SectionPlaces(sections, accession), found)
    notes = [
        *reader.of_tables([row["id"] for row in tables]),
        *reader.of_text(),
    ]
    counts: Counter[tuple[str, str]] = Counter()
    rows: list[dict[str, Any]] = []
    for note in sorted(notes, key=lambda one: one.place):
        place = note.table or note.section or ""
        rows.append(_row(note, accession, place, counts[place, note.marker]))
        counts[place, note.marker] += 1
    return rows


def _row(note: _Found, accession: str, place: str, occurrence: int) -> dict[str, Any]:
    return {
        "footnote_id": footnote_id(accession, place, note.marker, occurrence),
        "accession_number": accession,
        "section_id": note.section,
        "table_id": note.table,
        "marker": note.marker,
        "footnote_text": note.text,
        "footnote_type": note.kind,
    }


class _Reader:
    """Looks for footnotes table by table, then in the text that is left."""

    def __init__(
        self, document: Document, places: SectionPlaces, found: Sequence[DataTable]
    ) -> None:
        self.document = document
        self.places = places
        self.found = found
        self.starts = [line.start for line in document.lines]
        self.held = {id(table.source) for table in found}
        self.taken = {
            index
            for table in found
            for index in range(table.first, bisect_left(self.starts, table.source.end))
        }

    def of_tables(self, names: Sequence[str]) -> list[_Found]:
        """Footnotes in the tables' rows and below them.

        Args:
            names: ids of the tables.
        """
        notes: list[_Found] = []
        before: tuple[int, set[str]] | None = None
        for index, table in enumerate(self.found):
            section = self.places.section_at(table.source.start)
            for marker, text in table.notes:
                place = table.source.end
                notes.append(_Found(marker, text, "inline", place, names[index], section))
            unmet = set(table.markers) - {marker for marker, _ in table.notes}
            owners = dict.fromkeys(unmet, index)
            if before is not None and self._is_near(before[0], index):
                owners = dict.fromkeys(before[1], before[0]) | owners
            below = self._below(table, tuple(owners))
            notes += [self._told(note, "table", names[owners[note.marker]]) for note in below]
            before = (index, unmet - {note.marker for note in below})
        return notes

    def _is_near(self, before: int, index: int) -> bool:
        """Whether a table goes on with the one before it, which has its footnotes below both."""
        gap = self.found[index].source.start - self.found[before].source.end
        return gap <= _NEAR

    def _below(self, table: DataTable, wanted: Sequence[str]) -> list[Note]:
        if not wanted:
            return []
        first = bisect_left(self.starts, table.source.end)
        bare = bare_leads(wanted, table.grid.superscripts)
        notes = notes_below(self.document, first, wanted, self._is_data, bare)
        self.taken.update(note.line for note in notes)
        return notes

    def _is_data(self, line: Line) -> bool:
        return line.table >= 0 and id(self.document.tables[line.table]) in self.held

    def _told(self, note: Note, kind: str, table: str | None) -> _Found:
        place = self.starts[note.line]
        return _Found(note.marker, note.text, kind, place, table, self.places.section_at(place))

    def of_text(self) -> list[_Found]:
        """Footnotes of sections, and of what is outside of all."""
        groups: dict[str | None, list[int]] = {}
        for index, start in enumerate(self.starts):
            groups.setdefault(self.places.section_at(start), []).append(index)
        notes: list[_Found] = []
        for section, lines in groups.items():
            kind = "section" if section else "document"
            referred = [
                (table.first, marker)
                for table in self.found
                if self.places.section_at(table.source.start) == section
                for marker in table.markers
                if marker[0] not in "([{"
            ]
            for note in notes_in_text(self.document, lines, self.taken, referred):
                notes.append(self._told(note, kind, None))
        return notes
