"""How far ahead the calendar is known: checked at the start, kept up while running, held for."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.brokers.paper import PaperBroker
from daemon.config.backtest_id import backtest_id
from daemon.config.file import ConfigError
from daemon.config.options import Config, Exchange, FreshnessConfig, SessionsConfig, SymbolConfig
from daemon.core.data_watch import CALENDAR_ENDS
from daemon.session import assert_known_ahead, live_calendars
from events import (
    CalendarLoaded,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    SessionStarted,
    Symbol,
    TimerFired,
    TimerKind,
)
from events.journal import Journal
from tests.broker_desk import PLAIN
from tests.builders import a_calendar, a_config, a_session, utc
from tests.core_desk import OPENED, CoreDesk, Scripted, kinds, of
from tests.engine_desk import works

LIVE = SessionStarted("1", {}, {}, live_feed=True)
NOW = utc("2026-11-21T12:00")


def configured(*exchanges: Exchange, closures: Sequence[str] = ()) -> Config:
    symbols = {Symbol(f"S{n}"): SymbolConfig(exchange=each) for n, each in enumerate(exchanges)}
    days = tuple(datetime.fromisoformat(day).date() for day in closures)
    return Config(symbols=symbols, sessions=SessionsConfig(extra_closures=days))


# At the start.


def test_live_calendars_reach_a_year_ahead_whatever_the_day() -> None:
    config = configured(Exchange.NYSE, Exchange.NASDAQ, Exchange.ALWAYS)
    for day in (0, 9, 100):
        now = NOW + timedelta(days=day)
        for calendar in live_calendars(config, now):
            assert calendar.sessions[-1].close > now + timedelta(days=366), calendar.exchange
            assert calendar.sessions[0].open < now - timedelta(days=35)


def test_made_anew_they_say_something_new_when_a_month_has_gone() -> None:
    # Forty days before, and four hundred after, each enter another month once a month.
    days = ("2026-11-21", "2026-11-26", "2026-11-27", "2026-12-10", "2026-12-11", "2026-12-26")
    made = [live_calendars(configured(Exchange.NYSE), utc(day)) for day in days]
    assert [before == after for before, after in pairwise(made)] == [True, False, True, False, True]


def test_a_calendar_that_ends_within_a_month_refuses_the_start() -> None:
    # The last session closes at 21:00 on 1 February.
    calendar = a_calendar(*(a_session(day) for day in ("2024-01-02", "2024-02-01")))
    assert_known_ahead([calendar], utc("2024-01-02T21:00"))
    with pytest.raises(ConfigError, match="NYSE ends in 29 days, on 2024-02-01: install a newer"):
        assert_known_ahead([calendar], utc("2024-01-02T21:01"))
    with pytest.raises(ConfigError, match="ends in 0 days"):
        assert_known_ahead([a_calendar()], utc("2024-01-02T21:01"))


# While running.


def watching(*days: str) -> CoreDesk:
    return CoreDesk(opening=[OPENED, a_config("A"), LIVE, a_calendar(*map(a_session, days))])


def test_the_calendars_are_made_anew_as_every_day_begins_in_new_york() -> None:
    desk = watching("2024-01-02", "2024-12-31")
    fired = of(desk.pass_time("2024-01-05T05:00:01"), TimerFired)
    refreshes = [each.due for each in fired if each.kind is TimerKind.CALENDAR_REFRESH]
    # It is 2 January noon UTC at the start; midnight in New York is 5:00 UTC in winter.
    assert refreshes == [utc(f"2024-01-0{day}T05:00") for day in (3, 4, 5)]
    assert len([each for each in desk.effects() if type(each).__name__ == "RefreshCalendars"]) == 3


def test_in_summer_the_day_begins_an_hour_earlier() -> None:
    desk = watching("2024-01-02", "2025-12-31")
    fired = of(desk.pass_time("2024-03-12T12:00"), TimerFired)
    dues = [each.due for each in fired if each.kind is TimerKind.CALENDAR_REFRESH]
    assert dues[-3:] == [utc("2024-03-10T05:00"), utc("2024-03-11T04:00"), utc("2024-03-12T04:00")]


def test_a_restart_on_the_same_day_makes_them_anew_once() -> None:
    desk = watching("2024-01-02", "2024-12-31")
    desk.pass_time("2024-01-03T05:00:01")
    # The clock is set back, the daemon starts again: the day has begun already.
    desk.step(LIVE, "2024-01-03T04:59:58")
    assert kinds(desk.pass_time("2024-01-03T05:00:30")).count("timer.fired") == 0


def test_recorded_bars_need_no_calendar_made_anew() -> None:
    desk = CoreDesk()
    assert desk.pass_time("2024-02-01T00:00") == []


def test_a_calendar_nobody_renews_stops_what_is_new_a_month_before_it_ends() -> None:
    desk = watching("2024-01-02", "2024-02-15")
    taken = desk.pass_time("2024-01-18T05:00")
    # From the 17th, 5:00, to the close of 15 February at 21:00 it is less than 30 days.
    (hold,) = [each for each in of(taken, HoldPlaced) if each.cause == CALENDAR_ENDS]
    assert (hold.cause, hold.level, hold.lifts) == (
        CALENDAR_ENDS,
        HoldLevel.REDUCE,
        HoldLifts.CONDITION,
    )
    assert hold.why == "NYSE is known for 29 more days"
    # It is placed once, and lifted by a calendar that reaches further.
    assert of(desk.pass_time("2024-01-25T00:00"), HoldPlaced) == []
    further = a_calendar(a_session("2024-01-25"), a_session("2024-12-31"))
    (lifted,) = of(desk.step(further), HoldLifted)
    assert lifted.hold_id == hold.hold_id


def test_past_its_end_the_exchange_is_closed() -> None:
    desk = watching("2024-01-02")
    assert not desk.state.calendar.takes_orders("NYSE", utc("2024-01-03T15:00"), extended=True)
    assert desk.state.calendar.horizon("NYSE") == utc("2024-01-02T21:00")
    assert desk.state.calendar.horizon("NASDAQ") is None


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


async def test_the_engine_takes_a_new_calendar_as_an_input_and_only_where_it_is_new(
    journal: Journal,
) -> None:
    known = a_calendar(*(a_session(f"2024-01-0{day}") for day in (2, 3, 4, 5)))
    further = a_calendar(*known.sessions, a_session("2024-12-31"))
    made: list[CalendarLoaded] = [known]
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        at.engine.surroundings.calendars = lambda _now: made
        refresh = TimerFired(TimerKind.CALENDAR_REFRESH, "calendars", utc("2024-01-03T05:00"))
        at.engine.fire(refresh)
        await at.engine.commit()
        assert kinds(at.written()) == ["timer.fired"]
        made[:] = [further]
        at.engine.fire(TimerFired(refresh.kind, refresh.subject, utc("2024-01-04T05:00")))
        await at.engine.commit()
        assert kinds(at.written())[1:] == ["timer.fired", "calendar.loaded"]
        assert at.state.calendar.horizon("NYSE") == utc("2024-12-31T21:00")


async def test_a_library_that_fails_leaves_the_calendar_there_is(journal: Journal) -> None:
    def fails(_now: datetime) -> Sequence[CalendarLoaded]:
        raise ConfigError(["sessions.extra_closures: 2027-01-03 is no session"])

    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        at.engine.surroundings.calendars = fails
        at.engine.fire(TimerFired(TimerKind.CALENDAR_REFRESH, "calendars", utc("2024-01-03T05:00")))
        await at.engine.commit()
        assert kinds(at.written()) == ["timer.fired"]
        assert "2027-01-03 is no session" in at.engine.surroundings.calendar_problem
        assert at.state.calendar.horizon("NYSE") == utc("2024-01-05T21:00")


# Whose backtest it is.


def test_a_new_option_left_as_it_is_makes_no_other_backtest() -> None:
    plain = configured(Exchange.NYSE)
    changed = Config(symbols=plain.symbols, freshness=FreshnessConfig(recorded=True))
    thin = Config(symbols={Symbol("S0"): SymbolConfig(bar_every_s=60)})
    ids = {backtest_id(each) for each in (plain, changed, thin, configured(Exchange.NASDAQ))}
    assert len(ids) == 4
    # Written out, the default is still the default.
    assert backtest_id(Config(symbols=plain.symbols, freshness=FreshnessConfig())) == backtest_id(
        plain
    )
