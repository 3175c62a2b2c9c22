import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.metadata_values import same_name
from outreach_platform.filings.registry import register, registered
from outreach_platform.filings.schema import create_sql
from outreach_platform_tests.support.real_data import real_data_folder

NOW = datetime(2026, 3, 1, tzinfo=UTC)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(real_data_folder() is None, reason="no real data"),
]


def shared(name: str) -> Path:
    folder = real_data_folder()
    assert folder is not None
    return folder / name


def test_the_real_filings_register_with_what_they_tell(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    with duckdb.connect(str(tmp_path / "writer.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        report = register(connection, folder, [shared("filings"), shared("filings_old")], now=NOW)
        found = {meta.accession_number: meta for meta in registered(connection)}
        again = register(
            connection, folder, [shared("filings"), folder.raw], now=NOW + timedelta(days=1)
        )
    assert len(report.new) == len(found) == 44
    assert [Path(path).name for path in report.refused] == ["nike-2006.htm.gz"]
    assert (again.new, again.updated, len(again.unchanged)) == ([], [], 44)
    with (shared("filings") / "filings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        meta = found[row["accession_number"]]
        assert (meta.form_type, meta.ticker, meta.refused) == (
            row["form_type"],
            row["ticker"],
            None,
        )
        assert meta.company_name is not None
        assert same_name(meta.company_name, row["company_name"])
        assert meta.period_of_report is not None
        assert (folder.data_dir / (meta.local_path or "")).is_file()
    # Only the filing without inline facts has no CIK; what no source tells stays unknown.
    assert [number for number, meta in found.items() if meta.cik is None] == [
        "0001193125-18-236766"
    ]
    assert [number for number, meta in found.items() if meta.warnings] == ["0001193125-18-236766"]


def test_facts_alone_tell_as_much_as_the_csv_and_its_years(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    for path in sorted(shared("filings").glob("*.htm.gz")):
        (tmp_path / path.name).symlink_to(path)
    with duckdb.connect(str(tmp_path / "writer.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        register(connection, folder, [tmp_path], now=NOW)
        found = {meta.accession_number: meta for meta in registered(connection)}
    apple = found["0000320193-24-000123"]
    assert (apple.form_type, apple.cik, apple.ticker) == ("10-K", "0000320193", "AAPL")
    assert apple.period_of_report == date(2024, 9, 28)
    # An agent filed for Abbott: its number is not the company's.
    assert found["0001628280-24-005348"].cik == "0000001800"
    # Dow's subsidiary stands first in the hidden facts.
    assert found["0001751788-23-000128"].company_name == "Dow Inc."
    alcoa = found["0001193125-18-236766"]
    assert (alcoa.form_type, alcoa.company_name) == ("10-Q", "ALCOA CORPORATION")
    assert alcoa.period_of_report == date(2018, 6, 30)
    assert all(meta.refused is None and meta.period_of_report for meta in found.values())


def test_a_submission_of_1998_is_told_by_its_header(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    with duckdb.connect(str(tmp_path / "writer.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        register(connection, folder, [shared("filings_old") / "ko-1997.txt.gz"], now=NOW)
        (meta,) = registered(connection)
    assert (meta.accession_number, meta.form_type) == ("0000021344-98-000004", "10-K")
    assert (meta.cik, meta.company_name) == ("0000021344", "COCA COLA CO")
    assert (meta.filing_date, meta.period_of_report) == (date(1998, 3, 9), date(1997, 12, 31))
    assert meta.local_path == "filings/0000021344-98-000004.txt.gz"


def test_a_document_without_number_registers_by_a_csv(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    (tmp_path / "nike-2006.htm.gz").symlink_to(shared("filings_old") / "nike-2006.htm.gz")
    (tmp_path / "filings.csv").write_text(
        "accession_number,cik,file\n0001193125-06-156315,320187,nike-2006.htm\n"
    )
    with duckdb.connect(str(tmp_path / "writer.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        report = register(connection, folder, [tmp_path / "nike-2006.htm.gz"], now=NOW)
        (meta,) = registered(connection)
    assert (report.problems, report.refused) == ([], {})
    assert (meta.form_type, meta.company_name) == ("10-K", "NIKE, Inc.")
    assert meta.period_of_report == date(2006, 5, 31)
    assert meta.edgar_url is not None
    assert meta.edgar_url.endswith("/320187/000119312506156315/d10k.htm")
