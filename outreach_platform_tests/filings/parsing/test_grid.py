"""Tables of HTML as grids: spans, pieces of numbers, headers over several rows, nothing lost."""

import re
from collections import Counter

import lxml.html
import pytest

from outreach_platform.filings.parsing.document import Document, TableSource
from outreach_platform.filings.parsing.grid import Grid, read_grid
from outreach_platform.filings.parsing.grid_numbers import is_dash, is_value

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def grid(rows: str) -> Grid:
    found = read_grid(Document("", [], [], "html"), TableSource(0, 1, element(rows)))
    assert found is not None
    return found


def element(rows: str):
    return lxml.html.fragment_fromstring(f"<table>{rows}</table>")


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def numbers(texts) -> Counter[str]:
    return Counter(_NUMBER.findall(" ".join(texts)))


class TestPieces:
    @pytest.mark.parametrize(
        ("cells", "joined"),
        [
            (("$", "1,234", ""), "$1,234"),
            (("", "(5", ")"), "(5)"),
            (("$", "(5", ")"), "$(5)"),
            (("", "12.3", "%"), "12.3%"),
            (("", "(1.5", ")%"), "(1.5)%"),
            (("(", "5", ")"), "(5)"),
            (("", "—", "%"), "—%"),
            (("$", "—", ""), "$—"),
            (("", "(50", ") bps"), "(50) bps"),
        ],
    )
    def test_of_a_number_become_one_cell(self, cells, joined):
        found = grid(row("", "", "2023", "") + row("Sales", *cells) + row("Costs", "", "7", ""))
        assert found.body[0] == ["Sales", joined]
        assert found.headers == ["", "2023"]

    def test_of_another_column_stay_there(self):
        found = grid(row("", "$", "%") + row("Sales", "5", "7") + row("Costs", "6", "8"))
        assert found.headers == ["", "$", "%"]
        assert found.body[0] == ["Sales", "5", "7"]

    def test_a_dash_is_not_drawn_to_the_number_behind_it(self):
        found = grid(row("Sales", "—", "7") + row("Costs", "3", "8"))
        assert found.body[0] == ["Sales", "—", "7"]

    def test_markers_in_a_column_of_their_own_go_to_their_number(self):
        found = grid(
            row("", "2023", "", "2022")
            + row("Sales", "5", "(1)", "6")
            + row("Costs", "3", "(2)", "4")
        )
        assert found.headers == ["", "2023", "2022"]
        assert found.body == [["Sales", "5 (1)", "6"], ["Costs", "3 (2)", "4"]]

    def test_bracketed_numbers_in_a_column_of_values_stay_values(self):
        found = grid(row("", "2023", "2022") + row("Loss", "4", "(1)") + row("Gain", "5", "(2)"))
        assert found.body == [["Loss", "4", "(1)"], ["Gain", "5", "(2)"]]

    def test_a_raised_figure_does_not_melt_into_its_number(self):
        found = grid(
            row("", "2023<sup>1</sup>") + row("Area in m<sup>2</sup>", "1,234<sup>2</sup>")
        )
        assert found.headers[1] == "2023¹"
        assert found.body[0] == ["Area in m2", "1,234²"]
        assert found.superscripts == {"1", "2"}


class TestSpans:
    def test_a_header_over_columns_is_part_of_each(self):
        found = grid(
            '<tr><td></td><td colspan="2">Year ended December 31,</td></tr>'
            + row("(in millions)", "2023", "2022")
            + row("Sales", "5", "6")
        )
        assert found.headers == [
            "",
            "Year ended December 31, 2023",
            "Year ended December 31, 2022",
        ]
        assert found.units == "(in millions)"

    def test_columns_of_three_source_columns_are_one(self):
        found = grid(
            '<tr><td colspan="3"></td><td colspan="3">2023</td><td colspan="3">2022</td></tr>'
            '<tr><td colspan="3">Sales</td><td>$</td><td>5</td><td></td><td>$</td><td>6</td>'
            "<td></td></tr>"
            '<tr><td colspan="3">Loss</td><td colspan="2">(7</td><td>)</td><td colspan="2">8</td>'
            "<td></td></tr>"
        )
        assert found.headers == ["", "2023", "2022"]
        assert found.body == [["Sales", "$5", "$6"], ["Loss", "(7)", "8"]]

    def test_a_cell_over_rows_moves_those_below_to_the_right(self):
        found = grid(
            '<tr><td rowspan="2">Bank</td><td>Long</td><td>5</td></tr>'
            + row("Short", "6")
            + row("Fund", "Long", "7")
        )
        assert found.body == [["Bank", "Long", "5"], ["", "Short", "6"], ["Fund", "Long", "7"]]

    def test_a_section_row_stays_in_the_body(self):
        found = grid(
            row("", "2023", "2022")
            + '<tr><td colspan="3">Assets:</td></tr>'
            + row("Cash", "5", "6")
            + row("Total", "5", "6")
        )
        assert found.body[0] == ["Assets:", "", ""]

    def test_a_title_over_all_columns_is_no_header(self):
        found = grid(
            '<tr><td colspan="3">Net sales by region</td></tr>'
            + row("", "2023", "2022")
            + row("Europe", "5", "6")
        )
        assert found.titles == ["Net sales by region"]
        assert found.headers == ["", "2023", "2022"]

    def test_nested_tables_are_left_out_once(self):
        found = grid(row("a", "1", "<table><tr><td>99</td></tr></table>") + row("b", "2", "3"))
        assert "99" not in str(found.body)
        assert found.body[1] == ["b", "2", "3"]

    def test_hidden_text_is_left_out(self):
        found = grid(row("a", '<span style="display:none">99</span>1') + row("b", "2"))
        assert found.body[0] == ["a", "1"]


class TestHeaders:
    def test_end_before_years_beside_a_label_once_columns_are_named(self):
        found = grid(
            row("", "U.S.", "Japan") + row("Drug A", "2036", "2035") + row("Drug B", "2031", "2030")
        )
        assert found.headers == ["", "U.S.", "Japan"]
        assert found.body[0] == ["Drug A", "2036", "2035"]

    def test_go_on_with_years_where_columns_share_a_name(self):
        found = grid(
            '<tr><td></td><td colspan="2">Three months</td><td colspan="2">Six months</td></tr>'
            + row("EARNINGS", "2023", "2022", "2023", "2022")
            + row("Sales", "5", "6", "7", "8")
        )
        assert found.headers[0] == "EARNINGS"
        assert found.headers[3] == "Six months 2023"
        assert len(found.body) == 1

    def test_ranges_are_values(self):
        found = grid(
            row("Year ended", "2023", "2022")
            + row("Volatility", "22.7-22.9%", "22.4% - 23.0%")
            + row("Yield", "2.2%", "2.3%")
        )
        assert found.headers == ["Year ended", "2023", "2022"]
        assert found.body[0][1] == "22.7-22.9%"

    def test_years_among_words_name_columns(self):
        found = grid(
            row("Rating", "Current", "2022", "2021", "Total")
            + row("BB", "$47", "$33", "209", "289")
            + row("B", "", "7", "8", "15")
        )
        assert found.headers == ["Rating", "Current", "2022", "2021", "Total"]

    def test_years_beside_a_period_name_columns(self):
        found = grid(row("Years ended May 31,", "2006", "2005") + row("Sales", "5", "6"))
        assert found.headers == ["Years ended May 31,", "2006", "2005"]

    def test_words_over_numbers_name_columns(self):
        found = grid(row("Stores", "Number") + row("Factory", "87") + row("Outlet", "14"))
        assert found.headers == ["Stores", "Number"]

    def test_a_table_that_begins_with_values_has_none(self):
        found = grid(row("Sales", "5", "6") + row("Costs", "3", "4"))
        assert found.headers == ["", "", ""]
        assert len(found.body) == 2

    def test_units_with_a_number_stay_among_the_headers(self):
        found = grid(
            row("", "(in millions, except $0.01 par)") + row("", "2023") + row("Cash", "5")
        )
        assert "0.01" in " ".join(found.headers)
        assert "in millions" in found.units


class TestBadInput:
    def test_spans_beyond_measure_cost_nothing(self):
        found = grid(
            '<tr><td colspan="1000000000">Title</td></tr>'
            '<tr><td rowspan="99999999">Label</td><td>5</td><td colspan="-3">6</td></tr>'
            '<tr><td colspan="x">7</td><td>8</td></tr>'
        )
        assert found.width <= 4
        assert numbers(text for one in found.body for text in one) == Counter("5678")

    def test_a_table_without_text_has_no_grid(self):
        for rows in ("", row("", " "), "<caption>x</caption>"):
            source = TableSource(0, 1, element(rows))
            assert read_grid(Document("", [], [], "html"), source) is None

    def test_cells_outside_of_rows_and_rows_inside_rows_are_read(self):
        table = element("")
        loose = lxml.html.fragment_fromstring("<td>4</td>", create_parent=False)
        table.append(loose)
        outer = lxml.html.Element("tr")
        inner = lxml.html.Element("tr")
        for parent, text in ((outer, "5"), (inner, "6")):
            cell = lxml.html.Element("td")
            cell.text = text
            parent.append(cell)
        outer.append(inner)
        table.append(outer)
        found = read_grid(Document("", [], [], "html"), TableSource(0, 1, table))
        assert found is not None
        assert numbers([*found.headers, *(t for one in found.body for t in one)]) == Counter("456")

    def test_many_rows_and_many_cells_are_all_kept(self):
        rows = "".join(row(f"Label {n}", str(n), str(n * 2)) for n in range(1500))
        assert len(grid(row("", "A", "B") + rows).body) == 1500
        wide = grid(row("x", *(str(n) for n in range(600))) + row("y", *("7" for _ in range(600))))
        assert wide.width == 601


@pytest.mark.parametrize("text", ["5", "$1,234.5", "(5)", "$(5)", "12%", ".5", "1,234 (1)", "3.2x"])
def test_numbers_are_values(text):
    assert is_value(text)


@pytest.mark.parametrize("text", ["Note 5", "5 years", "Rule 144", "", "$", "A5", "(a)", "—"])
def test_words_are_no_values(text):
    assert not is_value(text)


def test_dashes_say_that_there_is_no_number():
    assert (
        is_dash("—") and is_dash("$—") and is_dash("N/A") and not is_dash("5") and not is_dash("")
    )
