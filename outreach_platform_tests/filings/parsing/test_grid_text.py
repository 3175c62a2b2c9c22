"""Tables of plain text as grids: columns by alignment, leader dots, rules, wrapped labels."""

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.filings.parsing.document import TableSource
from outreach_platform.filings.parsing.grid import Grid, read_grid
from outreach_platform.filings.parsing.plain import read_plain

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")

SCHEDULE = """
Before the table.

<TABLE>
<CAPTION>
                                       Additions
                                  -------------------
                      Balance at   Charged to  Charged
                     Beginning of  Costs and   to Other   Balance
Description            Period      Expenses    Accounts   at End
- -----------        ------------  ----------  --------   -------
<S>                      <C>          <C>         <C>        <C>
RESERVES DEDUCTED:
  Allowance for losses on:
    Trade accounts
      receivable......   $  30        $  4        $ -        $ 23
    Other assets......     339          41          -         301
    Deferred tax......      18           3         (2)         19
                          ----         ---        ---        ----
                         $ 387        $ 48        $(2)      $ 343
                          ====         ===        ===        ====
</TABLE>

Behind it.
"""


def grid(text: str) -> Grid:
    document = read_plain(text)
    found = read_grid(document, document.tables[0])
    assert found is not None
    return found


class TestSchedule:
    def test_columns_are_found_by_their_right_edges(self):
        found = grid(SCHEDULE)
        assert found.width == 5
        assert found.body[-1] == ["", "$387", "$48", "$(2)", "$343"]
        assert ["Other assets", "339", "41", "-", "301"] in found.body

    def test_a_label_over_two_lines_is_one(self):
        assert ["Trade accounts receivable", "$30", "$4", "$-", "$23"] in grid(SCHEDULE).body

    def test_headers_reach_as_far_as_the_rule_below_them(self):
        headers = grid(SCHEDULE).headers
        assert headers[0] == "Description"
        assert headers[1] == "Balance at Beginning of Period"
        assert headers[2] == "Additions Charged to Costs and Expenses"
        assert headers[3] == "Additions Charged to Other Accounts"
        assert headers[4] == "Balance at End"

    def test_rules_are_no_rows(self):
        assert not any("--" in text or "==" in text for row in grid(SCHEDULE).body for text in row)

    def test_section_rows_stay(self):
        assert grid(SCHEDULE).body[0] == ["RESERVES DEDUCTED:", "", "", "", ""]


def test_a_label_that_touches_its_number_is_parted_from_it():
    found = grid(
        "Text.\n\n<TABLE>\n"
        "                                1997     1996\n"
        "Net operating revenues        18,868   18,673\n"
        "Cost of goods sold and others 16,015   16,738\n"
        "</TABLE>\n"
    )
    assert found.headers == ["", "1997", "1996"]
    assert found.body[1] == ["Cost of goods sold and others", "16,015", "16,738"]


def test_two_sentences_are_not_two_columns():
    found = grid(
        "Text.\n\n<TABLE>\n"
        "Sales                            5      6\n"
        "Costs                            3      4\n"
        "The company is liable for the debts of others.  It pays none of them.\n"
        "</TABLE>\n"
    )
    assert found.body[-1][0].endswith("of others. It pays none of them.")


def test_the_name_of_a_statement_beside_the_company_is_its_title():
    found = grid(
        "Text.\n\n<TABLE>\n"
        "CONSOLIDATED BALANCE SHEETS          ACME AND SUBSIDIARIES\n"
        "December 31,                             1997       1996\n"
        "Cash                                        5          6\n"
        "Receivables                                 7          8\n"
        "</TABLE>\n"
    )
    assert found.titles == ["CONSOLIDATED BALANCE SHEETS ACME AND SUBSIDIARIES"]
    assert found.headers == ["December 31,", "1997", "1996"]


def test_a_header_without_a_rule_reaches_over_what_it_is_centred_on():
    found = grid(
        "Text.\n\n<TABLE>\n"
        "                        Three Months        Nine Months\n"
        "                       1996     1995       1996     1995\n"
        "Net sales...........  5,123    4,002      8,777    6,100\n"
        "Net income..........    123       77        777      100\n"
        "</TABLE>\n"
    )
    assert found.headers[1:] == [
        "Three Months 1996",
        "Three Months 1995",
        "Nine Months 1996",
        "Nine Months 1995",
    ]


def test_a_centred_group_of_rows_makes_no_column():
    found = grid(
        "Text.\n\n<TABLE>\n"
        "                                    1996       1995\n"
        "                     ASSETS\n"
        "Cash                                   5          6\n"
        "Goods                                  7          8\n"
        "</TABLE>\n"
    )
    assert found.body[0] == ["ASSETS", "", ""]


_AMOUNT = st.one_of(
    st.integers(0, 9_999_999).map(lambda n: f"{n:,}"),
    st.integers(1, 9_999).map(lambda n: f"({n:,})"),
    st.just("-"),
)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(_AMOUNT, min_size=width, max_size=width), min_size=2, max_size=8
        )
    )
)
def test_right_aligned_columns_keep_every_number(rows):
    lines = [
        f"Line item {chr(97 + n)}".ljust(24, ".") + "".join(f"{text:>14}" for text in row)
        for n, row in enumerate(rows)
    ]
    found = grid("Text.\n\n<TABLE>\n" + "\n".join(lines) + "\n</TABLE>\n")
    texts = [*found.headers, *(text for row in found.body for text in row)]
    assert Counter(_NUMBER.findall(" ".join(texts))) == Counter(
        _NUMBER.findall(" ".join(text for row in rows for text in row))
    )
    if any(char.isdigit() for row in rows for text in row for char in text):
        assert found.width <= 1 + len(rows[0])


def test_an_empty_place_has_no_grid():
    document = read_plain("Text.\n\n<TABLE>\n  5   6\n</TABLE>\n")
    assert read_grid(document, TableSource(0, 0)) is None
