"""What a document says of itself on its first page: inline XBRL's cover facts, or the words.

The whole tree is never parsed: facts are looked up by their names, and words are read from the
first page's markup alone.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from outreach_platform.filings.metadata_values import (
    date_of,
    find_date,
    form_of,
    says_more_than_kind,
    text_of,
)

_NAMES = (
    *("EntityRegistrantName", "EntityCentralIndexKey", "DocumentType", "DocumentPeriodEndDate"),
    *("TradingSymbol", "AmendmentFlag", "AmendmentDescription"),
)
# The literal beginning makes the search fast in documents of 10 MB.
_FACT = re.compile(r"dei:(" + "|".join(_NAMES) + r")[\"']")
_ELEMENT = re.compile(r"<(/?)(?:\w+:)?nonnumeric\b[^<>]*?(/?)>", re.I)
_ATTRIBUTE = re.compile(r"\b(name|contextRef|format)\s*=\s*[\"']([^\"']*)[\"']", re.I)
_LONGEST_FACT = 20_000
_LONGEST_CONTEXT = 5_000
_TRUE = re.compile(r"true|\b1\b|yes|[\u2611\u2612\u2713\u2714\u00fe\u00fd]", re.I)

_HIDDEN = re.compile(r"<(ix:header|script|style|head)\b.*?</\1\s*>", re.I | re.S)
_BLOCK = re.compile(
    r"<(?:br|hr|/?(?:p|div|tr|table|h[1-6]|li|center|body|title|page|pre|dt|dd))\b[^<>]*>", re.I
)
_TAG = re.compile(r"<[^<>]*>")
# Plain text has <PAGE>, <TABLE>, <S> and <C> as well.
_HTML = re.compile(r"<(?:html|body|p|div|br|font|td)\b", re.I)
# Hyphens of all widths, and characters that nobody sees.
_PLAIN = {**dict.fromkeys(range(0x2010, 0x2016), "-"), 0x2212: "-", 0xAD: None, 0x200B: None}
_MARKUP = 200_000
_FIRST_PAGE = 12_000
_EDGE = r"[^A-Za-z0-9\n]*"
_FORM_LINE = re.compile(
    rf"^{_EDGE}(?:(?:annual|quarterly|transition|current)\s+report\s+on\s+)?"
    r"f\s?o\s?r\s?m\s*:?\s*"
    r"(\d\s?\d?\s?-?\s?[A-Z]{1,3}\s?-?\s?(?:T|SB|40[0-9]|SB40)?(?:\s?/\s?A(?:-?\d)?)?"
    r"|12b-?25|NT\s10-[KQ])"
    rf"(?:{_EDGE}(?:\(?mark one\)?|/A|no\.?\s?\d|amendment\b.{{0,30}}|for the .{{0,60}}|"
    rf"(?:annual|quarterly|transition|current) report.{{0,60}}))?{_EDGE}$",
    re.I | re.M,
)
_BARE_FORM_LINE = re.compile(rf"^{_EDGE}(10\s?-\s?[KQ](?:T|SB|40[0-9])?(?:/A)?){_EDGE}$", re.M)
_REPORT = re.compile(
    r"\b(annual|quarterly)\s+report\s+(?:pursuant\s+to|under)\s+section\s+13", re.I
)
_AMENDMENT = re.compile(r"\(?\bAmendment\s+(?:No\.?|Number|#)\s*:?\s*(\d+|[A-Z][a-z]+)\b", re.I)
_ENDED = re.compile(
    r"\b(?:fiscal\s+years?|years?|quarter(?:ly)?(?:\s+periods?)?|periods?|weeks|months)\s+"
    r"(?:ended|ending)\s*:?[\s_]*",
    re.I,
)
_TRANSITION = re.compile(r"transition\s+period\s+from\b[^.;]{0,80}?\bto\b\s*:?[\s_]*", re.I)
# Two columns of a cover run into one another in plain text.
_BETWEEN = re.compile(r"^commission\s+file\s+(?:no|number)[\s.:#]*", re.I)
_EXACT_NAME = re.compile(r"\(?\s*exact\s+name\s+of\s+(?:the\s+)?(?:registrant|company)", re.I)
_NO_NAME = re.compile(
    r"commission|file\s+n(?:o|umber)|transition|period|securities|washington|\bform\b|20549|"
    r"mark one|\bended\b|pursuant|delaware\s*$",
    re.I,
)
_NAME_LINES = 4
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class CoverFacts:
    """What a cover tells; None where it does not.

    Attributes:
        company_name: of the first registrant.
        cik: as printed.
        form_type: as EDGAR writes it.
        period_of_report: end of the period.
        tickers: all trading symbols, the first registrant's first.
        amendment: the description of an amendment, or `Amendment No. 1`.
    """

    company_name: str | None = None
    cik: str | None = None
    form_type: str | None = None
    period_of_report: date | None = None
    tickers: tuple[str, ...] = ()
    amendment: str | None = None


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    context: str
    format: str
    value: str


def inline_facts(markup: str) -> CoverFacts:
    """The cover facts of inline XBRL, of the registrant that stands for the whole filing.

    Args:
        markup: the main document.
    """
    facts = list(_facts(markup))
    whole = {context for context in {fact.context for fact in facts} if _is_whole(markup, context)}
    facts.sort(key=lambda fact: fact.context not in whole)  # stable: document order otherwise
    first: dict[str, _Fact] = {}
    for fact in facts:
        if fact.value or fact.format:
            first.setdefault(fact.name, fact)
    said = {name: text_of(fact.value) for name, fact in first.items()}
    form = form_of(said.get("DocumentType"))
    flag = first.get("AmendmentFlag")
    if form and flag and _TRUE.search(f"{flag.format} {flag.value}") and not form.endswith("/A"):
        form = f"{form}/A"
    period = first.get("DocumentPeriodEndDate")
    symbols = (text_of(fact.value) for fact in facts if fact.name == "TradingSymbol")
    return CoverFacts(
        company_name=said.get("EntityRegistrantName"),
        cik=said.get("EntityCentralIndexKey"),
        form_type=form,
        period_of_report=_period(period) if period else None,
        tickers=tuple(dict.fromkeys(symbol for symbol in symbols if symbol)),
        amendment=said.get("AmendmentDescription"),
    )


def _facts(markup: str) -> Iterator[_Fact]:
    for found in _FACT.finditer(markup):
        start = markup.rfind("<", 0, found.start())
        opened = _ELEMENT.match(markup, start) if start >= 0 else None
        if opened is None or opened[1]:
            continue
        attributes = {key.lower(): value for key, value in _ATTRIBUTE.findall(opened[0])}
        if attributes.get("name") == f"dei:{found[1]}":
            value = "" if opened[2] else _content(markup, opened.end())
            yield _Fact(
                found[1], attributes.get("contextref", ""), attributes.get("format", ""), value
            )


def _content(markup: str, start: int) -> str:
    """The text of an element from behind its tag; facts may hold facts."""
    depth = 1
    for found in _ELEMENT.finditer(markup, start, start + _LONGEST_FACT):
        if not found[2]:
            depth += -1 if found[1] else 1
        if not depth:
            return _plain(markup[start : found.start()])
    return ""


def _is_whole(markup: str, context: str) -> bool:
    """Whether a context is the filing's own, without a segment such as a subsidiary or a share."""
    for quote in "\"'":
        needle, place = f"id={quote}{context}{quote}", -1
        while (place := markup.find(needle, place + 1)) >= 0:
            tag = markup.rfind("<", 0, place)
            if "context" in markup[tag:place].lower():
                end = markup.find("context>", place, place + _LONGEST_CONTEXT)
                return "segment" not in markup[place:end].lower()
    return False


def _period(fact: _Fact) -> date | None:
    day_first = "day-month" in fact.format or "daymonth" in fact.format
    return date_of(fact.value, day_first=day_first)


def _plain(markup: str) -> str:
    text = html.unescape(_TAG.sub(" ", _BLOCK.sub("\n", markup)))
    return " ".join(text.replace("\u200b", "").split())


def read_cover(markup: str) -> CoverFacts:
    """What the words of the first page say, for documents without cover facts.

    Args:
        markup: HTML or plain text.
    """
    page = first_page(markup)
    form, place = _form(page)
    amended = _AMENDMENT.search(page, place, place + 1500)
    if form and amended and not form.endswith("/A"):
        form = f"{form}/A"
    amendment = " ".join(amended[0].strip("( ").split()) if amended else None
    return CoverFacts(
        company_name=_company(page),
        form_type=form,
        period_of_report=_ended(page),
        amendment=amendment if form and form.endswith("/A") else None,
    )


def first_page(markup: str) -> str:
    """The visible text of a document's beginning, in lines of single spaces."""
    start = 0
    if (header := markup.find("<ix:header")) >= 0:
        # Thousands of contexts stand before the first visible word.
        start = max(markup.find("</ix:header>", header), 0)
    beginning = _HIDDEN.sub(" ", markup[start : start + _MARKUP])
    if _HTML.search(beginning, 0, 20_000):
        # A line break in the markup of HTML is a space.
        beginning = _BLOCK.sub("\x00", beginning).replace("\n", " ").replace("\x00", "\n")
    text = html.unescape(_TAG.sub("", beginning)).translate(_PLAIN)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)[:_FIRST_PAGE]


def _form(page: str) -> tuple[str | None, int]:
    """The form that the first page names, and where."""
    for pattern in (_FORM_LINE, _BARE_FORM_LINE):
        if found := pattern.search(page):
            return form_of(found[1]), found.start()
    if found := _REPORT.search(page):
        return ("10-K" if found[1].lower() == "annual" else "10-Q"), found.start()
    return None, 0


def _ended(page: str) -> date | None:
    """The end of the period: `for the fiscal year ended …`, else the transition period's."""
    for pattern in (_ENDED, _TRANSITION):
        for found in pattern.finditer(page):
            behind = page[found.end() : found.end() + 90].replace("\n", " ")
            if dated := find_date(_BETWEEN.sub("", behind)):
                return dated[0]
    return None


def _company(page: str) -> str | None:
    """The line above `(Exact name of registrant as specified in its charter)`.

    Two lines, where the lower one only says `CORPORATION` or the like.
    """
    found = _EXACT_NAME.search(page)
    if found is None:
        return None
    above = page[: found.start()].split("\n")[-_NAME_LINES:]
    lines = [line.strip(" _-=*\t") for line in above]
    lines = [line for line in lines if len(line) > 2 and any(c.isalpha() for c in line)]
    name = lines[-1] if lines else ""
    if len(lines) > 1 and not says_more_than_kind(name):
        name = f"{lines[-2]} {name}"
    return None if not name or _NO_NAME.search(name) or len(name) > _LONGEST_NAME else name
