"""Pointers to exhibits of the same submission: Item 7 that stands in the annual report, Exhibit 13.

The section's own text stays what the filing says there; its cross-references tell that the exhibit
is at hand, and what stands on the pages they name.
"""

import re
from collections.abc import Sequence
from typing import Any

from outreach_platform.filings.parsing.cross_index_pages import PageMap, ranges_in
from outreach_platform.filings.parsing.items import Item, catalogue
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.submission import SubmissionDocument

References = list[dict[str, Any]]

_EXHIBIT = re.compile(r"^EX-?(\d{1,3}(?:\.\d{1,3})?)", re.I)
_NUMBER = re.compile(r"^exhibit (\d{1,3}(?:\.\d{1,3})?)$")
# The annual report to shareholders is Exhibit 13 of a 10-K.
_ANNUAL_REPORT = "13"
# A longer exhibit is named but not read.
_LARGEST = 8 * 2**20


class Exhibits:
    """The exhibits of a submission, each read at most once.

    Args:
        documents: of the submission.
    """

    def __init__(self, documents: Sequence[SubmissionDocument]) -> None:
        self._documents: dict[str, SubmissionDocument] = {}
        for document in documents:
            if found := _EXHIBIT.match(document.type):
                self._documents.setdefault(found[1], document)
                self._documents.setdefault(found[1].partition(".")[0], document)
        self._pages: dict[int, PageMap | None] = {}

    def located(
        self, references: References, section_type: str, form: str, year: int
    ) -> References:
        """The references, those to an exhibit at hand with the exhibit.

        Args:
            references: of one section, as `marks_of` gives them.
            section_type: of the section; a heading like its title is preferred.
            form: as registered.
            year: of filing.

        Returns:
            The same dicts; one that names the annual report or an exhibit gains `document` (its
            type as filed) and `sequence`, and `heading` where its pages are found in it.
        """
        item = next((i for i in catalogue(form, year) if i.section_type == section_type), None)
        return [self._located(reference, item) for reference in references]

    def _located(self, reference: dict[str, Any], item: Item | None) -> dict[str, Any]:
        exhibit = self._exhibit(reference["to"])
        if exhibit is None:
            return reference
        place = {"document": exhibit.type.upper(), "sequence": exhibit.sequence}
        if heading := self._heading(exhibit, reference["pages"], item):
            place["heading"] = heading
        return reference | place

    def _exhibit(self, to: str) -> SubmissionDocument | None:
        if to == "annual report":
            return self._documents.get(_ANNUAL_REPORT)
        found = _NUMBER.match(to)
        return self._documents.get(found[1]) if found else None

    def _heading(
        self, exhibit: SubmissionDocument, pages: str | None, item: Item | None
    ) -> str | None:
        """What the named pages of an exhibit are headed by."""
        ranges = ranges_in(pages or "")
        if not ranges or item is None:
            return None
        if exhibit.sequence not in self._pages:
            self._pages[exhibit.sequence] = _page_map(exhibit)
        page_map = self._pages[exhibit.sequence]
        if page_map is None:
            return None
        return page_map.resolve(*ranges[0], item).get("heading")


def _page_map(exhibit: SubmissionDocument) -> PageMap | None:
    if len(exhibit.text) > _LARGEST:
        return None
    try:
        return PageMap(read_document(exhibit.text))
    except ValueError:
        return None
