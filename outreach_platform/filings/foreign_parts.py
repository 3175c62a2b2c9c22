"""The part of a section that names none: by its item, and in a 10-Q by its title and order."""

import re

import duckdb

from outreach_platform.filings.model import accession_year
from outreach_platform.filings.parsing.items import Item, catalogue, is_quarterly

_APOSTROPHE = "\u2019"
_WORDS = re.compile(r"[^a-z0-9']+")
# The heading stands in the first line or two.
_OPENING = 300
_Row = tuple[int, str, str, str, str | None, str, str]


def fill_parts(connection: duckdb.DuckDBPyConnection) -> int:
    """Give each section of the current database without a part the one its item stands in.

    A 10-Q has Items 1 to 4 in both parts. The title tells which, else the opening words, else the
    order: the first is of Part I, one more with another text of Part II.

    Returns:
        How many got one.
    """
    rows = connection.execute(
        f"""SELECT s.rowid, s.accession_number, f.form_type, s.section_type,
            s.section_title, coalesce(s.content_text[1:{_OPENING}], ''),
            coalesce(s.content_hash, '')
        FROM sections s JOIN (SELECT accession_number, any_value(form_type) AS form_type
            FROM filings GROUP BY 1) f USING (accession_number)
        WHERE s.section_part IS NULL AND s.section_type IS NOT NULL ORDER BY s.rowid"""
    ).fetchall()
    taken: set[tuple[str, str, str]] = set()
    # Twins have one text, and are of one part.
    told: dict[tuple[str, str, str], str] = {}
    found: list[tuple[int, str]] = []
    for row in rows:
        text = (row[1], row[3], row[6])
        part = told.setdefault(text, told.get(text) or _part_of(row, taken))
        taken.add((row[1], part, row[3]))
        found.append((row[0], part))
    _write(connection, found)
    return len(found)


def _part_of(row: _Row, taken: set[tuple[str, str, str]]) -> str:
    _, accession, form, section_type, title, opening, _ = row
    items = [
        item
        for item in catalogue(form, accession_year(accession))
        if item.section_type == section_type
    ] or [Item(section_type, _by_number(section_type, form), ())]
    for words in (title, opening):
        named = [item for item in items if words and _names(item, words)]
        if len(named) == 1:
            return named[0].section_part
    free = [item for item in items if (accession, item.section_part, section_type) not in taken]
    return (free or items)[0].section_part


def _names(item: Item, text: str) -> bool:
    words = f" {_WORDS.sub(' ', text.casefold().replace(_APOSTROPHE, chr(39))).strip()} "
    return any(f" {wording} " in words for wording in item.wordings)


def _by_number(section_type: str, form: str) -> str:
    """Of an item that this form did not have in this year."""
    number = int(re.sub(r"\D", "", section_type) or 1)
    if is_quarterly(form):
        return "part_ii"
    return next(
        part
        for last, part in ((4, "part_i"), (9, "part_ii"), (14, "part_iii"), (99, "part_iv"))
        if number <= last
    )


def _write(connection: duckdb.DuckDBPyConnection, found: list[tuple[int, str]]) -> None:
    if not found:
        return
    import pyarrow as pa

    places, parts = zip(*found, strict=True)
    connection.register("found_parts", pa.table({"place": places, "part": parts}))
    connection.execute(
        "UPDATE sections SET section_part = p.part FROM found_parts p "
        "WHERE sections.rowid = p.place"
    )
    connection.unregister("found_parts")
