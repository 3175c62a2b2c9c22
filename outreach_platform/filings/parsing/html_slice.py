"""The HTML between two offsets of a document's text, as balanced fragments.

The whole tree is written out once, with a mark where each line begins. A fragment is what stands
between two marks, inside copies of the opening tags that are open at the first and the closing
tags of those open at the second. So every character of the markup belongs to one line, fragments
of disjoint ranges are disjoint, and a range may begin in the middle of a table.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from outreach_platform.filings.parsing.html_source import MARK

# Broken markup has attributes whose names hold quotes and brackets.
_NAME = re.compile(r"[^\s\"'<>=/]+")
_ROOTS = frozenset(("html", "body"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line begins in the tree.

    Attributes:
        element: the place is before it, or in its text or tail.
        where: `before`, `text` or `tail`.
        offset: in the text or tail.
    """

    element: Any
    where: str
    offset: int = 0

    def around(self) -> list[Any]:
        """The elements open at the place below `<body>`, the outermost first."""
        if self.where == "text":
            found = [self.element, *self.element.iterancestors()]
        else:
            found = list(self.element.iterancestors())
        return [element for element in reversed(found) if element.tag not in _ROOTS]


class Slicer:
    """Cuts a document's HTML by offsets of its text.

    Args:
        root: of the tree.
        starts: offset of each line, ascending.
        places: of each line, in the order of the tree.
    """

    def __init__(self, root: Any, starts: Sequence[int], places: Sequence[Place]) -> None:
        self._root = root
        self._starts = starts
        self._places = places
        self._html = ""
        self._at: list[int] = []

    def __call__(self, start: int, end: int) -> str:
        """The HTML of the lines that begin between two offsets."""
        first, stop = bisect_left(self._starts, start), bisect_left(self._starts, end)
        if first >= stop:
            return ""
        if not self._at:
            self._write()
        opened = self._places[first].around()
        if stop < len(self._places):
            inner = self._html[self._at[first] : self._at[stop]]
            closed = self._places[stop].around()
        else:
            inner = self._html[self._at[first] : self._at[-1]]
            closed = []
        before = "".join(_opening(element) for element in opened)
        behind = "".join(f"</{element.tag}>" for element in reversed(closed))
        return before + inner + behind

    def _write(self) -> None:
        """Write the tree out once; note where each line begins, and where the body ends."""
        import lxml.etree

        _mend(self._root)
        kept = [self._mark(place) for place in reversed(self._places)]
        marked = str(lxml.etree.tostring(self._root, encoding="unicode", method="html"))
        for element, where, text in reversed(kept):
            setattr(element, where, text)
        found = [mark.start() for mark in re.finditer(MARK, marked)]
        self._at = [position - number for number, position in enumerate(found)]
        self._html = marked.replace(MARK, "")
        end = self._html.rfind("</body>")
        self._at.append(end if end >= 0 else len(self._html))

    def _mark(self, place: Place) -> tuple[Any, str, str | None]:
        """Put a mark at a place; what was there before."""
        element, where, offset = place.element, place.where, place.offset
        if where == "before":
            previous = element.getprevious()
            element, where = (
                (element.getparent(), "text") if previous is None else (previous, "tail")
            )
            offset = len(getattr(element, where) or "")
        text = getattr(element, where)
        setattr(element, where, (text or "")[:offset] + MARK + (text or "")[offset:])
        return element, where, text


def _mend(root: Any) -> None:
    """Take from a tree what cannot be written so that it is read as the same."""
    for element in root.iter("li"):
        if not len(element) and element.text is None:
            # Without any text the serialiser leaves out the end.
            element.text = ""
    names: set[str] = set()
    for element in root.iter():
        names.update(element.keys())
    if broken := {name for name in names if not _NAME.fullmatch(name)}:
        for element in root.iter():
            for name in broken.intersection(element.keys()):
                del element.attrib[name]


def _opening(element: Any) -> str:
    """The opening tag, without names, for a name stands once."""
    attributes = "".join(
        f' {name}="{escape(value)}"'
        for name, value in element.items()
        if name not in ("id", "name")
    )
    return f"<{element.tag}{attributes}>"
