"""Tables as rows: what is data, where it belongs, what it is, what stands above it."""

import json
import pickle
from typing import Any

import pytest

from outreach_platform.filings.model import Section, section_id, table_id
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.plain import read_plain
from outreach_platform.filings.parsing.tables import extract_tables, find_tables
from outreach_platform.filings.schema import COLUMNS

ACCESSION = "0000000001-24-000001"
SALES = (
    "<table><tr><td></td><td>2023</td><td>2022</td></tr>"
    "<tr><td>Net sales</td><td>$5</td><td>$6</td></tr>"
    "<tr><td>Costs</td><td>3</td><td>4</td></tr></table>"
)
LONG = "<p>The company makes and sells things, and has done so for many years in many places.</p>"


def page(*parts: str) -> str:
    return f"<html><body>{LONG}{''.join(parts)}{LONG}</body></html>"


def tables(*parts: str, sections: tuple[Section, ...] = ()) -> list[dict[str, Any]]:
    return extract_tables(read_html(page(*parts)), sections, ACCESSION)


def table(*rows: tuple[str, ...]) -> str:
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


class TestRows:
    def test_have_the_columns_of_the_schema_and_json_texts(self):
        found = tables("<p><b>Net sales by year</b></p><p>(in millions)</p>", SALES)
        assert list(found[0]) == [name for name in COLUMNS["tables"] if name != "created_at"]
        assert json.loads(found[0]["table_data"]) == [
            ["Net sales", "$5", "$6"],
            ["Costs", "3", "4"],
        ]
        assert json.loads(found[0]["headers"]) == ["", "2023", "2022"]
        assert json.loads(found[0]["footnote_refs"]) == []
        assert (found[0]["row_count"], found[0]["column_count"]) == (2, 3)
        assert found[0]["table_caption"] == "Net sales by year (in millions)"
        assert found[0]["table_name"] == "Net sales by year"
        assert found[0]["id"] == table_id(ACCESSION, 0)

    def test_are_numbered_over_data_tables_in_the_order_of_the_text(self):
        bullet = table(("•", "We sell things to people who want them."))
        found = tables(SALES, bullet, SALES)
        assert [row["table_index"] for row in found] == [0, 1]
        assert len({row["id"] for row in found}) == 2

    def test_are_the_same_twice(self):
        assert tables(SALES, SALES) == tables(SALES, SALES)

    def test_travel_to_another_process_as_a_plain_list(self):
        found = tables(SALES)
        travelled = pickle.loads(pickle.dumps(found))
        assert type(travelled) is list
        assert travelled == found

    def test_a_nested_table_is_one_of_its_own_and_not_in_the_outer_one(self):
        outer = f"<table><tr><td>Some words around it</td><td>{SALES}</td></tr></table>"
        found = tables(outer)
        assert len(found) == 1
        assert json.loads(found[0]["table_data"])[0] == ["Net sales", "$5", "$6"]


class TestSections:
    def section(self, start: int, end: int, kind: str = "item_7", **more) -> Section:
        return Section(kind, "part_ii", "", start, end, 1.0, "heading_scan", **more)

    def test_a_table_belongs_to_the_section_that_holds_its_start(self):
        start = find_tables(read_html(page(SALES)))[0].source.start
        before = self.section(0, start, "item_6")
        holds = self.section(start, start + 5)
        found = tables(SALES, sections=(before, holds))
        assert found[0]["section_id"] == section_id(ACCESSION, "part_ii", "item_7")

    def test_outside_of_all_sections_it_belongs_to_none(self):
        assert tables(SALES, sections=(self.section(0, 10),))[0]["section_id"] is None

    def test_empty_and_combined_sections_hold_nothing(self):
        whole = {"start": 0, "end": 10_000}
        combined = self.section(**whole, kind="item_2", issues=({"code": "combined_with"},))
        empty = self.section(50, 50, "item_3")
        found = tables(SALES, sections=(combined, empty, self.section(**whole, kind="item_1")))
        assert found[0]["section_id"] == section_id(ACCESSION, "part_ii", "item_1")


LAYOUT = {
    "bullets": table(("•", "We sell things."), ("•", "We make them too.")),
    "points": table(("(1)", "Higher prices in all regions."), ("(2)", "More stores.")),
    "heading": table(("Item 1A.", "Risk Factors")),
    "contents": table(
        ("", "", "Page"),
        ("Item 1.", "Business", "2"),
        ("Item 1A.", "Risk Factors", "10"),
        ("Item 2.", "Properties", "17"),
    ),
    "contents on split rows": table(
        *(("Item 1.", ""), ("Financial Statements", "3"), ("Item 2.", ""), ("Discussion", "32")),
        *(("Item 3.", ""), ("Disclosures about risk", "49")),
    ),
    "index of statements": table(
        ("", "Page"),
        ("Report of Independent Accountants", "44"),
        ("Consolidated Statements of Income", "45"),
        ("Consolidated Balance Sheets", "46"),
    ),
    "signatures": table(
        ("By:", "/s/ JANE DOE", "March 1, 2024"), ("", "Jane Doe, Director", "Date: March 1, 2024")
    ),
    "cover": table(
        ("Oregon", "93-0584541"),
        ("(State or other jurisdiction of incorporation)", "(IRS Employer Identification No.)"),
    ),
    "boxes": table(
        ("Large accelerated filer", "☒", "Accelerated filer", "☐"),
        ("Non-accelerated filer", "☐", "Smaller reporting company", "☐"),
    ),
    "running foot": table(("Acme Inc. 2024 Form 10-K", "21")),
    "prose": table(("Words in one column alone.",), ("And 5 more words.",)),
    "empty": table(("", ""), ("", "")),
}

DATA = {
    "one column of numbers": table(("Stores", "87"), ("Outlets", "14")),
    "one row under headers": table(("", "2023", "2022"), ("Revenue", "$5", "$6")),
    "negative numbers": table(("", "2023"), ("Loss", "(112)"), ("Other loss", "(1,233)")),
    "words under headers": table(
        ("<b>Title of each class</b>", "<b>Exchange</b>"), ("Common Stock", "New York")
    ),
    "exhibits": table(("10.1", "Lease of the building."), ("10.2", "Loan to the company.")),
    "years and values": table(("2024", "$5"), ("2025", "6"), ("Thereafter", "7")),
}


@pytest.mark.parametrize("name", LAYOUT)
def test_layout_is_left_out(name):
    assert tables(LAYOUT[name]) == []


@pytest.mark.parametrize("name", DATA)
def test_data_stays(name):
    assert len(tables(DATA[name])) == 1


class TestCaptions:
    def test_the_nearest_heading_counts_not_the_item(self):
        found = tables("<p><b>Item 7. Discussion</b></p><p><b>Sales by region</b></p>", SALES)
        assert found[0]["table_caption"] == "Sales by region"

    def test_the_item_heading_counts_where_nothing_is_nearer(self):
        found = tables("<p><b>Item 6. Selected Financial Data</b></p>", SALES)
        assert found[0]["table_caption"] == "Item 6. Selected Financial Data"

    def test_company_and_period_are_passed_over(self):
        above = (
            "<center><p><b>CONSOLIDATED STATEMENTS OF INCOME</b></p><p><b>ACME CORPORATION AND "
            "SUBSIDIARIES</b></p><p><b>Years ended December 31, 2023 and 2022</b></p></center>"
        )
        assert tables(above, SALES)[0]["table_name"] == "CONSOLIDATED STATEMENTS OF INCOME"

    def test_prose_is_none_but_a_sentence_that_leads_in_is_one_of_need(self):
        lead = "<p>The following table shows net sales (in thousands):</p>"
        found = tables(lead, SALES)[0]
        assert found["table_caption"] == "The following table shows net sales (in thousands):"
        assert found["table_name"] is None
        assert tables(SALES)[0]["table_caption"] is None

    def test_the_header_over_the_labels_names_a_table_without_a_heading(self):
        rows = (("Working Capital Metrics", "2023"), ("Days of sales", "45"), ("Days of debt", "9"))
        assert tables(table(*rows))[0]["table_name"] == "Working Capital Metrics"
        assert tables(table(("Years ended", "2023"), *rows[1:]))[0]["table_name"] is None

    def test_nothing_is_taken_from_above_another_table(self):
        found = tables("<p><b>Sales</b></p>", SALES, SALES)
        assert [row["table_caption"] for row in found] == ["Sales", None]


PLAIN_SHEET = """
The text before.

                   ACME WIDGETS, INC. AND SUBSIDIARIES
                       CONSOLIDATED BALANCE SHEETS

<TABLE>
<CAPTION>
                                                  December 31,
                                             ---------------------
                                               1996         1995
                                             --------     --------
<S>                                          <C>          <C>
                     ASSETS
Current assets:
  Cash and cash equivalents                  $  1,234     $  2,345
  Accounts receivable, less allowance for
    doubtful accounts of $120 and $115          5,678        4,567
  Inventories (Note 3)                          3,210        3,000
                                             --------     --------
      Total current assets                     10,122        9,912
Total assets                                 $ 18,122     $ 17,412
                                             ========     ========
     LIABILITIES AND STOCKHOLDERS' EQUITY
Accounts payable                             $  2,000     $  1,900
Long-term debt                                  5,000        5,500
Retained earnings                               9,953        8,953
Total liabilities and stockholders' equity   $ 18,122     $ 17,412
                                             ========     ========
</TABLE>

The text behind.
"""


def test_a_balance_sheet_of_the_1990s_in_plain_text():
    found = extract_tables(read_plain(PLAIN_SHEET), (), ACCESSION)
    assert len(found) == 1
    row = found[0]
    assert (row["table_category"], row["is_financial_statement"]) == ("balance_sheet", True)
    assert row["table_name"] == "CONSOLIDATED BALANCE SHEETS"
    assert json.loads(row["headers"]) == ["", "December 31, 1996", "December 31, 1995"]
    body = json.loads(row["table_data"])
    assert body[0] == ["ASSETS", "", ""]
    assert body[2] == ["Cash and cash equivalents", "$1,234", "$2,345"]
    label = "Accounts receivable, less allowance for doubtful accounts of $120 and $115"
    assert body[3] == [label, "5,678", "4,567"]
