"""Tables of contents: where they are, and what they are not."""

from outreach_platform.filings.parsing.contents import Contents, find_contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.headings import find_headings
from outreach_platform_tests.filings.parsing.reports import (
    QUARTER,
    YEAR_1997,
    YEAR_2024,
    bold,
    contents,
    page,
    plain,
)


def found_in(document: Document) -> Contents:
    return find_contents(document, find_headings(document))


def test_a_table_with_page_numbers_is_the_contents() -> None:
    document = page(bold, contents=contents(YEAR_2024))
    (region,) = found_in(document).regions
    assert document.line_text(document.lines[region.first]).startswith("PART I")
    assert document.line_text(document.lines[region.last]).startswith("Item 16")
    assert not region.is_index


def test_rows_tell_what_they_link_to() -> None:
    places = {row: place for place, row in enumerate(YEAR_2024)}

    def head(number: str, title: str) -> str:
        return f'<a name="at{places[number, title]}"></a>{bold(number, title)}'

    found = found_in(page(head, contents=contents(YEAR_2024, links=True)))
    items = [row for row in found.rows if row.kind == "item"]
    assert len(items) == sum(number[0].isdigit() for number, _ in YEAR_2024)
    assert all(found.targets[row.first] > found.regions[0].last for row in items)


def test_the_first_heading_behind_the_contents_is_not_theirs() -> None:
    document = page(bold, QUARTER, contents=contents(QUARTER))
    found = found_in(document)
    behind = [heading for heading in find_headings(document) if not found.holds(heading.first)]
    assert behind[0].kind == "part"
    assert behind[1].numbers == ("1",)


def test_dots_lead_to_pages_in_plain_text() -> None:
    rows = [row for row in YEAR_1997 if row[0].isdigit()]
    listed = "\n".join(f"Item {n}.  {t[:40]} {'.' * 9} {p}" for p, (n, t) in enumerate(rows, 2))
    document = plain(lambda n, t: f"Item {n}. {t}", contents=listed)
    (region,) = found_in(document).regions
    assert region.last - region.first == len(rows) - 1


def test_short_items_one_after_another_are_no_contents() -> None:
    bodies = {number: "<p>None.</p>" for number, _ in YEAR_2024}
    assert found_in(page(bold, bodies=bodies)).regions == []


def test_an_index_refers_to_ranges_of_pages() -> None:
    rows = "".join(
        f"<tr><td>Item {n}.</td><td>{t}</td><td>{p}-{p + 4}, {p + 9}</td></tr>"
        for p, (n, t) in enumerate(YEAR_2024, 3)
        if n[0].isdigit()
    )
    (region,) = found_in(page(bold, contents=f"<table>{rows}</table>")).regions
    assert region.is_index
