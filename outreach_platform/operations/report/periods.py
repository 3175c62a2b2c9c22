"""Days, weeks, months or years: as fine as a picture can show, however long the history is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

# A bar a day for a quarter, a bar a week for two years, a bar a month for ten: about 120 bars.
_DAYS, _WEEKS, _MONTHS = 92, 732, 3660


@dataclass(frozen=True)
class Scale:
    """How time is cut.

    Attributes:
        name: day, week, month or year.
        first: start of the first period.
        last: the last day that is shown.
        start: gives the first day of the period that a day belongs to.
    """

    name: str
    first: date
    last: date
    start: Callable[[date], date]

    def width(self, period: date) -> float:
        """Days that the period beginning at `period` has."""
        if self.name == "day":
            return 1.0
        if self.name == "week":
            return 7.0
        long = 32 if self.name == "month" else 367
        return float((self.start(period + timedelta(days=long)) - period).days)


def scale_of(first: date, last: date) -> Scale:
    """The finest scale on which the days from `first` to `last` make about 120 bars or fewer."""
    days = (last - first).days
    if days <= _DAYS:
        return Scale("day", first, last, lambda day: day)
    if days <= _WEEKS:
        return Scale("week", _monday(first), last, _monday)
    if days <= _MONTHS:
        return Scale("month", first.replace(day=1), last, lambda day: day.replace(day=1))
    return Scale("year", first.replace(month=1, day=1), last, lambda d: d.replace(month=1, day=1))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
