"""What is checked of staged rows before they replace any, and of a filing after they did."""

from pathlib import Path

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


def files_of(
    folder: FilingFolder, run_id: str, planned: PlannedFiling, report: StagedReport
) -> dict[Kind, Path]:
    """The staged files of a filing, each the one that the worker wrote.

    Raises:
        IntegrityError: one is missing, cut short, changed, of another make, or of other bytes than
            are registered.
    """
    accession = report.accession_number
    if (report.content_hash, report.parser_version) != (planned.meta.content_hash, PARSER_VERSION):
        raise IntegrityError(
            f"the staged rows of {accession} are of another file or parser; extract it again"
        )
    files = {}
    for kind in KINDS:
        path = staging.staged_file(folder, run_id, accession, kind)
        if not path.is_file():
            raise IntegrityError(f"{path} is gone; extract {accession} again")
        if sha256_of(path) != report.sha256.get(kind):
            raise IntegrityError(
                f"{path} is not the file that was staged; extract {accession} again"
            )
        _check_shape(path, kind, report.counts.get(kind))
        files[kind] = path
    return files


def check_staged(
    connection: duckdb.DuckDBPyConnection, files: dict[Kind, Path], accession: str
) -> None:
    """Check keys, values and references of a filing's staged rows, in one query.

    Raises:
        IntegrityError: says which rule how many rows break.
    """
    views = ", ".join(
        f"{kind} AS (SELECT {_narrow(kind)} FROM read_parquet({quote_text(str(path))}))"
        for kind, path in files.items()
    )
    own = quote_text(accession)
    checks = [check for kind in files for check in (*_rows(kind, own), *_values(kind))]
    checks += [_orphans(*reference, "") for reference in _REFERENCES]
    _raise(connection, f"WITH {views} {' UNION ALL '.join(checks)}", accession)


def check_merged(
    connection: duckdb.DuckDBPyConnection, accession: str, counts: dict[Kind, int]
) -> None:
    """Check that a filing's tables hold so many rows and that none refers to what is not there.

    Args:
        connection: inside the transaction.
        accession: of the filing.
        counts: rows by kind.

    Raises:
        IntegrityError: says which rule how many rows break.
    """
    own = quote_text(accession)
    where = f" WHERE accession_number = {own}"
    checks = [
        f"SELECT '{kind} rows that should stand', count(*) - {count} FROM {kind}{where}"
        for kind, count in counts.items()
    ]
    checks += [_orphans(*reference, where) for reference in _REFERENCES]
    checks.append(f"SELECT 'entry in the register', count(*) - 1 FROM filings{where}")
    _raise(connection, " UNION ALL ".join(checks), accession)


def _check_shape(path: Path, kind: Kind, count: int | None) -> None:
    """Types, number of rows and nulls, all from the file's footer."""
    from pyarrow import parquet

    footer = parquet.read_metadata(path)
    if not footer.schema.to_arrow_schema().equals(arrow_schema(kind)):
        raise IntegrityError(f"{path} has other columns than the table {kind}; extract again")
    if footer.num_rows != count:
        raise IntegrityError(
            f"{path} holds {footer.num_rows} rows, its report says {count}; extract again"
        )
    never = {*KEYS[kind], *REQUIRED[kind]}
    groups = [footer.row_group(n) for n in range(footer.num_row_groups)]
    for group in (each for each in groups if each.num_rows):  # an empty one has no statistics
        for column in (group.column(n) for n in range(group.num_columns)):
            statistics = column.statistics
            if column.path_in_schema in never and (statistics is None or statistics.null_count):
                raise IntegrityError(
                    f"{path} has nulls in {column.path_in_schema}, which is never null"
                )


def _narrow(kind: Kind) -> str:
    """The columns that checks read; the texts are none of them."""
    references = [column for table, column, _ in _REFERENCES if table == kind]
    columns = {"accession_number", IDS[kind], *KEYS[kind], *_VALUES[kind], *references}
    return ", ".join(sorted(columns))


def _rows(kind: Kind, own: str) -> list[str]:
    key = ", ".join(KEYS[kind])
    twins = f"SELECT '{kind} with the {{}} of another', count(*) - count(DISTINCT {{}}) FROM {kind}"
    return [
        f"SELECT '{kind} of another filing', "
        f"count_if(accession_number IS DISTINCT FROM {own}) FROM {kind}",
        twins.format("key", f"({key})"),
        twins.format("id", IDS[kind]),
    ]


def _values(kind: Kind) -> list[str]:
    return [
        f"SELECT '{kind} with an unknown {column}', count_if({column} NOT IN "
        f"({', '.join(repr(value) for value in values)})) FROM {kind}"
        for column, values in _VALUES[kind].items()
    ]


def _orphans(kind: Kind, column: str, other: Kind, where: str) -> str:
    return (
        f"SELECT '{kind} whose {column} is not there', count(*) FROM "
        f"(SELECT {column} AS wanted FROM {kind}{where}) "
        f"WHERE wanted IS NOT NULL AND wanted NOT IN (SELECT {IDS[other]} FROM {other}{where})"
    )


def _raise(connection: duckdb.DuckDBPyConnection, checks: str, accession: str) -> None:
    broken = connection.execute(
        f"SELECT what, n FROM ({checks}) AS found(what, n) WHERE n <> 0"
    ).fetchall()
    if broken:
        listed = "; ".join(f"{n} {what}" for what, n in broken)
        raise IntegrityError(f"the rows of {accession} break rules: {listed}")
