"""More pages of HTML: one block, titles alone, running heads, statements behind."""

import random
from dataclasses import replace
from html import escape

from outreach_platform_tests.support.filing_styles import (
    MIDDLE,
    NEW,
    OLD,
    Body,
    Styled,
    Words,
    annual,
    style,
)
from outreach_platform_tests.support.filing_styles_html import (
    BREAK,
    COVER,
    SIGNATURES,
    Page,
    anchor,
    bold,
    contents,
    page,
    rendered,
)
from outreach_platform_tests.support.filing_styles_plain import COVER as PLAIN_COVER
from outreach_platform_tests.support.filing_styles_plain import PARTS, Layout, capitals, filed
from outreach_platform_tests.support.filing_styles_plain import SIGNATURES as PLAIN_SIGNATURES
from outreach_platform_tests.support.filing_styles_plain import rendered as plain_rendered


@style
def html_one_block(seed: random.Random) -> Styled:
    """All in one paragraph, parted by line breaks, as in 1999."""
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        return f"<br><br>Item {body.numbers[0]}. &nbsp; {escape(body.title)}<br><br>"

    text = rendered(bodies, Page(heading, paragraph="{0}<br><br>", part="<br>PART {0}<br>"))
    return filed(page(COVER, f"<p><font size=2>{text}</font></p>", SIGNATURES), bodies)


@style
def html_preformatted(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    text = PLAIN_COVER + plain_rendered(bodies, Layout(capitals)) + PLAIN_SIGNATURES
    return filed(f"<html><body><pre>\n{escape(text, quote=False)}</pre></body></html>", bodies)


@style
def html_titles_alone(seed: random.Random) -> Styled:
    """Only the contents say Item; the headings are titles that they link to."""
    bodies = annual(Words(seed), NEW)

    def heading(body: Body) -> str:
        return f"<p id='{anchor(body)}'><b>{escape(body.title.upper())}</b></p>"

    text = rendered(bodies, Page(heading, part=""))
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=NEW)


@style
def html_running_heads(seed: random.Random) -> Styled:
    """Each page of an item repeats its heading, continued."""
    bodies = annual(Words(seed), MIDDLE)

    def text(body: Body) -> str:
        head = f"<p><b>Item {body.numbers[0]}. {escape(body.title)} (continued)</b></p>"
        parts = [f"<p>{escape(paragraph)}</p>" for paragraph in body.paragraphs]
        return bold(body) + f"<p>{seed.randint(3, 90)}</p>{BREAK}{head}".join(parts)

    before, parts = "", []
    for body in bodies:
        if body.part != before:
            parts.append(f"<p><b>PART {PARTS[body.part]}</b></p>")
        before = body.part
        parts.append(text(body))
    return filed(page(COVER, *parts, SIGNATURES), bodies, year=MIDDLE)


@style
def html_statements_behind(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = [
        body
        if body.numbers != ("8",)
        else replace(body, paragraphs=(f"See the pages of {words.sentence()[:-1]} from F-1 on.",))
        for body in annual(words, NEW)
    ]
    behind = "".join(f"<p>{paragraph}</p>" for paragraph in words.text(30))
    behind = f"{BREAK}<p><b>INDEX TO CONSOLIDATED FINANCIAL STATEMENTS</b></p>{behind}"
    text = rendered(bodies, Page(bold))
    return filed(page(COVER, contents(bodies), text, SIGNATURES, behind), bodies, year=NEW)


@style
def html_shell(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW, short=True)
    text = rendered(bodies, Page(bold))
    return filed(page(COVER, contents(bodies, links=False), text, SIGNATURES), bodies, year=NEW)


@style
def html_run_in(seed: random.Random) -> Styled:
    """The text begins on the line of a heading that is bold only itself."""
    bodies = annual(Words(seed), MIDDLE)
    parts = []
    for body in bodies:
        first = escape(body.paragraphs[0])
        head = f"<b>Item {body.numbers[0]}. {escape(body.title)}.</b> {first}"
        rest = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in body.paragraphs[1:])
        parts.append(f"<p>{head}</p>{rest}")
    return filed(page(COVER, *parts, SIGNATURES), bodies, year=MIDDLE)


@style
def html_capitals_without_dots(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        title = escape(body.title.upper().replace("'", "").replace(",", ""), quote=False)
        return f"<p style='text-align:center'>ITEM {body.numbers[0]} {title}</p>"

    text = rendered(bodies, Page(heading))
    return filed(
        page(COVER, contents(bodies, links=False, pages=False), text, SIGNATURES),
        bodies,
        year=MIDDLE,
    )


@style
def html_dashes(seed: random.Random) -> Styled:
    """`Item 9A(T)`, long dashes, hard spaces, letters apart."""
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        number = body.numbers[0].replace("9A", "9A(T)").replace("7A", "7 A")
        return f"<div><b><u>Item&#160;{number}</u>&#8212;{escape(body.title)}</b></div>"

    text = rendered(bodies, Page(heading, paragraph="<div>{0}</div>"))
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=MIDDLE)


@style
def html_contents_by_part(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW)
    parts = []
    for part in PARTS:
        inside = [body for body in bodies if body.part == part]
        parts.append(contents(inside, links=False) + rendered(inside, Page(bold)))
    return filed(page(COVER, *parts, SIGNATURES), bodies, year=NEW)


@style
def html_everything_in_tables(seed: random.Random) -> Styled:
    """Layout tables around headings and text alike."""
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        cells = f"<td><b>Item {body.numbers[0]}.</b></td><td><b>{escape(body.title)}</b></td>"
        return f"<table><tr>{cells}</tr></table>"

    text = rendered(
        bodies, Page(heading, paragraph="<table><tr><td></td><td>{0}</td></tr></table>")
    )
    return filed(page(COVER, contents(bodies), text, SIGNATURES), bodies, year=MIDDLE)


def _indexed(seed: random.Random, words: Words) -> tuple[list[Body], list[str]]:
    """Items answered by pages, and a report laid out without any of them."""
    bodies = []
    for number, body in enumerate(annual(words, NEW), start=2):
        pages = f"{number}-{number + seed.randint(1, 9)}, {number + 40}"
        bodies.append(replace(body, paragraphs=(pages,)))
    titles = ("ABOUT US", "THE YEAR", "OUR SITES", "WHAT MAY HARM US", "THE FIGURES", "OUR PEOPLE")
    report = [
        f"<p><b>{title}</b></p>{''.join(f'<p>{said}</p>' for said in words.text(5))}{BREAK}"
        for title in titles
    ]
    return bodies, report


def _index(bodies: list[Body], said: str) -> str:
    rows = []
    before = ""
    for body in bodies:
        if body.part != before:
            rows.append(f"<tr><td><b>Part {PARTS[body.part]}</b></td></tr>")
        before = body.part
        cells = (f"{said}{body.numbers[0]}.", escape(body.title), body.paragraphs[0])
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<p><b>FORM 10-K CROSS-REFERENCE INDEX</b></p><table>{''.join(rows)}</table>"


@style
def html_index_behind(seed: random.Random) -> Styled:
    """The items are rows of an index at the end, and nothing else."""
    bodies, report = _indexed(seed, Words(seed))
    parts = (COVER, *report, _index(bodies, "Item "), SIGNATURES)
    return filed(page(*parts), bodies, year=NEW)


@style
def html_index_in_front(seed: random.Random) -> Styled:
    """The rows have numbers alone and stand in front."""
    bodies, report = _indexed(seed, Words(seed))
    return filed(page(COVER, _index(bodies, ""), *report, SIGNATURES), bodies, year=NEW)
