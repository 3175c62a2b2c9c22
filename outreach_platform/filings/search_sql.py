"""The statements of a search: which chunks fit, ranked by BM25 over the index's tables.

They rank as DuckDB's macro `match_bm25` does. The macro looks every chunk up by its name; here only
those are touched that hold one of the words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from outreach_platform.filings.search_index import SCHEMA, STEMMER, STOP_WORDS
from outreach_platform.filings.search_query import Filters, Query, pattern_of, words_of

# BM25's parameters, as the macro has them.
_K, _B = 1.2, 0.75
_CHOSEN = """
    SELECT accession_number, company_name, form_type, filing_date, edgar_url FROM filings
    WHERE ($year::INTEGER IS NULL OR coalesce(filing_year, year(filing_date)) = $year)
    AND (len($forms::VARCHAR[]) = 0 OR list_contains($forms::VARCHAR[], upper(form_type)))
    AND CASE
        WHEN $company = '' THEN true
        WHEN EXISTS (FROM filings WHERE lower(ticker) = $company OR cik = $cik)
        THEN lower(ticker) = $company OR cik = $cik
        ELSE contains(lower(company_name), $company) END
"""
_ANY = f"SELECT name AS chunk_id, 0.0 AS score FROM {SCHEMA}.docs"


def stems_of(connection: duckdb.DuckDBPyConnection, words: Sequence[str]) -> dict[str, str]:
    """The stem of each word, as the index has it."""
    rows = connection.execute(
        f"SELECT word, stem(word, '{STEMMER}') FROM (SELECT unnest(?::VARCHAR[]) AS word)",
        [list(words)],
    ).fetchall()
    return dict(rows)


def find_chunks(
    connection: duckdb.DuckDBPyConnection,
    query: Query,
    filters: Filters,
    *,
    of_section: int,
    limit: int,
) -> list[dict[str, Any]]:
    """The chunks that fit a query, the best first.

    Args:
        connection: the published database, with the full-text extension loaded.
        query: what to find.
        filters: in which filings.
        of_section: most chunks of one section.
        limit: most chunks.

    Returns:
        Columns of chunk, section and filing by name, and `score`.
    """
    terms = _terms(connection, query.words)
    phrased = {word for p in query.phrases for word in words_of(p) if word not in STOP_WORDS}
    if (query.words and not terms) or not phrased <= terms.keys():
        return []
    ranked = _ranked(sorted(set(terms.values())), sorted({terms[word] for word in phrased}))
    company = filters.company or ""
    parameters: dict[str, Any] = {
        "company": company.lower(),
        "cik": company.zfill(10) if company.isascii() and company.isdigit() else "",
        "forms": list(filters.forms),
        "year": filters.year,
        "limit": limit,
    }
    for number, phrase in enumerate(query.phrases):
        parameters[f"phrase{number}"] = pattern_of(phrase)
    result = connection.execute(_sql(ranked, len(query.phrases), of_section), parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _terms(connection: duckdb.DuckDBPyConnection, words: Sequence[str]) -> Mapping[str, int]:
    """The index's number of each word's stem; words without one are in no chunk."""
    stems = stems_of(connection, words)
    rows = connection.execute(
        f"SELECT term, termid FROM {SCHEMA}.dict WHERE list_contains(?::VARCHAR[], term)",
        [list(stems.values())],
    ).fetchall()
    numbers = dict(rows)
    return {word: numbers[stem] for word, stem in stems.items() if stem in numbers}


def _ranked(terms: Sequence[int], must: Sequence[int]) -> str:
    """The statement that ranks chunks by any of the terms; they hold all that they must."""
    if not terms:
        return _ANY
    listed = ", ".join(str(term) for term in terms)
    every = ", ".join(str(term) for term in must) or "NULL"
    return f"""
        SELECT name AS chunk_id, sum(
            log((num_docs - df + 0.5) / (df + 0.5) + 1) * tf * ({_K} + 1)
            / (tf + {_K} * (1 - {_B} + {_B} * len / avgdl))
        ) AS score
        FROM (
            SELECT docid, termid, count(*) AS tf FROM {SCHEMA}.terms
            WHERE termid IN ({listed}) GROUP BY docid, termid
        ) JOIN {SCHEMA}.dict USING (termid) JOIN {SCHEMA}.docs USING (docid), {SCHEMA}.stats
        GROUP BY name
        HAVING count(*) FILTER (termid IN ({every})) = {len(must)}
    """


def _sql(ranked: str, phrases: int, of_section: int) -> str:
    """The statement; only what is ranked best, or may hold a phrase, is read with its text."""
    matches = [f"regexp_matches(chunk_text, $phrase{n}, 'i')" for n in range(phrases)]
    literal = f"""
        WHERE chunk_id IN (
            SELECT chunk_id FROM texts WHERE {" AND ".join(matches)}
        )
    """
    return f"""
        WITH chosen AS ({_CHOSEN}), scored AS MATERIALIZED ({ranked}), texts AS MATERIALIZED (
            SELECT chunk_id, chunk_text FROM scored JOIN chunks USING (chunk_id)
            JOIN chosen USING (accession_number)
        ), found AS MATERIALIZED (
            SELECT chunk_id, score FROM scored JOIN chunks USING (chunk_id)
            JOIN chosen USING (accession_number) {literal if phrases else ""}
            QUALIFY row_number() OVER (
                PARTITION BY accession_number, section_part, section_type
                ORDER BY score DESC, chunk_index
            ) <= {of_section}
            ORDER BY score DESC, filing_date DESC NULLS LAST, chunk_id LIMIT $limit
        )
        SELECT score, chunk_id, chunk_text, char_start, char_end, section_title, chosen.*,
            chunks.section_part, chunks.section_type
        FROM found JOIN chunks USING (chunk_id) JOIN chosen USING (accession_number)
        LEFT JOIN sections ON sections.id = chunks.section_id
        ORDER BY score DESC, filing_date DESC NULLS LAST, chunk_id
    """
