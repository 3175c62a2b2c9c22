"""The full-text index over topic chunks: DuckDB's, in the published database.

DuckDB's own statement stems every word of every chunk, one at a time. Here it makes the index of an
empty table, and the index is filled from the distinct words, which takes a quarter of the time and
is bounded in memory. The tables are the same to a row; a test compares them.
"""

import duckdb

from outreach_platform.foundation.extensions import load_extension
from outreach_platform.foundation.warehouse import quote_text

SCHEMA = "fts_main_search_chunks"
STEMMER = "porter"
# DuckDB's own list of 571 leaves out "value", "changes" and "available", which matter in filings.
STOP_WORDS = frozenset(
    (
        *("a", "about", "after", "all", "also", "an", "and", "any", "are"),
        *("as", "at", "be", "because", "been", "before", "being", "between", "both"),
        *("but", "by", "can", "could", "did", "do", "does", "for", "from"),
        *("had", "has", "have", "he", "her", "his", "how", "i", "if"),
        *("in", "into", "is", "it", "its", "may", "more", "most", "no"),
        *("nor", "not", "of", "on", "or", "other", "our", "out", "over"),
        *("s", "same", "she", "should", "so", "some", "such", "t", "than"),
        *("that", "the", "their", "them", "then", "there", "these", "they", "this"),
        *("those", "through", "to", "under", "until", "up", "upon", "was", "we"),
        *("were", "what", "when", "where", "which", "while", "who", "whom", "whose"),
        *("why", "will", "with", "would", "you", "your"),
    )
)
_TOPIC = 2
# Rows of `chunks`, of all levels, that are read at a time.
_BATCH = 20_000
_WORD = "[a-z0-9]+"


def load_search(connection: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's full-text search from its wheel.

    Raises:
        OutreachError: the wheel is not installed.
    """
    load_extension(connection, "duckdb_extension_fts", "DuckDB's full-text search")


def has_index(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a database holds the index."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE schema_name = ? AND database_name = "
        "current_database()",
        [SCHEMA],
    ).fetchone()
    return found is not None


def build_index(connection: duckdb.DuckDBPyConnection) -> None:
    """Index the topic chunks of the database, in place of an older index.

    Args:
        connection: a database with the table `chunks` of `schema.COLUMNS`, open for writing.

    Raises:
        OutreachError: the extension's wheel is not installed.
    """
    load_search(connection)
    _make_empty(connection)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE search_words (word VARCHAR, term VARCHAR);"
        "CREATE OR REPLACE TEMP TABLE search_terms (term VARCHAR, termid BIGINT);"
        "CREATE OR REPLACE TEMP TABLE search_counts (termid BIGINT, df BIGINT)"
    )
    last = connection.execute("SELECT max(rowid) FROM chunks").fetchone()
    for first in range(0, (last[0] if last and last[0] is not None else -1) + 1, _BATCH):
        _read_words(connection, first)
        _add_words(connection)
        _add_postings(connection)
        _add_docs(connection, first)
    _add_counts(connection)
    for table in ("words", "terms", "counts", "batch"):
        connection.execute(f"DROP TABLE IF EXISTS temp.search_{table}")


def _make_empty(connection: duckdb.DuckDBPyConnection) -> None:
    """Have DuckDB make the index of an empty table: its tables, settings and macros."""
    words = ", ".join(quote_text(word) for word in sorted(STOP_WORDS))
    connection.execute(
        "CREATE OR REPLACE TABLE search_chunks (chunk_id VARCHAR, chunk_text VARCHAR);"
        f"CREATE OR REPLACE TABLE search_stop AS SELECT unnest([{words}]) AS word"
    )
    connection.execute(
        "PRAGMA create_fts_index('search_chunks', 'chunk_id', 'chunk_text', "
        f"stemmer = '{STEMMER}', stopwords = 'search_stop', ignore = '[^a-z0-9]+', overwrite = 1)"
    )
    connection.execute("DROP TABLE search_chunks; DROP TABLE search_stop")


def _topics(first: int) -> str:
    end = first + _BATCH
    return f"FROM chunks WHERE chunk_level = {_TOPIC} AND rowid >= {first} AND rowid < {end}"


def _read_words(connection: duckdb.DuckDBPyConnection, first: int) -> None:
    """Write the words of some chunks, each as often as it occurs, to `search_batch`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE search_batch AS SELECT rowid AS docid, "
        f"unnest(regexp_extract_all(lower(strip_accents(chunk_text)), '{_WORD}')) AS word "
        + _topics(first)
    )


def _add_words(connection: duckdb.DuckDBPyConnection) -> None:
    """Stem the words that are new, and number the new terms."""
    connection.execute(
        f"INSERT INTO search_words SELECT word, stem(word, '{STEMMER}') FROM "
        f"(SELECT DISTINCT word FROM search_batch) WHERE word NOT IN (SELECT sw FROM "
        f"{SCHEMA}.stopwords) AND word NOT IN (SELECT word FROM search_words)"
    )
    connection.execute(
        "INSERT INTO search_terms SELECT term, (SELECT count(*) FROM search_terms) "
        "+ row_number() OVER (ORDER BY term) - 1 FROM (SELECT DISTINCT term FROM search_words) "
        "WHERE term NOT IN (SELECT term FROM search_terms)"
    )


def _add_postings(connection: duckdb.DuckDBPyConnection) -> None:
    """Write which chunk holds which term; sorted, so that a search reads little."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE search_batch AS SELECT docid, termid FROM search_batch "
        "JOIN search_words USING (word) JOIN search_terms USING (term)"
    )
    connection.execute(
        f"INSERT INTO {SCHEMA}.terms (docid, fieldid, termid) "
        "SELECT docid, 0, termid FROM search_batch ORDER BY termid, docid"
    )
    connection.execute(
        "INSERT INTO search_counts SELECT termid, count(DISTINCT docid) FROM search_batch "
        "GROUP BY termid"
    )


def _add_docs(connection: duckdb.DuckDBPyConnection, first: int) -> None:
    """Write each chunk's number of words; one of stop words alone counts as well."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.docs (docid, name, len) SELECT docid, chunk_id, coalesce(len, 0) "
        f"FROM (SELECT rowid AS docid, chunk_id {_topics(first)}) LEFT JOIN "
        "(SELECT docid, count(*) AS len FROM search_batch GROUP BY docid) USING (docid) "
        "ORDER BY docid"
    )


def _add_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Write how many chunks hold each term, and the mean length."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.dict (termid, term, df) SELECT termid, term, sum(df)::BIGINT "
        "FROM search_terms JOIN search_counts USING (termid) GROUP BY ALL ORDER BY termid"
    )
    connection.execute(
        f"UPDATE {SCHEMA}.stats SET num_docs = found.docs, avgdl = found.mean FROM "
        f"(SELECT count(*) AS docs, avg(len) AS mean FROM {SCHEMA}.docs) AS found"
    )
