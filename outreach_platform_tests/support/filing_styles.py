"""Filings in the styles that real filers have, written from a seed, with what is in them.

Nothing in them is copied: the companies mill grain. Each item's text begins and ends with words
that stand nowhere else, so that a test can tell whether a section is the item's own text, whole,
and nobody else's.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

OLD, MIDDLE, NEW = 1997, 2008, 2023
_OPENING, _CLOSING = 250, 80


@dataclass(frozen=True)
class Body:
    """An item as a style writes it.

    Attributes:
        part: `part_i` to `part_iv`.
        numbers: the items that share the heading, `("1", "2")`; mostly one.
        title: the heading's words.
        paragraphs: the text; the first begins, the last ends with words of their own.
    """

    part: str
    numbers: tuple[str, ...]
    title: str
    paragraphs: tuple[str, ...]

    @property
    def opening(self) -> str:
        return " ".join(self.paragraphs[0].split())[:_OPENING].strip()

    @property
    def closing(self) -> str:
        return " ".join(self.paragraphs[-1].split())[-_CLOSING:].strip()

    @property
    def length(self) -> int:
        return sum(len(paragraph) for paragraph in self.paragraphs)


@dataclass(frozen=True)
class Styled:
    """A filing and its labels.

    Attributes:
        name: of the style.
        form: as registered.
        year: of filing.
        raw: the file: a submission, a page or plain text.
        bodies: the items that are in it.
        loose: items whose end is a matter of taste; their closing words are not asked for.
        extra: items that may be found besides.
    """

    name: str
    form: str
    year: int
    raw: str
    bodies: tuple[Body, ...]
    loose: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()


Writer = Callable[[random.Random], Styled]
STYLES: dict[str, Writer] = {}


def style(writer: Writer) -> Writer:
    """Register a style under its function's name."""
    STYLES[writer.__name__] = writer
    return writer


def write(name: str, seed: int) -> Styled:
    """A filing of a style; the same for the same seed."""
    return replace(STYLES[name](random.Random(f"{name} {seed}")), name=name)


@dataclass
class Words:
    """Sentences nobody has written before, from a seed."""

    random: random.Random
    used: set[str] = field(default_factory=set)

    def sentence(self) -> str:
        """A sentence of about 90 characters that does not recur."""
        pick, number = self.random.choice, self.random.randint
        while True:
            said = (
                f"{pick(_WHO)} {pick(_DOES)} {number(2, 98)} {pick(_WHAT)} {pick(_WHERE)}"
                f" {pick(_WHEN)} {number(1981, 2022)}."
            )
            if said not in self.used:
                self.used.add(said)
                return said

    def paragraph(self, sentences: int) -> str:
        """Sentences in a row."""
        return " ".join(self.sentence() for _ in range(sentences))

    def text(self, paragraphs: int, sentences: int = 5) -> tuple[str, ...]:
        """Paragraphs of about `sentences` sentences each."""
        counts = [max(1, sentences + self.random.randint(-2, 3)) for _ in range(paragraphs)]
        return tuple(self.paragraph(count) for count in counts)


_WHO = (
    *("The mill", "Our bakery", "The registrant", "A cooperative of growers", "The granary"),
    *("Each warehouse", "The northern depot", "Our carrier", "One customer", "The subsidiary"),
)
_DOES = (
    *("ships", "stores", "grinds", "bought", "has leased", "disposed of", "expects to need"),
    *("is owed", "insures", "exchanged"),
)
_WHAT = (
    *("tons of barley", "sacks of rye flour", "railcars", "acres of land", "contracts for oats"),
    *("barges", "ovens of the old kind", "bushels of wheat", "silos", "claims for spoiled grain"),
)
_WHERE = (
    *("along the river", "in the western counties", "near the harbor", "at the Dorset site"),
    *("under a long lease", "for bakers of the region", "without a written agreement"),
)
_WHEN = (
    "since",
    "as it did in",
    "on terms agreed in",
    "for the first time after",
    "as reported in",
)

_MDA = "Management's Discussion and Analysis of Financial Condition and Results of Operations"
_PROXY = (
    "The information required by this item is incorporated herein by reference to the section"
    " {0} of the definitive proxy statement."
)


def annual(
    words: Words, year: int, *, drop: Sequence[str] = (), scale: int = 1, short: bool = False
) -> list[Body]:
    """The items of a 10-K as the form of that year has them.

    Args:
        words: where sentences come from.
        year: of filing.
        drop: numbers of items that the filer leaves out.
        scale: paragraphs of a long item.
        short: every item is answered in a line.
    """
    bodies: list[Body] = []
    for part, number, title, weight in _annual_titles(year):
        if number in drop:
            continue
        if short:
            paragraphs: tuple[str, ...] = (_answer(words, number),)
        elif weight == 0:
            paragraphs = (f"None, said {words.sentence()}",)
        elif part == "part_iii":
            paragraphs = (
                _PROXY.format(f'"{title} of {words.sentence()}"') + " " + words.sentence(),
            )
        else:
            paragraphs = words.text(weight * scale)
        bodies.append(Body(part, (number,), title, paragraphs))
    return bodies


def _answer(words: Words, number: str) -> str:
    said = words.random.choice(("None", "Not applicable", "Nothing to report"))
    return f"{said} for {number} in {words.random.randint(10**6, 10**7)}."


def _annual_titles(year: int) -> list[tuple[str, str, str, int]]:
    """Part, number, title and weight of each item."""
    late = year >= 2009
    rows = [
        ("part_i", "1", "Business", 9),
        *([("part_i", "1A", "Risk Factors", 8)] if year >= 2006 else []),
        *([("part_i", "1B", "Unresolved Staff Comments", 0)] if year >= 2006 else []),
        ("part_i", "2", "Properties", 2),
        ("part_i", "3", "Legal Proceedings", 2),
        ("part_i", "4", "Mine Safety Disclosures", 0)
        if year >= 2012
        else ("part_i", "4", "Submission of Matters to a Vote of Security Holders", 0),
        (
            "part_ii",
            "5",
            "Market for Registrant's Common Equity and Related Stockholder Matters",
            2,
        ),
        ("part_ii", "6", "[Reserved]" if year >= 2021 else "Selected Financial Data", 1),
        ("part_ii", "7", _MDA, 10),
        *(
            [("part_ii", "7A", "Quantitative and Qualitative Disclosures About Market Risk", 2)]
            if year >= 1998
            else []
        ),
        ("part_ii", "8", "Financial Statements and Supplementary Data", 12),
        (
            *("part_ii", "9"),
            "Changes in and Disagreements with Accountants on Accounting and Financial Disclosure",
            0,
        ),
        *([("part_ii", "9A", "Controls and Procedures", 2)] if year >= 2004 else []),
        *([("part_ii", "9B", "Other Information", 0)] if year >= 2006 else []),
        (
            *("part_iii", "10"),
            "Directors, Executive Officers and Corporate Governance"
            if late
            else "Directors and Executive Officers of the Registrant",
            1,
        ),
        ("part_iii", "11", "Executive Compensation", 1),
        ("part_iii", "12", "Security Ownership of Certain Beneficial Owners and Management", 1),
        ("part_iii", "13", "Certain Relationships and Related Transactions", 1),
    ]
    if year >= 2004:
        rows.append(("part_iii", "14", "Principal Accountant Fees and Services", 1))
        rows.append(("part_iv", "15", "Exhibits and Financial Statement Schedules", 3))
    else:
        title = "Exhibits, Financial Statement Schedules, and Reports on Form 8-K"
        rows.append(("part_iv", "14", title, 3))
    return rows


def quarterly(words: Words, year: int, *, drop: Sequence[str] = ()) -> list[Body]:
    """The items of a 10-Q; `drop` names them as `ii2`."""
    rows = [
        ("i", "1", "Financial Statements", 8),
        ("i", "2", _MDA, 6),
        *(
            [("i", "3", "Quantitative and Qualitative Disclosures About Market Risk", 1)]
            * (year > 1997)
        ),
        *([("i", "4", "Controls and Procedures", 1)] * (year > 2002)),
        ("ii", "1", "Legal Proceedings", 1),
        *([("ii", "1A", "Risk Factors", 3)] * (year > 2005)),
        ("ii", "2", "Changes in Securities" if year < 2004 else _SALES, 1),
        ("ii", "3", "Defaults Upon Senior Securities", 0),
        (
            "ii",
            "4",
            "Submission of Matters to a Vote of Security Holders" if year < 2010 else _MINES,
            1,
        ),
        ("ii", "5", "Other Information", 1),
        ("ii", "6", "Exhibits and Reports on Form 8-K" if year < 2005 else "Exhibits", 2),
    ]
    return [
        Body(f"part_{part}", (number,), title, words.text(weight or 1, 5 if weight else 1))
        for part, number, title, weight in rows
        if f"{part}{number}" not in drop
    ]


_SALES = "Unregistered Sales of Equity Securities and Use of Proceeds"
_MINES = "Mine Safety Disclosures"


def combined(bodies: list[Body], numbers: Sequence[str], title: str, words: Words) -> list[Body]:
    """The bodies with some of them under one heading."""
    index = next(i for i, body in enumerate(bodies) if body.numbers[0] == numbers[0])
    kept = [body for body in bodies if body.numbers[0] not in numbers]
    text = words.text(3 if len(numbers) < 3 else 1)
    joint = Body(bodies[index].part, tuple(numbers), title, text)
    return [*kept[:index], joint, *kept[index:]]
