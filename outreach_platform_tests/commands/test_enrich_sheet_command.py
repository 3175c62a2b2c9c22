"""`outreach enrich export, import, undo`: the round trip of a spreadsheet, and the way back."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.enrichment import (
    Databases,
    copied,
    invalid_company,
    invalid_person,
    make_templates,
    prepare,
)
from outreach_platform_tests.support.enrichment_jobs import addresses
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.product import Finished, Inside, Product

pytestmark = pytest.mark.slow

SITE = "https://good.org"


@pytest.fixture(scope="module")
def templates(pg_server: EmbeddedServer) -> tuple[str, str]:
    names = make_templates(pg_server, "enrich_sheet")
    prepare(Databases(pg_server.url(names[0]), pg_server.url(names[1])))
    return names


@pytest.fixture
def databases(pg_server: EmbeddedServer, templates: tuple[str, str]) -> Iterator[Databases]:
    with copied(pg_server, templates) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enrich_sheet")


@pytest.fixture
def product(folder: Path, databases: Databases) -> Product:
    return Product(folder, addresses(databases))


@pytest.fixture
def enrich(product: Product, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    inside = Inside(product, capsys)
    return lambda *arguments, **more: inside("enrich", *arguments, **more)


def edited(path: Path, **edits: dict[str, str]) -> None:
    """Change lines of a sheet by id, as an office program writes it: BOM, CRLF, other order."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= edits.get(row["record_id"], {})
    names = sorted(rows[0], reverse=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_the_round_trip_of_a_spreadsheet(
    databases: Databases, product: Product, enrich: Callable[..., Finished]
) -> None:
    """Export, edit, dry run, import, and the same file once more; refused lines end with 1."""
    one, other, third = databases.add_companies(3)
    databases.add_invalid(invalid_person(), invalid_company(company_name="=HYPERLINK(1)"))
    assert enrich("pull").code == 0
    out = enrich("export", "open.csv", "--json")
    sheet = product.home / "open.csv"
    assert (out.code, out.err) == (0, "")
    assert out.row == {"file": str(sheet.resolve()), "status": "done", "rows": 5}
    assert "'=HYPERLINK(1)" in sheet.read_text(encoding="utf-8-sig")
    companies = enrich("export", "companies.csv", "--entity", "company", "--json")
    assert companies.row["rows"] == 4
    unchanged = enrich("import", "open.csv", "--dry-run", "--json").row
    assert (unchanged["changed"], unchanged["unchanged"]) == (0, 5)

    complete = {"website": SITE, "enrichment_status": "complete"}
    edited(
        sheet,
        **{one: complete, other: complete, third: {"record_id": "04.04.01.99.99999.999"}},
    )
    databases.edit(other, city="Elsewhere")
    before = databases.dump()
    dry = enrich("import", "open.csv", "--dry-run", "--json")
    assert databases.dump() == before
    done = enrich("import", "open.csv", "--json", "--by", "Ann Lee")
    assert dry.code == done.code == 1
    counts = ("changed", "unchanged", "completed", "refused")
    assert {name: done.row[name] for name in counts} == {
        "changed": 1,
        "unchanged": 2,
        "completed": 1,
        "refused": 2,
    }
    told = {name: dry.row[name] for name in (*counts, "problems")}
    assert told == {name: done.row[name] for name in (*counts, "problems")}
    assert len(done.row["problems"]) == 2
    assert all(problem.startswith("line ") for problem in done.row["problems"])
    assert "warning: line" in done.err
    row = databases.row(one)
    assert row
    assert (row["website"], row["enriched_by"]) == (SITE, "Ann Lee")
    again = enrich("import", "open.csv", "--json")
    assert (again.row["changed"], again.row["completed"]) == (0, 0), "the same file once more"
    assert databases.row(one) == row
    table = enrich("import", "open.csv")
    assert table.code == 1
    assert "refused" in table.out
    assert enrich("promote").code == 0
    assert databases.master(one) is None, "nothing was pushed yet"
    assert enrich("run").code == 0
    assert databases.master(one)
    assert enrich("export", "rest.csv", "--include-complete", "--json").row["rows"] == 4


@pytest.mark.parametrize(
    ("path", "said"),
    [("file.txt/open.csv", "file.txt"), (".", "enrich_sheet")],
)
def test_a_place_that_cannot_be_written(
    enrich: Callable[..., Finished], product: Product, path: str, said: str
) -> None:
    (product.home / "file.txt").write_text("a file is no folder")
    done = enrich("export", path)
    assert done.code in (1, 2)
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert "traceback" not in done.err.lower()


def test_a_file_that_is_no_sheet(product: Product, enrich: Callable[..., Finished]) -> None:
    for text in ("", "a,b\n1,2\n", "\0\1\2"):
        (product.home / "bad.csv").write_text(text)
        for options in ([], ["--dry-run"]):
            done = enrich("import", "bad.csv", *options)
            assert done.code == 2, done.err
            assert done.out == ""
            assert len(done.err.splitlines()) == 1
            assert "Traceback" not in done.err


@pytest.mark.slow
def test_undo(databases: Databases, enrich: Callable[..., Finished]) -> None:
    """A run taken back by the first characters of its id; what changed since is left alone."""
    one, other = databases.add_companies(2)
    assert enrich("pull").code == 0
    databases.complete(one, other, website=SITE)
    run_id = enrich("run", "--json").rows[-1]["run_id"]
    assert databases.master(one)
    execute(
        databases.neon,
        "UPDATE marketing.company_master SET address_city = 'Elsewhere' "
        f"WHERE company_unique_id = '{other}'",
    )
    before = databases.dump()
    dry = enrich("undo", run_id[:8], "--dry-run", "--json")
    assert databases.dump() == before
    done = enrich("undo", run_id[:8], "--json")
    assert dry.code == done.code == 1, "one was left alone"
    rows = {row["entity"]: row for row in done.rows}
    assert (rows["company"]["restored"], rows["company"]["left_alone"]) == (1, 1)
    assert rows["company"]["problems"] == [
        f"{other}: the master's row was changed after the promotion"
    ]
    assert [row["restored"] for row in dry.rows] == [row["restored"] for row in done.rows]
    assert databases.master(one) is None
    assert databases.invalid(one)
    again = enrich("undo", run_id, "--json")
    assert again.code == 1
    assert sum(row["restored"] for row in again.rows) == 0


@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        ("", "too short for a run id: give 8 characters or more"),
        ("1234567", "too short for a run id"),
        ("00000000-0000", "no run promoted anything under the id '00000000-0000'"),
        ("'; DROP TABLE marketing.company_master; --", "no run promoted anything"),
    ],
)
def test_undo_of_a_run_that_is_none(
    product: Product, enrich: Callable[..., Finished], run_id: str, said: str
) -> None:
    for options in ([], ["--dry-run"]):
        done = enrich("undo", run_id, *options)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    with product.here() as instance:
        undone = [run for run in instance.get_runs() if run.job_name == "enrichment_undo_job"]
        assert not any(run_id and run_id in str(run.run_config) for run in undone)
