"""What a table is, a statement or less; judged by the labels of its rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from outreach_platform.filings.parsing.grid import Grid
from outreach_platform.filings.parsing.grid_numbers import is_dash, is_value

_ASSETS = re.compile(r"total assets\b(?! (?:turnover|less|at fair|measured))")
_CLAIMS = re.compile(
    r"total liabilities,?\s*(?:and|&|,)|liabilities\s*(?:and|&|,).*(?:equity|deficit|capital"
    r"|investment)"
    r"|total (?:capitalization|equity) and liabilities|total capitalization and liabilities"
)
_LIABILITIES = re.compile(r"total (?:current )?liabilities\b|accounts payable|total deposits")
_EQUITY = re.compile(
    r"retained earnings|accumulated (?:deficit|other comprehensive)|additional paid|paid-in capital"
    r"|capital in excess|capital surplus|reinvested earnings|earnings reinvested"
    r"|partners.{1,3}capital"
    r"|total (?:stockholders|shareholders|shareowners|share-owners|members|partners|owners).{0,3} ?"
    r"(?:equity|deficit|investment)|total equity|net assets"
)
_HOLDINGS = re.compile(
    r"cash and (?:cash )?equivalents|^cash\b|inventor|receivable|property|securities|loans"
)
_RESULT = re.compile(
    r"net (?:income|loss|earnings|\(loss\)|profit)|profit of consolidated|income \(loss\)$"
)
_SALES = re.compile(
    r"revenues?\b|net sales|^sales\b|total sales|interest income|premiums|operating expenses"
    r"|costs and expenses"
    r"|cost of (?:sales|revenue|goods|products)|general and administrative"
)
_TAX = re.compile(
    r"income tax|taxes on (?:income|earnings)|provision for taxes|tax(?:es)? (?:expense"
    r"|provision|benefit)"
)
_SHARE = re.compile(
    r"(?:per|each) (?:\w+ |common |ordinary |limited partner(?:ship)? ){0,3}(?:share|unit"
    r"|interest)\b"
    r"|per-share|^(?:basic|diluted)\b|basic and diluted|earnings per"
)
_FLOW = r"(?:provided|used|generated|from|\(used|required|flows?|\(outflow|by|\(to\)|for)\b.*"
_OPERATING = re.compile(rf"cash.*(?:{_FLOW})?operating activities|cash.*{_FLOW}operations")
_INVESTING = re.compile(r"cash.*(?:investing|investment) activities")
_FINANCING = re.compile(r"cash.*financing activities")
_CASH_ROWS = re.compile(
    r"depreciation|amorti[sz]ation|deferred (?:income )?tax|(?:stock|share"
    r"|equity)-based compensation|accounts payable"
    r"|capital expenditures|purchases? of|proceeds from|payments? (?:of|for|on)|repayments?"
    r"|acquisition"
    r"|changes in|dividends|net (?:income|loss|earnings)|(?:beginning|end) of (?:the )?(?:year"
    r"|period|quarter)"
    r"|receivable|inventor"
)
_COMPREHENSIVE = re.compile(r"comprehensive (?:income|loss|\(loss\)|earnings)")
_BALANCES = re.compile(
    r"balances?,?\s*(?:as of|at|,|-|\u2013|\u2014|beginning|end|january|february|march|april|may"
    r"|june|july"
    r"|august|september|october|november|december)|(?:beginning|ending|opening"
    r"|closing) balances?|^balances?$"
)
_EQUITY_COLUMNS = re.compile(
    r"common (?:stock|shares)|paid-in|retained|accumulated|treasury|noncontrolling|comprehensive"
    r"|preferred"
    r"|(?:stock|share)holders|capital|total"
)
_NOT_CONSOLIDATED = re.compile(
    r"parent|registrant|condensed (?:consolidating|financial information)|consolidating|guarantor"
    r"|pro forma|segment|selected|summar|supplement|information|percent|fair value|\bnotes? \d"
    r"|quarterly (?:financial|results|data)|schedule i\b|unconsolidated|affiliate|discontinued"
    r"|held for sale|joint venture|variable interest|purchase price"
)
_OF = r"statements? of (?:\w+ ){0,2}?"
_TITLES = {
    "balance_sheet": re.compile(
        rf"balance sheets?|{_OF}(?:financial (?:condition|position)|assets)"
        r"|consolidated financial (?:position|condition)"
    ),
    "income_statement": re.compile(
        rf"{_OF}(?:comprehensive )?(?:operations|income|earnings|loss|profit|results)"
        rf"|(?:income|earnings|operations) statements?|{_OF}\(?(?:loss|income)"
        r"|consolidated (?:earnings|income)"
    ),
    "cash_flow": re.compile(rf"{_OF}cash flows?|consolidated cash flows?|cash flows? statements?"),
}
_MONEY = re.compile(r"[$\u20ac\u00a3\u00a5]")
_WORDS = re.compile(
    r"income|expense|revenue|sales|cost|profit|earnings|assets|liabilit|debt|cash|equity"
    r"|dividend|tax|loss"
    r"|interest|receivable|payable|share|goodwill|lease|fair value|depreciation|amortization"
    r"|price|margin"
)
_SCHEDULE = re.compile(r"\bschedules?\b|exhibit|valuation and qualifying")
_EXHIBIT = re.compile(
    r"\(?\d{1,3}(?:\.\d{1,3})?(?:\.?[A-Za-z]{0,4}|\(\w+\))*\)?[*\u2020+#^.\u2021]*"
)
# A statement has so many rows; a summary in the discussion has fewer.
_SHEET_ROWS, _INCOME_ROWS, _FLOW_ROWS = 10, 8, 10
_PROSE = 60
# So many rows of what a company owns make the first half of a balance sheet that has no total.
_HOLDING_ROWS = 4


@dataclass(frozen=True, slots=True)
class TableKind:
    """What a table is.

    Attributes:
        table_type: `financial`, `narrative`, `schedule` or `other`.
        category: `balance_sheet`, `income_statement`, `cash_flow` or None.
        is_statement: one of the consolidated statements, comprehensive income and equity too.
        is_titled: the caption calls it by the name of its category.
    """

    table_type: str
    category: str | None = None
    is_statement: bool = False
    is_titled: bool = False


def classify(grid: Grid, caption: str) -> TableKind:
    """What a table is, by its labels first; the caption supports and excludes.

    Args:
        grid: of the table.
        caption: with titles and units.
    """
    labels = [_label(row) for row in grid.body]
    title = f"{caption} {grid.headers[0]}".lower()
    category = None if _is_of_percents(grid) else _category(labels, title)
    numbers = sum(1 for row in grid.body for text in row if is_value(text))
    if category is not None:
        titled = bool(_TITLES[category].search(title))
        return TableKind("financial", category, not _NOT_CONSOLIDATED.search(title), titled)
    if _is_other_statement(grid, labels, title):
        return TableKind("financial", None, not _NOT_CONSOLIDATED.search(title))
    return TableKind(_type(grid, labels, title, numbers))


def settle(kinds: Sequence[TableKind]) -> list[TableKind]:
    """Judge the tables of a filing together.

    Where a table bears the name of a statement, those of the same category that do not are
    summaries in the discussion, not statements.
    """
    named = {kind.category for kind in kinds if kind.is_statement and kind.is_titled}
    return [
        replace(kind, is_statement=False)
        if kind.category in named and not kind.is_titled and kind.category
        else kind
        for kind in kinds
    ]


def _is_of_percents(grid: Grid) -> bool:
    """Whether most values are percentages: a statement as shares of revenue is none."""
    values = [text for row in grid.body for text in row[1:] if is_value(text)]
    return sum(1 for text in values if "%" in text) * 2 > len(values)


def _label(row: Sequence[str]) -> str:
    """The words of a row's first cells, up to its first value."""
    words: list[str] = []
    for text in row:
        if text and (is_value(text) or is_dash(text)):
            break
        if text:
            words.append(text)
    return " ".join(words).lower()


def _category(labels: Sequence[str], title: str) -> str | None:
    rows = len(labels)
    titled: set[str] = set()
    if not _NOT_CONSOLIDATED.search(title):
        titled = {name for name, pattern in _TITLES.items() if pattern.search(title)}
    operating, investing, financing = (
        _any(labels, pattern) for pattern in (_OPERATING, _INVESTING, _FINANCING)
    )
    flows = _count(labels, _CASH_ROWS)
    if operating and investing and financing and rows >= _FLOW_ROWS and flows >= 4:
        return "cash_flow"
    if "cash_flow" in titled and (operating or investing or financing) and flows >= 4:
        return "cash_flow"
    if _is_sheet(labels, rows, "balance_sheet" in titled):
        return "balance_sheet"
    return "income_statement" if _is_income(labels, rows, "income_statement" in titled) else None


def _is_sheet(labels: Sequence[str], rows: int, titled: bool) -> bool:
    assets, claims, liabilities, equity, holdings = (
        _any(labels, pattern) for pattern in (_ASSETS, _CLAIMS, _LIABILITIES, _EQUITY, _HOLDINGS)
    )
    if assets and claims and holdings and rows >= _SHEET_ROWS:
        return True
    parts = sum((assets, claims, liabilities, equity))
    if claims and liabilities and equity and rows >= _SHEET_ROWS and not assets:
        return True
    return (
        titled
        and rows >= 5
        and (
            parts >= 3
            or (assets and holdings)
            or (claims and equity)
            or _count(labels, _HOLDINGS) >= _HOLDING_ROWS
        )
    )


def _is_income(labels: Sequence[str], rows: int, titled: bool) -> bool:
    result, sales, tax, share = (
        _any(labels, pattern) for pattern in (_RESULT, _SALES, _TAX, _SHARE)
    )
    if rows < _INCOME_ROWS or not (result and sales) or _any(labels, _ASSETS):
        return False
    if titled and (tax or share):
        return True
    return tax and share and _count(labels, _SHARE) >= 2 and rows >= 2 * _INCOME_ROWS - 4


def _is_other_statement(grid: Grid, labels: Sequence[str], title: str) -> bool:
    """Comprehensive income, and equity."""
    if len(labels) < 4:
        return False
    if "comprehensive" in title and "statement" in title:
        return _count(labels, _COMPREHENSIVE) >= 1
    columns = sum(1 for text in grid.headers if _EQUITY_COLUMNS.search(text.lower()))
    balances = _count(labels, _BALANCES)
    named = bool(re.search(r"equity|deficit|capital|investment", title)) and "statement" in title
    if balances >= 2 and named and grid.width > 2:
        return True
    return balances >= 2 and columns >= 4 and _any(labels, _RESULT) and grid.width > 4


def _type(grid: Grid, labels: Sequence[str], title: str, numbers: int) -> str:
    cells = [text for row in grid.body for text in row if text]
    if _SCHEDULE.search(title) or _is_exhibits(grid):
        return "schedule"
    words = sum(1 for text in cells if not is_value(text) and not is_dash(text))
    if numbers * 6 < words or (numbers * 2 < words and max(map(len, cells)) > _PROSE * 4):
        return "narrative"
    told = _count(labels, _WORDS) + sum(1 for text in grid.headers if _WORDS.search(text.lower()))
    money = any(_MONEY.search(text) for text in (*cells, grid.units, title))
    counted = bool(grid.units) or "million" in title or "thousand" in title
    return "financial" if numbers and (money or (counted and told) or told > 1) else "other"


def _is_exhibits(grid: Grid) -> bool:
    """Rows of an exhibit's number and its description."""
    rows = [[text for text in row if text] for row in grid.body]
    rows = [row for row in rows if len(row) > 1]
    named = sum(1 for row in rows if _EXHIBIT.fullmatch(row[0]) and row[1][:1].isalpha())
    long = sum(1 for row in rows if max(map(len, row)) > _PROSE)
    return len(rows) > 1 and named * 3 >= len(rows) * 2 and long * 2 >= len(rows)


def _any(labels: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(label) for label in labels)


def _count(labels: Sequence[str], pattern: re.Pattern[str]) -> int:
    return sum(1 for label in labels if pattern.search(label))
