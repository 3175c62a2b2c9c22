"""The database that people open: a compact, ordered copy of the writer's, built once a run."""

import logging
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb

from outreach_platform.filings.database import (
    STORAGE,
    is_predecessors,
    open_database,
    tables_of,
    writer,
)
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, hashed
from outreach_platform.filings.schema import COLUMNS, KEYS, create_sql
from outreach_platform.foundation.errors import BusyError, OutreachError
from outreach_platform.foundation.lake import Record, find_record, remove_partials, write_record
from outreach_platform.foundation.warehouse import publish_database, quote_text

_logger = logging.getLogger(__name__)
# Rows are sorted a few filings at a time: all texts at once would not fit into memory.
_FILINGS = 50
_ROWS = 2048
# What the published file holds besides the tables: a view, and the full-text index's own tables.
_OURS = {*COLUMNS, "data_health"}
_INDEX = "search_"
# Behind all accession numbers.
_LAST = "\U0010ffff"


class PublishRecord(Record):
    """What was published last, to tell whether anything changed since.

    Attributes:
        state: hash of what the writer's database held.
        size: of the published file, bytes.
        modified: its modification time, ns.
    """

    state: str
    size: int
    modified: int

    @property
    def file(self) -> tuple[int, int]:
        """What tells the file from another in its place."""
        return self.size, self.modified


def publish(
    folder: FilingFolder,
    connection: duckdb.DuckDBPyConnection | None = None,
    *,
    anew: bool = False,
) -> bool:
    """Build the published database, unless it holds the same already.

    Whoever has it open keeps reading the old one. Hold the wing's lock.

    Args:
        folder: the wing's paths.
        connection: the writer's database where it is open; it is opened otherwise.
        anew: build it whatever it holds, after changes that leave register and keys alone.

    Returns:
        Whether it was built anew.

    Raises:
        BusyError: another program has the published file open for writing.
        OutreachError: the disk is full or refuses; the old file stands.
    """
    if connection is None:
        with writer(folder) as own:
            return publish(folder, own, anew=anew)
    remove_partials(folder.work)  # what killed runs left of their records
    state = _state(connection)
    before = find_record(_record(folder), PublishRecord)
    present = _stands(folder.published, state)
    if before is not None and before == present and not anew:
        return False
    if before is None or present is None or before.file != present.file:
        _set_strangers_aside(folder.published)
    publish_database(
        folder.published, lambda target: _fill(target, connection, folder.spill), storage=STORAGE
    )
    after = _stands(folder.published, state)
    if after is not None:
        write_record(_record(folder), after)
    _logger.info("published %s", folder.published)
    return True


def _record(folder: FilingFolder) -> Path:
    return folder.work / "published.json"


def _stands(published: Path, state: str) -> PublishRecord | None:
    """The record of the file as it stands; None where there is none."""
    try:
        found = published.stat()
    except FileNotFoundError:
        return None
    return PublishRecord(state=state, size=found.st_size, modified=found.st_mtime_ns)


def _state(connection: duckdb.DuckDBPyConnection) -> str:
    """A hash of what is published: all of register and status, the keys of everything else."""
    from outreach_platform.filings.health_sql import VIEW_SQL

    parts: list[object] = [duckdb.__version__, VIEW_SQL]
    for table in COLUMNS:
        columns = KEYS[table] if table in KINDS else COLUMNS[table].keys()
        listed = ", ".join(columns)
        parts.append(
            connection.execute(
                f"SELECT count(*), sum(hash({listed})::HUGEINT) FROM {table}"
            ).fetchone()
        )
    return hashed(*parts)


def _set_strangers_aside(published: Path) -> None:
    """Move a file away that holds what no run of ours made, or that nobody can read.

    Raises:
        BusyError: another program has it open for writing.
    """
    if not published.is_file():
        return
    try:
        with closing(open_database(published, read_only=True)) as connection:
            reason = _stranger(connection)
    except BusyError:
        raise
    except OutreachError as error:
        reason = str(error)
    if reason is None:
        return
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    aside = published.with_name(f"{published.name}.kept-{stamp}")
    published.replace(aside)
    _logger.warning("moved %s to %s: %s", published, aside.name, reason)


def _stranger(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Why a published database is not ours alone; None where it is."""
    (catalog,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    if is_predecessors(tables_of(connection, catalog)):
        return "it is the predecessor's"
    names = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    for schema, name in names:
        ours = name in _OURS or name.startswith(_INDEX) or schema.startswith(f"fts_main_{_INDEX}")
        if not ours:
            return f"it holds {schema}.{name}, which is not the wing's"
    return None


def _fill(
    target: duckdb.DuckDBPyConnection, source: duckdb.DuckDBPyConnection, spill: Path
) -> None:
    from outreach_platform.filings.health_sql import VIEW_SQL
    from outreach_platform.filings.search import build_index

    target.execute("SET enable_progress_bar = false")
    target.execute("SET memory_limit = '1GB'")
    target.execute(f"SET temp_directory = {quote_text(str(spill))}")
    firsts = source.execute(
        "SELECT accession_number FROM filings "
        f"QUALIFY row_number() OVER (ORDER BY accession_number) % {_FILINGS} = 1 ORDER BY ALL"
    ).fetchall()
    edges = ["", *(first for (first,) in firsts[1:]), _LAST]
    for table in COLUMNS:
        target.execute(create_sql(table))
        for first, end in pairwise(edges):
            _copy(table, source, target, [first, end])
    target.execute(VIEW_SQL)
    build_index(target)


def _copy(
    table: str,
    source: duckdb.DuckDBPyConnection,
    target: duckdb.DuckDBPyConnection,
    bounds: list[str],
) -> None:
    """Copy the rows of some filings in the order of their natural key."""
    columns = ", ".join(COLUMNS[table])
    rows = source.execute(
        f"SELECT {columns} FROM {table} WHERE accession_number >= ? AND accession_number < ? "
        f"ORDER BY {', '.join(KEYS[table])}",
        bounds,
    ).to_arrow_reader(_ROWS)
    target.register("incoming", rows)
    try:
        target.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming")
    finally:
        target.unregister("incoming")
