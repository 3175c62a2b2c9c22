"""Tables that plain text lays out with spaces: found by their numbers, prose left alone."""

from outreach_platform.filings.parsing.plain import read_plain

PROSE = "The mill grinds grain for the bakers of the region and sells what is left.\n"


def tables_of(text: str) -> list[str]:
    document = read_plain(text)
    return [document.text[table.start : table.end] for table in document.tables]


def test_rows_of_numbers_are_a_table_with_the_heads_of_their_columns() -> None:
    table = (
        "                            Gross     Estimated\n"
        "December 31,                 Cost    Fair Value\n"
        "- -----------------------------------------------\n"
        "1997\n"
        "Available-for-sale\n"
        "    Equity securities    $   293       $  383\n"
        "    Mortgage\n"
        "      obligations            132            -\n"
        "\n"
        "                         $   425       $  383\n"
    )
    (found,) = tables_of(f"{PROSE}{PROSE}securities (in millions):\n\n{table}\n{PROSE}")
    assert found.startswith("                            Gross     Estimated\nDecember 31,")
    assert found.endswith("$   425       $  383")


def test_leader_dots_part_cells() -> None:
    (found,) = tables_of(
        "Sales..............  $ 5   $ 6\n"
        "Costs . . . . . . .    4     3\n"
        "Profit............  $ 1   $ 3\n"
    )
    assert len(found.split("\n")) == 3


def test_prose_between_rows_parts_tables() -> None:
    rows = "Sales        5      6\nCosts        4      3\nProfit       1      3\n"
    assert len(tables_of(rows + PROSE + rows)) == 2


def test_contents_headings_and_prose_are_no_tables() -> None:
    contents = "".join(f"ITEM {n}.   PROPERTIES ........  {n}    {n + 1}\n" for n in range(1, 9))
    lists = "(1)  The mill    grinds\n(2)  The bakery    bakes\n(3)  The shop   sells\n"
    justified = "The  mill  grinds  5  tons  of  grain  for the  bakers of  the region  in  1997\n"
    assert tables_of(contents + "\n" + lists + PROSE + justified * 5) == []


def test_two_rows_are_no_table() -> None:
    assert tables_of(f"Sales        5      6\nCosts        4      3\n{PROSE}") == []


def test_tables_with_and_without_tags_are_numbered_in_order() -> None:
    rows = "Sales        5      6\nCosts        4      3\nProfit       1      3\n"
    document = read_plain(f"{rows}\n<TABLE>\nTagged   1\n</TABLE>\n{PROSE}{rows}")
    assert [table.start for table in document.tables] == sorted(t.start for t in document.tables)
    assert document.text[document.tables[1].start :].startswith("Tagged")
    assert {line.table for line in document.lines} == {0, 1, -1, 2}
