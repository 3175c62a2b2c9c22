"""Judgements over found sections, from the sections and the text alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.items import catalogue, expected, is_quarterly

# Shares of the document's text.
_OVERSIZE = 0.85
_OVERSIZE_SMALL = 0.4
_COVERAGE = 0.6
# Characters.
_STUB = 200
_LONG = 40_000
_EQUAL = 200
_ASTRAY = 3
_MAIN = frozenset(("item_1", "item_1a", "item_7", "item_8"))
_MAIN_QUARTERLY = frozenset((("part_i", "item_1"), ("part_i", "item_2")))
# Items that a few paragraphs answer.
_SMALL = frozenset(
    (
        *("item_1b", "item_1c", "item_3", "item_4", "item_6", "item_9", "item_9a", "item_9b"),
        *("item_9c", "item_11", "item_12", "item_13", "item_14", "item_16"),
    )
)
_POINTER = re.compile(
    r"incorporat|referen|omitted|not (?:applicable|required)|smaller reporting|\bn/?a\b|\bnone\b"
    r"|\b(?:see|refer to|set forth|included|contained|appears?|presented|begin\w*|reserved)\b"
    r"|\bpages?\b|\breduced disclosure|\bnothing\b|\bno (?:change|material)",
    re.I,
)
_FORGIVEN = frozenset(("combined_heading", "combined_with", "inside"))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A section as another extractor sees it.

    Attributes:
        section_type: `item_1a` and so on.
        section_part: `part_i` to `part_iv`; empty where the extractor does not tell.
        opening: the first 200 characters or so of its text.
        length: of its text, in characters.
    """

    section_type: str
    section_part: str
    opening: str
    length: int


class SecondOpinion(Protocol):
    """Another extractor, bound to the same filing; asked only when the gates doubt."""

    def __call__(self) -> list[Proposal]:
        """All sections that the other extractor finds."""
        ...


def doubts(
    document: Document, sections: Sequence[Section], form: str, year: int
) -> list[dict[str, Any]]:
    """What speaks against the sections.

    Args:
        document: the filing.
        sections: in the order of the form.
        form: as filed.
        year: of filing.

    Returns:
        Each with `code`; `part` and `item` where it is about one section: `no_sections`, `stub`,
        `oversize`, `equal_texts`, `gap`, `coverage`, `order`.
    """
    if not sections:
        return [{"code": "no_sections"}]
    found: list[dict[str, Any]] = []
    found += _stubs(document, sections, form)
    found += _oversized(document, sections, form)
    found += _equals(document, sections)
    found += _gaps(sections, form, year)
    found += _coverage(document, sections)
    astray = [one.section_type for one in sections if _has(one, "out_of_order")]
    if len(astray) >= _ASTRAY:
        found.append({"code": "order", "items": astray})
    return found


def _has(section: Section, *codes: str) -> bool:
    return any(issue.get("code") in codes for issue in section.issues)


def _about(section: Section, code: str, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "part": section.section_part,
        "item": section.section_type,
        **more,
    }


def _is_main(section: Section, form: str) -> bool:
    if is_quarterly(form):
        return (section.section_part, section.section_type) in _MAIN_QUARTERLY
    return section.section_type in _MAIN


def _stubs(document: Document, sections: Sequence[Section], form: str) -> Iterator[dict[str, Any]]:
    """Main items that say next to nothing, and do not say where it is said instead."""
    for section in sections:
        if not _is_main(section, form) or _has(section, *_FORGIVEN):
            continue
        body = document.text[max(section.heading_end, section.start) : section.end]
        if len(body.strip()) < _STUB and not _POINTER.search(body):
            yield _about(section, "stub", length=len(body.strip()))


def _oversized(
    document: Document, sections: Sequence[Section], form: str
) -> Iterator[dict[str, Any]]:
    """Items that hold more than an item of their kind can."""
    whole = max(len(document.text), 1)
    for section in sections:
        length = section.end - section.start
        if length < _LONG:
            continue
        small = section.section_type in _SMALL and not is_quarterly(form)
        limit = _OVERSIZE_SMALL if small and section.section_part != "part_iv" else _OVERSIZE
        if length > limit * whole:
            yield _about(section, "oversize", share=round(length / whole, 2))


def _equals(document: Document, sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    """Items that say the same: one of them is not its own text."""
    seen: dict[str, Section] = {}
    for section in sections:
        body = document.text[max(section.heading_end, section.start) : section.end].strip()
        if len(body) < _EQUAL or _has(section, "combined_with"):
            continue
        if (other := seen.get(body)) is not None:
            yield _about(section, "equal_texts", other=other.section_type)
        seen.setdefault(body, section)


def _gaps(sections: Sequence[Section], form: str, year: int) -> Iterator[dict[str, Any]]:
    """Items that nearly every filing of the form and year has, and this one seems not to have.

    An amendment has only what it amends: there a gap is one between its first and last item.
    """
    wanted = {item.key for item in expected(form, year)}
    there = {(one.section_part, one.section_type) for one in sections}
    keys = [item.key for item in catalogue(form, year) if item.key in wanted | there]
    if form.upper().endswith("/A"):
        places = [place for place, key in enumerate(keys) if key in there]
        keys = keys[places[0] : places[-1] + 1]
    before: tuple[str, str] | None = None
    missing: list[str] = []
    for key in keys:
        if key not in there:
            missing.append(key[1])
            continue
        yield from _gap(before, missing)
        before, missing = key, []
    yield from _gap(before, missing)


def _gap(before: tuple[str, str] | None, missing: list[str]) -> Iterator[dict[str, Any]]:
    if missing:
        part, item = before or ("", "")
        yield {"code": "gap", "part": part, "item": item, "missing": list(missing)}


def _coverage(document: Document, sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    """The share of the text from the first item on that is in some section."""
    first = min(section.start for section in sections)
    whole = len(document.text) - first
    covered, reach = 0, first
    for section in sorted(sections, key=lambda one: one.start):
        covered += max(0, section.end - max(section.start, reach))
        reach = max(reach, section.end)
    if whole > _LONG and covered < _COVERAGE * whole:
        yield {"code": "coverage", "share": round(covered / whole, 2)}
