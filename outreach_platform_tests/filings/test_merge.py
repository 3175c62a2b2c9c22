"""The merge: what it replaces, what it keeps, and what it refuses; real files and databases."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings import merge_checks, staging
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import MergeOutcome, merge_filing
from outreach_platform.filings.model import KINDS, FilingMeta, Kind
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import FULL, rows_of, stage

RUN = "run-1"
Rows = dict[Kind, list[dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path)


@pytest.fixture
def meta(folder: FilingFolder) -> FilingMeta:
    return filing_rows.add_filing(folder, 1)


@pytest.fixture
def connection(folder: FilingFolder, meta: FilingMeta) -> Iterator[duckdb.DuckDBPyConnection]:
    with writer(folder) as connection:
        filing_rows.register(connection, meta)
        yield connection


@pytest.fixture
def merge(
    folder: FilingFolder, connection: duckdb.DuckDBPyConnection, meta: FilingMeta
) -> Callable[..., MergeOutcome]:
    """Stage rows, change the staging, merge."""

    def merged(
        rows: Rows,
        kinds: tuple[Kind, ...] = KINDS,
        *,
        force: bool = False,
        between: Callable[[], object] = lambda: None,
        run: str = RUN,
    ) -> MergeOutcome:
        stage(folder, run, meta, rows)
        between()
        (one,) = filing_rows.planned(meta, kinds=kinds)
        return merge_filing(connection, folder, run, one, force=force)

    return merged


def rows(**changed: Any) -> Rows:
    return rows_of(filing_rows.accession(1), **{**FULL, **changed})


def standing(connection: duckdb.DuckDBPyConnection) -> dict[Kind, list[tuple[Any, ...]]]:
    return {kind: connection.execute(f"FROM {kind} ORDER BY ALL").fetchall() for kind in KINDS}


def counts(connection: duckdb.DuckDBPyConnection) -> dict[Kind, int]:
    return {kind: len(found) for kind, found in standing(connection).items()}


def statuses(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, int]]:
    found = connection.execute("SELECT kind, status, row_count FROM filing_status").fetchall()
    assert len({kind for kind, _, _ in found}) == len(found)
    return {kind: (status, count) for kind, status, count in found}


def test_a_filing_is_taken_over_and_its_staging_removed(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    meta: FilingMeta,
    merge: Callable[..., MergeOutcome],
) -> None:
    stage(folder, "dead-run", meta, rows(sections=1))
    outcome = merge(rows(footnotes=0))
    assert outcome.rows == {**FULL, "footnotes": 0}
    assert (outcome.error, outcome.notices) == (None, ())
    assert counts(connection) == {**FULL, "footnotes": 0}
    assert statuses(connection) == {
        "sections": ("done", 3),
        "tables": ("done", 4),
        "footnotes": ("empty", 0),
        "chunks": ("done", 5),
    }
    assert connection.execute(
        "SELECT sections_processed, processing_errors, updated_at IS NULL FROM filings"
    ).fetchall() == [(True, None, False)]
    assert not any(folder.staging.iterdir())


def test_a_second_merge_gives_the_same_rows(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    merge(rows())
    once = standing(connection)
    assert all(len(once[kind]) == FULL[kind] for kind in KINDS)
    merge(rows(), run="run-2")
    assert standing(connection) == once


def test_other_filings_are_left_alone(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    merge: Callable[..., MergeOutcome],
) -> None:
    other = filing_rows.add_filing(folder, 2)
    filing_rows.register(connection, other)
    stage(folder, RUN, other, rows_of(other.accession_number, **FULL))
    (one,) = filing_rows.planned(other)
    assert merge_filing(connection, folder, RUN, one).error is None
    merge(rows())
    merge(rows(text="new"))
    assert counts(connection) == {kind: 2 * count for kind, count in FULL.items()}
    texts = "SELECT count_if(starts_with(content_text, 'new')) FROM sections"
    assert connection.execute(texts).fetchall() == [(3,)]


def test_only_planned_kinds_are_replaced(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    merge(rows())
    again = rows(chunks=9)
    for row in (*again["tables"], *again["chunks"]):
        row["created_at"] = None
    outcome = merge(again, ("tables", "footnotes"))
    assert outcome.rows == {"tables": 4, "footnotes": 2}
    assert counts(connection) == FULL
    dated = [
        connection.execute(f"SELECT count(created_at) FROM {kind}").fetchone() for kind in KINDS
    ]
    assert dated == [(3,), (0,), (2,), (5,)]


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"text": "new"}, {"sections": 2}, {"sections": 4}])
def test_a_changed_section_rebuilds_what_refers_to_it(
    connection: duckdb.DuckDBPyConnection,
    merge: Callable[..., MergeOutcome],
    changed: dict[str, Any],
) -> None:
    merge(rows())
    outcome = merge(rows(tables=6, chunks=8, **changed), ("tables",))
    expected = {**FULL, "tables": 6, "chunks": 8, "sections": changed.get("sections", 3)}
    assert outcome.rows == counts(connection) == expected


def test_tables_that_changed_take_their_footnotes_along(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    merge(rows())
    outcome = merge(rows(tables=1, footnotes=1), ("tables",))
    assert outcome.rows == {"tables": 1, "footnotes": 1}
    assert counts(connection) == {**FULL, "tables": 1, "footnotes": 1}


def test_nothing_replaces_a_full_result_unless_forced(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    merge(rows())
    full = standing(connection)
    outcome = merge(rows(chunks=0), ("sections", "chunks"))
    assert outcome.rows == {"sections": 3}
    assert outcome.notices == ("kept what stands: 5 chunks would have been replaced by none",)
    assert standing(connection) == full
    assert statuses(connection)["chunks"] == ("done", 5)
    (error,) = connection.execute(
        "SELECT error FROM filing_status WHERE kind = 'chunks'"
    ).fetchone() or ("",)
    assert error == outcome.notices[0]
    assert merge(rows(chunks=0), ("chunks",), force=True).rows == {"chunks": 0}
    assert counts(connection) == {**FULL, "chunks": 0}
    assert statuses(connection)["chunks"] == ("empty", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("emptied", "kept"),
    [
        ({"sections": 0, "tables": 0, "footnotes": 0, "chunks": 0}, set(KINDS)),
        ({"text": "new", "chunks": 0}, set(KINDS)),
        ({"tables": 0, "footnotes": 0}, {"tables", "footnotes"}),
        ({"tables": 3, "footnotes": 0}, {"tables", "footnotes"}),
        ({"footnotes": 0}, {"footnotes"}),
    ],
)
def test_what_belongs_together_is_kept_together(
    connection: duckdb.DuckDBPyConnection,
    merge: Callable[..., MergeOutcome],
    emptied: dict[str, Any],
    kept: set[Kind],
) -> None:
    merge(rows())
    full = standing(connection)
    outcome = merge(rows(**emptied))
    assert outcome.error is None
    assert set(outcome.rows) == set(KINDS) - kept
    assert standing(connection) == full
    assert {status for status, _ in statuses(connection).values()} == {"done"}
    assert merge(rows(**emptied), force=True).notices == ()
    assert counts(connection) == {k: v for k, v in {**FULL, **emptied}.items() if k in KINDS}


def test_a_failed_extraction_keeps_what_stands(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    meta: FilingMeta,
    merge: Callable[..., MergeOutcome],
) -> None:
    merge(rows())
    full = standing(connection)
    staging.write_report(folder, "run-2", staging.failure(meta, "its worker crashed"))
    (one,) = filing_rows.planned(meta)
    outcome = merge_filing(connection, folder, "run-2", one, force=True)
    assert (outcome.error, outcome.rows) == ("its worker crashed", {})
    assert standing(connection) == full
    assert statuses(connection) == {kind: ("failed", FULL[kind]) for kind in KINDS}
    found = connection.execute(
        "SELECT sections_processed, json_keys(processing_errors) FROM filings"
    ).fetchall()
    assert found == [(False, sorted(KINDS))]
    assert folder.staged("run-2", meta.accession_number).is_dir()
    merge(rows(), run="run-3")
    assert {status for status, _ in statuses(connection).values()} == {"done"}
    assert connection.execute("SELECT processing_errors FROM filings").fetchall() == [(None,)]
    assert not any(folder.staging.iterdir())


def _change(kind: Kind, index: int, **values: Any) -> Rows:
    changed = rows()
    changed[kind][index].update(values)
    return changed


OTHER = filing_rows.accession(9)
BROKEN = {
    "another filing's": (_change("tables", 1, accession_number=OTHER), "1 tables of another"),
    "a key twice": (_change("tables", 1, table_index=0), "1 tables with another's key"),
    "an id twice": (
        _change("chunks", 1, chunk_id=rows()["chunks"][0]["chunk_id"]),
        "1 chunks with another's id",
    ),
    "no such item": (_change("sections", 0, section_type="item_99"), "unknown section_type"),
    "no such level": (_change("chunks", 0, chunk_level=4), "1 chunks with an unknown chunk_level"),
    "no section": (_change("tables", 0, section_id="gone"), "1 tables whose section_id is not"),
    "no table": (_change("footnotes", 0, table_id="gone"), "1 footnotes whose table_id is not"),
    "no parent": (_change("chunks", 4, parent_chunk_id="gone"), "parent_chunk_id is not there"),
    "a null": (_change("sections", 1, content_text=None), "has nulls in content_text"),
    "a null key": (_change("chunks", 1, section_part=None), "has nulls in section_part"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_rows_that_break_a_rule_replace_nothing(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    merge: Callable[..., MergeOutcome],
    case: str,
) -> None:
    merge(rows())
    full = standing(connection)
    broken, said = BROKEN[case]
    outcome = merge(broken)
    assert outcome.error is not None
    assert said in outcome.error
    assert standing(connection) == full
    assert {status for status, _ in statuses(connection).values()} == {"failed"}
    assert any(folder.staging.glob("*/*/sections.parquet"))


def test_a_json_column_that_is_none_replaces_nothing(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    merge(rows())
    full = standing(connection)
    outcome = merge(_change("tables", 3, table_data="no {json"))
    assert outcome.error is not None
    assert "do not fit their tables (ConversionException)" in outcome.error
    assert "no {json" not in outcome.error
    assert standing(connection) == full


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "no report", "another's", "unread"])
def test_damaged_staging_replaces_nothing(
    connection: duckdb.DuckDBPyConnection,
    folder: FilingFolder,
    meta: FilingMeta,
    merge: Callable[..., MergeOutcome],
    harm: str,
) -> None:
    merge(rows())
    full = standing(connection)
    staged = folder.staged(RUN, meta.accession_number)
    chunks, report = staged / "chunks.parquet", staged / "report.json"

    def damage() -> None:
        if harm == "cut":
            chunks.write_bytes(chunks.read_bytes()[:-9])
        elif harm == "changed":
            raw = bytearray(chunks.read_bytes())
            raw[40] ^= 1
            chunks.write_bytes(raw)
        elif harm == "gone":
            chunks.unlink()
        elif harm == "no report":
            report.unlink()
        elif harm == "another's":
            report.write_text(report.read_text().replace(meta.accession_number, OTHER))
        else:
            report.write_text(report.read_text()[:-20])

    outcome = merge(rows(text="new"), between=damage)
    assert outcome.error is not None
    expected = {
        "gone": "chunks.parquet is gone",
        "no report": "nothing is staged",
        "another's": f"is the report of {OTHER}",
        "unread": "report.json is damaged",
    }
    assert expected.get(harm, "chunks.parquet is not the file that was staged") in outcome.error
    assert standing(connection) == full
    assert {status for status, _ in statuses(connection).values()} == {"failed"}


def test_rows_of_other_bytes_replace_nothing(
    connection: duckdb.DuckDBPyConnection, folder: FilingFolder, meta: FilingMeta
) -> None:
    stage(folder, RUN, meta, rows())
    newer = filing_rows.add_filing(folder, 1, newer=True)
    (one,) = filing_rows.planned(newer)
    outcome = merge_filing(connection, folder, RUN, one)
    assert outcome.error is not None
    assert "are of another file or parser" in outcome.error
    assert counts(connection) == dict.fromkeys(KINDS, 0)


def test_a_filing_that_is_not_registered_gets_no_rows(
    connection: duckdb.DuckDBPyConnection, merge: Callable[..., MergeOutcome]
) -> None:
    connection.execute("DELETE FROM filings")
    outcome = merge(rows())
    assert outcome.error is not None
    assert "entries in the register" in outcome.error
    assert counts(connection) == dict.fromkeys(KINDS, 0)


def test_rows_that_come_out_in_another_number_are_taken_back(
    connection: duckdb.DuckDBPyConnection,
    merge: Callable[..., MergeOutcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trigger is what it would take; so the statement that inserts loses a row here."""
    merge(rows())
    full = standing(connection)
    from outreach_platform.filings import merge as module

    whole = module.read_parquet_sql
    monkeypatch.setattr(module, "read_parquet_sql", lambda paths: f"(FROM {whole(paths)} LIMIT 2)")
    outcome = merge(rows(text="new"))
    assert outcome.error is not None
    assert "-1 sections too many; -2 tables too many" in outcome.error
    assert standing(connection) == full


def test_the_checks_know_every_kind() -> None:
    assert tuple(merge_checks.IDS) == KINDS
