"""One set of chunks for each section, made from the text that stands, with ids and parents."""

from collections.abc import Iterator

import duckdb

from outreach_platform.filings.dedupe_rows import changed, remove
from outreach_platform.filings.health_sql import id_sql

_NEW_ID = id_sql(
    *("chunk", "accession_number", "section_part", "section_type"),
    *("chunk_level", "chunk_index"),
)


def clean_chunks(connection: duckdb.DuckDBPyConnection, *, foreign: bool) -> dict[str, int]:
    """Let chunks follow their sections, keep one set a section, and give ids and parents.

    Args:
        connection: see `dedupe_rows`; `clean_sections` has run.
        foreign: offsets and numbers are not ours: what stands in its section's text gets the
            offsets it has there, what does not is removed.

    Returns:
        Numbers of changes that are no removals.
    """
    connection.execute(_PLACED)
    _keep_one_set(connection)
    counts = {"chunks: tied to the section that stands": changed(connection, _TIE)}
    if foreign:
        counts["chunks: offsets found in the text"] = _relocate(connection)
    remove(connection, "chunks", _OF_ONE_KEY, "another row stands for this chunk", lost=True)
    if foreign:
        counts["chunks: numbered anew"] = changed(connection, _RENUMBER)
    connection.execute(_HEIRS)
    counts["chunks: id made the hash of its key"] = changed(
        connection, f"UPDATE chunks SET chunk_id = {_NEW_ID} WHERE chunk_id IS DISTINCT FROM "
        f"{_NEW_ID}"
    )  # fmt: skip
    counts["chunks: parent found"] = changed(connection, _PARENTS)
    return counts


# `turn` says which section's chunks come first among those that now share a section: its own,
# then those of a section with the same text.
_PLACED = """
    CREATE OR REPLACE TEMP TABLE chunk_places AS
    SELECT c.rowid AS place, c.chunk_id AS owner, c.accession_number, h.heir AS section, h.same,
        dense_rank() OVER (PARTITION BY h.heir ORDER BY h.own DESC, h.same DESC, c.section_id)
            AS turn
    FROM chunks c LEFT JOIN section_heirs h
        ON h.owner = c.section_id AND h.accession_number = c.accession_number"""


def _keep_one_set(connection: duckdb.DuckDBPyConnection) -> None:
    for where, reason, lost in (
        ("section IS NULL", "its section does not stand", True),
        ("NOT same", "it is from a text that a better one replaced", True),
        ("same AND turn > 1", "the section has its chunks", False),
    ):
        remove(
            connection,
            "chunks",
            f"SELECT place FROM chunk_places WHERE {where}",
            reason,
            lost=lost,
        )


_TIE = """
    UPDATE chunks SET section_id = s.id, section_part = s.section_part,
        section_type = s.section_type
    FROM chunk_places p JOIN sections s ON s.id = p.section
    WHERE chunks.rowid = p.place AND (chunks.section_id IS DISTINCT FROM s.id
        OR chunks.section_part IS DISTINCT FROM s.section_part
        OR chunks.section_type IS DISTINCT FROM s.section_type)"""

# Rows whose offsets give their text come first.
_OF_ONE_KEY = """
    WITH twins AS (
        SELECT rowid AS place, * FROM chunks WHERE chunk_index IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY section_id, chunk_level, chunk_index) > 1
    ), judged AS (
        SELECT t.*, substring(s.content_text, t.char_start + 1, t.char_end - t.char_start)
            = t.chunk_text AS resolves
        FROM twins t JOIN sections s ON s.id = t.section_id
    )
    SELECT place FROM judged QUALIFY row_number() OVER (
        PARTITION BY section_id, chunk_level, chunk_index ORDER BY resolves DESC NULLS LAST,
        created_at DESC NULLS LAST, chunk_text, chunk_id, place) > 1"""

_RENUMBER = """
    UPDATE chunks SET chunk_index = n.number FROM (
        SELECT rowid AS place, section_id, chunk_level, row_number() OVER (
            PARTITION BY section_id, chunk_level ORDER BY chunk_index NULLS LAST, char_start, rowid
        ) - 1 AS number FROM chunks
    ) n WHERE chunks.rowid = n.place AND (n.section_id, n.chunk_level) IN (
        SELECT (section_id, chunk_level) FROM chunks WHERE chunk_index IS NULL
    ) AND chunk_index IS DISTINCT FROM n.number"""

# Each chunk as it was, and the id of the chunk that stands in its place.
_HEIRS = f"""
    CREATE OR REPLACE TEMP TABLE chunk_heirs AS SELECT DISTINCT ON (accession_number, owner)
        p.accession_number, p.owner, c.heir
    FROM chunk_places p JOIN (SELECT rowid AS place, {_NEW_ID} AS heir FROM chunks) c USING (place)
    ORDER BY p.accession_number, p.owner, c.heir"""

# A parent that went is replaced by the smallest chunk of a lower level around its child.
_PARENTS = """
    UPDATE chunks SET parent_chunk_id = n.parent FROM (
        SELECT c.rowid AS place, coalesce(any_value(p.chunk_id), arg_min(a.chunk_id,
            (a.char_end - a.char_start, a.chunk_level, a.chunk_index))) AS parent
        FROM chunks c
            LEFT JOIN chunk_heirs h ON h.owner = c.parent_chunk_id
                AND h.accession_number = c.accession_number
            LEFT JOIN chunks p ON p.chunk_id = h.heir AND p.section_id = c.section_id
                AND p.chunk_level < c.chunk_level
            LEFT JOIN chunks a ON p.chunk_id IS NULL AND a.section_id = c.section_id
                AND a.chunk_level < c.chunk_level
                AND a.char_start <= c.char_start AND a.char_end >= c.char_end
        WHERE c.parent_chunk_id IS NOT NULL
            AND (p.chunk_id IS NULL OR p.chunk_id <> c.parent_chunk_id)
        GROUP BY c.rowid
    ) n WHERE chunks.rowid = n.place AND parent_chunk_id IS DISTINCT FROM n.parent"""


def _relocate(connection: duckdb.DuckDBPyConnection) -> int:
    """Give chunks the offsets of their text in the section's, and remove those it does not have."""
    moved: list[tuple[int, int, int]] = []
    lost: list[int] = []
    for place, level, text, start, end, chunk in _with_texts(connection):
        if level is None:
            lost.append(place)
        elif start is None or end is None or start < 0 or text[start:end] != chunk:
            found = _nearest(text, chunk, start or 0)
            if found is None:
                lost.append(place)
            else:
                moved.append((place, found, found + len(chunk)))
    _note(connection, moved, lost)
    remove(
        connection,
        "chunks",
        "SELECT place FROM chunks_lost",
        "its text does not stand in its section",
        lost=True,
    )
    return changed(
        connection,
        "UPDATE chunks SET char_start = m.first, char_end = m.behind FROM chunks_moved m "
        "WHERE chunks.rowid = m.place",
    )


def _with_texts(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[tuple[int, int | None, str, int | None, int | None, str]]:
    """Row, level, section's text, offsets and text of each chunk, a section at a time."""
    sections = connection.execute("SELECT DISTINCT section_id FROM chunks ORDER BY 1").fetchall()
    for (section,) in sections:
        row = connection.execute(
            "SELECT content_text FROM sections WHERE id = ?", [section]
        ).fetchone()
        for place, level, start, end, chunk in connection.execute(
            "SELECT rowid, chunk_level, char_start, char_end, chunk_text FROM chunks "
            "WHERE section_id = ?",
            [section],
        ).fetchall():
            yield place, level, row[0] if row else "", start, end, chunk


def _nearest(text: str, chunk: str, near: int) -> int | None:
    """Where `chunk` stands in `text`, the place nearest to `near`; None where it does not."""
    behind, before = text.find(chunk, near), text.rfind(chunk, 0, near + len(chunk))
    found = [place for place in (behind, before) if place >= 0]
    return min(found, key=lambda place: abs(place - near)) if found and chunk else None


def _note(
    connection: duckdb.DuckDBPyConnection, moved: list[tuple[int, int, int]], lost: list[int]
) -> None:
    """Temporary tables of chunks with new offsets, and of chunks to remove."""
    import pyarrow as pa

    whole = pa.int64()
    columns = list(zip(*moved, strict=True)) or [(), (), ()]
    for name, table in (
        (
            "chunks_moved",
            pa.table([pa.array(c, whole) for c in columns], ["place", "first", "behind"]),
        ),
        ("chunks_lost", pa.table([pa.array(lost, whole)], ["place"])),
    ):
        connection.register("noted", table)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM noted")
        connection.unregister("noted")
