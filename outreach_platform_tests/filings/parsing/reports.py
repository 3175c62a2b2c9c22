"""Reports of a made-up company, laid out the ways real filers lay theirs out."""

import textwrap
from collections.abc import Callable, Mapping, Sequence

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.plain import read_plain
from outreach_platform.filings.parsing.sections import find_sections

Row = tuple[str, str]
Head = Callable[[str, str], str]

MDA = "Management's Discussion and Analysis of Financial Condition and Results of Operations"
# A part is a row with a Roman number; 10-Q parts have a title.
YEAR_1997: tuple[Row, ...] = (
    ("I", ""),
    ("1", "Business"),
    ("2", "Properties"),
    ("3", "Legal Proceedings"),
    ("4", "Submission of Matters to a Vote of Security Holders"),
    ("II", ""),
    ("5", "Market for Registrant's Common Equity and Related Stockholder Matters"),
    ("6", "Selected Financial Data"),
    ("7", MDA),
    ("8", "Financial Statements and Supplementary Data"),
    ("9", "Changes in and Disagreements with Accountants on Accounting and Financial Disclosure"),
    ("III", ""),
    ("10", "Directors and Executive Officers of the Registrant"),
    ("11", "Executive Compensation"),
    ("12", "Security Ownership of Certain Beneficial Owners and Management"),
    ("13", "Certain Relationships and Related Transactions"),
    ("IV", ""),
    ("14", "Exhibits, Financial Statement Schedules and Reports on Form 8-K"),
)
YEAR_2024: tuple[Row, ...] = (
    ("I", ""),
    ("1", "Business"),
    ("1A", "Risk Factors"),
    ("1B", "Unresolved Staff Comments"),
    ("1C", "Cybersecurity"),
    ("2", "Properties"),
    ("3", "Legal Proceedings"),
    ("4", "Mine Safety Disclosures"),
    ("II", ""),
    ("5", "Market for Registrant's Common Equity, Related Stockholder Matters"),
    ("6", "[Reserved]"),
    ("7", MDA),
    ("7A", "Quantitative and Qualitative Disclosures About Market Risk"),
    ("8", "Financial Statements and Supplementary Data"),
    ("9", "Changes in and Disagreements with Accountants on Accounting and Financial Disclosure"),
    ("9A", "Controls and Procedures"),
    ("9B", "Other Information"),
    ("9C", "Disclosure Regarding Foreign Jurisdictions that Prevent Inspections"),
    ("III", ""),
    ("10", "Directors, Executive Officers and Corporate Governance"),
    ("11", "Executive Compensation"),
    ("12", "Security Ownership of Certain Beneficial Owners and Management"),
    ("13", "Certain Relationships and Related Transactions, and Director Independence"),
    ("14", "Principal Accountant Fees and Services"),
    ("IV", ""),
    ("15", "Exhibits and Financial Statement Schedules"),
    ("16", "Form 10-K Summary"),
)
QUARTER: tuple[Row, ...] = (
    ("I", "Financial Information"),
    ("1", "Financial Statements"),
    ("2", MDA),
    ("3", "Quantitative and Qualitative Disclosures About Market Risk"),
    ("4", "Controls and Procedures"),
    ("II", "Other Information"),
    ("1", "Legal Proceedings"),
    ("1A", "Risk Factors"),
    ("2", "Unregistered Sales of Equity Securities and Use of Proceeds"),
    ("3", "Defaults Upon Senior Securities"),
    ("4", "Mine Safety Disclosures"),
    ("5", "Other Information"),
    ("6", "Exhibits"),
)
PARTS = {"I", "II", "III", "IV"}
SIGNATURES = (
    "Pursuant to the requirements of Section 13 or 15(d) of the Securities Exchange Act of 1934, "
    "the registrant has duly caused this report to be signed on its behalf."
)


def told(row: int, times: int = 4) -> str:
    """A paragraph that no other row of the report has."""
    return f"Row {row} of this report tells of valves for mills and pumps for farms. " * times


def plain(
    head: Head,
    rows: Sequence[Row] = YEAR_1997,
    *,
    contents: str = "",
    bodies: Mapping[str, str] | None = None,
    behind: str = "",
) -> Document:
    """A report as plain text of the 1990s; bodies go by number."""
    parts = ["FORM 10-K", "VALVE AND PUMP CORP", contents]
    for place, (number, title) in enumerate(rows):
        if number in PARTS:
            parts.append(f"                    PART {number}.  {title}".rstrip(" ."))
            continue
        body = (bodies or {}).get(number)
        parts += [head(number, title), textwrap.fill(told(place), 68) if body is None else body]
    signed = textwrap.fill(SIGNATURES, 68)
    parts += ["                    SIGNATURES", signed, "By: /s/ A. Miller", behind]
    return read_plain("\n\n".join(part for part in parts if part))


def page(
    head: Head,
    rows: Sequence[Row] = YEAR_2024,
    *,
    contents: str = "",
    bodies: Mapping[str, str] | None = None,
    behind: str = "",
    part: Head = lambda number, title: f"<p align='center'><b>PART {number} {title}</b></p>",
) -> Document:
    """A report as HTML; a body of None is the usual one."""
    parts = ["<html><body><p>FORM 10-K</p><p>VALVE AND PUMP CORP</p>", contents]
    for place, (number, title) in enumerate(rows):
        if number in PARTS:
            parts.append(part(number, title))
            continue
        body = (bodies or {}).get(number)
        parts += [head(number, title), f"<p>{told(place)}</p>" if body is None else body]
    signed = f"<p><b>SIGNATURES</b></p><p>{SIGNATURES}</p><p>/s/ A. Miller</p>"
    return read_html("".join([*parts, signed, behind, "</body></html>"]))


def contents(rows: Sequence[Row], *, pages: bool = True, links: bool = False) -> str:
    """A table of contents in HTML."""
    found: list[str] = []
    for place, (number, title) in enumerate(rows):
        words = [f"PART {number}", title] if number in PARTS else [f"Item {number}.", title]
        if links:
            words = [f'<a href="#at{place}">{word}</a>' for word in words]
        words += [str(place + 3)] if pages and number not in PARTS else []
        found.append(f"<tr>{''.join(f'<td>{word}</td>' for word in words)}</tr>")
    return f"<table>{''.join(found)}</table>"


def keys(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Part and type of each row's item."""
    part = ""
    found: list[tuple[str, str]] = []
    for number, _ in rows:
        if number in PARTS:
            part = f"part_{number.lower()}"
        else:
            found.append((part, f"item_{number.lower()}"))
    return found


def found_keys(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """Part and type of each section."""
    return [(section.section_part, section.section_type) for section in sections]


def texts(document: Document, form: str = "10-K", year: int = 2024) -> dict[str, str]:
    """The text of each section by `part_i item_1`."""
    return {
        f"{one.section_part} {one.section_type}": document.text[one.start : one.end]
        for one in find_sections(document, form, year)
    }


def bold(number: str, title: str) -> str:
    """A heading as most filers print it."""
    return f"<p><b>Item {number}. {title}</b></p>"
