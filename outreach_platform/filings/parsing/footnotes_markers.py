"""Footnote markers: where a text refers to a footnote, and where one begins.

Bare digits are never markers, except those that the source prints as superscripts; a bracketed
number alone in a column of values is a negative number.
"""

import re
from collections.abc import Iterable, Sequence

_INNER = r"\d{1,2}|[a-zA-Z]|[ivx]{2,4}|F\d{1,2}|aa|bb|cc|dd|\*{1,3}|[\u2020\u2021+#]"
BRACKETED = rf"(?:\((?:{_INNER})\)|\[(?:\d{{1,2}}|[a-z])\]|\{{\d{{1,2}}\}})"
SIGN = (
    r"(?:[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,2}|\*{1,5}|\u2020{1,3}|\u2021{1,3}|\u00a7{1,2}"
    r"|#{1,2}|[\u0394\u2b25\u25c6\u2666\u25ca+]|\^{1,2})"
)
_ANY = re.compile(rf"{BRACKETED}|{SIGN}")
SIGNS = frozenset(
    "\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079*\u2020\u2021\u00a7#\u0394\u2b25\u25c6\u2666\u25ca+^"
)
_FIRST = SIGNS | frozenset("([{")
_SEVERAL = re.compile(r"([({\[])(\d{1,2}(?:\s*,\s*\d{1,2})+)([)}\]])")
# Behind these a bracketed number or letter belongs to a law, a plan, an exhibit or an enumeration.
_LEGAL = re.compile(
    r"(?:\d|\b(?:sections?|rules?|items?|articles?|paragraphs?|clauses?|subsections?|and|or|notes?"
    r"|regulations?|parts?|exhibits?|\u00a7)\s*)$",
    re.I,
)
_CITED = re.compile(r"\b(?:exhibits?|sections?|rules?|items?)\s*\(?[\d.]+\)?(?:\(\w+\))*\s*$", re.I)
_BEHIND_NUMBER = re.compile(
    r"(?:\b(?:19|20)\d\d|\d,\d{3}|\.\d+|[%)\u2014]|[$\u20ac\u00a3\u00a5]\s?\d+)$"
)
_LAST = re.compile(rf"(?:{BRACKETED}|{SIGN})$")
# Characters around a marker that tell what it is.
_CONTEXT = 48
_PLURALS = ("(s)", "(S)")
_ENDS = ".,;:(){}[]*\u2014\u2013-"
_MONEY = "$\u20ac\u00a3\u00a5"


def markers_of(heads: Iterable[str], body: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The markers that a table refers to, in the order of reading.

    Args:
        heads: headers and caption.
        body: rows of cells.
    """
    found: dict[str, None] = {}
    for text in heads:
        found.update(dict.fromkeys(references(text)))
    for row in body:
        for index, text in enumerate(row):
            if text and (not index or not _is_negative(text)):
                found.update(dict.fromkeys(references(text)))
    return tuple(found)


def _is_negative(text: str) -> bool:
    """A bracketed number alone: `(5)` or `$(5)`."""
    bare = text.lstrip(_MONEY)
    return bare[:1] == "(" and bare[-1:] == ")" and bare[1:-1].isdigit()


def references(text: str) -> list[str]:
    """The markers in a text that stand at the end of a word or of the text.

    `401(k)`, `Rule 13a-15(e)` and `(a) first, (b) second` hold none.
    """
    if _FIRST.isdisjoint(text):
        return []
    spread = _SEVERAL.sub(_one_by_one, text)
    return [found[0] for found in _ANY.finditer(spread) if _refers(spread, found)]


def _one_by_one(found: re.Match[str]) -> str:
    return "".join(f"{found[1]}{part.strip()}{found[3]}" for part in found[2].split(","))


def _refers(text: str, found: re.Match[str]) -> bool:
    start, end = found.span()
    before, after = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
    bare = before.rstrip(" ")
    if found[0][0] not in "([{":
        return bool(bare) or not after.strip()
    if not bare:
        return not after.strip() or bool(_ANY.match(after.lstrip(" ,")))
    if after[:1].isalnum() or bare[-1] in _MONEY or _CITED.search(before):
        return False
    if found[0] in _PLURALS and before[-1].islower():
        return False
    if _ends_with_marker(bare) or _BEHIND_NUMBER.search(bare):
        return True
    if _LEGAL.search(before):
        return False
    # An enumeration goes on behind its number; a reference ends a word, a phrase or the text.
    return before[-1] != " " or not after.strip() or after.lstrip()[0] in _ENDS


def _ends_with_marker(before: str) -> bool:
    """Whether another marker stands right before: `(1)(2)`, `(1), (2)`."""
    return bool(_LAST.search(before.rstrip(" ,")))
