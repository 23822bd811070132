"""The names of the days on which New York does not trade: words for people, never a decision.

Whether the exchange is open is for the calendar in the journal to say.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6
_JUNETEENTH, _JUNETEENTH_SINCE = "Juneteenth", 2022
_FIXED: Final = {
    (1, 1): "New Year's Day",
    (6, 19): _JUNETEENTH,
    (7, 4): "Independence Day",
    (12, 25): "Christmas Day",
}
_NTH: Final = {
    (1, _MONDAY, 3): "Martin Luther King Jr. Day",
    (2, _MONDAY, 3): "Presidents' Day",
    (9, _MONDAY, 1): "Labor Day",
    (11, _THURSDAY, 4): "Thanksgiving Day",
}
_MAY: Final = 5
_LAST_WEEK_OF_MAY: Final = 25


def holiday(day: date) -> str:
    """Return the name of the holiday on which the exchanges close `day`, "" where it is none."""
    if day == _easter(day.year) - timedelta(days=2):
        return "Good Friday"
    if (day.month, day.weekday()) == (_MAY, _MONDAY) and day.day >= _LAST_WEEK_OF_MAY:
        return "Memorial Day"
    nth = _NTH.get((day.month, day.weekday(), (day.day + 6) // 7), "")
    return nth or next(filter(None, map(_fixed, _kept_on(day))), "")


def _fixed(day: date) -> str:
    name = _FIXED.get((day.month, day.day), "")
    return "" if name == _JUNETEENTH and day.year < _JUNETEENTH_SINCE else name


def _kept_on(day: date) -> Iterator[date]:
    """Yield the days that `day` is kept for: itself, a Saturday's Friday, a Sunday's Monday."""
    yield day
    after, before = day + timedelta(days=1), day - timedelta(days=1)
    # New Year's Day on a Saturday is not kept: it would be a holiday of the year before.
    if after.weekday() == _SATURDAY and after.year == day.year:
        yield after
    if before.weekday() == _SUNDAY:
        yield before


def _easter(year: int) -> date:
    """Return Easter Sunday, by the Gregorian computus of Meeus, Jones and Butcher."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)
