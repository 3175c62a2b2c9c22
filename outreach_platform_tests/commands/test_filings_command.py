"""`outreach filings …`, as analysts and scripts use it: real jobs on real files."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from outreach_platform.embedded.sample import write_filings
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS
from outreach_platform_tests.support.pages import blocks, parse
from outreach_platform_tests.support.postgres import ROOT
from outreach_platform_tests.support.product import Finished, Inside, Product

pytestmark = pytest.mark.slow

ANNUAL, QUARTER, OLD = "0009990001-25-000011", "0009990001-25-000027", "0009990003-98-000002"
Filings = Callable[..., Finished]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody's filings."""
    folder = tmp_path_factory.mktemp("inbox")
    write_filings(folder)
    return folder


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Product:
    """A product that has read them; tests on it change nothing."""
    product = Product(tmp_path_factory.mktemp("filings"))
    assert product("filings", "add", str(folder)).code == 0
    assert product("filings", "extract", "--workers", "2").code == 0
    return product


@pytest.fixture
def reading(read: Product, capsys: pytest.CaptureFixture[str]) -> Filings:
    inside = Inside(read, capsys)
    return lambda *arguments, **more: inside("filings", *arguments, **more)


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Filings:
    """The commands on an empty data folder."""
    inside = Inside(Product(tmp_path), capsys)
    return lambda *arguments, **more: inside("filings", *arguments, **more)


def ask(data: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(FilingFolder(data).published), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_from_a_folder_to_an_answer_that_can_be_cited(
    tmp_path: Path, folder: Path, fresh: Filings
) -> None:
    added = fresh("add", str(folder), "--json")
    assert added.code == 0
    assert (added.row["new"], added.row["refused"]) == (4, 0)
    extracted = fresh("extract", "--json")
    assert extracted.code == 0
    assert [(row["filings"], row["read"]) for row in extracted.rows] == [("1998", 1), ("2025", 3)]
    assert all(row["sections"] and row["chunks"] for row in extracted.rows)
    data = tmp_path / "data"
    assert (
        ask(data, f"SELECT count(*) FROM sections WHERE accession_number = '{ANNUAL}'")[0][0] > 15
    )
    assert ask(data, "SELECT total_filings, duplicates, orphans FROM data_health") == [(4, 0, 0)]
    word = ask(data, "SELECT chunk_text FROM chunks WHERE section_type = 'item_1a' LIMIT 1")[0][0]
    found = fresh("search", " ".join(word.split()[10:14]), "--json")
    assert found.code == 0
    hit = found.rows[0]
    text = fresh("text", hit["citation"])
    assert text.code == 0
    assert (
        text.out.strip()
        in ask(data, f"SELECT chunk_text FROM chunks WHERE chunk_id = '{hit['chunk_id']}'")[0][0]
    )


def test_a_second_time_changes_nothing(tmp_path: Path, folder: Path, fresh: Filings) -> None:
    fresh("add", str(folder))
    fresh("extract")
    published = FilingFolder(tmp_path / "data").published
    before = {kind: ask(tmp_path / "data", f"FROM {kind} ORDER BY ALL") for kind in KINDS}
    written = published.stat().st_mtime_ns
    again = fresh("add", str(folder), "--json")
    assert (again.row["new"], again.row["updated"], again.row["unchanged"]) == (0, 0, 4)
    for mode in ("missing", "no_tables", "all"):
        extracted = fresh("extract", "--mode", mode, "--json")
        assert (extracted.code, extracted.row["read"]) == (0, 0), mode
    assert published.stat().st_mtime_ns == written, "what did not change is not published again"
    forced = fresh("extract", "--mode", "all", "--force", "--json")
    assert sum(row["read"] for row in forced.rows) == 4
    assert before == {kind: ask(tmp_path / "data", f"FROM {kind} ORDER BY ALL") for kind in KINDS}


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path, folder: Path, fresh: Filings) -> None:
    fresh("add", str(folder))
    told = fresh("extract", "--dry-run", "--json")
    assert [row["filing"] for row in told.rows][-1] == OLD
    assert all(row["kinds"] == list(KINDS) for row in told.rows)
    limited = fresh("extract", "--dry-run", "--limit", "2", "--year", "2025", "--json")
    assert [row["filing"] for row in limited.rows] == [ANNUAL, QUARTER]
    assert ask(tmp_path / "data", "SELECT count(*) FROM sections") == [(0,)]
    assert not list((tmp_path / "data").rglob("staging/*"))


def test_a_chosen_filing_alone(tmp_path: Path, folder: Path, fresh: Filings) -> None:
    fresh("add", str(folder))
    done = fresh("extract", "--accession", f"{QUARTER}, {OLD}", "--json")
    assert (done.code, [row["read"] for row in done.rows]) == (0, [1, 1])
    listed = ask(tmp_path / "data", "SELECT DISTINCT accession_number FROM sections ORDER BY 1")
    assert listed == [(QUARTER,), (OLD,)]


def test_other_forms_are_registered_as_refused(
    tmp_path: Path, folder: Path, fresh: Filings
) -> None:
    shutil.copytree(folder, tmp_path / "inbox")
    sheet = tmp_path / "inbox" / "filings.csv"
    sheet.write_text(sheet.read_text().replace(",10-Q,", ",8-K,"))
    added = fresh("add", str(tmp_path / "inbox"), "--json")
    assert (added.code, added.row["new"], added.row["refused"]) == (0, 4, 1)
    assert f"refused: {QUARTER}" in added.err and "8-K" in added.err
    assert sum(row["read"] for row in fresh("extract", "--json").rows) == 3
    refused = ask(tmp_path / "data", "SELECT accession_number FROM filings WHERE refused != ''")
    assert refused == [(QUARTER,)]
    one = fresh("extract", "--accession", QUARTER)
    assert one.code == 2 and "refused" in one.err


def test_one_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, folder: Path, fresh: Filings
) -> None:
    fresh("add", str(folder))
    raw = FilingFolder(tmp_path / "data").raw
    spoilt = next(path for path in raw.iterdir() if ANNUAL in path.name)
    spoilt.write_bytes(spoilt.read_bytes()[:2000])
    done = fresh("extract", "--json")
    assert done.code == 1
    by_year = {row["filings"]: row for row in done.rows}
    assert (by_year["1998"]["status"], by_year["1998"]["read"]) == ("done", 1)
    assert (by_year["2025"]["failed"], by_year["2025"]["read"]) == (1, 2)
    assert f"failed: {ANNUAL}" in done.err
    health = fresh("health", "--json")
    assert health.rows[0]["failures"] > 0
    assert health.code == 0, "a failed filing harms no other's data"


def test_years_are_partitions(read: Product) -> None:
    """Each year shows what was done in it."""
    with read.here() as instance:
        for name in ("filing_extracts", *KINDS):
            events = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey(["filings", name]), asset_partitions=["1998"]),
                limit=1,
            )
            told = events.records[0].asset_materialization
            assert told is not None
            assert told.metadata["filings"].value == 1, name


def test_the_ui_can_run_one_year(tmp_path: Path, folder: Path) -> None:
    from outreach_platform.definitions import defs

    product = Product(tmp_path)
    shutil.copytree(folder, FilingFolder(product.data).raw)
    with product.here() as instance:
        result = defs.resolve_job_def("filings_job").execute_in_process(
            instance=instance, partition_key="1998", raise_on_error=False
        )
        assert result.success
        years = instance.get_materialized_partitions(dg.AssetKey(["filings", "sections"]))
    assert years == {"1998"}
    assert ask(product.data, "SELECT DISTINCT accession_number FROM sections") == [(OLD,)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("search", "glass"), "outreach filings add"),
        (("health",), "outreach filings add"),
        (("text", "x"), "outreach filings add"),
        (("extract", "--dry-run"), "outreach filings add"),
        (("extract",), "outreach filings add"),
        (("add", "nowhere"), "does not exist"),
        (("extract", "--accession", " , "), "--accession is empty"),
        (("download", "abc"), "is no CIK"),
        (("download", "320193"), "SEC_API_USER_AGENT is not set"),
        (("dedupe", "nowhere.duckdb"), "does not exist"),
        (("extract", "--mode", "some"), "Invalid value for '--mode'"),
        (("extract", "--year", "1066"), "Invalid value for '--year'"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], says: str, fresh: Filings) -> None:
    done = fresh(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err


def test_what_was_read_can_be_asked(reading: Filings) -> None:
    health = reading("health", "--json")
    assert health.code == 0
    assert {row["check"] for row in health.rows[1:]} == {
        *("no_duplicates", "referential_integrity", "completeness"),
        *("coverage", "footnote_ceiling", "stable_ids"),
    }
    assert all(row["status"] == "passed" for row in health.rows[1:]), health.rows
    nothing = reading("search", "xylophonist", "--json")
    assert (nothing.code, nothing.rows) == (0, [])
    old = reading("search", "kettles", "--year", "1998", "--json")
    assert old.rows and {hit["accession_number"] for hit in old.rows} == {OLD}
    wrong = reading("text", f"{OLD} part_i item_1 [0:999999999]")
    assert wrong.code == 2


def test_an_unknown_accession_number_is_2(reading: Filings) -> None:
    done = reading("extract", "--accession", "0009990009-25-000001")
    assert done.code == 2
    assert "0009990009-25-000001" in done.err
    assert "outreach filings add" in done.err


def test_what_the_page_shows_can_be_done(read: Product, reading: Filings) -> None:
    """Every command of docs/filings.md parses, every query of it runs and says what it should."""
    shown = blocks(ROOT / "docs" / "filings.md")
    lines = [line for block in shown for line in block.commands]
    assert len(lines) > 8
    for line in lines:
        parse(line)
    queries = [block.text for block in shown if block.kind == "sql"]
    answers = [ask(read.data, query) for query in queries]
    assert answers[0][0][0], "a company"
    assert set(answers[1]) == {(True,)}
    cited = next(shlex.split(line)[3] for line in lines if " text " in line)
    assert reading("text", cited).out.startswith("Item 1A.")
