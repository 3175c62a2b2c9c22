"""What a table is, by the labels of its rows."""

import pytest

from outreach_platform.filings.parsing.classify import TableKind, classify, settle
from outreach_platform.filings.parsing.grid import Grid

SHEET = (
    *("Assets", "Cash and cash equivalents", "Receivables", "Inventories", "Total current assets"),
    *("Property and equipment", "Total assets", "Liabilities", "Accounts payable"),
    *("Total current liabilities", "Long-term debt", "Total liabilities", "Retained earnings"),
    *("Total stockholders' equity", "Total liabilities and stockholders' equity"),
)
INCOME = (
    *("Net sales", "Cost of sales", "Gross margin", "Selling, general and administrative"),
    *("Operating income", "Interest expense", "Income before income taxes"),
    *("Provision for income taxes", "Net income", "Earnings per share:", "Basic", "Diluted"),
)
FLOW = (
    *("Net income", "Depreciation and amortization", "Deferred income taxes", "Receivables"),
    *("Inventories", "Net cash provided by operating activities", "Purchases of equipment"),
    *("Acquisitions, net", "Net cash used in investing activities", "Proceeds from debt"),
    *("Dividends paid", "Net cash used in financing activities", "Cash at end of year"),
)


def grid(labels, value: str = "$1,234") -> Grid:
    return Grid(["", "2023", "2022"], [[label, value, "5"] for label in labels])


@pytest.mark.parametrize(
    ("labels", "category"),
    [(SHEET, "balance_sheet"), (INCOME, "income_statement"), (FLOW, "cash_flow")],
)
class TestStatements:
    def test_are_known_by_their_labels_without_a_caption(self, labels, category):
        assert classify(grid(labels), "") == TableKind("financial", category, is_statement=True)

    @pytest.mark.parametrize(
        "title", ["Condensed Financial Information of Registrant", "Selected data", "Parent only"]
    )
    def test_of_a_parent_or_selected_are_none(self, labels, category, title):
        found = classify(grid(labels), title)
        assert (found.category, found.is_statement) == (category, False)


@pytest.mark.parametrize(
    "labels",
    [
        ("Net income", "Other items", "Adjusted net income", "Tax", "Shares"),
        ("Total assets", "Total liabilities", "Net income", "Revenues"),
        ("Operating activities", "Investing activities", "Financing activities"),
        INCOME[:4],
    ],
)
def test_a_table_that_only_mentions_the_words_is_no_statement(labels):
    found = classify(grid(labels), "Consolidated results of operations")
    assert (found.category, found.is_statement) == (None, False)


def test_shares_of_revenue_are_no_statement():
    labels = Grid(["", "2023"], [[label, "12%"] for label in INCOME])
    assert classify(labels, "Statements of income").category is None


def test_half_a_balance_sheet_is_one_where_it_is_named():
    half = grid(("Cash", "Receivables", "Inventories", "Property", "Other", "Goodwill"))
    assert classify(half, "Consolidated Balance Sheets").category == "balance_sheet"
    assert classify(half, "").category is None


def test_comprehensive_income_and_equity_are_statements_without_category():
    comprehensive = grid(("Net income", "Translation", "Other", "Total comprehensive income"))
    found = classify(comprehensive, "Consolidated Statements of Comprehensive Income")
    assert found == TableKind("financial", None, is_statement=True)
    equity = Grid(
        ["", "Common stock", "Paid-in capital", "Retained earnings", "Total"],
        [
            [label, "1", "2", "3", "4"]
            for label in ("Balance at May 31", "Net income", "Balance at June 1", "x")
        ],
    )
    assert classify(equity, "Consolidated Statements of Equity").is_statement


def test_a_summary_beside_the_named_statement_is_none():
    named = TableKind("financial", "income_statement", is_statement=True, is_titled=True)
    summary = TableKind("financial", "income_statement", is_statement=True)
    other = TableKind("financial", "cash_flow", is_statement=True)
    assert [kind.is_statement for kind in settle([summary, named, other])] == [False, True, True]
    assert settle([summary])[0].is_statement


@pytest.mark.parametrize(
    ("found", "caption", "kind"),
    [
        (Grid(["", "2023"], [["Rent", "$5"], ["Lease", "$6"]]), "", "financial"),
        (Grid(["", "Employees"], [["Europe", "50"], ["Asia", "61"]]), "", "other"),
        (Grid(["Name", "Role"], [["Jane Doe", "Director"], ["John", "Clerk"]]), "", "narrative"),
        (Grid(["", ""], [["3.1", "x" * 80], ["3.2", "y" * 90]]), "", "schedule"),
        (Grid(["", "2023"], [["Doubtful", "5"]]), "Schedule II", "schedule"),
    ],
)
def test_types(found, caption, kind):
    assert classify(found, caption).table_type == kind
