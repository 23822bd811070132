"""When schedules come due, from the session table alone."""

from datetime import datetime, timedelta

from daemon.strategies import Anchor, Every, Schedule
from events import SessionHours
from projections.calendar import Sessions


def next_due(schedule: Schedule, sessions: Sessions, after: datetime) -> datetime | None:
    """Return the first due time strictly after `after`, None past the calendar's horizon."""
    hours = sessions.hours
    # Offsets are less than a day, so starting two sessions early misses none.
    start = max(sessions.index_ending_after(after) - 2, 0)
    for index in range(start, len(hours)):
        if not _starts_period(schedule.every, hours, index):
            continue
        due = due_in(schedule, hours[index])
        if due > after:
            return due
    return None


def newest_due(
    schedule: Schedule, sessions: Sessions, after: datetime, now: datetime
) -> datetime | None:
    """Return the last due time after `after` that has come by `now`, else the next one.

    None past the calendar's horizon.
    """
    due = next_due(schedule, sessions, after)
    while due is not None and due < now:
        later = next_due(schedule, sessions, due)
        if later is None or later > now:
            break
        due = later
    return due


def due_in(schedule: Schedule, session: SessionHours) -> datetime:
    """Return the moment `schedule` means in `session`."""
    anchor = session.open if schedule.anchor is Anchor.OPEN else session.close
    return anchor + timedelta(seconds=schedule.offset_s)


def _starts_period(every: Every, hours: list[SessionHours], index: int) -> bool:
    """Say whether the session at `index` is the first of its period."""
    if every is Every.SESSION:
        return True
    if index == 0:
        # Nobody knows what came before the table, so its first session starts no period.
        return False
    day, before = hours[index].day, hours[index - 1].day
    if every is Every.WEEK:
        return day.isocalendar()[:2] != before.isocalendar()[:2]
    return (day.year, day.month) != (before.year, before.month)
