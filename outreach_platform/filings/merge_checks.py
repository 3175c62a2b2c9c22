"""What is checked of staged rows before they replace any, and of a filing after they did.

A filing has some hundred rows: planning one query over them costs more than looking at each here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings import staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, PARSER_VERSION, Kind
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.filings.schema import KEYS, REQUIRED, arrow_schema
from outreach_platform.filings.staging import StagedReport
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.warehouse import quote_text

IDS: dict[Kind, str] = {
    "sections": "id",
    "tables": "id",
    "footnotes": "footnote_id",
    "chunks": "chunk_id",
}
_ITEMS = (
    *("1", "1a", "1b", "1c", "2", "3", "4", "5", "6", "7", "7a", "8", "9", "9a", "9b", "9c"),
    *("10", "11", "12", "13", "14", "15", "16"),
)
_SECTION_TYPES = tuple(f"item_{item}" for item in _ITEMS)
_PARTS = ("part_i", "part_ii", "part_iii", "part_iv")
# The values a column may take; null only where the column may be null.
_VALUES: dict[Kind, dict[str, tuple[str | int, ...]]] = {
    "sections": {"section_type": _SECTION_TYPES, "section_part": _PARTS},
    "tables": {
        "table_type": ("financial", "narrative", "schedule", "other"),
        "table_category": ("balance_sheet", "income_statement", "cash_flow"),
    },
    "footnotes": {"footnote_type": ("inline", "section", "table", "document")},
    "chunks": {
        "chunk_level": (1, 2, 3),
        "section_type": _SECTION_TYPES,
        "section_part": _PARTS,
    },
}
# What a row refers to: column, the table of the other row, and its column.
_REFERENCES: tuple[tuple[Kind, str, Kind], ...] = (
    ("tables", "section_id", "sections"),
    ("footnotes", "section_id", "sections"),
    ("footnotes", "table_id", "tables"),
    ("chunks", "section_id", "sections"),
    ("chunks", "parent_chunk_id", "chunks"),
)


@dataclass(frozen=True, slots=True)
class StagedRows:
    """A filing's staged rows, each file the one that the worker wrote.

    Attributes:
        files: by kind.
        columns: by kind and name: ids, keys, references and choices; the texts are none of them.
    """

    files: dict[Kind, Path]
    columns: dict[Kind, dict[str, list[Any]]]

    def rows(self, kind: Kind, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of a kind, row by row."""
        return list(zip(*(self.columns[kind][name] for name in names), strict=True))


def read_staged(
    folder: FilingFolder, run_id: str, planned: PlannedFiling, report: StagedReport
) -> StagedRows:
    """Read what the checks need of a filing's staged files.

    Raises:
        IntegrityError: one is missing, cut short, changed, of another make, or of other bytes than
            are registered.
    """
    accession = report.accession_number
    if (report.content_hash, report.parser_version) != (planned.meta.content_hash, PARSER_VERSION):
        raise IntegrityError(
            f"the staged rows of {accession} are of another file or parser; extract it again"
        )
    files: dict[Kind, Path] = {}
    columns: dict[Kind, dict[str, list[Any]]] = {}
    for kind in KINDS:
        path = staging.staged_file(folder, run_id, accession, kind)
        if not path.is_file():
            raise IntegrityError(f"{path} is gone; extract {accession} again")
        if sha256_of(path) != report.sha256.get(kind):
            raise IntegrityError(
                f"{path} is not the file that was staged; extract {accession} again"
            )
        files[kind] = path
        columns[kind] = _read(path, kind, report.counts.get(kind))
    return StagedRows(files, columns)


def check_staged(staged: StagedRows, accession: str) -> None:
    """Check keys, choices and references of a filing's staged rows.

    Raises:
        IntegrityError: says which rule how many rows break.
    """
    broken = [(n, what) for n, what in _breaches(staged, accession) if n]
    if broken:
        listed = "; ".join(f"{n} {what}" for n, what in broken)
        raise IntegrityError(f"the rows of {accession} break rules: {listed}")


def check_merged(
    connection: duckdb.DuckDBPyConnection,
    accession: str,
    counts: dict[Kind, int],
    *,
    references: bool,
) -> None:
    """Check that a filing's tables hold so many rows, and what those refer to.

    Args:
        connection: inside the transaction.
        accession: of the filing.
        counts: rows by kind.
        references: whether new rows stand beside old ones, so that what was checked of the staged
            ones does not tell.

    Raises:
        IntegrityError: says which rule how many rows break.
    """
    where = f" WHERE accession_number = {quote_text(accession)}"
    checks = [
        f"SELECT '{kind} too many' AS what, count(*) - {count} AS n FROM {kind}{where}"
        for kind, count in counts.items()
    ]
    checks.append(f"SELECT 'entries in the register too many', count(*) - 1 FROM filings{where}")
    if references:
        checks += [_orphans(*reference, where) for reference in _REFERENCES]
    found = connection.execute(" UNION ALL ".join(checks)).fetchall()
    broken = "; ".join(f"{n} {what}" for what, n in found if n)
    if broken:
        raise IntegrityError(f"the merge of {accession} came out wrong: {broken}")


def _read(path: Path, kind: Kind, count: int | None) -> dict[str, list[Any]]:
    """The columns that checks look at; types, number of rows and nulls are told by the footer."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        if not file.schema_arrow.equals(arrow_schema(kind)):
            raise IntegrityError(f"{path} has other columns than the table {kind}; extract again")
        held = file.metadata.num_rows
        if held != count:
            raise IntegrityError(
                f"{path} holds {held} rows, its report says {count}; extract again"
            )
        empty = _with_nulls(file.metadata) & {*KEYS[kind], *REQUIRED[kind]}
        if empty:
            listed = ", ".join(sorted(empty))
            raise IntegrityError(f"{path} has nulls in {listed}, never null; extract again")
        return file.read(columns=_narrow(kind), use_threads=False).to_pydict()


def _with_nulls(footer: Any) -> set[str]:
    """Columns with a null, or whose footer does not say that they have none."""
    found = set()
    groups = [footer.row_group(n) for n in range(footer.num_row_groups)]
    for group in (each for each in groups if each.num_rows):  # an empty one has no statistics
        for column in (group.column(n) for n in range(group.num_columns)):
            statistics = column.statistics
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                found.add(column.path_in_schema)
    return found


def _narrow(kind: Kind) -> list[str]:
    references = [column for table, column, _ in _REFERENCES if table == kind]
    also = ["content_hash"] if kind == "sections" else []
    return sorted({"accession_number", IDS[kind], *KEYS[kind], *_VALUES[kind], *references, *also})


def _breaches(staged: StagedRows, accession: str) -> Iterator[tuple[int, str]]:
    """How many rows break each rule."""
    for kind in KINDS:
        columns = staged.columns[kind]
        own = columns["accession_number"]
        yield len(own) - own.count(accession), f"{kind} of another filing"
        yield len(own) - len(set(staged.rows(kind, *KEYS[kind]))), f"{kind} with another's key"
        yield len(own) - len(set(columns[IDS[kind]])), f"{kind} with another's id"
        for column, values in _VALUES[kind].items():
            unknown = sum(value is not None and value not in values for value in columns[column])
            yield unknown, f"{kind} with an unknown {column}"
    for kind, column, other in _REFERENCES:
        there = {None, *staged.columns[other][IDS[other]]}
        orphans = sum(wanted not in there for wanted in staged.columns[kind][column])
        yield orphans, f"{kind} whose {column} is not there"


def _orphans(kind: Kind, column: str, other: Kind, where: str) -> str:
    return (
        f"SELECT '{kind} whose {column} is not there', count(*) FROM "
        f"(SELECT {column} AS wanted FROM {kind}{where}) "
        f"WHERE wanted IS NOT NULL AND wanted NOT IN (SELECT {IDS[other]} FROM {other}{where})"
    )
