"""Judgements over found sections, from the sections and the text alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document


@dataclass(frozen=True, slots=True)
class Proposal:
    """A section as another extractor sees it.

    Attributes:
        section_type: `item_1a` and so on.
        section_part: `part_i` to `part_iv`; empty where the extractor does not tell.
        opening: the first 200 characters or so of its text.
        length: of its text, in characters.
    """

    section_type: str
    section_part: str
    opening: str
    length: int


class SecondOpinion(Protocol):
    """Another extractor, bound to the same filing; asked only when the gates doubt."""

    def __call__(self) -> list[Proposal]:
        """All sections that the other extractor finds."""
        ...


def doubts(
    document: Document, sections: Sequence[Section], form: str, year: int
) -> list[dict[str, Any]]:
    """What speaks against the sections, each with `code` and what it takes to judge it."""
    return []
