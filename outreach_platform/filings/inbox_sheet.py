"""A `filings.csv`: which filing is in which file, and what is known of it.

Columns accession_number, cik, company_name, ticker, form_type, filing_date, period_of_report (or
period) and file (or path); all but one of the first and the last may be missing, others are
ignored. UTF-8 with or without a byte order mark, commas, semicolons or tabs.
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from outreach_platform.filings.metadata_values import (
    accession_of,
    cik_of,
    date_of,
    find_accession,
    form_of,
    text_of,
)

COLUMNS = (
    *("accession_number", "cik", "company_name", "ticker", "form_type", "filing_date"),
    *("period_of_report", "period", "file", "path"),
)
_CHECKS = {
    "accession_number": (accession_of, "no accession number such as 0000320193-24-000123"),
    "cik": (cik_of, "no number of up to ten digits"),
    "form_type": (form_of, "no form"),
    "filing_date": (date_of, "no date such as 2024-11-01"),
}
_SHOWN = 40


class Sheet:
    """The rows of one `filings.csv`.

    Attributes:
        path: of the file.
        problems: a sentence for each line or value that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._by_file: dict[Path, tuple[int, Mapping[str, str]]] = {}
        self._by_accession: dict[str, tuple[int, Mapping[str, str]]] = {}

    def of_file(self, file: Path) -> Mapping[str, str] | None:
        """The row that names a file; `.gz` may be missing on either side."""
        found = self._by_file.get(_bare(file))
        return found[1] if found else None

    def of_accession(self, accession: str) -> Mapping[str, str] | None:
        """The row of an accession number: it counts for every file of that filing."""
        found = self._by_accession.get(accession)
        return found[1] if found else None

    def files(self) -> Iterator[Path]:
        """The files that the rows name and that are there."""
        for bare in self._by_file:
            for path in (bare, bare.with_name(f"{bare.name}.gz")):
                if path.is_file():
                    yield path

    def missing(self, files: set[Path]) -> list[str]:
        """A sentence for each row whose file was not found."""
        there = {_bare(file) for file in files}
        numbers = {find_accession(f"{file.parent.name}/{file.name}") for file in files} - {None}
        return [
            f"{self.path} line {line}: {self._shown(bare)} is not there; the row is not used."
            for bare, (line, row) in self._by_file.items()
            if bare not in there and accession_of(row.get("accession_number")) not in numbers
        ]

    def add(self, line: int, row: Mapping[str, str]) -> None:
        """Take a row, or say why not."""
        told = f"{self.path} line {line}"
        row = self._checked(told, row)
        accession, file = row.get("accession_number"), row.get("file") or row.get("path")
        twin = (line, row)
        if accession:
            twin = self._by_accession.setdefault(accession, (line, row))
        if file:
            key = _bare(self.path.parent / file.replace("\\", "/"))
            twin = self._by_file.setdefault(key, (line, row))
        elif not accession:
            self.problems.append(f"{told} names no file and no accession number; it is not used.")
        if twin[0] != line and twin[1] != row:
            self.problems.append(f"{told} is about what line {twin[0]} is about; it is not used.")

    def _checked(self, told: str, row: Mapping[str, str]) -> dict[str, str]:
        """The row without values that are none."""
        good = dict(row)
        for column, (read, reason) in _CHECKS.items():
            value = text_of(row.get(column))
            if value is None:
                good.pop(column, None)
            elif (made := read(value)) is None:
                good.pop(column, None)
                self.problems.append(
                    f"{told}: {column} {value[:_SHOWN]!r} is {reason}; the value is not used."
                )
            else:
                good[column] = str(made)
        return good

    def _shown(self, path: Path) -> str:
        try:
            return path.relative_to(self.path.parent).as_posix()
        except ValueError:
            return path.name


def read_sheet(path: Path) -> Sheet:
    """Read a `filings.csv`; what cannot be used is told in its problems."""
    sheet = Sheet(path)
    try:
        text = _decoded(path.read_bytes(), sheet)
    except OSError as error:
        sheet.problems.append(f"{path} cannot be read: {error.strerror}; check who owns it.")
        return sheet
    head, _, _ = text.lstrip("\r\n").partition("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(head))
    try:
        _fill(sheet, reader)
    except csv.Error as error:
        sheet.problems.append(
            f"{path} line {reader.line_num} is no CSV ({error}); it and what follows are not used."
        )
    return sheet


def _fill(sheet: Sheet, reader: "Iterator[list[str]]") -> None:
    names: list[str] | None = None
    line = 1
    for cells in reader:
        first, line = line, getattr(reader, "line_num", line) + 1
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = [cell.strip().lower().replace(" ", "_") for cell in cells]
            if not {"accession_number", "file", "path"} & set(names):
                sheet.problems.append(
                    f"{sheet.path} has none of the columns accession_number, file and path in its "
                    "first line; it is not used."
                )
                return
        elif len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            sheet.problems.append(
                f"{sheet.path} line {first} has {len(cells)} cells under {len(names)} columns: put "
                "quotes around values that hold a comma; it is not used."
            )
        else:
            row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            sheet.add(first, {key: row[key] for key in COLUMNS if row.get(key)})


def _decoded(raw: bytes, sheet: Sheet) -> str:
    try:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        sheet.problems.append(f"{sheet.path} is not UTF-8; it is read as Windows-1252.")
        return raw.decode("cp1252", "replace")


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _bare(path: Path) -> Path:
    name = os.path.normpath(path)
    return Path(name[:-3] if name.lower().endswith(".gz") else name)
