"""The workspace out into a file and back, against PostgreSQL."""

import csv
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.embedded.schema import create_neon
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.entities import COMPANY, STATUSES
from outreach_platform.enrichment.sheet_reading import read_sheet
from outreach_platform.enrichment.sheet_rows import ImportReport, export_rows, import_sheet
from outreach_platform.enrichment.spreadsheet import neutralised, write_sheet
from outreach_platform.enrichment.tables import Places, places_of, prepare_workspace
from outreach_platform.enrichment.tables_neon import prepare_neon
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    fresh_database,
)

pytestmark = pytest.mark.slow

ACME, BETA, GAMMA = (f"04.04.01.0{n}.0000{n}.00{n}" for n in (1, 2, 3))
ANN = "04.04.02.01.00001.001"
SECRET = "mallory@example.org"


def prepared(url: DatabaseUrl) -> dict[str, Places]:
    with closing(psycopg2.connect(url.conninfo)) as connection, connection:
        create_neon(connection)
        with connection.cursor() as cursor:
            neon = prepare_neon(cursor, "marketing")
            return places_of("marketing", neon, prepare_workspace(cursor))


@dataclass
class Desk:
    """A workspace, and an enricher's folder."""

    url: DatabaseUrl
    places: dict[str, Places]
    path: Path

    def export(self, **options: bool) -> int:
        with closing(Session(self.url)) as session, session.transaction() as cursor:
            return write_sheet(self.path, export_rows(cursor, [*self.places.values()], **options))

    def load(self, *, dry_run: bool = False, **options: str | None) -> ImportReport:
        with closing(Session(self.url, dry_run=dry_run)) as session:
            return import_sheet(session, self.places, read_sheet(self.path), **options)

    def lines(self) -> dict[str, dict[str, str]]:
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            return {line["record_id"]: line for line in csv.DictReader(file)}

    def edit(self, key: str, /, **cells: str) -> None:
        lines = self.lines()
        lines[key].update(cells)
        self.write(list(lines.values()))

    def keep(self, *columns: str) -> None:
        self.write([{c: line[c] for c in columns} for line in self.lines().values()])

    def write(self, lines: list[dict[str, str]]) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)

    def company(self, record_id: str, **values: object) -> None:
        self.insert("company_needs_enrichment", company_unique_id=record_id, **values)

    def insert(self, table: str, **values: object) -> None:
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES %s"
        with closing(psycopg2.connect(self.url.conninfo)) as connection, connection:
            connection.cursor().execute(statement, [tuple(values.values())])

    def of(self, record_id: str, *columns: str) -> tuple:
        where = f"WHERE company_unique_id = '{record_id}'"
        query = f"SELECT {', '.join(columns)} FROM company_needs_enrichment {where}"
        return fetch(self.url, query)[0]

    def set(self, record_id: str, assignment: str) -> None:
        """What an enricher does on the Supabase screen."""
        table = "company_needs_enrichment"
        execute(self.url, f"UPDATE {table} SET {assignment} WHERE company_unique_id='{record_id}'")


@pytest.fixture(scope="module")
def workspace(pg_server: EmbeddedServer) -> Iterator[tuple[DatabaseUrl, dict[str, Places]]]:
    url = fresh_database(pg_server, "sheet_rows")
    yield url, prepared(url)
    drop_database(pg_server, "sheet_rows")


@pytest.fixture
def desk(workspace: tuple[DatabaseUrl, dict[str, Places]], tmp_path: Path) -> Desk:
    url, places = workspace
    execute(url, "TRUNCATE company_needs_enrichment, people_needs_enrichment")
    return Desk(url, places, tmp_path / "f.csv")


@pytest.fixture
def three(desk: Desk) -> Desk:
    desk.company(ACME, company_name="Acme", zip="02115", employee_count=250, city="")
    desk.company(BETA, company_name="Beta", enrichment_status="failed", enriched_by="Zoe")
    desk.insert("people_needs_enrichment", unique_id=ANN, full_name="Ann", phone="+1 304")
    desk.export()
    return desk


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.changed, report.unchanged, report.completed, len(report.refused)


def reasons(report: ImportReport) -> dict[str | None, str]:
    return {problem.record_id: problem.reason for problem in report.refused}


def test_the_rows_that_are_exported(desk: Desk) -> None:
    for n, status in enumerate([*STATUSES, "complete"]):
        desk.company(f"c{n}", enrichment_status=status, promoted_at="now" if n == 4 else None)
    desk.insert("people_needs_enrichment", unique_id=ANN)
    assert desk.export() == 4
    assert list(desk.lines()) == ["c0", "c1", "c3", ANN]
    assert desk.export(include_complete=True) == 5
    assert list(desk.lines()) == ["c0", "c1", "c2", "c3", ANN]


def test_what_an_exported_line_says(desk: Desk) -> None:
    errors = {ACME: '{"city": "x", "website": "empty or blank"}', BETA: '["website: empty"]'}
    for key, said in errors.items():
        desk.company(key, original_validation_errors=said, reason_code="EMPTY_WEBSITE", phone="+1")
    desk.company(GAMMA)
    desk.export()
    lines = desk.lines()
    assert lines[ACME]["validation_errors"] == "city: x; website: empty or blank"
    assert lines[BETA]["validation_errors"] == "website: empty"
    assert lines[GAMMA]["validation_errors"] == ""
    assert lines[ACME]["entity"] == "company"
    assert lines[ACME]["reason_code"] == "EMPTY_WEBSITE"
    assert lines[ACME]["phone"] == "'+1"
    assert lines[ACME]["version"] != lines[BETA]["version"]


def test_a_file_that_nobody_edited_changes_nothing(three: Desk) -> None:
    query = "SELECT xmin::text, ctid::text FROM company_needs_enrichment"
    before = fetch(three.url, query)
    report = three.load(by="Zoe")
    assert counts(report) == (0, 3, 0, 0)
    assert report.notices == []
    assert fetch(three.url, query) == before


def test_an_edit_is_an_enrichers(three: Desk) -> None:
    three.set(ACME, "sync_problem = 'x'")
    three.export()
    (before,) = three.of(ACME, "updated_at")
    three.edit(ACME, website="acme.com", enrichment_notes="found;\nit", enrichment_status="failed")
    three.edit(ANN, phone="+1 305", email="ann@acme.com")
    assert counts(three.load(by="Zoe")) == (2, 1, 0, 0)
    found = three.of(
        ACME, "website", "enrichment_notes", "enrichment_status", "enriched_by", "enriched_at",
        "company_name", "employee_count", "city", "sync_problem",
    )  # fmt: skip
    assert found == ("acme.com", "found;\nit", "failed", None, None, "Acme", 250, "", None)
    assert three.of(ACME, "updated_at")[0] > before
    person = fetch(three.url, "SELECT phone, email FROM people_needs_enrichment")
    assert person == [("+1 305", "ann@acme.com")]


def test_a_record_becomes_complete(three: Desk) -> None:
    three.company(GAMMA)
    three.export()
    three.edit(ACME, enrichment_status="complete", enriched_by="Max")
    three.edit(BETA, enrichment_status="Complete ")
    three.edit(GAMMA, enrichment_status="complete")
    assert counts(three.load(by=" Yve ")) == (3, 1, 3, 0)
    query = "now() AT TIME ZONE 'UTC' - enriched_at BETWEEN '0s' AND '1min'"
    assert three.of(ACME, "enriched_by", query) == ("Max", True)
    assert three.of(BETA, "enriched_by", query) == ("Zoe", True)
    assert three.of(GAMMA, "enriched_by", query) == ("Yve", True)
    # The same file again, as after an interruption.
    assert counts(three.load(by="Yve")) == (0, 4, 0, 0)
    assert reasons(three.load(by="Bob")).keys() == {GAMMA}


def test_an_edit_of_a_complete_record_is_no_second_completion(desk: Desk) -> None:
    desk.company(ACME, enrichment_status="complete", enriched_at="2026-01-01", enriched_by="Zoe")
    desk.export(include_complete=True)
    desk.edit(ACME, city="Wheeling")
    assert counts(desk.load(by="Yve")) == (1, 0, 0, 0)
    assert desk.of(ACME, "enriched_at::text", "enriched_by") == ("2026-01-01 00:00:00", "Zoe")


def test_an_empty_cell_empties_and_an_absent_column_does_not(three: Desk) -> None:
    three.edit(ACME, company_name="", zip="")
    three.edit(BETA, enrichment_status="")
    three.keep("version", "zip", "record_id", "enrichment_status")
    assert counts(three.load(by="Yve")) == (1, 2, 0, 0)
    assert three.of(ACME, "company_name", "zip", "employee_count") == ("Acme", None, 250)
    three.export()
    three.edit(ACME, employee_count="", company_name="")
    assert counts(three.load()) == (1, 2, 0, 0)
    # What was an empty text stays one: nobody touched it.
    found = three.of(ACME, "company_name", "employee_count", "city")
    assert found == (None, None, "")


def test_a_line_may_end_early_where_nothing_is_lost(three: Desk) -> None:
    three.edit(ACME, company_name="Acme Inc")
    lines = list(three.lines().values())
    text = [",".join(lines[0]), *(",".join(line.values()) for line in lines)]
    # As Excel writes them: without the separators of empty cells at the end.
    three.path.write_text("\n".join(line.rstrip(",") for line in text))
    assert counts(three.load()) == (1, 2, 0, 0)
    assert three.of(ACME, "company_name") == ("Acme Inc",)
    three.export()
    beta = three.lines()[BETA]
    cells = list({**beta, "company_name": "Beta Inc", "enriched_by": ""}.values())
    three.path.write_text("\n".join([text[0], ",".join(cells[:-1])]))
    assert reasons(three.load()) == {
        BETA: "ends before enriched_by, which the record has: a separator is missing"
    }
    assert three.of(BETA, "company_name", "enriched_by") == ("Beta", "Zoe")


def test_two_enrichers_with_the_same_export(three: Desk) -> None:
    three.edit(ACME, website="first.com")
    first = three.path.read_bytes()
    three.export()
    three.edit(BETA, website="second.com")
    second = three.path.read_bytes()
    three.path.write_bytes(first)
    assert counts(three.load()) == (1, 2, 0, 0)
    # The second one's line of Acme is as it was exported: it says nothing against the first one.
    three.path.write_bytes(second)
    assert counts(three.load()) == (1, 2, 0, 0)
    assert three.of(ACME, "website") == ("first.com",)
    assert three.of(BETA, "website") == ("second.com",)


def test_two_enrichers_with_one_record(three: Desk) -> None:
    three.edit(ACME, website="mine.com")
    three.edit(BETA, website="beta.com")
    three.set(ACME, "website = 'theirs.com'")
    report = three.load()
    assert counts(report) == (1, 1, 0, 1)
    assert "somebody changed the record since the export" in reasons(report)[ACME]
    assert report.refused[0].line == 2
    assert three.of(ACME, "website") == ("theirs.com",)
    assert three.of(BETA, "website") == ("beta.com",)
    three.edit(ACME, website="theirs.com")
    assert counts(three.load()) == (0, 3, 0, 0)  # both found the same


@pytest.mark.parametrize(
    ("syncing", "change"),
    [
        ("off", "website = 'theirs.com'"),
        ("off", "enrichment_notes = 'theirs'"),
        # A pull's and a settlement's, which leave updated_at as it is.
        ("on", "website = 'theirs.com'"),
        ("on", "enrichment_status = 'failed'"),
        ("on", "promoted_at = now()"),
    ],
)
def test_a_change_while_the_import_runs(three: Desk, syncing: str, change: str) -> None:
    three.edit(ACME, website="mine.com", city="Erie")
    three.edit(BETA, website="beta.com")
    reports: list[ImportReport] = []
    thread = threading.Thread(target=lambda: reports.append(three.load()))
    with closing(psycopg2.connect(three.url.conninfo)) as other, other.cursor() as cursor:
        cursor.execute("SELECT set_config('outreach.syncing', %s, true)", [syncing])
        cursor.execute(
            f"UPDATE company_needs_enrichment SET {change} WHERE company_unique_id = %s", [ACME]
        )
        thread.start()
        wait_for(lambda: blocked(three.url))
        other.commit()
    thread.join(30)
    (report,) = reports
    assert counts(report) == (1, 1, 0, 1)
    assert "somebody changed the record" in reasons(report)[ACME]
    assert three.of(ACME, "city") == ("",)
    assert three.of(BETA, "website") == ("beta.com",)


def test_a_connection_that_is_lost_in_mid_batch(three: Desk) -> None:
    three.edit(ACME, website="mine.com")
    three.edit(ANN, city="Erie")
    reports: list[ImportReport] = []
    thread = threading.Thread(target=lambda: reports.append(three.load()))
    with closing(psycopg2.connect(three.url.conninfo)) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM company_needs_enrichment FOR UPDATE")
        thread.start()
        wait_for(lambda: blocked(three.url))
        fetch(three.url, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        wait_for(lambda: not blocked(three.url))
        other.rollback()
    thread.join(30)
    assert [counts(report) for report in reports] == [(2, 1, 0, 0)]
    assert three.of(ACME, "website") == ("mine.com",)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def blocked(url: DatabaseUrl) -> bool:
    return bool(fetch(url, "SELECT FROM pg_locks WHERE NOT granted"))


def test_a_record_that_was_promoted_since(three: Desk) -> None:
    three.edit(ACME, website="mine.com")
    three.set(ACME, "promoted_at = now()")
    assert reasons(three.load()) == {
        ACME: "the record is promoted already: correct the master instead"
    }
    assert three.of(ACME, "website") == (None,)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"employee_count": "1,200"}, "employee_count is no whole number: write digits only"),
        ({"employee_count": "1.200"}, "employee_count is no whole number"),
        ({"employee_count": SECRET}, "employee_count is no whole number"),
        ({"employee_count": "99999999999"}, "employee_count is too large a number"),
        ({"employee_count": "9" * 5000}, "employee_count is no whole number"),
        ({"email": SECRET}, "email is no column of this entity's records"),
        ({"phone": "1.30456E+13"}, "phone is a number that the spreadsheet program shortened"),
        ({"version": "v000000000000"}, "somebody changed the record since the export"),
        ({"record_id": "04.04.01.99.99999.999"}, "the workspace has no such record"),
        ({"entity": "people"}, "the workspace has no such record"),
        ({"enrichment_status": "done"}, "enrichment_status 'done' is none of"),
        ({"notes": "\0"}, "holds a NUL character"),
    ],
)
def test_refused_lines_do_not_stop_the_others(
    three: Desk, cells: dict[str, str], reason: str
) -> None:
    three.write([{**line, "notes": ""} for line in three.lines().values()])
    three.edit(ACME, website=SECRET, **cells)
    three.edit(BETA, website="beta.com")
    before = three.of(ACME, "*")
    report = three.load()
    assert counts(report) == (1, 1, 0, 1)
    (problem,) = report.refused
    assert (problem.line, problem.record_id) == (2, cells.get("record_id", ACME))
    assert problem.reason.startswith(reason)
    assert SECRET not in problem.reason
    assert three.of(ACME, "*") == before
    assert three.of(BETA, "website") == ("beta.com",)


def test_what_the_database_refuses_does_not_stop_the_others(neon_url: DatabaseUrl, tmp_path: Path):
    desk = Desk(neon_url, prepared(neon_url), tmp_path / "f.csv")
    execute(neon_url, "ALTER TABLE company_needs_enrichment ALTER city TYPE varchar(10)")
    execute(neon_url, "ALTER TABLE company_needs_enrichment ADD CHECK (state <> 'XX')")
    desk.places = prepared(neon_url)
    for n in range(9):
        desk.company(f"c{n}")
    desk.export()
    for n in range(9):
        desk.edit(f"c{n}", city=f"{SECRET} " * 3 if n == 3 else "Ohio", state="XX" * (n == 5))
    report = desk.load()
    assert counts(report) == (7, 0, 0, 2)
    assert reasons(report)["c3"].startswith("the database refused it: value too long")
    assert "violates check constraint" in reasons(report)["c5"]
    assert SECRET not in str(report)
    assert [problem.line for problem in report.refused] == [5, 7]
    found = fetch(neon_url, "SELECT count(*) FROM company_needs_enrichment WHERE city = 'Ohio'")
    assert found == [(7,)]


@pytest.mark.parametrize(
    ("column", "was", "cell"),
    [
        ("zip", "02115", "2115"),
        ("zip", "00501", "501"),
        ("zip", "000", "0"),
        ("phone", "13045551234567", "1.30456E+13"),
        ("phone", "13045551234567", "1,30456e+13"),
        ("address", "a\r\nb", "a\nb"),
        ("employee_count", "250", "250.0"),
        ("employee_count", "250", " 0250 "),
        ("enrichment_notes", "x" * 40_000, "x" * 32_767),
        ("enrichment_notes", "=" + "x" * 40_000, "'=" + "x" * 32_765),
    ],
)
def test_what_spreadsheet_programs_do_is_no_edit(
    desk: Desk, column: str, was: str, cell: str
) -> None:
    desk.company(ACME, **{column: was})
    desk.export()
    desk.edit(ACME, **{column: cell})
    assert counts(desk.load()) == (0, 1, 0, 0)
    desk.edit(ACME, domain="acme.com")
    assert counts(desk.load()) == (1, 0, 0, 0)
    assert desk.of(ACME, f"{column}::text", "domain") == (was, "acme.com")


@pytest.mark.parametrize(
    ("column", "was", "cell", "now"),
    [
        ("zip", "2115", "02115", "02115"),
        ("zip", "02115", "2116", "2116"),
        ("zip", "000", "", None),
        ("phone", "0304", "304", "304"),
        ("city", "007", "7", "7"),
        ("city", "x", " ", " "),
        ("address", "a\r\nb", "a b", "a b"),
        ("employee_count", "250", "'-1", "-1"),
        ("enrichment_notes", "x" * 40_000, "x" * 32_000, "x" * 32_000),
        ("enrichment_notes", "x" * 32_767, "x" * 32_766, "x" * 32_766),
    ],
)
def test_what_looks_like_it_and_is_an_edit(
    desk: Desk, column: str, was: str, cell: str, now: str | None
) -> None:
    desk.company(ACME, **{column: was})
    desk.export()
    desk.edit(ACME, **{column: cell})
    assert counts(desk.load()) == (1, 0, 0, 0)
    assert desk.of(ACME, f"{column}::text") == (now,)


def test_lines_that_do_not_say_whose_they_are(three: Desk) -> None:
    three.company("c1", city="Erie")
    three.export()
    for key in (ACME, ANN, "c1"):
        three.edit(key, city="Wheeling")
    three.keep("record_id", "version", "city")
    everything = three.path.read_bytes()
    report = three.load()
    assert counts(report) == (2, 1, 0, 1)
    assert reasons(report) == {
        "c1": "neither entity nor record_id tells company or people: fill in entity"
    }
    assert report.refused[0].line == 4
    assert fetch(three.url, "SELECT city FROM people_needs_enrichment") == [("Wheeling",)]
    three.path.write_bytes(everything)
    report = three.load(entity="company")
    assert (report.changed, report.unchanged) == (1, 2)
    assert reasons(report)[ANN].startswith("the workspace has no such record")


def test_lines_of_the_other_entity_are_left_out(three: Desk) -> None:
    three.edit(ANN, city="Wheeling")
    three.edit(ACME, city="Wheeling")
    report = three.load(entity="people")
    assert counts(report) == (1, 0, 0, 0)
    assert report.notices == ["2 lines are of another entity and were left out"]
    assert three.of(ACME, "city") == ("",)
    with pytest.raises(UsageError, match="neither company nor people"):
        three.load(entity="firm")


def test_a_dry_run_says_the_same_and_keeps_nothing(three: Desk) -> None:
    three.edit(ACME, website="acme.com", enrichment_status="complete")
    three.edit(BETA, employee_count="many")
    before = three.of(ACME, "*")
    told = three.load(dry_run=True)
    assert three.of(ACME, "*") == before
    assert told == three.load()
    assert counts(told) == (1, 1, 1, 1)
    assert three.of(ACME, "website") == ("acme.com",)


def test_long_notes_come_through(desk: Desk) -> None:
    notes = 'a "quoted"; line,\n' * 6_000
    for n in range(60):
        desk.company(f"c{n:03}", enrichment_notes=notes)
    desk.export()
    lines = list(desk.lines().values())
    desk.write([{**line, "enrichment_notes": f"{notes}{line['record_id']}"} for line in lines])
    assert counts(desk.load()) == (60, 0, 0, 0)
    query = "SELECT count(DISTINCT enrichment_notes), min(length(enrichment_notes)) "
    assert fetch(desk.url, f"{query} FROM company_needs_enrichment") == [(60, len(notes) + 4)]
    # Six million characters in two statements.
    query = "SELECT count(DISTINCT xmin::text) FROM company_needs_enrichment"
    assert fetch(desk.url, query) == [(2,)]


def test_many_rows_are_read_once_and_written_in_batches(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    desk = Desk(neon_url, prepared(neon_url), tmp_path / "f.csv")
    execute(
        neon_url,
        "INSERT INTO company_needs_enrichment (company_unique_id) "
        "SELECT '04.04.01.00.' || lpad(n::text, 5, '0') || '.000' FROM generate_series(1, 1200) n;"
        "CREATE TABLE statements (of text);"
        "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO statements VALUES (TG_OP); RETURN NULL; END $$;"
        "CREATE TRIGGER counted AFTER UPDATE ON company_needs_enrichment "
        "FOR EACH STATEMENT EXECUTE FUNCTION counted()",
    )
    assert desk.export() == 1200
    lines = list(desk.lines().values())
    assert len(lines) == 1200
    desk.write([{**line, "website": f"{n}.com"} for n, line in enumerate(reversed(lines))])
    assert counts(desk.load()) == (1200, 0, 0, 0)
    assert fetch(neon_url, "SELECT count(*) FROM statements") == [(3,)]
    query = "SELECT count(DISTINCT website) FROM company_needs_enrichment"
    assert fetch(neon_url, query) == [(1200,)]


def test_a_workspace_made_by_other_hands(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    """Times with a zone, a zip that is a number, a row without a time."""
    desk = Desk(neon_url, prepared(neon_url), tmp_path / "f.csv")
    execute(
        neon_url,
        "ALTER TABLE company_needs_enrichment ALTER updated_at TYPE timestamptz, "
        "ALTER enriched_at TYPE timestamptz, ALTER pushed_to_neon_at TYPE timestamptz, "
        "ALTER zip TYPE integer USING zip::integer; "
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), "
        "'America/New_York'); END $$",
    )
    desk.places = prepared(neon_url)
    desk.company(ACME, zip=2115)
    desk.company(BETA, updated_at=None)
    desk.export()
    desk.edit(ACME, zip="02116", enrichment_status="complete")
    desk.edit(BETA, city="Erie", zip="many")
    assert reasons(desk.load()) == {
        BETA: "zip is no whole number: write digits only, without thousands separators"
    }
    assert desk.of(ACME, "zip", "now() - enriched_at < '1min'") == (2116, True)
    desk.export()
    desk.edit(BETA, city="Erie", zip="")
    assert counts(desk.load()) == (1, 0, 0, 0)
    assert desk.of(BETA, "city") == ("Erie",)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
cells = st.dictionaries(
    st.sampled_from([*(c for c, t in COMPANY.types.items() if t == "text"), "enrichment_notes"]),
    st.none() | texts | st.text("'=+-@\t\r\n0", max_size=5),
    max_size=4,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(cells, min_size=1, max_size=3), st.lists(cells, min_size=3, max_size=3))
def test_whatever_is_edited_arrives_and_nothing_else(
    desk: Desk, records: list[dict], edits: list[dict]
) -> None:
    execute(desk.url, "TRUNCATE company_needs_enrichment")
    for n, values in enumerate(records):
        desk.company(f"c{n}", **{"city": None, **values})
    desk.export()
    names = [*COMPANY.columns, "enrichment_notes"]
    expected = {}
    for n in range(len(records)):
        now = dict(zip(names, desk.of(f"c{n}", *names), strict=True))
        plain = {c: v for c, v in edits[n].items() if c != "zip" and not newline_only(v, now[c])}
        desk.edit(f"c{n}", **{c: neutralised(v or "") for c, v in plain.items()})
        expected[f"c{n}"] = {**now, **{c: v for c, v in plain.items() if (v or now[c])}}
    assert not desk.load().refused
    for key, values in expected.items():
        found = dict(zip(names, desk.of(key, *names), strict=True))
        assert {c: v or None for c, v in found.items()} == {c: v or None for c, v in values.items()}
    assert counts(desk.load())[0] == 0


def newline_only(value: str | None, was: str | None) -> bool:
    def plain(text: str | None) -> str:
        return (text or "").replace("\r\n", "\n").replace("\r", "\n")

    return plain(value) == plain(was)
