"""Invented annual and quarterly reports, shaped like the ones parsers stumble over.

Inline headings split over tags, a table of contents that repeats every item with page numbers,
sentences that mention an item without being its heading, combined items, footnotes, ASCII tables.
No company, person or sentence in them exists.
"""

import html
import random
import textwrap
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Filing:
    """What one generated filing is about; `file` is its name in the folder."""

    accession_number: str
    cik: str
    company_name: str
    ticker: str
    form_type: str
    filing_date: date
    period_of_report: date
    file: str
    combined: bool = False


Items = tuple[tuple[str, str], ...]

ANNUAL: tuple[tuple[str, Items], ...] = (
    (
        "I",
        (
            *(("1", "Business"), ("1A", "Risk Factors"), ("1B", "Unresolved Staff Comments")),
            *(("1C", "Cybersecurity"), ("2", "Properties"), ("3", "Legal Proceedings")),
            ("4", "Mine Safety Disclosures"),
        ),
    ),
    (
        "II",
        (
            ("5", "Market for Registrant's Common Equity"),
            ("6", "[Reserved]"),
            ("7", "Management's Discussion and Analysis"),
            ("7A", "Quantitative and Qualitative Disclosures About Market Risk"),
            ("8", "Financial Statements and Supplementary Data"),
            ("9", "Changes in and Disagreements with Accountants"),
            ("9A", "Controls and Procedures"),
            ("9B", "Other Information"),
        ),
    ),
    (
        "III",
        (
            *(("10", "Directors and Officers"), ("11", "Executive Compensation")),
            *(("12", "Security Ownership"), ("13", "Certain Relationships")),
            ("14", "Principal Accountant Fees and Services"),
        ),
    ),
    ("IV", (("15", "Exhibits and Financial Statement Schedules"), ("16", "Form 10-K Summary"))),
)
# As the form asked for them before 2001.
OLD_ANNUAL: tuple[tuple[str, Items], ...] = (
    (
        "I",
        (
            *(("1", "Business"), ("2", "Properties"), ("3", "Legal Proceedings")),
            ("4", "Submission of Matters to a Vote of Security Holders"),
        ),
    ),
    (
        "II",
        (
            ("5", "Market for Registrant's Common Equity"),
            ("6", "Selected Financial Data"),
            ("7", "Management's Discussion and Analysis"),
            ("8", "Financial Statements and Supplementary Data"),
            ("9", "Changes in and Disagreements with Accountants"),
        ),
    ),
    (
        "III",
        (
            *(("10", "Directors and Executive Officers"), ("11", "Executive Compensation")),
            *(("12", "Security Ownership"), ("13", "Certain Relationships")),
        ),
    ),
    ("IV", (("14", "Exhibits, Financial Statement Schedules, and Reports on Form 8-K"),)),
)
QUARTERLY: tuple[tuple[str, Items], ...] = (
    (
        "I",
        (
            ("1", "Financial Statements"),
            ("2", "Management's Discussion and Analysis"),
            ("3", "Quantitative and Qualitative Disclosures About Market Risk"),
            ("4", "Controls and Procedures"),
        ),
    ),
    ("II", (("1", "Legal Proceedings"), ("1A", "Risk Factors"), ("6", "Exhibits"))),
)

_SENTENCES = (
    "We make lanterns, kettles and weather vanes in two workshops beside the river.",
    "Demand for kettles follows the seasons; the third quarter is usually the strongest.",
    "A late thaw can close the canal and delay deliveries by up to three weeks.",
    "As described in Item 1A — Risk Factors, our brass comes from a single foundry.",
    "Please read this together with Item 8 and the notes to the statements.",
    "Our largest customer bought 12.4% of all lanterns sold during the year.",
    "We do not expect the new glazing line to be ready before the spring.",
    "Item 7 of last year's report discusses the flood in more detail.",
    "The workshop roof was renewed at a cost of $0.4 million (see Note 3).",
    "Competition comes from makers of candles, who need less space and fewer permits.",
)

_STATEMENTS = (
    (
        "Consolidated Balance Sheets",
        (
            *("Cash", "Receivables", "Inventories (1)", "Property and equipment", "Total assets"),
            *("Accounts payable", "Total liabilities", "Retained earnings", "Total equity"),
            "Total liabilities and equity",
        ),
    ),
    (
        "Consolidated Statements of Income",
        (
            *("Net sales", "Cost of sales", "Gross profit", "Selling and administrative expenses"),
            *("Operating income", "Interest expense", "Income before income taxes"),
            *("Income tax expense", "Net income", "Net income per share"),
        ),
    ),
    (
        "Consolidated Statements of Cash Flows",
        (
            *("Net income", "Depreciation", "Changes in receivables", "Changes in inventories"),
            *("Net cash provided by operating activities", "Purchases of equipment"),
            *("Net cash used in investing activities", "Repayments of loans", "Dividends paid"),
            *("Net cash used in financing activities", "Cash at end of year"),
        ),
    ),
)


def html_report(rng: random.Random, filing: Filing) -> str:
    """A 10-K or 10-Q as HTML, with contents page, items, statements and footnotes."""
    parts = QUARTERLY if filing.form_type == "10-Q" else ANNUAL
    span = "quarterly period" if filing.form_type == "10-Q" else "fiscal year"
    body = [
        f"<p style='text-align:center'><b>FORM {filing.form_type}</b></p>",
        f"<p>For the {span} ended {filing.period_of_report:%B %d, %Y}</p>",
        f"<p><b>{html.escape(filing.company_name)}</b></p>",
        _contents(parts),
    ]
    for part, items in parts:
        body.append(f"<p style='text-align:center'><b>PART {part}</b></p>")
        for number, title in items:
            body += _html_item(rng, filing, part, number, title)
    body.append("<p><b>SIGNATURES</b></p><p>Signed on behalf of the registrant.</p>")
    head = f"<head><title>{html.escape(filing.ticker)} {filing.form_type}</title></head>"
    return f"<html>{head}<body>\n" + "\n".join(body) + "\n</body></html>\n"


def text_report(rng: random.Random, filing: Filing) -> str:
    """An annual report of the nineties: SGML header, page breaks, ASCII tables, no anchors."""
    lines = [
        f"<SEC-DOCUMENT>{filing.accession_number}.txt : {filing.filing_date:%Y%m%d}",
        f"<SEC-HEADER>{filing.accession_number}.hdr.sgml : {filing.filing_date:%Y%m%d}",
        f"ACCESSION NUMBER:\t\t{filing.accession_number}",
        f"CONFORMED SUBMISSION TYPE:\t{filing.form_type}",
        f"CONFORMED PERIOD OF REPORT:\t{filing.period_of_report:%Y%m%d}",
        f"FILED AS OF DATE:\t\t{filing.filing_date:%Y%m%d}",
        f"\tCOMPANY CONFORMED NAME:\t\t{filing.company_name.upper()}",
        f"\tCENTRAL INDEX KEY:\t\t{filing.cik}",
        "</SEC-HEADER>",
        "<DOCUMENT>",
        f"<TYPE>{filing.form_type}",
        "<TEXT>",
    ]
    page = 1
    for part, items in OLD_ANNUAL:
        lines += ["", f"PART {part}".center(72)]
        for number, title in items:
            lines += ["", f"ITEM {number}.   {title.upper()}", ""]
            for _ in range(rng.randrange(2, 5)):
                lines += [*textwrap.wrap(_paragraph(rng), 72), ""]
            if number == "8":
                lines += _ascii_table(rng)
            if rng.random() < 0.5:
                lines += ["", f"- {page} -".center(72), "<PAGE>"]
                page += 1
    lines += ["", "SIGNATURES".center(72), "", "</TEXT>", "</DOCUMENT>", "</SEC-DOCUMENT>"]
    return "\n".join(lines) + "\n"


def _contents(parts: tuple[tuple[str, Items], ...]) -> str:
    rows, page = [], 3
    for part, items in parts:
        rows.append(f"<tr><td colspan='3'>Part {part}</td></tr>")
        for number, title in items:
            link = f"<a href='#p{part}i{number}'>{html.escape(title)}</a>"
            rows.append(f"<tr><td>Item {number}.</td><td>{link}</td><td>{page}</td></tr>")
            page += 4
    return "<p>TABLE OF CONTENTS</p><table>" + "".join(rows) + "</table>"


def _html_item(rng: random.Random, filing: Filing, part: str, number: str, title: str) -> list[str]:
    """One item: heading in one of three mark-ups, paragraphs, statements where they belong."""
    label = f"Item {number}."
    if filing.combined and part == "I" and number == "2":
        return []
    if filing.combined and part == "I" and number == "1":
        label, title = "Items 1 and 2.", "Business and Properties"
    title = html.escape(title)
    heading = rng.choice(
        (
            "<p id='{a}'><b>{l}&#160;&#160;{t}</b></p>",
            "<div id='{a}'><span style='font-weight:700'>{l}</span><span> </span>"
            "<span style='font-weight:700'>{t}</span></div>",
            "<table id='{a}'><tr><td><b>{l}</b></td><td><b>{t}</b></td></tr></table>",
        )
    ).format(a=f"p{part}i{number}", l=label, t=title)
    if number == "6" and part == "II" and filing.form_type != "10-Q":
        return [heading]
    paragraphs = [f"<p>{html.escape(_paragraph(rng))}</p>" for _ in range(rng.randrange(2, 6))]
    statements = number == ("1" if filing.form_type == "10-Q" else "8") and (
        part == ("I" if filing.form_type == "10-Q" else "II")
    )
    return [heading, *paragraphs, *(_statements(rng) if statements else [])]


def _statements(rng: random.Random) -> list[str]:
    """Balance sheet, income statement and cash flow, with one footnote in the table."""
    out = []
    for caption, names in _STATEMENTS:
        rows = "".join(
            f"<tr><td>{name}</td><td>$</td><td>{rng.randrange(100, 90_000):,}</td>"
            f"<td>({rng.randrange(10, 9_000):,})</td></tr>"
            for name in names
        )
        out.append(f"<p><b>{caption} (in thousands)</b></p>")
        out.append(f"<table><tr><th></th><th></th><th>2024</th><th>2023</th></tr>{rows}</table>")
        if "(1)" in rows:
            note = "Inventories are stated at the lower of cost and market."
            out.append(f"<p><sup>(1)</sup> {note}</p>")
    return out


def _ascii_table(rng: random.Random) -> list[str]:
    rows = [
        f"{name:<40}{rng.randrange(100, 90_000):>12,}{rng.randrange(100, 90_000):>12,}"
        for name in ("Cash", "Receivables", "Inventories", "Total assets")
    ]
    rule = f"{'':<40}{'-' * 10:>12}{'-' * 10:>12}"
    head = f"{'(in thousands)':<40}{'1997':>12}{'1996':>12}"
    return [
        "<TABLE>",
        "<CAPTION>",
        "BALANCE SHEETS",
        head,
        "<S>  <C>  <C>",
        *rows,
        rule,
        "</TABLE>",
    ]


def _paragraph(rng: random.Random) -> str:
    return " ".join(rng.choices(_SENTENCES, k=rng.randrange(3, 8)))
