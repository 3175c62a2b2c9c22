import os
from pathlib import Path

import pytest

from outreach_platform.filings.inbox import find_files
from outreach_platform_tests.filings.written import ACCESSION, page, put

NAME = f"{ACCESSION}.htm"


def sheet(folder: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    return put(folder / "filings.csv", (end.join(lines) + end).encode(encoding))


def test_folders_are_searched_with_all_below(tmp_path: Path) -> None:
    put(tmp_path / "a" / NAME, page())
    put(tmp_path / "a" / "b" / "x.HTML", page())
    put(tmp_path / "full-submission.txt", page())
    put(tmp_path / "y.htm.gz", page())
    found = find_files([tmp_path])
    assert [each.path.name for each in found.files] == [
        *(NAME, "x.HTML", "full-submission.txt", "y.htm.gz"),
    ]
    assert found.problems == []


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.htm", ".git/x.htm", "x.htm.partial", "x.htm.part", "x.txt.crdownload"),
        *("x.labels.json", "x.pdf", "README.md", "x.htm.1a2b3c4d.bak", "x.htm~", "notes"),
    ],
)
def test_hidden_partial_and_other_files_are_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, page())
    found = find_files([tmp_path])
    assert found.files == []
    assert found.problems == []


def test_a_file_named_by_hand_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    odd = put(tmp_path / "filing", page())
    label = put(tmp_path / "x.labels.json", b"[]")
    assert [each.path for each in find_files([odd, label]).files] == [odd]


def test_a_file_is_found_once_over_paths_that_overlap(tmp_path: Path) -> None:
    file = put(tmp_path / "a" / NAME, page())
    found = find_files([file, tmp_path, tmp_path / "a" / ".." / "a"])
    assert [each.path for each in found.files] == [file]


def test_linked_folders_are_searched_and_loops_end(tmp_path: Path) -> None:
    put(tmp_path / "disk" / NAME, page())
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "2024").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(tmp_path / "in")
    found = find_files([tmp_path / "in"])
    assert [each.path for each in found.files] == [tmp_path / "in" / "2024" / NAME]


def test_paths_that_are_not_there_are_told(tmp_path: Path) -> None:
    found = find_files([tmp_path / "gone.htm"])
    assert found.files == []
    assert found.problems == [f"{tmp_path / 'gone.htm'} is not there; check the spelling."]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        found = find_files([tmp_path])
    finally:
        closed.chmod(0o700)
    assert "closed cannot be read" in found.problems[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_row_describes_its_file(tmp_path: Path, encoding: str, end: str, comma: str) -> None:
    put(tmp_path / NAME, page())
    head, row = ("Accession_Number", "File", "Company_Name", "x"), (ACCESSION, NAME, "É", "y")
    sheet(tmp_path, comma.join(head), comma.join(row), encoding=encoding, end=end)
    found = find_files([tmp_path])
    assert found.problems == []
    assert found.files[0].row() == {
        "accession_number": ACCESSION,
        "file": NAME,
        "company_name": "É",
    }


@pytest.mark.parametrize("told", [NAME, f"./{NAME}", f"{NAME}.gz", f"sub/../{NAME}"])
def test_files_are_named_with_or_without_packing(tmp_path: Path, told: str) -> None:
    put(tmp_path / NAME, page())
    sheet(tmp_path, "file,form_type", f"{told},10-K")
    assert find_files([tmp_path]).files[0].row() == {"file": told, "form_type": "10-K"}


def test_a_sheet_above_names_files_by_their_path(tmp_path: Path) -> None:
    put(tmp_path / "2024" / "x.htm", page())
    sheet(tmp_path, "path,ticker", "2024/x.htm,OAR")
    found = find_files([tmp_path])
    assert found.problems == []
    row = found.files[0].row()
    assert row is not None
    assert row["ticker"] == "OAR"


def test_a_sheet_of_a_folder_that_was_not_asked_for_is_not_read(tmp_path: Path) -> None:
    sheet(tmp_path, "path,ticker", "2024/x.htm,OAR")
    file = put(tmp_path / "2024" / "x.htm", page())
    assert find_files([file]).files[0].row() is None


def test_a_row_without_a_file_is_found_by_its_number(tmp_path: Path) -> None:
    put(tmp_path / "full.txt", page())
    sheet(tmp_path, "accession_number,ticker", f"{ACCESSION.replace('-', '')},OAR")
    file = find_files([tmp_path]).files[0]
    assert file.row() is None
    row = file.row(ACCESSION)
    assert row is not None
    assert row["accession_number"] == ACCESSION
    assert file.row("0000000001-24-000001") is None


def test_a_sheet_given_as_path_brings_the_files_it_names(tmp_path: Path) -> None:
    file = put(tmp_path / "in" / "x.htm", page())
    put(tmp_path / "other.htm", page())
    given = sheet(tmp_path, "file", "in/x.htm", "gone.htm")
    found = find_files([given])
    assert [each.path for each in found.files] == [file]
    assert found.problems == [f"{given} line 3: gone.htm is not there; the row is not used."]


def test_rows_whose_file_is_missing_are_told_for_a_folder_alone(tmp_path: Path) -> None:
    file = put(tmp_path / NAME, page())
    sheet(tmp_path, "file", NAME, "gone.htm")
    assert find_files([file]).problems == []
    assert "line 3: gone.htm is not there" in find_files([tmp_path]).problems[0]


def test_values_that_are_none_are_told_and_left_out(tmp_path: Path) -> None:
    put(tmp_path / NAME, page())
    given = sheet(
        tmp_path,
        "file,accession_number,cik,filing_date,form_type,period",
        f"{NAME},12-34,Apple,soon,\u00fe,September 28",
    )
    found = find_files([tmp_path])
    assert found.files[0].row() == {"file": NAME, "period": "September 28"}
    assert [problem.split(";")[0] for problem in found.problems] == [
        f"{given} line 2: accession_number '12-34' is no accession number such as "
        "0000320193-24-000123",
        f"{given} line 2: cik 'Apple' is no number of up to ten digits",
        f"{given} line 2: form_type '\u00fe' is no form",
        f"{given} line 2: filing_date 'soon' is no date such as 2024-11-01",
    ]


def test_bad_rows_are_told_line_by_line_and_the_others_count(tmp_path: Path) -> None:
    put(tmp_path / NAME, page())
    given = sheet(
        tmp_path,
        *("file,company_name,ticker", "a.htm,Oars, Inc.,OAR", ",,X", "", f'{NAME},"O\nP",OAR'),
        f"{NAME},Other,OAR",
    )
    found = find_files([tmp_path])
    row = found.files[0].row()
    assert row is not None
    assert row["company_name"] == "O\nP"
    assert [problem.split(":")[0] for problem in found.problems] == [
        f"{given} line 2 has 4 cells under 3 columns",
        f"{given} line 3 names no file and no accession number; it is not used.",
        f"{given} line 7 is about what line 5 is about; it is not used.",
    ]


def test_a_sheet_without_a_key_column_is_told_once(tmp_path: Path) -> None:
    put(tmp_path / NAME, page())
    sheet(tmp_path, "name,ticker", "a,b", "c,d")
    found = find_files([tmp_path])
    assert len(found.problems) == 1
    assert "none of the columns" in found.problems[0]
    assert found.files[0].row() is None


def test_a_sheet_in_another_encoding_is_read_and_told(tmp_path: Path) -> None:
    put(tmp_path / NAME, page())
    sheet(tmp_path, "file,company_name", f"{NAME},Société", encoding="cp1252")
    found = find_files([tmp_path])
    row = found.files[0].row()
    assert row is not None
    assert row["company_name"] == "Société"
    assert "is not UTF-8" in found.problems[0]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n\n", b"file\n", b'file\n"a', b"\x00\xff\xfe\x00", b"file\n/\n", b"file\n..\n"),
        *(b"file\n.gz\n", b"file\na\x00b\n", b'file,x\n"' + b"a" * 200_000 + b'",y\n'),
    ],
)
def test_empty_and_broken_sheets_lose_no_file(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / NAME, page())
    put(tmp_path / "filings.csv", content)
    found = find_files([tmp_path])
    assert [each.path.name for each in found.files] == [NAME]
