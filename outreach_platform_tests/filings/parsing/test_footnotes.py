"""Footnotes: only what something refers to, whole, tied to table or section."""

from typing import Any

import pytest

from outreach_platform.filings.model import Section, footnote_id, section_id, table_id
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.footnotes import extract_footnotes
from outreach_platform.filings.parsing.footnotes_markers import markers_of, references
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.plain import read_plain
from outreach_platform.filings.parsing.tables import extract_tables
from outreach_platform.filings.schema import COLUMNS

ACCESSION = "0000000001-24-000001"
LONG = "<p>The company makes and sells things, and has done so for many years in many places.</p>"


def notes(source: str | Document, sections: tuple[Section, ...] = ()) -> list[dict[str, Any]]:
    document = source if isinstance(source, Document) else read_html(f"<body>{source}</body>")
    tables = extract_tables(document, sections, ACCESSION)
    return extract_footnotes(document, sections, tables, ACCESSION)


def sales(label: str = "Net sales (1)", more: str = "", head: str = "2023") -> str:
    return (
        f"<table><tr><td></td><td>{head}</td><td>2022</td></tr>"
        f"<tr><td>{label}</td><td>$5</td><td>$6</td></tr>"
        f"<tr><td>Costs</td><td>3</td><td>4</td></tr>{more}</table>"
    )


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["footnote_type"], row["marker"], row["footnote_text"]) for row in found]


class TestBelowTables:
    def test_a_line_with_a_marker_of_the_table_is_one(self):
        found = notes(sales() + "<p>(1) Includes sales to affiliates.</p>" + LONG)
        assert told(found) == [("table", "(1)", "Includes sales to affiliates.")]
        assert list(found[0]) == [name for name in COLUMNS["footnotes"] if name != "created_at"]
        assert found[0]["table_id"] == table_id(ACCESSION, 0)
        assert found[0]["footnote_id"] == footnote_id(ACCESSION, table_id(ACCESSION, 0), "(1)", 0)

    def test_rows_without_their_places_give_the_same(self):
        document = read_html(f"<body>{sales()}<p>(1) Includes sales to affiliates.</p></body>")
        rows = extract_tables(document, (), ACCESSION)
        there = extract_footnotes(document, (), rows, ACCESSION)
        assert there
        assert extract_footnotes(document, (), list(rows), ACCESSION) == there

    def test_a_numbered_list_below_is_none(self):
        assert notes(sales("Net sales") + "<p>(1) Higher prices in all regions.</p>") == []

    def test_a_marker_that_the_table_does_not_hold_is_none(self):
        found = notes(sales() + "<p>(1) Includes affiliates.</p><p>(2) Higher prices.</p>")
        assert [row["marker"] for row in found] == ["(1)"]

    def test_what_follows_prose_is_none(self):
        assert notes(sales() + LONG + "<p>(1) Includes sales to affiliates.</p>") == []

    def test_asides_and_rules_are_passed_over(self):
        between = "<p>______</p><p>See accompanying notes to financial statements.</p>"
        found = notes(sales() + between + "<p>(1) Includes sales to affiliates.</p>")
        assert [row["marker"] for row in found] == ["(1)"]

    def test_layout_tables_of_footnotes_are_read(self):
        rows = "<table><tr><td>(1)</td><td>Includes sales to affiliates.</td></tr></table>"
        assert told(notes(sales() + rows)) == [("table", "(1)", "Includes sales to affiliates.")]

    def test_signs_and_letters_are_markers(self):
        table = sales("Net sales (a)", "<tr><td>Profit*</td><td>2</td><td>1†</td></tr>")
        below = "<p>(a) Of all regions.</p><p>* Before taxes.</p><p>† Restated figures.</p>"
        assert [row["marker"] for row in notes(table + below)] == ["(a)", "*", "†"]

    def test_raised_figures_are_markers_as_the_text_prints_them(self):
        table = sales("Net sales<sup>1</sup>")
        found = notes(table + "<p><sup>1</sup> Includes sales to affiliates.</p>")
        assert told(found) == [("table", "¹", "Includes sales to affiliates.")]

    def test_lists_that_number_their_entries_answer_to_raised_figures(self):
        found = notes(sales("Net sales<sup>1</sup>") + "<p>1.Includes sales to affiliates.</p>")
        assert told(found) == [("table", "¹", "Includes sales to affiliates.")]

    def test_bare_figures_are_none(self):
        assert notes(sales("Net sales 1") + "<p>1 Includes sales to affiliates.</p>") == []
        assert notes(sales("Net sales") + "<p>1. Includes sales to affiliates.</p>") == []

    def test_several_in_one_line_are_parted(self):
        table = sales("Net sales (a)", "<tr><td>Profit (b)</td><td>2</td><td>1</td></tr>")
        found = notes(table + "<p>(a) Of all regions. (b) Before taxes.</p>")
        assert [row["footnote_text"] for row in found] == ["Of all regions.", "Before taxes."]

    def test_a_marker_on_a_line_of_its_own_has_the_next_ones_text(self):
        found = notes(sales() + "<div>(1)</div><div>Includes sales to affiliates.</div>")
        assert told(found) == [("table", "(1)", "Includes sales to affiliates.")]

    def test_below_a_second_table_they_may_belong_to_the_first(self):
        below = "<p>(1) Includes affiliates.</p><p>(2) In thousands.</p>"
        found = notes(sales() + sales("Units (2)") + below)
        assert [row["table_id"] for row in found] == [
            table_id(ACCESSION, 0),
            table_id(ACCESSION, 1),
        ]

    def test_the_same_marker_twice_has_two_ids(self):
        below = "<p>(1) Includes affiliates.</p><p>(1) Excludes agents.</p>"
        found = notes(sales() + below)
        assert len({row["footnote_id"] for row in found}) == len(found) == 2


class TestInsideTables:
    def test_last_rows_are_inline_and_stay_in_the_grid(self):
        more = '<tr><td colspan="3">(1) Includes sales to affiliates.</td></tr>'
        found = notes(sales(more=more))
        assert told(found) == [("inline", "(1)", "Includes sales to affiliates.")]
        document = read_html(f"<body>{sales(more=more)}</body>")
        table = extract_tables(document, (), ACCESSION)[0]
        assert "Includes sales to affiliates." in table["table_data"]
        assert table["footnote_refs"] == '["(1)"]'

    def test_last_rows_without_a_reference_are_none(self):
        more = '<tr><td colspan="3">(1) Includes sales to affiliates.</td></tr>'
        assert notes(sales("Net sales", more)) == []

    def test_a_row_of_values_is_none(self):
        more = "<tr><td>(1) Other</td><td>7</td><td>8</td></tr>"
        assert notes(sales(more=more)) == []


class TestInText:
    SECTION = Section("item_1", "part_i", "", 0, 100_000, 1.0, "heading_scan")
    TEXT = "<p>Our brands* are known.</p>" + LONG + "<p>* Registered trademarks of the company.</p>"

    def test_a_sign_that_the_section_holds_before_is_one(self):
        found = notes(self.TEXT, (self.SECTION,))
        assert told(found) == [("section", "*", "Registered trademarks of the company.")]
        assert found[0]["section_id"] == section_id(ACCESSION, "part_i", "item_1")
        assert found[0]["table_id"] is None

    def test_outside_of_sections_it_is_the_documents(self):
        assert notes(self.TEXT)[0]["footnote_type"] == "document"

    def test_a_list_with_stars_is_none(self):
        assert notes("<p>We sell:</p><p>* Things for people</p><p>* Things for dogs</p>") == []

    def test_a_sign_behind_its_footnote_is_no_reference(self):
        assert notes("<p>* Registered trademarks of us.</p><p>Our brands* are known.</p>") == []

    def test_enumerations_and_laws_are_none(self):
        text = (
            "<p>We (1) sell and (2) buy under Rule 13a-15(1).</p><p>(1) Sell things to people.</p>"
        )
        assert notes(text) == []

    def test_signatures_are_none(self):
        text = "<p>/s/ Jane Doe*</p><p>* By: /s/ John Roe, Attorney-in-Fact</p>"
        assert notes(text) == []


class TestPlainText:
    def test_a_block_of_footnotes_is_read_over_its_lines(self):
        document = read_plain(
            "Some text.\n\n<TABLE>\n<CAPTION>\n                       1997      1996\n"
            "<S>                    <C>       <C>\nTotal capital{1}     11,186    10,669\n"
            "Dividends{2}             31.0      42.1\n<FN>\n{1} See the glossary on page 67.\n"
            "{2} In 1994, we adopted SFAS No. 115, for certain\n    investments in debt.\n</FN>\n"
            "</TABLE>\n\nMore text.\n"
        )
        assert told(notes(document)) == [
            ("inline", "{1}", "See the glossary on page 67."),
            ("inline", "{2}", "In 1994, we adopted SFAS No. 115, for certain investments in debt."),
        ]

    def test_lines_below_a_table_go_on_to_the_next_blank_line(self):
        document = read_plain(
            "Some text.\n\n<TABLE>\n                       1997      1996\n"
            "Total capital (1)    11,186    10,669\nDividends                31.0      42.1\n"
            "</TABLE>\n(1) Includes what was borrowed\n    from banks.\n\nOther text follows.\n"
        )
        assert told(notes(document)) == [("table", "(1)", "Includes what was borrowed from banks.")]


@pytest.mark.parametrize(
    ("text", "markers"),
    [
        ("Net sales (1)", ["(1)"]),
        ("Net sales(1)(2)", ["(1)", "(2)"]),
        ("Net sales (1), (2)", ["(1)", "(2)"]),
        ("1994{2,3}", ["{2}", "{3}"]),
        ("1,234 (a)", ["(a)"]),
        ("Profit*", ["*"]),
        ("2023¹", ["¹"]),
        ("401(k) plan", []),
        ("Rule 13a-15(e)", []),
        ("Exhibit 10(i)", []),
        ("(a) first, (b) second", []),
        ("Symbol(s)", []),
        ("net of tax of $(47), $35", []),
        ("* Filed herewith", []),
        ("Total 5", []),
    ],
)
def test_references(text, markers):
    assert references(text) == markers


def test_negative_numbers_are_no_markers():
    assert markers_of((), [["Loss", "(5)", "$(12)"], ["Net (1)", "7", "8 (2)"]]) == ("(1)", "(2)")
