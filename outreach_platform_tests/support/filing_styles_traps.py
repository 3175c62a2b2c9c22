"""Lines that name items and head none: notices, lists, running heads, letters of Item 1."""

import random
from dataclasses import replace

from outreach_platform_tests.support.filing_styles import (
    MIDDLE,
    OLD,
    Body,
    Styled,
    Words,
    annual,
    style,
)
from outreach_platform_tests.support.filing_styles_html import (
    BREAK,
    Page,
    bold,
    page,
)
from outreach_platform_tests.support.filing_styles_html import COVER as PAGE_COVER
from outreach_platform_tests.support.filing_styles_html import SIGNATURES as PAGE_SIGNATURES
from outreach_platform_tests.support.filing_styles_html import rendered as page_rendered
from outreach_platform_tests.support.filing_styles_plain import (
    COVER,
    SIGNATURES,
    Layout,
    capitals,
    filed,
    mixed,
    paged,
    rendered,
    wrapped,
)


def _listed(bodies: list[Body], numbers: tuple[str, ...]) -> str:
    lines = [mixed(body) for body in bodies if body.numbers[0] in numbers]
    return "\n\n".join(lines) + "\n\n"


@style
def plain_notice_of_late_items(seed: random.Random) -> Styled:
    """A notice in front lists items that the report leaves out."""
    bodies = annual(Words(seed), OLD)
    missing = ("6", "9", "13")
    notice = "Pursuant to Rule 12b-25(b), this Form 10-K does not include the following:\n\n"
    kept = [body for body in bodies if body.numbers[0] not in missing]
    text = COVER + notice + _listed(bodies, missing) + rendered(kept, Layout(capitals))
    return filed(paged(text + SIGNATURES), kept)


@style
def plain_list_of_incorporated_items(seed: random.Random) -> Styled:
    """Items that the proxy statement answers are listed on the cover, and again in Part III."""
    bodies = annual(Words(seed), OLD)
    listed = "                 DOCUMENTS INCORPORATED BY REFERENCE\n\n" + _listed(
        bodies, ("10", "11", "12", "13")
    )
    text = COVER + listed + rendered(bodies, Layout(capitals)) + SIGNATURES
    return filed(paged(text), bodies)


@style
def plain_omitted_by_instruction(seed: random.Random) -> Styled:
    """A trust lists the items it omits and answers the others."""
    words = Words(seed)
    every = annual(words, MIDDLE, short=True)
    omitted = ("1", "1A", "2", "3", "10", "11", "12", "13")
    kept = [body for body in every if body.numbers[0] not in omitted]
    kept[-1] = replace(kept[-1], paragraphs=words.text(2))
    notice = "The following Items have been omitted in accordance with General Instruction J:\n\n"
    parts = []
    for part in ("part_i", "part_ii", "part_iii", "part_iv"):
        inside = [body for body in every if body.part == part]
        parts.append(f"PART {part.removeprefix('part_').upper()}".center(76).rstrip() + "\n\n")
        if any(body.numbers[0] in omitted for body in inside):
            parts.append(notice + _listed(inside, omitted))
        own = [body for body in kept if body.part == part]
        parts.append(rendered(own, Layout(mixed, part="")) if own else "")
    listed = tuple(f"item_{number.lower()}" for number in omitted)
    text = COVER + "".join(parts) + SIGNATURES
    return filed(paged(text), kept, year=MIDDLE, extra=listed)


@style
def plain_heads_on_every_page(seed: random.Random) -> Styled:
    """Each page begins with the heading of its item, and nothing says continued."""
    bodies = annual(Words(seed), OLD, scale=3)
    text = COVER
    for body in bodies:
        own = rendered([body], Layout(capitals, part=""))
        text += paged(own, head=capitals(body), lines=44) if own.count("\n") > 60 else own
    return filed(text + SIGNATURES, bodies)


@style
def plain_letters_of_business(seed: random.Random) -> Styled:
    """`Item 1(a)` of 1997 is a letter of Item 1 and no risk factors."""
    words = Words(seed)
    bodies = annual(words, OLD)
    first = bodies[0]
    letters = (
        f"Item 1(a).  General Development of Business.  {words.sentence()}",
        f"Item 1(b).  Financial Information about Industry Segments.  {words.sentence()}",
        f"Item 1(c).  Narrative Description of Business.  {words.sentence()}",
    )
    bodies[0] = replace(first, paragraphs=(first.paragraphs[0], *letters, *first.paragraphs[1:]))
    text = COVER + rendered(bodies, Layout(capitals, indent="")) + SIGNATURES
    return filed(paged(text), bodies)


@style
def plain_index_behind(seed: random.Random) -> Styled:
    """Behind the signatures a list says where the annual report answers each item."""
    bodies = annual(Words(seed), OLD)
    rows = "\n".join(
        f"{mixed(body)[:44]:<48}Annual Report page {number}"
        for number, body in enumerate(bodies, start=20)
    )
    behind = f"\n<PAGE>\n                 CROSS REFERENCE TO ANNUAL REPORT\n\n{rows}\n"
    return filed(paged(COVER + rendered(bodies, Layout(capitals)) + SIGNATURES) + behind, bodies)


@style
def plain_odd_marks(seed: random.Random) -> Styled:
    """`Item1.`, `Item No. 3`, `ITEM 2,`, `Item 5;`, `ITEM 7 --`."""
    bodies = annual(Words(seed), OLD)
    forms = (
        "Item{0}. {1}",
        "Item No. {0}  {1}",
        "ITEM {0}, {1}",
        "Item {0}; {1}",
        "ITEM {0} -- {1}",
    )

    def heading(body: Body) -> str:
        return forms[int(body.numbers[0]) % len(forms)].format(body.numbers[0], body.title)

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)


@style
def plain_parts_spelled(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    spelled = {"I": "ONE", "II": "TWO", "III": "THREE", "IV": "FOUR"}
    text = rendered(bodies, Layout(capitals, part="PART <{0}>"))
    for roman, word in spelled.items():
        text = text.replace(f"PART <{roman}>", f"PART {word}")
    return filed(paged(COVER + text + SIGNATURES), bodies)


@style
def html_heads_before_headings(seed: random.Random) -> Styled:
    """A running head `Item 8 | …` opens the pages of an item, before its heading too."""
    bodies = annual(Words(seed), MIDDLE)
    parts = []
    for body in bodies:
        head = f"<p>Item {body.numbers[0]} | {body.title}</p>"
        own = page_rendered([body], Page(bold, part=""))
        parts.append(f"{head}{own}" if body.numbers[0] in ("1", "7", "8") else own)
        parts.append(f"<p>{seed.randint(2, 99)}</p>{BREAK}")
    return filed(page(PAGE_COVER, *parts, PAGE_SIGNATURES), bodies, year=MIDDLE)


@style
def plain_numbered_page_tags(seed: random.Random) -> Styled:
    """`<PAGE>   12` opens a page; rules of dashes are escaped; the contents stand in a table."""
    bodies = annual(Words(seed), OLD)
    rows = "\n".join(
        f"{f'  Item {body.numbers[0]}.':<12}{body.title[:50]:.<54} {number}"
        for number, body in enumerate(bodies, start=3)
    )
    contents = f"<TABLE>\n<CAPTION>\n{'PAGE':>70}\n<S>         <C>\n{rows}\n</TABLE>\n\n"
    text = COVER + "- " + "-" * 70 + "\n" + contents + rendered(bodies, Layout(mixed)) + SIGNATURES
    lines = text.split("\n")
    pages = ["\n".join(lines[start : start + 50]) for start in range(0, len(lines), 50)]
    return filed("".join(f"<PAGE>   {n}\n{page}\n" for n, page in enumerate(pages, 1)), bodies)


@style
def plain_statements_in_tables(seed: random.Random) -> Styled:
    """Columns of figures between `<TABLE>` tags, some rows of which begin like headings."""
    words = Words(seed)
    bodies = annual(words, OLD)
    text = rendered(bodies, Layout(capitals))
    rows = (
        *("<TABLE>", "<CAPTION>", f"{'1996':>36}{'1995':>13}", f"<S>{'<C>':>29}{'<C>':>13}"),
        *(
            f"{'Item 1 loans':<30}$ 1,204      $ 1,177",
            f"{'Part II reserves':<30}    310          298",
        ),
        *(f"{'Items in transit':<30}     77           81", "</TABLE>", "", ""),
    )
    table = "\n".join(rows)
    for body in bodies:
        if body.numbers[0] in ("7", "8"):
            last = wrapped(body.paragraphs[-1], Layout(capitals))
            text = text.replace(last, f"{table}{last}")
    return filed(paged(COVER + text + SIGNATURES), bodies)


@style
def plain_without_empty_lines(seed: random.Random) -> Styled:
    """Headings and paragraphs follow each other line by line."""
    bodies = annual(Words(seed), OLD)
    text = rendered(bodies, Layout(capitals)).replace("\n\n", "\n")
    return filed(paged(COVER + text + SIGNATURES), bodies)


@style
def plain_shell_without_empty_lines(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD, short=True)
    text = rendered(bodies, Layout(mixed, indent="")).replace("\n\n", "\n")
    return filed(COVER + text + SIGNATURES, bodies)


@style
def plain_mixed_without_empty_lines(seed: random.Random) -> Styled:
    """Small letters, no empty lines, no indents: only number and title tell a heading."""
    bodies = annual(Words(seed), MIDDLE)
    text = rendered(bodies, Layout(mixed, indent="")).replace("\n\n", "\n")
    return filed(paged(COVER + text + SIGNATURES), bodies, year=MIDDLE)


@style
def plain_headings_under_tables(seed: random.Random) -> Styled:
    """Rows of figures end right above the next heading, and its text begins right below."""
    bodies = annual(Words(seed), OLD)
    text = rendered(bodies, Layout(mixed))
    for body in bodies[1:]:
        rows = "\n".join(f"{'Sacks of flour':<40}{seed.randint(100, 999):>12}" for _ in range(3))
        heading = mixed(body)
        text = text.replace(f"\n\n{heading}\n\n", f"\n\n{rows}\n{heading}\n", 1)
    return filed(paged(COVER + text + SIGNATURES), bodies)


@style
def plain_mentions_of_missing_items(seed: random.Random) -> Styled:
    """A sentence names an item that the report does not have, and the name begins a line."""
    words = Words(seed)
    bodies = annual(words, OLD, drop=("6", "9"))
    mentions = (
        "as shown in\nItem 6. Selected Financial Data of the report of the year before.",
        "we refer to\nItem 9. Changes in and Disagreements with Accountants on Accounting and\n"
        "Financial Disclosure in that report.",
    )
    text = rendered(bodies, Layout(capitals))
    for number, mention in zip(("5", "8"), mentions, strict=True):
        body = next(body for body in bodies if body.numbers == (number,))
        first = wrapped(body.paragraphs[0], Layout(capitals))
        text = text.replace(first, f"{first} Of this {mention}")
    return filed(paged(COVER + text + SIGNATURES), bodies)
