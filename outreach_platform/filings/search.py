"""Full-text search over the published filings; every answer can be cited."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from outreach_platform.filings.citations import cite
from outreach_platform.filings.search_database import reading
from outreach_platform.filings.search_index import build_index, has_index, load_search
from outreach_platform.filings.search_query import Query, read_filters, read_query
from outreach_platform.filings.search_snippets import make_finder, snippet
from outreach_platform.filings.search_sql import find_chunks
from outreach_platform.foundation.errors import UsageError

__all__ = ("Hit", "build_index", "search")

# Answers from one section; one filing shall not fill the page.
_OF_SECTION = 2
# Neighbouring chunks overlap and may show the same place.
_CANDIDATES = 2 * _OF_SECTION


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer.

    Attributes:
        score: BM25 of the chunk; only the order means anything.
        accession_number: of the filing.
        company_name: as the filer writes it.
        form_type: as filed.
        filing_date: None where unknown.
        section_part: `part_i` and so on.
        section_type: `item_1a` and so on.
        section_title: as printed.
        chunk_id: of the topic chunk.
        char_start: its offset in the section's `content_text`.
        char_end: offset behind it.
        snippet: some 240 characters around the match, one line.
        edgar_url: where the filing stands at the SEC.
        citation: of the chunk, for `citations.resolve`.
    """

    score: float
    accession_number: str
    company_name: str | None
    form_type: str
    filing_date: date | None
    section_part: str
    section_type: str
    section_title: str | None
    chunk_id: str
    char_start: int
    char_end: int
    snippet: str
    edgar_url: str | None
    citation: str


def search(
    path: Path,
    text: str,
    *,
    company: str | None = None,
    form: str | None = None,
    year: int | None = None,
    limit: int = 10,
) -> list[Hit]:
    """Search the topic chunks of all filings.

    Args:
        path: the published database.
        text: words, which rank the answers and need not all occur, and phrases in double quotes,
            which have to occur as they stand but for case, white space and the kind of quotes.
        company: ticker or CIK; where no filing has it, part of a name. Case does not matter.
        form: form type; `10-K` finds `10-K` and `10-K/A`, and neither `10-K405` nor `10-KT`.
        year: of the filing.
        limit: most answers, at most two from one section.

    Returns:
        The best answers first; empty where nothing fits.

    Raises:
        UsageError: the text holds nothing to search for, there is no such form, or nothing that can
            be searched was published yet.
        OutreachError: the database cannot be read.
    """
    query, filters = read_query(text), read_filters(company, form, year)
    if limit < 1:
        raise UsageError(f"a limit of {limit} answers gives none: at least 1")
    with reading(path) as connection:
        if not has_index(connection):
            raise UsageError(
                f"{path} has no search index, an older version made it: "
                "`outreach filings extract` publishes it anew"
            )
        load_search(connection)
        rows = find_chunks(
            connection, query, filters, of_section=_CANDIDATES, limit=limit * _CANDIDATES
        )
        return _hits(connection, query, rows, limit)


def _hits(
    connection: duckdb.DuckDBPyConnection, query: Query, rows: Sequence[dict[str, Any]], limit: int
) -> list[Hit]:
    """Answers from chunks; of several that show the same place the best."""
    finder = make_finder(connection, query, [row["chunk_text"] for row in rows])
    hits: list[Hit] = []
    shown: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        place = finder.find(row["chunk_text"])
        where = row["char_start"] + place
        others = shown[row["accession_number"], row["section_part"], row["section_type"]]
        same = any(other["char_start"] <= where < other["char_end"] for other in others)
        if same or len(others) == _OF_SECTION:
            continue
        others.append(row)
        hits.append(_hit(row, place))
        if len(hits) == limit:
            break
    return hits


def _hit(row: dict[str, Any], place: int) -> Hit:
    citation = cite(
        *(row["accession_number"], row["section_part"], row["section_type"]),
        *(row["char_start"], row["char_end"]),
        row["chunk_text"],
    )
    fields = {name: row[name] for name in Hit.__slots__ if name in row}
    return Hit(**fields, snippet=snippet(row["chunk_text"], place), citation=citation)
