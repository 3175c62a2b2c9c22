"""Split one version into good and bad: one scored table each, good and bad being filters of it.

People are tied to good companies by a semi-join, so that a doubled company id never multiplies
them. Nothing is lost by construction, and it is counted all the same.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from outreach_platform import __version__
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import FileRecord, read_record, sha256_of, write_record
from outreach_platform.foundation.rules import ERRORS, WARNINGS, RuleSet, Tables
from outreach_platform.foundation.warehouse import (
    file_record,
    quote_identifier,
    quote_text,
    same_rows,
    write_parquet,
)
from outreach_platform.records import barton
from outreach_platform.records.columns import COMPANIES, PEOPLE
from outreach_platform.records.rules import GOOD_COMPANIES, current_rules_version
from outreach_platform.snapshots.layout import (
    TABLES,
    IdCounts,
    PullRecord,
    SplitRecord,
    StateFolder,
)

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend as DuckDBBackend

# DuckDB's name for a row's position in its Parquet file.
_ROW_NUMBER = "file_row_number"


def split(engine: duckdb.DuckDBPyConnection, folder: StateFolder, version: str) -> SplitRecord:
    """Score and split the raw tables of a version; doing it again gives the same files.

    Raises:
        IntegrityError: the raw files are not those that were pulled, or rows were lost.
        OutreachError: the files cannot be written.
    """
    pulled = read_record(folder.pull_record(version), PullRecord)
    raw = {"companies_raw": pulled.companies, "people_raw": pulled.people}
    for record in raw.values():
        verify(folder.data_dir, record)
    score(engine, folder.data_dir / pulled.companies.path, folder.data_dir / pulled.people.path)
    files = _write_all(engine, folder, version)
    record = SplitRecord(
        version=version,
        state=folder.state,
        rules_version=current_rules_version(),
        code_version=__version__,
        raw=raw,
        files=files,
        company_ids=_id_counts(engine, "companies_raw", COMPANIES.id_column, barton.COMPANY),
        people_ids=_id_counts(engine, "people_raw", PEOPLE.id_column, barton.PERSON),
        errors={
            entity: _code_counts(engine, f"{entity}_scores", ERRORS)
            for entity in ("companies", "people")
        },
        warnings={
            entity: _code_counts(engine, f"{entity}_scores", WARNINGS)
            for entity in ("companies", "people")
        },
    )
    write_record(folder.split_record(version), record)
    return record


def score(
    engine: duckdb.DuckDBPyConnection,
    companies: Path,
    people: Path,
    *,
    people_rules: RuleSet = PEOPLE.rules,
) -> None:
    """Judge every row of two files once.

    Makes, in `engine`, the views companies_raw and people_raw over the files, and the tables
    companies_scores and people_scores: one row a raw row with its number and its codes.

    Args:
        engine: where the views and tables are made.
        companies: Parquet file of companies, one row a company.
        people: Parquet file of people, one row a person.
        people_rules: what people are judged by.
    """
    import ibis

    backend = ibis.duckdb.from_connection(engine)
    _score_one(engine, backend, "companies", companies, COMPANIES.rules, {})
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {GOOD_COMPANIES} AS SELECT DISTINCT company_unique_id "
        f"FROM ({filter_of('companies_good')})"
    )
    related = {GOOD_COMPANIES: backend.table(GOOD_COMPANIES)}
    _score_one(engine, backend, "people", people, people_rules, related)


def _score_one(
    engine: duckdb.DuckDBPyConnection,
    backend: "DuckDBBackend",
    entity: str,
    path: Path,
    rules: RuleSet,
    related: Tables,
) -> None:
    import ibis

    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {entity}_raw AS "
        f"SELECT * FROM read_parquet({quote_text(str(path))}, file_row_number => true)"
    )
    scored = rules.score(backend.table(f"{entity}_raw"), related)
    scores = ibis.to_sql(scored.select(_ROW_NUMBER, ERRORS, WARNINGS), dialect="duckdb")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {entity}_scores AS {scores}")


def filter_of(table: str) -> str:
    """The query of one of the four tables over the scored rows, for example `people_bad`."""
    entity, verdict = table.rsplit("_", 1)
    sign = "=" if verdict == "good" else ">"
    return (
        f"SELECT * EXCLUDE ({_ROW_NUMBER}) FROM {entity}_raw JOIN {entity}_scores "
        f"USING ({_ROW_NUMBER}) WHERE len({ERRORS}) {sign} 0"
    )


def verify(data_dir: Path, record: FileRecord) -> None:
    """Check that a file is the one that was written.

    Raises:
        IntegrityError: it is gone, or holds something else.
    """
    path = data_dir / record.path
    if not path.exists():
        raise IntegrityError(
            f"{path} is gone; restore it, or run the state again for a new version"
        )
    if sha256_of(path) != record.sha256:
        raise IntegrityError(
            f"{path} is not the file that was written: its checksum changed; run the state again "
            "for a new version"
        )


def _write_all(
    engine: duckdb.DuckDBPyConnection, folder: StateFolder, version: str
) -> dict[str, FileRecord]:
    """Write the four tables; those that stand already with equal rows are kept to the byte."""
    fresh = {
        table: write_parquet(
            engine,
            filter_of(table),
            folder.table(version, f"{table}.new"),
            folder.data_dir,
        )
        for table in TABLES
    }
    try:
        changed = [
            table
            for table, record in fresh.items()
            if not _stands_already(engine, folder, version, table, record)
        ]
        if changed and folder.receipt(version).exists():
            raise IntegrityError(
                f"{folder.state} {version} is published and today's rules would change "
                f"{', '.join(changed)}: a published version is never changed; run the state again "
                "for a new version"
            )
        for table in changed:
            (folder.data_dir / fresh[table].path).replace(folder.table(version, table))
    finally:
        for record in fresh.values():
            (folder.data_dir / record.path).unlink(missing_ok=True)
    return {
        table: file_record(folder.table(version, table), record.rows, folder.data_dir)
        for table, record in fresh.items()
    }


def _stands_already(
    engine: duckdb.DuckDBPyConnection,
    folder: StateFolder,
    version: str,
    table: str,
    fresh: FileRecord,
) -> bool:
    path = folder.table(version, table)
    if not path.exists():
        return False
    return sha256_of(path) == fresh.sha256 or same_rows(engine, path, folder.data_dir / fresh.path)


def _id_counts(engine: duckdb.DuckDBPyConnection, view: str, column: str, pattern: str) -> IdCounts:
    name = quote_identifier(column)
    row = engine.execute(
        f"SELECT count(*) FILTER ({name} IS NULL), "
        f"count(*) FILTER ({name} IS NOT NULL AND NOT "
        f"regexp_matches({name}::varchar, {quote_text(pattern)})) FROM {view}"
    ).fetchone()
    doubled = engine.execute(
        f"SELECT count(*) FROM (SELECT {name} FROM {view} WHERE {name} IS NOT NULL "
        f"GROUP BY 1 HAVING count(*) > 1)"
    ).fetchone()
    null, malformed = row or (0, 0)
    return IdCounts(null=null, doubled=doubled[0] if doubled else 0, malformed=malformed)


def _code_counts(engine: duckdb.DuckDBPyConnection, view: str, column: str) -> dict[str, int]:
    rows = engine.execute(
        f"SELECT code, count(*) FROM (SELECT unnest({column}) AS code FROM {view}) "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    return dict(rows)
