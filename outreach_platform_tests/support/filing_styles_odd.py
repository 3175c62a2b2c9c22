"""Plain text by small filers, trusts and those who read the form in their own way."""

import random
from dataclasses import replace

from outreach_platform_tests.support.filing_styles import (
    MIDDLE,
    OLD,
    Body,
    Styled,
    Words,
    annual,
    quarterly,
    style,
)
from outreach_platform_tests.support.filing_styles_plain import (
    COVER,
    PARTS,
    SIGNATURES,
    Layout,
    capitals,
    contents,
    filed,
    mixed,
    paged,
    rendered,
    wrapped,
)


@style
def plain_no_dots(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        return f"ITEM {body.numbers[0]} {body.title.upper().replace(chr(39), '').replace(',', '')}"

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)


@style
def plain_two_lines(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        return f"{f'Item {body.numbers[0]}.':^76}".rstrip() + f"\n\n{body.title:^76}".rstrip()

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)


@style
def plain_wrapped_titles(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        title = body.title.upper()
        at = title.find(" ", 34)
        if at < 0:
            return f"     ITEM {body.numbers[0]}.   {title}"
        return f"     ITEM {body.numbers[0]}.   {title[:at]}\n                {title[at + 1 :]}"

    text = COVER + contents(bodies) + rendered(bodies, Layout(heading, indent="     "))
    return filed(paged(text + SIGNATURES), bodies)


@style
def plain_spaced_letters(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), MIDDLE)

    def heading(body: Body) -> str:
        number = body.numbers[0]
        spaced = f"{number[:-1]} {number[-1]}" if number[-1].isalpha() else number
        return f"Item {spaced}.   {body.title}"

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies, year=MIDDLE)


@style
def plain_tracked_out(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        return f"I T E M  {body.numbers[0]}.   {body.title.upper()}"

    layout = Layout(heading, part="P A R T  {0}")
    return filed(paged(COVER + rendered(bodies, layout) + SIGNATURES), bodies)


@style
def plain_underlined(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        line = f"Item {body.numbers[0]} - {body.title}"
        return f"{line}\n{'-' * len(line)}"

    return filed(paged(COVER + rendered(bodies, Layout(heading)) + SIGNATURES), bodies)


@style
def plain_parts_in_headings(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)

    def heading(body: Body) -> str:
        return f"PART {PARTS[body.part]}, ITEM {body.numbers[0]}: {body.title.upper()}"

    return filed(paged(COVER + rendered(bodies, Layout(heading, part="")) + SIGNATURES), bodies)


@style
def plain_mentions_begin_lines(seed: random.Random) -> Styled:
    """Sentences about other items, broken so that `Item 7` begins a line."""
    words = Words(seed)
    mentions = (
        "reference is made to\nItem 7. Management's Discussion and Analysis of Financial Condition"
        " and\nResults of Operations, and to\nItem 1. Business of this report.",
        "See\nItem 8. Financial Statements and Supplementary Data for more.",
        "as said in\nItem 3, Legal Proceedings, which see, and in\nItem 14 of the report of 1992.",
    )
    bodies = annual(words, OLD)
    text = rendered(bodies, Layout(capitals))
    for body in bodies:
        if body.numbers[0] in ("1", "2", "7", "8"):
            first = wrapped(body.paragraphs[0], Layout(capitals))
            mention = seed.choice(mentions)
            text = text.replace(first, f"{first} For more, {mention}")
    return filed(paged(COVER + contents(bodies) + text + SIGNATURES), bodies)


@style
def plain_missing_items(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD, drop=("6", "9", "13"))
    return filed(paged(COVER + rendered(bodies, Layout(mixed)) + SIGNATURES), bodies)


@style
def plain_trust(seed: random.Random) -> Styled:
    """A trust that issues certificates: few items, all short."""
    words = Words(seed)
    drop = ("6", "7", "8", "10", "11")
    bodies = annual(words, OLD, drop=drop, short=True)
    exhibits = replace(bodies[-1], paragraphs=words.text(2))
    bodies = [*bodies[:-1], exhibits]
    return filed(COVER + rendered(bodies, Layout(capitals, indent="")) + SIGNATURES, bodies)


@style
def plain_contents_without_pages(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    text = COVER + contents(bodies, pages=False) + rendered(bodies, Layout(mixed)) + SIGNATURES
    return filed(paged(text), bodies)


@style
def plain_contents_by_part(seed: random.Random) -> Styled:
    """Each part opens with a list of its items."""
    bodies = annual(Words(seed), OLD)
    text = COVER
    for part in PARTS:
        inside = [body for body in bodies if body.part == part]
        text += f"{f'PART {PARTS[part]}':^76}\n\n{contents(inside, parts=False)}"
        text += rendered(inside, Layout(capitals, part=""))
    return filed(paged(text + SIGNATURES), bodies)


@style
def plain_out_of_order(seed: random.Random) -> Styled:
    """Officers stand as Item 4A, and Item 6 behind Item 7."""
    bodies = annual(Words(seed), OLD)
    six, seven = (next(b for b in bodies if b.numbers == (n,)) for n in ("6", "7"))
    at = bodies.index(six)
    bodies = [*bodies[:at], seven, six, *bodies[at + 2 :]]
    return filed(paged(COVER + rendered(bodies, Layout(capitals)) + SIGNATURES), bodies)


@style
def plain_statements_behind(seed: random.Random) -> Styled:
    """Item 8 points to pages behind the signatures, and they are long."""
    words = Words(seed)
    bodies = [
        body
        if body.numbers != ("8",)
        else replace(
            body, paragraphs=(f"The statements of {words.sentence()[:-1]} begin at page F-1.",)
        )
        for body in annual(words, OLD)
    ]
    behind = "INDEX TO FINANCIAL STATEMENTS\n\n" + "\n\n".join(
        wrapped(paragraph, Layout(mixed)) for paragraph in words.text(30)
    )
    text = COVER + rendered(bodies, Layout(capitals)) + SIGNATURES + paged(behind, foot="F-{0}")
    return filed(paged(text), bodies)


@style
def plain_double_spaced(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), OLD)
    layout = Layout(mixed, spacing=1, width=68)
    return filed(paged(COVER + rendered(bodies, layout) + SIGNATURES), bodies)


@style
def plain_continued_heads(seed: random.Random) -> Styled:
    """Pages of a long item begin with its heading, continued."""
    bodies = annual(Words(seed), OLD, scale=3)
    text = COVER
    for body in bodies:
        own = rendered([body], Layout(capitals, part=""))
        head = f"{capitals(body)} (Continued)"
        text += paged(own, head=head, lines=40) if own.count("\n") > 60 else own
    return filed(text + SIGNATURES, bodies)


@style
def plain_quarter(seed: random.Random) -> Styled:
    bodies = quarterly(Words(seed), OLD, drop=("ii2", "ii3", "ii5"))
    layout = Layout(capitals, part="PART {0}.  INFORMATION")
    text = COVER.format(form="10-Q") + rendered(bodies, layout) + SIGNATURES
    return filed(paged(text), bodies, form="10-Q")


@style
def plain_quarter_without_parts(seed: random.Random) -> Styled:
    bodies = quarterly(Words(seed), OLD)
    text = COVER.format(form="10-Q") + rendered(bodies, Layout(mixed, part="")) + SIGNATURES
    return filed(paged(text), bodies, form="10-Q")


@style
def plain_transition(seed: random.Random) -> Styled:
    bodies = annual(Words(seed), MIDDLE)
    text = COVER.format(form="10-KT") + contents(bodies) + rendered(bodies, Layout(mixed))
    return filed(paged(text + SIGNATURES), bodies, form="10-KT", year=MIDDLE)


@style
def plain_amendment(seed: random.Random) -> Styled:
    """An amendment that gives Part III alone."""
    words = Words(seed)
    bodies = [
        replace(body, paragraphs=words.text(6))
        for body in annual(words, OLD)
        if body.part == "part_iii"
    ]
    note = "  The registrant amends Items 10, 11, 12 and 13 of its report as follows.\n\n"
    text = COVER.format(form="10-K/A") + note + rendered(bodies, Layout(capitals)) + SIGNATURES
    return filed(paged(text), bodies, form="10-K/A")
