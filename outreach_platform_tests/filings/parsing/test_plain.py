"""Plain text of the 1990s: lines, paragraphs, pages, tables with and without tags."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.plain import read_plain

TABLE = """
     The following is a summary:
<TABLE>
<CAPTION>
                                1996       1995
- -------------------------------------------------
<S>                            <C>        <C>
Net sales..................    $ 1,234    $   987
  Cost of sales............        800        700
                               -------    -------
                               $   434    $   287
                               =======    =======
<FN>
(1) Restated.
</FN>
</TABLE>
     The table is unaudited.
"""


def lines_of(document: Document) -> list[str]:
    return [document.line_text(line) for line in document.lines]


def check(document: Document) -> None:
    """What every reader owes: lines in order that cover the text."""
    at = 0
    for line in document.lines:
        assert line.end > line.start >= at
        assert not document.text[at : line.start].strip()
        text = document.line_text(line)
        assert text == text.strip()
        assert "\n" not in text
        at = line.end
    assert not document.text[at:].strip()
    for table in document.tables:
        inside = [line for line in document.lines if table.start <= line.start < table.end]
        assert inside


def test_wrapped_lines_stay_lines_and_blank_lines_part_paragraphs() -> None:
    document = read_plain(
        "   ITEM 1.   BUSINESS\n\n     The mill grinds grain\nfor bakers.\n\n\nIt is old.\n"
    )
    assert document.text == "ITEM 1. BUSINESS\n\nThe mill grinds grain\nfor bakers.\n\nIt is old."
    assert document.source == "text"
    assert document.slice_html(0, 99) == ""
    check(document)


def test_a_heading_over_two_lines_stays_two_adjacent_centred_lines() -> None:
    prose = "The mill grinds grain for bakers of the region, as it has done since 1901, and\n" * 9
    head = "ITEM 5.  MARKET FOR REGISTRANT'S COMMON EQUITY".center(78) + "\n"
    head += "AND RELATED STOCKHOLDER MATTERS".center(78) + "\n\n"
    document = read_plain(prose + "\n" + head + prose)
    first, second = (line for line in document.lines if line.centred)
    assert document.text[first.start : second.end] == (
        "ITEM 5. MARKET FOR REGISTRANT'S COMMON EQUITY\nAND RELATED STOCKHOLDER MATTERS"
    )
    assert document.text[second.end : second.end + 2] == "\n\n"


def test_double_spaced_text_has_paragraphs_where_more_than_one_line_is_empty() -> None:
    text = "The mill grinds grain\n\nfor bakers.\n\n\nIt is old\n\nand sound\n\nand tall.\n"
    assert read_plain(text).text == (
        "The mill grinds grain\nfor bakers.\n\nIt is old\nand sound\nand tall."
    )


def test_parted_letters_are_words_where_words_are_further_apart() -> None:
    assert read_plain("   I T E M  1.   B U S I N E S S\n").text == "ITEM 1. BUSINESS"
    assert read_plain("Plan A B C of 1995").text == "Plan A B C of 1995"


def test_rules_are_dropped_outside_of_tables_and_dashes_unescaped() -> None:
    document = read_plain("One\n- ---------\n________\n  = = = =\nTwo\n- --three\n-  four - five\n")
    assert lines_of(document) == ["One", "Two", "--three", "- four - five"]


def test_tags_of_tables_go_and_columns_stay() -> None:
    document = read_plain(TABLE)
    check(document)
    (table,) = document.tables
    assert table.element is None
    body = document.text[table.start : table.end].split("\n")
    assert body[0] == "                                1996       1995"
    assert body[1] == "-" * 49
    assert body[3] == "  Cost of sales............        800        700"
    assert body[3].index("800") == body[2].index("1,234") + 2
    assert body[-1] == "(1) Restated."
    assert not re.search("<(S|C|FN|TABLE|CAPTION)>", document.text)
    assert lines_of(document)[0] == "The following is a summary:"
    assert lines_of(document)[-1] == "The table is unaudited."
    assert [line.table for line in document.lines] == [-1] + [0] * 8 + [-1]


def test_a_table_that_never_closes_keeps_its_lines() -> None:
    document = read_plain("<TABLE>\n<S>   <C>\nSales   5\nCosts   4\n")
    assert (len(document.tables), len(document.lines)) == (1, 2)


def test_an_empty_table_is_none() -> None:
    document = read_plain("One\n<TABLE>\n\n</TABLE>\n<TABLE>\nCash    5\n</TABLE>\n")
    assert [line.table for line in document.lines] == [-1, 0]
    assert len(document.tables) == 1


@pytest.mark.parametrize("turn", ["<PAGE>\n", "<PAGE>   7\n", "\f", "\f\n", "<page>\n<PAGE>\n"])
def test_page_breaks_are_counted_however_they_are_written(turn: str) -> None:
    document = read_plain(f"One\n\n{turn}\nTwo\n{turn}Three\n")
    assert [(document.line_text(line), line.page) for line in document.lines] == [
        ("One", 0),
        ("Two", 1),
        ("Three", 2),
    ]


def test_page_numbers_and_running_heads_go_and_are_kept_as_printed() -> None:
    page = "MILL CO. ANNUAL REPORT\n\nThe mill grinds {} tons\nof grain for\n\n"
    page += "        - {} -\n<PAGE>\n"
    document = read_plain("".join(page.format(n * 7, n) for n in range(1, 6)))
    assert "- 3 -" not in document.text
    assert document.text.count("MILL CO. ANNUAL REPORT") == 1
    assert [f"{n * 7} tons" in document.text for n in range(1, 6)] == [True] * 5
    assert document.printed_pages == {0: "1", 1: "2", 2: "3", 3: "4", 4: "5"}
    assert document.notes


def test_a_paragraph_goes_on_over_a_page_break() -> None:
    document = read_plain("The mill grinds\n\n<PAGE>\n\ngrain for bakers.\n<PAGE>\nIt is old.\n")
    assert document.text == "The mill grinds\ngrain for bakers.\n\nIt is old."


def test_entities_and_stray_tags_are_read() -> None:
    document = read_plain("AT&amp;T &#38; R&D, <B>a < b</B>, &unknown; <R>new</R>\n")
    assert document.text == "AT&T & R&D, a < b, &unknown; new"


@pytest.mark.parametrize("text", ["", " \n\f\n ", "<PAGE>\n<TABLE>\n</TABLE>\n", "-----\n=====\n"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no text"):
        read_plain(text)


@given(
    st.lists(
        st.sampled_from(
            (
                *(
                    "",
                    "  ",
                    "ITEM 1. BUSINESS",
                    "      Centred",
                    "Sales    5     6",
                    "<PAGE>",
                    "\f",
                ),
                *("<TABLE>", "</TABLE>", "<S>  <C>", "Costs ..... 4     3", "-----", "- 3 -", "12"),
                *("The mill grinds grain for the bakers of the region.", "&amp;", "\ttab\t5", "x"),
            )
        ),
        max_size=60,
    )
)
def test_any_mixture_keeps_its_words_in_order(parts: list[str]) -> None:
    try:
        document = read_plain("\n".join(parts))
    except ValueError:
        return
    check(document)
    kept = lines_of(document)
    words = iter(" ".join(parts).replace("&amp;", "&").split())
    assert all(word in words for line in kept for word in line.split())
    content = [part for part in parts if re.search("[a-z]", part) and part not in ("&amp;", "x")]
    left_out = int(re.findall(r"\d+", " ".join(document.notes) or "0")[0])
    assert len([line for line in kept if re.search("[a-z]{2}", line)]) >= len(content) - left_out
