from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest

from events import (
    BarClosed,
    ClientOrderId,
    ConfigLoaded,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    Mode,
    Record,
    SessionEnded,
    SessionStarted,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
    TimerFired,
    TimerKind,
    nanoseconds,
)
from projections import State
from tests.builders import (
    TUESDAY,
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

if TYPE_CHECKING:
    from events.codec import JournalEvent

A = Symbol("A")
O1 = ClientOrderId("o1")


def declined(reason: str, symbol: str = "A") -> StrategyDeclined:
    return StrategyDeclined("trend", Symbol(symbol), "signal", reason, 1)


def test_one_purchase_moves_orders_position_cash_and_equity_together() -> None:
    state = state_after(
        a_config("A"),
        a_calendar(a_session("2024-01-02")),
        a_deposit("10000"),
        *an_order(quantity="100"),
        a_fill("100", "50"),
        a_commission("1"),
        a_bar("52", end="2024-01-02T15:01"),
    )
    order = state.orders.find(O1)
    assert order is not None
    assert (order.filled, order.commission) == (100, 1)
    assert state.positions.held(A).average_entry_price == Decimal(50)
    assert state.positions.held_by("trend", A).quantity == Decimal(100)
    assert state.cash.balance == Decimal(4999)  # 10000 - 5000 - 1
    assert state.pnl.equity == Decimal(10199)  # 4999 + 100 x 52
    assert state.market.price(A) == Decimal(52)


def test_the_state_says_where_in_the_journal_it_is() -> None:
    state = State()
    assert (state.seq, state.at) == (0, 0)
    at = nanoseconds(utc(TUESDAY))
    state.apply(Record(7, at, a_deposit()))
    assert (state.seq, state.at) == (7, at)


def test_two_states_share_nothing() -> None:
    first, second = State(), State()
    fold(first, a_deposit(), *an_order(), a_fill(), a_bar(), declined("flat"))
    assert second == State()


def test_a_snapshot_of_the_state_is_the_state() -> None:
    state = state_after(
        JournalOpened("j1", Mode.PAPER, "paper"),
        SessionStarted("0.1.0", {"trend": "abc"}, {"python": "3.11"}),
        ConfigLoaded({"mode": "paper", "limits": {"x": ["1", 2, None]}}, a_config("A").symbols),
        a_calendar(a_session("2024-01-02"), a_session("2024-01-03")),
        a_deposit("10000"),
        HoldPlaced("h1", HoldScope.ALL, HoldLevel.HALT, "test", "op", "why", HoldLifts.OPERATOR),
        TimerFired(TimerKind.SCHEDULE, "trend/daily", utc(TUESDAY)),
        *an_order(),
        a_fill("60", "0.00000001"),
        a_bar(),
        declined("flat"),
        SessionEnded("stopped"),
    )
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


def test_the_journal_is_named_once_and_sessions_are_counted() -> None:
    started = SessionStarted("0.1.0", {}, {})
    state = state_after(JournalOpened("j1", Mode.PAPER, "paper"), started, SessionEnded("signal"))
    assert state.identity.opened == JournalOpened("j1", Mode.PAPER, "paper")
    assert (state.identity.sessions, state.identity.ended) == (1, "signal")
    fold(state, started)
    assert (state.identity.sessions, state.identity.ended) == (2, "")
    assert state.identity.started == started


def test_the_configuration_in_force_is_the_last_one_loaded() -> None:
    state = state_after(a_config("A"), a_config("A", "B"))
    assert list(state.symbols) == ["A", "B"]
    assert state.identity.config_seq == 2


def test_a_strategys_answers_are_counted_by_strategy() -> None:
    state = state_after(
        an_intent("o1"),
        IntentApproved(O1, ()),
        an_intent("o2"),
        IntentRefused(ClientOrderId("o2"), ()),
        an_intent("o3", strategy="weights"),
    )
    trend, weights = state.strategies.of("trend"), state.strategies.of("weights")
    assert (trend.intended, trend.approved, trend.refused) == (2, 1, 1)
    assert (weights.intended, weights.approved, weights.refused) == (1, 0, 0)


def test_an_answer_to_an_unknown_intent_is_nobodys() -> None:
    state = state_after(IntentApproved(O1, ()))
    assert state.strategies.answers == {}
    assert state.orders.impossible == 1


def test_a_strategys_reason_not_to_trade_stands_until_it_trades_that_symbol() -> None:
    state = state_after(declined("flat"), declined("no data", "B"), declined("still flat"))
    assert state.strategies.of("trend").declined[A].reason == "still flat"
    fold(state, an_intent())
    assert list(state.strategies.of("trend").declined) == ["B"]


def test_a_failed_strategy_is_known_by_its_error() -> None:
    state = state_after(StrategyFailed("trend", "ZeroDivisionError: division by zero"))
    assert state.strategies.of("trend").failed == "ZeroDivisionError: division by zero"


def test_asking_after_a_strategy_changes_nothing() -> None:
    state = State()
    assert state.strategies.of("trend").intended == 0
    assert state == State()


def test_only_schedules_are_remembered_by_their_last_firing() -> None:
    first = TimerFired(TimerKind.SCHEDULE, "trend/daily", utc(TUESDAY))
    second = TimerFired(TimerKind.SCHEDULE, "trend/daily", utc(TUESDAY) + timedelta(days=1))
    deadline = TimerFired(TimerKind.ANSWER_DEADLINE, "o1", utc(TUESDAY))
    state = state_after(first, second, deadline)
    assert state.timers.fired == {"trend/daily": second}


@pytest.mark.parametrize(
    ("bar", "is_in_session"),
    [
        (a_bar(end="2024-01-02T15:00"), True),
        (a_bar(end="2024-01-02T21:30"), False),
        (a_bar(end="2024-01-02T15:00", symbol="X"), False),
    ],
)
def test_a_bar_is_in_session_by_the_hours_of_its_symbol(
    bar: BarClosed,
    is_in_session: bool,  # noqa: FBT001 (parametrized)
) -> None:
    state = state_after(a_config("A"), a_calendar(a_session("2024-01-02")))
    assert state.in_session(bar) is is_in_session


def test_a_bar_off_session_does_not_revalue_what_is_held() -> None:
    events: tuple[JournalEvent, ...] = (
        a_config("A"),
        a_calendar(a_session("2024-01-02"), a_session("2024-01-03")),
        a_deposit("10000"),
        *an_order(),
        a_fill("100", "50"),
    )
    before = state_after(*events).pnl.equity
    state = state_after(*events, a_bar("99", end="2024-01-02T22:00"))
    assert state.pnl.equity == before
