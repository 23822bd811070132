from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from events import ConfigLoaded, SymbolTerms, nanoseconds, utc_from_nanoseconds
from projections import State
from projections.calendar import ALWAYS_OPEN, Calendar, Sessions
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    an_intent,
    an_order,
    fold,
    state_after,
    utc,
)

# The day after Thanksgiving closes at 13:00 in New York, 18:00 UTC.
THANKSGIVING = (a_session("2023-11-22"), a_session("2023-11-24", "18:00"), a_session("2023-11-27"))
# Clocks go forward on Sunday 2024-03-10: from then on 9:30 in New York is 13:30 UTC.
SPRING = (
    a_session("2024-03-08"),
    a_session("2024-03-11", "20:00", "13:30"),
    a_session("2024-03-12", "20:00", "13:30"),
)


def a_calendar_of(*sessions: str) -> Calendar:
    calendar = Calendar()
    calendar.load(a_calendar(*(a_session(day) for day in sessions)))
    return calendar


def is_open(calendar: Calendar, moment: str, *, extended: bool = False) -> bool:
    return calendar.in_session("NYSE", utc(moment), extended=extended)


def closes(calendar: Calendar, moment: str) -> str | None:
    """Return when the P&L day of `moment` ends."""
    day = calendar.day_of(nanoseconds(utc(moment)))
    return day and f"{utc_from_nanoseconds(day[1]):%d %H:%M}"


def holding(*sessions: str) -> State:
    """Return books that hold 100 of A for 1000 dollars of 10000, early on 2024-01-02."""
    return state_after(
        a_config("A"),
        a_calendar(*(a_session(day) for day in sessions)),
        a_deposit("10000"),
        *an_order(),
        a_fill("100", "10"),
        a_commission("0"),
    )


# In session.


@pytest.mark.parametrize(
    ("moment", "regular", "extended"),
    [
        ("2024-01-02T09:00:00", False, False),  # a bar that ends at the start traded before it
        ("2024-01-02T09:01:00", False, True),
        ("2024-01-02T14:30:00", False, True),
        ("2024-01-02T14:30:01", True, True),
        ("2024-01-02T21:00:00", True, True),  # the last bar of the day ends at the close
        ("2024-01-02T21:01:00", False, True),
        ("2024-01-03T01:00:00", False, True),
        ("2024-01-03T01:01:00", False, False),
        ("2024-01-03T15:00:00", True, True),
        ("2024-01-06T15:00:00", False, False),  # a Saturday
        ("2024-01-08T15:00:00", False, False),  # past the horizon
        ("2023-12-29T15:00:00", False, False),  # before the table
    ],
)
def test_a_bar_is_in_session_when_it_ends_in_it(
    moment: str,
    regular: bool,  # noqa: FBT001 - parametrized
    extended: bool,  # noqa: FBT001 - parametrized
) -> None:
    calendar = a_calendar_of("2024-01-02", "2024-01-03", "2024-01-05")
    assert is_open(calendar, moment) is regular
    assert is_open(calendar, moment, extended=True) is extended


def test_a_half_day_ends_at_its_own_close() -> None:
    calendar = Calendar()
    calendar.load(a_calendar(*THANKSGIVING))
    assert is_open(calendar, "2023-11-24T18:00")
    assert not is_open(calendar, "2023-11-24T18:01")
    assert is_open(calendar, "2023-11-24T18:01", extended=True)
    assert not is_open(calendar, "2023-11-23T16:00")


def test_when_clocks_change_the_session_moves_in_utc() -> None:
    calendar = Calendar()
    calendar.load(a_calendar(*SPRING))
    assert not is_open(calendar, "2024-03-08T14:00")
    assert is_open(calendar, "2024-03-11T14:00")
    assert is_open(calendar, "2024-03-08T20:30")
    assert not is_open(calendar, "2024-03-11T20:30")


def test_the_answer_is_the_same_whatever_was_asked_before() -> None:
    # The calendar remembers the last session it found.
    days = ["2024-01-02", "2024-01-03", "2024-01-04"]
    moments = [f"{day}T{hour}:00" for day in days for hour in ("08", "15", "22", "23")]
    asked_in_order = a_calendar_of(*days)
    expected = {moment: is_open(asked_in_order, moment) for moment in moments}
    asked_backwards = a_calendar_of(*days)
    assert {m: is_open(asked_backwards, m) for m in reversed(moments)} == expected
    assert list(expected.values()) == [False, True, False, False] * 3


def test_asking_changes_nothing() -> None:
    asked, never_asked = (a_calendar_of("2024-01-02", "2024-01-03") for _ in range(2))
    for moment in ("2024-01-03T15:00", "2024-01-02T15:00", "2024-01-03T22:00", "2024-01-06T15:00"):
        is_open(asked, moment)
        assert asked == never_asked
        assert msgspec.json.encode(asked) == msgspec.json.encode(never_asked)


def test_books_folded_from_the_same_events_are_equal_whatever_was_asked_of_them() -> None:
    table = a_calendar(a_session("2024-01-02"), a_session("2024-01-03"))
    asked, never_asked = (state_after(a_config("A"), table) for _ in range(2))
    assert asked.in_session(a_bar(end="2024-01-03T15:00"))
    assert asked == never_asked
    assert msgspec.json.encode(asked) == msgspec.json.encode(never_asked)


def test_a_calendar_read_back_answers_as_the_one_written() -> None:
    written = a_calendar_of("2024-01-02", "2024-01-03")
    is_open(written, "2024-01-03T15:00")
    read = msgspec.json.decode(msgspec.json.encode(written), type=Calendar)
    assert read == written
    assert is_open(read, "2024-01-02T15:00")
    assert not is_open(read, "2024-01-02T22:00")


def test_sessions_may_be_loaded_in_any_order() -> None:
    calendar = Calendar()
    calendar.load(a_calendar(a_session("2024-01-03"), a_session("2024-01-02")))
    assert is_open(calendar, "2024-01-02T15:00")
    assert closes(calendar, "2024-01-02T15:00") == "02 21:00"


def test_without_a_calendar_every_exchange_is_closed_but_the_one_that_never_is() -> None:
    calendar = Calendar()
    assert not is_open(calendar, "2024-01-02T15:00")
    assert calendar.in_session(ALWAYS_OPEN, utc("2024-01-07T03:00"), extended=False)
    assert closes(calendar, "2024-01-02T15:00") is None
    assert Sessions().covering(utc("2024-01-02T15:00"), extended=True) is None


def test_a_table_loaded_again_replaces_the_one_before() -> None:
    calendar = a_calendar_of("2024-01-02")
    calendar.load(a_calendar(a_session("2024-01-02", "18:00")))
    assert not is_open(calendar, "2024-01-02T19:00")
    assert closes(calendar, "2024-01-02T15:00") == "02 18:00"


def test_the_next_session_is_found_and_none_past_the_horizon() -> None:
    sessions = a_calendar_of("2024-01-02", "2024-01-03").exchanges["NYSE"]
    first, second = sessions.hours
    assert sessions.first_ending_after(first.close - timedelta(seconds=1)) is first
    assert sessions.first_ending_after(first.close) is second
    assert sessions.first_ending_after(second.close) is None


def test_a_bar_of_a_symbol_without_terms_is_off_session() -> None:
    state = state_after(a_config("A"), a_calendar(a_session("2024-01-02")), a_bar(symbol="X"))
    assert state.market.price(a_bar(symbol="X").symbol) is None


def test_hours_that_are_not_enforced_are_open_always() -> None:
    terms = {a_bar().symbol: SymbolTerms("NYSE", enforce_hours=False, extended_hours=False)}
    state = state_after(ConfigLoaded({}, terms))
    assert state.in_session(a_bar(end="2024-01-07T03:00"))


# Which exchange ends the P&L days.


@pytest.mark.parametrize(
    ("exchanges", "decides"),
    [
        (["24/7", "NASDAQ", "NYSE"], "NYSE"),
        (["NYSE", "NASDAQ", "24/7"], "NYSE"),
        (["NASDAQ", "LSE", "24/7"], "NASDAQ"),
        (["24/7", "LSE", "NASDAQ"], "LSE"),
        (["24/7"], "24/7"),
    ],
)
def test_new_york_ends_the_day_else_the_first_exchange_loaded(
    exchanges: list[str], decides: str
) -> None:
    calendar = Calendar()
    for minute, exchange in enumerate(exchanges):
        session = a_session("2024-01-02", f"21:{minute:02}")
        calendar.load(a_calendar(session, exchange=exchange))
    assert calendar.day_exchange == decides
    assert closes(calendar, "2024-01-02T15:00") == f"02 21:{exchanges.index(decides):02}"


# The day's roll.


def test_the_close_itself_is_still_the_day_and_the_moment_after_is_the_next() -> None:
    calendar = a_calendar_of("2024-01-02", "2024-01-03")
    assert closes(calendar, "2024-01-02T21:00:00") == "02 21:00"
    assert closes(calendar, "2024-01-02T21:00:00.000001") == "03 21:00"
    assert closes(calendar, "2024-01-03T21:00:01") is None


def test_a_bar_exactly_at_the_close_is_the_days_last() -> None:
    state = holding("2024-01-02", "2024-01-03")
    fold(state, a_bar("12", end="2024-01-02T21:00"))
    assert (state.pnl.days, state.pnl.day_pnl) == (0, 200)
    # The next bar starts the next day: 1300 - 1200.
    fold(state, a_bar("13", end="2024-01-03T15:00"))
    assert (state.pnl.days, state.pnl.day_pnl) == (1, 100)


def test_the_closing_bar_belongs_to_the_day_that_is_over_though_it_comes_after_the_close() -> None:
    # A live bar is there a second after it ended, when the next day has begun already.
    state = holding("2024-01-02", "2024-01-03")
    fold(state, an_intent("o9"), at="2024-01-02T21:00:00.5")
    assert state.pnl.days == 1
    fold(state, a_bar("12", end="2024-01-02T21:00"), at="2024-01-02T21:00:01")
    assert state.pnl.day_start_equity == Decimal(10200)
    assert state.pnl.day_pnl == 0


def test_a_fill_in_the_closing_auction_belongs_to_the_day_that_is_over() -> None:
    # 9000 + 100 x 10; 40 sold in the auction at 12 value the other 60 at 12 too: +200.
    state = holding("2024-01-02", "2024-01-03")
    late = a_fill("-40", "12", execution_id="e2", executed_at="2024-01-02T21:00")
    fold(state, late, at="2024-01-02T21:00:02")
    assert state.pnl.days == 1
    assert state.pnl.day_start_equity == Decimal(10200)
    assert state.pnl.day_pnl == 0


def test_a_fill_stamped_in_the_next_day_is_the_next_days() -> None:
    state = holding("2024-01-02", "2024-01-03")
    fold(state, a_fill("-100", "13", execution_id="e2", executed_at="2024-01-03T14:30"))
    assert state.pnl.day_start_equity == Decimal(10000)
    assert state.pnl.day_pnl == Decimal(300)


def test_a_half_day_ends_the_pnl_day_early() -> None:
    calendar = Calendar()
    calendar.load(a_calendar(*THANKSGIVING))
    assert closes(calendar, "2023-11-24T18:00") == "24 18:00"
    assert closes(calendar, "2023-11-24T18:01") == "27 21:00"


def test_when_clocks_change_the_day_ends_an_hour_earlier_in_utc() -> None:
    calendar = Calendar()
    calendar.load(a_calendar(*SPRING))
    assert closes(calendar, "2024-03-08T20:30") == "08 21:00"
    assert closes(calendar, "2024-03-11T20:30") == "12 20:00"


def test_a_long_weekend_is_one_day() -> None:
    state = holding("2024-01-02", "2024-01-03", "2024-01-08")
    fold(state, a_bar("11", end="2024-01-08T15:00"))
    assert (state.pnl.days, state.pnl.day_pnl) == (1, 100)


def test_without_a_calendar_no_day_ends() -> None:
    state = state_after(a_deposit("100"))
    fold(state, a_deposit("50", "more"), at="2024-06-01T00:00")
    assert (state.pnl.days, state.pnl.day_ends_at) == (0, 0)
    assert state.pnl.day_pnl == 0


def test_past_the_horizon_the_day_goes_on_until_a_new_table_ends_it() -> None:
    # Rather one long day, whose loss counts in full, than a day that ends at nobody knows when.
    state = holding("2024-01-02")
    fold(state, a_fill("-50", "8", execution_id="e2", executed_at="2024-01-04T15:00"))
    assert (state.pnl.days, state.pnl.day_pnl) == (0, -200)
    table = a_calendar(a_session("2024-01-02"), a_session("2024-01-04"), a_session("2024-01-05"))
    fold(state, table, at="2024-01-05T12:00")
    assert (state.pnl.days, state.pnl.day_pnl) == (1, 0)
    assert state.pnl.day_started == utc("2024-01-04T21:00")


def test_a_table_loaded_again_in_mid_day_does_not_end_the_day() -> None:
    state = holding("2024-01-02", "2024-01-03")
    fold(state, a_bar("12", end="2024-01-02T16:00"))
    fold(state, a_calendar(a_session("2024-01-02", "18:00")), at="2024-01-02T16:30")
    assert (state.pnl.days, state.pnl.day_pnl) == (0, 200)
    assert state.pnl.day_ends_at == nanoseconds(utc("2024-01-02T18:00"))


def test_a_clock_that_goes_back_does_not_bring_the_day_back() -> None:
    state = holding("2024-01-02", "2024-01-03")
    fold(state, a_deposit("5", "x"), at="2024-01-02T22:00")
    fold(state, a_deposit("5", "y"), at="2024-01-02T20:00")
    assert state.pnl.days == 1
    assert state.pnl.day_ends_at == nanoseconds(utc("2024-01-03T21:00"))


@pytest.mark.parametrize("extended", [False, True])
def test_open_time_is_the_sum_of_what_lies_between_two_moments(extended: bool) -> None:  # noqa: FBT001 - a table
    # Minute by minute, over a half day and a weekend, against asking each minute.
    days = ("2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08", "2024-01-09")
    hours = [a_session(day, close="18:00" if day.endswith("03") else "21:00") for day in days]
    calendar = state_after(a_calendar(*hours)).calendar
    start, step = utc("2024-01-02T09:00"), timedelta(minutes=29)
    moments = [start + step * number for number in range(360)]
    is_open = [calendar.in_session("NYSE", moment, extended=extended) for moment in moments]
    assert any(is_open)
    for first in range(0, 360, 17):
        for last in range(0, 360, 13):
            found = calendar.open_time("NYSE", moments[first], moments[last], extended=extended)
            assert found is not None
            counted = sum(is_open[first + 1 : last + 1])
            # Each session's ends may each be off by a step.
            assert abs(found - step * counted) <= step * 10
            if last <= first:
                assert found == timedelta()


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        ("02T15:00", "02T16:00", 60),
        ("02T14:00", "02T15:00", 30),
        ("02T20:00", "03T15:00", 90),
        ("02T20:00", "05T15:00", 60 + 210 + 30),
        ("02T20:00", "08T15:00", 60 + 210 + 390 + 30),
        ("02T22:00", "03T12:00", 0),
        ("03T17:00", "05T14:30", 60),
        ("03T19:00", "04T12:00", 0),
        ("05T15:00", "02T15:00", 0),
        ("02T15:00", "09T03:00", None),
        ("01T15:00", "02T15:00", None),
    ],
)
def test_regular_time_between_two_moments(since: str, until: str, minutes: int | None) -> None:
    days = ("2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08")
    hours = [a_session(day, close="18:00" if day.endswith("03") else "21:00") for day in days]
    calendar = state_after(a_calendar(*hours)).calendar
    moments = utc(f"2024-01-{since}"), utc(f"2024-01-{until}")
    found = calendar.open_time("NYSE", *moments, extended=False)
    assert found == (None if minutes is None else timedelta(minutes=minutes))
    assert calendar.open_time("nowhere", *moments, extended=False) is None
    assert calendar.open_time("24/7", *moments, extended=False) == max(
        moments[1] - moments[0], timedelta()
    )
