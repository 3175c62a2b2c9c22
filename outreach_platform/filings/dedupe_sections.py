"""One section for each natural key, with the id that is its hash; what stands on it follows."""

import duckdb

from outreach_platform.filings.dedupe_rows import changed, remove
from outreach_platform.filings.health_sql import id_sql

# Shorter than this, and a tenth of its twin at most: a line of the contents, or a cut section.
_STUB = 500
WHOLE_BODY = '{"code":"html_of_whole_body","action":"dropped"}'
_KEY = "accession_number, section_part, section_type"
_NEW_ID = id_sql("section", "accession_number", "section_part", "section_type")


def clean_filings(connection: duckdb.DuckDBPyConnection) -> None:
    """One row for each filing, the one that tells most; one status for each kind."""
    remove(
        connection,
        "filings",
        """SELECT rowid AS place FROM filings QUALIFY row_number() OVER (
            PARTITION BY accession_number ORDER BY (refused IS NULL) DESC,
            (download_status = 'completed') DESC NULLS LAST, (cik IS NULL)::INTEGER
            + (company_name IS NULL)::INTEGER + (filing_date IS NULL)::INTEGER
            + (period_of_report IS NULL)::INTEGER, updated_at DESC NULLS LAST,
            created_at DESC NULLS LAST, filings::VARCHAR) > 1""",
        "another row of the filing tells more",
        lost=True,
    )
    remove(
        connection,
        "filing_status",
        """SELECT rowid AS place FROM filing_status QUALIFY row_number() OVER (
            PARTITION BY accession_number, kind ORDER BY updated_at DESC NULLS LAST,
            list_position(['done', 'empty', 'failed', 'pending'], status),
            filing_status::VARCHAR) > 1""",
        "a newer status of the kind stands",
        lost=False,
    )
    for table in ("filing_status", "sections", "tables", "footnotes", "chunks"):
        remove(
            connection,
            table,
            f"SELECT rowid AS place FROM {table} WHERE accession_number IS NULL OR "
            "accession_number NOT IN (SELECT accession_number FROM filings)",
            "its filing is not registered",
            lost=True,
        )


def clean_sections(connection: duckdb.DuckDBPyConnection, *, foreign: bool) -> dict[str, int]:
    """Keep the better of each pair, give ids, and note where children go.

    Afterwards the temporary table `section_heirs` has a row for each section as it was: `owner`,
    its old id; `heir`, the id of the section that stands in its place; `own`, whether that is the
    section itself; `same`, whether the texts are equal. The temporary table `whole_bodies` names
    filings whose sections carried the html of the whole body.

    Args:
        connection: see `dedupe_rows`; `clean_filings` has run.
        foreign: two items with one html are enough to take it for the whole body's. Ours may
            share one where a heading names both.

    Returns:
        Numbers of changes that are no removals.
    """
    connection.execute(_RANK)
    connection.execute(_WHOLE_BODIES, [2 if foreign else 3])
    remove(
        connection,
        "sections",
        "SELECT place FROM ranked WHERE rank > 1 AND same",
        "the same text stands for this item",
        lost=False,
    )
    remove(
        connection,
        "sections",
        "SELECT place FROM ranked WHERE rank > 1 AND NOT same",
        "a better text stands for this item",
        lost=True,
    )
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE section_heirs AS SELECT DISTINCT ON (accession_number,
            owner) accession_number, owner, heir, rank = 1 AS own, same FROM ranked
            ORDER BY accession_number, owner, rank, heir"""
    )
    return {
        "sections: id made the hash of its key": changed(
            connection, f"UPDATE sections SET id = {_NEW_ID} WHERE id IS DISTINCT FROM {_NEW_ID}"
        ),
        "sections: html of the whole body dropped": _drop_foreign_html(connection),
    }


_RANK = f"""
    CREATE OR REPLACE TEMP TABLE ranked AS WITH measured AS (
        SELECT rowid AS place, *, length(content_text) AS size, md5(content_text) AS body,
            coalesce(json_array_length(try_cast(extraction_issues AS JSON)), 0) AS issues
        FROM sections
    ), stubbed AS (
        SELECT *, size < {_STUB} AND size * 10 <= max(size) OVER (PARTITION BY {_KEY}) AS stub
        FROM measured
    )
    SELECT place, accession_number, id AS owner, {_NEW_ID} AS heir,
        row_number() OVER better AS rank,
        body = first_value(body) OVER better AS same
    FROM stubbed WINDOW better AS (PARTITION BY {_KEY} ORDER BY stub,
        extraction_confidence DESC NULLS LAST, issues, size DESC, created_at DESC NULLS LAST,
        content_hash, id, length(content_html) DESC NULLS LAST, place)"""


_WHOLE_BODIES = """
    CREATE OR REPLACE TEMP TABLE whole_bodies AS SELECT accession_number, md5(content_html) AS body
    FROM sections WHERE content_html IS NOT NULL GROUP BY ALL
    HAVING least(count(DISTINCT md5(content_text)), count(DISTINCT section_type)) >= ?"""


def _drop_foreign_html(connection: duckdb.DuckDBPyConnection) -> int:
    """Sections of one filing with one html and different texts: it is the whole body's."""
    return changed(
        connection,
        f"""UPDATE sections SET content_html = NULL, extraction_issues = to_json(list_append(
                coalesce(try_cast(extraction_issues AS JSON[]), []), '{WHOLE_BODY}'::JSON))
            FROM whole_bodies w WHERE sections.accession_number = w.accession_number
            AND md5(content_html) = w.body""",
    )
