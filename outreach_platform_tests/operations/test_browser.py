"""What an operator sees: the served UI in a real browser.

Pictures of the pages go to the folder that OUTREACH_TEST_ARTEFACTS names, else to pytest's own.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from outreach_platform.embedded.sample import DIRTY_STATE, load_sample
from outreach_platform.embedded.server import ensure_running
from outreach_platform.resources import embedded_folder
from outreach_platform_tests.support.postgres import free_port
from outreach_platform_tests.support.product import Product

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 120_000
GROUPS = ("enrichment", "events", "filings", "operations", "outreach")
AUTOMATIONS = {
    *("daily_filings", "daily_snapshots", "enrichment_complete", "hourly_enrichment_pull"),
    *("nightly_events", "weekly_maintenance", "daily_report", "hourly_monitoring"),
    *("run_failure_alert", "weekly_prune", "weekly_verify"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The demo's data, of which one state was run: the one that K1 stops."""
    product = Product(tmp_path_factory.mktemp("browser"))
    server = ensure_running(embedded_folder(product.data), durable=False)
    try:
        load_sample(server.url("neon"), server.url("supabase"), server.url("events"))
        stopped = product("snapshot", "--state", DIRTY_STATE, "--json")
        assert stopped.code == 3, stopped.err
    finally:
        server.release()
    return product


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """The address of its UI, which `outreach up` serves meanwhile."""
    url = f"http://127.0.0.1:{free_port()}"
    with product.start("up", "--port", url.rpartition(":")[2]) as process:
        try:
            assert process.stderr
            said = []
            for line in process.stderr:
                said.append(line)
                if "the UI is at" in line:
                    break
            assert url in said[-1], "".join(said)
            yield url
        finally:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            finally:
                process.kill()
                for child in family:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A visitor of the first time; nothing may fail in the page, and nothing may leave the host."""
    context = browser.new_context(base_url=url, viewport={"width": 1800, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert errors == []
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []


def shoot(page: Page, name: str, folder: Path) -> None:
    """Keep a picture of the page, which must be more than an empty one."""
    chosen = Path(os.environ.get("OUTREACH_TEST_ARTEFACTS") or folder)
    chosen.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=chosen / f"{name}.png")
    assert (chosen / f"{name}.png").stat().st_size > 20_000


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name).first


def test_the_lineage_page_shows_all_groups_and_their_assets(page: Page, tmp_path: Path) -> None:
    page.goto("/asset-groups")
    groups = page.locator("foreignObject.group")
    expect(groups).to_have_count(len(GROUPS))
    for name in GROUPS:
        expect(groups.filter(has_text=name)).not_to_have_count(0)
    expect(page.get_by_role("dialog"), "no dialog of the first visit").to_have_count(0)
    page.mouse.click(1200, 960)  # the empty canvas, so that the key is the graph's
    page.keyboard.press("Alt+e")
    for name in ("snapshots", "promotions", "its_results", "footnotes"):
        expect(page.locator("foreignObject").filter(has_text=name)).not_to_have_count(0)
    shoot(page, "lineage", tmp_path)


def test_the_automation_page_shows_all_of_them_running(page: Page, tmp_path: Path) -> None:
    page.goto("/automation")
    for name in AUTOMATIONS:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    # The switches appear with the states.
    expect(page.locator("input[type=checkbox]:checked")).to_have_count(len(AUTOMATIONS))
    shoot(page, "automation", tmp_path)


def test_a_kill_switch_that_stopped_a_state_is_seen_on_the_checks_tab(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/assets/outreach/companies_bad?view=checks")
    expect(page.get_by_text("k1_bad_ratio").first).to_be_visible()
    expect(page.get_by_text("Failed").first).to_be_visible()
    expect(page.get_by_text("This is a blocking asset check.")).to_be_visible()
    expect(page.get_by_text("K1 TRIGGERED: Company bad ratio").first).to_be_visible()
    expect(page.get_by_text(f"|{DIRTY_STATE}").first).to_be_visible()
    shoot(page, "checks", tmp_path)


def test_a_state_is_materialized_from_the_page(
    page: Page, product: Product, tmp_path: Path
) -> None:
    page.goto("/locations/outreach_platform/jobs/snapshot_job")
    button(page, "Materialize all").click()
    dialog = page.get_by_role("dialog")
    button(dialog, "Latest").click()
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_placeholder("Filter partitions").fill("WV")
    page.locator("a, li, label").filter(has_text="WV").locator("visible=true").last.click()
    expect(dialog.get_by_text("1 partition", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    shoot(page, "launch", tmp_path)
    button(dialog, "Launch").click()
    expect(dialog).to_have_count(0)
    page.goto("/runs")
    run = page.locator("tr, [data-index]").filter(has_text="WV").first
    expect(run).to_contain_text("Success")
    shoot(page, "runs", tmp_path)
    with product.here() as instance:
        (launched,) = (
            run for run in instance.get_runs() if run.tags.get("dagster/partition/state") == "WV"
        )
    assert launched.status.value == "SUCCESS"
    assert len(product.folder("WV").published_versions()) == 1
