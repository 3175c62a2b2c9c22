"""Which reader a document needs: its markup decides, not its name."""

import re
from itertools import islice

from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.plain import read_plain

# Tags of a page; plain-text submissions have <PAGE>, <TABLE>, <CAPTION>, <S>, <C>, <FN> and others.
_PAGE_TAG = re.compile(r"<(?:p|br|div|td|tr|font|span|center|h[1-6]|li|hr)\b[^<>]*>", re.I)
_PRE = re.compile(r"<pre\b[^<>]*>(.*?)(?:</pre\s*>|\Z)", re.I | re.S)
_IN_PRE = re.compile(r"<(?:p|td|tr|div)\b[^<>]*>", re.I)
# This many tags of a page, or one in this many characters, make a document HTML.
_ENOUGH = 20
_DENSITY = 500
_MOSTLY = 0.7


def read_document(text: str) -> Document:
    """Read a main document with the reader that its markup asks for.

    Args:
        text: HTML or plain text, without SGML around it.

    Raises:
        ValueError: there is no text in it.
    """
    return read_html(text) if is_html(text) else read_plain(text)


def is_html(text: str) -> bool:
    """Whether a document is laid out by HTML; text inside one `<pre>` is not."""
    tags = sum(1 for _ in islice(_PAGE_TAG.finditer(text), _ENOUGH))
    if tags < _ENOUGH and tags * _DENSITY < len(text):
        return False
    return not _is_preformatted(text)


def _is_preformatted(text: str) -> bool:
    inside = [found[1] for found in _PRE.finditer(text)]
    length = sum(len(part) for part in inside)
    if length < _MOSTLY * len(text):
        return False
    return sum(len(_IN_PRE.findall(part)) for part in inside) * _DENSITY < length
