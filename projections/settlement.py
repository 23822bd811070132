"""Cash from sales that has not settled: what a cash account may not spend yet."""

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from events import OrderFilled
from projections.calendar import Sessions

_ZERO = Decimal(0)
_KEPT: Final = timedelta(days=30)
"""Longer than any settlement takes, exchanges closed for a week included."""

CYCLES: Final = ((date(2024, 5, 28), 1), (date(2017, 9, 5), 2), (date.min, 3))
"""From which trade date on a sale settles how many settlement days later; the newest first."""


def cycle(trade_day: date) -> int:
    """Return how many settlement days after `trade_day` a trade settles: T+3, T+2 or T+1."""
    return next(days for since, days in CYCLES if trade_day >= since)


def is_bank_holiday(day: date) -> bool:
    """Say whether exchanges trade on `day` and banks are closed: nothing settles then.

    Columbus Day is October's second Monday; Veterans Day is 11 November, or the Monday after a
    Sunday.
    """
    is_monday = day.weekday() == 0
    if day.month == 10:  # noqa: PLR2004 - October
        return is_monday and 8 <= day.day <= 14  # noqa: PLR2004 - the second Monday
    return day.month == 11 and (day.day == 11 or (day.day == 12 and is_monday))  # noqa: PLR2004 - Veterans Day


def settles_at(trade_day: date, sessions: Sessions) -> datetime | None:
    """Return when a sale of `trade_day` is settled: as the settlement day's session begins.

    None where the table does not reach so far: nobody can say then.
    """
    left = cycle(trade_day)
    first = bisect_right(sessions.hours, trade_day, key=lambda hours: hours.day)
    for hours in sessions.hours[first:]:
        left -= not is_bank_holiday(hours.day)
        if not left:
            return hours.extended_open
    return None


class Settlement(msgspec.Struct):
    """`proceeds` are what sales brought, by trade date (2024-01-02), of the last weeks."""

    proceeds: dict[str, Decimal] = {}

    def apply(self, fill: OrderFilled, sessions: Sessions) -> None:
        """Take a fill at an exchange with `sessions`. A purchase is paid from what is there."""
        if fill.quantity >= 0:
            return
        index = bisect_left(sessions.closes, fill.executed_at)
        at_hand = sessions.hours[index : index + 1]
        day = at_hand[0].day if at_hand else fill.executed_at.date()
        oldest = (day - _KEPT).isoformat()
        self.proceeds = {kept: usd for kept, usd in self.proceeds.items() if kept >= oldest}
        traded = day.isoformat()
        brought = -fill.quantity * fill.price
        self.proceeds[traded] = self.proceeds.get(traded, _ZERO) + brought

    def unsettled(self, sessions: Sessions, moment: datetime) -> Decimal:
        """Return what sales have brought that is not settled at `moment`, US dollars."""
        waiting = _ZERO
        for traded, brought in self.proceeds.items():
            settled = settles_at(date.fromisoformat(traded), sessions)
            if settled is None or settled > moment:
                waiting += brought
        return waiting
