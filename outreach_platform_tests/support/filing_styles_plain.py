"""Plain text as filers wrote it in the 1990s, and until a few years later."""

import random
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outreach_platform_tests.support.filing_styles import (
    OLD,
    Body,
    Styled,
    Words,
    annual,
    combined,
    style,
)

PARTS = {"part_i": "I", "part_ii": "II", "part_iii": "III", "part_iv": "IV"}
Heading = Callable[[Body], str]
COVER = """                       SECURITIES AND EXCHANGE COMMISSION
                             WASHINGTON, D.C. 20549
                                   FORM {form}

    [X] ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE
                                   ACT OF 1934

                            DORSET MILLING COMPANY
             (Exact name of registrant as specified in its charter)

  Indicate by check mark if disclosure of delinquent filers pursuant to Item 405
of Regulation S-K is not contained herein. [ ]

                      DOCUMENTS INCORPORATED BY REFERENCE
  Portions of the proxy statement are incorporated by reference in Part III,
Items 10, 11, 12 and 13.

"""
SIGNATURES = """                                  SIGNATURES

  Pursuant to the requirements of Section 13 or 15(d) of the Securities Exchange
Act of 1934, the registrant has duly caused this report to be signed on its
behalf by the undersigned, thereunto duly authorized.

                                        DORSET MILLING COMPANY
                                        By: /s/ Jane Roe, President
"""


@dataclass
class Layout:
    """How a filer lays out plain text.

    Attributes:
        heading: the lines of an item's heading.
        part: the line before the first item of a part; empty for none.
        indent: of the first line of a paragraph.
        width: of lines.
        spacing: empty lines between lines.
        run_in: the text begins on the heading's line.
    """

    heading: Heading
    part: str = "PART {0}"
    indent: str = "   "
    width: int = 76
    spacing: int = 0
    run_in: bool = False


def capitals(body: Body) -> str:
    """`ITEM 1.  BUSINESS`."""
    return f"ITEM {'/'.join(body.numbers)}.  {body.title.upper()}"


def mixed(body: Body) -> str:
    """`Item 1.  Business`."""
    return f"Item {'/'.join(body.numbers)}.  {body.title}"


def rendered(bodies: Sequence[Body], layout: Layout) -> str:
    """The items one after another."""
    parts: list[str] = []
    before = ""
    for body in bodies:
        if body.part != before and layout.part:
            parts.append(layout.part.format(PARTS[body.part]).center(layout.width).rstrip())
        before = body.part
        heading = layout.heading(body)
        paragraphs = list(body.paragraphs)
        if layout.run_in:
            paragraphs[0] = f"{heading}.  {paragraphs[0]}"
        else:
            parts.append(heading)
        parts += [wrapped(paragraph, layout) for paragraph in paragraphs]
    return "\n\n".join(parts) + "\n\n"


def wrapped(paragraph: str, layout: Layout) -> str:
    """A paragraph in lines."""
    lines = textwrap.wrap(
        paragraph, layout.width, initial_indent=layout.indent, break_on_hyphens=False
    )
    return ("\n" * (layout.spacing + 1)).join(lines)


def paged(text: str, *, head: str = "", foot: str = "{0}", lines: int = 52) -> str:
    """The text in pages, each with its number and `<PAGE>`."""
    rows = text.split("\n")
    pages: list[str] = []
    for number, start in enumerate(range(0, len(rows), lines), start=1):
        page = "\n".join(rows[start : start + lines])
        top = f"{head.format(number)}\n\n" if head and number > 1 else ""
        pages.append(f"{top}{page}\n\n{foot.format(number).center(76).rstrip()}\n<PAGE>\n")
    return "".join(pages)


def contents(bodies: Sequence[Body], *, pages: bool = True, parts: bool = True) -> str:
    """A table of contents."""
    rows = ["                               TABLE OF CONTENTS", ""]
    before = ""
    for number, body in enumerate(bodies, start=3):
        if body.part != before and parts:
            rows += ["", f"PART {PARTS[body.part]}"]
        before = body.part
        row = f"Item {'/'.join(body.numbers)}.  {body.title[:52]}"
        rows.append(f"{row:.<70} {number}" if pages else row)
    return "\n".join(rows) + "\n\n"


def filed(text: str, bodies: Sequence[Body], **told: object) -> Styled:
    """The filing of a style."""
    form, year = str(told.pop("form", "10-K")), told.pop("year", OLD)
    assert isinstance(year, int)
    loose, extra = told.pop("loose", ()), told.pop("extra", ())
    assert not told and isinstance(loose, tuple) and isinstance(extra, tuple)
    return Styled("", form, year, text, tuple(bodies), frozenset(loose), frozenset(extra))


def submission(form: str, *documents: tuple[str, str]) -> str:
    """A full submission with its SGML header."""
    parts = [
        "<SEC-DOCUMENT>0000777777-97-000012.txt : 19970328\n"
        "<SEC-HEADER>0000777777-97-000012.hdr.sgml : 19970328\n"
        "ACCESSION NUMBER:\t\t0000777777-97-000012\n"
        f"CONFORMED SUBMISSION TYPE:\t{form}\nPUBLIC DOCUMENT COUNT:\t\t{len(documents)}\n"
        "CONFORMED PERIOD OF REPORT:\t19961231\nFILED AS OF DATE:\t\t19970328\n\nFILER:\n\n"
        "\tCOMPANY DATA:\n\t\tCOMPANY CONFORMED NAME:\t\t\tDORSET MILLING CO\n"
        "\t\tCENTRAL INDEX KEY:\t\t\t0000777777\n</SEC-HEADER>\n"
    ]
    for number, (kind, text) in enumerate(documents, start=1):
        parts.append(
            f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{number}\n<TEXT>\n{text}\n</TEXT>\n</DOCUMENT>\n"
        )
    return "".join([*parts, "</SEC-DOCUMENT>\n"])


@style
def plain_contents_and_pages(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    body = rendered(bodies, Layout(capitals))
    text = paged(
        COVER.format(form="10-K") + contents(bodies) + body + SIGNATURES,
        head="DORSET MILLING COMPANY                         1996 ANNUAL REPORT",
        foot="- {0} -",
    )
    return filed(text, bodies)


@style
def plain_10k405_submission(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    text = paged(COVER.format(form="10-K405") + rendered(bodies, Layout(mixed)) + SIGNATURES)
    exhibit = "EXHIBIT 21\n\nITEM 1. SUBSIDIARIES\n\nDorset Barges, Inc."
    return filed(
        submission("10-K405", ("10-K405", text), ("EX-21", exhibit)), bodies, form="10-K405"
    )


@style
def plain_pointers(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = [
        body
        if body.part != "part_ii"
        else Body(
            body.part,
            body.numbers,
            body.title,
            (
                f"The passage named {words.sentence()[:-1]} on pages {n + 10} through {n + 14} of"
                " the Annual Report to Shareholders is incorporated by reference, as"
                f" {words.sentence()}",
            ),
        )
        for n, body in enumerate(annual(words, OLD))
    ]
    report = f"MANAGEMENT'S DISCUSSION AND ANALYSIS\n\n{words.paragraph(40)}\n"
    text = COVER.format(form="10-K") + rendered(bodies, Layout(capitals)) + SIGNATURES
    return filed(submission("10-K", ("10-K", paged(text)), ("EX-13", report)), bodies)


@style
def plain_shell(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD, short=True)
    return filed(COVER + rendered(bodies, Layout(mixed)) + SIGNATURES, bodies)


@style
def plain_run_in(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    layout = Layout(mixed, run_in=True, indent="     ")
    return filed(paged(COVER + rendered(bodies, layout) + SIGNATURES), bodies)


@style
def plain_shell_run_in(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD, short=True)
    layout = Layout(capitals, run_in=True, indent="")
    return filed(COVER + rendered(bodies, layout) + SIGNATURES, bodies)


@style
def plain_combined(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = combined(annual(words, OLD), ("1", "2"), "Business and Properties", words)
    bodies = combined(bodies, ("7", "8"), "Management's Discussion; Financial Statements", words)

    def heading(body: Body) -> str:
        joined = " AND ".join(body.numbers)
        return f"ITEM{'S' if len(body.numbers) > 1 else ''} {joined}.  {body.title.upper()}"

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)


@style
def plain_part_three_at_once(seed: random.Random) -> Styled:
    words = Words(seed)
    title = "Directors and Executive Officers; Executive Compensation; Security Ownership;"
    bodies = combined(
        annual(words, OLD), ("10", "11", "12", "13"), f"{title} Certain Relationships", words
    )

    def heading(body: Body) -> str:
        if len(body.numbers) == 1:
            return capitals(body)
        return f"ITEMS {body.numbers[0]} THROUGH {body.numbers[-1]}."

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)
