"""Take a foreign filings database into ours: another schema, uuid ids, duplicates and gaps.

The source is opened read-only and stays as it is. Its rows are cleaned in memory, get ids from
their natural keys, and come into ours in one transaction. What cannot be placed is kept aside as
Parquet, with the reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from outreach_platform.filings.database import open_database, tables_of
from outreach_platform.filings.dedupe import DedupeReport, clean, counts
from outreach_platform.filings.dedupe_rows import CLEANED, begin
from outreach_platform.filings.foreign_copy import FOREIGN, copy_tables
from outreach_platform.filings.foreign_merge import (
    infer_forms,
    know_ours,
    missing_values,
    set_aside_unusable,
    take_over,
    uncovered_filings,
)
from outreach_platform.filings.foreign_parts import fill_parts
from outreach_platform.filings.foreign_report import ForeignDatabase, ImportReport, report_of
from outreach_platform.filings.health_records import Gap
from outreach_platform.filings.health_sql import GAPS_SQL
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import IntegrityError, OutreachError, UsageError
from outreach_platform.foundation.warehouse import quote_identifier, quote_text, write_parquet

_SCRATCH = "incoming"
_CHILDREN = ("sections", "tables", "footnotes", "chunks")


def describe(source: Path) -> ForeignDatabase:
    """Look at a foreign database.

    Raises:
        BusyError: another program writes it.
        UsageError: it has no tables of filings.
        OutreachError: it is not there, or damaged.
    """
    if not source.is_file():
        raise UsageError(f"There is no database at {source}: check the path.")
    with open_database(source, read_only=True) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        tables = tables_of(connection, row[0] if row else "")
        _require_known(tables, source)
        known = [table for table in COLUMNS if table in tables]
        rows = {table: _count(connection, table) for table in known}
    unknown = [table for table in tables if table not in COLUMNS]
    unknown += [
        f"{table}.{column}"
        for table in known
        for column in tables[table]
        if column not in COLUMNS[table]
    ]
    missing = [table for table in COLUMNS if table not in tables]
    return ForeignDatabase(path=str(source), rows=rows, missing=missing, unknown=sorted(unknown))


def import_foreign(
    source: Path,
    connection: duckdb.DuckDBPyConnection,
    *,
    now: datetime,
    aside: Path | None = None,
) -> ImportReport:
    """Take a foreign database's filings into ours, cleaned.

    A filing that was extracted here keeps our rows. Kinds that are missing become pending, so that
    `filings extract --mode missing` fills them once the raw file is registered.

    Args:
        source: the foreign file.
        connection: of the writer's database, outside of a transaction.
        now: for rows that are new.
        aside: folder for what cannot be placed; `quarantine` beside the writer's file by default.

    Raises:
        BusyError: another program writes the source.
        UsageError: it has no tables of filings.
        IntegrityError: rows would have been lost; ours stays as it was.
        OutreachError: it is damaged, or the disk refuses; ours stays as it was.
    """
    _refuse_our_own(connection, source)
    described = describe(source)
    naive = now.replace(tzinfo=None)
    with _scratch(connection, source) as ours:
        before = copy_tables(connection, tables_of(connection, FOREIGN))
        connection.execute(f"DETACH {FOREIGN}")
        cleaned = _clean(connection, ours, naive)
        folder = aside or _beside(connection, ours)
        set_aside, written = _write_aside(connection, folder / f"import-{now:%Y%m%dT%H%M%S}")
        _require_all(connection, before, cleaned)
        uncovered = uncovered_filings(connection)
        after = take_over(connection, ours, now=naive, uncovered=uncovered)
        gaps = _gaps(connection, ours)
    return report_of(described, before, after, cleaned, gaps, (set_aside, written))


def _clean(connection: duckdb.DuckDBPyConnection, ours: str, now: datetime) -> DedupeReport:
    """Place, deduplicate and re-identify the scratch database's rows."""
    begin(connection, aside=True)
    know_ours(connection, ours)
    forms = infer_forms(connection)
    set_aside_unusable(connection, ours)
    parts = fill_parts(connection)
    report = clean(connection, now=now, foreign=True)
    connection.execute(_COUNT_CHILDREN)
    changed = {
        "filings: form told by the items": forms,
        "sections: part told by item or title": parts,
        **report.changed,
    }
    return report.model_copy(
        update={"changed": {what: number for what, number in changed.items() if number}}
    )


_COUNT_CHILDREN = """
    UPDATE sections SET contains_tables = (SELECT count(*) FROM tables t
            WHERE t.section_id = sections.id),
        contains_footnotes = (SELECT count(*) FROM footnotes f WHERE f.section_id = sections.id)"""


@contextmanager
def _scratch(connection: duckdb.DuckDBPyConnection, source: Path) -> Iterator[str]:
    """Attach the source and an empty database, which is current; yields the name of ours."""
    row = connection.execute("SELECT current_database()").fetchone()
    ours = quote_identifier(row[0] if row else "")
    try:
        connection.execute(f"ATTACH {quote_text(str(source))} AS {FOREIGN} (READ_ONLY)")
        connection.execute(f"ATTACH ':memory:' AS {_SCRATCH}")
        connection.execute(f"USE {_SCRATCH}")
        yield ours
    except duckdb.Error as error:
        raise OutreachError(
            f"{source} cannot be imported ({str(error).splitlines()[0]}): nothing was taken; free "
            "some space or report this, and run again"
        ) from error
    finally:
        connection.execute(f"USE {ours}")
        for name in (FOREIGN, _SCRATCH):
            connection.execute(f"DETACH DATABASE IF EXISTS {name}")


def _require_known(tables: dict[str, dict[str, str]], source: Path) -> None:
    if "accession_number" not in {c for t in _CHILDREN for c in tables.get(t, ())}:
        found = ", ".join(sorted(tables)[:5]) or "no table at all"
        raise UsageError(
            f"{source} is no filings database: it has {found}, and no sections, tables, footnotes "
            "or chunks with an accession_number"
        )


def _require_all(
    connection: duckdb.DuckDBPyConnection, before: dict[str, int], cleaned: DedupeReport
) -> None:
    """See that each row of the source is there, or in the list of those that are not.

    Raises:
        IntegrityError: some are missing, or a column of ours has no value.
    """
    if missing := missing_values(connection):
        raise IntegrityError(f"imported rows lack values: {missing}; nothing was taken")
    standing = counts(connection)
    for table in KINDS:
        gone = sum(
            number for what, number in cleaned.removed.items() if what.startswith(f"{table}:")
        )
        if before.get(table, 0) != standing[table] + gone:
            raise IntegrityError(
                f"of {before.get(table, 0)} rows of {table} {standing[table]} stand and {gone} "
                "were removed; nothing was taken"
            )


def _write_aside(
    connection: duckdb.DuckDBPyConnection, folder: Path
) -> tuple[dict[str, int], Path | None]:
    """Write what stands nowhere else to `{table}.parquet`, with a column `reason`."""
    written = {}
    for table in CLEANED:
        name = f"temp.aside_{table}"
        if _count(connection, name):
            record = write_parquet(connection, f"FROM {name}", folder / f"{table}.parquet", folder)
            written[table] = record.rows
    return written, folder if written else None


def _gaps(connection: duckdb.DuckDBPyConnection, ours: str) -> list[Gap]:
    """What our database is without, of the filings that were imported."""
    imported = {
        row[0] for row in connection.execute("SELECT accession_number FROM filings").fetchall()
    }
    connection.execute(f"USE {ours}")
    done = connection.execute(GAPS_SQL)
    gaps = [
        Gap(accession_number=accession, kind=kind, reason=reason)
        for accession, kind, reason in done.fetchall()
        if accession in imported
    ]
    connection.execute(f"USE {_SCRATCH}")
    return gaps


def _refuse_our_own(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    paths = connection.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL")
    if source.exists() and any(source.samefile(path) for (path,) in paths.fetchall()):
        raise UsageError(
            f"{source} is this wing's own database: `outreach filings dedupe` without a file "
            "cleans it"
        )


def _beside(connection: duckdb.DuckDBPyConnection, ours: str) -> Path:
    row = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = ?", [ours.strip('"')]
    ).fetchone()
    return (Path(row[0]).parent if row and row[0] else Path()) / "quarantine"


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return row[0] if row else 0
