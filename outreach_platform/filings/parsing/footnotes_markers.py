"""Footnote markers: where a text refers to a footnote, and where one begins.

Bare digits are never markers, except those that the source prints as superscripts; a bracketed
number alone in a column of values is a negative number.
"""

import re
from collections.abc import Iterable, Sequence

_INNER = r"\d{1,2}|[a-zA-Z]|[ivx]{2,4}|F\d{1,2}|aa|bb|cc|dd|\*{1,3}|[\u2020\u2021+#]"
BRACKETED = rf"(?:\((?:{_INNER})\)|\[(?:\d{{1,2}}|[a-z])\]|\{{\d{{1,2}}\}})"
SIGN = r"(?:\*{1,5}|\u2020{1,3}|\u2021{1,3}|\u00a7{1,2}|#{1,2}|[\u0394\u2b25\u25c6\u2666\u25ca+]|\^{1,2})"
_ANY = re.compile(rf"{BRACKETED}|{SIGN}")
SIGNS = frozenset("*\u2020\u2021\u00a7#\u0394\u2b25\u25c6\u2666\u25ca+^")
_FIRST = SIGNS | frozenset("([{")
_SEVERAL = re.compile(r"([({\[])(\d{1,2}(?:\s*,\s*\d{1,2})+)([)}\]])")
# Behind these a bracketed number or letter is a reference to a law, a plan or an enumeration.
_LEGAL = re.compile(
    r"(?:\d|\b(?:section|sections|rule|rules|item|items|article|paragraph|clause|subsection|and|or|note|notes"
    r"|regulation|part|exhibit|\u00a7)\s*)$",
    re.I,
)
_YEAR_OR_NUMBER = re.compile(r"(?:\b(?:19|20)\d\d|\d,\d{3}|\.\d+|[%)]|\$\s?\d+)$")


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
    """A bracketed number alone: `(5)`."""
    return text[0] == "(" and text[-1] == ")" and text[1:-1].isdigit()


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
    before, after = text[: found.start()], text[found.end() :]
    if found[0][0] not in "([{":
        return bool(before.strip()) or not after.strip()
    if not before.strip():
        return not after.strip() or bool(_ANY.match(after.lstrip(" ,")))
    if after[:1].isalnum():
        return False
    if _ANY.search(before[-6:].rstrip(" ,")) and _ends_with_marker(before):
        return True
    if _YEAR_OR_NUMBER.search(before.rstrip()):
        return True
    if _LEGAL.search(before):
        return False
    # An enumeration goes on behind its number; a reference ends a word, a phrase or the text.
    return before[-1] != " " or not after.strip() or after.lstrip()[0] in ".,;:(){}[]*\u2014\u2013-"


def _ends_with_marker(before: str) -> bool:
    return any(
        found.end() == len(before.rstrip(" ,")) for found in _ANY.finditer(before.rstrip(" ,"))
    )

