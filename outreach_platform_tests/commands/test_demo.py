"""`outreach demo --no-serve` as a newcomer starts it, and what it refuses."""

import shutil
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.sample import DIRTY_STATE
from outreach_platform.operations.dead_runs import PID_TAG
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.workbench import workbench_path
from outreach_platform_tests.support.postgres import alive, free_port
from outreach_platform_tests.support.product import Product, find_bytes, published_nowhere

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
    assert "files: data/exports   objects: data/objects" in first.err
    rows = {row["state"]: row for row in first.rows}
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

    second = product("demo", "--no-serve")
    assert second.code == 0, second.err
    assert second.out.count("all kill switches passed") == 5, "K2 against the first"
    assert "K2 skip" not in second.out.replace("\n", "")
    assert len(product.folder("WV").published_versions()) == 2
    assert find_bytes(product.data, CANARY) == []
    assert CANARY not in first.out + first.err + second.out + second.err
    with product.here() as instance:
        pids = {int(run.tags[PID_TAG]) for run in instance.get_runs()}
        assert len(instance.get_runs()) == 12
    assert not any(alive(pid) for pid in pids)


def test_a_folder_of_the_data_that_is_a_file_is_2(tmp_path: Path) -> None:
    product = Product(tmp_path)
    shutil.copy(__file__, product.data)
    done = product("demo", "--no-serve")
    assert (done.code, done.out) == (2, "")
    assert str(product.data) in done.err
    assert "Traceback" not in done.err
