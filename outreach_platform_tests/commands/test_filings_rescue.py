"""The documented rescue, from the terminal: a predecessor's database in, a whole one out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from outreach_platform.embedded.sample.filing_text import Filing, html_report
from outreach_platform.filings.layout import FilingFolder
from outreach_platform_tests.support.predecessor import (
    FILINGS,
    SECTIONS,
    TWINS,
    build_predecessor,
)
from outreach_platform_tests.support.product import Finished, Inside, Product

pytestmark = pytest.mark.slow

KEPT = SECTIONS - TWINS
Filings = Callable[..., Finished]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "filings.duckdb"
    build_predecessor(path, factor=0.05)
    return path


@pytest.fixture
def filings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Filings:
    inside = Inside(Product(tmp_path), capsys)
    return lambda *arguments, **more: inside("filings", *arguments, **more)


def ask(data: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(FilingFolder(data).published), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def raw_file(folder: Path, accession: str, company: str) -> None:
    """The document that a filing of the old database was made from."""
    filing = Filing(
        *(accession, "0000000002", company, "CMPX", "10-K"),
        *(date(2016, 3, 2), date(2015, 12, 31), f"{accession}.htm"),
    )
    folder.mkdir(exist_ok=True)
    (folder / filing.file).write_text(html_report(Random(1), replace(filing)), encoding="utf-8")


def test_a_dry_run_tells_what_an_import_would_bring_and_brings_nothing(
    old: Path, tmp_path: Path, filings: Filings
) -> None:
    before = old.read_bytes()
    told = {row["table"]: row for row in filings("dedupe", "--dry-run", str(old), "--json").rows}
    assert (told["sections"]["before"], told["sections"]["after"]) == (SECTIONS, KEPT)
    assert not FilingFolder(tmp_path / "data").writer.exists()
    assert old.read_bytes() == before


def test_a_predecessors_database_comes_out_whole_and_its_gaps_are_filled(
    old: Path, tmp_path: Path, filings: Filings
) -> None:
    data = tmp_path / "data"
    before = old.read_bytes()
    done = filings("dedupe", str(old), "--json")
    assert done.code == 0
    assert done.rows[0]["tables_to_extract"] > 100, "gaps are told"
    assert filings("compact").code == 0
    assert old.read_bytes() == before, "the old file is only read"
    counts = "SELECT total_filings, duplicates, orphans FROM data_health"
    assert ask(data, counts) == [(FILINGS, 0, 0)]
    assert ask(data, "SELECT count(*) FROM sections") == [(KEPT,)]
    assert FilingFolder(data).published.stat().st_size <= old.stat().st_size / 4

    bare, company = ask(
        data,
        "SELECT accession_number, company_name FROM filings f WHERE form_type = '10-K' AND NOT "
        "EXISTS (FROM tables t WHERE t.accession_number = f.accession_number) ORDER BY 1 LIMIT 1",
    )[0]
    raw_file(tmp_path / "raw", bare, company)
    pending = filings("health", "--json").rows[0]["pending"]
    added = filings("add", str(tmp_path / "raw"), "--json")
    assert (added.code, added.row["updated"]) == (0, 1)
    filled = filings("extract", "--accession", bare, "--json")
    assert (filled.code, filled.rows[0]["read"]) == (0, 1)
    assert filled.rows[0]["tables"] > 0
    health = filings("health", "--json")
    assert health.code == 0
    assert health.rows[0]["pending"] < pending
    assert ask(data, counts) == [(FILINGS, 0, 0)]


def test_our_own_database_is_not_imported_into_itself(
    old: Path, tmp_path: Path, filings: Filings
) -> None:
    assert filings("dedupe", str(old)).code == 0
    again = filings("dedupe", str(FilingFolder(tmp_path / "data").writer), "--json")
    assert again.code == 1
    assert "own database" in again.rows[0]["message"]


def test_what_is_no_database_is_refused(tmp_path: Path, filings: Filings) -> None:
    wrong = tmp_path / "letter.duckdb"
    wrong.write_text("no database")
    done = filings("dedupe", str(wrong), "--json")
    assert done.code == 1
    assert "letter.duckdb" in done.rows[0]["message"]
    assert "Traceback" not in done.err
