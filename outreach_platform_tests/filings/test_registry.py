import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.embedded.sample.filings import write_filings
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.registry import RegisterReport, register, registered
from outreach_platform.filings.schema import COLUMNS, create_sql
from outreach_platform.foundation.errors import OutreachError
from outreach_platform_tests.filings.written import ACCESSION, fact, inline, page, put, submission

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = NOW.replace(tzinfo=None)


class Register:
    """A register in a real DuckDB file, and a folder that somebody fills."""

    def __init__(self, root: Path) -> None:
        self.inbox = root / "inbox"
        self.inbox.mkdir()
        self.folder = FilingFolder(root / "data")
        self.connection = duckdb.connect(str(root / "writer.duckdb"))
        self.connection.execute(create_sql("filings"))

    def add(self, *paths: Path, now: datetime = NOW) -> RegisterReport:
        return register(self.connection, self.folder, paths or [self.inbox], now=now)

    def row(self, accession: str = ACCESSION) -> dict[str, Any]:
        found = self.connection.execute(
            "SELECT * FROM filings WHERE accession_number = ?", [accession]
        )
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
        assert len(rows) == 1
        return dict(zip(names, rows[0], strict=True))

    def table(self) -> list[tuple[Any, ...]]:
        return self.connection.execute("SELECT * FROM filings ORDER BY ALL").fetchall()

    def raw(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.raw.iterdir())}


@pytest.fixture
def filings(tmp_path: Path) -> Iterator[Register]:
    made = Register(tmp_path)
    yield made
    made.connection.close()


def test_a_filing_becomes_a_row_and_a_copy(filings: Register) -> None:
    put(filings.inbox / "full-submission.txt", submission())
    report = filings.add()
    assert (report.new, report.updated, report.unchanged) == ([ACCESSION], [], [])
    assert (report.refused, report.problems, report.years) == ({}, [], {2024: 1})
    row = filings.row()
    assert set(row) == set(COLUMNS["filings"])
    assert row["local_path"] == f"filings/{ACCESSION}.txt"
    assert (row["created_at"], row["updated_at"]) == (MOMENT, MOMENT)
    assert (row["filing_year"], row["sections_processed"]) == (2024, False)
    assert filings.raw() == {f"{ACCESSION}.txt": submission()}


def test_the_copy_stays_packed(filings: Register) -> None:
    packed = gzip.compress(page())
    put(filings.inbox / f"{ACCESSION}.html", packed)
    filings.add()
    assert filings.raw() == {f"{ACCESSION}.htm.gz": packed}
    assert filings.row()["size"] == len(page())


def test_a_second_time_changes_nothing(filings: Register) -> None:
    write_filings(filings.inbox)
    filings.add()
    before, files = filings.table(), filings.raw()
    report = filings.add(now=NOW + timedelta(days=1))
    assert (report.new, report.updated, len(report.unchanged)) == ([], [], 4)
    assert report.years == {}
    assert (filings.table(), filings.raw()) == (before, files)


def test_the_sample_is_described_by_its_csv(filings: Register) -> None:
    write_filings(filings.inbox)
    report = filings.add()
    assert report.problems == []
    found = registered(filings.connection)
    assert [(meta.form_type, meta.ticker, meta.filing_date, meta.refused) for meta in found] == [
        ("10-K", "LKWX", date(2025, 3, 3), None),
        ("10-Q", "LKWX", date(2025, 5, 8), None),
        ("10-K", "VTHX", date(2025, 2, 20), None),
        ("10-K405", "MRGX", date(1998, 3, 27), None),
    ]


def test_the_data_folder_alone_forgets_nothing_that_a_csv_told(filings: Register) -> None:
    write_filings(filings.inbox)
    filings.add()
    before = filings.table()
    report = filings.add(filings.folder.raw, now=NOW + timedelta(days=1))
    assert len(report.unchanged) == 4
    assert filings.table() == before
    both = filings.add(filings.folder.raw, filings.inbox, now=NOW + timedelta(days=2))
    assert len(both.unchanged) == 4
    assert both.problems == []


def test_a_csv_that_comes_later_is_taken_over(filings: Register) -> None:
    put(filings.inbox / f"{ACCESSION}.htm", page())
    filings.add()
    put(filings.inbox / "filings.csv", f"accession_number,cik,ticker\n{ACCESSION},912345,OAR\n")
    report = filings.add(now=NOW + timedelta(days=1))
    assert report.updated == [ACCESSION]
    row = filings.row()
    assert (row["cik"], row["ticker"]) == ("0000912345", "OAR")
    assert row["edgar_url"].endswith(f"/912345/000119312524000007/{ACCESSION}-index.htm")
    assert (row["created_at"], row["updated_at"]) == (MOMENT, MOMENT + timedelta(days=1))


def test_files_in_the_data_folder_stay_where_they_are(filings: Register) -> None:
    path = put(filings.folder.raw / "mine" / "oars.txt", submission())
    report = filings.add(filings.folder.raw)
    assert report.new == [ACCESSION]
    assert filings.row()["local_path"] == "filings/mine/oars.txt"
    assert [p for p in filings.folder.raw.rglob("*") if p.is_file()] == [path]


def test_what_the_extraction_keeps_in_a_row_stays(filings: Register) -> None:
    path = put(filings.inbox / f"{ACCESSION}.htm", page())
    filings.add()
    filings.connection.execute(
        "UPDATE filings SET sections_processed = true, processing_errors = '[1]'"
    )
    put(path, page(company="Paddles Ltd"))
    assert filings.add().updated == [ACCESSION]
    row = filings.row()
    assert (row["sections_processed"], row["processing_errors"]) == (True, "[1]")


def test_other_bytes_replace_and_the_old_copy_is_kept_aside(filings: Register) -> None:
    path = put(filings.inbox / f"{ACCESSION}.htm", page())
    filings.add()
    old = filings.row()
    put(path, page(company="Paddles Ltd"))
    report = filings.add(now=NOW + timedelta(days=1))
    assert report.updated == [ACCESSION]
    assert "other bytes than before" in report.problems[0]
    row = filings.row()
    assert row["company_name"] == "Paddles Ltd"
    assert row["content_hash"] != old["content_hash"]
    assert filings.raw() == {
        f"{ACCESSION}.htm": page(company="Paddles Ltd"),
        f"{ACCESSION}.htm.{old['content_hash'][:8]}.bak": page(),
    }
    assert filings.add(filings.folder.raw).unchanged == [ACCESSION]


def test_another_kind_of_file_takes_the_old_ones_place(filings: Register) -> None:
    file = put(filings.inbox / f"{ACCESSION}.htm", page())
    filings.add()
    old = filings.row()["content_hash"][:8]
    file.unlink()
    put(filings.inbox / "full.txt", submission())
    assert filings.add().updated == [ACCESSION]
    assert sorted(filings.raw()) == [f"{ACCESSION}.htm.{old}.bak", f"{ACCESSION}.txt"]
    assert filings.row()["local_path"] == f"filings/{ACCESSION}.txt"


def test_known_metadata_is_not_forgotten_for_a_file_that_tells_less(filings: Register) -> None:
    file = put(filings.inbox / "full.txt", submission())
    filings.add()
    file.unlink()
    put(filings.inbox / f"{ACCESSION}.htm", page(ended="", company=""))
    assert filings.add().updated == [ACCESSION]
    row = filings.row()
    assert (row["cik"], row["company_name"]) == ("0000912345", "OAR & SCULL WORKS INC")
    assert (row["filing_date"], row["period_of_report"]) == (date(2024, 2, 15), date(2023, 12, 31))
    assert row["edgar_url"].endswith("/oar-20231231.htm")


def test_a_broken_file_never_replaces_a_good_one(filings: Register) -> None:
    put(filings.inbox / "full.txt", submission())
    filings.add()
    before, files = filings.table(), filings.raw()
    broken = put(filings.inbox / "again" / f"{ACCESSION}.txt", submission()[:-600])
    report = filings.add(broken)
    assert report.unchanged == [ACCESSION]
    assert "is not registered in place of" in report.problems[0]
    assert "cut off" in report.problems[0]
    assert (filings.table(), filings.raw()) == (before, files)


def test_a_good_file_heals_a_broken_one(filings: Register) -> None:
    put(filings.inbox / f"{ACCESSION}.txt", submission()[:-600])
    report = filings.add()
    assert "cut off" in report.refused[ACCESSION]
    row = filings.row()
    assert (row["download_status"], row["local_path"]) == ("failed", None)
    assert not filings.folder.raw.exists() or filings.raw() == {}
    put(filings.inbox / f"{ACCESSION}.txt", submission())
    healed = filings.add()
    assert (healed.updated, healed.refused) == ([ACCESSION], {})
    row = filings.row()
    assert (row["download_status"], row["refused"]) == ("completed", None)


def test_another_form_is_registered_as_refused_and_kept(filings: Register) -> None:
    put(filings.inbox / "x.txt", submission(form="8-K"))
    report = filings.add()
    assert report.new == [ACCESSION]
    assert report.refused[ACCESSION].startswith("Form 8-K is not read")
    row = filings.row()
    assert (row["form_type"], row["download_status"]) == ("8-K", "completed")
    again = filings.add()
    assert again.unchanged == [ACCESSION]
    assert ACCESSION in again.refused


def test_a_form_that_a_csv_tells_later_ends_the_refusal(filings: Register) -> None:
    put(filings.inbox / f"{ACCESSION}.htm", page(form="", ended=""))
    assert "Nothing tells its form" in filings.add().refused[ACCESSION]
    sheet = put(filings.inbox / "filings.csv", f"file,form_type\n{ACCESSION}.htm,10-K\n")
    assert filings.add().refused == {}
    sheet.unlink()
    assert filings.add().unchanged == [ACCESSION]
    assert filings.row()["form_type"] == "10-K"


def test_a_file_without_a_number_is_told_with_its_path(filings: Register) -> None:
    path = put(filings.inbox / "nike-2006.htm", page())
    empty = put(filings.inbox / "nothing.txt", b"")
    report = filings.add()
    assert "has no accession number" in report.refused[str(path)]
    assert "is empty" in report.refused[str(empty)]
    assert filings.table() == []


def test_equal_files_of_one_filing_are_one(filings: Register) -> None:
    put(filings.inbox / "a" / f"{ACCESSION}.htm", page())
    put(filings.inbox / "b" / f"{ACCESSION}.htm.gz", gzip.compress(page()))
    report = filings.add()
    assert (report.new, report.problems) == ([ACCESSION], [])
    assert len(filings.raw()) == 1


def test_a_full_submission_counts_before_a_bare_document(filings: Register) -> None:
    bare = put(filings.inbox / ACCESSION / "primary-document.html", page())
    whole = put(filings.inbox / ACCESSION / "full-submission.txt", submission())
    os.utime(bare, (2_000_000_000, 2_000_000_000))
    report = filings.add()
    assert report.new == [ACCESSION]
    assert report.problems == [
        f"{bare} and {whole} are both of {ACCESSION} and differ: the latter is registered, because "
        "it is the full submission."
    ]
    assert filings.raw() == {f"{ACCESSION}.txt": submission()}
    assert filings.add().unchanged == [ACCESSION]


def test_an_exhibit_of_the_same_folder_gives_way(filings: Register) -> None:
    folder = filings.inbox / "data" / "912345" / ACCESSION.replace("-", "")
    put(folder / "ex31.htm", "<html><body><p>I certify that</p></body></html>")
    put(folder / "oar-20231231.htm", page())
    report = filings.add()
    assert (report.new, report.refused) == ([ACCESSION], {})
    assert "because the former cannot be used" in report.problems[0]
    assert filings.row()["primary_document"] == "oar-20231231.htm"


def test_a_row_that_names_one_file_describes_the_filing(filings: Register) -> None:
    put(filings.inbox / "a.htm", page())
    put(filings.inbox / "b" / "full-submission.txt", submission())
    put(filings.inbox / "filings.csv", f"accession_number,file,ticker\n{ACCESSION},a.htm,OAR\n")
    filings.add()
    assert filings.row()["ticker"] == "OAR"
    assert filings.row()["local_path"].endswith(".txt")


def test_sources_that_differ_are_warned_of_once(filings: Register) -> None:
    put(filings.inbox / f"{ACCESSION}.txt", submission())
    put(filings.inbox / "filings.csv", f"accession_number,form_type\n{ACCESSION},10-Q\n")
    report = filings.add()
    (warning,) = json.loads(filings.row()["warnings"])
    assert report.problems == [f"{ACCESSION}: {warning}"]
    assert "filings.csv" in warning
    assert "the SGML header" in warning
    assert filings.add().problems == []
    assert registered(filings.connection)[0].warnings == (warning,)


def amendment(accession: str = "0001193125-24-000099", form: str = "10-K/A") -> bytes:
    document = inline(fact("DocumentType", form), fact("AmendmentDescription", "To add Part III."))
    return submission(accession, form=form, filed="20240401", document=document)


def test_an_amendment_names_its_original(filings: Register) -> None:
    put(filings.inbox / "a.txt", amendment())
    put(filings.inbox / "o.txt", submission(form="10-K"))
    put(filings.inbox / "q.txt", submission("0001193125-24-000008", form="10-Q"))
    filings.add()
    assert filings.row("0001193125-24-000099")["amends"] == ACCESSION
    assert len(filings.add().unchanged) == 3


def test_an_original_that_comes_later_is_named_then(filings: Register) -> None:
    put(filings.inbox / "a.txt", amendment())
    filings.add()
    assert filings.row("0001193125-24-000099")["amends"] == "To add Part III."
    put(filings.inbox / "other.txt", submission("0001193125-23-000001", period="20221231"))
    put(filings.inbox / "theirs.txt", submission("0001193125-24-000003", cik="0000000001"))
    assert filings.add().updated == []
    put(filings.inbox / "o.txt", submission(form="10-K405"))
    report = filings.add(now=NOW + timedelta(days=1))
    assert (report.new, report.updated) == ([ACCESSION], ["0001193125-24-000099"])
    row = filings.row("0001193125-24-000099")
    assert (row["amends"], row["updated_at"]) == (ACCESSION, MOMENT + timedelta(days=1))


def test_entries_are_found_by_number_and_year(filings: Register) -> None:
    write_filings(filings.inbox)
    filings.add()
    numbers = [meta.accession_number for meta in registered(filings.connection, year=1998)]
    assert numbers == ["0009990003-98-000002"]
    assert registered(filings.connection, accessions=[]) == []
    (found,) = registered(filings.connection, accessions=["0009990002-25-000004", "x"])
    assert found.company_name == "Vane & Thistle Holdings"
    assert found.local_path == "filings/0009990002-25-000004.htm"


def test_times_are_kept_in_utc(filings: Register) -> None:
    put(filings.inbox / "a.txt", submission())
    filings.add(now=datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=-5))))
    assert filings.row()["created_at"] == MOMENT


def test_progress_is_told(filings: Register) -> None:
    write_filings(filings.inbox)
    told: list[tuple[int, int]] = []
    register(
        filings.connection,
        filings.folder,
        [filings.inbox],
        now=NOW,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_copy_that_is_gone_is_made_again(filings: Register) -> None:
    put(filings.inbox / "a.txt", submission())
    filings.add()
    (filings.folder.raw / f"{ACCESSION}.txt").unlink()
    assert filings.add().unchanged == [ACCESSION]
    assert filings.raw() == {f"{ACCESSION}.txt": submission()}


def test_a_folder_that_refuses_registers_nothing(filings: Register) -> None:
    put(filings.inbox / "a.txt", submission())
    put(filings.folder.data_dir, b"a file where the folder should be")
    with pytest.raises(OutreachError, match="cannot be written"):
        filings.add()
    assert filings.table() == []


def test_a_failed_write_leaves_the_register_as_it_was(filings: Register) -> None:
    put(filings.inbox / "a.txt", submission())
    put(filings.inbox / "b.txt", submission("0001193125-24-000008"))
    filings.connection.execute(
        "ALTER TABLE filings ALTER size TYPE INTEGER; "
        "CREATE TABLE small AS FROM filings; DROP TABLE filings; "
        "CREATE TABLE filings AS SELECT * REPLACE (size::TINYINT AS size) FROM small"
    )
    with pytest.raises(duckdb.Error):
        filings.add()
    assert filings.table() == []
    filings.connection.execute("ALTER TABLE filings ALTER size TYPE BIGINT")
    assert len(filings.add().new) == 2


def test_columns_that_somebody_added_stay(filings: Register) -> None:
    put(filings.inbox / "a.txt", submission())
    filings.connection.execute("ALTER TABLE filings ADD COLUMN note VARCHAR")
    filings.add()
    filings.connection.execute("UPDATE filings SET note = 'mine'")
    put(filings.inbox / "a.txt", submission(company="Paddles"))
    filings.add()
    assert filings.row()["note"] == "mine"
