"""Reading a spreadsheet back: the whole file first, then line by line. No database here."""

import csv
import io
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from outreach_platform.enrichment.entities import ENTITIES, STATUSES
from outreach_platform.enrichment.spreadsheet import (
    ABOUT,
    STATUS,
    VERSION,
    WORK_COLUMNS,
    LineProblem,
    Sheet,
    SheetLine,
    data_columns,
    restored,
    shown,
)
from outreach_platform.foundation.errors import UsageError

_NEEDED = ("record_id", "version")
_DELIMITERS = (",", ";", "\t")
# Workbooks: a ZIP archive since 2007, a compound document before.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SAVE_AS = "save it from the spreadsheet program as CSV UTF-8 and import that file"

# The csv module has one limit for the whole process.
_limit_lock = threading.Lock()


def read_sheet(path: Path) -> Sheet:
    """Read a file that was exported and edited.

    Args:
        path: a CSV with a header, its cells separated by commas, semicolons or tabs; columns in
            any order.

    Raises:
        UsageError: it cannot be read, is no such file, or lacks a column that is needed.
    """
    raw = _raw(path)
    with _long_cells(len(raw)):
        records = _records(path, raw)
        _, header = next(records, (1, []))
        return _sheet(path, _Layout(path, [_plain(name) for name in header]), records)


def _raw(path: Path) -> bytes:
    """The file, which is text in UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name a CSV file") from None
    if raw.startswith(_WORKBOOKS):
        raise UsageError(f"{path} is a workbook and no CSV: {_SAVE_AS}")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not in UTF-8: {_SAVE_AS}") from None
    # UTF-16 without its mark is valid UTF-8 where the text is English.
    if b"\0" in _first_line(raw):
        raise UsageError(f"{path} is no text in UTF-8: {_SAVE_AS}")
    return raw


def _first_line(raw: bytes) -> bytes:
    end = re.search(rb"[\r\n]", raw)
    return raw[: end.start()] if end else raw


@contextmanager
def _long_cells(characters: int) -> Iterator[None]:
    """Let the csv module read cells of that many characters while the block runs."""
    with _limit_lock:
        before = csv.field_size_limit()
        csv.field_size_limit(max(before, characters))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _plain(name: str) -> str:
    return name.strip().lower()


def _delimiter(raw: bytes) -> str:
    """The delimiter that makes the most known columns of the first line."""
    line = _first_line(raw).decode("utf-8-sig")

    def known(delimiter: str) -> int:
        return len(_known(_plain(name) for name in next(csv.reader([line], delimiter=delimiter))))

    return max(_DELIMITERS, key=known)


def _known(names: Iterable[str]) -> set[str]:
    return {*ABOUT, *data_columns(), *WORK_COLUMNS}.intersection(names)


def _records(path: Path, raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of the file with their numbers; newlines within quotes do not begin a row.

    Strict, because a quotation mark that is never closed would swallow all records behind it.
    """
    number = 0
    lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    try:
        for row in csv.reader(lines, delimiter=_delimiter(raw), strict=True):
            number += 1
            yield number, row
    except csv.Error:
        raise UsageError(
            f"{path}: row {number + 1} has a quotation mark that is not closed, or text behind a "
            "closed one: correct that row and import again; nothing was written"
        ) from None


class _Layout:
    """Where a file has which column.

    Raises:
        UsageError: columns are missing or stand twice.
    """

    def __init__(self, path: Path, header: list[str]) -> None:
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            raise UsageError(
                f"{path} has no column {' and no column '.join(missing)}: run `outreach enrich "
                "export`, edit that file and keep both columns"
            )
        known = _known(header)
        doubled = sorted(name for name in known if header.count(name) > 1)
        if doubled:
            raise UsageError(f"{path} has two columns {', '.join(doubled)}: remove one of each")
        self.header = header
        self.at = {name: header.index(name) for name in known}
        can_change = {*data_columns(), *WORK_COLUMNS}
        self.columns = tuple(name for name in header if name in can_change)
        strangers = [shown(name) or "(no name)" for name in header if name not in known]
        self.notices = (
            (f"columns that nobody knows are left out: {', '.join(dict.fromkeys(strangers))}",)
            if strangers
            else ()
        )

    def line(self, number: int, row: list[str]) -> SheetLine | LineProblem:
        """A row of the file, judged as far as that goes without the workspace."""
        width = len(self.header)
        if any(row[width:]) or len(row) <= max(self.at[name] for name in _NEEDED):
            cells = f"has {len(row)} cells and the header has {width}"
            return LineProblem(number, None, f"{cells}: look for a missing or doubled separator")
        values = {name: restored(row[at]) or None for name, at in self.at.items() if at < len(row)}
        record_id = (values["record_id"] or "").strip()
        line = SheetLine(
            number,
            record_id,
            (values.get("entity") or "").strip().lower() or None,
            (values["version"] or "").strip().lower(),
            tuple(_cell(name, values[name]) for name in self.columns if name in values),
        )
        reason = "holds a NUL character: remove it" if "\0" in "".join(row) else _fault(line)
        status = _cell(STATUS, values.get(STATUS))
        if not reason and status is not None and status not in STATUSES:
            said = ", ".join(STATUSES)
            reason = f"enrichment_status {shown(status)!r} is none of {said}"
        return LineProblem(number, shown(record_id) or None, reason) if reason else line


def _cell(column: str, value: str | None) -> str | None:
    """People write a status in capitals, and so do spreadsheet programs by themselves."""
    return (value or "").strip().lower() or None if column == STATUS else value


def _fault(line: SheetLine) -> str | None:
    if not line.record_id:
        return "has no record_id: take the id from the export"
    if not VERSION.fullmatch(line.version):
        return "has no version of an export: export again and enter the change there"
    if line.entity not in (None, *(entity.name for entity in ENTITIES)):
        return "entity is neither company nor people"
    return None


def _sheet(path: Path, layout: _Layout, records: Iterable[tuple[int, list[str]]]) -> Sheet:
    lines: list[SheetLine] = []
    problems: list[LineProblem] = []
    places: dict[str, list[int]] = {}
    for number, row in records:
        if not any(cell.strip() for cell in row):
            continue
        found = layout.line(number, row)
        if found.record_id:
            places.setdefault(shown(found.record_id), []).append(number)
        if isinstance(found, LineProblem):
            problems.append(found)
        else:
            lines.append(found)
    if not places and not problems:
        raise UsageError(f"{path} has a header and no rows: there is nothing to import")
    once: list[SheetLine] = []
    for line in lines:
        if len(where := places[shown(line.record_id)]) == 1:
            once.append(line)
        else:
            rows = ", ".join(map(str, where[:5]))
            reason = f"record_id stands in several rows ({rows}): keep one of them"
            problems.append(LineProblem(line.line, shown(line.record_id), reason))
    problems.sort(key=lambda problem: problem.line)
    return Sheet(layout.columns, tuple(once), tuple(problems), layout.notices)
