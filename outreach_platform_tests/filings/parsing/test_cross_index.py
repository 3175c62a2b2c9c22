"""Filings that answer their items by an index of pages, and contents that are no such index."""

import pytest

from outreach_platform.filings.parsing.cross_index import find_index, index_sections
from outreach_platform.filings.parsing.cross_index_pages import ranges_in
from outreach_platform.filings.parsing.reader import read_document

ROWS = (
    ("1", "Business", "1-2, 4"),
    ("1A", "Risk Factors", "3"),
    ("1B", "Unresolved Staff Comments", "Not applicable"),
    ("2", "Properties", "2"),
    ("3", "Legal Proceedings", "4"),
    ("4", "Mine Safety Disclosures", "Not applicable"),
    ("5", "Market for Registrant's Common Equity", "5"),
    ("6", "[Reserved]", "Not applicable"),
    ("7", "Management's Discussion and Analysis", "2-4"),
    ("8", "Financial Statements and Supplementary Data", "4-5"),
    ("10", "Directors, Executive Officers and Corporate Governance", "5, (a)"),
    ("11", "Executive Compensation", "(a)"),
)
PAGE = '<hr style="page-break-after:always"/>'


def report(rows: list[str], heading: str, *, before: bool = False) -> str:
    said = "The mill grinds grain at night. " * 20
    pages = "".join(
        f"<p><b>{title}</b></p><p>{said}</p><p>Page {n}</p>{PAGE}"
        for n, title in enumerate(
            ("THE MILL", "OUR SITES", "RISK FACTORS", "CLAIMS AGAINST US", "SHARES"), start=1
        )
    )
    index = f"<p><b>{heading}</b></p><table>{''.join(rows)}</table>"
    index += "<p>(a) Incorporated by reference to our proxy statement.</p>"
    return f"<html><body>{index if before else ''}{pages}{'' if before else index}</body></html>"


def cells(*words: str) -> str:
    return f"<tr>{''.join(f'<td>{word}</td>' for word in words)}</tr>"


def index_rows(said: str = "Item ") -> list[str]:
    return [cells(f"{said}{number}.", title, pages) for number, title, pages in ROWS]


def test_each_row_is_its_items_section_and_its_pages_are_found() -> None:
    document = read_document(report(index_rows(), "FORM 10-K CROSS REFERENCE INDEX"))
    sections = {s.section_type: s for s in index_sections(document, "10-K", 2023)}
    assert list(sections) == [f"item_{number.lower()}" for number, _, _ in ROWS]
    business = sections["item_1"]
    assert document.text[business.start : business.end] == "Item 1. Business 1-2, 4"
    assert business.method == "cross_reference"
    assert [r["pages"] for r in business.cross_references] == ["1-2", "4"]
    first = business.cross_references[0]
    assert document.text[first["start"] :].startswith("THE MILL")
    behind = document.text[first["end"] :].lstrip().removeprefix("Page 2").lstrip()
    assert behind.startswith("RISK FACTORS")
    assert [r["heading"] for r in sections["item_1a"].cross_references] == ["RISK FACTORS"]
    # No heading of those pages is the item's: the place is told by its first one.
    assert sections["item_3"].cross_references[0]["heading"] == "CLAIMS AGAINST US"
    assert sections["item_1b"].cross_references == ()
    assert {"code": "incorporated_by_reference", "to": "proxy statement"} in sections[
        "item_11"
    ].issues


@pytest.mark.parametrize("said", ["Item ", "ITEM ", ""])
@pytest.mark.parametrize("before", [True, False])
def test_rows_without_the_word_and_an_index_in_front_are_found(said: str, before: bool) -> None:
    html = report(index_rows(said), "10-K Cross-Reference Index", before=before)
    assert len(index_sections(read_document(html), "10-K", 2023)) == len(ROWS)


def test_rows_beneath_an_item_belong_to_it() -> None:
    rows = index_rows()
    rows[0] = cells("Item 1.", "Business", "") + cells("", "Our mills", "Pages 1-2")
    document = read_document(report(rows, "FORM 10-K CROSS-REFERENCE INDEX"))
    section = index_sections(document, "10-K", 2023)[0]
    assert document.text[section.start : section.end].endswith("Our mills Pages 1-2")
    assert [r["pages"] for r in section.cross_references] == ["1-2"]


def test_a_table_of_contents_is_no_index() -> None:
    rows = [cells(f"Item {number}.", title, str(n)) for n, (number, title, _) in enumerate(ROWS, 1)]
    document = read_document(report(rows, "TABLE OF CONTENTS", before=True))
    assert index_sections(document, "10-K", 2023) == []
    # The same rows with ranges of pages answer the items, whatever they are called.
    ranged = [cells(f"Item {number}.", title, "1-2, 4") for number, title, _ in ROWS]
    assert find_index(read_document(report(ranged, "CONTENTS")), "10-K", 2023)[0]


def test_a_part_of_a_report_that_only_points_is_no_index() -> None:
    items = "".join(
        f"<p>Item {number}. {title}</p><p>Not applicable.</p>" for number, title, _ in ROWS
    )
    document = read_document(f"<html><body>{items * 2}</body></html>")
    assert index_sections(document, "10-K", 2023) == []


def test_a_quarterly_index_tells_the_parts_apart() -> None:
    rows = [
        cells("Part I - FINANCIAL INFORMATION"),
        cells("Item 1.", "Financial Statements", "4-5"),
        cells("Item 2.", "Management's Discussion and Analysis", "1-3"),
        cells("Item 4.", "Controls and Procedures", "3"),
        cells("Part II - OTHER INFORMATION"),
        cells("Item 1.", "Legal Proceedings", "4"),
        cells("Item 6.", "Exhibits", "5"),
    ]
    document = read_document(report(rows, "FORM 10-Q CROSS REFERENCE INDEX"))
    found = index_sections(document, "10-Q", 2023)
    assert [(s.section_part, s.section_type) for s in found] == [
        *(("part_i", "item_1"), ("part_i", "item_2"), ("part_i", "item_4")),
        *(("part_ii", "item_1"), ("part_ii", "item_6")),
    ]
    assert document.text[found[2].start : found[2].end] == "Item 4. Controls and Procedures 3"


def test_an_index_in_plain_text_runs_over_its_lines() -> None:
    rows = "\n".join(f"Item {n}.  {title} {'.' * 8} {pages}" for n, title, pages in ROWS[:8])
    text = (
        "  ANNUAL REPORT\n\nThe mill grinds grain.\n\n<PAGE>\n\n    CROSS REFERENCE SHEET\n\n"
        f"{rows}\nItem 7.  Management's Discussion and Analysis of Financial\n"
        "         Condition and Results of Operations ........ 2-4\nItem 8.  Financial Statements"
        " and Supplementary Data .. 4-5\n\n"
    )
    document = read_document(text)
    sections = {s.section_type: s for s in index_sections(document, "10-K", 1996)}
    assert document.text[: sections["item_7"].end].endswith("2-4")
    assert [r["pages"] for r in sections["item_7"].cross_references] == ["2-4"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("4-6, 7-13, 78", [("4", "6"), ("7", "13"), ("78", "78")]),
        ("Pages 4 to 6 and F-3", [("4", "6"), ("F-3", "F-3")]),
        ("82, (a)", [("82", "82")]),
        ("Not applicable", []),
        ("$12 in 2023", []),
        ("5%", []),
    ],
)
def test_ranges_of_pages(answer: str, expected: list[tuple[str, str]]) -> None:
    assert ranges_in(answer) == expected
