"""The workspace as a spreadsheet: what the file looks like and how it is written. No database here.

A CSV in UTF-8 with a byte order mark, by which Excel recognises it. Spreadsheet programs run cells
that look like formulas, so these get an apostrophe in front, which reading takes off again.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outreach_platform.enrichment.content import Content, content_hash
from outreach_platform.enrichment.entities import ENTITIES, Entity
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import replacing

STATUS, NOTES, ENRICHED_BY = "enrichment_status", "enrichment_notes", "enriched_by"
# What enrichers write beside the data.
WORK_COLUMNS = (STATUS, NOTES, ENRICHED_BY)
ABOUT = ("entity", "record_id", "version", STATUS, "reason_code", "validation_errors")

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r]")
VERSION = re.compile(r"v[0-9a-f]{12}")
_CONTENT_DIGITS = 8
_SHOWN = 60


@dataclass(frozen=True)
class SheetRow:
    """One record on its way into a file.

    Attributes:
        entity: `company` or `people`.
        record_id: its business key.
        version: see `version_token`.
        reason_code, validation_errors: why it failed, for people to read.
        values: data columns, status, notes and enricher.
    """

    entity: str
    record_id: str
    version: str
    reason_code: str | None
    validation_errors: str | None
    values: Content


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One record as a file has it.

    Attributes:
        line: its row in a spreadsheet program, the header being 1.
        record_id: its business key.
        entity: `company` or `people`, None where the file does not say.
        version: the token it was exported with.
        cells: along `Sheet.columns`; fewer where the line ends early.
    """

    line: int
    record_id: str
    entity: str | None
    version: str
    cells: tuple[str | None, ...]


@dataclass(frozen=True)
class LineProblem:
    """Why one line was not taken; the reason quotes no cell but a status.

    Attributes:
        line: its row in a spreadsheet program.
        record_id: as the line has it, None where it has none.
        reason: a sentence.
    """

    line: int
    record_id: str | None
    reason: str


@dataclass(frozen=True)
class Sheet:
    """What a file holds.

    Attributes:
        columns: those of its columns that can change a record, in the file's order.
        lines: the readable ones, each record once.
        problems: the others.
        notices: what the whole file has to be told.
    """

    columns: tuple[str, ...]
    lines: tuple[SheetLine, ...]
    problems: tuple[LineProblem, ...]
    notices: tuple[str, ...]

    def values(self, line: SheetLine) -> Content:
        """A line's cells by column; a column that the line ends before is not there."""
        return dict(zip(self.columns, line.cells, strict=False))

    def left_off(self, line: SheetLine) -> tuple[str, ...]:
        """The columns before which a line ends."""
        return self.columns[len(line.cells) :]


def version_token(columns: Iterable[str], values: Mapping[str, str | None], moment: object) -> str:
    """The version of a row, as text that no spreadsheet program takes for a number or a date.

    Args:
        columns: all columns that can change.
        values: the row.
        moment: its updated_at.

    Returns:
        `v`, eight hex digits of the content and four of the time.
    """
    time = content_hash(("updated_at",), {"updated_at": str(moment)})
    return f"v{_content_digits(columns, values)}{time[: 12 - _CONTENT_DIGITS]}"


def is_as_exported(version: str, columns: Iterable[str], values: Mapping[str, str | None]) -> bool:
    """Whether a line still says what was exported with this version: nobody has edited it."""
    return version[1 : 1 + _CONTENT_DIGITS] == _content_digits(columns, values)


def _content_digits(columns: Iterable[str], values: Mapping[str, str | None]) -> str:
    names = list(columns)
    kept = {name: with_plain_newlines(values.get(name)) or None for name in names}
    return content_hash(names, kept)[:_CONTENT_DIGITS]


def with_plain_newlines(value: str | None) -> str | None:
    """The value as it comes back from a spreadsheet program, which may write newlines anew."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if value else value


def neutralised(value: str) -> str:
    """A value that no spreadsheet program runs as a formula."""
    return f"'{value}" if _FORMULA.match(value) else value


def restored(cell: str) -> str:
    """The value that `neutralised` made this cell of."""
    return cell[1:] if _NEUTRALISED.match(cell) else cell


def data_columns(entities: Iterable[Entity] = ENTITIES) -> tuple[str, ...]:
    """The data columns of several entities, each once, in their order."""
    return tuple(dict.fromkeys(column for entity in entities for column in entity.columns))


def write_sheet(path: Path, rows: Iterable[SheetRow], entities: Sequence[Entity] = ENTITIES) -> int:
    """Write a file, whole or not at all.

    Args:
        path: where it shall stand; what stood there is replaced.
        rows: taken one at a time.
        entities: whose data columns it has.

    Returns:
        The number of rows.

    Raises:
        UsageError: the path names a folder.
        OutreachError: the disk is full, or the folder refuses.
    """
    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise UsageError(f"{path} cannot be a file: a folder is there, or a file in its place")
    names = (*ABOUT, *data_columns(entities), NOTES, ENRICHED_BY)
    count = 0
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(names)
        for row in rows:
            cells = {**row.values, **{name: getattr(row, name) for name in ABOUT if name != STATUS}}
            writer.writerow([neutralised(cells.get(name) or "") for name in names])
            count += 1
    return count


def shown(text: str) -> str:
    """Text from a file as a message may show it: one line, not long."""
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN].strip()
