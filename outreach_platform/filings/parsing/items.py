"""The items of a 10-K and a 10-Q: which there are, in what order, and how filers word them."""

from dataclasses import dataclass
from functools import lru_cache

LATEST = 9999


@dataclass(frozen=True, slots=True)
class Item:
    """An item that a form has.

    Attributes:
        section_type: `item_1a` and so on.
        section_part: `part_i` to `part_iv`.
        wordings: usual titles, the present one first, in small letters without punctuation.
        since: first filing year of the item.
        until: last filing year of the item.
        always: a filing of those years that does not name it is odd.
    """

    section_type: str
    section_part: str
    wordings: tuple[str, ...]
    since: int = 0
    until: int = LATEST
    always: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Part and type: unique in a form."""
        return self.section_part, self.section_type

    @property
    def number(self) -> str:
        """`1A` of `item_1a`."""
        return self.section_type.removeprefix("item_").upper()


_MDA = (
    "management's discussion and analysis of financial condition and results of operations",
    "management's discussion and analysis of results of operations and financial condition",
    "management's discussion and analysis",
    "management's discussion and analysis or plan of operation",
    "management's discussion and analysis of financial position and results of operations",
    "management's financial discussion",
    "financial review",
)
_MARKET_RISK = (
    "quantitative and qualitative disclosures about market risk",
    "quantitative and qualitative disclosure about market risk",
    "qualitative and quantitative disclosures about market risk",
    "quantitative and qualitative disclosures of market risk",
    "market risk",
)
_CONTROLS = (
    "controls and procedures",
    "disclosure controls and procedures",
    "evaluation of disclosure controls and procedures",
)
_VOTES = (
    "mine safety disclosures",
    "submission of matters to a vote of security holders",
    "removed and reserved",
    "submission of matters to a vote of shareholders",
    "submission of matters to a vote of stockholders",
    "reserved",
)
_EXHIBITS_10K = (
    "exhibits and financial statement schedules",
    "exhibits financial statement schedules",
    "exhibit and financial statement schedules",
    "exhibits financial statement schedules and reports on form 8 k",
    "exhibits financial statements schedules and reports on form 8 k",
    "exhibits and reports on form 8 k",
    "exhibits",
)
_FEES = (
    "principal accountant fees and services",
    "principal accounting fees and services",
    "principal auditor fees and services",
)
_STATEMENTS_10Q = (
    "financial statements",
    "condensed consolidated financial statements",
    "consolidated financial statements",
    "condensed financial statements",
    "financial statements and supplementary data",
    "unaudited consolidated financial statements",
    "unaudited condensed consolidated financial statements",
    "financial information",
)
_10K = (
    Item(
        "item_1",
        "part_i",
        ("business", "description of business", "business and properties"),
    ),
    Item("item_1a", "part_i", ("risk factors", "certain risk factors"), since=2006),
    Item("item_1b", "part_i", ("unresolved staff comments",), since=2006, always=False),
    Item(
        "item_1c",
        "part_i",
        ("cybersecurity",),
        since=2024,
        always=False,
    ),
    Item(
        "item_2", "part_i", ("properties", "description of property", "description of properties")
    ),
    Item("item_3", "part_i", ("legal proceedings", "litigation", "pending legal proceedings")),
    Item("item_4", "part_i", _VOTES, always=False),
    Item(
        "item_5",
        "part_ii",
        (
            "market for registrant's common equity related stockholder matters and issuer purchases"
            " of equity securities",
            "market for registrant's common equity and related stockholder matters",
            "market for common equity and related stockholder matters",
            "market for the company's common stock and related stockholder matters",
            "market price of and dividends on the registrant's common equity and related"
            " stockholder matters",
            "market for registrant's common stock and related security holder matters",
            "market for registrant's common equity",
        ),
    ),
    Item(
        "item_6",
        "part_ii",
        (
            "reserved",
            "selected financial data",
            "selected consolidated financial data",
            "removed and reserved",
            "selected historical financial data",
            "selected financial information",
        ),
        always=False,
    ),
    Item("item_7", "part_ii", _MDA),
    Item("item_7a", "part_ii", _MARKET_RISK, since=1998, always=False),
    Item(
        "item_8",
        "part_ii",
        (
            "financial statements and supplementary data",
            "consolidated financial statements and supplementary data",
            "financial statements and supplemental data",
            "financial statements and supplementary financial information",
            "financial statements",
        ),
    ),
    Item(
        "item_9",
        "part_ii",
        (
            "changes in and disagreements with accountants on accounting and financial disclosure",
            "changes in and disagreements with accountants",
            "disagreements on accounting and financial disclosure",
        ),
    ),
    Item("item_9a", "part_ii", _CONTROLS, since=2004),
    Item("item_9b", "part_ii", ("other information",), since=2005, always=False),
    Item(
        "item_9c",
        "part_ii",
        ("disclosure regarding foreign jurisdictions that prevent inspections",),
        since=2022,
        always=False,
    ),
    Item(
        "item_10",
        "part_iii",
        (
            "directors executive officers and corporate governance",
            "directors and executive officers of the registrant",
            "directors executive officers promoters and control persons",
            "directors and executive officers",
            "directors executive officers and control persons",
        ),
    ),
    Item(
        "item_11",
        "part_iii",
        ("executive compensation", "management remuneration", "compensation of executive officers"),
    ),
    Item(
        "item_12",
        "part_iii",
        (
            "security ownership of certain beneficial owners and management and related stockholder"
            " matters",
            "security ownership of certain beneficial owners and management",
            "security ownership",
        ),
    ),
    Item(
        "item_13",
        "part_iii",
        (
            "certain relationships and related transactions and director independence",
            "certain relationships and related transactions",
            "certain relationships and related party transactions",
        ),
    ),
    Item("item_14", "part_iii", (*_FEES, *_CONTROLS), since=2003),
    Item("item_14", "part_iv", _EXHIBITS_10K, until=2003),
    Item("item_15", "part_iv", (*_EXHIBITS_10K, *_FEES), since=2003),
    Item("item_16", "part_iv", ("form 10 k summary", *_FEES), since=2017, always=False),
)
_10Q = (
    Item("item_1", "part_i", _STATEMENTS_10Q),
    Item("item_2", "part_i", _MDA),
    Item("item_3", "part_i", _MARKET_RISK, since=1998, always=False),
    Item("item_4", "part_i", _CONTROLS, since=2003),
    Item("item_1", "part_ii", ("legal proceedings", "litigation"), always=False),
    Item("item_1a", "part_ii", ("risk factors",), since=2006, always=False),
    Item(
        "item_2",
        "part_ii",
        (
            "unregistered sales of equity securities and use of proceeds",
            "changes in securities and use of proceeds",
            "changes in securities",
            "changes in securities use of proceeds and issuer purchases of equity securities",
            "unregistered sales of equity securities use of proceeds and issuer purchases of equity"
            " securities",
            "issuer purchases of equity securities",
            "unregistered sales of equity securities",
            "changes in the rights of the company's security holders",
            "purchases of equity securities by the issuer and affiliated purchasers",
        ),
        always=False,
    ),
    Item(
        "item_3",
        "part_ii",
        (
            "defaults upon senior securities",
            "default upon senior securities",
            "defaults by the company on its senior securities",
        ),
        always=False,
    ),
    Item("item_4", "part_ii", _VOTES, always=False),
    Item(
        "item_5",
        "part_ii",
        ("other information", "other items", "other events", "other matters"),
        always=False,
    ),
    Item(
        "item_6",
        "part_ii",
        (
            "exhibits",
            "exhibits and reports on form 8 k",
            "exhibits and reports on form 8k",
            "exhibits financial statement schedules and reports on form 8 k",
            "exhibit index",
        ),
        always=False,
    ),
)


def is_quarterly(form: str) -> bool:
    """Whether a form is a 10-Q, amended or not."""
    return form.upper().startswith("10-Q")


@lru_cache(maxsize=64)
def catalogue(form: str, year: int) -> tuple[Item, ...]:
    """The items a form has, in the form's order.

    Items that came with the next year are there too: some filers are early. Item 14 was the
    exhibits until 2002, then controls, then fees; filings of 2002 and 2003 may have either.

    Args:
        form: as filed, for example `10-K405/A`.
        year: of filing.
    """
    every = _10Q if is_quarterly(form) else _10K
    return tuple(item for item in every if item.since - 1 <= year <= item.until)


def expected(form: str, year: int) -> tuple[Item, ...]:
    """The items whose absence from a filing of that form and year is odd."""
    return tuple(
        item for item in catalogue(form, year) if item.always and item.since <= year <= item.until
    )
