"""Pages of HTML: with anchors and without, in tables, in spans, with and without bold."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

from outreach_platform_tests.support.filing_styles import (
    MIDDLE,
    NEW,
    Body,
    Styled,
    Words,
    annual,
    combined,
    quarterly,
    style,
)
from outreach_platform_tests.support.filing_styles_plain import PARTS, filed

Writer = Callable[[Body], str]
COVER = (
    "<p align='center'><b>UNITED STATES<br>SECURITIES AND EXCHANGE COMMISSION</b></p>"
    "<p><b>FORM 10-K</b></p><p><b>DORSET MILLING COMPANY</b></p>"
    "<p>Indicate by check mark if disclosure of delinquent filers pursuant to Item 405 of"
    " Regulation S-K is not contained herein.</p><p>Portions of the proxy statement are"
    " incorporated by reference in Part III, Items 10 through 14.</p>"
)
SIGNATURES = (
    "<p><b>SIGNATURES</b></p><p>Pursuant to the requirements of Section 13 or 15(d) of the"
    " Securities Exchange Act of 1934, the registrant has duly caused this report to be signed on"
    " its behalf by the undersigned.</p><p>Jane Roe, President</p>"
)
BREAK = "<hr style='page-break-after:always'>"


@dataclass
class Page:
    """How a filer marks up a page.

    Attributes:
        heading: the markup of an item's heading.
        paragraph: the markup of a paragraph, its text for `{0}`.
        part: the markup before the first item of a part; empty for none.
        between: what stands between items.
    """

    heading: Writer
    paragraph: str = "<p>{0}</p>"
    part: str = "<p align='center'><b>PART {0}</b></p>"
    between: str = ""


def anchor(body: Body) -> str:
    return f"i{body.part}{'_'.join(body.numbers)}"


def bold(body: Body) -> str:
    """One bold paragraph with an anchor."""
    title = f"Item {' and '.join(body.numbers)}. {escape(body.title)}"
    return f"<p><a name='{anchor(body)}'></a><b>{title}</b></p>"


def rendered(bodies: Sequence[Body], page: Page) -> str:
    """The items one after another."""
    parts: list[str] = []
    before = ""
    for body in bodies:
        if body.part != before and page.part:
            parts.append(page.part.format(PARTS[body.part]))
        before = body.part
        parts.append(page.heading(body))
        parts += [page.paragraph.format(escape(paragraph)) for paragraph in body.paragraphs]
        parts.append(page.between)
    return "".join(parts)


def contents(bodies: Sequence[Body], *, links: bool = True, pages: bool = True) -> str:
    """A table of contents."""
    rows = []
    before = ""
    for number, body in enumerate(bodies, start=3):
        if body.part != before:
            rows.append(f"<tr><td colspan='3'><b>PART {PARTS[body.part]}</b></td></tr>")
        before = body.part
        title = escape(body.title)
        title = f"<a href='#{anchor(body)}'>{title}</a>" if links else title
        page = f"<td>{number}</td>" if pages else ""
        rows.append(f"<tr><td>Item {'/'.join(body.numbers)}.</td><td>{title}</td>{page}</tr>")
    return f"<p><b>TABLE OF CONTENTS</b></p><table>{''.join(rows)}</table>{BREAK}"


def page(*parts: str) -> str:
    return f"<html><head><title>10-K</title></head><body>{''.join(parts)}</body></html>"


@style
def html_linked(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW)
    back = f"{BREAK}<p><a href='#toc'>Table of Contents</a></p>"
    text = rendered(bodies, Page(bold, between=back))
    return filed(
        page(COVER, "<a name='toc'></a>", contents(bodies), text, SIGNATURES), bodies, year=NEW
    )


@style
def html_small_filer(seed: random.Random) -> Styled:
    """No anchors, nothing bold, number and title in paragraphs of their own."""
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        return f"<p>Item {body.numbers[0]}</p><p>{escape(body.title)}</p>"

    text = rendered(bodies, Page(heading, part="<p>Part {0}</p>"))
    return filed(page(COVER, text, SIGNATURES), bodies, year=MIDDLE)


@style
def html_table_headings(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW)

    def heading(body: Body) -> str:
        cells = f"<td>ITEM {body.numbers[0]}.</td><td>{escape(body.title.upper())}</td>"
        return f"<table><tr>{cells}</tr></table>"

    text = rendered(bodies, Page(heading))
    return filed(page(COVER, contents(bodies, links=False), text, SIGNATURES), bodies, year=NEW)


@style
def html_split_spans(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW)

    def heading(body: Body) -> str:
        number, title = body.numbers[0], body.title
        pieces = ("I", "TEM\u00a0", number[:1], f"{number[1:]}.\u00a0\u00a0", title[:4], title[4:])
        spans = (f"<span style='font-weight:700'>{escape(piece)}</span>" for piece in pieces)
        return f"<div>{''.join(spans)}</div>"

    text = rendered(bodies, Page(heading, paragraph="<div><span>{0}</span></div>"))
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=NEW)


@style
def html_mentions_begin_paragraphs(seed: random.Random) -> Styled:
    words = Words(seed)
    mentions = (
        "Item 1A. Risk Factors above says what may harm us, and you should read it with care.",
        "<b>Item 7. Management's Discussion and Analysis</b> of this report tells of the year.",
        "<i>Item 8</i> of our report for the year before holds the older statements.",
        "Item 1. Business and Item 2. Properties describe the mills of which this section speaks.",
    )
    bodies = annual(words, NEW)
    text = rendered(bodies, Page(bold))
    for body in bodies:
        if len(body.paragraphs) > 2:
            last = f"<p>{escape(body.paragraphs[-1])}</p>"
            text = text.replace(last, f"<p>{seed.choice(mentions)}</p>{last}")
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=NEW)


@style
def html_combined(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = combined(annual(words, NEW), ("1", "2"), "Business and Properties", words)
    return filed(
        page(COVER, contents(bodies), rendered(bodies, Page(bold)), SIGNATURES), bodies, year=NEW
    )


@style
def html_amendment(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = [
        replace(body, paragraphs=words.text(5))
        for body in annual(words, NEW)
        if body.part == "part_iii"
    ]
    note = "<p>This amendment gives Items 10, 11, 12, 13 and 14 of Part III.</p>"
    text = rendered(bodies, Page(bold))
    return filed(page(COVER, note, text, SIGNATURES), bodies, year=NEW, form="10-K/A")


@style
def html_quarter(seed: random.Random) -> Styled:
    bodies = quarterly(Words(seed), NEW, drop=("ii3", "ii4"))
    text = rendered(bodies, Page(bold, part="<p><b>PART {0} - INFORMATION</b></p>"))
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=NEW, form="10-Q")


@style
def html_quarter_bare(seed: random.Random) -> Styled:
    bodies = quarterly(Words(seed), MIDDLE, drop=("ii2", "ii3", "ii5"))

    def heading(body: Body) -> str:
        return f"<p>ITEM {body.numbers[0]} {escape(body.title.upper())}</p>"

    text = rendered(bodies, Page(heading, part="<p>PART {0}</p>"))
    return filed(page(COVER, text, SIGNATURES), bodies, year=MIDDLE, form="10-Q")
