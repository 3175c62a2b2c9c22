"""Footnotes in a table's own last rows, and where any footnote begins."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from outreach_platform.filings.parsing.footnotes_markers import BRACKETED, SIGN, markers_of
from outreach_platform.filings.parsing.grid_numbers import is_value, superscript

_LEAD = re.compile(rf"\s*({BRACKETED}|{SIGN})[\s.:\u2013\u2014=-]*(?=\S)")
_BARE = re.compile(r"\s*(\d{1,2}|[a-z])([.)]?)\s*(?=[A-Z\u201c\"(])")
_NUMBERED = re.compile(r"\(\d{1,2}\)")
_NONE: dict[str, str] = {}
_INNER = re.compile(rf"(?:(?<=[.!?])\s+({BRACKETED})|\s({SIGN}))\s+(?=[A-Z\u201c])")
_WORD = re.compile(r"[^\W\d_]{3,}")
# Stands at the foot of statements and belongs to no footnote.
_ASIDE = re.compile(
    r"\(?(?:(?:see|the) (?:the )?(?:accompanying|notes?|combined|consolidated)|see (?:the )?notes"
    r"|totals? may not|amounts may not|certain (?:totals|amounts)|columns? may not|numbers may not"
    r"|notes?\s*:|(?:n/?m|n/?a)\s*[-\u2013\u2014=:]|not meaningful)|.*integral part of",
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


def lead(text: str, bare: Mapping[str, str] = _NONE) -> tuple[str, str] | None:
    """The marker that a text begins with, and the text behind it; None where there is none.

    Args:
        text: a line or a row.
        bare: what may stand for a marker without its signs, see `bare_leads`.
    """
    if found := _LEAD.match(text):
        return _told(found[1], text[found.end() :])
    if bare and (begun := _BARE.match(text)):
        marker = bare.get(begun[1]) or bare.get(begun[1] + begun[2])
        if marker:
            return _told(marker, text[begun.end() :])
    return None


def bare_leads(markers: Iterable[str], superscripts: Iterable[str]) -> dict[str, str]:
    """How footnotes may begin without the signs of their markers.

    `1` for what the table prints raised, `1.` also for `(1)`: lists number their entries so.

    Args:
        markers: to which a table refers.
        superscripts: figures and letters that it prints raised.
    """
    leads = {f"{marker[1:-1]}.": marker for marker in markers if _NUMBERED.fullmatch(marker)}
    for one in superscripts:
        marker = superscript(one) if one.isdigit() else f"({one})"
        leads[one] = leads[f"{one}."] = marker
    return leads


def _told(marker: str, text: str) -> tuple[str, str] | None:
    words = text.strip()
    while more := _LEAD.match(words):
        words = words[more.end() :].strip()
    return (marker, words) if len(words) >= _SHORTEST and _WORD.search(words) else None


def parted(marker: str, text: str, wanted: Container[str]) -> list[tuple[str, str]]:
    """Footnotes that run on in one line, as in `(a) First. (b) Second`.

    Args:
        marker: of the first.
        text: behind it.
        wanted: markers that may follow.
    """
    found: list[tuple[str, str]] = []
    begun = 0
    for inner in _INNER.finditer(text):
        following = inner[1] or inner[2]
        if following in wanted and following != marker:
            found.append((marker, text[begun : inner.start()].strip()))
            marker, begun = following, inner.end()
    return [*found, (marker, text[begun:].strip())]


def is_aside(text: str) -> bool:
    """Whether a line at a table's foot is none of its footnotes: `See accompanying notes`."""
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
    bare = bare_leads((), superscripts)
    begun: list[tuple[int, str, str]] = []
    pending: list[str] = []
    for index in range(len(body) - 1, max(len(body) - _MOST_ROWS, 0) - 1, -1):
        texts = [text for text in body[index] if text]
        if any(is_value(text) and not lead(f"{text} Words", bare) for text in texts):
            break
        joined = " ".join(texts)
        note = lead(joined, bare)
        if note is not None:
            begun.append((index, note[0], " ".join((note[1], *reversed(pending)))))
            pending = []
        elif joined and not is_aside(joined):
            pending.append(joined)
    height = begun[-1][0] if begun else len(body)
    markers = markers_of(heads, body[:height])
    notes = tuple(
        part
        for _, marker, text in reversed(begun)
        if marker in markers
        for part in parted(marker, text, markers)
    )
    if not notes:
        return RowNotes(len(body), (), markers_of(heads, body) if begun else markers)
    return RowNotes(height, notes, markers)
