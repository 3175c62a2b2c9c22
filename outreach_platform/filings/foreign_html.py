"""Copy the html of a foreign database's sections, a few rows at a time.

It may be the whole body in each of them: megabytes a row, of which DuckDB would read 2,048 at once.
"""

from collections.abc import Iterator

import duckdb

# The name that the foreign database is attached under.
FOREIGN = "foreign_source"
_BATCH = 16


def copy_html(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `content_html` of the current database's sections, which are in the source's order.

    An html that items of different texts share is no item's own: a stand-in of 32 characters comes
    in its place, by which the clean-up sees that it was shared.
    """
    _hash(connection)
    connection.execute(_MARK)
    connection.execute(
        "UPDATE sections SET content_html = m.html FROM html_marks m "
        "WHERE m.shared AND sections.rowid = m.number"
    )
    own = connection.execute(
        "SELECT place FROM html_marks WHERE NOT shared AND html IS NOT NULL ORDER BY 1"
    ).fetchall()
    for places in _batches([row[0] for row in own]):
        connection.execute(
            "UPDATE sections SET content_html = h.html FROM (SELECT m.number, s.html FROM ("
            f"SELECT rowid AS place, content_html::VARCHAR AS html FROM {FOREIGN}.main.sections "
            f"WHERE rowid IN ({places})) s JOIN html_marks m USING (place)) h "
            "WHERE sections.rowid = h.number"
        )


def _hash(connection: duckdb.DuckDBPyConnection) -> None:
    """A temporary table with the hash of each html."""
    connection.execute("CREATE OR REPLACE TEMP TABLE html_hashes (place BIGINT, html VARCHAR)")
    rows = connection.execute(f"SELECT rowid FROM {FOREIGN}.main.sections ORDER BY 1").fetchall()
    for places in _batches([row[0] for row in rows]):
        connection.execute(
            "INSERT INTO html_hashes SELECT rowid, md5(content_html::VARCHAR) "
            f"FROM {FOREIGN}.main.sections WHERE rowid IN ({places})"
        )


# A copy's row is where its source's stands in the order.
_MARK = """
    CREATE OR REPLACE TEMP TABLE html_marks AS WITH numbered AS (
        SELECT place, html, row_number() OVER (ORDER BY place) - 1 AS number FROM html_hashes
    ), told AS (
        SELECT n.*, s.accession_number AS filing, s.section_type AS item, s.content_hash AS body
        FROM numbered n JOIN sections s ON s.rowid = n.number
    ), shared AS (
        SELECT filing, html FROM told WHERE html IS NOT NULL GROUP BY ALL
        HAVING least(count(DISTINCT body), count(DISTINCT item)) > 1
    )
    SELECT place, number, html, EXISTS (FROM shared s WHERE s.filing = t.filing
        AND s.html = t.html) AS shared FROM told t"""


def _batches(places: list[int]) -> Iterator[str]:
    """The row ids as lists for SQL."""
    for start in range(0, len(places), _BATCH):
        yield ", ".join(str(place) for place in places[start : start + _BATCH])
