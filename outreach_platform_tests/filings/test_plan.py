"""What a run has to extract, by mode."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, PARSER_VERSION, FilingMeta
from outreach_platform.filings.plan import MODES, plan
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import accession


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Filing 1 is done, 2 has no tables, 3 failed, 4 is of an older parser, 5 is new, 6 refused."""
    folder = FilingFolder(tmp_path)
    metas = {n: filing_rows.add_filing(folder, n, n=n) for n in range(1, 7)}
    with writer(folder) as connection:
        filing_rows.register(connection, *metas.values())
        refuse(connection, metas[6])
        for kind in KINDS:
            tell(connection, metas[1], kind, "empty" if kind == "footnotes" else "done")
            if kind != "tables":
                tell(connection, metas[2], kind)
            tell(connection, metas[3], kind, "failed")
            tell(connection, metas[4], kind, version="0")
        yield connection


def refuse(connection: duckdb.DuckDBPyConnection, meta: FilingMeta) -> None:
    connection.execute(
        "UPDATE filings SET refused = 'it is empty' WHERE accession_number = ?",
        [meta.accession_number],
    )


def tell(
    connection: duckdb.DuckDBPyConnection,
    meta: FilingMeta,
    kind: str,
    status: str = "done",
    version: str = PARSER_VERSION,
) -> None:
    connection.execute(
        "INSERT INTO filing_status (accession_number, kind, status, content_hash, parser_version) "
        "VALUES (?, ?, ?, ?, ?)",
        [meta.accession_number, kind, status, meta.content_hash, version],
    )


def planned(connection: duckdb.DuckDBPyConnection, **options: Any) -> dict[int, tuple[str, ...]]:
    return {int(one.meta.accession_number[-6:]): one.kinds for one in plan(connection, **options)}


def test_missing_is_what_is_not_done_for_these_bytes_and_this_parser(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert planned(connection, mode="missing") == {2: ("tables",), 3: KINDS, 4: KINDS, 5: KINDS}


def test_no_tables_is_whose_tables_were_never_done(connection: duckdb.DuckDBPyConnection) -> None:
    both = ("tables", "footnotes")
    assert planned(connection, mode="no_tables") == {2: both, 3: both, 5: both}


def test_all_leaves_out_what_stands_unchanged(connection: duckdb.DuckDBPyConnection) -> None:
    assert planned(connection, mode="all") == dict.fromkeys((2, 3, 4, 5), KINDS)
    assert planned(connection, mode="all", force=True) == dict.fromkeys(range(1, 6), KINDS)


def test_other_bytes_make_everything_missing(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "UPDATE filings SET content_hash = 'new' WHERE accession_number = ?", [accession(1)]
    )
    assert planned(connection, mode="missing")[1] == KINDS
    assert planned(connection, mode="all")[1] == KINDS
    assert 1 not in planned(connection, mode="no_tables")


def test_filings_are_chosen_by_number_year_and_limit(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    chosen = planned(connection, mode="missing", accessions=(accession(5), accession(1)))
    assert chosen == {5: KINDS}
    assert list(planned(connection, mode="missing", limit=2)) == [2, 3]
    assert list(planned(connection, mode="missing", year=2021)) == [2, 3, 4, 5]
    assert planned(connection, mode="missing", year=2020) == {}


@pytest.mark.parametrize("mode", MODES)
def test_numbers_that_cannot_be_extracted_are_named(
    connection: duckdb.DuckDBPyConnection, mode: str
) -> None:
    with pytest.raises(UsageError, match=f"not registered: {accession(9)}; run"):
        planned(connection, mode=mode, accessions=[accession(9), accession(1)])
    with pytest.raises(UsageError, match=rf"refused .*: {accession(6)} \(it is empty\)"):
        planned(connection, mode=mode, accessions=[accession(6)])
    assert planned(connection, mode=mode, accessions=[accession(1)], year=2020) == {}


def test_a_plan_says_which_bytes_it_is_for(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (one,) = plan(connection, mode="missing", accessions=[accession(5)])
    meta = filing_rows.add_filing(FilingFolder(tmp_path), 5, n=5)
    assert one.meta == replace(
        meta, company_name=one.meta.company_name, download_status=one.meta.download_status
    )
