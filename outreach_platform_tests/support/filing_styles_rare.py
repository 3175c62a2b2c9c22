"""Ways of writing that are rare in one filing and common in fifty thousand."""

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
    combined,
    quarterly,
    style,
)
from outreach_platform_tests.support.filing_styles_html import COVER as PAGE_COVER
from outreach_platform_tests.support.filing_styles_html import SIGNATURES as PAGE_SIGNATURES
from outreach_platform_tests.support.filing_styles_html import Page, page
from outreach_platform_tests.support.filing_styles_html import rendered as page_rendered
from outreach_platform_tests.support.filing_styles_plain import (
    COVER,
    SIGNATURES,
    Heading,
    Layout,
    capitals,
    filed,
    mixed,
    paged,
    rendered,
)

_ROMAN = (
    *("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"),
    *("XI", "XII", "XIII", "XIV"),
)
_SPELLED = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen"),
)


def _plain(bodies: list[Body], heading: Heading, before: str = "", **told: object) -> Styled:
    text = COVER + before + rendered(bodies, Layout(heading)) + SIGNATURES
    return filed(paged(text), bodies, **told)


@style
def plain_table_of_incorporated_documents(seed: random.Random) -> Styled:
    """Items stand beside the documents that answer them, in columns, in front of Part I."""
    bodies = annual(Words(seed), OLD)
    rows = ["Item                                                  Document of Reference", ""]
    for body in bodies:
        if body.part == "part_iii":
            left = f"Item {body.numbers[0]}. {body.title}"[:50]
            rows.append(f'{left:<54}"{body.title[:16]}" in the Proxy')
    table = "  DOCUMENTS INCORPORATED BY REFERENCE\n\n" + "\n".join(rows) + "\n\n"
    return _plain(bodies, capitals, table)


@style
def plain_roman_numbers(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    return _plain(
        bodies, lambda body: f"ITEM {_ROMAN[int(body.numbers[0])]}.  {body.title.upper()}"
    )


@style
def plain_spelled_numbers(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    return _plain(
        bodies, lambda body: f"ITEM {_SPELLED[int(body.numbers[0])].upper()} - {body.title.upper()}"
    )


@style
def plain_both_numbers(seed: random.Random) -> Styled:
    words = Words(seed)
    bodies = combined(annual(words, OLD), ("1", "2"), "Business and Properties", words)

    def heading(body: Body) -> str:
        return mixed(body) if len(body.numbers) == 1 else f"Item 1. and Item 2.  {body.title}"

    return _plain(bodies, heading)


@style
def plain_comments_behind_properties(seed: random.Random) -> Styled:
    """Item 1B stands behind Item 2."""
    bodies = annual(Words(seed), MIDDLE)
    late = next(body for body in bodies if body.numbers == ("1B",))
    rest = [body for body in bodies if body is not late]
    at = next(index for index, body in enumerate(rest) if body.numbers == ("2",))
    return _plain([*rest[: at + 1], late, *rest[at + 1 :]], mixed, year=MIDDLE)


@style
def plain_statements_last(seed: random.Random) -> Styled:
    """Item 8 stands behind Item 14."""
    bodies = annual(Words(seed), OLD)
    eight = next(body for body in bodies if body.numbers == ("8",))
    return _plain([*(body for body in bodies if body is not eight), eight], capitals)


@style
def plain_small_letters(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    return _plain(bodies, lambda body: f"item {body.numbers[0]}. {body.title.lower()}")


@style
def plain_numbers_that_are_none(seed: random.Random) -> Styled:
    """Columns of figures and lists of items that begin with the word."""
    words = Words(seed)
    bodies = annual(words, OLD)
    noise = (
        "Item 2, Item 3, Item 5, Item 6, Item 7, Item 8 and Item 13 are answered below.",
        "ITEM 3,165,082 2,916,286 467,474",
        "Item 405 of Regulation S-K asks for more.",
    )
    bodies = [
        replace(body, paragraphs=(*body.paragraphs[:1], *noise, *body.paragraphs[1:]))
        if body.numbers[0] in ("1", "7")
        else body
        for body in bodies
    ]
    return _plain(bodies, capitals)


@style
def plain_contents_that_wrap(seed: random.Random) -> Styled:
    """Rows of the contents break before their page number."""
    bodies = annual(Words(seed), OLD)
    rows = ["                         INDEX", ""]
    for number, body in enumerate(bodies, start=2):
        at = body.title.find(" ", 24)
        first, rest = (body.title[:at], body.title[at + 1 :]) if at > 0 else (body.title, "")
        row = f"Item {body.numbers[0]}:  {first}"
        rows += [row, f"          {rest[:44]:.<56} {number}"] if rest else [f"{row:.<66} {number}"]
    return _plain(bodies, mixed, "\n".join(rows) + "\n\n")


@style
def plain_answers_without_titles(seed: random.Random) -> Styled:
    """`ITEM 3.  None for 3 …`: number and answer, no title."""
    bodies = annual(Words(seed), OLD, short=True)
    long = Words(seed).text(4)
    bodies = [replace(b, paragraphs=long) if b.numbers[0] == "14" else b for b in bodies]

    def heading(body: Body) -> str:
        title = body.title.upper() if body.numbers[0] in ("1", "14") else ""
        return f"ITEM {body.numbers[0]}.  {title}"

    return _plain(bodies, heading)


@style
def plain_quarter_with_lettered_items(seed: random.Random) -> Styled:
    """`Item 6(a)` and `Item 6(b)` are one item."""
    words = Words(seed)
    bodies = quarterly(words, OLD)
    last = bodies[-1]
    reports = f"Item 6(b).  Reports on Form 8-K.  {words.sentence()}"
    bodies[-1] = replace(last, paragraphs=(*last.paragraphs, reports))

    def heading(body: Body) -> str:
        return f"Item 6(a).  {body.title}" if body is bodies[-1] else mixed(body)

    return _plain(bodies, heading, form="10-Q")


@style
def plain_quarter_without_first_heading(seed: random.Random) -> Styled:
    """The statements open Part I and nothing says Item 1."""
    bodies = quarterly(Words(seed), OLD)

    def heading(body: Body) -> str:
        if body is bodies[0]:
            return "DORSET MILLING COMPANY\nCONDENSED CONSOLIDATED BALANCE SHEETS"
        return mixed(body)

    contents = "\n".join(
        f"{f'Item {body.numbers[0]}.  {body.title[:50]}':.<66} {n}"
        for n, body in enumerate(bodies, 2)
    )
    layout = Layout(heading, part="PART {0}.  INFORMATION")
    text = COVER + "INDEX\n\n" + contents + "\n\n" + rendered(bodies, layout) + SIGNATURES
    return filed(paged(text), bodies, form="10-Q")


@style
def html_text_beside_headings(seed: random.Random) -> Styled:
    """Two columns: the heading on the left, its text on the right."""
    bodies = annual(Words(seed), MIDDLE)
    rows = "".join(
        f"<tr><td>Item {body.numbers[0]}. {escape(body.title)}</td>"
        f"<td>{''.join(f'<p>{escape(paragraph)}</p>' for paragraph in body.paragraphs)}</td></tr>"
        for body in bodies
    )
    table = f"<table width='100%'>{rows}</table>"
    return filed(page(PAGE_COVER, table, PAGE_SIGNATURES), bodies, year=MIDDLE)


@style
def html_word_in_its_own_cell(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), NEW)

    def heading(body: Body) -> str:
        cells = f"<td>Item</td><td>{body.numbers[0]}. {escape(body.title)}</td>"
        return f"<table><tr>{cells}</tr></table>"

    text = page_rendered(bodies, Page(heading))
    return filed(page(PAGE_COVER, text, PAGE_SIGNATURES), bodies, year=NEW)


@style
def html_trust_of_2010(seed: random.Random) -> Styled:
    """An asset-backed issuer: items of Regulation AB beside those of the form."""
    words = Words(seed)
    drop = ("1A", "1B", "2", "3", "5", "6", "7", "7A", "8", "9", "9A")
    bodies = annual(words, 2010, drop=drop, short=True)
    extra = "".join(
        f"<p><b>Item {number} of Regulation AB. {title}.</b></p><p>{words.sentence()}</p>"
        for number, title in ((1112, "Obligors"), (1117, "Legal Proceedings"), (1122, "Servicing"))
    )
    last = bodies[-1]
    head = lambda body: f"<p><b>Item {body.numbers[0]}. {escape(body.title)}</b></p>"  # noqa: E731
    text = page_rendered(bodies[:-1], Page(head)) + extra + page_rendered([last], Page(head))
    return filed(page(PAGE_COVER, text, PAGE_SIGNATURES), bodies, year=2010)


@style
def plain_parted_letters(seed: random.Random) -> Styled:
    """`Item 1-A`, `Item 7.A`, `Item 9(A)`."""
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        number = body.numbers[0]
        for plain, parted in (("1A", "1-A"), ("7A", "7.A"), ("9A", "9(A)")):
            number = number.replace(plain, parted)
        return f"Item {number}  {body.title}"

    return _plain(bodies, heading, year=MIDDLE)
