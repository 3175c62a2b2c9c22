"""The chunks of a filing: what a retrieval system reads and cites.

Each section is one chunk (level 1), cut into topics (level 2) that overlap and together hold all of
its text, and each topic into paragraphs (level 3) that do not overlap. Offsets count from the
section's first character.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outreach_platform.filings import model
from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.chunks_blocks import OWN_HEADING, Block, read_blocks
from outreach_platform.filings.parsing.chunks_topics import Topic, cut_topics
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.tokens import TokenIndex

SECTION, TOPIC, PARAGRAPH = 1, 2, 3
# Rows of a table are one paragraph up to this many tokens.
_TABLE_TOKENS = 400
# What is shorter, a page number or an item of a list, is no paragraph of its own.
_SHORT_TOKENS = 16
_DIGIT = re.compile(r"\d")
_SPACES = re.compile(r"\s+")


def extract_chunks(
    document: Document, sections: Sequence[Section], accession: str
) -> list[dict[str, Any]]:
    """Cut the sections of a filing into chunks.

    Args:
        document: the filing.
        sections: its sections; one without text gives no chunk.
        accession: the filing's accession number.

    Returns:
        Rows of the table `chunks` without `created_at`, by section, level and index.
        `content_text[char_start:char_end] == chunk_text` for each, where the section's
        `content_text` is `document.text[section.start:section.end]`.
    """
    rows: list[dict[str, Any]] = []
    for section in sections:
        if document.text[section.start : section.end].strip():
            rows.extend(_Cutter(document, section, accession).rows())
    return rows


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    text: str


class _Cutter:
    """Cuts one section."""

    def __init__(self, document: Document, section: Section, accession: str) -> None:
        self.text = document.text
        self.section = section
        self.accession = accession
        self.index = TokenIndex(document.text[section.start : section.end])
        self.blocks = read_blocks(document, section.start, section.end, section.heading_end)
        self.headings = list(_headings(document.text, self.blocks))
        self.title = _one_line(section.title) or f"Item {section.number}"

    def rows(self) -> Iterator[dict[str, Any]]:
        section = self.section
        whole = self._row(SECTION, 0, section.start, section.end, None, self.title)
        yield whole
        topics = cut_topics(self.text, self.blocks, self.index, section.start)
        parents: list[str] = []
        for number, topic in enumerate(topics):
            row = self._row(TOPIC, number, topic.start, topic.end, whole["chunk_id"], None, topic)
            parents.append(row["chunk_id"])
            yield row
        number = 0
        for parent, core, end in zip(
            parents, [t.core for t in topics], [t.end for t in topics], strict=True
        ):
            for start, stop in self._paragraphs(core, end):
                yield self._row(PARAGRAPH, number, start, stop, parent)
                number += 1

    def _paragraphs(self, core: int, end: int) -> list[tuple[int, int]]:
        """The paragraphs of a topic without its overlap.

        A heading and what ends with a colon join what follows; other short ones, such as items of
        a list or page numbers, join what goes before.
        """
        found: list[tuple[int, int]] = []
        joins = False
        for start, stop, heading in self._pieces(core, end):
            short = self._tokens(start, stop) < _SHORT_TOKENS
            if found and (joins or (short and not heading)):
                found[-1] = (found[-1][0], stop)
            else:
                found.append((start, stop))
            joins = heading or (short and self.text[stop - 1] == ":")
        if joins and len(found) > 1:
            start, stop = found.pop()
            found[-1] = (found[-1][0], stop)
        return found

    def _pieces(self, core: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Blocks between two offsets, tables cut at rows; with whether each is a heading."""
        first = bisect_right(self.blocks, core, key=lambda block: block.end)
        for block in self.blocks[first:]:
            if block.start >= end:
                return
            start, stop = max(block.start, core), min(block.end, end)
            rows = block.rows[bisect_right(block.rows, start) : bisect_left(block.rows, stop)]
            for row in rows:
                if self._tokens(start, row) >= _TABLE_TOKENS:
                    yield start, start + len(self.text[start:row].rstrip()), False
                    start = row
            yield start, stop, block.strength > 0

    def _tokens(self, start: int, end: int) -> int:
        return self.index.count(start - self.section.start, end - self.section.start)

    def _heading_at(self, start: int) -> str:
        number = bisect_right(self.headings, start, key=lambda heading: heading.start)
        return self.headings[number - 1].text if number else self.title

    def _has_table(self, start: int, end: int) -> bool:
        first = bisect_right(self.blocks, start, key=lambda block: block.end)
        for block in self.blocks[first:]:
            if block.start >= end:
                return False
            if block.rows:
                return True
        return False

    def _row(
        self,
        level: int,
        number: int,
        start: int,
        end: int,
        parent: str | None,
        heading: str | None = None,
        topic: Topic | None = None,
    ) -> dict[str, Any]:
        section, text = self.section, self.text[start:end]
        key = (self.accession, section.section_part, section.section_type)
        return {
            "chunk_id": model.chunk_id(*key, level, number),
            "accession_number": self.accession,
            "section_id": model.section_id(*key),
            "parent_chunk_id": parent,
            "chunk_level": level,
            "chunk_index": number,
            "chunk_text": text,
            "token_count": self._tokens(start, end),
            "char_start": start - section.start,
            "char_end": end - section.start,
            "heading": heading or self._heading_at(topic.core if topic else start),
            "section_part": section.section_part,
            "section_type": section.section_type,
            "contains_tables": self._has_table(start, end),
            "contains_numbers": _DIGIT.search(text) is not None,
        }


def _headings(text: str, blocks: Iterable[Block]) -> Iterator[_Heading]:
    for block in blocks:
        if 0 < block.strength < OWN_HEADING:
            yield _Heading(block.start, _one_line(text[block.start : block.end]))


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
