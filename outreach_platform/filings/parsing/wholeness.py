"""Whether a file is what it should be: text, whole, and no error page.

Judged with care: thousands of complete documents of the 1990s never close `<html>`, and refusing
one of them loses a filing. So a cut is only stated where the markup itself proves it.
"""

import re

_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n\r\f"
_MOSTLY = 0.7
_SAMPLE = 200_000
_OPEN_SUBMISSION = re.compile(rb"^<(?:SEC|IMS)-DOCUMENT>", re.I | re.M)
_CLOSED_SUBMISSION = re.compile(rb"</(?:SEC|IMS)-DOCUMENT>", re.I)
_CLOSED_DOCUMENT = re.compile(rb"</DOCUMENT>", re.I)
_CLOSED_TEXT = re.compile(rb"</(?:TEXT|DOCUMENT)>", re.I)
_PAGE_END = re.compile(rb"</html>\s*\Z", re.I)
_LAST_OPEN = re.compile(rb"^[ \t]*<DOCUMENT>", re.I | re.M)
_COUNT = re.compile(rb"PUBLIC[ -]DOCUMENT[ -]COUNT[>:]\s*(\d+)", re.I)
_HTML = re.compile(r"<(?:html|body)\b", re.I)
_CLOSED_HTML = re.compile(r"</\s*(?:html|body|xbrl)\s*>", re.I)
_XHTML = re.compile(r"\A\s*<\?xml|<html[^>]*\sxmlns", re.I)
_IN_TAG = re.compile(r"</?[a-zA-Z][^<>]*\Z")
_LAST_TEXT = re.compile(r"<[a-zA-Z][^<>]*>([^<>]*)\Z")
# A sentence that breaks off in a small letter; names and titles at the end of a signature do not.
_BREAKS_OFF = re.compile(r"(?:\S+\s+){3,}(?:[a-z]+|\S*[,-])\Z")
# An error page is short; a filing that quotes one is not.
_ERROR_PAGE = 60_000
_SAYS_ERROR = re.compile(
    r"Request Rate Threshold Exceeded|Undeclared Automated Tool|"
    r"Your Request Originates from an Undeclared|automated access to our sites must comply",
    re.I,
)
_ERROR_TITLE = re.compile(
    r"<(title|h1|h2|code)[^>]*>\s*((?:[^<]{0,60}\|\s*)?(?:error\s*)?(?:[45]\d\d\b|file not found|"
    r"page not found|not found|file unavailable|access ?denied|forbidden|nosuchkey|"
    r"service (?:temporarily )?unavailable|bad gateway|gateway time-?out|"
    r"this page is temporarily unavailable|edgar (?:filing documents|filing index|search results)|"
    r"(?:inline )?xbrl viewer)[^<]{0,60})",
    re.I,
)


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text: NUL bytes inside, or mostly unprintable."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False
    body = data.rstrip(b"\0\x1a")
    if b"\0" in body or body[:5] == b"%PDF-":
        return True
    sample = body[:_SAMPLE]
    return len(sample.translate(None, _PRINTABLE)) > (1 - _MOSTLY) * len(sample)


def unclosed_submission(data: bytes, documents: int) -> str | None:
    """Why a submission is cut off; None where it is whole or not to be told.

    Args:
        data: the unpacked bytes.
        documents: how many `<DOCUMENT>` it opens.
    """
    if documents:
        last = [found.start() for found in _LAST_OPEN.finditer(data)][-1]
        # A page that closes is whole, whoever took the lines behind it away.
        if not _CLOSED_TEXT.search(data, last) and not _PAGE_END.search(data[-100:]):
            return "its last document never closes"
    if not _OPEN_SUBMISSION.search(data, 0, 20_000) or _CLOSED_SUBMISSION.search(data):
        return None
    told = _COUNT.search(data, 0, 50_000)
    closed = len(_CLOSED_DOCUMENT.findall(data))
    if documents and (told is None or closed >= int(told[1])):
        return None
    if told is None:
        return "the submission never closes"
    return f"it holds {closed} of {int(told[1])} documents"


def unclosed_html(text: str) -> str | None:
    """Why a bare page is cut off; None where it is whole or not to be told."""
    if not _HTML.search(text, 0, 200_000) or _CLOSED_HTML.search(text[-5000:]):
        return None
    tail = text.rstrip()[-20_000:]
    if _IN_TAG.search(tail):
        return "it ends inside a tag"
    if _CLOSED_HTML.search(text):
        return None
    if _XHTML.search(text[:5000]):
        return "it is XHTML that never closes"
    lower = text.lower()
    if lower.rfind("<table") > lower.rfind("</table"):
        return "it ends inside a table"
    last = _LAST_TEXT.search(tail)
    if last and _BREAKS_OFF.search(last[1].strip()):
        return "it ends in the middle of a sentence"
    return None


def error_page(text: str) -> str | None:
    """The headline of an error page that was saved in place of a filing; None for anything else."""
    if len(text) > _ERROR_PAGE:
        return None
    if said := _SAYS_ERROR.search(text):
        return said[0]
    if titled := _ERROR_TITLE.search(text):
        return " ".join(titled[2].split())
    return None
