"""Which section a table is from, told by its rows standing in the section's text."""

import json
import re
from collections import defaultdict

import duckdb

_WORD = re.compile(r"\w+")
# Rows looked at: of a long table the first ones tell.
_ROWS = 12
# A row of one word stands anywhere.
_FEWEST_WORDS = 2
_SHARE = 0.8


def tie_to_sections(connection: duckdb.DuckDBPyConnection) -> int:
    """Tie the tables of filings with whole bodies; NULL where the text does not tell.

    Returns:
        How many were tied to another section than before.
    """
    tables = connection.execute(
        "SELECT t.accession_number, t.rowid, t.section_id, t.table_data::VARCHAR, "
        "t.table_markdown FROM tables t JOIN table_places p ON p.place = t.rowid "
        "WHERE p.scope = '' AND t.section_id IS NOT NULL "
        "AND t.accession_number IN (SELECT accession_number FROM table_places WHERE scope = '' "
        "GROUP BY accession_number, body, copy HAVING count(DISTINCT section) > 1) ORDER BY 1, 2"
    ).fetchall()
    by_filing: dict[str, list[tuple[int, str | None, list[str]]]] = defaultdict(list)
    for accession, place, section, data, markdown in tables:
        by_filing[accession].append((place, section, rows_of_table(data, markdown)))
    moved: list[tuple[int, str | None]] = []
    for accession, found in by_filing.items():
        texts = _texts(connection, accession)
        for place, section, rows in found:
            home = home_of(rows, texts)
            if home != section:
                moved.append((place, home))
    _write(connection, moved)
    return len(moved)


def rows_of_table(data: str | None, markdown: str | None) -> list[str]:
    """A table's first rows as words with blanks around them, from its JSON, else its Markdown."""
    try:
        parsed = json.loads(data) if data else None
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        parsed = parsed.get("rows") or parsed.get("data")
    lines = [_cells(row) for row in parsed] if isinstance(parsed, list) else []
    if not lines and markdown:
        lines = markdown.splitlines()
    rows = [f" {' '.join(words)} " for line in lines if len(words := _words(line)) >= _FEWEST_WORDS]
    return rows[:_ROWS]


def home_of(rows: list[str], texts: dict[str, str]) -> str | None:
    """The only section whose words hold most of the rows; None where none or several do."""
    if not rows:
        return None
    needed = _SHARE * len(rows)
    homes = [
        section
        for section, words in texts.items()
        if sum(1 for row in rows if row in words) >= needed
    ]
    return homes[0] if len(homes) == 1 else None


def _cells(row: object) -> str:
    if isinstance(row, dict):
        row = list(row.values())
    if isinstance(row, list):
        return " ".join(str(cell) for cell in row if cell is not None)
    return str(row)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _texts(connection: duckdb.DuckDBPyConnection, accession: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT id, content_text FROM sections WHERE accession_number = ? ORDER BY 1", [accession]
    ).fetchall()
    return {section: f" {' '.join(_words(text))} " for section, text in rows}


def _write(connection: duckdb.DuckDBPyConnection, moved: list[tuple[int, str | None]]) -> None:
    if not moved:
        return
    import pyarrow as pa

    places, homes = zip(*moved, strict=True)
    homes_of_tables = pa.table(
        {"place": pa.array(places, pa.int64()), "home": pa.array(homes, pa.string())}
    )
    connection.register("homes_of_tables", homes_of_tables)
    connection.execute(
        "UPDATE tables SET section_id = h.home FROM homes_of_tables h WHERE tables.rowid = h.place"
    )
    connection.unregister("homes_of_tables")
