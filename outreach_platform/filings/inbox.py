"""Which files on this machine may be filings, and which row of a `filings.csv` describes each."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outreach_platform.filings.inbox_sheet import Sheet, read_sheet

SHEET = "filings.csv"
_KINDS = (".htm", ".html", ".xhtml", ".txt", ".nc")
_LEFT_OVER = (".partial", ".part", ".crdownload", ".download", ".tmp", ".bak", "~")
# What stands beside filings; named by a shell's `*`, nobody wants to hear of it.
_BESIDE = (
    *(".json", ".csv", ".xml", ".xsd", ".jpg", ".gif", ".png", ".pdf", ".zip", ".xlsx", ".css"),
    *(".js", ".md"),
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be a filing.

    Attributes:
        path: absolute.
        sheets: the `filings.csv` that may describe it, nearest first.
    """

    path: Path
    sheets: tuple[Sheet, ...] = ()

    def row(self, accession: str | None = None) -> Mapping[str, str] | None:
        """The row that names the file, else the one that has its accession number."""
        for sheet in self.sheets:
            if (row := sheet.of_file(self.path)) is not None:
                return row
        for sheet in self.sheets:
            if accession and (row := sheet.of_accession(accession)) is not None:
                return row
        return None


@dataclass(slots=True)
class Inbox:
    """What was found.

    Attributes:
        files: by path, each once.
        problems: sentences: paths that are not there, rows that tell nothing.
    """

    files: list[FoundFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_files(paths: Sequence[Path]) -> Inbox:
    """Find the files that may be filings.

    Args:
        paths: files; folders, which are searched with all below; a `filings.csv`, for the files it
            names. Hidden and partial files, and kinds that no filing has, are passed over.
    """
    inbox, sheets = Inbox(), _Sheets()
    files: dict[Path, tuple[Sheet, ...]] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - symlinks stay names
        for file, root in _expanded(absolute, inbox.problems, sheets):
            files.setdefault(file, sheets.above(file, root))
    inbox.files = [FoundFile(path, files[path]) for path in sorted(files)]
    inbox.problems += sheets.problems(set(files))
    return inbox


def _expanded(path: Path, problems: list[str], sheets: "_Sheets") -> Iterator[tuple[Path, Path]]:
    """The files of one path, each with the folder up to which a sheet may describe it."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}; check who owns it.")
        return
    if is_folder:
        sheets.searched.append(path)
        for file in _below(path, problems):
            yield file, path
    elif not is_file:
        problems.append(f"{path} is not there; check the spelling.")
    elif path.name.lower() == SHEET:
        if (sheet := sheets.read(path.parent)) is not None:
            sheets.searched.append(path.parent)
            for file in sheet.files():
                yield file, path.parent
    elif _is_kind(path.name) or not path.name.lower().endswith((*_BESIDE, *_LEFT_OVER)):
        # Named by hand, it is read whatever it is called.
        yield path, path.parent


def _below(folder: Path, problems: list[str]) -> Iterator[Path]:
    def tell(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be read: {error.strerror}; check who owns it.")

    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=tell, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back to where it came from
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and _is_kind(name) and path.is_file():
                yield path


def _is_kind(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(_KINDS)


class _Sheets:
    """The sheets of all folders, each read once."""

    def __init__(self) -> None:
        self.searched: list[Path] = []
        self._read: dict[Path, Sheet | None] = {}

    def read(self, folder: Path) -> Sheet | None:
        """The sheet of a folder, None where it has none."""
        if folder not in self._read:
            path = folder / SHEET
            self._read[folder] = read_sheet(path) if path.is_file() else None
        return self._read[folder]

    def above(self, file: Path, root: Path) -> tuple[Sheet, ...]:
        """The sheets from the file's folder up to the folder that was searched."""
        folders = [file.parent, *file.parent.parents]
        folders = folders[: folders.index(root) + 1] if root in folders else [root]
        return tuple(sheet for folder in folders if (sheet := self.read(folder)) is not None)

    def problems(self, files: set[Path]) -> list[str]:
        """What the sheets hold that cannot be used, line by line."""
        found: list[str] = []
        for folder, sheet in self._read.items():
            if sheet is None:
                continue
            found += sheet.problems
            if any(folder == root or root in folder.parents for root in self.searched):
                found += sheet.missing(files)
        return found
