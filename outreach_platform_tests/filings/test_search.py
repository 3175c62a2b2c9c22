from datetime import date
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.citations import resolve
from outreach_platform.filings.search import Hit, search
from outreach_platform.foundation.errors import UsageError
from outreach_platform_tests.support.filing_chunks import filing, make_database

FILLER = "The segment serves customers in many regions and grows with them. "
TEXTS = {
    1: {
        "part_i item_1": f"<p>{FILLER * 5} We sell orange marmalade.</p>",
        "part_i item_1a": f"<p>{FILLER * 9} There is substantial doubt about our ability to "
        f"continue as a going\u00a0concern. {FILLER * 9}</p>",
        "part_ii item_7": "<p>Our auditor\u2019s report says \u201cnothing unusual\u201d.</p>",
    },
    2: {
        "part_i item_1": "<p>A concern is going well. Marmalade costs 100% of $1_000; O'Neill.</p>"
    },
    3: {"part_i item_1": f"<p>{'A kettle boils. ' * 2000}</p>"},
    4: {"part_i item_2": "<p>Amended marmalade matters.</p>"},
    5: {"part_i item_2": "<p>Old marmalade matters.</p>"},
}
FILINGS = [
    filing(1, company_name="Orange & Co", ticker="GE"),
    filing(2, company_name="General Electronics", ticker="GEL", cik="0000000777"),
    filing(3, company_name=None, cik=None, filing_date=None, edgar_url=None),
    filing(4, form_type="10-K/A", filing_date=date(2023, 5, 1), filing_year=2023),
    filing(5, form_type="10-K405", filing_date=date(1999, 3, 1), filing_year=1999),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("filings") / "filings.duckdb", TEXTS, FILINGS)


def numbers(hits: list[Hit]) -> set[int]:
    return {int(hit.accession_number[:10]) for hit in hits}


def test_an_answer_tells_where_it_stands(path: Path):
    (hit,) = search(path, "orange marmalade", company="orange")
    assert (hit.accession_number, hit.company_name) == ("0000000001-24-000001", "Orange & Co")
    assert (hit.form_type, hit.filing_date) == ("10-K", date(2024, 2, 1))
    place = (hit.section_part, hit.section_type, hit.section_title)
    assert place == ("part_i", "item_1", "Title of item_1")
    assert hit.edgar_url == "https://www.sec.gov/Archives/edgar/data/1/"
    text = resolve(path, hit.citation)
    assert len(text) == hit.char_end - hit.char_start
    assert "orange marmalade" in text
    assert hit.score > 0


def test_the_best_answer_comes_first(path: Path):
    hits = search(path, "amended marmalade")
    assert numbers(hits[:1]) == {4}
    assert numbers(hits) == {1, 2, 4, 5}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_words_are_found_in_other_forms_but_unknown_words_are_not(path: Path):
    assert numbers(search(path, "Kettles BOILING")) == {3}
    assert search(path, "xylophone") == []
    assert numbers(search(path, "xylophone kettle")) == {3}


def test_a_phrase_has_to_occur_as_it_stands(path: Path):
    assert numbers(search(path, "going concern")) == {1, 2}
    assert numbers(search(path, '"Going  Concern"')) == {1}
    assert numbers(search(path, "marmalade “going concern”")) == {1}
    assert search(path, '"concern going concern"') == []
    assert search(path, '"xylophone" marmalade') == []
    assert numbers(search(path, '"auditor\'s report"')) == {1}
    assert numbers(search(path, '"orange marmalade" "We sell"')) == {1}
    assert search(path, '"orange marmalade" "going concern"') == []


def test_a_phrase_of_common_words_is_found(path: Path):
    assert numbers(search(path, '"about our"')) == {1}
    assert search(path, '"our our"') == []


def test_the_snippet_is_one_line_around_the_match(path: Path):
    (hit,) = search(path, '"going concern"')
    assert "ability to continue as a going concern." in hit.snippet
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert "\n" not in hit.snippet
    assert 150 < len(hit.snippet) <= 242
    (short,) = search(path, "unusual")
    assert short.snippet == "Our auditor\u2019s report says \u201cnothing unusual\u201d."


def test_one_section_does_not_fill_the_page(path: Path):
    hits = search(path, "kettle", limit=50)
    assert len(hits) == 2
    assert hits[0].char_end < hits[1].char_start or hits[1].char_end < hits[0].char_start


def test_the_limit_holds(path: Path):
    assert len(search(path, "marmalade", limit=1)) == 1
    with pytest.raises(UsageError, match="limit of 0"):
        search(path, "marmalade", limit=0)


@pytest.mark.parametrize(
    ("company", "found"),
    [
        ("orange", {1}),
        ("GENERAL elec", {2}),
        ("gel", {2}),
        ("ge", {1}),  # the ticker, though another name holds the letters
        ("777", {2}),
        ("0000000001", {1}),
        ("company", {4, 5}),
        ("%", set()),
        ("_", set()),
        ("' OR 1=1 --", set()),
    ],
)
def test_the_company_is_a_ticker_a_cik_or_part_of_a_name(path: Path, company: str, found: set[int]):
    assert numbers(search(path, "marmalade", company=company)) == found


@pytest.mark.parametrize(
    ("form", "found"),
    [("10-K", {1, 2, 4}), ("10-k/a", {4}), ("10-K405", {5}), ("10-Q", set())],
)
def test_a_form_finds_its_amendments_and_no_other_form(path: Path, form: str, found: set[int]):
    assert numbers(search(path, "marmalade", form=form)) == found


def test_the_year_is_the_filings(path: Path):
    assert numbers(search(path, "marmalade", year=1999)) == {5}
    assert search(path, "marmalade", year=1899) == []


@pytest.mark.parametrize("text", ["", "  \n", "🙂", "%", "_", "--", '""', "the of", "'", "\x00"])
def test_what_holds_nothing_to_search_for_is_refused(path: Path, text: str):
    with pytest.raises(UsageError, match="search text holds"):
        search(path, text)


@pytest.mark.parametrize(
    "text",
    [
        "marmalade'; DROP TABLE chunks; --",
        'marmalade "',
        'marmalade "" " "',
        "100% marmalade_",
        "$1 ? :x marmalade {0} %s \\",
        '"marmalade costs 100% of $1_000; O\'Neill."',
        '"(marmalade" marmalade [a-',
        "marmalade 🙂 \x00",
        "marmalade " + "word " * 2000,
        'marmalade "' + "x" * 9000 + '"',
    ],
)
def test_strange_input_is_only_text(path: Path, text: str):
    hits = search(path, text)
    assert numbers(hits) <= {1, 2, 4, 5}
    assert bool(hits) == ("x" * 9000 not in text and "(marmalade" not in text)


def test_what_no_query_is_is_refused(path: Path):
    with pytest.raises(UsageError, match="20000"):
        search(path, "x" * 20_001)
    with pytest.raises(UsageError, match="21 phrases"):
        search(path, " ".join(f'"x{n}"' for n in range(21)))
    with pytest.raises(UsageError, match="no form '8-K'"):
        search(path, "marmalade", form="8-K")
    with pytest.raises(UsageError, match="company to search is empty"):
        search(path, "marmalade", company=" ")


def test_before_anything_was_published_the_next_command_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match="outreach filings extract"):
        search(tmp_path / "filings.duckdb", "marmalade")


def test_a_file_without_an_index_is_to_be_published_anew(tmp_path: Path):
    path = make_database(tmp_path / "filings.duckdb", {}, index=False)
    with pytest.raises(UsageError, match=r"no search index.*outreach filings extract"):
        search(path, "marmalade")


def test_a_file_of_another_make_is_to_be_published_anew(tmp_path: Path):
    path = make_database(tmp_path / "filings.duckdb", {5: TEXTS[5]})
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE filings DROP COLUMN ticker")
    with pytest.raises(UsageError, match="not the filings database of this version"):
        search(path, "marmalade")


def test_a_reader_does_not_stand_in_another_readers_way(path: Path):
    with duckdb.connect(str(path), read_only=True, config={"autoinstall_known_extensions": False}):
        assert search(path, "marmalade")
