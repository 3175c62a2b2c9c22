"""What a line of a spreadsheet changes in its record, and why some lines may not. No database here.

Spreadsheet programs change cells that nobody touched: they drop leading zeros, shorten long numbers
and long texts, write newlines anew. Such a cell is no edit.
"""

import re
from dataclasses import dataclass

from outreach_platform.enrichment.content import Content
from outreach_platform.enrichment.rows import WorkspaceRow
from outreach_platform.enrichment.spreadsheet import (
    ENRICHED_BY,
    NOTES,
    STATUS,
    WORK_COLUMNS,
    LineProblem,
    Sheet,
    SheetLine,
    is_as_exported,
    shown,
    version_token,
    with_plain_newlines,
)
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.postgres.shape import INTEGER_BITS

STALE = "somebody changed the record since the export: export again and enter the change there"
_UNKNOWN = "the workspace has no such record: check the id, or export again"
_PROMOTED = "the record is promoted already: correct the master instead"
_CUT_OFF = "ends before {}, which the record has: a separator is missing"
_MISPLACED = "{} is no column of this entity's records: empty that cell"
_NO_NUMBER = "{} is no whole number: write digits only, without thousands separators"
_TOO_LARGE = "{} is too large a number"
_SHORTENED_BY_PROGRAM = (
    "{} is a number that the spreadsheet program shortened: format the column as text and enter it "
    "again"
)

# pandas writes whole numbers like that where other cells of the column are empty.
_WHOLE = re.compile(r"(-?)0*([0-9]{1,30})(?:\.0)?")
_DIGITS = re.compile(r"[0-9]+")
# Excel writes numbers of twelve digits and more like that.
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_DIGIT_COLUMNS = ("phone", "zip")
# The longest text in a cell of Excel, of which an apostrophe takes one.
_LONGEST = 32_767


@dataclass(frozen=True)
class Edit:
    """A line that changes its record.

    Attributes:
        line: the line.
        row: the record as it is.
        changes: the new values.
    """

    line: SheetLine
    row: WorkspaceRow
    changes: Content

    @property
    def completes(self) -> bool:
        """Whether the record becomes complete."""
        return self.changes.get(STATUS) == "complete"

    @property
    def values(self) -> Content:
        """The whole record as the line wants it."""
        return {**row_values(self.row), **self.changes}


def row_values(row: WorkspaceRow) -> Content:
    """All of a record that a line can change."""
    about = {STATUS: row.status, NOTES: row.notes, ENRICHED_BY: row.enriched_by}
    return {**row.content, **about}


@dataclass(frozen=True)
class Judge:
    """Judges the lines of one entity.

    Attributes:
        places: its tables.
        sheet: the file.
        by: who enriched, where a line that becomes complete does not say.
    """

    places: Places
    sheet: Sheet
    by: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that a line can change."""
        return (*self.places.columns, *WORK_COLUMNS)

    def judged(self, line: SheetLine, row: WorkspaceRow | None) -> Edit | LineProblem | None:
        """What a line changes; None where it changes nothing.

        Args:
            line: the line.
            row: its record, None where there is none.
        """
        if row is None:
            return _problem(line, _UNKNOWN)
        cells = {c: self._canonical(c, cell) for c, cell in self.sheet.values(line).items()}
        strange = next((c for c, v in cells.items() if v and c not in self.columns), None)
        if strange:
            return _problem(line, _MISPLACED.format(strange))
        present = row_values(row)
        ended = [c for c in self.sheet.left_off(line) if c in self.columns]
        lost = next((c for c in ended if present[c]), None)
        if lost:
            return _problem(line, _CUT_OFF.format(lost))
        changes = {c: v for c, v in cells.items() if c in present and not self._same(c, v, present)}
        outdated = self._outdated(line, row) if changes else None
        if not changes or (
            outdated and is_as_exported(line.version, self.columns, {**present, **cells})
        ):
            return None
        reason = outdated or self._fault(changes)
        return _problem(line, reason) if reason else Edit(line, row, self._signed(cells, changes))

    def _canonical(self, column: str, cell: str | None) -> str | None:
        whole = _WHOLE.fullmatch(cell.strip()) if cell and self._bits(column) else None
        return whole[1] + whole[2] if whole else cell

    def _bits(self, column: str) -> int | None:
        """The width of a column of whole numbers, None for others."""
        declared = self.places.workspace_shape.get(column)
        ours = INTEGER_BITS.get(self.places.entity.types.get(column, ""))
        return ours if declared is None else INTEGER_BITS.get(declared.type, ours)

    def _same(self, column: str, cell: str | None, present: Content) -> bool:
        """Whether a cell says what the record says, as far as a spreadsheet program keeps that."""
        was = present[column]
        if (cell or None) == (was or None):
            return True
        if column == STATUS:
            return cell is None  # there is no record without one
        if column == ENRICHED_BY and cell is None:
            # So we wrote it when this line was imported before.
            return was == self.by and present[STATUS] == "complete"
        if not cell or not was:
            return False
        return (
            with_plain_newlines(cell) == with_plain_newlines(was)
            or (len(was) > _LONGEST and len(cell) >= _LONGEST - 1 and was.startswith(cell))
            or (column == "zip" and _without_zeros(was, cell))
            or (column in _DIGIT_COLUMNS and _is_shortened(was, cell))
        )

    def _outdated(self, line: SheetLine, row: WorkspaceRow) -> str | None:
        if row.promoted_at is not None:
            return _PROMOTED
        if line.version != version_token(self.columns, row_values(row), row.version):
            return STALE
        return None

    def _fault(self, changes: Content) -> str | None:
        """Which new value its column cannot have, if any."""
        for column, value in changes.items():
            bits = self._bits(column)
            if value and bits:
                if not _WHOLE.fullmatch(value):
                    return _NO_NUMBER.format(column)
                if not -(2**bits) <= int(value) < 2**bits:
                    return _TOO_LARGE.format(column)
            if value and column in _DIGIT_COLUMNS and _SHORTENED.fullmatch(value):
                return _SHORTENED_BY_PROGRAM.format(column)
        return None

    def _signed(self, cells: Content, changes: Content) -> Content:
        """The changes, and who made them where the record becomes complete."""
        if changes.get(STATUS) == "complete" and self.by and not cells.get(ENRICHED_BY):
            return {**changes, ENRICHED_BY: self.by}
        return changes


def _problem(line: SheetLine, reason: str) -> LineProblem:
    return LineProblem(line.line, shown(line.record_id), reason)


def _without_zeros(was: str, cell: str) -> bool:
    """Whether a cell is the former value without some of its leading zeros."""
    return (
        len(cell) < len(was)
        and all(_DIGITS.fullmatch(value) for value in (cell, was))
        and cell.lstrip("0") == was.lstrip("0")
    )


def _is_shortened(was: str, cell: str) -> bool:
    """Whether a cell is the former number in six digits and a power of ten."""
    if not _SHORTENED.fullmatch(cell) or not _DIGITS.fullmatch(was):
        return False
    return float(f"{float(was):.5e}") == float(cell.replace(",", "."))
