"""The status of each kind of a filing, and what its register entry says of its processing."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from outreach_platform.filings.model import KINDS, PARSER_VERSION, FilingMeta, Kind, Status
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.foundation.warehouse import quote_text


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a filing is replaced.

    Attributes:
        kinds: replaced by the staged rows, in the order of `model.KINDS`.
        kept: were to be replaced, and are not.
        reason: why they are kept.
        before: rows by kind that stand.
        after: rows by kind that are to stand.
    """

    kinds: tuple[Kind, ...]
    kept: tuple[Kind, ...]
    reason: str | None
    before: dict[Kind, int]
    after: dict[Kind, int]


def standing_counts(connection: duckdb.DuckDBPyConnection, accession: str) -> dict[Kind, int]:
    """Rows of a filing by kind."""
    own = quote_text(accession)
    counted = connection.execute(
        " UNION ALL ".join(
            f"SELECT '{kind}', count(*) FROM {kind} WHERE accession_number = {own}"
            for kind in KINDS
        )
    ).fetchall()
    return dict(counted)


def write_done(connection: duckdb.DuckDBPyConnection, meta: FilingMeta, choice: Choice) -> None:
    """Say of replaced kinds that they are done or empty, of kept ones why they were kept.

    A kept kind counts as done by this parser: it would come out empty each time.
    """
    rows: list[tuple[Kind, Status, str | None]] = [
        *((kind, "done" if choice.after[kind] else "empty", None) for kind in choice.kinds),
        *((kind, "done", choice.reason) for kind in choice.kept),
    ]
    _write(connection, meta, rows, choice.after)


def write_failed(
    connection: duckdb.DuckDBPyConnection, planned: PlannedFiling, reason: str
) -> None:
    """Say of the planned kinds why they failed; the rows stand as they were."""
    counts = standing_counts(connection, planned.meta.accession_number)
    rows: list[tuple[Kind, Status, str | None]] = [(k, "failed", reason) for k in planned.kinds]
    _write(connection, planned.meta, rows, counts)


def _write(
    connection: duckdb.DuckDBPyConnection,
    meta: FilingMeta,
    rows: list[tuple[Kind, Status, str | None]],
    counts: dict[Kind, int],
) -> None:
    accession = meta.accession_number
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute(
        "DELETE FROM filing_status WHERE accession_number = ? AND list_contains(?, kind)",
        [accession, [kind for kind, _, _ in rows]],
    )
    values = [
        value
        for kind, status, error in rows
        for value in (
            *(accession, kind, status, counts[kind], meta.content_hash, PARSER_VERSION),
            *(error, now),
        )
    ]
    marks = ", ".join("(?, ?, ?, ?, ?, ?, ?, ?)" for _ in rows)
    connection.execute(
        "INSERT INTO filing_status (accession_number, kind, status, row_count, content_hash, "
        f"parser_version, error, updated_at) VALUES {marks}",
        values,
    )
    _tell_register(connection, accession, now)


def _tell_register(connection: duckdb.DuckDBPyConnection, accession: str, now: datetime) -> None:
    found = connection.execute(
        "SELECT kind, status, error FROM filing_status WHERE accession_number = ?", [accession]
    ).fetchall()
    statuses = {kind: status for kind, status, _ in found}
    errors = {kind: error for kind, status, error in found if status == "failed"}
    connection.execute(
        "UPDATE filings SET sections_processed = ?, processing_errors = ?, updated_at = ? "
        "WHERE accession_number = ?",
        [
            statuses.get("sections") in ("done", "empty"),
            json.dumps(errors, sort_keys=True) if errors else None,
            now,
            accession,
        ],
    )
