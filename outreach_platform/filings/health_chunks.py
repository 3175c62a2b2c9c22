"""Whether chunks cover their sections, and whether offsets give the very text.

In Python, because DuckDB's `substring` walks a text from its start for each chunk: 100 filings took
10 s so.
"""

from collections import defaultdict
from collections.abc import Iterator

import duckdb

from outreach_platform.filings.health_records import Place

# Filings held in memory at a time: texts of about 1 MB each, twice in chunks.
_BATCH = 20
_LEVELS = (1, 2)
_END = 1 << 62

_Chunk = tuple[int, int, int, int, str]
_Section = tuple[str, str, str, str, str]


def chunk_flaws(connection: duckdb.DuckDBPyConnection) -> tuple[list[Place], list[Place]]:
    """Look at all chunked filings.

    Returns:
        What of sections is in no chunk, at most once a section and level, of filings whose chunks
        are not waiting to be made; and the chunks whose offsets do not give their text.
    """
    uncovered: list[Place] = []
    unresolved: list[Place] = []
    waiting = {
        row[0]
        for row in connection.execute(
            "SELECT accession_number FROM filing_status WHERE kind = 'chunks' "
            "AND status = 'pending'"
        ).fetchall()
    }
    for sections, chunks in _batches(connection):
        for section in sections:
            found = chunks.get(section[0], [])
            if section[1] not in waiting:
                uncovered += _uncovered(section, found)
            unresolved += _unresolved(section, found)
    return uncovered, unresolved


def _batches(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[tuple[list[_Section], dict[str, list[_Chunk]]]]:
    """Sections, and chunks by section id, of some chunked filings at a time."""
    accessions = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT accession_number FROM chunks ORDER BY 1"
        ).fetchall()
    ]
    for start in range(0, len(accessions), _BATCH):
        bounds = [accessions[start], accessions[min(start + _BATCH, len(accessions)) - 1]]
        chunks: dict[str, list[_Chunk]] = defaultdict(list)
        for section_id, *chunk in connection.execute(
            "SELECT section_id, chunk_level, chunk_index, char_start, char_end, chunk_text "
            "FROM chunks WHERE accession_number BETWEEN ? AND ? ORDER BY ALL",
            bounds,
        ).fetchall():
            chunks[section_id].append(tuple(chunk))
        sections = connection.execute(
            "SELECT id, accession_number, section_part, section_type, content_text FROM sections "
            "WHERE accession_number BETWEEN ? AND ? AND accession_number IN "
            "(SELECT accession_number FROM chunks) ORDER BY ALL",
            bounds,
        ).fetchall()
        yield sections, chunks


def _uncovered(section: _Section, chunks: list[_Chunk]) -> list[Place]:
    text = section[4]
    if not text.strip():
        return []
    found = []
    for level in _LEVELS:
        spans = [(start, end) for lv, _, start, end, _ in chunks if lv == level]
        if not spans:
            found.append(_place(section, f"no chunk of level {level}"))
        elif (hole := _hole(text, spans)) is not None:
            found.append(_place(section, f"text at {hole} is between chunks of level {level}"))
    return found


def _hole(text: str, spans: list[tuple[int, int]]) -> int | None:
    """Where the first text stands that no span covers; white space needs none."""
    reached = 0
    for start, end in [*sorted(spans), (_END, _END)]:
        if start > reached and text[reached:start].strip():
            return reached
        reached = max(reached, end)
    return None


def _unresolved(section: _Section, chunks: list[_Chunk]) -> list[Place]:
    return [
        _place(section, f"chunk {index} of level {level} is not the text at {start} to {end}")
        for level, index, start, end, text in chunks
        if start < 0 or section[4][start:end] != text
    ]


def _place(section: _Section, reason: str) -> Place:
    return Place(
        accession_number=section[1],
        section_part=section[2],
        section_type=section[3],
        reason=reason,
    )
