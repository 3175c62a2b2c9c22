"""What a section says of itself: incorporated by reference, omitted, reserved, none.

A filer must name every item of its form, and many a section only says why there is nothing in it.
Such a section is found and right; its mark tells a reader not to look for more.
"""

import re
from typing import Any

from outreach_platform.filings.parsing.marks_references import cross_references, item_of, note_of
from outreach_platform.filings.parsing.marks_targets import STANDING, documents_in, pages_in

Marks = list[dict[str, Any]]

# What a section says is judged where it is short; in a long one only the opening is read.
_LONG = 6_000
_READ = 300_000
_OPENING = 1_500
# A section is "essentially" its mark when at most this many characters, or this share of its
# words, say something else.
_OTHER_CHARACTERS = 60
_OTHER_SHARE = 0.25

_ITEM = re.compile(
    r"^\W*items?\s*\d{1,2}\s*\(?[a-c]?\)?(?=[\W_])[\s.:;,)\u2010-\u2015\u2212-]*", re.I
)
_SENTENCE = re.compile(
    r"(?<!\bNo\.)(?<!\bInc\.)(?<!\bCo\.)(?<!\bCorp\.)(?<!\bSec\.)(?<!\bU\.S\.)(?<!\bp\.)(?<!\bpp\.)"
    r"(?<=[.!?])[\"\u201d\u2019)]*\s+(?=[\"\u201c(\[]?[A-Z0-9])|\n\s*\n"
)
_FURNITURE = re.compile(
    r"^\W*(?:\d{1,3}|[-\u2013\u2014]\s*\d{1,3}\s*[-\u2013\u2014]|[ivx]+|f-\d+|<page>|part\s+i[iv]*\W*|page\s+\d+.*|"
    r"table\s+of\s+contents|\*+|[-=_]+|[^.]{0,60}\bform\s+10-[kq][^.\w]{0,12}\d{1,4}|(?:.{0,60}\|\s*)?\d{1,3}(?:\s*\|.{0,60})?|"
    r".{0,60}\|\s*\d{1,3})\W*$",
    re.I,
)
_LISTED = r"^\W*(?:\(?[a-z0-9]\)\W*|[a-z]\.\s+)?"
_NONE = re.compile(
    _LISTED
    + r"(?:(?:there\s+(?:(?:is|are|was|were)|(?:has|have)\s+been)\s+)?none\b(?!\s+of\b)|nil\b|"
    r"nothing\s+to\s+(?:report|disclose)|no\s+(?:matters?|items?|such|events?|changes?|reports?|"
    r"disagreements?|defaults?|information|unresolved|response|disclosure)\b|"
    r"there\s+(?:(?:is|are|was|were)|(?:has|have)\s+been)\s+no\b|"
    r"during\s+(?:the|this)\b.{0,80}?\bno\s+(?:matters?|reports?)\b)",
    re.I | re.S,
)
_NOT_APPLICABLE = re.compile(
    _LISTED
    + r"(?:(?:this\s+item\s+)?(?:is\s+|are\s+)?(?:not\s+(?:currently\s+|presently\s+)?applicable|"
    r"inapplicable)\b|n/a\b|does\s+not\s+apply\b|.{0,80}\b(?:is|are)\s+not\s+applicable\b)",
    re.I | re.S,
)
_RESERVED = re.compile(
    r"^\W*(?:\(?removed\s+and\s+)?reserved\b|^\W*intentionally\s+(?:left\s+blank|omitted)"
    r"|[\[(](?:removed\s+and\s+)?reserved[\])]",
    re.I,
)
_OMITTED = re.compile(
    r"\bomitted\b|\bnot\s+(?:being\s+)?(?:required|obligated)\b|\bnot\s+applicable\s+(?:to|for|as|because)|"
    r"\bnot\s+(?:called\s+for|provided|presented|included)\b|\bneed\s+not\s+(?:be\s+)?(?:provide|furnish)",
    re.I,
)
_REASONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.I))
    for name, pattern in (
        ("smaller reporting company", r"\bsmaller[\s-]+reporting[\s-]+compan"),
        ("small business issuer", r"\bsmall[\s-]+business[\s-]+issuer"),
        ("general instruction j", r"\bgeneral\s+instructions?\s+\(?j\b"),
        ("general instruction i(2)", r"\bgeneral\s+instructions?\s+\(?i\b"),
        ("general instruction h(2)", r"\bgeneral\s+instructions?\s+\(?h\b"),
        ("general instruction g(3)", r"\bgeneral\s+instructions?\s+\(?g\b"),
        ("reduced disclosure format", r"\breduced\s+disclosure"),
        ("no-action letter", r"\bno[\s-]+action\b|\bexemptive\b|\bexemption\b|\brelief\b"),
        ("asset-backed issuer", r"\basset[\s-]+backed\b|\bregulation\s+ab\b"),
        ("not required", r"\bnot\s+(?:being\s+)?(?:required|obligated)\b"),
    )
)
_INCORPORATED = re.compile(
    r"\bincorporat(?:ed|es|ion|ing)\b[^.]{0,80}?\b(?:by|herein|from)\b|\bby\s+(?:this\s+)?reference\b",
    re.I,
)
_ELSEWHERE = re.compile(
    r"\b(?:see|refer(?:ence)?\s+(?:is\s+(?:hereby\s+)?made\s+)?to|appears?|appearing|contained|"
    r"set\s+forth|included|presented|provided|found|located|filed|submitted|begin(?:s|ning)?|"
    r"listed|under|discussed)\b",
    re.I,
)
_ASKED = re.compile(
    r"\b(?:information|disclosure|statements?|data|response|material)\b[^.]{0,120}?"
    r"\b(?:required|called\s+for|requested|specified|responsive|with\s+respect\s+to)\b|"
    r"\bthis\s+item\b|\bitems?\s+\d",
    re.I,
)
_LISTS_EXHIBITS = re.compile(r"\bexhibits?\b", re.I)
_UNCHANGED = re.compile(
    r"\bno\s+(?:material\s+|significant\s+)*changes?\b|\bnot\s+(?:materially\s+)?changed?\b", re.I
)
# Without one of these the sentence may speak of accountants or controls.
_EARLIER = re.compile(
    r"\brisks?\b|\b(?:previously|earlier)\b|\bdisclos|\bannual\s+report|\bform\s+10-?k\b", re.I
)
# A sentence beside a pointer that adds nothing to it.
_BESIDE = re.compile(
    r"^\W*(?:consolidated|notes?\s+to|reports?\s+of|statements?\s+of|balance\s+sheets?|quarterly)\b"
    r"[^.]{0,140}\.?$|"
    r"\bpcaob\b|\bauditor\s+id\b|\b(?:will|to|was|is\s+expected\s+to)\s+be\s+filed\b",
    re.I,
)


def marks_of(text: str, title: str, section_type: str, form: str) -> tuple[Marks, Marks]:
    """What a section says of itself, and where it sends its reader.

    Args:
        text: the section, with its heading.
        title: the heading's words without the item's number.
        section_type: `item_7a` and so on.
        form: as registered, for example `10-K405`.

    Returns:
        Two lists of dicts for JSON. The marks, each with a `code`: `incorporated_by_reference` and
        `partly_incorporated` (with `to`, and `pages` where named), `elsewhere_in_filing` (with
        `to`), `unchanged` (with `since`), `omitted` (with `reason`), `reserved`, `not_applicable`,
        `none`. And the
        cross-references, at most 50, each with `text`, `to`, `pages` and `item`.
    """
    body = body_of(text, title)
    references = cross_references(body[:_READ], section_type, form)
    if not body:
        return _empty(title), references
    if _lists_exhibits(title, section_type, form):
        asked = [s for s in _sentences(body[:_LONG]) if _ASKED.search(s)]
        return _partly(asked), references
    if len(body) > _LONG:
        return _partly(_sentences(body[:_OPENING])), references
    return _short(_sentences(body)), references


def _lists_exhibits(title: str, section_type: str, form: str) -> bool:
    """Whether a section lists exhibits: each says what it is incorporated from, the item is not."""
    listing = "item_6" if form.startswith("10-Q") else "item_15"
    return section_type == listing or _LISTS_EXHIBITS.search(title) is not None


def body_of(text: str, title: str) -> str:
    """A section's text without its heading and without page numbers and running heads."""
    rest = _ITEM.sub("", text.lstrip(), count=1)
    rest = _without_title(rest, title)
    lines = [line for line in rest.splitlines() if not _FURNITURE.match(line.strip() or "x")]
    return "\n".join(lines).strip(" \t\r\n.:;-\u2013\u2014])}")


def _without_title(text: str, title: str) -> str:
    """The text behind the title, however the title's words are spaced and broken."""
    wanted = [c for c in title.lower() if c.isalnum()]
    if not wanted:
        return text
    at = 0
    for index, character in enumerate(text):
        if not character.isalnum():
            continue
        if character.lower() != wanted[at]:
            return text
        at += 1
        if at == len(wanted):
            return text[index + 1 :]
    return text


def _sentences(body: str) -> list[str]:
    return [part for part in (" ".join(p.split()) for p in _SENTENCE.split(body)) if part]


def _empty(title: str) -> Marks:
    """The marks of a heading without text: the heading itself may give the answer."""
    last = re.split(r"[.:;\u2010-\u2015-]\s*(?=\S)", title.strip())[-1]
    for sentence in (title, last):
        if mark := _plain(sentence):
            return [mark]
    return []


def _plain(sentence: str) -> dict[str, Any] | None:
    """The mark that a sentence is by itself, pointers aside."""
    if _RESERVED.search(sentence):
        return {"code": "reserved"}
    reason = next((name for name, pattern in _REASONS if pattern.search(sentence)), None)
    if reason and (_OMITTED.search(sentence) or _NOT_APPLICABLE.match(sentence)):
        return {"code": "omitted", "reason": reason}
    if _NOT_APPLICABLE.match(sentence):
        return {"code": "not_applicable"}
    if _unchanged(sentence):
        return {"code": "unchanged", "since": (documents_in(sentence) or ["not said"])[0]}
    if _NONE.match(sentence):
        return {"code": "none"}
    if re.search(r"\bomitted\b", sentence, re.I) and len(sentence) < 400:
        return {"code": "omitted", "reason": reason or "not said"}
    return None


def _unchanged(sentence: str) -> bool:
    """Whether a sentence says that what an earlier report disclosed still holds."""
    changes = _UNCHANGED.search(sentence) and len(sentence) < 500
    return bool(changes and _EARLIER.search(sentence))


def _pointer(sentence: str) -> dict[str, Any] | None:
    """The mark of a sentence that sends its reader elsewhere."""
    if _INCORPORATED.search(sentence):
        inside = item_of(sentence) or note_of(sentence) or "not said"
        to = documents_in(sentence) or [inside]
        mark: dict[str, Any] = {"code": "incorporated_by_reference", "to": to[0]}
        if len(to) > 1:
            mark["also"] = to[1:]
        if pages := pages_in(sentence):
            mark["pages"] = pages
        return mark
    if not _ELSEWHERE.search(sentence):
        return None
    pages, item = pages_in(sentence), item_of(sentence)
    outside = documents_in(sentence)
    if outside and (_ASKED.search(sentence) or item):
        mark = {"code": "incorporated_by_reference", "to": outside[0]}
        return mark | ({"pages": pages} if pages else {})
    if (
        pages
        or item
        or note_of(sentence)
        or re.search(r"\bindex\s+to\b|\bfinancial\s+statements\b", sentence, re.I)
    ):
        mark = {
            "code": "elsewhere_in_filing",
            "to": item or note_of(sentence) or ("pages" if pages else "financial statements"),
        }
        return mark | ({"pages": pages} if pages else {})
    return None


def _short(sentences: list[str]) -> Marks:
    """The marks of a short section: all it says, or part of it."""
    marks: Marks = []
    other = total = 0
    for sentence in sentences:
        total += len(sentence)
        mark = None if _unchanged(sentence) else _pointer(sentence)
        mark = mark or _plain(sentence)
        if mark is None and not _BESIDE.search(sentence):
            other += len(sentence)
        elif mark and mark not in marks:
            marks.append(mark)
    if not marks:
        return []
    if other <= max(_OTHER_CHARACTERS, total * _OTHER_SHARE):
        return _ranked(marks)
    return _partly(sentences)


def _ranked(marks: Marks) -> Marks:
    """A section that answers `none` and gives pointers has both; a bare `none` counts once."""
    codes = {mark["code"] for mark in marks}
    if "incorporated_by_reference" in codes:
        marks = [mark for mark in marks if mark["code"] not in ("none", "elsewhere_in_filing")]
    return marks


def _partly(sentences: list[str]) -> Marks:
    """The marks of a section that says something and leaves the rest to another document."""
    to: dict[str, None] = {}
    for sentence in sentences:
        if _INCORPORATED.search(sentence) and (_ASKED.search(sentence) or len(sentence) < 600):
            named = (name for name in documents_in(sentence) if name in STANDING)
            to.update(dict.fromkeys(named))
    return [{"code": "partly_incorporated", "to": name} for name in to]
