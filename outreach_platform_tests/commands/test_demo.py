"""`outreach demo --no-serve` as a newcomer starts it, and what it refuses."""

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.sample import DIRTY_STATE
from outreach_platform.enrichment.funnel import FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.studies import StudiesRecord, studies_file
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.dead_runs import PID_TAG
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.workbench import workbench_path
from outreach_platform_tests.support.event_rows import (
    create_source,
    new_run,
    settings_for,
    window,
)
from outreach_platform_tests.support.postgres import alive, free_port
from outreach_platform_tests.support.product import (
    Inside,
    Product,
    find_bytes,
    published_nowhere,
    url_text,
)

FUNNEL_KEYS = {
    *("invalid", "pulled", "in_progress", "complete", "pushed", "passed", "promoted"),
    "still_invalid",
}
CANARY = "canary-2f9d81-of-a-service-not-to-be-used"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """With services configured that nothing answers for: the demo must not ask them."""
    nobody = f"127.0.0.1:{free_port()}"
    return Product(
        tmp_path_factory.mktemp("demo"),
        {
            "NEON_DATABASE_URL": f"postgresql://demo:{CANARY}@{nobody}/neon",
            "B2_KEY_ID": "0012345",
            "B2_APPLICATION_KEY": CANARY,
            "B2_REALM": f"http://{nobody}",
            "SLACK_WEBHOOK_URL": f"http://{nobody}/{CANARY}",
        },
    )


@pytest.mark.slow
def test_demo_twice(product: Product) -> None:
    """In an empty folder, then once more over its own snapshots."""
    product.environment.pop("OUTREACH_DATA_DIR", None)
    first = product("demo", "--no-serve", "--json")
    assert first.code == 0, first.err
    names = "NEON_DATABASE_URL, B2_KEY_ID, SLACK_WEBHOOK_URL"
    assert f"demo ignores {names} and works on embedded databases" in first.err
    assert f"{DIRTY_STATE} is dirty on purpose" in first.err
    assert "K1 stopped it" in first.err
    assert "files: data/exports, data/raw   objects: data/objects" in first.err
    assert "`outreach enrich export open.csv` writes what is still open" in first.err
    *states, events, companies, people, filings = first.rows
    rows = {row["state"]: row for row in states}
    assert list(rows) == list(STATES)
    published = set(STATES) - {DIRTY_STATE}
    assert {s for s, row in rows.items() if row["status"] == "published"} == published
    assert rows[DIRTY_STATE]["kill_switches"] == "K1_TRIGGERED"
    assert published_nowhere(product, DIRTY_STATE)
    assert sum(row["companies_good"] + row["companies_bad"] for row in rows.values()) == 3000
    for state in published:
        version = rows[state]["version"]
        folder = product.folder(state)
        for table in TABLES:
            assert folder.export(version, table).is_file()
            name = folder.object_key(version, table)
            assert (product.data / "objects" / "svg-enrichment" / name).is_file()
    with duckdb.connect(str(workbench_path(product.data)), read_only=True) as shell:
        assert len(shell.sql("SELECT * FROM snapshots").fetchall()) == 5
    check_events(product, events)
    check_funnel(companies, people)
    check_filings(product, filings)

    second = product("demo", "--no-serve", "--json")
    assert second.code == 0, second.err
    *states, _, companies, people, filings = second.rows
    said = {row["state"]: row["message"] for row in states}
    assert said.pop(DIRTY_STATE).endswith("K1 TRIGGERED: Company bad ratio 24.7% > 15.0%"), (
        "promotions have mended masters, and the dirty state is dirty all the same"
    )
    assert set(said.values()) == {"all kill switches passed"}, "K2 against the first"
    check_funnel(companies, people)
    check_filings(product, filings)
    assert len(product.folder("WV").published_versions()) == 2
    assert find_bytes(product.data, CANARY) == []
    assert CANARY not in first.out + first.err + second.out + second.err
    with product.here() as instance:
        pids = {int(run.tags[PID_TAG]) for run in instance.get_runs()}
        jobs = Counter(run.job_name for run in instance.get_runs())
        # The second time nothing is complete, so that the sensor asks for nothing.
        assert jobs == {
            "snapshot_job": 12,
            "events_job": 2,
            "enrichment_pull_job": 2,
            "promotion_job": 1,
            # Registered, then read in two runs, 1998 being far from 2025; then nothing is new.
            "filings_job": 5,
        }
    assert not any(alive(pid) for pid in pids)


def check_funnel(companies: dict, people: dict) -> None:
    """What the stand-in completed is promoted where it passes, and nowhere else."""
    assert set(companies) >= FUNNEL_KEYS
    assert companies["workspace"] == "company"
    stays = {"invalid": 71, "pulled": 71, "promoted": 48, "still_invalid": 23, "complete": 0}
    assert {name: companies[name] for name in stays} == stays
    assert people["workspace"] == "people"
    stays = {"invalid": 4, "pulled": 4, "promoted": 1, "still_invalid": 2, "complete": 0}
    assert {name: people[name] for name in stays} == stays
    assert companies["invalid"] + companies["promoted"] == 119
    assert people["invalid"] + people["promoted"] == 5
    assert companies["problems"] == people["problems"] == []


def check_filings(product: Product, row: dict) -> None:
    """Four generated filings, each with all that there is to find in it."""
    assert (row["filings"], row["status"], row["problems"]) == ("filings", "published", [])
    counts = ("total_filings", "filings_with_sections", "filings_with_tables")
    assert [row[name] for name in counts] == [4, 4, 4]
    published = FilingFolder(product.data).published
    with duckdb.connect(str(published), read_only=True) as shell:
        marked = shell.sql("SELECT count(*) FROM footnotes WHERE marker = '(1)'").fetchall()
        assert marked == [(3,)]


def check_events(product: Product, row: dict) -> None:
    """Ten thousand events of forty users, whose planted effects the analyses find."""
    assert (row["export"], row["status"], row["research"]) == (
        "behavioral_events",
        "exported",
        "view",
    )
    assert (row["rows"], row["users"], row["quarantined"]) == (10_000, 40, 0)
    assert row["message"] == "all events are valid"
    folder = EventFolder(product.data)
    assert folder.latest.resolve() == Path(row["file"])
    database = product.data / "duckdb" / "analytics.duckdb"
    with duckdb.connect(str(database), read_only=True) as shell:
        counted = shell.sql("SELECT count(*) FROM research.behavioral_events").fetchall()
        assert counted == [(10_000,)]
        phases = "SELECT count(DISTINCT phase) FROM research.abab_observations"
        assert shell.sql(phases).fetchall() == [(4,)]
    for kind in ("its", "abab"):
        record = read_record(studies_file(folder, kind), StudiesRecord)
        results = [study.its or study.abab for study in record.studies]
        effects = [r.effect for r in results if r and r.status == "estimated"]
        assert effects
        assert all(effect is not None and effect > 5 for effect in effects)


@pytest.mark.slow
def test_a_folder_with_real_filings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product(tmp_path)
    folder = FilingFolder(product.data)
    with writer(folder) as connection:
        connection.execute(
            "INSERT INTO filings (accession_number, form_type, cik) "
            "VALUES ('0000320193-24-000123', '10-K', '0000320193')"
        )
    publish(folder)
    done = Inside(product, capsys)("demo", "--no-serve")
    assert (done.code, done.out) == (2, "")
    assert f"{product.data} holds real filings" in done.err
    assert not (product.data / "embedded").exists(), "no sample was begun"


@pytest.mark.slow
def test_a_folder_with_real_events_is_refused(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_source(neon_url)
    product = Product(tmp_path, {"DATABASE_URL": url_text(neon_url)})
    real = new_run(
        product.data,
        neon_url,
        datetime.now(UTC),
        settings=settings_for(product.data, neon_url),
    )
    days = window(2, datetime.now(UTC))
    real.extract(days)
    before = real.export(days)
    done = product("demo", "--no-serve")
    assert (done.code, done.out) == (2, "")
    assert f"{product.data} holds events of {neon_url.display}" in done.err
    assert "set OUTREACH_DATA_DIR to another folder" in done.err
    assert "Traceback" not in done.err
    assert real.folder.newest() == before
    assert not (product.data / "embedded").exists(), "no sample was begun"


@pytest.mark.slow
def test_a_folder_with_real_enrichment_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product(tmp_path)
    funnel = EnrichmentFolder(product.data).funnel
    record = FunnelRecord(run_id="x", at=datetime.now(UTC), source="neon.tech/prod", funnels=[])
    write_record(funnel, record)
    done = Inside(product, capsys)("demo", "--no-serve")
    assert (done.code, done.out) == (2, "")
    assert f"{product.data} tells of enrichment in neon.tech/prod" in done.err
    assert not (product.data / "embedded").exists(), "no sample was begun"


@pytest.mark.slow
def test_a_folder_of_the_data_that_is_a_file_is_2(tmp_path: Path) -> None:
    product = Product(tmp_path)
    shutil.copy(__file__, product.data)
    done = product("demo", "--no-serve")
    assert (done.code, done.out) == (2, "")
    assert str(product.data) in done.err
    assert "Traceback" not in done.err
