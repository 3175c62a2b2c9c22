"""One row for each table, though it was extracted once a section; tied to the section it is from.

The predecessor gave each section the html of the whole body and so found every table in each of
them. Copies count within a section: a table that a section has twice is there twice.
"""

import duckdb

from outreach_platform.filings.dedupe_homes import tie_to_sections
from outreach_platform.filings.dedupe_rows import changed, remove
from outreach_platform.filings.health_sql import id_sql

_NEW_ID = id_sql("table", "accession_number", "table_index")


def clean_tables(connection: duckdb.DuckDBPyConnection, *, foreign: bool) -> dict[str, int]:
    """Keep one of each table, give ids, and note where footnotes go.

    Afterwards the temporary table `table_heirs` has a row for each table as it was: `owner`, its
    old id; `heir`, the id of the table that stands in its place.

    Args:
        connection: see `dedupe_rows`; `clean_sections` has run.
        foreign: the numbers of tables are not ours: one that is missing, or that different tables
            share, makes the filing's tables be numbered anew.

    Returns:
        Numbers of changes that are no removals.
    """
    connection.execute(_PLACED, [foreign])
    _remove_copies(connection, foreign=foreign)
    if not foreign:
        _remove_of_one_key(connection)
    connection.execute("CREATE OR REPLACE TEMP TABLE table_fates AS " + _FATES)
    counts = {
        "tables: tied to the section that stands": changed(
            connection,
            "UPDATE tables SET section_id = p.section FROM table_places p "
            "WHERE tables.rowid = p.place AND section_id IS DISTINCT FROM p.section",
        ),
        "tables: tied to the section whose text has it": tie_to_sections(connection),
    }
    if foreign:
        counts["tables: numbered anew"] = changed(connection, _RENUMBER)
    counts["tables: id made the hash of its key"] = changed(
        connection, f"UPDATE tables SET id = {_NEW_ID} WHERE id IS DISTINCT FROM {_NEW_ID}"
    )
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE table_heirs AS
        SELECT DISTINCT ON (f.accession_number, f.owner) f.accession_number, f.owner, t.id AS heir
        FROM table_fates f JOIN tables t ON t.rowid = f.kept
        ORDER BY f.accession_number, f.owner, heir"""
    )
    return counts


# Each table with the section that stands in its section's place, and what it is a copy of: `body`
# is its content, `scope` within which copies are one (the filing where bodies were whole, else the
# section), `copy` the how-manieth of that content in its section.
_PLACED = """
    CREATE OR REPLACE TEMP TABLE table_places AS WITH linked AS (
        SELECT t.rowid AS place, t.id AS owner, t.accession_number, t.section_id AS origin,
            t.table_index, t.created_at, h.heir AS section, coalesce(h.own, false) AS own,
            md5(coalesce(t.table_data::VARCHAR, t.table_markdown, '') || chr(31)
                || coalesce(t.headers::VARCHAR, '')) AS body
        FROM tables t LEFT JOIN section_heirs h
            ON h.owner = t.section_id AND h.accession_number = t.accession_number
    ), listed AS (
        SELECT accession_number, origin, any_value(section) AS section,
            list(body ORDER BY body) AS bodies
        FROM linked WHERE origin IS NOT NULL GROUP BY ALL
    ), repeated AS (
        SELECT DISTINCT accession_number FROM (
            SELECT accession_number FROM listed WHERE ? AND len(bodies) > 1
            GROUP BY accession_number, bodies HAVING count(DISTINCT section) > 1)
        UNION SELECT accession_number FROM whole_bodies
    )
    SELECT *, CASE WHEN accession_number IN (FROM repeated) THEN '' ELSE coalesce(section, '') END
            AS scope,
        row_number() OVER (PARTITION BY accession_number, origin, body
            ORDER BY table_index, created_at, owner, place) AS copy
    FROM linked"""


def _remove_copies(connection: duckdb.DuckDBPyConnection, *, foreign: bool) -> None:
    """Of the copies of one table under several sections one stays."""
    if foreign:
        connection.execute(_REPEATED_RUNS)
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE table_copies AS SELECT place, first_value(place) OVER (
            PARTITION BY accession_number, scope, body, copy ORDER BY own DESC,
            section IS NULL, table_index, created_at DESC NULLS LAST, owner, place) AS kept
        FROM table_places"""
    )
    remove(
        connection,
        "tables",
        "SELECT place FROM table_copies WHERE place <> kept",
        "a copy of a table that stands, from another section",
        lost=False,
    )


# Its numbers begin anew in each section: rows of one section, number and content are one table.
_REPEATED_RUNS = """
    UPDATE table_places SET copy = p.copy FROM (
        SELECT place, dense_rank() OVER (PARTITION BY accession_number, origin, body
            ORDER BY coalesce(table_index, place)) AS copy FROM table_places
    ) p WHERE table_places.place = p.place"""


def _remove_of_one_key(connection: duckdb.DuckDBPyConnection) -> None:
    remove(
        connection,
        "tables",
        """SELECT t.rowid AS place FROM tables t JOIN table_places p ON p.place = t.rowid
        QUALIFY row_number() OVER (PARTITION BY t.accession_number, t.table_index ORDER BY
            (p.section IS NOT NULL) DESC, length(t.table_data::VARCHAR) DESC NULLS LAST,
            t.created_at DESC NULLS LAST, p.body, t.id, t.rowid) > 1""",
        "a fuller row stands for this table",
        lost=True,
    )


# Where each table as it was is found now; of a key's rows the one that stayed is the heir.
_FATES = """
    SELECT p.accession_number, p.owner, coalesce(own.rowid, kept.rowid, twin.rowid) AS kept
    FROM table_places p JOIN table_copies c USING (place)
        LEFT JOIN tables own ON own.rowid = p.place
        LEFT JOIN tables kept ON kept.rowid = c.kept
        LEFT JOIN (SELECT accession_number, table_index, min(rowid) AS rowid FROM tables
            GROUP BY ALL) twin
            ON twin.accession_number = p.accession_number AND twin.table_index = p.table_index"""

# In the order they had in their sections, where numbers are missing or shared.
_RENUMBER = """
    UPDATE tables SET table_index = n.number FROM (
        SELECT t.rowid AS place, t.accession_number AS filing, row_number() OVER (
            PARTITION BY t.accession_number ORDER BY
            CASE WHEN p.scope = '' THEN 0 ELSE s.rowid END, t.table_index NULLS LAST, t.rowid
        ) - 1 AS number
        FROM tables t JOIN table_places p ON p.place = t.rowid
            LEFT JOIN sections s ON s.id = t.section_id
    ) n WHERE tables.rowid = n.place AND n.filing IN (
        SELECT accession_number FROM tables GROUP BY accession_number
        HAVING count(*) > count(DISTINCT table_index)
    ) AND table_index IS DISTINCT FROM n.number"""
