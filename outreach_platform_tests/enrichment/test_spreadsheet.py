"""The file: what an export writes, and what is read back of it or refused."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, STATUSES
from outreach_platform.enrichment.sheet_reading import read_sheet
from outreach_platform.enrichment.spreadsheet import (
    WORK_COLUMNS,
    SheetRow,
    data_columns,
    is_as_exported,
    neutralised,
    restored,
    version_token,
    write_sheet,
)
from outreach_platform.foundation.errors import UsageError

BOM = b"\xef\xbb\xbf"
TOKEN = "v0123456789ab"
ONE, TWO = "04.04.01.02.00002.002", "04.04.02.03.00003.003"
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456)
COLUMNS = (*COMPANY.columns, *WORK_COLUMNS)
SECRET = "mallory@example.org"

# What PostgreSQL can hold.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
formulas = st.text("'=+-@\t\r\n;,\" a1", max_size=6)
values = st.none() | texts | formulas


def row(record_id: str = ONE, entity: str = "company", **changed: str | None) -> SheetRow:
    columns = COMPANY.columns if entity == "company" else PEOPLE.columns
    empty = dict.fromkeys((*columns, *WORK_COLUMNS))
    return SheetRow(
        entity=entity,
        record_id=record_id,
        version=TOKEN,
        reason_code="EMPTY_WEBSITE",
        validation_errors="website: empty or blank",
        values={**empty, "enrichment_status": "pending", **changed},
    )


def as_csv(path: Path, rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


def sheet_of(path: Path, *lines: list[str], header: str = "record_id,version,city"):
    return read_sheet(as_csv(path / "f.csv", [header.split(","), *lines]))


def test_what_an_export_looks_like(tmp_path: Path) -> None:
    rows = [row(company_name="Häuser, Söhne", phone="+1 304"), row(TWO, "people", title="CEO")]
    assert write_sheet(tmp_path / "f.csv", rows) == 2
    raw = (tmp_path / "f.csv").read_bytes()
    assert raw.startswith(BOM)
    header, company, person, end = raw.removeprefix(BOM).decode().split("\r\n")
    assert header == (
        "entity,record_id,version,enrichment_status,reason_code,validation_errors,company_name,"
        "domain,industry,employee_count,website,phone,address,city,state,zip,full_name,first_name,"
        "last_name,email,title,company_unique_id,linkedin_url,enrichment_notes,enriched_by"
    )
    about = f"{TOKEN},pending,EMPTY_WEBSITE,website: empty or blank"
    assert company == f'company,{ONE},{about},"Häuser, Söhne",,,,,\'+1 304' + "," * 13
    assert person == f"people,{TWO},{about}" + "," * 15 + "CEO" + "," * 4
    assert end == ""
    assert list(tmp_path.iterdir()) == [tmp_path / "f.csv"]


def test_an_export_of_one_entity_has_its_columns_only(tmp_path: Path) -> None:
    write_sheet(tmp_path / "f.csv", [row()], [COMPANY])
    header = (tmp_path / "f.csv").read_text("utf-8-sig").splitlines()[0].split(",")
    assert header[6:-2] == list(COMPANY.columns)
    assert set(data_columns()) == {*COMPANY.columns, *PEOPLE.columns}


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({c: st.sampled_from(STATUSES) if "status" in c else values
                               for c in COLUMNS}),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_all_values_come_back_exactly(tmp_path: Path, contents: list[dict]) -> None:
    rows = [row(f"04.04.01.00.{n:05}.000", **each) for n, each in enumerate(contents)]
    write_sheet(tmp_path / "f.csv", rows)
    sheet = read_sheet(tmp_path / "f.csv")
    assert not sheet.problems and not sheet.notices
    for line, written, number in zip(sheet.lines, rows, range(2, 99), strict=False):
        found = sheet.values(line)
        assert {c: found[c] for c in COLUMNS} == {c: v or None for c, v in written.values.items()}
        assert (line.record_id, line.entity, line.line) == (written.record_id, "company", number)
        assert line.version == TOKEN
    assert len(sheet.lines) == len(rows)


@given(formulas | texts)
def test_a_neutralised_value_is_no_formula_and_can_be_restored(value: str) -> None:
    cell = neutralised(value)
    assert restored(cell) == value
    assert not re.match(r"[=+\-@\t\r]", cell)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1 304", "'+1 304"),
        ("-5", "'-5"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=x", "''=x"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_apostrophes(value: str, cell: str) -> None:
    assert neutralised(value) == cell
    assert restored(cell) == value


def test_what_people_type_is_taken_as_it_is(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [ONE, TOKEN, "+1 304"], [TWO, TOKEN, " 'tis "])
    assert [sheet.values(line)["city"] for line in sheet.lines] == ["+1 304", " 'tis "]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_delimiters_ends_of_lines_and_marks(
    tmp_path: Path, delimiter: str, end: str, mark: bytes
) -> None:
    city = 'a,b;c\td "e"\nf'
    rows = [["Version ", "CITY", "record_id", "Enrichment_Status"], [TOKEN, city, ONE, " Complete"]]
    path = as_csv(tmp_path / "f.csv", rows, delimiter, end)
    path.write_bytes(mark + path.read_bytes())
    sheet = read_sheet(path)
    (line,) = sheet.lines
    assert sheet.values(line) == {"city": city, "enrichment_status": "complete"}
    assert (line.record_id, line.version, line.entity) == (ONE, TOKEN, None)


def test_long_notes_and_the_limit_of_the_csv_module(tmp_path: Path) -> None:
    notes = 'a "quoted"; line,\r\n' * 10_000
    before = csv.field_size_limit()
    write_sheet(tmp_path / "f.csv", [row(enrichment_notes=notes)])
    sheet = read_sheet(tmp_path / "f.csv")
    assert sheet.values(sheet.lines[0])["enrichment_notes"] == notes
    assert csv.field_size_limit() == before
    with pytest.raises(csv.Error), (tmp_path / "f.csv").open(encoding="utf-8-sig") as file:
        list(csv.reader(file))  # so that the test would notice a limit left behind


def test_line_numbers_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    sheet = sheet_of(
        tmp_path, [ONE, TOKEN, "a\nb\nc"], [], ["", " ", ""], ["", TOKEN, "x"], [TWO, TOKEN, "y"]
    )
    assert [line.line for line in sheet.lines] == [2, 6]
    assert [problem.line for problem in sheet.problems] == [5]


def test_unknown_columns_are_named_and_ignored(tmp_path: Path) -> None:
    header = "record_id,my colour,version,,reason_code"
    sheet = sheet_of(tmp_path, [ONE, "red", TOKEN, "x", "EMPTY_NAME"], header=header)
    assert sheet.columns == ()
    assert sheet.notices == ("columns that nobody knows are left out: my colour, (no name)",)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["", TOKEN, SECRET], "has no record_id"),
        ([ONE, "", SECRET], "has no version of an export"),
        ([ONE, "2026-03-01", SECRET], "has no version of an export"),
        ([ONE, TOKEN, SECRET, "", "", SECRET], "has 6 cells and the header has 5"),
        ([ONE], "has 1 cells and the header has 5"),
        ([ONE, TOKEN, f"\0{SECRET}"], "holds a NUL character"),
        ([ONE, TOKEN, SECRET, "done"], "enrichment_status 'done' is none of pending, in_progress"),
        ([ONE, TOKEN, SECRET, "", "firm"], "entity is neither company nor people"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, cells: list[str], reason: str) -> None:
    header = "record_id,version,city,enrichment_status,entity"
    sheet = sheet_of(tmp_path, cells, [TWO, TOKEN, "Wheeling"], header=header)
    (problem,) = sheet.problems
    assert problem.line == 2
    assert problem.reason.startswith(reason)
    assert SECRET not in str(problem)
    assert [line.record_id for line in sheet.lines] == [TWO]


def test_empty_cells_too_many_or_too_few_at_the_end(tmp_path: Path) -> None:
    header = "record_id,version,city,state"
    sheet = sheet_of(tmp_path, [ONE, TOKEN, "a", "WV", "", ""], [TWO, TOKEN], header=header)
    assert not sheet.problems
    first, second = sheet.lines
    assert sheet.values(first) == {"city": "a", "state": "WV"} and not sheet.left_off(first)
    assert sheet.values(second) == {} and sheet.left_off(second) == ("city", "state")


def test_none_of_several_lines_of_one_record_is_taken(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [ONE, TOKEN, "a"], [TWO, TOKEN, "b"], [f" {ONE}", "", "c"])
    assert [line.record_id for line in sheet.lines] == [TWO]
    assert [problem.line for problem in sheet.problems] == [2, 4]
    assert "record_id stands in several rows (2, 4)" in sheet.problems[0].reason


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("record_id,city", "has no column version: run `outreach enrich export`"),
        ("city|state", "no column record_id and no column version"),
        ("record_id,version,city,City", "has two columns city"),
        ("record_id,version,version", "has two columns version"),
        ("record_id,version,city", "has a header and no rows"),
    ],
)
def test_files_of_another_form(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        sheet_of(tmp_path, ["", "", "", ""], header=header)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no column record_id"),
        ("record_id,version,city\nx,y,Zürich".encode("latin-1"), "not in UTF-8: save it"),
        ("record_id,version\nx,y".encode("utf-16"), "not in UTF-8"),
        ("record_id,version\nx,y".encode("utf-16-le"), "no text in UTF-8"),
        (b"PK\x03\x04[Content_Types].xml", "workbook and no CSV: save it"),
        (b"\xd0\xcf\x11\xe0 xls", "workbook"),
        (b"\x89PNG\r\n\x1a\n", "not in UTF-8"),
        (b'record_id,version\r\nx,y\r\nx,"y\r\nx,y\r\n', "row 3 has a quotation mark"),
        (b'record_id,version\r\nx,"y"y\r\n', "row 2 has a quotation mark"),
    ],
)
def test_files_that_are_none(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(raw)
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        read_sheet(path)
    assert str(path) in str(caught.value)


def test_paths_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_sheet(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="Is a directory"):
        read_sheet(tmp_path)
    with pytest.raises(UsageError, match="cannot be a file"):
        write_sheet(tmp_path, [row()])
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be a file"):
        write_sheet(tmp_path / "file" / "f.csv", [row()])


def test_an_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    def rows() -> Iterator[SheetRow]:
        yield row()
        raise ConnectionError

    path = tmp_path / "f.csv"
    path.write_text("old")
    with pytest.raises(ConnectionError):
        write_sheet(path, rows())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_version_changes_with_all_that_it_stands_for() -> None:
    content = row(city="Wheeling").values
    token = version_token(COLUMNS, content, NOON)
    assert re.fullmatch("v[0-9a-f]{12}", token)
    for column in COLUMNS:
        assert version_token(COLUMNS, {**content, column: "other"}, NOON) != token
        assert not is_as_exported(token, COLUMNS, {**content, column: "other"})
    assert version_token(COLUMNS, content, NOON.replace(microsecond=0)) != token


def test_a_version_does_not_change_with_what_a_file_cannot_tell() -> None:
    token = version_token(COLUMNS, row(zip="", address="a\r\nb").values, NOON)
    back = row(zip=None, address="a\nb").values
    assert version_token(COLUMNS, back, NOON) == token
    assert is_as_exported(token, COLUMNS, back)
