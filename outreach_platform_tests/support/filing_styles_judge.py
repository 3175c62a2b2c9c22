"""What is wrong with found sections, by the labels of a written filing."""

from collections.abc import Sequence

from outreach_platform.filings.model import Section
from outreach_platform_tests.support.filing_styles import Body, Styled

# A heading, and what stands between it and the text, is no longer than this.
_HEADING = 900


def faults(styled: Styled, text: str, sections: Sequence[Section]) -> list[str]:
    """Each fault in a sentence; none for sections that are the items' own texts, whole.

    Args:
        styled: the filing with its labels.
        text: of the document.
        sections: found in it.
    """
    found = {(one.section_part, one.section_type): one for one in sections}
    wanted = {
        (body.part, f"item_{number.lower()}"): body
        for body in styled.bodies
        for number in body.numbers
    }
    wrong = [
        f"{part} {kind} found, which is not there"
        for part, kind in found.keys() - wanted.keys()
        if kind not in styled.extra
    ]
    for key, body in wanted.items():
        name = " ".join(key)
        if key not in found:
            wrong.append(f"{name} missing")
        elif _left_empty(found[key]):
            # A heading of all of Part III is no section of one of them.
            continue
        elif key[1] == f"item_{body.numbers[0].lower()}":
            said = " ".join(text[found[key].start : found[key].end].split())
            wrong += [f"{name} {fault}" for fault in _faults(styled, body, said)]
    return wrong


def _left_empty(section: Section) -> bool:
    codes = {issue["code"] for issue in section.issues}
    return section.end == section.start and "combined_heading" in codes


def _faults(styled: Styled, body: Body, said: str) -> list[str]:
    wrong: list[str] = []
    at = said.find(body.opening)
    if at < 0:
        wrong.append(f"does not hold its beginning; it begins {said[:80]!r}")
    elif at > _HEADING:
        wrong.append(f"begins {at} characters before its text")
    if body.closing not in said and f"item_{body.numbers[0].lower()}" not in styled.loose:
        wrong.append(f"is cut short at {said[-60:]!r}")
    wrong += [
        f"swallows item {'/'.join(other.numbers)} of {other.part}"
        for other in styled.bodies
        if other is not body and other.opening in said
    ]
    if "pursuant to the requirements of" in said.lower():
        wrong.append("swallows the signatures")
    return wrong
