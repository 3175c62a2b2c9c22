"""Footnotes in a table's own last rows, and where any footnote begins."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.footnotes_markers import BRACKETED, SIGN, markers_of
from outreach_platform.filings.parsing.grid_numbers import is_value

_LEAD = re.compile(rf"\s*({BRACKETED}|{SIGN})[\s.:\u2013\u2014=-]*(?=\S)")
_BARE = re.compile(r"\s*(\d{1,2}|[a-z])\s*(?=[A-Z\u201c\"])")
_WORD = re.compile(r"[^\W\d_]{3,}")
# Stands at the foot of statements and belongs to no footnote.
_ASIDE = re.compile(
    r"\(?(?:(?:see|the) (?:the )?(?:accompanying|notes?|combined|consolidated)|see (?:the )?notes"
    r"|totals? may not|amounts may not|certain (?:totals|amounts)|columns? may not|numbers may not"
    r"|(?:n/?m|n/?a)\s*[-\u2013\u2014=:]|not meaningful)|.*integral part of",
    re.I,
)
_SHORTEST = 6
_MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class RowNotes:
    """What a table's last rows hold of footnotes.

    Attributes:
        height: rows above them.
        notes: marker and text of each, in the order of the rows.
        markers: to which the table refers, its footnotes left out.
    """

    height: int
    notes: tuple[tuple[str, str], ...]
    markers: tuple[str, ...]


def lead(text: str, superscripts: Iterable[str] = ()) -> tuple[str, str] | None:
    """The marker that a text begins with, and the text behind it; None where there is none.

    Args:
        text: a line or a row.
        superscripts: bare figures that the table prints raised; such a line may begin bare. The
            marker is given in brackets, as in the table's cells.
    """
    if found := _LEAD.match(text):
        return _told(found[1], text[found.end() :])
    if superscripts and (bare := _BARE.match(text)) and bare[1] in superscripts:
        return _told(f"({bare[1]})", text[bare.end() :])
    return None


def _told(marker: str, text: str) -> tuple[str, str] | None:
    words = text.strip()
    while more := _LEAD.match(words):
        words = words[more.end() :].strip()
    return (marker, words) if len(words) >= _SHORTEST and _WORD.search(words) else None


def is_aside(text: str) -> bool:
    """Whether a line stands at a table's foot without being a footnote: `See accompanying notes`."""
    return bool(_ASIDE.match(text))


def row_notes(
    heads: Sequence[str], body: Sequence[Sequence[str]], superscripts: Iterable[str] = ()
) -> RowNotes:
    """Footnotes in the last rows of a table.

    A row is one when it begins with a marker, holds words and no value, and the rows above it
    refer to the marker. A row without a marker goes on with the footnote above it.

    Args:
        heads: headers and caption, which may refer too.
        body: the table's rows.
        superscripts: bare figures that the table prints raised.
    """
    begun: list[tuple[int, str, str]] = []
    pending: list[str] = []
    for index in range(len(body) - 1, max(len(body) - _MOST_ROWS, 0) - 1, -1):
        texts = [text for text in body[index] if text]
        if any(is_value(text) and not lead(f"{text} words", superscripts) for text in texts):
            break
        joined = " ".join(texts)
        note = lead(joined, superscripts)
        if note is not None:
            begun.append((index, note[0], " ".join((note[1], *reversed(pending)))))
            pending = []
        elif joined and not is_aside(joined):
            pending.append(joined)
    height = begun[-1][0] if begun else len(body)
    markers = markers_of(heads, body[:height])
    notes = tuple((marker, text) for _, marker, text in reversed(begun) if marker in markers)
    if not notes:
        return RowNotes(len(body), (), markers_of(heads, body) if begun else markers)
    return RowNotes(height, notes, markers)
