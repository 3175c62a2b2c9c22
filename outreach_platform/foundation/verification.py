"""Whether files on disk are the ones that a record speaks of, and how what was found is kept.

Which records there are is the wings' business (`snapshots/verify.py`, `events/verify.py`).
"""

import functools
from datetime import datetime
from pathlib import Path

import duckdb

from outreach_platform.foundation.lake import FileRecord, Record, sha256_of
from outreach_platform.foundation.warehouse import quote_text


class VersionCheck(Record):
    """One version, or one export, against disk and store.

    Attributes:
        subject: the state, or `events`.
        version: the version, or the export's stamp.
        disk: `intact` or `damaged`.
        store: `intact`, `damaged`, `not asked` where it could not be, `-` where nothing is kept.
        problems: one sentence each.
    """

    subject: str
    version: str
    disk: str
    store: str
    problems: list[str]


class Verification(Record):
    """A whole verification.

    Attributes:
        run_id: by which run.
        at: when it ended.
        checks: one a version.
        store_problem: why the store was not asked, None where it was.
    """

    run_id: str
    at: datetime
    checks: list[VersionCheck]
    store_problem: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether everything was looked at and nothing disagrees."""
        return self.store_problem is None and not any(check.problems for check in self.checks)


def file_problem(data_dir: Path, record: FileRecord) -> str | None:
    """What is wrong with a Parquet file, None where it is the one in its record."""
    path = data_dir / record.path
    try:
        if not path.is_file():
            return f"{record.path} is gone from disk"
        if path.stat().st_size != record.size or sha256_of(path) != record.sha256:
            return f"{record.path} holds other content than its manifest says"
        rows = footer_rows(path)
    except OSError as error:
        return f"{record.path} cannot be read: {error.strerror}"
    except duckdb.Error:
        return f"{record.path} is no Parquet file"
    if rows != record.rows:
        return f"{record.path} has {rows} rows, its manifest says {record.rows}"
    return None


def footer_rows(path: Path) -> int:
    """Rows of a Parquet file by its footer.

    Raises:
        duckdb.Error: it is no Parquet file.
    """
    with _engine().cursor() as connection:
        row = connection.execute(
            f"SELECT num_rows FROM parquet_file_metadata({quote_text(str(path))})"
        ).fetchone()
    return row[0] if row else 0


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One for all files: opening one takes longer than reading a footer."""
    return duckdb.connect()
