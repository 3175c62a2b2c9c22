"""Where sources of metadata differ: which sentence warns of it, and which dates cannot be true."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from outreach_platform.filings import metadata_sources as sources
from outreach_platform.filings.metadata_sources import Told
from outreach_platform.filings.metadata_values import form_family, name_words, same_name
from outreach_platform.filings.model import accession_year

# 52/53-week years end up to a week from the month's end that a header names.
_SAME_PERIOD = timedelta(days=10)

_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "accession_number": lambda one, other: one == other,
    "cik": lambda one, other: one == other,
    "company_name": same_name,
    "form_type": lambda one, other: one == other,
    "filing_date": lambda one, other: one == other,
    "period_of_report": lambda one, other: abs(one - other) <= _SAME_PERIOD,
}


def differences(told: Sequence[Told]) -> Iterator[str]:
    """A sentence for each field that two sources tell differently."""
    for field, same in _SAME.items():
        said = [(each, value) for each in told if (value := getattr(each, field)) is not None]
        for other, value in said[1:]:
            first, counts = said[0]
            alike = same(counts, value) or _coarser(field, first, other)
            if not alike and not _part(field, counts, other):
                yield (
                    f"{field} is {counts} in {first.source} and {value} in {other.source}: "
                    f"{first.source} counts."
                )
                break
    ticker = next((each for each in told if each.tickers), None)
    others = (each for each in told if each is not ticker and each.tickers)
    other = next(others, None)
    if ticker and other and ticker.tickers[0] not in other.tickers:
        yield (
            f"ticker is {ticker.tickers[0]} in {ticker.source} and {other.tickers[0]} in "
            f"{other.source}: {ticker.source} counts."
        )


def _coarser(field: str, first: Told, other: Told) -> bool:
    """Whether one of two sources only says the form less finely: covers and names seldom do."""
    if field != "form_type" or first.form_type is None or other.form_type is None:
        return False
    rough = {sources.FILE_NAME, sources.COVER, sources.TYPE}
    if not rough & {first.source, other.source}:
        return False
    return form_family(first.form_type) == form_family(other.form_type)


def _part(field: str, counts: Any, other: Told) -> bool:
    """Whether the cover shows the last line of a name that takes several."""
    if field != "company_name" or other.source != sources.COVER or other.company_name is None:
        return False
    shown, whole = name_words(other.company_name), name_words(counts)
    return set(shown) <= set(whole) and 2 * len(shown) >= len(whole)


def dates(
    told: Sequence[Told], accession: str, warnings: list[str]
) -> tuple[date | None, date | None]:
    """Filing date and period; the less trusted of two that cannot both be true is dropped."""
    filed = [(n, each.source, each.filing_date) for n, each in enumerate(told) if each.filing_date]
    ended = [
        (n, each.source, each.period_of_report)
        for n, each in enumerate(told)
        if each.period_of_report
    ]
    while filed and ended and ended[0][2] > filed[0][2]:
        drop, name = (filed, "filing_date") if filed[0][0] > ended[0][0] else (ended, "period")
        warnings.append(
            f"The period ends on {ended[0][2]} ({ended[0][1]}), after the filing date "
            f"{filed[0][2]} ({filed[0][1]}): the {name} of {drop[0][1]} is left out."
        )
        drop.pop(0)
    period = ended[0][2] if ended else None
    undated = next((each.undated for each in told if each.undated), None)
    if period is None and undated:
        warnings.append(f"period {undated!r} in {sources.CSV} is no date, and nothing else tells.")
    filing_date = filed[0][2] if filed else None
    if filing_date and abs(filing_date.year - accession_year(accession)) > 1:
        warnings.append(f"The filing date {filing_date} does not fit the accession number's year.")
    return filing_date, period
