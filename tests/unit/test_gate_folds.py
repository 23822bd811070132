"""The books behind the gate: references, settlement, activity, halts, instruments and margin."""

from datetime import date
from decimal import Decimal

import pytest

from events import (
    AccountReported,
    CancelSending,
    ClientOrderId,
    ContractResolved,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OrderSending,
    SessionStarted,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TimerKind,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State
from projections.activity import DAY_TRADES_KEPT, REMEMBERED, Activity, Times
from projections.calendar import Calendar, Sessions
from projections.references import Reference, References
from projections.settlement import Settlement, cycle, is_bank_holiday, settles_at
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_dividend,
    a_fill,
    a_session,
    a_split,
    an_intent,
    an_order,
    fold,
    state_after,
    utc,
)

A = Symbol("A")
O1, O2 = ClientOrderId("o1"), ClientOrderId("o2")


def reference(*bars: tuple[str, str]) -> Reference:
    """Return A's reference after bars: the close, and the end of January 2024."""
    days = [a_session(f"2024-01-{day:02}") for day in (2, 3, 4)]
    state = state_after(a_config("A"), a_calendar(*days))
    fold(state, *(a_bar(close, end=f"2024-01-{end}") for close, end in bars))
    found = state.references.of(A)
    assert found is not None
    return found


# References.


def test_a_reference_has_the_last_three_closes_and_that_of_the_session_before() -> None:
    first = reference(("10", "02T20:59"))
    assert (first.last, first.before, first.session_close, first.bars) == (10, None, None, 1)
    found = reference(
        ("10", "02T20:58"), ("11", "02T20:59"), ("12", "02T21:00"), ("13", "03T14:31")
    )
    assert (found.last, found.before, found.long_before) == (13, 12, 11)
    assert (found.session_close, found.bars) == (12, 1)
    assert found.ends_at == utc("2024-01-04T01:00")
    found = reference(
        ("10", "02T21:00"), ("11", "03T14:31"), ("12", "03T14:32"), ("13", "04T14:31")
    )
    assert (found.session_close, found.bars) == (12, 1)


def test_a_bar_off_session_is_no_reference() -> None:
    assert reference(("10", "02T21:00"), ("99", "02T22:00")).last == 10


@pytest.mark.parametrize("exchange", ["24/7", "NYSE", "nowhere"])
def test_where_no_calendar_tells_a_session_is_a_utc_day(exchange: str) -> None:
    references = References()
    for close, end in (("10", "02T23:59"), ("11", "03T00:00"), ("12", "03T00:01")):
        references.close_bar(a_bar(close, end=f"2024-01-{end}"), exchange, Calendar())
    found = references.symbols[A]
    assert (found.session_close, found.bars, found.ends_at) == (11, 1, utc("2024-01-04T00:00"))


def test_what_trades_in_the_night_is_of_the_next_session() -> None:
    calendar = state_after(a_calendar(a_session("2024-01-02"), a_session("2024-01-03"))).calendar
    references = References()
    for close, end in (("10", "02T21:00"), ("11", "03T05:00"), ("12", "03T15:00")):
        references.close_bar(a_bar(close, end=f"2024-01-{end}"), "NYSE", calendar)
    found = references.symbols[A]
    assert (found.session_close, found.bars, found.ends_at) == (10, 2, utc("2024-01-04T01:00"))


def test_references_are_restated_with_the_price() -> None:
    days = [a_session(f"2024-01-{day:02}") for day in (2, 3)]
    state = state_after(a_config("A"), a_calendar(*days))
    for close, end in (("100", "02T20:59"), ("102", "02T21:00"), ("104", "03T14:31")):
        fold(state, a_bar(close, end=f"2024-01-{end}"))
    fold(state, a_split("2:1", "0", "0"), a_dividend("1", "0", "0"))
    found = state.references.symbols[A]
    closes = (found.last, found.before, found.long_before, found.session_close)
    assert closes == (51, 50, 49, 50)
    assert found.last == state.market.price(A)
    # A symbol that never had a price has none to restate, nor has a first bar one before it.
    assert fold(State(), a_split("2:1", "0", "0")).references == References()
    lonely = state_after(a_config("A"), a_calendar(*days), a_bar("100"))
    assert fold(lonely, a_split("2:1", "0", "0")).references.symbols[A].before is None


# Settlement.


@pytest.mark.parametrize(
    ("traded", "days"),
    [
        (date(2017, 9, 1), 3),
        (date(2017, 9, 4), 3),
        (date(2017, 9, 5), 2),
        (date(2024, 5, 27), 2),
        (date(2024, 5, 28), 1),
        (date(2030, 1, 2), 1),
    ],
)
def test_the_cycle_goes_by_the_trade_date(traded: date, days: int) -> None:
    assert cycle(traded) == days


@pytest.mark.parametrize(
    ("day", "is_one"),
    [
        ("2024-10-14", True),
        ("2024-10-07", False),
        ("2024-10-21", False),
        ("2024-10-15", False),
        ("2023-10-09", True),
        ("2029-10-08", True),
        ("2024-11-11", True),
        ("2018-11-12", True),
        ("2018-11-11", True),
        ("2024-11-12", False),
        ("2024-12-11", False),
        ("2024-11-13", False),
    ],
)
def test_on_columbus_and_veterans_day_nothing_settles(day: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    assert is_bank_holiday(date.fromisoformat(day)) is is_one


def sessions(*days: str) -> Sessions:
    return state_after(a_calendar(*map(a_session, days))).calendar.exchanges["NYSE"]


@pytest.mark.parametrize(
    ("traded", "days", "settled"),
    [
        # Friday, T+1: Monday. Over Columbus Day: Tuesday.
        ("2024-06-07", ("2024-06-07", "2024-06-10", "2024-06-11"), "2024-06-10T09:00"),
        ("2024-10-11", ("2024-10-11", "2024-10-14", "2024-10-15"), "2024-10-15T09:00"),
        ("2016-01-04", [f"2016-01-0{day}" for day in (4, 5, 6, 7, 8)], "2016-01-07T09:00"),
        ("2018-01-03", [f"2018-01-0{day}" for day in (3, 4, 5, 8)], "2018-01-05T09:00"),
        # Nobody knows.
        ("2024-06-07", ("2024-06-07",), None),
        ("2024-06-07", (), None),
    ],
)
def test_a_sale_settles_as_the_settlement_days_session_begins(
    traded: str, days: tuple[str, ...], settled: str | None
) -> None:
    expected = None if settled is None else utc(settled)
    assert settles_at(date.fromisoformat(traded), sessions(*days)) == expected


def test_sales_add_up_by_trade_date_and_purchases_do_not_count() -> None:
    settlement = Settlement()
    open_days = sessions("2024-06-07", "2024-06-10", "2024-06-11")
    for quantity, at in (
        ("-2", "07T15:00"),
        ("-1", "07T20:00"),
        ("5", "07T20:00"),
        ("-4", "08T02:00"),
    ):
        settlement.apply(a_fill(quantity, "10", executed_at=f"2024-06-{at}"), open_days)
    # What trades after the extended hours is of the next session; past the table, of its UTC day.
    assert settlement.proceeds == {"2024-06-07": 30, "2024-06-10": 40}
    settlement.apply(a_fill("-1", "10", executed_at="2024-06-12T15:00"), open_days)
    assert settlement.proceeds["2024-06-12"] == 10
    assert settlement.unsettled(open_days, utc("2024-06-10T08:59")) == 80
    assert settlement.unsettled(open_days, utc("2024-06-10T09:00")) == 50
    assert settlement.unsettled(open_days, utc("2024-07-10T09:00")) == 10


def test_sales_of_more_than_a_month_ago_are_forgotten() -> None:
    settlement = Settlement({"2024-05-01": Decimal(1), "2024-05-08": Decimal(2)})
    settlement.apply(a_fill("-1", "10", executed_at="2024-06-07T15:00"), sessions("2024-06-07"))
    assert list(settlement.proceeds) == ["2024-05-08", "2024-06-07"]


# Activity.


def test_times_are_counted_since_a_moment_and_never_go_back() -> None:
    times = Times()
    assert times.since(0) == 0
    for at in (10, 20, 15, 30):
        times.add(at)
    assert times.at == [10, 20, 20, 30]
    assert [times.since(moment) for moment in (9, 10, 19, 20, 29, 30)] == [4, 3, 3, 1, 1, 0]


def test_the_last_times_are_remembered_and_never_fewer() -> None:
    times = Times()
    for at in range(5 * REMEMBERED):
        times.add(at)
        assert len(times.at) >= min(at + 1, REMEMBERED)
        assert len(times.at) < 2 * REMEMBERED
    assert times.at[-1] == 5 * REMEMBERED - 1


def test_orders_cancels_and_intents_are_counted_where_they_belong() -> None:
    state = state_after(
        *an_order("o1"), CancelSending(O1, "so"), an_intent("o2", strategy="weights")
    )
    activity = state.activity
    counts = (len(activity.orders.at), len(activity.messages.at), activity.sent_today)
    assert counts == (1, 2, 1)
    assert {name: len(times.at) for name, times in activity.intents.items()} == {
        "trend": 1,
        "weights": 1,
    }
    assert activity.sent == {"trend": {"A": 1}}
    # An order nobody knows is counted, and is nobody's.
    fold(state, OrderSending(ClientOrderId("foreign")))
    assert (state.activity.sent_today, state.activity.sent) == (2, {"trend": {"A": 1}})


def test_a_day_ends_at_the_close_and_without_a_calendar_at_midnight() -> None:
    close = nanoseconds(utc("2024-01-02T21:00"))
    state = state_after(a_config("A"), a_calendar(a_session("2024-01-02")), *an_order())
    assert (state.activity.day, state.activity.sent_today) == (close, 1)
    # The calendar is loaded again at each start: that begins no day.
    fold(state, a_calendar(a_session("2024-01-02")))
    assert state.activity.sent_today == 1
    fold(state, an_intent("o2"), at="2024-01-02T21:00:01")
    midnight = nanoseconds(utc("2024-01-03T00:00"))
    assert (state.activity.day, state.activity.sent_today, state.activity.sent) == (midnight, 0, {})


def test_no_more_day_trades_are_remembered_than_may_be_limited() -> None:
    activity = Activity()
    for _ in range(DAY_TRADES_KEPT + 5):
        activity.trade(A, Decimal(0), Decimal(1))
        activity.trade(A, Decimal(1), Decimal(-1))
    assert len(activity.day_trades) == DAY_TRADES_KEPT


# Halts and instruments.


def test_a_halt_lasts_until_the_symbol_is_resumed_and_each_is_its_own() -> None:
    state = state_after(SymbolHalted(A, "T1"), SymbolHalted(Symbol("B")), SymbolHalted(A, "T2"))
    assert {symbol: halt.reason for symbol, halt in state.halts.active.items()} == {
        "A": "T2",
        "B": "",
    }
    assert list(fold(state, SymbolResumed(A), SymbolResumed(A)).halts.active) == ["B"]


def test_the_newest_word_on_a_symbol_counts() -> None:
    old, new = (ContractResolved(A, number) for number in (1, 2))
    short = ShortSaleReported(A, date(2024, 1, 2), None, restricted=True)
    state = state_after(old, new, short)
    assert state.instruments.contracts == {A: new}
    assert state.instruments.short_sales == {A: short}


# Margin.


DUE = utc("2024-01-02T12:00:10")
"""Ten seconds behind what is folded without a time of its own."""


def test_an_answer_is_kept_until_its_last_order_is_decided() -> None:
    answer = MarginReported("m1", Decimal(1), Decimal(1), Decimal(2))
    state = state_after(an_intent("o1"), an_intent("o2"), MarginRequested("m1", (O1, O2), DUE))
    assert state.margin.answer_to(O1) is None
    fold(state, answer)
    assert state.margin.answer_to(O1) == state.margin.answer_to(O2) == answer
    fold(state, IntentApproved(O1, ()))
    assert (state.margin.answer_to(O1), state.margin.answer_to(O2)) == (None, answer)
    fold(state, IntentRefused(O2, ()))
    assert (state.margin.asked, state.margin.requests) == ({}, {})


def test_an_answer_nobody_waits_for_is_nothing_and_the_first_one_stands() -> None:
    gone = MarginUnavailable("m1", "timed out")
    state = state_after(gone)
    assert state.margin.requests == {}
    second = MarginReported("m1", Decimal(1), Decimal(1), Decimal(2))
    fold(state, MarginRequested("m1", (O1,), DUE), gone, second)
    assert state.margin.answer_to(O1) == gone
    assert state.margin.answer_to(O2) is None
    # What was never asked about leaves nothing behind when it is decided.
    fold(state, IntentApproved(O2, ()))
    assert state.margin.answer_to(O1) == gone


def test_an_answer_that_comes_when_it_was_due_or_later_is_none() -> None:
    answer = MarginReported("m1", Decimal(1), Decimal(1), Decimal(2))
    for at, counts in (("12:00:09.999999", True), ("12:00:10", False), ("12:01", False)):
        state = state_after(an_intent("o1"), MarginRequested("m1", (O1,), DUE))
        fold(state, answer, at=f"2024-01-02T{at}")
        assert state.margin.answer_to(O1) == (answer if counts else None)


def test_a_question_ends_with_its_deadline_and_with_the_process_that_asked() -> None:
    def asked(*events: JournalEvent) -> str:
        state = state_after(an_intent("o1"), MarginRequested("m1", (O1,), DUE), *events)
        answer = state.margin.answer_to(O1)
        assert isinstance(answer, MarginUnavailable)
        return answer.reason

    late = MarginReported("m1", Decimal(1), Decimal(1), Decimal(2))
    overdue = TimerFired(TimerKind.MARGIN_DEADLINE, "m1", DUE)
    assert asked(overdue) == asked(overdue, late) == "no answer in time"
    started = SessionStarted("1", {}, {})
    assert asked(started, late) == "the daemon was restarted before the answer came"
    # An answer that was there stands; a deadline of a question that is over is nothing.
    no = MarginUnavailable("m1", "no")
    assert asked(no, overdue, started) == "no"
    assert state_after(overdue).margin.requests == {}


def test_an_order_is_reserved_from_the_question_to_the_decision() -> None:
    state = state_after(an_intent("o1", "-70"), an_intent("o2", "30"))
    assert [state.orders.open[each].reserved for each in (O1, O2)] == [0, 0]
    fold(state, MarginRequested("m1", (O1, O2), DUE))
    assert [state.orders.open[each].reserved for each in (O1, O2)] == [-70, 30]
    fold(state, IntentRefused(O1, ()), IntentApproved(O2, ()))
    assert state.orders.closed[O1].reserved == 0
    assert state.orders.open[O2].reserved == 30
    # Nobody asks twice about one order, or about one that is not there.
    fold(state, MarginRequested("m2", (O1, ClientOrderId("none")), DUE))
    assert state.orders.impossible == 2


def test_the_brokers_last_word_on_the_account_counts() -> None:
    first, second = (AccountReported(Decimal(n), Decimal(0), Decimal(0)) for n in (1, 2))
    assert state_after(first, second).margin.account == second
