"""All six states, pull to manifest, against the floor and the predecessor's way."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from benchmarks.bulk import load_bulk
from benchmarks.measure import in_turns, show
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.scan import load_scanner
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings, load_settings
from outreach_platform.snapshots.run import SnapshotRun

OURS = "six states, pull to manifest"
FLOOR = "COPY of both tables to /dev/null"
PREDECESSOR = "the predecessor's way, six times"


def run(server: EmbeddedServer, folder: Path, *, companies: int, people: int, rounds: int) -> None:
    """Load the rows, measure, print.

    Args:
        server: an embedded server of the benchmark's own.
        folder: scratch.
        companies: rows of company_master.
        people: rows of people_master.
        rounds: how often each way is measured.
    """
    url = server.url("neon")
    load_bulk(url, companies=companies, people=people)
    settings = load_settings().model_copy(update={"data_dir": folder / "data"})
    timings = in_turns(
        {
            FLOOR: lambda: copy_to_null(url),
            OURS: lambda: six_states(settings, url),
            PREDECESSOR: lambda: predecessor(url, folder / "old"),
        },
        rounds,
    )
    show(
        f"snapshots: {companies:,} companies and {people:,} people over six states",
        timings,
        OURS,
        {FLOOR: 3.0, PREDECESSOR: 1 / 3},
    )


def copy_to_null(url: DatabaseUrl) -> None:
    """The floor: the server alone, reading both tables once."""
    with connect(url) as connection, connection.cursor() as cursor:
        for table in ("company_master", "people_master"):
            cursor.execute(f"COPY marketing.{table} TO '/dev/null'")


def six_states(settings: Settings, url: DatabaseUrl) -> None:
    """Ours: every state on its own, two at a time as the run queue does it."""
    store = LocalStore(settings.data_dir / "objects", "benchmark")

    def one_state(state: str) -> None:
        step = SnapshotRun(settings, state, url, store, run_id="benchmark")
        version = step.pull().version
        step.split(version)
        if not step.judge(version).passed:
            raise RuntimeError(f"{state} was stopped; the benchmark's rows should pass")
        step.export(version)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(one_state, STATES))
    shutil.rmtree(settings.data_dir)


def predecessor(url: DatabaseUrl, folder: Path) -> None:
    """As it was: per state all people into a DuckDB table, then the splits by SQL, then COPY."""
    for state, name in STATES.items():
        target = Path(tempfile.mkdtemp(dir=_made(folder)))
        connection = duckdb.connect(str(target / "state.duckdb"))
        load_scanner(connection)
        dsn = url.conninfo.replace("'", "''")
        connection.execute(f"ATTACH '{dsn}' AS neon (TYPE postgres, READ_ONLY)")
        connection.execute(
            "CREATE TABLE companies AS SELECT * FROM neon.marketing.company_master "
            f"WHERE upper(trim(coalesce(address_state, state_abbrev))) IN ('{state}', "
            f"'{name.upper()}')"
        )
        connection.execute("CREATE TABLE people AS SELECT * FROM neon.marketing.people_master")
        for select, table in _OLD_SPLITS:
            connection.execute(f"CREATE TABLE {table} AS {select}")
            connection.execute(f"COPY {table} TO '{target}/{table}.parquet' (FORMAT parquet)")
        connection.close()
        shutil.rmtree(target)


_OLD_COMPANY_GOOD = (
    "company_name IS NOT NULL AND trim(company_name) <> '' AND website_url IS NOT NULL "
    "AND trim(website_url) <> '' AND website_url LIKE '%.%'"
)
_OLD_PERSON_GOOD = (
    "regexp_matches(p.email, '^[^@]+@[^@]+\\.[^@]+') AND p.title IS NOT NULL "
    "AND trim(p.title) <> ''"
)
_OLD_SPLITS = (
    (f"SELECT * FROM companies WHERE {_OLD_COMPANY_GOOD}", "companies_good"),
    (f"SELECT * FROM companies WHERE NOT ({_OLD_COMPANY_GOOD})", "companies_bad"),
    (
        "SELECT p.* FROM people p JOIN companies_good c USING (company_unique_id) "
        f"WHERE {_OLD_PERSON_GOOD}",
        "people_good",
    ),
    (
        "SELECT p.* FROM people p JOIN companies c USING (company_unique_id) "
        f"WHERE NOT ({_OLD_PERSON_GOOD})",
        "people_bad",
    ),
)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
