"""One row for each footnote of a place, with the id that is its hash."""

import duckdb

from outreach_platform.filings.dedupe_rows import changed, remove
from outreach_platform.filings.health_sql import id_sql


def clean_footnotes(connection: duckdb.DuckDBPyConnection, *, foreign: bool) -> dict[str, int]:
    """Let footnotes follow their tables and sections, keep one of each, and give ids.

    A note whose table or section does not stand is tied to what is left: the section, else the
    filing.

    Args:
        connection: see `dedupe_rows`; `clean_sections` and `clean_tables` have run.
        foreign: ids tell nothing, so that equal notes of one place are one.

    Returns:
        Numbers of changes that are no removals.
    """
    section = "coalesce(d.section_id, s.heir)" if foreign else "coalesce(s.heir, d.section_id)"
    connection.execute(_PLACED.format(section=section))
    same_note = "1" if foreign else "dense_rank() OVER (PARTITION BY origin ORDER BY owner)"
    remove(
        connection,
        "footnotes",
        f"""WITH counted AS (SELECT *, {same_note} AS copy FROM footnote_places)
        SELECT place FROM counted QUALIFY row_number() OVER (
            PARTITION BY accession_number, target, marker, footnote_text, copy
            ORDER BY own DESC, created_at DESC NULLS LAST, owner, place) > 1""",
        "the same note stands in this place",
        lost=False,
    )
    remove(connection, "footnotes", _OF_ONE_ID, "a fuller row stands for this note", lost=True)
    tied = changed(
        connection,
        """UPDATE footnotes SET table_id = p.new_table, section_id = p.new_section
        FROM footnote_places p WHERE footnotes.rowid = p.place
        AND (table_id IS DISTINCT FROM p.new_table OR section_id IS DISTINCT FROM p.new_section)""",
    )
    return {
        "footnotes: tied to the table or section that stands": tied,
        "footnotes: id made the hash of its key": changed(connection, _IDS),
    }


# `origin` is where a note stood, `target` where it stands now. A foreign note of a table is in the
# section that its table was found in.
_PLACED = """
    CREATE OR REPLACE TEMP TABLE footnote_places AS
    SELECT f.rowid AS place, f.footnote_id AS owner, f.accession_number, f.marker,
        f.footnote_text, f.created_at, coalesce(s.own, true) AS own,
        concat_ws(chr(31), f.section_id, f.table_id) AS origin, t.heir AS new_table,
        CASE WHEN f.section_id IS NOT NULL THEN {section} END AS new_section,
        coalesce(new_table, new_section, '') AS target
    FROM footnotes f
        LEFT JOIN table_heirs t ON t.owner = f.table_id
            AND t.accession_number = f.accession_number
        LEFT JOIN tables d ON d.id = t.heir AND d.accession_number = f.accession_number
        LEFT JOIN section_heirs s ON s.owner = f.section_id
            AND s.accession_number = f.accession_number"""

# Of one id and one place, though the words differ: a note that was read twice.
_OF_ONE_ID = """
    SELECT f.rowid AS place FROM footnotes f JOIN footnote_places p ON p.place = f.rowid
    QUALIFY row_number() OVER (PARTITION BY f.footnote_id, p.accession_number, p.target
        ORDER BY length(f.footnote_text) DESC, f.created_at DESC NULLS LAST, f.footnote_text,
        f.rowid) > 1"""

# What has one of the ids due in its place keeps its turn; the others follow.
_PLACE = "coalesce(f.table_id, f.section_id, '')"
_IDS = f"""
    UPDATE footnotes SET footnote_id = n.id FROM (
        WITH placed AS (
            SELECT f.rowid AS place, f.accession_number, f.footnote_id, {_PLACE} AS target,
                f.marker, count(*) OVER (PARTITION BY f.accession_number, {_PLACE}, f.marker) AS n
            FROM footnotes f
        ), due AS (
            SELECT DISTINCT accession_number, target, marker, unnest(range(n)) AS turn FROM placed
        ), ids AS (
            SELECT *, {id_sql("footnote", "accession_number", "target", "marker", "turn")} AS id
            FROM due
        ), turns AS (
            SELECT p.*, row_number() OVER (
                PARTITION BY p.accession_number, p.target, p.marker
                ORDER BY i.turn NULLS LAST, p.place) - 1 AS turn
            FROM placed p LEFT JOIN ids i ON i.id = p.footnote_id
                AND i.accession_number = p.accession_number AND i.target = p.target
        )
        SELECT t.place, i.id FROM turns t JOIN ids i ON i.accession_number = t.accession_number
            AND i.target = t.target AND i.marker IS NOT DISTINCT FROM t.marker AND i.turn = t.turn
        WHERE t.footnote_id IS DISTINCT FROM i.id
    ) n WHERE footnotes.rowid = n.place"""
