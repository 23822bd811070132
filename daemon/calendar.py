"""Exchange sessions from the calendar library, as the event the folds read. Its only importer.

The library's default calendar reaches from twenty years ago to one year ahead, so bounds are always
given. News it does not have yet comes from `sessions.extra_closures` and `extra_early_closes`.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from daemon.config.file import ConfigError
from daemon.config.options import SessionsConfig
from daemon.new_york import moment
from events import CalendarLoaded, SessionHours
from projections.calendar import ALWAYS_OPEN

_LIBRARY_NAMES: Final = {"NYSE": "XNYS", "NASDAQ": "XNAS"}
_EXTENDED_OPEN: Final = time(4)
_EXTENDED_CLOSE: Final = time(20)
_EXTENDED_CLOSE_HALF_DAY: Final = time(17)
_FULL_DAY_CLOSE: Final = time(16)


def load_calendar(
    exchange: str, first: date, last: date, sessions: SessionsConfig
) -> CalendarLoaded:
    """Return the sessions of `exchange` from `first` to `last`, both included.

    Raises:
        ConfigError: an extra closure or early close is on a day that is no session, or an early
            close is not within its session.
    """
    if exchange == ALWAYS_OPEN:
        every_day = (first + timedelta(days=number) for number in range((last - first).days + 1))
        sessions_of = tuple(_whole_day(day) for day in every_day)
        return CalendarLoaded(exchange, "every UTC day", sessions_of)
    # Half of what a start costs: a run around the clock, and every other command, goes without.
    import exchange_calendars  # noqa: PLC0415 - see the line above

    # A month of margin, because the library refuses bounds without any session between them.
    margin = timedelta(days=31)
    calendar = exchange_calendars.get_calendar(
        _LIBRARY_NAMES[exchange], start=str(first - margin), end=str(last + margin)
    )
    schedule = calendar.schedule.loc[str(first) : str(last)]
    days = [stamp.date() for stamp in schedule.index]
    opens = [stamp.to_pydatetime().astimezone(UTC) for stamp in schedule["open"]]
    closes = [stamp.to_pydatetime().astimezone(UTC) for stamp in schedule["close"]]
    found = dict(zip(days, zip(opens, closes, strict=True), strict=True))
    _apply_extras(found, sessions, first, last)
    return CalendarLoaded(
        exchange,
        f"exchange_calendars {exchange_calendars.__version__} {_LIBRARY_NAMES[exchange]}",
        tuple(_session(day, *found[day]) for day in sorted(found)),
    )


def _apply_extras(
    found: dict[date, tuple[datetime, datetime]], sessions: SessionsConfig, first: date, last: date
) -> None:
    problems = [
        f"sessions.{option}: {day} is no session"
        for option, days in (
            ("extra_closures", sessions.extra_closures),
            ("extra_early_closes", sessions.extra_early_closes),
        )
        for day in days
        if first <= day <= last and day not in found
    ]
    for day, closes_at in sessions.extra_early_closes.items():
        opens, closes = found.get(day, (None, None))
        if opens is not None and closes is not None:
            early = moment(day, closes_at)
            found[day] = (opens, early)
            if not opens < early < closes:
                hours = f"after {opens:%H:%M} and before {closes:%H:%M} UTC"
                what = f"{day} {closes_at} New York is no early close: it must be {hours}"
                problems.append(f"sessions.extra_early_closes: {what}")
    if problems:
        raise ConfigError(problems)
    for day in sessions.extra_closures:
        found.pop(day, None)


def _session(day: date, opens: datetime, closes: datetime) -> SessionHours:
    is_full = closes == moment(day, _FULL_DAY_CLOSE)
    extended_close = _EXTENDED_CLOSE if is_full else _EXTENDED_CLOSE_HALF_DAY
    return SessionHours(
        day, opens, closes, moment(day, _EXTENDED_OPEN), moment(day, extended_close)
    )


def _whole_day(day: date) -> SessionHours:
    starts = datetime.combine(day, time(), UTC)
    ends = starts + timedelta(days=1)
    return SessionHours(day, starts, ends, starts, ends)
