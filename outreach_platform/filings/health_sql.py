"""What the database's health is counted with, in SQL: twins, orphans, the view `data_health`."""

from outreach_platform.filings.schema import COLUMNS, KEYS

CHILDREN = ("sections", "tables", "footnotes", "chunks")
# The id columns, which must be as unique as the natural keys they are made from.
IDS = {"sections": "id", "tables": "id", "footnotes": "footnote_id", "chunks": "chunk_id"}
# A file begins with three blocks of 4 KiB that DuckDB does not count among its blocks.
_HEADERS = 3 * 4096


def surplus_sql(table: str, columns: tuple[str, ...]) -> str:
    """A query for the number of rows beyond the first of each key, nulls being equal."""
    return (
        f"SELECT coalesce(sum(n - 1), 0)::BIGINT FROM "
        f"(SELECT count(*) AS n FROM {table} GROUP BY {', '.join(columns)})"
    )


# By name: what is missing, the child's table, and the rows that miss it.
ORPHANS: dict[str, tuple[str, str]] = {
    **{
        f"{table} without filing": (
            table,
            "NOT EXISTS (FROM filings f WHERE f.accession_number = c.accession_number)",
        )
        for table in ("filing_status", *CHILDREN)
    },
    **{
        f"{table} without section": (
            table,
            "c.section_id IS NOT NULL AND NOT EXISTS (FROM sections s WHERE s.id = c.section_id "
            "AND s.accession_number = c.accession_number)",
        )
        for table in ("tables", "footnotes")
    },
    "chunks without section": (
        "chunks",
        "NOT EXISTS (FROM sections s WHERE s.id = c.section_id "
        "AND s.accession_number = c.accession_number)",
    ),
    "footnotes without table": (
        "footnotes",
        "c.table_id IS NOT NULL AND NOT EXISTS (FROM tables t WHERE t.id = c.table_id "
        "AND t.accession_number = c.accession_number)",
    ),
    "chunks without parent": (
        "chunks",
        "c.parent_chunk_id IS NOT NULL AND NOT EXISTS (FROM chunks p "
        "WHERE p.chunk_id = c.parent_chunk_id AND p.section_id = c.section_id "
        "AND p.chunk_level < c.chunk_level)",
    ),
}


def orphans_sql(name: str) -> str:
    """A query for the number of orphans of a sort in `ORPHANS`."""
    table, missing = ORPHANS[name]
    return f"SELECT count(*) FROM {table} c WHERE {missing}"


def _all_orphans_sql() -> str:
    """A query for the number of rows that miss something, each counted once."""
    counts = []
    for table in ("filing_status", *CHILDREN):
        missing = " OR ".join(f"({where})" for child, where in ORPHANS.values() if child == table)
        counts.append(f"(SELECT count(*) FROM {table} c WHERE {missing})")
    return f"SELECT {' + '.join(counts)}"


def _size_sql() -> str:
    """A query for the size in bytes of the database that the view stands in.

    Nothing in a view tells which database it belongs to: once attached under another name,
    `current_database()` is another one. So it is the one with this view and with tables of these
    sizes; the current one where two are alike.
    """
    names = ", ".join(f"'{table}'" for table in COLUMNS)
    rows = " + ".join(f"(SELECT count(*) FROM {table})" for table in COLUMNS)
    return f"""
        SELECT arg_min(
            d.size, abs(t.estimated - ({rows})) * 2 + (d.name <> current_database())::INTEGER
        ) FROM (
            SELECT database_name AS name,
                if(block_size > 0, {_HEADERS} + block_size * total_blocks, 0) AS size
            FROM pragma_database_size()
        ) d JOIN (
            SELECT database_name AS name, sum(estimated_size) AS estimated
            FROM duckdb_tables() WHERE table_name IN ({names}) GROUP BY 1
        ) t USING (name) JOIN (
            SELECT DISTINCT database_name AS name FROM duckdb_views()
            WHERE view_name = 'data_health'
        ) v USING (name)"""


def _counts_sql() -> str:
    """The select list of the view, without the size."""
    counts = ", ".join(
        f"(SELECT count(*) FROM filings f WHERE EXISTS (FROM {kind} c "
        f"WHERE c.accession_number = f.accession_number)) AS filings_with_{kind}"
        for kind in CHILDREN
    )
    duplicates = " + ".join(f"({surplus_sql(table, key)})" for table, key in KEYS.items())
    return f"""{counts},
        (SELECT count(*) FROM filings) AS total_filings,
        ({duplicates})::BIGINT AS duplicates,
        ({_all_orphans_sql()})::BIGINT AS orphans"""


COUNTS_SQL = f"SELECT {_counts_sql()}"
# The statement that makes the view; it has one row.
VIEW_SQL = f"""CREATE OR REPLACE VIEW data_health AS
    {COUNTS_SQL},
        ({_size_sql()})::BIGINT AS db_size"""

COVERAGE_SQL = "\nUNION ALL ".join(
    f"""SELECT '{kind}' AS kind, f.filing_year AS year, count(*) AS filings,
        count(r.n) AS filled, coalesce(sum(r.n), 0)::BIGINT AS row_count
    FROM filings f LEFT JOIN (
        SELECT accession_number, count(*) AS n FROM {kind} GROUP BY 1
    ) r USING (accession_number) WHERE f.refused IS NULL GROUP BY f.filing_year"""
    for kind in CHILDREN
)

# What a filing is without, and why: never extracted, failed, or rows that differ from the status.
GAPS_SQL = f"""
    WITH counted AS ({
    " UNION ALL ".join(
        f"SELECT accession_number, '{kind}' AS kind, count(*) AS n FROM {kind} GROUP BY 1"
        for kind in CHILDREN
    )
}), expected AS (
        SELECT accession_number, kind
        FROM filings, (SELECT unnest({list(CHILDREN)!r}) AS kind) WHERE refused IS NULL
    )
    SELECT accession_number, kind, CASE
        WHEN coalesce(s.status, 'pending') = 'pending' THEN 'pending'
        WHEN s.status = 'failed' THEN 'failed'
        WHEN s.status = 'empty' AND coalesce(c.n, 0) > 0 THEN 'status says empty, rows stand'
        WHEN s.status = 'done' AND coalesce(c.n, 0) = 0 THEN 'status says done, no row stands'
        WHEN s.status = 'done' AND s.row_count <> c.n THEN 'other rows than the status counts'
        WHEN s.status = 'empty' AND kind IN ('sections', 'chunks') THEN 'nothing found'
        END AS reason
    FROM expected LEFT JOIN filing_status s USING (accession_number, kind)
        LEFT JOIN counted c USING (accession_number, kind)
    WHERE reason IS NOT NULL ORDER BY accession_number, kind"""


def id_sql(kind: str, *columns: str) -> str:
    """The expression for what `model.hashed` makes of a kind and columns."""
    parts = ", ".join(f"coalesce({column}::VARCHAR, 'None')" for column in columns)
    return f"substring(sha256(concat_ws(chr(31), '{kind}', {parts})), 1, 32)"


# Rows whose id is not the hash of the natural key. A footnote's occurrence stands in no column:
# the ids of a place's n footnotes of one marker are those of 0 to n - 1.
UNSTABLE_SQL = {
    "sections": "SELECT count(*) FROM sections WHERE id IS DISTINCT FROM "
    + id_sql("section", "accession_number", "section_part", "section_type"),
    "tables": "SELECT count(*) FROM tables WHERE id IS DISTINCT FROM "
    + id_sql("table", "accession_number", "table_index"),
    "footnotes": f"""
        WITH placed AS (
            SELECT *, coalesce(table_id, section_id, '') AS place FROM footnotes
        ), due AS (
            SELECT accession_number, place, marker, unnest(range(count(*))) AS occurrence
            FROM placed GROUP BY ALL
        )
        SELECT count(*) FROM placed WHERE footnote_id NOT IN (
            SELECT {id_sql("footnote", "accession_number", "place", "marker", "occurrence")}
            FROM due)""",
    "chunks": "SELECT count(*) FROM chunks WHERE chunk_id IS DISTINCT FROM "
    + id_sql(
        *("chunk", "accession_number", "section_part", "section_type"),
        *("chunk_level", "chunk_index"),
    ),
}
