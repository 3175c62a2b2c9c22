"""Another extractor's view of a filing, asked where the gates doubt the project's own.

HTML goes to edgartools' parser, which works in another way (anchors of the contents, then
patterns) and so errs elsewhere. It is slow to import and to run: nothing happens before the call.
Plain text goes to a plainer method than the project's own reader.
"""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from outreach_platform.filings.parsing.gates import Proposal

_LOG = logging.getLogger(__name__)
_OPENING = 200
# Beyond this the parser takes minutes and gigabytes; the gates then judge without it.
_LARGEST = 60 * 2**20
_ITEM = re.compile(r"^\d{1,2}[a-c]?$")
_DATA_FOLDER = "EDGAR_LOCAL_DATA_DIR"


def second_opinion(markup: str, form: str) -> Callable[[], list[Proposal]]:
    """Another extractor, bound to a filing.

    Args:
        markup: the main document, HTML or plain text.
        form: as registered, for example `10-K405/A`.

    Returns:
        A function without arguments that gives the other extractor's sections. It never raises for
        what is in the document: where the library fails there are no proposals, and the log says
        why.
    """

    def ask() -> list[Proposal]:
        from outreach_platform.filings.parsing.reader import is_html
        from outreach_platform.filings.parsing.second_opinion_plain import plain_proposals

        if not is_html(markup):
            return plain_proposals(markup, form)
        return edgar_proposals(markup, form)

    return ask


def edgar_proposals(markup: str, form: str) -> list[Proposal]:
    """The sections that edgartools' parser finds in HTML."""
    if len(markup) > _LARGEST:
        _LOG.warning("no second opinion: %d characters are too many for it", len(markup))
        return []
    try:
        sections = _sections(markup, "10-Q" if form.startswith("10-Q") else "10-K")
    # What a library of this size raises on foreign input cannot be listed.
    except Exception as error:  # noqa: BLE001
        _LOG.warning("no second opinion: edgartools failed with %s", type(error).__name__)
        return []
    return [
        Proposal(f"item_{item}", part, " ".join(text[:_OPENING].split()), len(text))
        for part, items, text in sections
        for item in items
    ]


def _sections(markup: str, form: str) -> list[tuple[str, list[str], str]]:
    """Part, items and text of each section of edgartools; signatures and the like left out."""
    parser, config = _library()
    found: list[tuple[str, list[str], str]] = []
    with _quiet():
        document = parser(config(form=form)).parse(markup)
        for section in document.sections.values():
            items = [item.lower() for item in section.covered_items or (section.item or "",)]
            items = [item for item in items if _ITEM.match(item)]
            text = (section.text() or "").strip()
            if items and text:
                part = (section.part or "").lower()
                found.append((f"part_{part}" if part else "", items, text))
    return found


@cache
def _library() -> tuple[Any, Any]:
    """Edgartools' parser and its settings, imported once a process.

    On import the library makes folders in the home directory, which may be read-only. It gets one
    for the time of the import: parsing needs none.
    """
    before = os.environ.get(_DATA_FOLDER)
    with tempfile.TemporaryDirectory(prefix="outreach-edgartools-") as folder, _quiet():
        os.environ[_DATA_FOLDER] = folder
        try:
            from edgar.documents import HTMLParser, ParserConfig
        finally:
            if before is None:
                del os.environ[_DATA_FOLDER]
            else:
                os.environ[_DATA_FOLDER] = before
    return HTMLParser, ParserConfig


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's own log lines out of ours: it warns of each odd page."""
    logger = logging.getLogger("edgar")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
