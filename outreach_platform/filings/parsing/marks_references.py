"""Where a section sends its reader: items, notes, pages, exhibits, other documents."""

import re
from collections.abc import Iterator
from typing import Any

from outreach_platform.filings.parsing.marks_targets import STANDING, documents_in, pages_in

MOST = 50
_WORDS = 240
# A sentence reaches no farther than this from the word that makes it a reference.
_LONGEST = 800
# A three-digit item is one of Regulation S-K, one with decimals is one of Form 8-K.
_ITEM = re.compile(
    r"(?:\bpart\s+(?P<part>i{1,3}|iv)\b[\s,.:\u2010-\u2015-]*)?"
    r"[\"\u201c\u201d']?\bitems?\s+(?P<item>\d{1,2}\s?\(?[a-cA-C]?\)?)(?![\w.]*\d)(?=\W|$)",
    re.I,
)
_NOTE = re.compile(r"\bnotes?\s+(?P<note>\d{1,2}[A-Z]?|[A-Z])\b(?=\W)", re.I)
# Without one of these a sentence sends nobody anywhere.
_LEADS = re.compile(
    r"\bitems?\s+\d|\bnotes?\s+[\dA-Z]\w?\b|\bpages?\s+[\dA-Z]|\bincorporat|\bby\s+reference\b|"
    r"\bproxy\s|\binformation\s+statement\b|\bannual\s+report|\bexhibit\s+13",
    re.I,
)
_SENDS = re.compile(
    r"\b(?:see|refer|described|discussed|contained|set\s+forth|included|appears?|appearing|"
    r"presented|under\s+the)\b",
    re.I,
)
_FORM_10K = re.compile(
    r"^[^.;]{0,140}?\b(?:(?P<this>this)\s+)?(?:annual\s+report|form\s+10-k)\b", re.I
)
_MORE = re.compile(
    r"\s*(?:,|\band\b|\bor\b|&)+\s*(\d{1,2}\s?\(?[a-cA-C]?\)?)(?![\w.]*\d)(?=\W|$)", re.I
)
_END = re.compile(r"[.]\s+(?=[\"\u201c(]?[A-Z])|\n\s*\n")
_CURLED = re.compile(r"\u201c([^\u201c\u201d]{3,120})\u201d")
_INCORPORATED = re.compile(r"\bincorporat|\bby\s+reference\b", re.I)
_OTHER_FORM = re.compile(r"^[^.;]{0,60}?\bof\s+(?:regulation|form\s+8-k|schedule)\b", re.I)


def item_of(words: str) -> str | None:
    """The first item that words name, as `item_7a`."""
    for match in _ITEM.finditer(words):
        if found := _item(match, words):
            return found
    return None


def note_of(words: str) -> str | None:
    """The first note to the financial statements that words name, as `note 12`."""
    match = _NOTE.search(words)
    return f"note {match['note'].lower()}" if match else None


def _item(match: re.Match[str], text: str) -> str | None:
    number = _number(match["item"])
    if number is None or _OTHER_FORM.match(text[match.end() : match.end() + 90]):
        return None
    return f"item_{number}"


def _number(words: str) -> str | None:
    number = re.sub(r"[\s()]", "", words).lower()
    return number if 1 <= int(re.sub(r"\D", "", number)) <= 16 else None


def cross_references(body: str, section_type: str, form: str) -> list[dict[str, Any]]:
    """Where a text sends its reader.

    Args:
        body: a section without its heading.
        section_type: its own item, which is no reference.
        form: as registered; in a 10-Q the same item number may be one of the other part.

    Returns:
        At most 50 dicts, in the order of the text and each target once: `text` (the words), `to`
        (an item, a note or a document), `pages` (`12-34` or None), `item` (`item_1a` or None), and
        `caption` or `part` where the text gives them.
    """
    found: dict[tuple[str, str | None, str | None], dict[str, Any]] = {}
    for start, end in _places(body):
        words = " ".join(body[start:end].split())
        for reference in _of_sentence(words, section_type, form):
            key = (reference["to"], reference["pages"], reference["item"])
            found.setdefault(key, reference)
            if len(found) >= MOST:
                return list(found.values())
    return list(found.values())


def _places(body: str) -> Iterator[tuple[int, int]]:
    """The sentences of a text that may send its reader somewhere."""
    end = 0
    while lead := _LEADS.search(body, end):
        start = end
        for stop in _END.finditer(body, max(end, lead.start() - _LONGEST), lead.start()):
            start = stop.end()
        start = max(start, lead.start() - _LONGEST)
        found = _END.search(body, lead.end(), lead.end() + _LONGEST)
        end = found.start() + 1 if found else min(len(body), lead.end() + _LONGEST)
        yield start, end


def _of_sentence(words: str, section_type: str, form: str) -> list[dict[str, Any]]:
    references = _items(words, section_type, form)
    for match in _NOTE.finditer(words):
        references.append(_reference(words, match.start(), f"note {match['note'].lower()}"))
    pages = pages_in(words)
    outside = documents_in(words)
    if not pages and not _INCORPORATED.search(words):
        outside = [name for name in outside if name in STANDING and _SENDS.search(words)]
    for name in outside:
        reference = _reference(words, words.lower().find(name), name, pages=pages)
        if caption := _caption(words):
            reference["caption"] = caption
        references.append(reference)
    if pages and not outside:
        references.append(_reference(words, words.lower().find("page"), "this filing", pages=pages))
    return references


def _caption(words: str) -> str | None:
    """The first quoted words; straight quotes open and close by turns."""
    if curled := _CURLED.search(words):
        return curled[1].strip(" ,.")
    quoted = words.split('"')[1::2]
    named = (said.strip(" ,.") for said in quoted if 3 <= len(said) <= 120)
    return next((said for said in named if said[:1].isupper()), None)


def _items(words: str, section_type: str, form: str) -> list[dict[str, Any]]:
    references: list[dict[str, Any]] = []
    quarterly = form.startswith("10-Q")
    of_proxy = "proxy statement" in documents_in(words)
    for match in _ITEM.finditer(words):
        first = _item(match, words)
        # A quoted item of a sentence about the proxy statement is one of its own proposals.
        if first is None or (of_proxy and match[0][0] in '"\u201c\u201d'):
            continue
        annual = _FORM_10K.match(words[match.end() : match.end() + 160])
        other = annual is not None and not annual["this"]
        for item in (first, *_listed(words, match.end())):
            if item == section_type and not other and not (quarterly and match["part"]):
                continue
            to = "form 10-k" if other else item
            reference = _reference(words, match.start(), to, item=item)
            if match["part"]:
                reference["part"] = f"part_{match['part'].lower()}"
            references.append(reference)
    return references


def _listed(words: str, at: int) -> list[str]:
    """The further items of a list: 11, 12 and 13 of "Items 10, 11, 12 and 13"."""
    found: list[str] = []
    while match := _MORE.match(words, at):
        if number := _number(match[1]):
            found.append(f"item_{number}")
        at = match.end()
    return found


def _reference(
    words: str, at: int, to: str, *, pages: str | None = None, item: str | None = None
) -> dict[str, Any]:
    """A reference with its words: the sentence, cut around the place where it is long."""
    if len(words) > _WORDS:
        start = max(0, min(max(at, 0) - _WORDS // 3, len(words) - _WORDS))
        start = words.find(" ", start) + 1 if start else 0
        words = words[start : start + _WORDS].strip()
    return {"text": words, "to": to, "pages": pages, "item": item}
