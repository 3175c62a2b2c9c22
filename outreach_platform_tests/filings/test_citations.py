from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.citations import Citation, cite, parse, resolve
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support.filing_chunks import make_database

ACCESSION = "0000000001-24-000001"
TEXT = "Item 1. We sell widgets."


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("citations")
    texts = {1: {"part_i item_1": f"<p>{TEXT}</p>", "part_ii item_1": "<p>Legal matters.</p>"}}
    return make_database(folder / "filings.duckdb", texts, index=False)


def test_a_citation_is_one_line_that_people_can_read():
    assert cite("0000320193-24-000123", "part_i", "item_1a", 10234, 12011) == (
        "0000320193-24-000123 part_i item_1a [10234:12011]"
    )


def test_a_citation_leads_to_the_very_text(path: Path):
    citation = cite(ACCESSION, "part_i", "item_1", 8, 15, "We sell")
    assert resolve(path, citation) == "We sell"
    assert resolve(path, f"{ACCESSION} part_i item_1 [0:{len(TEXT)}]") == TEXT
    assert resolve(path, f"  {ACCESSION.replace('-', '')}  PART_II ITEM_1 [ 0 : 5 ]\n") == "Legal"


@given(
    *(st.integers(0, 9999999999), st.sampled_from(["part_i", "part_iv"])),
    *(st.sampled_from(["item_1", "item_9c", "item_16"]), st.integers(0, 10**6)),
    *(st.integers(1, 10**6), st.none() | st.text()),
)
def test_what_is_cited_can_be_read(
    number: int, part: str, kind: str, start: int, length: int, text: str | None
):
    accession = f"{number:010}-24-000001"
    place = parse(cite(accession, part, kind, start, start + length, text))
    assert place == Citation(accession, part, kind, start, start + length, place.check)
    assert len(place.check) == (0 if text is None else 8)


@pytest.mark.parametrize(
    "citation",
    [
        "",
        "nonsense",
        "0000000001-24-000001",
        "0000000001-24-000001 part_i item_1",
        "0000000001-24-000001 part_i item_1 [5:5]",
        "0000000001-24-000001 part_i item_1 [9:5]",
        "0000000001-24-000001 part_i item_1 [-1:5]",
        "0000000001-24-000001 part_i item_1 [0:5] #zz",
        "' OR 1=1 --",
        "x" * 100_000,
    ],
)
def test_what_is_no_citation_is_refused_in_a_short_sentence(path: Path, citation: str):
    with pytest.raises(UsageError, match="is no citation") as raised:
        resolve(path, citation)
    assert len(str(raised.value)) < 300


def test_a_filing_that_is_not_here_and_a_section_it_has_not_are_named(path: Path):
    with pytest.raises(UsageError, match=r"no section of filing 0000000009-24-000001 is here"):
        resolve(path, "0000000009-24-000001 part_i item_1 [0:5]")
    with pytest.raises(UsageError, match=r"no part_i item_7: it has part_i item_1, part_ii item_1"):
        resolve(path, f"{ACCESSION} part_i item_7 [0:5]")


def test_a_text_that_changed_is_not_passed_off_as_the_cited_one(tmp_path: Path):
    path = make_database(
        tmp_path / "f.duckdb", {1: {"part_i item_1": f"<p>{TEXT}</p>"}}, index=False
    )
    citation = cite(ACCESSION, "part_i", "item_1", 8, 24, "We sell widgets.")
    assert resolve(path, citation) == "We sell widgets."
    change = "UPDATE sections SET content_text = ?"
    with duckdb.connect(str(path)) as connection:
        connection.execute(change, ["Item 1. We sell kettles."])
    with pytest.raises(UsageError, match="names another text"):
        resolve(path, citation)
    with duckdb.connect(str(path)) as connection:
        connection.execute(change, ["Item 1."])
    with pytest.raises(UsageError, match="has 7 characters"):
        resolve(path, citation)


def test_without_a_database_the_next_command_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match="outreach filings extract"):
        resolve(tmp_path / "none.duckdb", cite(ACCESSION, "part_i", "item_1", 0, 5))
