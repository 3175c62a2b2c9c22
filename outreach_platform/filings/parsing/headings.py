"""Lines that may be the heading of an item, a part or what follows the items."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from outreach_platform.filings.parsing.document import Document, Line

Kind = Literal["item", "part", "end"]
# `7A`, `7 A`, `7-A`, `7(A)`; `7.A` without a space, for `Item 1. A company` is no Item 1A.
_LETTERED = (
    r"(?:(?:\.|\s?[-\u2013]?\s?)\(?[A-Ca-c]\)?(?![A-Za-z0-9'\u2019]))?(?:\s?\(?T\)?(?![A-Za-z]))?"
)
_SPELLED = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
)
_NUMBER = (
    rf"(?:(?:{'|'.join(_SPELLED)})(?![a-z])|\d{{1,2}}(?!\d){_LETTERED}"
    r"|(?:[IVX]{1,5}|[l1]?[lOo0-9])[AaBb]?(?![A-Za-z0-9'\u2019]))"
)
_JOINT = (
    r"\.?\s*(?:,?\s*(?:and|&|through|thru|to)\s|,|&|/|[-\u2013\u2014])\s*(?:I\s?T\s?E\s?M\s?S?\s*)?"
)
_ITEM = re.compile(
    r"^[^\w\"'\u201c\u2018(]{0,8}"
    r"(?:P\s?A\s?R\s?T\s+(?P<part>I\s?V|I(?:\s?I){0,2}|[1-4])\b[\s,.:;\u2013\u2014-]*"
    r"(?:(?:financial|other)\s+information[\s,.:;\u2013\u2014-]*)?)?"
    r"I\s?T\s?E\s?M\s?S?(?![A-Za-z])[\s.:#\u2013\u2014-]*(?:(?:N[oO]s?\.|number)\s*)?"
    rf"(?P<numbers>{_NUMBER}(?:{_JOINT}{_NUMBER})*)"
    r"(?P<tail>.*)$",
    re.I | re.S,
)
# `Item 1. Business and Item 2. Properties` in one line names both; a comma alone would take in rows
# of contents.
_AND_ITEM = re.compile(
    r"^(?:[^\W\d]|[\s.,;:'\u2019()-])+?(?:\band|&|/)\s*I\s?T\s?E\s?M\s+"
    rf"(?P<numbers>{_NUMBER})[\s.:\u2013\u2014-]+(?=[^\W\d_])",
    re.I,
)
# What some filers say in place of the headings of a whole part.
_POINTED = re.compile(
    r"^\W*(?:the\s+)?information\s+(?:required|called\s+for|specified)\s+(?:by|in|under)\s+"
    r"(?P<part>\Z.)?(?:part\s+[IV]+\W+)?\(?items?\s+"
    rf"(?P<numbers>{_NUMBER}(?:{_JOINT}{_NUMBER})+)(?P<tail>.*)$",
    re.I | re.S,
)
_PART = re.compile(
    r"^[^\w\"'\u201c\u2018(]{0,8}P\s?A\s?R\s?T\s+(?P<part>I\s?V|I(?:\s?I){0,2}|[1-4l])(?![A-Za-z0-9])(?P<tail>.*)$",
    re.I | re.S,
)
_PART_TAIL = re.compile(
    r"^[\s.,:;*\u2013\u2014-]*(?:\(?(?:un)?audited\)?|financial|information|other|page|no|and|of"
    r"|items?|continued|cont'?d|concluded|\d{1,3}|[\s().,:;*\u2013\u2014-])*$",
    re.I,
)
_END = re.compile(
    r"^\W*(?:S\s?I\s?G\s?N\s?A\s?T\s?U\s?R\s?E\s?(?:S|\(S\))?(?:\s+page)?"
    r"|(?:index\s+(?:to|of)\s+exhibits?|exhibits?\s+index)(?:\s+to\s+form\s+10-?[kq])?)"
    r"(?:\s*[-\u2013\u2014(]*\s*continued\)?)?[\s.\d:]*$",
    re.I,
)
_BARE = re.compile(r"^\W*I\s?T\s?E\s?M\s?S?\W*$", re.I)
_SIEVE = re.compile(
    r"^[^\w\"'\u201c\u2018(]{0,8}(?:I\s?T\s?E\s?M|P\s?A\s?R\s?T|S\s?I\s?G|INDEX|EXHIBIT)", re.I
)
CONTINUED = re.compile(r"\(?\s*\b(?:continued|cont'?d|concluded)\b\.?\s*\)?", re.I)
_PARTS = {"I": "part_i", "II": "part_ii", "III": "part_iii", "IV": "part_iv"}
_PARTS |= {"1": "part_i", "2": "part_ii", "3": "part_iii", "4": "part_iv", "L": "part_i"}
_ROMAN = {
    "I": 1,
    "II": 2,
    "III": 3,
    "IV": 4,
    "V": 5,
    "VI": 6,
    "VII": 7,
    "VIII": 8,
    "IX": 9,
    "X": 10,
}
_ROMAN |= {"XI": 11, "XII": 12, "XIII": 13, "XIV": 14, "XV": 15}
# A heading is a line, not a page; a longer line may open with a heading that the text runs on from.
_LONGEST = 4000
_LONGEST_TITLE = 250


@dataclass(frozen=True, slots=True)
class Heading:
    """A line, or a few, that may be a heading.

    Attributes:
        kind: `item`, `part`, or `end` for signatures and the index of exhibits.
        first: index of its first line in `Document.lines`.
        last: index of its last line.
        start: offset of its first character.
        end: offset behind its last line.
        title_start: offset of the words behind the number; equal to `end` where there are none.
        numbers: the items named, `1A` and so on; of an `end`, whether it lists `exhibits`.
        part: the part named in the heading, else empty.
        ranged: the numbers are the ends of a range.
        bracketed: the letter stands in brackets, `1(a)`: a part of Item 1, or Item 1A.
    """

    kind: Kind
    first: int
    last: int
    start: int
    end: int
    title_start: int
    numbers: tuple[str, ...] = ()
    part: str = ""
    ranged: bool = False
    bracketed: bool = False


def find_headings(document: Document) -> list[Heading]:
    """All lines that look like a heading, contents rows and mentions among them."""
    found: list[Heading] = []
    lines = document.lines
    index = 0
    while index < len(lines):
        heading = _heading_at(document, index)
        if heading is None and found and found[-1].kind == "part" and index == found[-1].last + 1:
            heading = _pointer_at(document, index)
        if heading is None:
            index += 1
            continue
        found.append(heading)
        index = heading.last + 1
    return found


def _heading_at(document: Document, index: int) -> Heading | None:
    line = document.lines[index]
    text = document.text[line.start : min(line.end, line.start + _LONGEST)]
    if not _SIEVE.match(text):
        return None
    if _END.match(text):
        exhibits = ("exhibits",) if "x" in text.lower() else ()
        return replace(_made("end", index, line, line.end), numbers=exhibits)
    if _BARE.match(text):
        return _split_number(document, index)
    if found := _ITEM.match(text):
        return _item(document, index, found)
    found = _PART.match(text)
    if found and len(text) < _LONGEST_TITLE and _PART_TAIL.match(found["tail"]):
        heading = _made("part", index, line, line.start + found.start("tail"))
        return replace(heading, part=_part(found["part"]))
    return None


def _pointer_at(document: Document, index: int) -> Heading | None:
    """`The information required by Items 10 to 13 is …`, right behind the line of a part."""
    line = document.lines[index]
    found = _POINTED.match(document.text[line.start : line.start + _LONGEST])
    heading = _item(document, index, found) if found else None
    return replace(heading, title_start=heading.end) if heading else None


def _part(number: str) -> str:
    return _PARTS["".join(number.upper().split())]


def _made(kind: Kind, index: int, line: Line, title_start: int) -> Heading:
    return Heading(kind, index, index, line.start, line.end, title_start)


def _item(document: Document, index: int, found: re.Match[str]) -> Heading | None:
    line = document.lines[index]
    numbers = tuple(_numbers(found["numbers"]))
    if not numbers or re.match(r"\(?[d-z]\)", found["tail"]):
        return None
    if len(found[0]) < _LONGEST_TITLE and (also := _AND_ITEM.match(found["tail"])):
        numbers += tuple(_numbers(also["numbers"]))
    tail_start = line.start + found.start("tail")
    lead = re.match(r"[\s.:;,)\]*_\u2013\u2014-]*", found["tail"])
    title_start = min(tail_start + (lead.end() if lead else 0), line.end)
    part = _part(found["part"]) if found["part"] else ""
    ranged = bool(
        re.search(r"through|thru|\bto\b|\d\s*[-\u2013\u2014]\s*\d", found["numbers"], re.I)
    )
    heading = replace(_made("item", index, line, title_start), numbers=numbers, part=part)
    bracketed = bool(re.search(r"\d\s?\([A-C]\)", found["numbers"], re.I))
    return replace(heading, ranged=ranged and len(numbers) == 2, bracketed=bracketed)


def _split_number(document: Document, index: int) -> Heading | None:
    """`Item` in one line and its number in the next."""
    if index + 1 >= len(document.lines):
        return None
    line, behind = document.lines[index], document.lines[index + 1]
    text = document.line_text(behind)
    found = _ITEM.match(f"Item {text}") if len(text) < _LONGEST_TITLE else None
    if found is None:
        return None
    heading = _item(document, index, found)
    if heading is None:
        return None
    shift = behind.start - line.start - len("Item ")
    title_start = min(line.start + found.start("tail") + shift, behind.end)
    lead = re.match(r"[\s.:;,)\]*_\u2013\u2014-]*", document.text[title_start : behind.end])
    title_start += lead.end() if lead else 0
    return replace(heading, last=index + 1, end=behind.end, title_start=title_start)


_DIGITS = re.compile(
    rf"({'|'.join(reversed(_SPELLED))}|\d{{1,2}}(?![lOo])|[l1][lOo0-9]|[IVX]+|l)\W*([ABC])?", re.I
)


def _numbers(text: str) -> Iterator[str]:
    for found in re.finditer(_NUMBER, text, re.I):
        digits = _DIGITS.match(found[0])
        if digits is None:
            continue
        value = _value(digits[1])
        if value is not None and 0 < value <= 16:
            yield f"{value}{(digits[2] or '').upper()}"


def _value(number: str) -> int | None:
    """The value of digits, of digits typed as letters, or of a Roman number."""
    if number.lower() in _SPELLED:
        return _SPELLED.index(number.lower()) + 1
    if number.upper() in _ROMAN:
        return _ROMAN[number.upper()]
    typed = number.replace("l", "1").replace("O", "0").replace("o", "0")
    return int(typed) if typed.isdigit() else None


def extended(document: Document, heading: Heading) -> Heading | None:
    """The heading with the next line taken in, where that line can belong to it."""
    index = heading.last + 1
    if index >= len(document.lines):
        return None
    line = document.lines[index]
    text = document.line_text(line)
    if len(text) > _LONGEST_TITLE or _heading_at(document, index) is not None:
        return None
    empty = heading.title_start >= heading.end
    return replace(
        heading, last=index, end=line.end, title_start=line.start if empty else heading.title_start
    )


def title_text(document: Document, heading: Heading) -> str:
    """The words behind the number, as printed."""
    return document.text[heading.title_start : heading.end].strip()
