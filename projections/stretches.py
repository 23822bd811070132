"""A session cut into stretches, each of which a bar is expected in.

One rule for all policies: every bar (a stretch is one bar long), one bar in so many minutes, one
bar a session (a stretch longer than the session). What is left over at the end of a session belongs
to its last stretch, so no stretch is shorter than the policy says.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from events import SessionHours
from projections.calendar import Sessions

_INSTANT = timedelta(microseconds=1)


class Stretch(msgspec.Struct, frozen=True):
    """A part of a regular session: a bar belongs to it whose end lies in (start, end]."""

    start: datetime
    end: datetime


def stretches_of(hours: SessionHours, every_s: int) -> Iterator[Stretch]:
    """Yield the stretches of one session, each `every_s` seconds long or a little longer."""
    for number in range(_count(hours, every_s)):
        yield _stretch(hours, every_s, number)


def first_starting_from(sessions: Sessions, moment: datetime, every_s: int) -> Stretch | None:
    """Return the first stretch that starts at `moment` or later, None past the horizon."""
    index = sessions.index_ending_after(moment)
    for hours in sessions.hours[index : index + 2]:
        number = max(-((hours.open - moment) // timedelta(seconds=every_s)), 0)
        if number < _count(hours, every_s):
            return _stretch(hours, every_s, number)
    return None


def first_ending_from(sessions: Sessions, moment: datetime, every_s: int) -> Stretch | None:
    """Return the first stretch that ends at `moment` or later, None past the horizon."""
    hours = sessions.first_ending_after(moment - _INSTANT)
    if hours is None:
        return None
    passed = max((moment - _INSTANT - hours.open) // timedelta(seconds=every_s), 0)
    return _stretch(hours, every_s, min(passed, _count(hours, every_s) - 1))


def _count(hours: SessionHours, every_s: int) -> int:
    return max((hours.close - hours.open) // timedelta(seconds=every_s), 1)


def _stretch(hours: SessionHours, every_s: int, number: int) -> Stretch:
    every = timedelta(seconds=every_s)
    is_last = number == _count(hours, every_s) - 1
    start = hours.open + number * every
    return Stretch(start, hours.close if is_last else start + every)
