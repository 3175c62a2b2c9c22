"""The workbench in a plain DuckDB shell: the two queries, the views, and shells that stay open."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records.columns import COMPANY_COLUMNS, PEOPLE_COLUMNS
from outreach_platform.snapshots.display import error_breakdown, history, sample_rows
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.workbench import rebuild, workbench_path
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import (
    START,
    fill,
    later,
    new_run,
    pull_to_judge,
    settings_for,
    whole,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow

ERRORS = "SELECT validation_errors, COUNT(*) FROM companies_bad GROUP BY 1"
LATEST_TWO = """
SELECT state, snapshot_version, companies_good, companies_bad, people_good, people_bad
FROM snapshots WHERE state = 'WV' ORDER BY snapshot_version DESC LIMIT 2
"""


@pytest.fixture
def source(neon_url: DatabaseUrl) -> DatabaseUrl:
    create_masters(neon_url)
    fill(neon_url)
    return neon_url


def query(data_dir: Path, statement: str) -> list[tuple]:
    """Rows from a fresh read-only connection."""
    with duckdb.connect(str(workbench_path(data_dir)), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def in_a_shell(data_dir: Path, statement: str, cwd: Path) -> str:
    """What another process, in another folder, reads."""
    code = (
        "import duckdb, sys\n"
        "c = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(c.execute(sys.argv[2]).fetchall())"
    )
    path = str(workbench_path(data_dir))
    done = subprocess.run(
        [sys.executable, "-c", code, path, statement],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_two_promised_queries_work_here_and_in_another_process(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    data_dir = tmp_path / "da'ta [1]"
    first = whole(new_run(source, data_dir, run_id="a", at=START))
    insert(source, COMPANIES, [company()])
    second = whole(new_run(source, data_dir, run_id="b", at=later(60)))
    errors = [(["website_url_missing"], 1)]
    latest = [("WV", second.version, 10, 1, 18, 2), ("WV", first.version, 9, 1, 18, 2)]
    assert query(data_dir, ERRORS) == errors
    assert query(data_dir, LATEST_TWO) == latest
    assert in_a_shell(data_dir, ERRORS, tmp_path) == str(errors)
    assert in_a_shell(data_dir, LATEST_TWO, tmp_path) == str(latest)


def test_the_snapshots_table_begins_as_the_facts_say(source: DatabaseUrl, tmp_path: Path) -> None:
    whole(new_run(source, tmp_path, at=START))
    columns = query(
        tmp_path,
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE table_name = 'snapshots' ORDER BY column_index",
    )
    assert columns[:8] == [
        ("id", "INTEGER"),
        ("state", "VARCHAR"),
        ("snapshot_version", "VARCHAR"),
        ("companies_good", "INTEGER"),
        ("companies_bad", "INTEGER"),
        ("people_good", "INTEGER"),
        ("people_bad", "INTEGER"),
        ("created_at", "TIMESTAMP"),
    ]
    assert query(tmp_path, "SELECT id, companies_raw, people_raw, source FROM snapshots") == [
        (1, 10, 20, "embedded")
    ]


def test_views_show_the_newest_published_rows_and_last_run_the_newest_of_all(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    first = whole(new_run(source, tmp_path, run_id="a", at=START))
    execute(source, "UPDATE marketing.company_master SET website_url = 'none'")
    stopped = pull_to_judge(new_run(source, tmp_path, run_id="b", at=later(60)))[0]
    for view, rows in {
        "companies_raw": 10,
        "companies_good": 9,
        "companies_bad": 1,
        "people_raw": 20,
        "people_good": 18,
        "people_bad": 2,
    }.items():
        found = query(
            tmp_path,
            f"SELECT count(*), any_value(snapshot_version), any_value(snapshot_state) FROM {view}",
        )
        assert found == [(rows, first.version, "WV")], view
    for view, rows in {"companies_bad_last_run": 10, "people_bad_last_run": 20}.items():
        found = query(tmp_path, f"SELECT count(*), any_value(snapshot_version) FROM {view}")
        assert found == [(rows, stopped.version)], view


def test_views_unite_states_by_column_name(source: DatabaseUrl, tmp_path: Path) -> None:
    whole(new_run(source, tmp_path, run_id="a", at=START))
    execute(
        source,
        "ALTER TABLE marketing.company_master ADD COLUMN score real, DROP COLUMN sic_codes, "
        "ALTER COLUMN employee_count TYPE text, ALTER COLUMN keywords TYPE text",
    )
    fill(source, state="OH")
    whole(new_run(source, tmp_path, "OH", run_id="b", at=later(60)))
    assert query(
        tmp_path, "SELECT snapshot_state, count(*) FROM companies_good GROUP BY 1 ORDER BY 1"
    ) == [("OH", 9), ("WV", 9)]
    names = [r[0] for r in query(tmp_path, "DESCRIBE companies_good")]
    assert {"score", "sic_codes", "employee_count"} <= set(names)
    assert len(names) == len(set(names))


def test_an_empty_data_folder_gives_typed_empty_views(tmp_path: Path) -> None:
    assert rebuild(tmp_path, "test") == []
    assert query(tmp_path, "SELECT * FROM snapshots") == []
    assert query(tmp_path, ERRORS) == []
    for view, columns in {
        "companies_raw": COMPANY_COLUMNS,
        "companies_good": COMPANY_COLUMNS,
        "companies_bad": COMPANY_COLUMNS,
        "companies_bad_last_run": COMPANY_COLUMNS,
        "people_raw": PEOPLE_COLUMNS,
        "people_good": PEOPLE_COLUMNS,
        "people_bad": PEOPLE_COLUMNS,
        "people_bad_last_run": PEOPLE_COLUMNS,
    }.items():
        assert query(tmp_path, f"SELECT * FROM {view}") == []
        types = {row[0]: row[1] for row in query(tmp_path, f"DESCRIBE {view}")}
        assert set(columns) <= set(types)
        if not view.endswith("_raw"):
            assert types["validation_errors"] == "VARCHAR[]"
        assert types["snapshot_version"] == "VARCHAR"


def test_sample_rows_vanish_once_a_configured_database_is_published(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    from pydantic import SecretStr

    whole(new_run(source, tmp_path, run_id="a", at=START))
    fill(source, state="OH")
    whole(new_run(source, tmp_path, "OH", run_id="b", at=START))
    states = "SELECT DISTINCT snapshot_state FROM companies_good ORDER BY 1"
    assert query(tmp_path, states) == [("OH",), ("WV",)]
    configured = settings_for(tmp_path).model_copy(
        update={
            "embedded_only": False,
            "neon_host": "h",
            "neon_database": "d",
            "neon_user": "u",
            "neon_password": SecretStr("pass-word-9"),
        }
    )
    real = whole(new_run(source, tmp_path, "OH", run_id="c", at=later(60), settings=configured))
    assert real.manifest.source != "embedded"
    assert query(tmp_path, states) == [("OH",)]
    assert query(tmp_path, "SELECT count(*) FROM snapshots") == [(3,)]


def test_an_open_shell_never_blocks_a_run_and_reads_on(source: DatabaseUrl, tmp_path: Path) -> None:
    whole(new_run(source, tmp_path, run_id="a", at=START))
    code = (
        "import duckdb, sys\n"
        "c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'ro')\n"
        "count = lambda: c.execute('SELECT count(*) FROM snapshots').fetchone()[0]\n"
        "print(count(), flush=True)\n"
        "sys.stdin.readline()\n"
        "print(count(), flush=True)\n"
    )
    shells = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(workbench_path(tmp_path)), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mode in ("ro", "ro")
    ]
    try:
        for shell in shells:
            assert shell.stdout is not None
            assert shell.stdout.readline().strip() == "1"
        whole(new_run(source, tmp_path, run_id="b", at=later(60)))
        assert query(tmp_path, "SELECT count(*) FROM snapshots") == [(2,)]
        for shell in shells:
            out, _ = shell.communicate("\n", timeout=60)
            assert out.strip() == "1"
            assert shell.returncode == 0
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()


def test_a_shell_that_writes_does_not_block_either(source: DatabaseUrl, tmp_path: Path) -> None:
    whole(new_run(source, tmp_path, run_id="a", at=START))
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\n"
            "c.execute('CREATE TABLE mine (a int)')\nprint('open', flush=True)\n"
            "sys.stdin.readline()",
            str(workbench_path(tmp_path)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == "open"
        whole(new_run(source, tmp_path, run_id="b", at=later(60)))
        assert query(tmp_path, "SELECT count(*) FROM snapshots") == [(2,)]
    finally:
        writer.communicate("\n", timeout=60)
    assert query(tmp_path, "SELECT count(*) FROM snapshots") == [(2,)]


def test_a_lost_workbench_is_built_anew(source: DatabaseUrl, tmp_path: Path) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(b"no database")):
        damage(workbench_path(tmp_path))
        assert rebuild(tmp_path, "test") == []
        assert query(tmp_path, "SELECT snapshot_version FROM snapshots") == [(done.version,)]


def test_missing_raw_and_split_files_leave_the_other_views_working(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    folder = StateFolder(tmp_path, "WV")
    folder.table(done.version, "companies_raw").unlink()
    folder.table(done.version, "people_bad").unlink()
    # Replaced: written into, the exported file would change with it, as both are one file.
    folder.table(done.version, "companies_bad").unlink()
    folder.table(done.version, "companies_bad").write_bytes(b"")
    rebuild(tmp_path, "test")
    assert query(tmp_path, "SELECT count(*) FROM companies_raw") == [(0,)]
    assert query(tmp_path, "SELECT count(*) FROM people_bad_last_run") == [(0,)]
    assert query(tmp_path, "SELECT count(*) FROM people_good") == [(18,)]


def test_times_are_utc(source: DatabaseUrl, tmp_path: Path) -> None:
    done = whole(new_run(source, tmp_path, at=START))
    (found,) = query(tmp_path, "SELECT created_at FROM snapshots")
    assert found[0] == done.receipt.published_at.replace(tzinfo=None)


def test_history_is_oldest_first_and_of_one_state(source: DatabaseUrl, tmp_path: Path) -> None:
    versions = [
        whole(new_run(source, tmp_path, run_id=f"r{n}", at=later(60 * n))).version for n in range(3)
    ]
    with duckdb.connect(str(workbench_path(tmp_path)), read_only=True) as connection:
        rows = history(connection, "WV")
        assert history(connection, "OH") == []
    assert [row[0] for row in rows] == versions
    assert rows[0][1:] == (9, 1, 18, 2)


def test_shown_rows_carry_no_address_of_a_person(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    ours = company(company_name="Ask bob@bob.example | now\nplease", website_url="bob@bob")
    insert(neon_url, COMPANIES, [ours])
    insert(
        neon_url,
        PEOPLE,
        [
            person(
                company_unique_id=ours["company_unique_id"],
                first_name="Wilhelmina",
                email="wilhelmina@o.example",
                work_phone_e164="+13045550777",
                title="ask wilhelmina@o.example",
            )
        ],
    )
    run = new_run(neon_url, tmp_path, at=START)
    pulled, split, _ = pull_to_judge(run)
    people = sample_rows(run.folder.table(pulled.version, "people_bad"), "people")
    companies = sample_rows(run.folder.table(pulled.version, "companies_bad"), "companies")
    for text in (people, companies):
        assert "wilhelmina@" not in text
        assert "Wilhelmina" not in text
        assert "5550777" not in text
        assert "bob@bob.example" not in text
        assert len(text.splitlines()) == 3
    assert "w***@o***.example" in people
    assert "***77" in people
    assert "\\|" in companies
    assert "website_url_invalid" in error_breakdown(split, "companies")
    assert "100.0%" in error_breakdown(split, "companies")
    assert sample_rows(run.folder.table(pulled.version, "people_good"), "people") == "no rows"
